/*
 * goimport.h - the go-import tags of a page: which repository holds a path.
 *
 * Pure functions: no I/O, no state. Rules: go.dev/ref/mod#vcs-find and cmd/go's
 * vcs/discovery.go. The HTML is read as browsers do, by gumbo: only what is in the
 * page's head counts, so that nobody who may write into its body decides.
 */
#ifndef GOMOD_GOIMPORT_H
#define GOMOD_GOIMPORT_H

#include "base/err.h"
#include "base/str.h"

/* Longest page that is looked at, in bytes, and most tags. Our limits. */
#define GOIMPORT_PAGE_MAX 262144
#define GOIMPORT_TAGS_MAX 256

struct goimport {
	struct str prefix, vcs, repo, subdir; /* subdir may be empty */
};

/* The tags of a page; those for "mod" first, and where there are, no others of that prefix. */
size_t goimport_parse(struct pool *pool, struct str html, struct goimport tags[GOIMPORT_TAGS_MAX]);

/*
 * The one tag whose prefix path begins with. Returns 0, or -1 with *err set: ERR_NOT_FOUND
 * if there is none, or more than one.
 */
int goimport_match(const struct goimport *tags, size_t n, struct str path, const struct goimport **match,
		   struct err *err);

/* Do the elements of path begin with those of prefix? */
bool goimport_has_prefix(struct str path, struct str prefix);

#endif
