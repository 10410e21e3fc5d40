/*
 * info.h - the JSON of ".info" and "@latest".
 *
 * The bytes are passed on and stored unchanged (fields that we don't know,
 * the zone of Time); this only says whether they are an answer. Rules:
 * go.dev/ref/mod#goproxy-protocol.
 */
#ifndef GOMOD_INFO_H
#define GOMOD_INFO_H

#include <time.h>

#include "base/err.h"
#include "base/str.h"

/* Longest body that is looked at, in bytes. Our limit. */
#define INFO_BODY_MAX (1U << 20)

/*
 * Check an upstream's answer: an object whose Version is a canonical version
 * and whose Time, if present, is a time of RFC 3339 (or null).
 *
 * pool     owns the bytes of *version
 * json     the body
 * asked    the canonical version that was asked for, which Version must be;
 *          empty for "@latest" and queries
 * version  out, may be NULL: Version; left as it was on error
 * err      ERR_BAD_UPSTREAM: what is wrong
 *
 * Returns 0, or -1 with *err set.
 */
int info_check(struct pool *pool, struct str json, struct str asked,
	       struct str *version, struct err *err);

/* What an .info of ours says. Empty parts of the origin are left out. */
struct info {
	struct str version;
	time_t time;
	struct {
		struct str vcs, url, subdir, hash, tag_prefix, tag_sum, ref;
	} origin;
};

/* The JSON as cmd/go writes it (modfetch.RevInfo, codehost.Origin), without newline. */
struct str info_make(struct pool *pool, const struct info *info);

/* Origin.Hash of an .info that was checked before; empty if it has none. */
struct str info_origin_hash(struct pool *pool, struct str json);

#endif
