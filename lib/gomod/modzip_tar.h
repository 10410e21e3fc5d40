/*
 * modzip_tar.h - the files in a tar stream, as `git archive` writes it.
 *
 * Read by libarchive, entry by entry, in constant memory; nothing is
 * unpacked to disk. The stream is pulled. tests/vectors/tar.txt says what Go's
 * archive/tar finds in streams that git made.
 *
 * Names are the raw bytes that git has, whatever they are in: at most 255
 * bytes stand in a header as they are; longer ones stand in an extended header
 * ("pax"), which by its standard is UTF-8 but which git fills with raw bytes.
 * libarchive wants to convert those to the locale's encoding; as this program
 * has none but "C", it fails to for all that isn't ASCII, warns, and leaves
 * the bytes as they are (3.6 and later, seen by the test). A warning is no
 * error here: also a damaged extended header is only warned of. So a caller
 * who knows from elsewhere which names to expect should hold them against
 * these. A stream that ends between two entries without its two zero blocks looks
 * whole, and what pads it behind them may be left unread: a child that writes it
 * should be read to its end before its exit status is judged.
 */
#ifndef GOMOD_MODZIP_TAR_H
#define GOMOD_MODZIP_TAR_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "gomod/modzip_files.h"

struct modzip_tar_entry {
	enum modzip_file_kind kind; /* irregular for a directory, a hard link */
	bool is_folder;
	uint64_t size_bytes;
	struct str path; /* a directory's ends in '/'; empty: not known. Lives
			    until the next entry */
};

/*
 * read  gives the next bytes of the stream, which stay where they are until
 *       it is called again. Returns their number, 0 at the end, or -1 with
 *       *err set
 * arg   for read
 * err   ERR_CONFIG if libarchive isn't there: then NULL is returned
 */
struct modzip_tar;
struct modzip_tar *modzip_tar_new(ssize_t (*read)(void *arg, const void **bytes,
						  struct err *err),
				  void *arg, struct err *err);

/*
 * The next entry. What is left of the one before is passed over.
 *
 * err  ERR_BAD_UPSTREAM: not a tar, or damaged; or what read says
 *
 * Returns 1, 0 at the end, or -1 with *err set: then only modzip_tar_free()
 * is left.
 */
int modzip_tar_next(struct modzip_tar *tar, struct modzip_tar_entry *entry,
		    struct err *err);

/*
 * The next bytes of the entry, in the stream's pieces; they stay until the next
 * call. Returns their number, 0 once size_bytes are through, or -1 as above.
 */
ssize_t modzip_tar_data(struct modzip_tar *tar, const void **bytes, struct err *err);

void modzip_tar_free(struct modzip_tar *tar); /* NULL is nothing */

#endif
