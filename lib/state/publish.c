#include "state/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "gomod/info.h"
#include "gomod/mod.h"
#include "gomod/modfile.h"
#include "gomod/module.h"
#include "gomod/modzip_gomod.h"
#include "gomod/version.h"
#include "state/audit.h"
#include "state/seal.h"

#define LOCK_TRIES    100
#define LOCK_PAUSE_US 50000
#define ZIPHASH_MAX   256
#define MARK_MAX      1024

/* One version on its way in. */
struct version {
	struct store *store;
	struct pool *pool;
	struct str module, version; /* unescaped */
	const char *dir;	    /* "private/download/MODULE/@v" */
	const char *stem;	    /* DIR/VERSION */
	struct str gomod;
	const char *h1;
	bool has_changed; /* something of it was put in place */
};

static const char *key_of(const struct version *v, const char *extension)
{
	return pool_printf(v->pool, "%s.%s", v->stem, extension).p;
}

/* ---- what it is ---- */

/* The rules for a go.mod are the module's: modfetch/coderepo.go. */
static int check_gomod(struct version *v, struct err *err)
{
	struct str path;

	if (mod_check(v->gomod, err) != 0)
		return -1;
	path = modfile_module_path(v->pool, v->gomod);
	if (!str_is_equal(path, v->module))
		return err_set(err, ERR_BAD_REQUEST, "its go.mod says that it is '%.*s'",
			       STR_ARG(str_head(path, 300)));
	if (version_build(v->version).n > 0)
		return err_set(err, ERR_BAD_REQUEST, "+incompatible is for modules without a go.mod");
	return 0;
}

static int check_zip(struct version *v, int fd, char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct modzip_result result;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(err, "cannot look at the zip");
	if (modzip_check_file(fd, st.st_size, v->module, v->version, &result, err) != 0 ||
	    modzip_read_gomod(v->pool, fd, st.st_size, v->module, v->version, PUBLISH_GOMOD_MAX, &v->gomod,
			      err) != 0)
		return -1;
	memcpy(h1, result.h1, MODZIP_H1_SIZE);
	v->h1 = h1;
	if (v->gomod.p)
		return check_gomod(v, err);
	v->gomod = modfile_legacy(v->pool, v->module);
	return 0;
}

/* ---- what is there ---- */

/* The lock that cmd/go takes, so that two who publish the same are one after the other. */
static int lock_version(struct version *v, struct err *err)
{
	int fd = file_open_lock(store_dirfd(v->store), "tmp", key_of(v, "lock"), err);

	for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i == LOCK_TRIES) {
			close(fd);
			return err_set(err, ERR_OVERLOAD, "somebody else is at it: try again");
		}
		usleep(LOCK_PAUSE_US);
	}
	return fd;
}

/* The h1 of a zip that is there: 0, FILE_ABSENT or -1. */
static int find_zip(struct version *v, struct str *h1, struct err *err)
{
	struct modzip_result result;
	struct store_file file;
	int rc = store_find(v->store, key_of(v, "zip"), &file, err);

	if (rc != 0)
		return rc;
	rc = file_read_all(store_dirfd(v->store), key_of(v, "ziphash"), ZIPHASH_MAX, v->pool, h1, err);
	if (rc != 0) {
		rc = modzip_check_file(file.fd, file.size_bytes, v->module, v->version, &result, err);
		*h1 = pool_str(v->pool, str_of(result.h1));
	}
	*h1 = str_trim(*h1);
	close(file.fd);
	return rc;
}

/* Returns 0, FILE_ABSENT or -1. */
static int compare_gomod(struct version *v, struct err *err)
{
	struct str gomod;
	int rc = file_read_all(store_dirfd(v->store), key_of(v, "mod"), MOD_BODY_MAX, v->pool, &gomod, err);

	if (rc == 0 && !str_is_equal(gomod, v->gomod))
		return err_set(err, ERR_CONFLICT,
			       "another go.mod of it is there already, and a version never changes");
	return rc;
}

