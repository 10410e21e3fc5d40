#include "gomod/modzip_dir.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define HEADER_SIZE 46U
#define END_SIZE 22U
#define END64_SIZE 56U
#define LOCATOR64_SIZE 20U
#define SIG_END64 0x06064b50U
#define SIG_LOCATOR64 0x07064b50U
#define EXTRA_ZIP64 1U
#define PART_MAX 65536U

void modzip_dir_init(struct modzip_dir *dir)
{
	*dir = (struct modzip_dir){ 0 };
	buf_init(&dir->names, MODZIP_NAMES_MAX);
}

void modzip_dir_clear(struct modzip_dir *dir)
{
	free(dir->entries);
	buf_clear(&dir->names);
	modzip_dir_init(dir);
}

bool modzip_dir_add(struct modzip_dir *dir, struct modzip_entry entry,
		    struct str name)
{
	entry.name_at = dir->names.n;
	entry.name_bytes = (uint32_t)name.n;
	buf_add(&dir->names, name);
	if (dir->names.overflow || dir->n == MODZIP_ENTRIES_MAX)
		return false;
	if (dir->n == dir->room) {
		dir->room = dir->room > 0 ? dir->room * 2 : 64;
		dir->entries = mem_realloc(dir->entries,
					   dir->room * sizeof(entry));
	}
	dir->entries[dir->n++] = entry;
	return true;
}

struct str modzip_dir_name(const struct modzip_dir *dir,
			   const struct modzip_entry *entry)
{
	return str_head(str_skip(buf_str(&dir->names), entry->name_at),
			entry->name_bytes);
}

bool modzip_dir_is_folder(const struct modzip_dir *dir,
			   const struct modzip_entry *entry)
{
	return str_has_suffix(modzip_dir_name(dir, entry), STR("/"));
}

static int bad(struct err *err, const char *reason)
{
	return err_set(err, ERR_BAD_UPSTREAM, "bad zip: %s", reason);
}

/* Reads a file from an offset on, block by block. */
struct reader {
	int fd;
	off_t size; /* of the file: offsets in a zip may lie anywhere */
	off_t at;
	size_t begin, end; /* what of block isn't taken yet */
	bool has_failed;
	struct err *err;
	unsigned char block[PART_MAX];
	unsigned char name[PART_MAX];
	unsigned char extra[PART_MAX];
};

static struct reader *reader_new(int fd, off_t size, struct err *err)
{
	struct reader *reader = mem_alloc(sizeof(*reader));

	reader->fd = fd;
	reader->size = size;
	reader->err = err;
	return reader;
}

static void reader_seek(struct reader *reader, int64_t at)
{
	reader->at = at;
	reader->begin = reader->end = 0;
}

/* Take n bytes; bytes NULL skips them. Returns fewer at the file's end. */
static size_t reader_take(struct reader *reader, unsigned char *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t have = reader->end - reader->begin;
		ssize_t got = 0;

		if (have > n - done)
			have = n - done;
		if (bytes)
			memcpy(bytes + done, reader->block + reader->begin,
			       have);
		reader->begin += have;
		done += have;
		if (done == n)
			break;
		if (reader->at < reader->size)
			got = file_read_at(reader->fd, reader->block,
					   sizeof(reader->block), reader->at,
					   reader->err);
		reader->has_failed |= got < 0;
		if (got <= 0)
			break;
		reader->at += got;
		reader->begin = 0;
		reader->end = (size_t)got;
	}
	return done;
}

enum header {
	HEADER_OK,
	HEADER_NONE, /* what follows isn't a header, or is half of one */
	HEADER_LOST, /* the file ends exactly where more is needed */
};

