#include "gomod/modzip_gomod.h"

#include <zlib.h>

#include "base/file.h"
#include "gomod/modzip_dir.h"

static const struct modzip_entry *find_entry(const struct modzip_dir *dir, struct str name)
{
	for (size_t i = 0; i < dir->n; i++)
		if (str_is_equal(modzip_dir_name(dir, &dir->entries[i]), name))
			return &dir->entries[i];
	return NULL;
}

static int inflate_all(struct str packed, char *bytes, size_t n, struct err *err)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)packed.p, .avail_in = (uInt)packed.n };
	int rc;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return err_set(err, ERR_IO, "cannot unpack go.mod");
	z.next_out = (Bytef *)bytes;
	z.avail_out = (uInt)n;
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* Where nothing is left to write, Z_BUF_ERROR is what zlib says of an end it hasn't looked at. */
	if ((rc != Z_STREAM_END && rc != Z_BUF_ERROR) || z.avail_out > 0)
		return err_set(err, ERR_BAD_UPSTREAM, "bad zip: go.mod is damaged");
	return 0;
}

static int read_entry(struct pool *pool, int fd, const struct modzip_entry *entry, struct str *gomod,
		      struct err *err)
{
	unsigned char head[MODZIP_LOCAL_SIZE];
	char *packed = pool_alloc(pool, (size_t)entry->packed_bytes + 1);
	char *bytes = pool_alloc(pool, (size_t)entry->unpacked_bytes + 1);
	int64_t at = entry->header_at + (int64_t)sizeof(head);

	if (file_read_at(fd, head, sizeof(head), entry->header_at, err) != (ssize_t)sizeof(head))
		return err_set(err, ERR_BAD_UPSTREAM, "bad zip: go.mod is cut off");
	at += modzip_u16(head + 26) + modzip_u16(head + 28);
	if (file_read_at(fd, packed, (size_t)entry->packed_bytes, at, err) != (ssize_t)entry->packed_bytes)
		return err_set(err, ERR_BAD_UPSTREAM, "bad zip: go.mod is cut off");
	*gomod = (struct str){ packed, (size_t)entry->packed_bytes };
	if (entry->method == MODZIP_STORED)
		return 0;
	if (inflate_all(*gomod, bytes, (size_t)entry->unpacked_bytes, err) != 0)
		return -1;
	*gomod = (struct str){ bytes, (size_t)entry->unpacked_bytes };
	return 0;
}

int modzip_read_gomod(struct pool *pool, int fd, off_t size, struct str module, struct str version,
		      size_t max_bytes, struct str *gomod, struct err *err)
{
	struct str name = pool_printf(pool, "%.*s@%.*s/go.mod", STR_ARG(module), STR_ARG(version));
	const struct modzip_entry *entry;
	struct modzip_dir dir;
	int rc;

	*gomod = (struct str){ 0 };
	modzip_dir_init(&dir);
	rc = modzip_dir_read(&dir, fd, size, err);
	entry = rc == 0 ? find_entry(&dir, name) : NULL;
	/* What is packed is longer than what it holds only if somebody plays with it. */
	if (entry && (entry->unpacked_bytes > max_bytes || entry->packed_bytes > 2 * max_bytes))
		rc = err_set(err, ERR_BAD_UPSTREAM, "its go.mod has more than %zu bytes", max_bytes);
	else if (entry)
		rc = read_entry(pool, fd, entry, gomod, err);
	modzip_dir_clear(&dir);
	return rc;
}
