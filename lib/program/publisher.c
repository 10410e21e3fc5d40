#include "program/publisher.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "gomod/mod.h"
#include "gomod/modfile.h"
#include "gomod/modzip_files.h"
#include "gomod/modzip_write.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "program/owner.h"
#include "state/publish.h"

#define NESTING_MAX 100
#define COPY_BYTES  65536

static const char from[] = "goproxy.fcgi publish"; /* for the audit log */

struct publication {
	struct store *store;
	struct pool *pool;
	struct str module, version;
	int dirfd;
	struct modzip_file *files;
	size_t n, room;
	struct publish out;
};

/* ---- the files of a directory ---- */

static bool is_vcs(const char *name)
{
	return strcmp(name, ".git") == 0 || strcmp(name, ".hg") == 0 || strcmp(name, ".svn") == 0 ||
	       strcmp(name, ".bzr") == 0;
}

static bool is_module(int dirfd, const char *path)
{
	struct pool *pool = pool_new();
	struct stat st;
	bool is = fstatat(dirfd, pool_printf(pool, "%s/go.mod", path).p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		  !S_ISDIR(st.st_mode);

	pool_free(pool);
	return is;
}

static void add_file(struct publication *p, const char *path, const struct stat *st)
{
	if (p->n == p->room) {
		p->room = 2 * p->room + 64;
		p->files = mem_realloc(p->files, p->room * sizeof(*p->files));
	}
	p->files[p->n++] = (struct modzip_file){
		.path = str_of(path),
		.kind = MODZIP_FILE_REGULAR,
		.size_bytes = (uint64_t)st->st_size,
	};
}

/* What is no regular file is passed by before its name is looked at, other than in a repository. */
static int walk(struct publication *p, const char *at, int nesting, struct err *err)
{
	struct dirent *entry;
	DIR *dir;
	int rc = 0;

	if (nesting > NESTING_MAX)
		return err_set(err, ERR_BAD_REQUEST, "'%s': directories nest too deep", at);
	if (file_dir_list(p->dirfd, *at ? at : ".", &dir, err) < 0)
		return -1;
	while (rc == 0 && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		const char *path = pool_printf(p->pool, "%s%s%s", at, *at ? "/" : "", name).p;
		struct stat st;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (fstatat(p->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
			rc = err_errno(err, "cannot look at '%s'", path);
		else if (S_ISREG(st.st_mode))
			add_file(p, path, &st);
		else if (S_ISDIR(st.st_mode) && !is_vcs(name) && !is_module(p->dirfd, path))
			rc = walk(p, path, nesting + 1, err);
		if (rc == 0 && p->n > MODZIP_ENTRIES_MAX)
			rc = err_set(err, ERR_BAD_REQUEST, "more than %u files", MODZIP_ENTRIES_MAX);
	}
	closedir(dir);
	return rc;
}

static int by_path(const void *a, const void *b)
{
	return str_compare(((const struct modzip_file *)a)->path, ((const struct modzip_file *)b)->path);
}

/* ---- the zip of a directory ---- */

static int take_bytes(void *arg, struct str bytes, struct err *err)
{
	struct publication *p = arg;

	return file_write_all(p->out.fd, bytes, err);
}

static int zip_file(struct publication *p, struct modzip_writer *writer, const struct modzip_file *file,
		    struct err *err)
{
	const char *path = pool_cstr(p->pool, file->path);
	char bytes[COPY_BYTES];
	struct stat st;
	off_t at = 0;
	ssize_t n;
	int fd = file_open_read(p->dirfd, path, &st, err);

	if (fd < 0)
		return fd == FILE_ABSENT ? err_set(err, ERR_IO, "'%s' has gone meanwhile", path) : -1;
	if (modzip_writer_add(writer, file->path, (uint64_t)st.st_size, err) != 0) {
		close(fd);
		return -1;
	}
	while ((n = file_read_at(fd, bytes, sizeof(bytes), at, err)) > 0 &&
	       modzip_writer_data(writer, (struct str){ bytes, (size_t)n }, err) == 0)
		at += n;
	close(fd);
	return n == 0 ? 0 : -1;
}

static int zip_files(struct publication *p, struct err *err)
{
	struct modzip_writer *writer = modzip_writer_new(p->module, p->version, take_bytes, p, err);
	int rc = writer ? 0 : -1;

	for (size_t i = 0; i < p->n && rc == 0; i++)
		if (p->files[i].is_kept)
			rc = zip_file(p, writer, &p->files[i], err);
	if (rc == 0)
		rc = modzip_writer_finish(writer, err);
	modzip_writer_free(writer);
	return rc;
}

static int publish_dir(struct publication *p, char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct str gomod = STR("");
	int rc;

	if (file_read_all(p->dirfd, "go.mod", MOD_BODY_MAX, p->pool, &gomod, err) == -1 ||
	    walk(p, "", 0, err) != 0)
		return -1;
	if (p->n > 1)
		qsort(p->files, p->n, sizeof(*p->files), by_path); /* so that the bytes are always the same */
	if (modzip_files_check(p->files, p->n, modfile_go_lang(p->pool, gomod), err) != 0 ||
	    publish_begin(p->store, &p->out, err) != 0)
		return -1;
	rc = zip_files(p, err);
	if (rc == 0)
		rc = publish_commit(p->store, &p->out, p->module, p->version, time(NULL), from, h1, err);
	publish_end(p->store, &p->out);
	return rc;
}

/* ---- the command ---- */

/* A directory or a zip; links are followed: it is the user's own word. */
static int publish_path(struct publication *p, const char *path, char h1[MODZIP_H1_SIZE], struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = -1;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_errno(err, "cannot open '%s'", path);
	} else if (S_ISDIR(st.st_mode)) {
		p->dirfd = fd;
		rc = publish_dir(p, h1, err);
	} else if (S_ISREG(st.st_mode)) {
		rc = publish_zip(p->store, p->module, p->version, fd, st.st_size, time(NULL), from, h1, err);
	} else {
		err_set(err, ERR_BAD_REQUEST, "'%s' is neither a directory nor a zip", path);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int check_name(const struct config *config, struct publication *p, struct str as, struct err *err)
{
	long at = str_find_last(as, '@');

	p->module = str_head(as, at < 0 ? 0 : (size_t)at);
	p->version = str_skip(as, (size_t)(at + 1));
	if (at <= 0 || !version_is_canonical(p->version) || module_path_check(p->module, err) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "publish needs DIR or ZIP and --as MODULE@VERSION, such as "
			       "corp.example/tools@v1.2.0");
	if (module_check(p->module, p->version, err) != 0)
		return -1;
	if (!config_is_private(config, p->module))
		return err_set(err, ERR_FORBIDDEN,
			       "'%.*s' is not private: only what [private] modules names can be published",
			       STR_ARG(p->module));
	return owner_check(config->cache.dir, "publish", err) == 0 ? config_cache_dir_make(config, err) : -1;
}

int publisher_run(const struct config *config, const char *path, const char *as)
{
	struct publication p = { .pool = pool_new(), .out.fd = -1 };
	char h1[MODZIP_H1_SIZE] = "";
	struct err err = { 0 };
	int rc = check_name(config, &p, str_of(as), &err);

	if (rc == 0) {
		p.store = store_open(config->cache.dir);
		rc = publish_path(&p, path, h1, &err);
		store_close(p.store);
	}
	if (rc < 0)
		fprintf(stderr, "goproxy.fcgi: %s\n", err.text);
	else
		printf("%s %s\t%s\n", rc == 0 ? "published" : "is there already:", as, h1);
	free(p.files);
	pool_free(p.pool);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
