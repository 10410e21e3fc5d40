#include "origin/remote.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "gomod/module.h"
#include "origin/address.h"

#define ADDRESSES_MAX	16
#define PROBE_BYTES	4096 /* tells git's answer from any other */
#define TOKENS_MAX_BYTES 65536

static const char discovery_path[] = "/info/refs?service=git-upload-pack";

struct remotes {
	const struct config *config;
	struct fetch *fetch;
};

struct remotes *remotes_new(const struct config *config, struct fetch *fetch)
{
	struct remotes *remotes = mem_alloc(sizeof(*remotes));

	remotes->config = config;
	remotes->fetch = fetch;
	return remotes;
}

void remotes_free(struct remotes *remotes)
{
	free(remotes);
}

/* ---- a page, waited for ---- */

struct waiting {
	pthread_mutex_t mutex;
	pthread_cond_t is_over;
	bool is_done;
	struct buf body;
	struct fetch_answer answer; /* without what dies with the call */
	char *url;
};

static int on_start(void *arg, const struct fetch_answer *answer, struct err *err)
{
	return 0;
}

/* What is more than we look at isn't waited for. */
static int on_bytes(void *arg, struct str bytes, struct err *err)
{
	struct waiting *w = arg;

	buf_add(&w->body, str_head(bytes, w->body.max - 1 - w->body.n));
	return w->body.n < w->body.max - 1 ? 0 : err_set(err, ERR_OVERLOAD, "enough");
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct waiting *w = arg;

	pthread_mutex_lock(&w->mutex);
	w->answer = *answer;
	w->url = mem_strdup(str_of(answer->url));
	if (answer->status != 200)
		buf_add(&w->body, str_head(buf_str(&answer->text), w->body.max - 1));
	w->is_done = true;
	pthread_cond_signal(&w->is_over);
	pthread_mutex_unlock(&w->mutex);
}

static void wait_for(struct waiting *w)
{
	pthread_mutex_lock(&w->mutex);
	while (!w->is_done)
		pthread_cond_wait(&w->is_over, &w->mutex);
	pthread_mutex_unlock(&w->mutex);
}

static int refuse_private(const char *host, struct err *err)
{
	return err_set(err, ERR_FORBIDDEN,
		       "'%s' lies at a private address, and [direct] private_hosts doesn't name it", host);
}

/* What no proxy of the environment should have to decide. */
static int check_literal(const struct config *config, const struct fetch_url *parts, struct err *err)
{
	return fetch_host_is_private(parts->host) && !fetch_host_is_trusted(config, true, parts->host, parts->port)
		       ? refuse_private(parts->host, err) : 0;
}

int remote_check_proxy(const struct config *config, struct pool *pool, const char *url,
		       const struct remote_rules *rules, struct err *err)
{
	struct fetch_url parts;

	if (!fetch_url_parse(pool, url, &parts) ||
	    (strcmp(parts.scheme, "https") != 0 && (strcmp(parts.scheme, "http") != 0 || !rules->is_insecure)))
		return err_set(err, ERR_FORBIDDEN, "it isn't reached by https");
	return check_literal(config, &parts, err);
}

struct remote_rules remote_rules_of(const struct config *config, struct str module)
{
	return (struct remote_rules){
		.is_insecure = module_matches_patterns(str_of(config->direct.insecure), module),
		.has_credentials = config_is_private(config, module) ||
				   module_matches_patterns(str_of(config->direct.modules), module),
	};
}

int remote_get(struct remotes *remotes, struct pool *pool, const char *url, const struct remote_rules *rules,
	       const char *header, size_t max_bytes, int64_t deadline_ms, struct remote_page *page,
	       struct err *err)
{
	struct waiting w = { .mutex = PTHREAD_MUTEX_INITIALIZER, .is_over = PTHREAD_COND_INITIALIZER };
	struct fetch_call call = {
		.url = url,
		.is_untrusted = true,
		.is_anonymous = !rules->has_credentials || strncmp(url, "https:", 6) != 0,
		.header = header,
		.total_timeout_s = clock_seconds_until(deadline_ms),
		.body_max_bytes = INT64_MAX,
		.on_start = on_start,
		.on_bytes = on_bytes,
		.on_done = on_done,
		.arg = &w,
	};
	struct fetch_url parts;
	bool is_answered;

