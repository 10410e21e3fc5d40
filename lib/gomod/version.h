/*
 * version.h - semantic versions, as the go command spells them: "v1.2.3".
 *
 * Pure functions: no I/O, no state. Rules and names follow semver.go,
 * pseudo.go and module.go of golang.org/x/mod; version.txt and xmod.txt in
 * tests/vectors were made by those packages.
 */
#ifndef GOMOD_VERSION_H
#define GOMOD_VERSION_H

#include <time.h>

#include "base/err.h"
#include "base/str.h"

/*
 * Longest escaped version accepted, in bytes. Our limit, Go sets none: with
 * ".ziphash" and a temporary's suffix behind it, it must fit in a file name.
 */
#define VERSION_ESCAPED_MAX 240

/* semver.IsValid: "v1", "v1.2" and "v1.2.3+meta" are valid, "1.2.3" isn't. */
bool version_is_valid(struct str version);

/*
 * module.CanonicalVersion(version) == version: vX.Y.Z, with or without a
 * pre-release, and no build suffix but "+incompatible". Only such versions
 * have .mod, .zip and an .info that never changes.
 */
bool version_is_canonical(struct str version);

/* module.IsPseudoVersion: made from a commit's time and hash. */
bool version_is_pseudo(struct str version);

/*
 * Whether this may stand in "@v/VERSION.info" to be resolved: a branch, a
 * commit, "v1", "latest", "v1.2.3+meta": whatever version_escape() accepts and
 * isn't canonical.
 */
bool version_is_query(struct str version);

/*
 * Parts of a version, as pieces of it: "v1" / "-rc.1" / "+incompatible" for
 * "v1.2.3-rc.1+incompatible". Empty where there is none or the version is
 * not valid.
 */
struct str version_major(struct str version);
struct str version_prerelease(struct str version);
struct str version_build(struct str version);

/*
 * semver.Canonical: "v1.2" becomes "v1.2.0", and a build suffix is dropped,
 * "+incompatible" as well. A piece of version or owned by the pool; empty if
 * the version is not valid.
 */
struct str version_canonical(struct pool *pool, struct str version);

/*
 * What a pseudo-version was made from: module.PseudoVersionBase, ...Time and
 * ...Rev.
 */
struct version_pseudo {
	struct str base; /* the tag before it, "v1.2.3+incompatible"; or empty */
	time_t time;	 /* of the commit */
	struct str rev;	 /* of the commit, as written: usually 12 hex digits */
};

/*
 * Take a pseudo-version apart.
 *
 * pool     owns the bytes of pseudo->base; rev is a piece of version
 * pseudo   out; left as it was on error
 * err      ERR_BAD_REQUEST: it isn't one, its time can't be, or its base
 *          can't be (one of the three functions refuses it)
 *
 * Returns 0, or -1 with *err set.
 */
int version_pseudo_parse(struct pool *pool, struct str version,
			 struct version_pseudo *pseudo, struct err *err);

/*
 * module.PseudoVersion: the version of a commit.
 *
 * major  "v2"; empty: "v0". Counts only if older is empty or not valid
 * older  the nearest tag before the commit, or empty
 * time   of the commit
 * rev    the first 12 digits of its hash
 *
 * Returns it, owned by the pool; empty if the year has not four digits (Go
 * makes one then which is no pseudo-version).
 */
struct str version_pseudo_make(struct pool *pool, struct str major,
			       struct str older, time_t time, struct str rev);

/*
 * semver.Compare: -1, 0 or +1. An invalid version is less than a valid one,
 * and two invalid ones are equal. Build suffixes don't count.
 */
int version_compare(struct str a, struct str b);

/* semver.Sort: as version_compare(), then bytewise. Parses each once. */
void version_sort(struct str *versions, size_t n);

/*
 * module.EscapeVersion: every capital becomes '!' and its small letter.
 * Any file name of ASCII without '!' is accepted, not only versions.
 *
 * pool     owns the bytes of *escaped
 * escaped  out; left as it was on error
 * err      ERR_BAD_REQUEST: what is wrong with which version
 *
 * Returns 0, or -1 with *err set.
 */
int version_escape(struct pool *pool, struct str version,
		   struct str *escaped, struct err *err);

/*
 * module.UnescapeVersion, the reverse. Capitals, a '!' without a small
 * letter behind it, bytes above ASCII, and names that no file may have are
 * refused, and more than VERSION_ESCAPED_MAX bytes.
 */
int version_unescape(struct pool *pool, struct str escaped,
		     struct str *version, struct err *err);

#endif
