#include "gomod/modzip_tar.h"

#include <errno.h>
#include <stdlib.h>

#include "gomod/modzip_archive.h"

struct modzip_tar {
	struct archive *archive;
	ssize_t (*read)(void *arg, const void **bytes, struct err *err);
	void *arg;
	bool is_open;
	la_int64_t at;	 /* in the entry */
	struct err *err; /* of the call that is on */
	bool is_refused; /* by read, which has set *err */
};

static la_ssize_t give_bytes(struct archive *archive, void *data, const void **bytes)
{
	struct modzip_tar *tar = data;
	ssize_t n = tar->read(tar->arg, bytes, tar->err);

	if (n >= 0)
		return n;
	tar->is_refused = true;
	modzip_archive()->archive_set_error(archive, EIO, "refused");
	return ARCHIVE_FATAL;
}

struct modzip_tar *modzip_tar_new(ssize_t (*read)(void *arg, const void **bytes,
						  struct err *err),
				  void *arg, struct err *err)
{
	struct modzip_tar *tar;

	if (!modzip_archive_load(err))
		return NULL;
	tar = mem_alloc(sizeof(*tar));
	tar->read = read;
	tar->arg = arg;
	tar->archive = modzip_archive()->archive_read_new();
	if (!tar->archive)
		abort();
	modzip_archive()->archive_read_support_format_tar(tar->archive);
	return tar;
}

static int failed(struct modzip_tar *tar, struct err *err)
{
	const char *reason = modzip_archive()->archive_error_string(tar->archive);

	if (tar->is_refused)
		return -1;
	return err_set(err, ERR_BAD_UPSTREAM, "bad tar: %s", reason ? reason : "unknown reason");
}

static void describe(struct archive_entry *from, struct modzip_tar_entry *entry)
{
	la_int64_t size = modzip_archive()->archive_entry_size(from);

	*entry = (struct modzip_tar_entry){
		.kind = MODZIP_FILE_IRREGULAR,
		.is_folder = modzip_archive()->archive_entry_filetype(from) == AE_IFDIR,
		.size_bytes = size > 0 ? (uint64_t)size : 0,
		.path = str_of(modzip_archive()->archive_entry_pathname(from)),
	};
	if (modzip_archive()->archive_entry_filetype(from) == AE_IFLNK)
		entry->kind = MODZIP_FILE_SYMLINK;
	else if (modzip_archive()->archive_entry_filetype(from) == AE_IFREG &&
		 !modzip_archive()->archive_entry_hardlink(from))
		entry->kind = MODZIP_FILE_REGULAR;
}

/* libarchive reads as soon as it opens, so not before there is an err. */
static int next_header(struct modzip_tar *tar, struct archive_entry **entry)
{
	if (!tar->is_open &&
	    modzip_archive()->archive_read_open(tar->archive, tar, NULL, give_bytes, NULL) != ARCHIVE_OK)
		return ARCHIVE_FATAL;
	tar->is_open = true;
	tar->at = 0;
	return modzip_archive()->archive_read_next_header(tar->archive, entry);
}

int modzip_tar_next(struct modzip_tar *tar, struct modzip_tar_entry *entry,
		    struct err *err)
{
	struct archive_entry *from = NULL;
	int rc;

	tar->err = err;
	rc = next_header(tar, &from);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return failed(tar, err);
	describe(from, entry);
	return 1;
}

ssize_t modzip_tar_data(struct modzip_tar *tar, const void **bytes, struct err *err)
{
	la_int64_t at;
	size_t n;
	int rc;

	tar->err = err;
	do {
		rc = modzip_archive()->archive_read_data_block(tar->archive, bytes, &n, &at);
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK)
			return failed(tar, err);
		if (at != tar->at)
			return err_set(err, ERR_BAD_UPSTREAM, "bad tar: a file with holes");
	} while (n == 0);
	tar->at += (la_int64_t)n;
	return (ssize_t)n;
}

void modzip_tar_free(struct modzip_tar *tar)
{
	if (!tar)
		return;
	modzip_archive()->archive_read_free(tar->archive);
	free(tar);
}