	if (!fetch_url_parse(pool, url, &parts))
		return err_set(err, ERR_BAD_UPSTREAM, "'%.200s' is not a URL", url);
	if (check_literal(remotes->config, &parts, err) != 0)
		return -1;
	buf_init(&w.body, max_bytes + 1);
	fetch_start(remotes->fetch, &call);
	wait_for(&w);
	is_answered = w.answer.err.kind == ERR_NONE ||
		      (w.answer.err.kind == ERR_OVERLOAD && w.answer.status == 200);
	if (is_answered)
		*page = (struct remote_page){ w.answer.status, pool_str(pool, buf_str(&w.body)),
					      pool_cstr(pool, str_of(w.url)),
					      pool_cstr(pool, str_of(w.answer.address)) };
	else
		*err = w.answer.err;
	buf_clear(&w.body);
	free(w.url);
	return is_answered ? 0 : err_wrap(err, "%s", parts.host);
}

/* ---- where git may connect to ---- */

/* ADDRESS,... of a host, none of them private unless the settings name it. */
static int resolve(const struct config *config, struct pool *pool, const struct fetch_url *parts,
		   struct str *addresses, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	bool is_trusted = fetch_host_is_trusted(config, true, parts->host, parts->port);
	struct str host = str_of(parts->host);
	int n = 0, rc;

	if (host.n > 2 && host.p[0] == '[')
		host = str_head(str_skip(host, 1), host.n - 2);
	rc = getaddrinfo(pool_cstr(pool, host), NULL, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_BAD_UPSTREAM, "cannot find the address of '%s': %s", parts->host,
			       gai_strerror(rc));
	*addresses = STR("");
	rc = 0;
	for (struct addrinfo *a = list; a && rc == 0 && n < ADDRESSES_MAX; a = a->ai_next, n++) {
		char text[INET6_ADDRSTRLEN + 32];

		if (!is_trusted && address_is_private(a->ai_addr))
			rc = refuse_private(parts->host, err);
		else if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0,
				     NI_NUMERICHOST) == 0)
			*addresses = pool_printf(pool, "%.*s%s%s", STR_ARG(*addresses),
						 addresses->n > 0 ? "," : "", text);
	}
	freeaddrinfo(list);
	/* An empty list would leave the look-up to git. */
	if (rc == 0 && addresses->n == 0)
		rc = err_set(err, ERR_BAD_UPSTREAM, "'%s' has no address", parts->host);
	return rc;
}

/* The token for a host, out of [direct] tokens; NULL: none. */
static const char *token_of(const struct config *config, struct pool *pool, const char *host)
{
	struct str rest, line;
	struct err err = { 0 };
	struct stat st;

	if (!*config->direct.tokens ||
	    file_read_setting(config->direct.tokens, TOKENS_MAX_BYTES, pool, &rest, &st, &err) != 0)
		return NULL;
	while (rest.n > 0 && str_cut(&rest, '\n', &line)) {
		long blank;

		line = str_trim(line);
		blank = str_find(line, ' ');
		if (blank > 0 && line.p[0] != '#' &&
		    str_is_equal_nocase(str_head(line, (size_t)blank), str_of(host)))
			return pool_cstr(pool, str_trim(str_skip(line, (size_t)blank)));
	}
	return NULL;
}

/* SCHEME://HOST, and neither query nor fragment; no host that git would have to translate. */
static bool is_plain(struct str url, const struct fetch_url *parts)
{
	struct str rest = str_skip(url, strlen(parts->scheme) + 3);

	for (const char *c = parts->host; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '%')
			return false;
	return str_has_prefix(str_skip(url, strlen(parts->scheme)), STR("://")) && rest.n > 0 && rest.p[0] != '/' &&
	       !str_has_char(url, '?') && !str_has_char(url, '#') && parts->host[0] != '-' &&
	       parts->user[0] != '-' && parts->path[0] == '/';
}

