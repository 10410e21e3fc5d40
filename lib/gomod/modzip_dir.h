/*
 * modzip_dir.h - for modzip alone: the central directory of a zip, and the
 * rules for the names and sizes in it.
 *
 * Finds and reads the directory just as Go's archive/zip does (reader.go), odd
 * corners included: junk before the zip, the number of entries modulo 65536,
 * a directory that ends where the next header is none. The format:
 * APPNOTE.TXT 6.3.9 by PKWARE, sections 4.3 and 4.5.
 */
#ifndef GOMOD_MODZIP_DIR_H
#define GOMOD_MODZIP_DIR_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"
#include "gomod/modzip.h"

#define MODZIP_SHA_SIZE 32

#define MODZIP_SIG_LOCAL 0x04034b50U
#define MODZIP_SIG_DIRECTORY 0x02014b50U
#define MODZIP_SIG_END 0x06054b50U
#define MODZIP_SIG_DESCRIPTOR 0x08074b50U

#define MODZIP_LOCAL_SIZE 30U
#define MODZIP_HAS_DESCRIPTOR 0x8U

enum { MODZIP_STORED = 0, MODZIP_DEFLATED = 8 };

struct modzip_entry {
	size_t name_at; /* in modzip_dir.names */
	uint32_t name_bytes;
	uint32_t crc;
	uint16_t flags;
	uint16_t method;
	uint64_t packed_bytes;
	uint64_t unpacked_bytes;
	int64_t header_at; /* offset of the local header in the file */
	unsigned char sha[MODZIP_SHA_SIZE];
};

struct modzip_dir {
	struct modzip_entry *entries; /* in the directory's order */
	size_t n;
	size_t room;
	struct buf names;
};

void modzip_dir_init(struct modzip_dir *dir);
void modzip_dir_clear(struct modzip_dir *dir);

/* Append an entry; false if a limit of modzip.h is reached. */
bool modzip_dir_add(struct modzip_dir *dir, struct modzip_entry entry,
		    struct str name);

/* The name: valid until the next modzip_dir_add(). */
struct str modzip_dir_name(const struct modzip_dir *dir,
			   const struct modzip_entry *entry);

/* Whether the name ends in a slash: the entry has no bytes then. */
bool modzip_dir_is_folder(const struct modzip_dir *dir,
			   const struct modzip_entry *entry);

/* Read the directory of a file. 0, or -1 with ERR_BAD_UPSTREAM or ERR_IO. */
int modzip_dir_read(struct modzip_dir *dir, int fd, off_t size,
		    struct err *err);

/*
 * The rules of checkZip in golang.org/x/mod/zip, for module@version.
 * 0, or -1 with ERR_BAD_UPSTREAM.
 */
int modzip_dir_check(const struct modzip_dir *dir, struct str module,
		     struct str version, struct err *err);

/*
 * The entries sorted by name as for dirhash, those of one name in the
 * directory's order. free(3) it.
 */
struct modzip_entry **modzip_dir_sorted(const struct modzip_dir *dir);

/* dirhash.Hash1 over the entries' sha, and the figures. */
void modzip_dir_result(const struct modzip_dir *dir,
		       struct modzip_result *result);

/*
 * What checkZip asks before it opens the file: a canonical version that goes
 * with the module, and at most MODZIP_FILE_MAX bytes. 0, or -1 with *err set.
 */
int modzip_check_pair(off_t size, struct str module, struct str version,
		      struct err *err);

/* The little-endian numbers of the format. */
static inline uint16_t modzip_u16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t modzip_u32(const unsigned char *p)
{
	return modzip_u16(p) | (uint32_t)modzip_u16(p + 2) << 16;
}

static inline uint64_t modzip_u64(const unsigned char *p)
{
	return modzip_u32(p) | (uint64_t)modzip_u32(p + 4) << 32;
}

#endif
