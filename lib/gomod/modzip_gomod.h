/*
 * modzip_gomod.h - the go.mod in a module's zip.
 */
#ifndef GOMOD_MODZIP_GOMOD_H
#define GOMOD_MODZIP_GOMOD_H

#include "gomod/modzip.h"

/*
 * Read MODULE@VERSION/go.mod out of a zip that modzip_check_file() has found good.
 *
 * max_bytes  a longer one is ERR_BAD_UPSTREAM
 * pool       owns the bytes of *gomod
 * gomod      out: p is NULL if there is none
 *
 * Returns 0, or -1 with *err set.
 */
int modzip_read_gomod(struct pool *pool, int fd, off_t size, struct str module, struct str version,
		      size_t max_bytes, struct str *gomod, struct err *err);

#endif
