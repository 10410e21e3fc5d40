/*
 * discovery.h - where a module's repository is: go.dev/ref/mod#vcs-find, by
 * the rules of cmd/go's vcs/vcs.go. Known hosts and an explicit ".git" need no
 * page; all others are asked for HOST/PATH?go-get=1.
 */
#ifndef ORIGIN_DISCOVERY_H
#define ORIGIN_DISCOVERY_H

#include "origin/repo.h"

struct discovery {
	struct str root;   /* the import path of the repository */
	struct str system; /* "git", or "mod": then url is a module proxy's */
	const char *url;
	struct str subdir; /* of the module root within it, as the page says; may be empty */
	struct remote_rules rules;
};

/*
 * Find it, or recall it if it was found within age_s. Nobody is asked about a path for
 * which [direct] vcs leaves no system, or not the one that the path names.
 *
 * err  ERR_NOT_FOUND: there is none, who is responsible says so, or it is kept in
 *      a system that isn't spoken here; ERR_FORBIDDEN: not allowed; ERR_BAD_UPSTREAM,
 *      ERR_TIMEOUT: it can't be told
 *
 * Returns 0, or -1 with *err set.
 */
int discovery_find(struct repos *repos, const struct config *config, struct store *store, struct pool *pool,
		   struct str module, int age_s, int64_t deadline_ms, struct discovery *found,
		   struct err *err);

#endif
