/*
 * modzip.h - module zips: may the go command see this one, and what is its h1?
 *
 * Verdict and hash are those of golang.org/x/mod/zip (checkZip, Unzip),
 * archive/zip and golang.org/x/mod/sumdb/dirhash; tests/vectors/zip.txt was
 * made by them. Two ways lead to the same result:
 *
 * modzip_check_file() reads a finished file, the central directory first, as
 * Go does.
 *
 * struct modzip_stream is given the bytes as they come in, so that next to
 * nothing is left to do when the last one is there, and a waiting client
 * doesn't wait for a second reading of 50 MB. It trusts nothing that it
 * saw: at the end the central directory is read from the file, and only if it
 * describes exactly the entries that passed is their hash taken; otherwise
 * the file is read again by the first way. So it is never wrong, only
 * sometimes no quicker.
 *
 * Why no library: libzip and libarchive pull their input and want to seek in
 * it, while we are pushed by curl in pieces of any size; and both differ from
 * archive/zip in what they take for a zip (junk in front, counts modulo
 * 65536, descriptors). Two readers that disagree about one file are how a
 * wrong byte gets past a check. (What we write ourselves, libarchive writes:
 * modzip_write.h.) Inflating is zlib's, CRC-32 libdeflate's, hashing
 * OpenSSL's.
 *
 * Memory: about 110 KiB for a stream, 400 KiB while a file is read, and the
 * table: each name, and 80 bytes for each entry, within the limits below. Descriptors are
 * read by pread(2); their position is neither used nor changed.
 */
#ifndef GOMOD_MODZIP_H
#define GOMOD_MODZIP_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* golang.org/x/mod/zip: MaxZipFile (also for the unpacked sum) and MaxGoMod. */
#define MODZIP_FILE_MAX (500ULL << 20)
#define MODZIP_UNPACKED_MAX (500ULL << 20)
#define MODZIP_GOMOD_MAX (16ULL << 20)

/*
 * Most bytes that all names may have, and most entries. Our limits, Go sets
 * none: the largest modules known have 100,000 files. What is
 * more is refused.
 */
#define MODZIP_NAMES_MAX (64U << 20)
#define MODZIP_ENTRIES_MAX 500000U

/* Room for "h1:", base64 of SHA-256 and the NUL. */
#define MODZIP_H1_SIZE 52

struct modzip_result {
	char h1[MODZIP_H1_SIZE]; /* as in go.sum and .ziphash */
	size_t files;		 /* without directories */
	uint64_t unpacked_bytes;
};

/*
 * Check a whole file.
 *
 * fd, size         a file open for reading, and its length in bytes
 * module, version  unescaped; refused as by module_check() if impossible
 * result           out; undefined on error
 * err              ERR_BAD_UPSTREAM with the file's name in the zip and the
 *                  reason; ERR_IO if the file can't be read
 *
 * Returns 0, or -1 with *err set.
 */
int modzip_check_file(int fd, off_t size, struct str module,
		      struct str version, struct modzip_result *result,
		      struct err *err);

/*
 * The same while the bytes arrive. Push never fails: whatever it can't
 * follow (another method, a stored entry of unknown size, a gap, more than
 * MODZIP_UNPACKED_MAX) makes the stream give up and cost nothing more.
 */
struct modzip_stream;
struct modzip_stream *modzip_stream_new(struct str module,
					struct str version); /* copies */
void modzip_stream_push(struct modzip_stream *stream, struct str bytes);
bool modzip_stream_has_given_up(const struct modzip_stream *stream);

/*
 * The end: fd and size are the file that holds exactly the bytes pushed.
 * Arguments and result as modzip_check_file(). Once per stream.
 */
int modzip_stream_finish(struct modzip_stream *stream, int fd, off_t size,
			 struct modzip_result *result, struct err *err);
void modzip_stream_free(struct modzip_stream *stream); /* NULL is nothing */

/* The hash of go.sum's "/go.mod" lines: dirhash of the one file go.mod. */
void modzip_h1_of_mod(struct str gomod, char h1[MODZIP_H1_SIZE]);

#endif
