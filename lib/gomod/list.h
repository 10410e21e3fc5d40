/*
 * list.h - the answer to "@v/list".
 *
 * Pure functions: no I/O, no state. Rules: go.dev/ref/mod#goproxy-protocol,
 * and what cmd/go reads (modfetch/proxy.go: the first field of each line).
 */
#ifndef GOMOD_LIST_H
#define GOMOD_LIST_H

#include "base/err.h"
#include "base/str.h"

/* Longest body that is looked at, in bytes. Our limit. */
#define LIST_BODY_MAX (4U << 20)

/*
 * Make of an upstream's list the one that we give out: canonical versions
 * only, in semver order, each once, one newline after each. Pseudo-versions
 * and lines that are no version are dropped; more fields on a line too.
 *
 * pool  owns the bytes of *out
 * body  whatever the upstream sent with its 200
 * out   empty if there are no versions; left as it was on error
 * err   ERR_BAD_UPSTREAM if the body isn't a list at all: HTML, JSON,
 *       control characters, text without any version
 *
 * Returns 0, or -1 with *err set.
 */
int list_normalize(struct pool *pool, struct str body, struct str *out,
		   struct err *err);

#endif
