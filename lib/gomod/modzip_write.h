/*
 * modzip_write.h - a module zip being written, as a stream.
 *
 * The bytes come out while files go in, by libarchive's zip writer: deflated,
 * each length in a descriptor behind its file, as Go's archive/zip writes
 * them. Names are "MODULE@VERSION/PATH" in UTF-8, and said to be; times are
 * 1980-01-01, so that the same files in the same order make the same bytes.
 * (Go makes others; h1 doesn't depend on them.) tests/vectors/written.txt is
 * what archive/zip and golang.org/x/mod/zip say of such zips.
 *
 * Memory: about 500 KiB, and 80 bytes and the name for each file, as the
 * directory comes last.
 */
#ifndef GOMOD_MODZIP_WRITE_H
#define GOMOD_MODZIP_WRITE_H

#include "base/err.h"
#include "base/str.h"

/*
 * module, version  are copied; not checked
 * on_bytes         gets the zip in pieces, of 64 KiB but for the last. Returns
 *                  0, or -1 with *err set, which ends the writing
 * arg              for on_bytes
 * err              ERR_CONFIG if libarchive isn't there: then NULL is returned
 */
struct modzip_writer;
struct modzip_writer *modzip_writer_new(struct str module, struct str version,
					int (*on_bytes)(void *arg, struct str bytes,
							struct err *err),
					void *arg, struct err *err);

/*
 * The next file begins, and the one before must be complete.
 *
 * path        what modzip_files_check() keeps; checked as there, but for
 *             collisions
 * size_bytes  that modzip_writer_data() will add up to
 * err         ERR_BAD_UPSTREAM: the name can't be, or the file before is
 *             shorter than was said; ERR_IO: libarchive fails; or what on_bytes
 *             says
 *
 * Returns 0, or -1 with *err set: then only modzip_writer_free() is left. So
 * with the following two.
 */
int modzip_writer_add(struct modzip_writer *writer, struct str path,
		      uint64_t size_bytes, struct err *err);

/* Bytes of that file. err also: ERR_BAD_UPSTREAM, more than was said. */
int modzip_writer_data(struct modzip_writer *writer, struct str bytes,
		       struct err *err);

/* All files are there: on_bytes gets the rest. Once. */
int modzip_writer_finish(struct modzip_writer *writer, struct err *err);

/* NULL is nothing. Calls on_bytes no more, finished or not. */
void modzip_writer_free(struct modzip_writer *writer);

#endif
