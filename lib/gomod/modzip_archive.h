/*
 * modzip_archive.h - for modzip alone: libarchive, loaded when it is needed.
 *
 * It brings a dozen libraries along (libxml2, ICU, GnuTLS's nettle ...), which it
 * needs for other formats than ours. Linked in, they cost each CGI request 3 to 4
 * ms of its start, and each process their relocations, though most never make a
 * zip. The soname is that of the header that this was built with.
 */
#ifndef GOMOD_MODZIP_ARCHIVE_H
#define GOMOD_MODZIP_ARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/err.h"

#define MODZIP_ARCHIVE_SONAME "libarchive.so.13"

#define MODZIP_ARCHIVE_FUNCTIONS(X)                                                                \
	X(archive_entry_filetype) X(archive_entry_free) X(archive_entry_hardlink)                  \
	X(archive_entry_new) X(archive_entry_pathname) X(archive_entry_set_filetype)               \
	X(archive_entry_set_pathname_utf8) X(archive_entry_set_perm) X(archive_entry_set_size)     \
	X(archive_entry_size) X(archive_error_string) X(archive_read_data_block)                   \
	X(archive_read_free) X(archive_read_new) X(archive_read_next_header) X(archive_read_open)  \
	X(archive_read_support_format_tar) X(archive_set_error) X(archive_write_close)             \
	X(archive_write_data) X(archive_write_free) X(archive_write_header) X(archive_write_new)   \
	X(archive_write_open) X(archive_write_set_bytes_in_last_block)                             \
	X(archive_write_set_bytes_per_block) X(archive_write_set_format_zip)                       \
	X(archive_write_set_options)

struct modzip_archive {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration takes none */
#define X(name) __typeof__(name) *name;
	MODZIP_ARCHIVE_FUNCTIONS(X)
#undef X
};

/* Its functions; NULL with *err set (ERR_CONFIG) if it can't be loaded. From any thread. */
const struct modzip_archive *modzip_archive_load(struct err *err);

/* The same, once it was loaded. */
const struct modzip_archive *modzip_archive(void);

#endif