/* The fields whose 32 bits are all ones stand in the zip64 part, in order. */
static bool has_zip64_values(const struct reader *reader, size_t n,
			     struct modzip_entry *entry)
{
	uint64_t header_at = (uint64_t)entry->header_at;
	uint64_t *values[] = { &entry->unpacked_bytes, &entry->packed_bytes,
			       &header_at };
	bool is_needed[ARRAY_LEN(values)];

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		is_needed[i] = *values[i] == UINT32_MAX;
	for (size_t at = 0; n - at >= 4;) {
		const unsigned char *field = reader->extra + at + 4;
		size_t left = modzip_u16(field - 2);

		if (left > n - at - 4)
			break;
		at += 4 + left;
		if (modzip_u16(field - 4) != EXTRA_ZIP64)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			if (!is_needed[i])
				continue;
			if (left < 8)
				return false;
			*values[i] = modzip_u64(field);
			is_needed[i] = false;
			field += 8;
			left -= 8;
		}
	}
	entry->header_at = (int64_t)header_at;
	/* archive/zip lets an unpacked size of 2^32-1 stand for itself. */
	return !is_needed[1] && !is_needed[2];
}

static struct modzip_entry entry_of(const unsigned char *p)
{
	return (struct modzip_entry){
		.flags = modzip_u16(p + 8),
		.method = modzip_u16(p + 10),
		.crc = modzip_u32(p + 16),
		.packed_bytes = modzip_u32(p + 20),
		.unpacked_bytes = modzip_u32(p + 24),
		.name_bytes = modzip_u16(p + 28),
		.header_at = modzip_u32(p + 42),
	};
}

/* APPNOTE 4.3.12. The name is left in reader->name. */
static enum header read_header(struct reader *reader, struct modzip_entry *entry)
{
	unsigned char p[HEADER_SIZE];
	size_t n = reader_take(reader, p, sizeof(p));
	size_t extra, comment, got;

	if (n < sizeof(p))
		return n == 0 ? HEADER_LOST : HEADER_NONE;
	if (modzip_u32(p) != MODZIP_SIG_DIRECTORY)
		return HEADER_NONE;
	*entry = entry_of(p);
	extra = modzip_u16(p + 30);
	comment = modzip_u16(p + 32);
	n = entry->name_bytes + extra + comment;
	got = reader_take(reader, reader->name, entry->name_bytes);
	got += reader_take(reader, reader->extra, extra);
	got += reader_take(reader, NULL, comment);
	if (got < n)
		return got == 0 ? HEADER_LOST : HEADER_NONE;
	return has_zip64_values(reader, extra, entry) ? HEADER_OK : HEADER_NONE;
}

/* The end record: APPNOTE 4.3.16, and for zip64 4.3.14. */
struct end {
	int64_t at;
	uint64_t entries;
	uint64_t directory_bytes;
	uint64_t directory_at;
};

static bool has_signature(const unsigned char *p, size_t n, struct end *end,
			  bool *is_cut)
{
	for (size_t i = n < END_SIZE ? 0 : n - END_SIZE + 1; i-- > 0;) {
		if (modzip_u32(p + i) != MODZIP_SIG_END)
			continue;
		*is_cut = END_SIZE + modzip_u16(p + i + 20) > n - i;
		if (*is_cut)
			return false;
		end->at = (int64_t)i;
		end->entries = modzip_u16(p + i + 10);
		end->directory_bytes = modzip_u32(p + i + 12);
		end->directory_at = modzip_u32(p + i + 16);
		return true;
	}
	return false;
}

/*
 * The last 1 KiB, then the last 65 KiB, as archive/zip looks, so that both find
 * the same one of two.
 */
static int find_end(int fd, off_t size, struct end *end, struct err *err)
{
	static const off_t lengths[] = { 1024, 65L * 1024 };
	unsigned char *p = mem_alloc((size_t)lengths[1]);
	bool is_found = false, is_cut = false;
	ssize_t got = 0;

	for (size_t i = 0; i < ARRAY_LEN(lengths) && !is_found; i++) {
		off_t n = size < lengths[i] ? size : lengths[i];

		got = file_read_at(fd, p, (size_t)n, size - n, err);
		if (got < 0)
			break;
		is_found = has_signature(p, (size_t)got, end, &is_cut);
		end->at += size - n;
	}
	free(p);
	if (got < 0)
		return -1;
	if (!is_found)
		return bad(err, is_cut ? "its comment is cut off"
				       : "no end record: not a zip, or cut off");
	return 0;
}

