#include "serve/access.h"

#include <stdlib.h>
#include <string.h>

#include "state/accounts.h"

/* Longest Authorization that is looked at: a token is 72 bytes. */
#define AUTHORIZATION_MAX 2048

struct access {
	const struct config *config;
	struct accounts *accounts;
};

struct access *access_new(const struct config *config)
{
	struct access *access = mem_alloc(sizeof(*access));

	access->config = config;
	access->accounts = accounts_new(config->private_.groups_file, config->private_.tokens_file);
	return access;
}

void access_free(struct access *access)
{
	if (!access)
		return;
	accounts_free(access->accounts);
	free(access);
}

static int base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* RFC 4648, 4; empty if it is none. */
static struct str decode_base64(struct pool *pool, struct str text)
{
	char *out = pool_alloc(pool, text.n + 1);
	unsigned int bits = 0;
	size_t n = 0, have = 0;

	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	for (size_t i = 0; i < text.n; i++) {
		int value = base64_value(text.p[i]);

		if (value < 0)
			return STR("");
		bits = (bits << 6 | (unsigned int)value) & 0xffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have);
		}
	}
	return (struct str){ out, n };
}

/* The token in Authorization (RFC 7617, RFC 6750); empty if there is none of ours. */
static struct str sent_token(const struct http_request *r)
{
	struct str rest = str_head(r->authorization, AUTHORIZATION_MAX), scheme, user;

	if (!str_has_char(rest, ' ') || !str_cut(&rest, ' ', &scheme))
		return STR("");
	rest = str_trim(rest);
	if (str_is_equal_nocase(scheme, STR("Basic"))) {
		rest = decode_base64(r->pool, rest);
		if (!str_has_char(rest, ':') || !str_cut(&rest, ':', &user))
			return STR("");
	} else if (!str_is_equal_nocase(scheme, STR("Bearer"))) {
		return STR("");
	}
	return accounts_is_token(rest) ? rest : STR("");
}

/* True with *user, or false with what is wrong with who asks. */
static bool identify(struct access *access, const struct http_request *r, struct str *user, struct err *err)
{
	struct str token = sent_token(r);

	if (token.n > 0) {
		switch (accounts_find_token(access->accounts, r->pool, token, user)) {
		case ACCOUNTS_GOOD:
			return true;
		case ACCOUNTS_EXPIRED:
			err_set(err, ERR_UNKNOWN_USER, "the token of '%.*s' has expired", STR_ARG(*user));
			return false;
		default:
			err_set(err, ERR_UNKNOWN_USER, "the token isn't known here");
			return false;
		}
	}
	err_set(err, ERR_UNKNOWN_USER,
		"nobody in particular asked: put an account of this site, or a token, into ~/.netrc "
		"(go help goauth)");
	if (r->remote_user.n > 0 && r->auth_type.n > 0) {
		*user = r->remote_user;
		return true;
	}
	if (access->config->private_.client_cert == CONFIG_CERT_CN &&
	    str_is_equal(r->cert_verify, STR("SUCCESS")) && r->cert_cn.n > 0) {
		*user = r->cert_cn;
		return true;
	}
	return false;
}

bool access_user(struct access *access, const struct http_request *request, struct str *user)
{
	struct err ignored;

	return identify(access, request, user, &ignored);
}

/* Is it one of those words? user NULL: nobody in particular. */
static bool is_among(struct access *access, struct str words, const struct str *user)
{
	struct str word;

	while (words.n > 0 && str_cut(&words, ' ', &word)) {
		if (str_is_equal(word, STR("anonymous")))
			return true;
		if (!user)
			continue;
		if (str_is_equal(word, STR("*")) ||
		    (word.p[0] == '@' ? accounts_has_member(access->accounts, str_skip(word, 1), *user)
				      : str_is_equal(word, *user)))
			return true;
	}
	return false;
}

int access_check(struct access *access, const struct http_request *request, struct str module,
		 enum access_right right, struct err *err)
{
	const struct config *config = access->config;
	bool is_write = right == ACCESS_WRITE;
	struct str who = str_of(config_may(is_write ? &config->private_.write : &config->private_.read, module));
	struct str user;
	bool is_known = identify(access, request, &user, err);

	if (is_among(access, who, is_known ? &user : NULL)) {
		*err = (struct err){ 0 };
		return 0;
	}
	if (is_known)
		err_set(err, ERR_FORBIDDEN, "'%.*s' may not %s it, by [private] %s", STR_ARG(str_head(user, 256)),
			is_write ? "upload" : "have", is_write ? "write" : "read");
	return err_wrap(err, "'%.*s' is private", STR_ARG(module));
}
