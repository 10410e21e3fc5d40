/*
 * check.h - is what lies in the store still what it was when it was put there?
 *
 * Reads an object again and hashes it; what the hash has to be is said by
 * .ziphash and by the checksum database, not here.
 */
#ifndef STATE_CHECK_H
#define STATE_CHECK_H

#include "gomod/modzip.h"
#include "state/store.h"

enum check_kind { CHECK_INFO, CHECK_MOD, CHECK_ZIP };

/*
 * Hash an object again. The whole of it, unpacked; or, if is_quick, a zip
 * that is what it was when it was sealed (state/seal.h) only as it lies. One
 * that agrees with its .ziphash and has no seal gets one.
 *
 * key         "download/MODULE/@v/VERSION.zip" and the like, of the kind
 * module,     unescaped
 * version
 * h1          out, but for CHECK_INFO
 * size_bytes  out: what was read
 * err         ERR_BAD_UPSTREAM: it can't be such an object; else a reason why
 *             it can't be read
 *
 * Returns 0, FILE_ABSENT, or -1 with *err set.
 */
int check_object(struct store *store, const char *key, enum check_kind kind, struct str module,
		 struct str version, bool is_quick, char h1[MODZIP_H1_SIZE],
		 int64_t *size_bytes, struct err *err);

#endif