/* Only if a locator stands right before the end record. */
static int read_end64(int fd, off_t size, struct end *end, struct err *err)
{
	unsigned char locator[LOCATOR64_SIZE], p[END64_SIZE];
	int64_t at = end->at - (int64_t)sizeof(locator);
	ssize_t got;

	if (at < 0)
		return 0;
	got = file_read_at(fd, locator, sizeof(locator), at, err);
	if (got < 0)
		return -1;
	if (modzip_u32(locator) != SIG_LOCATOR64 ||
	    modzip_u32(locator + 4) != 0 || modzip_u32(locator + 16) != 1)
		return 0;
	at = (int64_t)modzip_u64(locator + 8);
	if (at < 0)
		return 0;
	got = at < size ? file_read_at(fd, p, sizeof(p), at, err) : 0;
	if (got < 0)
		return -1;
	if (got < (ssize_t)sizeof(p) || modzip_u32(p) != SIG_END64)
		return bad(err, "no zip64 end record where it should be");
	end->at = at;
	end->entries = modzip_u64(p + 32);
	end->directory_bytes = modzip_u64(p + 40);
	end->directory_at = modzip_u64(p + 48);
	return 0;
}

/*
 * Offsets count from where the zip begins, which may lie behind junk: *base.
 * But if there is a header where the directory lies without it, it is 0.
 */
static int find_base(struct reader *reader, const struct end *end,
		     int64_t *base)
{
	struct modzip_entry entry;
	uint64_t start = (uint64_t)end->at - end->directory_bytes;

	if (end->directory_bytes > INT64_MAX || end->directory_at > INT64_MAX ||
	    (int64_t)start < 0 || (int64_t)start >= reader->size)
		return bad(reader->err, "its directory lies outside");
	*base = (int64_t)(start - end->directory_at);
	if (*base <= 0)
		return 0;
	reader_seek(reader, (int64_t)end->directory_at);
	if (read_header(reader, &entry) == HEADER_OK)
		*base = 0;
	return reader->has_failed ? -1 : 0;
}

static int read_headers(struct reader *reader, struct modzip_dir *dir,
			int64_t base)
{
	struct modzip_entry entry;
	enum header header;

	while ((header = read_header(reader, &entry)) == HEADER_OK) {
		struct str name = { (char *)reader->name, entry.name_bytes };

		entry.header_at = (int64_t)((uint64_t)entry.header_at +
					    (uint64_t)base);
		if (!modzip_dir_add(dir, entry, name))
			return bad(reader->err,
				   "more entries or names than we take");
	}
	if (reader->has_failed)
		return -1;
	if (header == HEADER_LOST)
		return bad(reader->err, "its directory is cut off");
	return 0;
}

static int read_all(struct reader *reader, struct modzip_dir *dir)
{
	struct err *err = reader->err;
	off_t size = reader->size;
	struct end end = { 0 };
	int64_t base = 0;

	if (find_end(reader->fd, size, &end, err) != 0)
		return -1;
	/* 0xffff for the bytes too: archive/zip has it so. */
	if ((end.entries == 0xffff || end.directory_bytes == 0xffff ||
	     end.directory_at == UINT32_MAX) &&
	    read_end64(reader->fd, size, &end, err) != 0)
		return -1;
	if (find_base(reader, &end, &base) != 0)
		return -1;
	reader_seek(reader, (int64_t)((uint64_t)base + end.directory_at));
	if (read_headers(reader, dir, base) != 0)
		return -1;
	if ((uint16_t)dir->n != (uint16_t)end.entries)
		return bad(err, "its directory is damaged");
	return 0;
}

int modzip_dir_read(struct modzip_dir *dir, int fd, off_t size,
		    struct err *err)
{
	struct reader *reader = reader_new(fd, size, err);
	int rc = read_all(reader, dir);

	free(reader);
	return rc;
}
