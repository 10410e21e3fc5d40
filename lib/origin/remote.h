/*
 * remote.h - a repository's URL, checked before anything connects to it.
 *
 * Only https, and ssh where a key is set; plain http for what [direct]
 * insecure names. Names that lie at private, loopback or link-local addresses
 * are refused unless [direct] private_hosts names them; the addresses that were
 * looked at are those that git is made to connect to. An http redirect is
 * followed here, hop by hop under the same rules; git follows none.
 */
#ifndef ORIGIN_REMOTE_H
#define ORIGIN_REMOTE_H

#include "origin/fetch.h"
#include "origin/vcs.h"

/* By what a module's repository may be asked. */
struct remote_rules {
	bool is_insecure; /* http, too: by [direct] insecure */
	/*
	 * Whatever the settings have to say who we are: netrc, tokens, the ssh key. For modules
	 * that [private] modules or [direct] modules names alone: others are given to anybody, and
	 * must be what anybody could get.
	 */
	bool has_credentials;
};
struct remote_rules remote_rules_of(const struct config *config, struct str module);

struct remote {
	const char *url; /* as cmd/go knows it: in Origin, and for people */
	struct vcs_remote vcs;
};

/* What fetching a page for ourselves came to. */
struct remote_page {
	int status;	 /* 0: none came, *err says why */
	struct str body; /* in the pool; cut at max_bytes */
	const char *url; /* behind redirects */
	const char *address; /* that it came from */
};

struct remotes;
struct remotes *remotes_new(const struct config *config, struct fetch *fetch);
void remotes_free(struct remotes *remotes);

/*
 * GET a page that a name from outside leads to, and wait for it. header may be NULL;
 * credentials go by https alone.
 * Returns 0 with a status, or -1 with *err set if no answer came.
 */
int remote_get(struct remotes *remotes, struct pool *pool, const char *url,
	       const struct remote_rules *rules, const char *header, size_t max_bytes,
	       int64_t deadline_ms, struct remote_page *page, struct err *err);

/* May a module proxy be asked that a page names? 0, or -1 with *err set: ERR_FORBIDDEN. */
int remote_check_proxy(const struct config *config, struct pool *pool, const char *url,
		       const struct remote_rules *rules, struct err *err);

/*
 * Find out whether there is a git repository at url, and how to reach it.
 *
 * url     of a repository, in any scheme; not rewritten yet
 * remote  out, in the pool
 * err     ERR_NOT_FOUND: its server says that there is none;
 *         ERR_FORBIDDEN: it may not be asked; ERR_BAD_UPSTREAM, ERR_TIMEOUT
 *
 * Returns 0, or -1 with *err set.
 */
int remote_open(struct remotes *remotes, struct pool *pool, const char *url,
		const struct remote_rules *rules, int64_t deadline_ms, struct remote *remote, struct err *err);

#endif
