#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "gomod/modzip.h"
#include "gomod/modzip_files.h"
#include "gomod/modzip_tar.h"
#include "gomod/modzip_write.h"
#include "origin/direct_code.h"

#define LICENSE_BYTES_MAX (16 << 20) /* MaxLICENSE of cmd/go */

static const char license_name[] = "LICENSE";

/* What goes into one zip. */
struct zipping {
	struct code *code;
	const struct repo_rev *rev;
	struct str dir;
	struct modzip_file *files; /* as git lists them, then perhaps the root's LICENSE */
	size_t n, listed_n;
	struct str license; /* of the root; p NULL: none is added */
};

/* ---- the list ---- */

/* "MODE TYPE HASH SIZE\tPATH"; false for what is no file, a submodule. */
static bool parse_entry(struct str line, struct modzip_file *file)
{
	struct str mode = STR(""), type = STR(""), hash, rest = line, size;
	long tab = str_find(line, '\t');
	uint64_t bytes;

	*file = (struct modzip_file){ 0 };
	if (tab < 0 || !str_cut(&rest, ' ', &mode) || !str_cut(&rest, ' ', &type) || !str_cut(&rest, ' ', &hash) ||
	    !str_is_equal(type, STR("blob")))
		return false;
	size = str_trim(str_head(rest, (size_t)(str_find(rest, '\t'))));
	file->path = str_skip(line, (size_t)tab + 1);
	file->size_bytes = str_to_u64(size, &bytes) ? bytes : 0;
	file->kind = str_is_equal(mode, STR("120000")) ? MODZIP_FILE_SYMLINK : MODZIP_FILE_REGULAR;
	return true;
}

static size_t count_entries(struct str listing)
{
	size_t n = 0;

	for (size_t i = 0; i < listing.n; i++)
		n += listing.p[i] == '\0';
	return n;
}

static int list_files(struct zipping *z, struct err *err)
{
	struct str listing, line, below = z->dir.n > 0
		? pool_printf(z->code->pool, "%.*s/", STR_ARG(z->dir)) : STR("");

	if (repo_list_files(z->code->repo, z->rev->hash, pool_cstr(z->code->pool, z->dir), &listing, err) != 0)
		return -1;
	if (count_entries(listing) > MODZIP_ENTRIES_MAX)
		return err_set(err, ERR_NOT_FOUND, "it has more than %u files", MODZIP_ENTRIES_MAX);
	z->files = pool_alloc(z->code->pool, (count_entries(listing) + 1) * sizeof(*z->files));
	while (listing.n > 0 && str_cut(&listing, '\0', &line)) {
		struct modzip_file *file = &z->files[z->n];

		if (!parse_entry(line, file) || !str_has_prefix(file->path, below))
			continue;
		file->path = str_skip(file->path, below.n);
		z->n++;
	}
	z->listed_n = z->n;
	return 0;
}

/* A module below the root without a LICENSE of its own gets the root's. */
static int add_license(struct zipping *z, struct err *err)
{
	struct str name = str_of(license_name);
	int rc;

	if (z->dir.n == 0)
		return 0;
	for (size_t i = 0; i < z->n; i++)
		if (str_is_equal(z->files[i].path, name))
			return 0;
	rc = repo_read_file(z->code->repo, z->rev->hash, license_name, LICENSE_BYTES_MAX, &z->license, err);
	if (rc == FILE_ABSENT) {
		z->license = (struct str){ 0 };
		return 0;
	}
	if (rc == 0)
		z->files[z->n++] = (struct modzip_file){ .path = name, .size_bytes = z->license.n };
	return rc;
}

/* ---- the bytes ---- */

struct tar_source {
	struct vcs_process *process;
};

static ssize_t read_tar(void *arg, const void **bytes, struct err *err)
{
	struct tar_source *source = arg;

	return vcs_read(source->process, bytes, err);
}

