/*
 * goimport.h - the go-import tags of a page: which repository holds a path.
 *
 * Pure functions: no I/O, no state. Rules: go.dev/ref/mod#vcs-find and cmd/go's
 * vcs/discovery.go: what stands before the first <body> or </head> counts, so that nobody
 * who may write into a page's body decides.
 *
 * The HTML is read as browsers do, by gumbo; cmd/go reads it as lenient XML. So of what
 * it takes this doesn't take tags that are text for HTML, or nothing at all: within
 * title, style, script, textarea, select, iframe, noframes, frameset, xmp and plaintext.
 * And this takes what it gives up at: '<' and '&' in a script, two dashes in a comment,
 * an encoding other than UTF-8, what comes behind <head/>; entities that XML hasn't got.
 */
#ifndef GOMOD_GOIMPORT_H
#define GOMOD_GOIMPORT_H

#include "base/err.h"
#include "base/str.h"

/*
 * Longest page that is taken, in bytes, how much of it is looked at, most tags of ours, and most
 * '<': the parser's time grows with the square of how deep elements nest, and of how many
 * attributes one has; so it takes less than a second. Our limits.
 */
#define GOIMPORT_PAGE_MAX  262144
#define GOIMPORT_HEAD_MAX  65536
#define GOIMPORT_TAGS_MAX  256
#define GOIMPORT_MARKS_MAX 1024

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
