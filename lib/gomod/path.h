/*
 * path.h - what an element of a module, import or file path may be.
 *
 * The rules that module paths, versions and names in a zip have in common.
 * Pure functions: no I/O, no state. They follow checkPath, checkElem and
 * fileNameOK of module.go and strToFold of zip.go in golang.org/x/mod.
 * Letters and case folding are those of utf8proc (Unicode 15, as in Go);
 * tests/vectors/unicode.txt holds the two against each other.
 */
#ifndef GOMOD_PATH_H
#define GOMOD_PATH_H

#include "base/err.h"
#include "base/str.h"

enum path_kind {
	PATH_MODULE, /* ASCII letters, digits and - . _ ~ */
	PATH_IMPORT, /* the same and + */
	PATH_FILE,   /* any letter, more punctuation, the blank */
};

/*
 * Check one element, or a path of elements with slashes between them.
 *
 * err  ERR_BAD_REQUEST with the reason alone ("trailing dot in 'a.'"), for
 *      the caller to put its context before
 *
 * Returns 0, or -1 with *err set.
 */
int path_element_check(struct str element, enum path_kind kind,
		       struct err *err);
int path_check(struct str path, enum path_kind kind, struct err *err);

/*
 * The first character of s. Returns its length in bytes; 0, and *c is
 * senseless, if s is empty or doesn't begin with a character in UTF-8.
 */
size_t path_first_char(struct str s, int32_t *c);

/* unicode.IsPrint: a letter, mark, number, punctuation, symbol or the blank. */
bool path_is_printable(int32_t c);

/*
 * Append the case-folded form of a file path that path_check() accepted:
 * two paths fold to the same bytes exactly if Go's strings.EqualFold holds.
 */
void path_fold(struct str path, struct buf *folded);

/*
 * The escaping with '!' that paths and versions share, for ASCII without '!'.
 * path_unescape(): err ERR_BAD_REQUEST with offset and reason alone.
 */
size_t path_escaped_length(struct str plain); /* in bytes */
struct str path_escape(struct pool *pool, struct str plain);
int path_unescape(struct pool *pool, struct str escaped, struct str *plain,
		  struct err *err);

/*
 * A name from outside as it may stand in an error: cut after 200 bytes, with
 * '?' for what isn't printable. Use it as path_quote(name).text.
 */
struct path_quoted {
	char text[208];
};
struct path_quoted path_quote(struct str name);

#endif