/* Is what is there, whole or in part, the same? 0, 1 if the zip is there, or -1. */
static int compare(struct version *v, struct err *err)
{
	struct str h1;
	int rc = find_zip(v, &h1, err);

	if (rc == -1)
		return -1;
	/* Which other content it has is for those who may read it. */
	if (rc == 0 && !str_is_equal(h1, str_of(v->h1)))
		return err_set(err, ERR_CONFLICT,
			       "it is there already with other content, and a version never changes: this one is %s",
			       v->h1);
	return compare_gomod(v, err) == -1 ? -1 : rc == 0;
}

/* ---- that it lives here ---- */

static const char *mark_of(struct pool *pool, const char *dir)
{
	return pool_printf(pool, "%s/uploaded", dir).p;
}

/* The version that is on its way, escaped; "" once one is here. Returns 0, FILE_ABSENT or -1. */
static int read_mark(struct store *store, struct pool *pool, const char *dir, struct str *pending,
		     struct err *err)
{
	*pending = STR("");
	return file_read_all(store_dirfd(store), mark_of(pool, dir), MARK_MAX, pool, pending, err);
}

/* Whoever makes the mark, or takes it away, has this. Returns a descriptor, FILE_NOT_NOW or -1. */
static int lock_mark(struct store *store, struct pool *pool, const char *dir, bool may_wait, struct err *err)
{
	const char *path = pool_printf(pool, "%s.lock", mark_of(pool, dir)).p;
	int fd = file_open_lock(store_dirfd(store), "tmp", path, err);

	if (fd < 0 || flock(fd, may_wait ? LOCK_EX : LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return may_wait ? err_errno(err, "cannot lock '%s'", path) : FILE_NOT_NOW;
}

static bool has_arrived(struct store *store, struct pool *pool, const char *dir, struct str version)
{
	const char *zip = pool_printf(pool, "%s/%.*s.zip", dir, STR_ARG(version)).p;

	return faccessat(store_dirfd(store), zip, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of an upload on its way that was broken off: the mark goes, unless its zip is here. As publish_is_home(). */
static int settle_mark(struct store *store, struct pool *pool, const char *dir, struct err *err)
{
	int lock = lock_mark(store, pool, dir, false, err), rc;
	struct str pending;

	if (lock == FILE_NOT_NOW)
		return 1;
	if (lock < 0)
		return -1;
	rc = read_mark(store, pool, dir, &pending, err);
	if (rc == 0 && pending.n > 0 && !has_arrived(store, pool, dir, pending)) {
		log_write(LOG_WARN, "'%s/%.*s': its upload was broken off; forgotten", dir, STR_ARG(pending));
		rc = file_remove(store_dirfd(store), mark_of(pool, dir), err) == 0 ? FILE_ABSENT : -1;
	}
	close(lock);
	return rc == -1 ? -1 : rc == 0;
}

int publish_is_home(struct store *store, struct str escaped, struct err *err)
{
	struct pool *pool = pool_new();
	const char *dir = pool_printf(pool, "private/download/%.*s/@v", STR_ARG(escaped)).p;
	struct str pending;
	int rc = store_dirfd(store) < 0 ? FILE_ABSENT : read_mark(store, pool, dir, &pending, err);

	if (rc == FILE_ABSENT)
		rc = 0;
	else if (rc == 0)
		rc = pending.n > 0 ? settle_mark(store, pool, dir, err) : 1;
	if (rc == -1)
		err_wrap(err, "whether '%.*s' was uploaded here", STR_ARG(escaped));
	pool_free(pool);
	return rc;
}

/* ---- putting it in place ---- */

static int put_zip(struct version *v, const struct publish *publish, struct err *err)
{
	if (store_put(v->store, key_of(v, "ziphash"), str_of(v->h1), true, err) != 0 ||
	    file_rename(store_dirfd(v->store), publish->name, key_of(v, "zip"), err) != 0)
		return -1;
	v->has_changed = true;
	return 0;
}

/*
 * The mark before the zip: from here on nobody fetches the rest of it from elsewhere. What came
 * before that is looked at once more. Then the mark is that of a module that lives here.
 */
static int take(struct version *v, const struct publish *publish, bool is_marked, struct err *err)
{
	struct str version = str_skip(str_of(v->stem), strlen(v->dir) + 1);
	const char *mark = mark_of(v->pool, v->dir);
	int dirfd = store_dirfd(v->store);
	struct err ignored;

	if (!is_marked && file_replace(dirfd, "tmp", mark, version, false, err) != 0)
		return -1;
	if (compare_gomod(v, err) == -1 || put_zip(v, publish, err) != 0) {
		if (!is_marked)
			file_remove(dirfd, mark, &ignored);
		return -1;
	}
	return is_marked ? 0 : file_replace(dirfd, "tmp", mark, STR(""), true, err);
}

/* Unless it is there, since what was served once never changes. */
static int put_once(struct version *v, const char *extension, struct str text, struct err *err)
{
	struct store_file file;
	int rc = store_find(v->store, key_of(v, extension), &file, err);

	if (rc == 0)
		close(file.fd);
	if (rc != FILE_ABSENT)
		return rc;
	v->has_changed = true;
	return store_put(v->store, key_of(v, extension), text, true, err);
}

static struct str info_of(const struct version *v, time_t time)
{
	char text[32];
	struct tm tm;

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return pool_printf(v->pool, "{\"Version\":\"%.*s\",\"Time\":\"%s\"}", STR_ARG(v->version), text);
}

/* What was said of it before isn't so any more. */
static void forget(struct version *v)
{
	static const char *const kinds[] = { "info", "mod", "zip" };
	struct str dir = str_skip(str_of(v->dir), strlen("private/download/"));
	struct str module = str_head(dir, dir.n - strlen("/@v"));
	const char *list = pool_printf(v->pool, "private/mutable/%.*s", STR_ARG(dir)).p;
	const char *latest = pool_printf(v->pool, "private/mutable/%.*s/@latest", STR_ARG(module)).p;

	list = pool_printf(v->pool, "%s/list", list).p;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		store_absence_remove(v->store, key_of(v, kinds[i]));
	store_absence_remove(v->store, list);
	store_absence_remove(v->store, latest);
	store_remove(v->store, list);
	store_remove(v->store, latest);
}

static void audit(const struct version *v, const char *from)
{
	struct json *line = audit_begin("published");

	json_add_str(line, "object", str_of(store_object(key_of(v, "zip"))));
	json_add_str(line, "from", str_of(from));
	json_add_str(line, "h1", str_of(v->h1));
	audit_end(store_dirfd(v->store), line);
}

/* Is it marked for good? A crash may have left the mark behind its zip, or without one. 1, 0 or -1. */
static int is_marked(struct version *v, struct err *err)
{
	struct str pending;
	int rc = read_mark(v->store, v->pool, v->dir, &pending, err);

	if (rc != 0)
		return rc == FILE_ABSENT ? 0 : -1;
	if (pending.n == 0)
		return 1;
	if (!has_arrived(v->store, v->pool, v->dir, pending))
		return 0;
	return file_replace(store_dirfd(v->store), "tmp", mark_of(v->pool, v->dir), STR(""), true, err) == 0 ? 1 : -1;
}

/* With the mark's lock. Returns 0, 1 if it was there already, 2 if it is a repository's, or -1. */
static int put_locked(struct version *v, const struct publish *publish, struct err *err)
{
	int there = compare(v, err);
	int marked = there < 0 ? -1 : is_marked(v, err);

	if (marked < 0)
		return -1;
	if (there)
		return marked ? 1 : 2;
	return take(v, publish, marked, err);
}

static int put(struct version *v, const struct publish *publish, time_t time, struct err *err)
{
	int lock = lock_mark(v->store, v->pool, v->dir, true, err), rc;

	if (lock < 0)
		return -1;
	rc = put_locked(v, publish, err);
	close(lock);
	/* What its repository has stays to be asked for there. */
	if (rc == 2)
		return 1;
	if (rc < 0 || put_once(v, "mod", v->gomod, err) != 0 || put_once(v, "info", info_of(v, time), err) != 0 ||
	    store_list_add(v->store, key_of(v, "info"), err) != 0)
		return -1;
	forget(v);
	return rc;
}

/* All that takes long, before anybody is kept waiting. */
static int flush(const struct version *v, const struct publish *publish, struct err *err)
{
	seal_put(publish->fd, str_of(v->h1));
	return fsync(publish->fd) == 0 ? 0 : err_errno(err, "cannot flush '%s'", publish->name);
}

int publish_begin(struct store *store, struct publish *publish, struct err *err)
{
	publish->name[0] = '\0';
	publish->fd = -1;
	if (store_dirfd(store) < 0)
		return err_set(err, ERR_NO_SPACE, "no usable cache directory");
	publish->fd = file_temp(store_dirfd(store), "tmp", publish->name, sizeof(publish->name), err);
	return publish->fd < 0 ? -1 : 0;
}

static int name_it(struct version *v, struct err *err)
{
	struct str module, version;

	if (module_check(v->module, v->version, err) != 0 ||
	    module_escape_path(v->pool, v->module, &module, err) != 0 ||
	    version_escape(v->pool, v->version, &version, err) != 0)
		return -1;
	if (!version_is_canonical(v->version))
		return err_set(err, ERR_BAD_REQUEST, "'%.*s' is not a canonical version", STR_ARG(v->version));
	v->dir = pool_printf(v->pool, "private/download/%.*s/@v", STR_ARG(module)).p;
	v->stem = pool_printf(v->pool, "%s/%.*s", v->dir, STR_ARG(version)).p;
	return 0;
}

int publish_commit(struct store *store, struct publish *publish, struct str module, struct str version,
		   time_t time, const char *from, char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct version v = { .store = store, .pool = pool_new(), .module = module, .version = version };
	int lock = -1, rc = -1;

	*err = (struct err){ 0 };
	if (name_it(&v, err) == 0 && check_zip(&v, publish->fd, h1, err) == 0 && flush(&v, publish, err) == 0 &&
	    (lock = lock_version(&v, err)) >= 0)
		rc = put(&v, publish, time, err);
	if (v.has_changed)
		audit(&v, from);
	if (rc < 0 && err->kind == ERR_BAD_UPSTREAM)
		err->kind = ERR_BAD_REQUEST; /* whose it is here */
	if (lock >= 0)
		close(lock);
	pool_free(v.pool);
	return rc;
}

void publish_end(struct store *store, struct publish *publish)
{
	struct err ignored = { 0 };

	if (publish->fd < 0)
		return;
	/* Nothing has that name any more if it was put in place. */
	file_remove(store_dirfd(store), publish->name, &ignored);
	close(publish->fd);
	publish->fd = -1;
}

int publish_zip(struct store *store, struct str module, struct str version, int fd, off_t size,
		time_t time, const char *from, char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct publish publish;
	int rc = -1;

	if (publish_begin(store, &publish, err) != 0)
		return -1;
	if ((uint64_t)size > MODZIP_FILE_MAX)
		err_set(err, ERR_BAD_REQUEST, "bad zip: %lld bytes, more than 500 MiB", (long long)size);
	else if (file_copy(fd, publish.fd, size, err) == 0)
		rc = publish_commit(store, &publish, module, version, time, from, h1, err);
	publish_end(store, &publish);
	return rc;
}
