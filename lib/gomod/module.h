/*
 * module.h - module paths: which are valid, and how they are written in URLs.
 *
 * Pure functions: no I/O, no state. Rules and names follow module.go of
 * golang.org/x/mod; module.txt, patterns.txt and xmod.txt in
 * tests/vectors were made by that package.
 */
#ifndef GOMOD_MODULE_H
#define GOMOD_MODULE_H

#include "base/err.h"
#include "base/str.h"

/* Longest escaped path accepted, in bytes. Our limit: Go sets none. */
#define MODULE_ESCAPED_MAX 2048

/*
 * Longest escaped element: it becomes a directory's name, and no usual file
 * system takes a longer one.
 */
#define MODULE_ELEMENT_MAX 255

/*
 * module.CheckPath: whether this can be the path of a module that is
 * fetched. err: ERR_BAD_REQUEST, naming path and reason. Returns 0 or -1.
 */
int module_path_check(struct str path, struct err *err);

/* module.CheckImportPath and module.CheckFilePath, in the same way. */
int module_import_path_check(struct str path, struct err *err);
int module_file_path_check(struct str path, struct err *err);

/*
 * Write a module path as in URLs and in the store: "A" becomes "!a".
 *
 * pool     owns the bytes of *escaped
 * path     is checked as by module_path_check()
 * escaped  out; left as it was on error
 * err      ERR_BAD_REQUEST
 *
 * Returns 0, or -1 with *err set.
 */
int module_escape_path(struct pool *pool, struct str path,
		       struct str *escaped, struct err *err);

/*
 * Undo the escaping of a module path: "!a" stands for "A".
 *
 * pool     owns the bytes of *path
 * escaped  as in the URL, after percent-decoding; need not end in NUL
 * path     out: the plain path, checked; left as it was on error
 * err      ERR_BAD_REQUEST: the offset in bytes of the first bad one, or
 *          what module_path_check() says, or a length over the limits
 *
 * Returns 0, or -1 with *err set.
 */
int module_unescape_path(struct pool *pool, struct str escaped,
			 struct str *path, struct err *err);

/*
 * module.SplitPathVersion: path is *prefix + *path_major, the latter "",
 * "/v2" or, for gopkg.in, ".v1" or ".v1-unstable". False if the path ends in
 * what no module path may end in ("/v1", "/v2.0", gopkg.in without a
 * version); both outputs are untouched then.
 */
bool module_has_valid_major(struct str path, struct str *prefix,
			    struct str *path_major);

/*
 * module.Check: both valid, and of the same major version. Such a pair as
 * example.com/m/v2 with v1.0.0 can't exist anywhere, and need not be asked for.
 * A path without a major goes with v0, v1 and "+incompatible".
 *
 * err  ERR_BAD_REQUEST: a sentence that says which major is needed
 *
 * Returns 0, or -1 with *err set.
 */
int module_check(struct str path, struct str version, struct err *err);

/*
 * module.MatchPathMajor: whether the version may be one of a module whose
 * path ends in path_major, as module_has_valid_major() gives it.
 */
bool module_matches_major(struct str version, struct str path_major);

/*
 * module.PathMajorPrefix: what that module's versions and tags begin with,
 * "v2" for "/v2", as a piece of path_major. Empty for an empty one, which
 * stands for v0 and v1, and for what isn't a path_major.
 */
struct str module_major_prefix(struct str path_major);

/*
 * module.MatchPrefixPatterns: whether the first elements of path, as many as
 * the pattern has, match one of the patterns: "example.com,*.corp/team".
 *
 * patterns  as in GOPRIVATE: globs of path.Match with commas between them.
 *           '*' and '?' stand for anything but a slash; "[a-z]", "[^a-z]";
 *           '\' takes the next one's meaning away. One slash at the end of
 *           each doesn't count; empty and malformed ones match nothing.
 * path      any bytes; a module path need not be valid
 */
bool module_matches_patterns(struct str patterns, struct str path);

/*
 * Whether glob, one of such a list, is well-formed; for checking settings. An
 * empty one is, though it matches nothing.
 */
bool module_is_pattern(struct str glob);

#endif