static int check_url(const struct config *config, const char *url, const struct fetch_url *parts,
		     const struct remote_rules *rules, struct err *err)
{
	struct str scheme = str_of(parts->scheme);

	if (str_is_equal(scheme, STR("ssh")) && !*config->direct.ssh_key)
		return err_set(err, ERR_FORBIDDEN, "'%s' is reached by ssh, and [direct] ssh_key is not set",
			       parts->host);
	if (str_is_equal(scheme, STR("ssh")) && !rules->has_credentials)
		return err_set(err, ERR_FORBIDDEN,
			       "'%s' is reached by ssh, which is for what [private] modules or [direct] modules names",
			       parts->host);
	if (str_is_equal(scheme, STR("http")) && !rules->is_insecure)
		return err_set(err, ERR_FORBIDDEN,
			       "'%s' is reached by http, and [direct] insecure doesn't name the module",
			       parts->host);
	if (!str_is_equal(scheme, STR("ssh")) && !str_is_equal(scheme, STR("https")) &&
	    !str_is_equal(scheme, STR("http")))
		return err_set(err, ERR_FORBIDDEN, "repositories aren't fetched by '%.20s', only by https and ssh",
			       parts->scheme);
	if (!is_plain(str_of(url), parts))
		return err_set(err, ERR_BAD_UPSTREAM, "a malformed URL of a repository");
	if (*parts->password || (*parts->user && !str_is_equal(scheme, STR("ssh"))))
		return err_set(err, ERR_FORBIDDEN,
			       "the URL of a repository holds a user or password: those stand in [upstream] netrc");
	return check_literal(config, parts, err);
}

/* [direct] ssh_key itself, or what lies there under the host's name. */
static int find_key(const struct config *config, struct pool *pool, const char *host, const char **key,
		    struct err *err)
{
	struct stat st;

	*key = config->direct.ssh_key;
	if (stat(*key, &st) != 0 || !S_ISDIR(st.st_mode))
		return 0;
	*key = pool_printf(pool, "%s/%s", config->direct.ssh_key, host).p;
	if (stat(*key, &st) == 0)
		return 0;
	return err_set(err, ERR_FORBIDDEN, "'%s' is reached by ssh, and [direct] ssh_key has no key for it", host);
}

static int open_ssh(struct remotes *remotes, struct pool *pool, const struct fetch_url *parts,
		    const char *url, struct remote *remote, struct err *err)
{
	struct str addresses, first = STR("");
	const char *key;
	bool has_port = *parts->port && strcmp(parts->port, "22") != 0;

	if (find_key(remotes->config, pool, parts->host, &key, err) != 0 ||
	    resolve(remotes->config, pool, parts, &addresses, err) != 0)
		return -1;
	str_cut(&addresses, ',', &first);
	remote->vcs = (struct vcs_remote){
		.url = url,
		.protocol = "ssh",
		.ssh_key = key,
		.ssh_host = has_port ? pool_printf(pool, "[%s]:%s", parts->host, parts->port).p : parts->host,
		.ssh_address = pool_cstr(pool, first),
	};
	return 0;
}

/* Its server answers with something else than a repository: is there one at all? */
static int explain_status(struct remotes *remotes, struct pool *pool, const char *url, const char *shown,
			  const struct remote_rules *rules, int status, int64_t deadline_ms, struct err *err)
{
	struct remote_page page = { 0 };

	if (status == 404 || status == 410)
		return err_set(err, ERR_NOT_FOUND, "there is no repository at %s: %d", shown, status);
	/* Many a server hides what isn't there behind a question for a password; its page doesn't. */
	if ((status == 401 || status == 403) &&
	    remote_get(remotes, pool, url, rules, NULL, PROBE_BYTES, deadline_ms, &page, err) == 0 &&
	    (page.status == 404 || page.status == 410))
		return err_set(err, ERR_NOT_FOUND, "there is no repository at %s, or none for us: %d, %d", shown,
			       status, page.status);
	return err_set(err, ERR_BAD_UPSTREAM, "%s answers %d%s", shown, status,
		       status == 401 || status == 403 ? ": it wants a user and password, see [upstream] netrc "
							"and [direct] tokens" : "");
}

static bool is_git(struct str body)
{
	return str_find_str(str_head(body, 256), STR("service=git-upload-pack")) >= 0 ||
	       str_find_str(str_head(body, 256), STR("version 2")) >= 0;
}

