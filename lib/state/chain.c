#include "state/chain.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#define HOST_MAX 253 /* RFC 1035, 2.3.4, less the final dot */

/* A URL's parts, as they stand in its text. */
struct url_parts {
	struct str scheme;
	struct str userinfo;
	bool has_userinfo;
	struct str host; /* with its port */
	struct str path; /* without '/' at the end */
};

struct str chain_redact(struct pool *pool, struct str text)
{
	long at = str_find_last(text, '@');
	long scheme = str_find_str(text, STR("://"));
	struct str head = str_head(text, scheme >= 0 ? (size_t)scheme + 3 : 0);
	long query;

	if (at < (long)head.n)
		head.n = 0;
	if (at >= 0)
		text = str_skip(text, (size_t)at);
	query = str_find(text, '?');
	if (query < 0)
		query = str_find(text, '#');
	if (query >= 0)
		text = str_head(text, (size_t)query);
	return pool_printf(pool, "%.*s%s%.*s%s", STR_ARG(head), at >= 0 ? "..." : "",
			   STR_ARG(text), query >= 0 ? "?..." : "");
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 3986: unreserved, sub-delims and whole percent triplets, and `also`. */
static bool is_url_text(struct str s, const char *also)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.n - i < 3 || !isxdigit((unsigned char)s.p[i + 1]) ||
			    !isxdigit((unsigned char)s.p[i + 2]))
				return false;
			i += 2;
		} else if (c == '\0' || (!is_alnum(c) && !strchr("-._~!$&'()*+;=", c) &&
					 !strchr(also, c))) {
			return false;
		}
	}
	return true;
}

static bool is_ipv6(struct str s)
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* Labels of letters, digits, '-' and '_', neither empty nor over 63 bytes. */
static bool is_host_name(struct str name)
{
	struct str label;

	if (name.n == 0 || name.n > HOST_MAX)
		return false;
	while (str_cut(&name, '.', &label)) {
		if (label.n == 0 || label.n > 63)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
				return false;
	}
	return true;
}

static bool is_port(struct str port)
{
	uint64_t value;

	return port.n <= 5 && str_to_u64(port, &value) && value >= 1 && value <= 65535;
}

bool chain_is_host(struct str text)
{
	struct str port;
	long end;

	if (text.n > 0 && text.p[0] == '[') {
		end = str_find(text, ']');
		if (end < 0 || !is_ipv6(str_head(str_skip(text, 1), (size_t)end - 1)))
			return false;
		port = str_skip(text, (size_t)end + 1);
		return port.n == 0 || (port.p[0] == ':' && is_port(str_skip(port, 1)));
	}
	end = str_find(text, ':');
	if (end < 0)
		return is_host_name(text);
	return is_host_name(str_head(text, (size_t)end)) &&
	       is_port(str_skip(text, (size_t)end + 1));
}

/*
 * Is each element of "" or "/a/b" more than "", "." and ".."? curl would fold
 * them; what is asked must be what is written.
 */
static bool has_plain_elements(struct str path)
{
	struct str element;

	if (path.n == 0)
		return true;
	path = str_skip(path, 1);
	while (str_cut(&path, '/', &element))
		if (element.n == 0 || str_is_equal(element, STR(".")) ||
		    str_is_equal(element, STR("..")))
			return false;
	return true;
}

static int check_scheme(struct str scheme, struct err *err)
{
	if (str_is_equal_nocase(scheme, STR("https")) ||
	    str_is_equal_nocase(scheme, STR("http")))
		return 0;
	if (str_is_equal_nocase(scheme, STR("file")))
		return err_set(err, ERR_CONFIG, "file:// is not supported: "
			       "an upstream is asked over https or http");
	return err_set(err, ERR_CONFIG, "its scheme is not supported: only https and http are");
}

/* Cut text into its parts; says nothing about their contents but the scheme. */
static int split_url(struct str text, struct url_parts *parts, struct err *err)
{
	long scheme = str_find_str(text, STR("://"));
	long slash, at;

	if (scheme < 0)
		return err_set(err, ERR_CONFIG,
			       "it is not a URL that begins with https:// or http://");
	parts->scheme = str_head(text, (size_t)scheme);
	if (check_scheme(parts->scheme, err) != 0)
		return -1;
	text = str_skip(text, (size_t)scheme + 3);
	slash = str_find(text, '/');
	parts->path = str_head(text, 0);
	if (slash >= 0) {
		parts->path = str_skip(text, (size_t)slash);
		text = str_head(text, (size_t)slash);
	}
	while (str_has_suffix(parts->path, STR("/")))
		parts->path.n--;
	at = str_find_last(text, '@');
	parts->has_userinfo = at >= 0;
	parts->userinfo = str_head(text, at >= 0 ? (size_t)at : 0);
	parts->host = str_skip(text, (size_t)(at + 1));
	return 0;
}

static int check_parts(const struct url_parts *parts, struct err *err)
{
	if (parts->has_userinfo &&
	    (!is_url_text(parts->userinfo, ":") || parts->userinfo.n == 0))
		return err_set(err, ERR_CONFIG, "its user or password is empty or holds a byte "
			       "that must be written as %%XX, such as %%40 for '@'");
	if (!chain_is_host(parts->host))
		return err_set(err, ERR_CONFIG, "its host must be a name in ASCII, "
			       "an IPv4 address or an IPv6 address in brackets, "
			       "its port 1 to 65535");
	/* Not even '@': a password with a '/' in it would pass for a path. */
	if (!is_url_text(parts->path, "/:"))
		return err_set(err, ERR_CONFIG,
			       "its path holds a byte that must be written as %%XX");
	if (!has_plain_elements(parts->path))
		return err_set(err, ERR_CONFIG, "its path must not hold '//', '/.' or '/..'");
	return 0;
}