static int copy_entry(struct modzip_tar *tar, struct modzip_writer *writer, struct err *err)
{
	const void *bytes;
	ssize_t n;

	while ((n = modzip_tar_data(tar, &bytes, err)) > 0)
		if (modzip_writer_data(writer, (struct str){ bytes, (size_t)n }, err) != 0)
			return -1;
	return n < 0 ? -1 : 0;
}

/* Is this the entry that the listing has here? Where the tar can't say its name, its kind tells. */
static bool is_expected(const struct modzip_file *file, const struct modzip_tar_entry *entry)
{
	return file->kind == entry->kind && (entry->path.n == 0 || str_has_suffix(entry->path, file->path));
}

/*
 * The tar has all files in the listing's order; those that are kept go on. Its
 * sizes count: attributes may have changed them.
 */
static int copy_files(struct zipping *z, struct modzip_tar *tar, struct modzip_writer *writer, struct err *err)
{
	struct modzip_tar_entry entry;
	size_t i = 0;
	int rc;

	while ((rc = modzip_tar_next(tar, &entry, err)) == 1) {
		struct modzip_file *file = &z->files[i];

		if (entry.is_folder)
			continue;
		if (i == z->listed_n || !is_expected(file, &entry))
			return err_set(err, ERR_BAD_UPSTREAM, "git lists other files than it archives, at '%.*s'",
				       STR_ARG(entry.path));
		i++;
		if (!file->is_kept)
			continue;
		if (modzip_writer_add(writer, file->path, entry.size_bytes, err) != 0 ||
		    copy_entry(tar, writer, err) != 0)
			return -1;
	}
	if (rc == 0 && i < z->listed_n)
		return err_set(err, ERR_BAD_UPSTREAM, "git archives fewer files than it lists");
	return rc;
}

static int write_zip(struct zipping *z, struct modzip_writer *writer, struct err *err)
{
	struct tar_source source;
	struct modzip_tar *tar;
	struct err late = { 0 };
	const void *rest;
	ssize_t n;
	int rc, status;

	source.process = repo_archive(z->code->repo, z->rev->hash, pool_cstr(z->code->pool, z->dir), err);
	if (!source.process)
		return -1;
	tar = modzip_tar_new(read_tar, &source, err);
	rc = tar ? copy_files(z, tar, writer, err) : -1;
	modzip_tar_free(tar);
	/* Behind the last entry comes padding; git has to get rid of it to end well. */
	while (rc == 0 && (n = vcs_read(source.process, &rest, err)) != 0)
		rc = n < 0 ? -1 : 0;
	status = repo_archive_finish(z->code->repo, source.process, rc == 0 ? err : &late);
	if (rc != 0 || status != 0)
		return -1;
	if (z->n > z->listed_n && z->files[z->listed_n].is_kept &&
	    (modzip_writer_add(writer, str_of(license_name), z->license.n, err) != 0 ||
	     modzip_writer_data(writer, z->license, err) != 0))
		return -1;
	return modzip_writer_finish(writer, err);
}

int code_zip(struct code *code, const struct repo_rev *rev, struct str version,
	     int (*on_bytes)(void *arg, struct str bytes, struct err *err), void *arg, struct err *err)
{
	struct zipping z = { .code = code, .rev = rev };
	struct modzip_writer *writer;
	struct str gomod;
	int rc;

	if (code_find_dir(code, rev, version, &z.dir, &gomod, err) != 0 || list_files(&z, err) != 0 ||
	    add_license(&z, err) != 0)
		return -1;
	if (modzip_files_check(z.files, z.n, modfile_go_lang(code->pool, gomod), err) != 0) {
		err->kind = ERR_NOT_FOUND; /* it never will be a module */
		return err_wrap(err, "create zip");
	}
	writer = modzip_writer_new(code->module, version, on_bytes, arg, err);
	rc = !writer ? -1 : write_zip(&z, writer, err);
	modzip_writer_free(writer);
	return rc;
}
