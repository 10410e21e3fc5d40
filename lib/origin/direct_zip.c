#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "gomod/mod.h"
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

/* What git archives of a path. */
struct archive {
	struct vcs_process *process;
	struct modzip_tar *tar;
};

static ssize_t read_tar(void *arg, const void **bytes, struct err *err)
{
	struct archive *archive = arg;

	return vcs_read(archive->process, bytes, err);
}

/* Returns 0; or -1 with *err set, and nothing to finish. */
static int begin_archive(struct zipping *z, struct str path, struct archive *archive, struct err *err)
{
	struct err late = { 0 };

	archive->process = repo_archive(z->code->repo, z->rev->hash, pool_cstr(z->code->pool, path), err);
	if (!archive->process)
		return -1;
	archive->tar = modzip_tar_new(read_tar, archive, err);
	if (!archive->tar && repo_archive_finish(z->code->repo, archive->process, &late) > 0)
		*err = late;
	return archive->tar ? 0 : -1;
}

/* rc: what reading it came to, with *err set if it isn't 0. Returns 0 if git ended well, too. */
static int finish_archive(struct zipping *z, struct archive *archive, int rc, struct err *err)
{
	struct err late = { 0 };
	const void *rest;
	ssize_t n;
	int status;

	modzip_tar_free(archive->tar);
	/* Behind the last entry comes padding; git has to get rid of it to end well. */
	while (rc == 0 && (n = vcs_read(archive->process, &rest, err)) != 0)
		rc = n < 0 ? -1 : 0;
	status = repo_archive_finish(z->code->repo, archive->process, rc == 0 ? err : &late);
	/* A tar that git didn't end is a bad one: why it didn't is the reason. */
	if (rc != 0 && status > 0)
		*err = late;
	return rc != 0 || status != 0 ? -1 : 0;
}

/* ---- go.mod, which says what "vendor" means ---- */

static const struct modzip_file *find_file(const struct zipping *z, const char *path)
{
	for (size_t i = 0; i < z->listed_n; i++)
		if (str_is_equal(z->files[i].path, str_of(path)))
			return &z->files[i];
	return NULL;
}

/* Does it matter, and may its bytes be others in the archive than in the commit? */
static bool is_gomod_uncertain(const struct zipping *z)
{
	/* Attributes of a directory above aren't in the list. */
	if (z->dir.n == 0 && !find_file(z, ".gitattributes"))
		return false;
	for (size_t i = 0; i < z->listed_n; i++)
		if (str_find_str(z->files[i].path, STR("vendor/")) >= 0)
			return true;
	return false;
}

static int read_archived(struct modzip_tar *tar, struct buf *text, struct err *err)
{
	struct modzip_tar_entry entry;
	const void *bytes;
	ssize_t n;
	int rc;

	/* A directory has no bytes. */
	while ((rc = modzip_tar_next(tar, &entry, err)) == 1) {
		while ((n = modzip_tar_data(tar, &bytes, err)) > 0)
			buf_add(text, (struct str){ bytes, (size_t)n });
		if (n < 0)
			return -1;
	}
	return rc;
}

/* go.mod as it stands in the zip; gomod: as it stands in the commit. Empty: it names no version of Go. */
static int find_go_lang(struct zipping *z, struct str gomod, struct str *lang, struct err *err)
{
	struct str path = z->dir.n > 0 ? pool_printf(z->code->pool, "%.*s/go.mod", STR_ARG(z->dir)) : STR("go.mod");
	const struct modzip_file *file = find_file(z, "go.mod");
	struct archive archive;
	struct buf text;
	int rc;

	*lang = STR("");
	if (!file || file->kind != MODZIP_FILE_REGULAR)
		return 0;
	*lang = modfile_go_lang(z->code->pool, gomod);
	if (!is_gomod_uncertain(z))
		return 0;
	if (begin_archive(z, path, &archive, err) != 0)
		return -1;
	buf_init(&text, MOD_BODY_MAX + 1);
	rc = finish_archive(z, &archive, read_archived(archive.tar, &text, err), err);
	/* One that is too long is refused with the zip. */
	*lang = modfile_go_lang(z->code->pool, text.overflow ? STR("") : pool_str(z->code->pool, buf_str(&text)));
	buf_clear(&text);
	return rc;
}

/* ---- the zip ---- */

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
	struct archive archive;

	if (begin_archive(z, z->dir, &archive, err) != 0 ||
	    finish_archive(z, &archive, copy_files(z, archive.tar, writer, err), err) != 0)
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
	struct str gomod, lang;
	int rc;

	if (code_find_dir(code, rev, version, &z.dir, &gomod, err) != 0 || list_files(&z, err) != 0 ||
	    add_license(&z, err) != 0 || find_go_lang(&z, gomod, &lang, err) != 0)
		return -1;
	if (modzip_files_check(z.files, z.n, lang, err) != 0) {
		err->kind = ERR_NOT_FOUND; /* it never will be a module */
		return err_wrap(err, "create zip");
	}
	writer = modzip_writer_new(code->module, version, on_bytes, arg, err);
	rc = !writer ? -1 : write_zip(&z, writer, err);
	modzip_writer_free(writer);
	return rc;
}