static struct str lower(struct pool *pool, struct str s)
{
	char *copy = pool_cstr(pool, s);

	for (size_t i = 0; i < s.n; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] = (char)(copy[i] - 'A' + 'a');
	return (struct str){ copy, s.n };
}

int chain_url_parse(struct pool *pool, struct str text, const char **url, const char **shown,
		    struct err *err)
{
	struct url_parts parts = { 0 };
	struct str scheme, host;

	if (str_has_char(text, '?') || str_has_char(text, '#'))
		return err_set(err, ERR_CONFIG, "a query ('?') or fragment ('#') is not allowed");
	if (split_url(text, &parts, err) != 0 || check_parts(&parts, err) != 0)
		return -1;

	scheme = lower(pool, parts.scheme);
	host = lower(pool, parts.host);
	*url = pool_printf(pool, "%.*s://%.*s%s%.*s%.*s", STR_ARG(scheme),
			   STR_ARG(parts.userinfo), parts.has_userinfo ? "@" : "",
			   STR_ARG(host), STR_ARG(parts.path)).p;
	*shown = pool_printf(pool, "%.*s://%.*s%.*s", STR_ARG(scheme), STR_ARG(host),
			     STR_ARG(parts.path)).p;
	return 0;
}

/*
 * As cmd/go: single words are reserved for what is built in; what holds ":/"
 * must be a whole URL and a path is one that lacks its scheme.
 */
static bool is_bare_host(struct str text)
{
	if (text.p[0] == '/' || str_find_str(text, STR(":/")) >= 0)
		return false;
	return str_has_char(text, '.') || str_has_char(text, ':') || str_has_char(text, '/');
}

/*
 * What an error may show of an element. A password with a ',' or '|' in it
 * falls apart at that byte: its '@' then stands in the rest.
 */
static struct str shown_element(struct pool *pool, struct str text, struct str rest)
{
	long next = str_find_str(rest, STR("://"));

	if (next >= 0)
		rest = str_head(rest, (size_t)next);
	if (str_has_char(rest, '@') && !str_has_char(text, '@'))
		return STR("...");
	return chain_redact(pool, text);
}

static int parse_element(struct pool *pool, struct str text, struct str rest,
			 struct chain_element *element, struct err *err)
{
	struct str whole = text;

	if (str_is_equal(text, STR("direct")) || str_is_equal(text, STR("off"))) {
		element->kind = text.p[0] == 'd' ? CHAIN_DIRECT : CHAIN_OFF;
		element->url = element->shown = text.p[0] == 'd' ? "direct" : "off";
		element->any_error = false;
		return 0;
	}
	element->kind = CHAIN_URL;
	if (is_bare_host(text))
		whole = pool_printf(pool, "https://%.*s", STR_ARG(text));
	if (chain_url_parse(pool, whole, &element->url, &element->shown, err) != 0) {
		text = shown_element(pool, text, rest);
		return err_wrap(err, "'%.*s' is not allowed", STR_ARG(text));
	}
	return 0;
}

/* The text up to ',' or '|', which is put in *separator; '\0' at the end. */
static struct str cut_element(struct str *rest, char *separator)
{
	struct str element = *rest;
	size_t i = 0;

	while (i < rest->n && rest->p[i] != ',' && rest->p[i] != '|')
		i++;
	*separator = i < rest->n ? rest->p[i] : '\0';
	element.n = i;
	*rest = str_skip(*rest, i + 1);
	return str_trim(element);
}

static int parse_elements(struct str text, struct chain *chain, struct err *err)
{
	while (text.n > 0) {
		struct chain_element *element = &chain->elements[chain->n];
		char separator;
		struct str piece = cut_element(&text, &separator);

		if (piece.n == 0)
			continue;
		if (chain->n == CHAIN_ELEMENTS_MAX)
			return err_set(err, ERR_CONFIG, "the chain has more than %d elements",
				       CHAIN_ELEMENTS_MAX);
		element->any_error = separator == '|';
		if (parse_element(chain->pool, piece, text, element, err) != 0)
			return -1;
		chain->n++;
		/* As cmd/go: both are the end of the line. */
		if (element->kind != CHAIN_URL)
			return 0;
	}
	if (chain->n == 0)
		return err_set(err, ERR_CONFIG, "the chain has no element");
	return 0;
}

int chain_parse(struct str text, struct chain *chain, struct err *err)
{
	*chain = (struct chain){ 0 };
	if (text.n > CHAIN_TEXT_MAX)
		return err_set(err, ERR_CONFIG, "the chain is longer than %d bytes",
			       CHAIN_TEXT_MAX);

	chain->pool = pool_new();
	chain->elements = pool_alloc(chain->pool,
				     (CHAIN_ELEMENTS_MAX + 1) * sizeof(*chain->elements));
	if (parse_elements(text, chain, err) != 0) {
		chain_clear(chain);
		return -1;
	}
	return 0;
}

void chain_clear(struct chain *chain)
{
	if (chain->pool)
		pool_free(chain->pool);
	*chain = (struct chain){ 0 };
}

void chain_print(const struct chain *chain, struct buf *buf)
{
	for (size_t i = 0; i < chain->n; i++) {
		buf_add(buf, str_of(chain->elements[i].shown));
		if (i + 1 < chain->n)
			buf_add_char(buf, chain->elements[i].any_error ? '|' : ',');
	}
}
