#include "gomod/modzip_write.h"

#include <errno.h>
#include <stdlib.h>

#include "gomod/modzip_archive.h"
#include "gomod/modzip_rules.h"
#include "gomod/path.h"

#define BLOCK_BYTES 65536

struct modzip_writer {
	struct archive *archive;
	char *prefix; /* "MODULE@VERSION/" */
	char *path;   /* of the file being written; NULL before the first */
	uint64_t left; /* of its bytes */
	int (*on_bytes)(void *arg, struct str bytes, struct err *err);
	void *arg;
	struct err *err; /* of the call that is on; NULL: nobody listens */
	bool is_refused; /* by on_bytes, which has set *err */
};

static la_ssize_t take_bytes(struct archive *archive, void *data, const void *bytes,
			     size_t n)
{
	struct modzip_writer *writer = data;

	if (!writer->err)
		return (la_ssize_t)n;
	if (writer->on_bytes(writer->arg, (struct str){ bytes, n }, writer->err) == 0)
		return (la_ssize_t)n;
	writer->is_refused = true;
	modzip_archive()->archive_set_error(archive, EIO, "refused");
	return -1;
}

static int failed(struct modzip_writer *writer, struct err *err)
{
	const char *reason = modzip_archive()->archive_error_string(writer->archive);

	if (writer->is_refused)
		return -1;
	return err_set(err, ERR_IO, "cannot write a zip: %s", reason ? reason : "unknown reason");
}

/* What goes wrong here is said by the first call of modzip_writer_add(). */
struct modzip_writer *modzip_writer_new(struct str module, struct str version,
					int (*on_bytes)(void *arg, struct str bytes,
							struct err *err),
					void *arg, struct err *err)
{
	struct modzip_writer *writer;
	struct buf prefix;

	if (!modzip_archive_load(err))
		return NULL;
	writer = mem_alloc(sizeof(*writer));
	buf_init(&prefix, module.n + version.n + 2);
	buf_add(&prefix, module);
	buf_add_char(&prefix, '@');
	buf_add(&prefix, version);
	buf_add_char(&prefix, '/');
	writer->prefix = mem_strdup(buf_str(&prefix));
	buf_clear(&prefix);
	writer->on_bytes = on_bytes;
	writer->arg = arg;
	writer->archive = modzip_archive()->archive_write_new();
	if (!writer->archive)
		abort();
	modzip_archive()->archive_write_set_format_zip(writer->archive);
	modzip_archive()->archive_write_set_options(writer->archive,
						    "zip:compression=deflate,zip:hdrcharset=UTF-8");
	modzip_archive()->archive_write_set_bytes_per_block(writer->archive, BLOCK_BYTES);
	modzip_archive()->archive_write_set_bytes_in_last_block(writer->archive, 1);
	modzip_archive()->archive_write_open(writer->archive, writer, NULL, take_bytes, NULL);
	return writer;
}

static int refuse(const struct modzip_writer *writer, const char *reason, struct err *err)
{
	modzip_refuse(str_of(writer->path), reason, err);
	return err_wrap(err, "bad module");
}

static int write_header(struct modzip_writer *writer, uint64_t size_bytes, struct err *err)
{
	struct str prefix = str_of(writer->prefix), path = str_of(writer->path);
	struct archive_entry *entry = modzip_archive()->archive_entry_new();
	struct buf name;
	int rc;

	if (!entry)
		abort();
	buf_init(&name, prefix.n + path.n);
	buf_add(&name, prefix);
	buf_add(&name, path);
	/* As UTF-8, since there is no other way to have them marked as that. */
	modzip_archive()->archive_entry_set_pathname_utf8(entry, name.p);
	buf_clear(&name);
	modzip_archive()->archive_entry_set_filetype(entry, AE_IFREG);
	modzip_archive()->archive_entry_set_perm(entry, 0644);
	modzip_archive()->archive_entry_set_size(entry, (la_int64_t)size_bytes);
	writer->err = err;
	rc = modzip_archive()->archive_write_header(writer->archive, entry);
	writer->err = NULL;
	modzip_archive()->archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : failed(writer, err);
}

int modzip_writer_add(struct modzip_writer *writer, struct str path,
		      uint64_t size_bytes, struct err *err)
{
	uint64_t sum = 0;

	if (writer->left > 0)
		return refuse(writer, "shorter than declared", err);
	if (path_check(path, PATH_FILE, err) != 0) {
		err->kind = ERR_BAD_UPSTREAM;
		return err_wrap(err, "bad module: '%s'", path_quote(path).text);
	}
	if (modzip_size_check(path, size_bytes, &sum, err) != 0)
		return err_wrap(err, "bad module");
	free(writer->path);
	writer->path = mem_strdup(path);
	writer->left = size_bytes;
	return write_header(writer, size_bytes, err);
}

int modzip_writer_data(struct modzip_writer *writer, struct str bytes,
		       struct err *err)
{
	if (bytes.n > writer->left)
		return refuse(writer, "longer than declared", err);
	writer->left -= bytes.n;
	writer->err = err;
	while (bytes.n > 0) {
		la_ssize_t n = modzip_archive()->archive_write_data(writer->archive, bytes.p, bytes.n);

		if (n <= 0)
			break;
		bytes = str_skip(bytes, (size_t)n);
	}
	writer->err = NULL;
	return bytes.n == 0 ? 0 : failed(writer, err);
}

int modzip_writer_finish(struct modzip_writer *writer, struct err *err)
{
	int rc;

	if (writer->left > 0)
		return refuse(writer, "shorter than declared", err);
	writer->err = err;
	rc = modzip_archive()->archive_write_close(writer->archive);
	writer->err = NULL;
	return rc == ARCHIVE_OK ? 0 : failed(writer, err);
}

void modzip_writer_free(struct modzip_writer *writer)
{
	if (!writer)
		return;
	modzip_archive()->archive_write_free(writer->archive);
	free(writer->prefix);
	free(writer->path);
	free(writer);
}