/* The file info/refs of a static copy, "HASH\tNAME" a line: git would fetch it file by file. */
static bool is_dumb(struct str body)
{
	long tab = str_find(body, '\t');

	return (tab == 40 || tab == 64) && str_has_prefix(str_skip(body, (size_t)tab + 1), STR("refs/"));
}

static int open_http(struct remotes *remotes, struct pool *pool, const struct fetch_url *asked, const char *url,
		     const struct remote_rules *rules, int64_t deadline_ms, struct remote *remote, struct err *err)
{
	bool is_https = strcmp(asked->scheme, "https") == 0;
	const char *token = is_https && rules->has_credentials ? token_of(remotes->config, pool, asked->host) : NULL;
	size_t url_n = strlen(url);
	/* As git does: without one slash at the end. */
	const char *probe = pool_printf(pool, "%.*s%s", (int)(url[url_n - 1] == '/' ? url_n - 1 : url_n), url,
					discovery_path).p;
	struct remote_page page = { 0 };
	struct fetch_url parts = { 0 };
	struct sockaddr_storage literal;
	struct str final;

	if (remote_get(remotes, pool, probe, rules, token ? pool_printf(pool, "Authorization: Bearer %s", token).p
						   : "Git-Protocol: version=2",
		       PROBE_BYTES, deadline_ms, &page, err) != 0)
		return -1;
	if (page.status != 200)
		return explain_status(remotes, pool, url, remote->url, rules, page.status, deadline_ms, err);
	final = str_of(page.url);
	if (is_dumb(page.body))
		return err_set(err, ERR_NOT_FOUND,
			       "%s speaks git's dumb http protocol only, and this proxy the smart one",
			       remote->url);
	if (!is_git(page.body) || !str_has_suffix(final, str_of(discovery_path)) ||
	    !fetch_url_parse(pool, page.url, &parts))
		return err_set(err, ERR_NOT_FOUND, "what is at %s is no git repository", remote->url);
	if (!is_plain(str_head(final, final.n - strlen(discovery_path)), &parts) || *parts.user || *parts.password)
		return err_set(err, ERR_BAD_UPSTREAM, "%s redirects to a malformed URL", remote->url);
	remote->vcs = (struct vcs_remote){
		.url = pool_cstr(pool, str_head(final, final.n - strlen(discovery_path))),
		.protocol = parts.scheme,
		.token = strcmp(parts.host, asked->host) == 0 && strcmp(parts.port, asked->port) == 0 &&
				 strcmp(parts.scheme, asked->scheme) == 0 ? token : NULL,
	};
	if (fetch_has_proxy(parts.scheme)) {
		remote->vcs.must_use_proxy = !fetch_host_is_trusted(remotes->config, true, parts.host, parts.port);
		return 0;
	}
	if (address_is_literal(parts.host, &literal))
		return 0;
	/* That is the one which was looked at: nobody looks up the name again. */
	if (!*page.address)
		return err_set(err, ERR_BAD_UPSTREAM, "the address of '%s' is not known", parts.host);
	remote->vcs.resolve = pool_printf(pool, "%s:%s:%s", parts.host, parts.port, page.address).p;
	return 0;
}

int remote_open(struct remotes *remotes, struct pool *pool, const char *url, const struct remote_rules *rules,
		int64_t deadline_ms, struct remote *remote, struct err *err)
{
	struct remote_rules used_rules = *rules;
	struct str used = config_rewrite(remotes->config, pool, str_of(url));
	const char *effective = pool_cstr(pool, used);
	bool is_rewritten = !str_is_equal(used, str_of(url));
	struct fetch_url parts = { 0 };

	*remote = (struct remote){ .url = pool_cstr(pool, str_of(url)) };
	if (!fetch_url_parse(pool, effective, &parts))
		return err_set(err, ERR_BAD_UPSTREAM, "'%.200s' is not the URL of a repository", url);
	/* Who writes http:// into the settings means it. */
	used_rules.is_insecure = rules->is_insecure || is_rewritten;
	if (check_url(remotes->config, effective, &parts, &used_rules, err) != 0)
		return -1;
	if (strcmp(parts.scheme, "ssh") == 0)
		return open_ssh(remotes, pool, &parts, effective, remote, err);
	return open_http(remotes, pool, &parts, effective, rules, deadline_ms, remote, err);
}
