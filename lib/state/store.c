#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "gomod/version.h"
#include "state/audit.h"

#define ABSENCE_MAX_BYTES 65536
#define LIST_MAX_BYTES	  (16 << 20)
#define SWAP_MAX_BYTES	  (1 << 20)
#define SWAP_TRIES	  20
#define SWAP_PAUSE_US	  5000

struct store {
	int dirfd;
	atomic_int lock_fd; /* -1 until it is wanted */
	char *dir;
	atomic_bool is_broken; /* the last write failed, and it was said */
	void (*hear_quarantined)(void *arg, const char *key, const char *why);
	void *hear_arg;
};

static int open_dirs(struct store *store, struct err *err)
{
	static const char *const parts[] = { "download", "mutable", "absent" };
	/*
	 * Whom the administrator puts into our group may look, for X-Accel-Redirect; parts of
	 * private modules lie in tmp, too.
	 */
	static const char *const closed[] = { "private", "tmp" };

	if (file_dir_make_all(store->dir, 0755, err) != 0)
		return -1;
	store->dirfd = file_dir_open(store->dir, err);
	if (store->dirfd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (file_dir_make(store->dirfd, parts[i], err) != 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(closed); i++)
		if (mkdirat(store->dirfd, closed[i], 0750) != 0 && errno != EEXIST)
			return err_errno(err, "cannot make '%s'", closed[i]);
	return 0;
}

bool store_key_is_private(const char *key)
{
	return str_has_prefix(str_of(key), STR("private/"));
}

/* The key without "private/". */
static const char *plain_key(const char *key)
{
	return store_key_is_private(key) ? key + strlen("private/") : key;
}

const char *store_object(const char *key)
{
	const char *plain = plain_key(key);

	return str_has_prefix(str_of(plain), STR("download/")) ? plain + strlen("download/") : plain;
}

struct store *store_open(const char *dir)
{
	struct store *store = mem_alloc(sizeof(*store));
	struct err err = { 0 };

	store->dirfd = -1;
	atomic_init(&store->lock_fd, -1);
	store->dir = mem_strdup(str_of(dir));
	if (open_dirs(store, &err) != 0)
		store_complain(store, &err);
	return store;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	if (store->dirfd >= 0)
		close(store->dirfd);
	if (atomic_load(&store->lock_fd) >= 0)
		close(atomic_load(&store->lock_fd));
	free(store->dir);
	free(store);
}

int store_dirfd(const struct store *store)
{
	return store->dirfd;
}

int store_lock_fd(struct store *store, struct err *err)
{
	int fd = atomic_load(&store->lock_fd), none = -1;

	if (fd >= 0)
		return fd;
	if (store->dirfd < 0)
		return err_set(err, ERR_NO_SPACE, "no usable cache directory");
	fd = file_open(store->dirfd, "lock", O_RDWR | O_CREAT, 0644, err);
	if (fd == FILE_ABSENT)
		return err_set(err, ERR_NO_SPACE, "cannot open 'lock': the cache directory is gone");
	if (fd >= 0 && !atomic_compare_exchange_strong(&store->lock_fd, &none, fd)) {
		close(fd); /* another thread was quicker; no lock was taken by it yet */
		fd = none;
	}
	return fd;
}

void store_complain(struct store *store, const struct err *err)
{
	bool was_broken = atomic_exchange(&store->is_broken, true);

	if (was_broken) {
		log_write(LOG_DEBUG, "store '%s': %s", store->dir, err->text);
		return;
	}
	log_write(LOG_ERROR,
		  "THE CACHE '%s' CANNOT BE WRITTEN, every miss goes to the upstream: %s",
		  store->dir, err->text);
}

void store_is_well(struct store *store)
{
	if (atomic_load(&store->is_broken) &&
	    atomic_exchange(&store->is_broken, false))
		log_write(LOG_WARN, "the cache '%s' can be written again", store->dir);
}

bool store_is_fresh(time_t mtime, int ttl_s)
{
	time_t age = time(NULL) - mtime;

	return age < ttl_s && age > -(time_t)ttl_s;
}

bool store_read_fresh(int dirfd, const char *path, int ttl_s, size_t max_bytes, struct pool *pool,
		      struct str *text)
{
	struct err err = { 0 };
	struct stat st;

	/* What takes its place meanwhile is newer still. */
	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && store_is_fresh(st.st_mtime, ttl_s) &&
	       file_read_all(dirfd, path, max_bytes, pool, text, &err) == 0;
}

int store_find(struct store *store, const char *key, struct store_file *file,
	       struct err *err)
{
	struct stat st;
	int fd;

	if (store->dirfd < 0)
		return FILE_ABSENT;
	fd = file_open_read(store->dirfd, key, &st, err);
	if (fd < 0)
		return fd;
	*file = (struct store_file){ fd, st.st_size, st.st_mtime };
	return 0;
}

int store_find_now(struct store *store, const char *key, struct store_file *file)
{
	struct stat st;
	int fd = store->dirfd < 0 ? FILE_ABSENT : file_open_read_now(store->dirfd, key, &st);

	if (fd < 0)
		return fd;
	*file = (struct store_file){ fd, st.st_size, st.st_mtime };
	return 0;
}

int store_put(struct store *store, const char *key, struct str data,
	      bool durable, struct err *err)
{
	if (store->dirfd < 0)
		return err_set(err, ERR_NO_SPACE, "no usable cache directory");
	if (file_replace(store->dirfd, "tmp", key, data, durable, err) != 0) {
		store_complain(store, err);
		return -1;
	}
	store_is_well(store);
	return 0;
}

int store_swap(struct store *store, const char *key, struct str old, struct str data,
	       struct err *err)
{
	struct pool *pool = pool_new();
	struct str there = STR("");
	char lock[STORE_KEY_MAX];
	int fd = -1, rc = -1;

	snprintf(lock, sizeof(lock), "%s.lock", key);
	if (store->dirfd >= 0)
		fd = file_open_lock(store->dirfd, "tmp", lock, err);
	if (fd < 0)
		goto out;
	/* Who holds it writes a small file; one that is stopped must not stop us. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			goto out;
		if (i == SWAP_TRIES) {
			err_set(err, ERR_NO_SPACE, "'%s' is locked by another process", lock);
			goto out;
		}
		usleep(SWAP_PAUSE_US);
	}
	if (file_read_all(store->dirfd, key, SWAP_MAX_BYTES, pool, &there, err) == -1)
		goto out;
	rc = str_is_equal(there, old) ? store_put(store, key, data, true, err) : 1;
out:
	if (fd >= 0)
		close(fd);
	pool_free(pool);
	return rc;
}

static bool is_there(const struct store *store, const char *key)
{
	struct stat st;

	return fstatat(store->dirfd, key, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

int store_quarantine(struct store *store, const char *key, const char *why)
{
	char place[STORE_KEY_MAX + 64];
	struct err err = { 0 };
	struct timespec now;
	struct json *line;
	bool is_kept;

	if (store->dirfd < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(place, sizeof(place), "%squarantine/%s.%lld.%09ld", store_key_is_private(key) ? "private/" : "",
		 plain_key(key), (long long)now.tv_sec, now.tv_nsec);
	is_kept = is_there(store, key) && file_rename(store->dirfd, key, place, &err) == 0;
	if (!is_kept && !is_there(store, key))
		return 0; /* another was quicker */
	log_write(LOG_ERROR, "QUARANTINED: '%s' is wrong: %s; it is %s '%s'", key, why,
		  is_kept ? "kept as" : "removed, for it can't be kept as", place);
	line = audit_begin("quarantined");
	json_add_str(line, "object", str_of(store_object(key)));
	json_add_str(line, "file", str_of(is_kept ? place : ""));
	json_add_str(line, "why", str_of(why));
	audit_end(store->dirfd, line);
	if (store->hear_quarantined)
		store->hear_quarantined(store->hear_arg, key, why);
	if (is_kept)
		return 0;
	store_complain(store, &err);
	store_remove(store, key);
	return -1;
}

void store_on_quarantine(struct store *store, void (*hear)(void *arg, const char *key, const char *why),
			 void *arg)
{
	store->hear_quarantined = hear;
	store->hear_arg = arg;
}

void store_touch(struct store *store, const char *key)
{
	struct err err = { 0 };
	struct stat st;
	int fd = store->dirfd < 0 ? -1 : file_open_read(store->dirfd, key, &st, &err);

	if (fd < 0)
		return;
	if (futimens(fd, NULL) != 0)
		log_write(LOG_DEBUG, "cannot date '%s'", key);
	close(fd);
}

void store_remove(struct store *store, const char *key)
{
	struct err err = { 0 };

	if (store->dirfd >= 0 && file_remove(store->dirfd, key, &err) != 0)
		log_write(LOG_WARN, "%s", err.text);
}

static void absence_path(const char *key, char path[96])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	size_t at;

	EVP_Digest(key, strlen(key), hash, &n, EVP_sha256(), NULL);
	at = (size_t)snprintf(path, 96, "%sabsent/%02x/", store_key_is_private(key) ? "private/" : "", hash[0]);
	for (unsigned int i = 1; i < 20; i++)
		at += (size_t)snprintf(path + at, 96 - at, "%02x", hash[i]);
}

/*
 * The file holds "STATUS KEY\nTYPE\nTEXT": the key is compared, so that what
 * a file says can be read off it.
 */
void store_absence_put(struct store *store, const char *key,
		       const struct store_absence *absence)
{
	struct err err = { 0 };
	struct buf buf;
	char path[96];

	absence_path(key, path);
	buf_init(&buf, ABSENCE_MAX_BYTES);
	buf_printf(&buf, "%d %s\n", absence->status, key);
	buf_add(&buf, absence->type);
	buf_add_char(&buf, '\n');
	buf_add(&buf, absence->text);
	/* What is too long to be passed on unchanged isn't remembered. */
	if (!buf.overflow)
		store_put(store, path, buf_str(&buf), false, &err);
	buf_clear(&buf);
}

bool store_absence_find(struct store *store, const char *key, int ttl_s,
			struct pool *pool, struct store_absence *absence)
{
	struct store_file file;
	struct err err = { 0 };
	struct str data, status, name;
	uint64_t number;
	char path[96];
	ssize_t n;
	char *bytes;

	absence_path(key, path);
	if (ttl_s <= 0 || store_find(store, path, &file, &err) != 0)
		return false;
	if (!store_is_fresh(file.mtime, ttl_s) || file.size_bytes > ABSENCE_MAX_BYTES) {
		close(file.fd);
		return false;
	}
	bytes = pool_alloc(pool, (size_t)file.size_bytes);
	n = file_read_at(file.fd, bytes, (size_t)file.size_bytes, 0, &err);
	close(file.fd);
	if (n < 0)
		return false;
	data = (struct str){ bytes, (size_t)n };
	if (!str_cut(&data, ' ', &status) || !str_cut(&data, '\n', &name) ||
	    !str_cut(&data, '\n', &absence->type) || !data.p)
		return false;
	if (!str_to_u64(status, &number) || !str_is_equal(name, str_of(key)))
		return false;
	absence->status = (int)number;
	absence->text = data;
	absence->mtime = file.mtime;
	return true;
}

void store_absence_remove(struct store *store, const char *key)
{
	char path[96];

	absence_path(key, path);
	store_remove(store, path);
}

static bool list_has(struct str list, struct str version)
{
	struct str line;

	while (str_cut(&list, '\n', &line))
		if (str_is_equal(line, version))
			return true;
	return false;
}

/* Append the line unless it is there, under the lock that cmd/go takes too. */
static int add_line(int fd, struct str line, struct pool *pool, struct err *err)
{
	struct stat st;
	struct str list;
	char *bytes;
	ssize_t n;

	if (flock(fd, LOCK_EX) != 0 || fstat(fd, &st) != 0)
		return err_errno(err, "cannot lock a list");
	if (st.st_size > LIST_MAX_BYTES)
		return 0;
	bytes = pool_alloc(pool, (size_t)st.st_size + 1);
	n = file_read_at(fd, bytes, (size_t)st.st_size, 0, err);
	if (n < 0)
		return -1;
	list = (struct str){ bytes, (size_t)n };
	if (list_has(list, line))
		return 0;
	return file_write_all(fd, pool_printf(pool, "%s%.*s\n",
					      n > 0 && bytes[n - 1] != '\n' ? "\n" : "", STR_ARG(line)),
			      err);
}

int store_list_add(struct store *store, const char *info_key, struct err *err)
{
	struct str key = str_of(info_key), version, plain;
	long slash = str_find_last(key, '/');
	struct pool *pool = pool_new();
	const char *path;
	int fd, rc = 0;

	version = str_skip(key, (size_t)slash + 1);
	version = str_head(version, version.n - strlen(".info"));
	path = pool_printf(pool, "%.*s/list", (int)slash, key.p).p;
	if (store->dirfd < 0 || version_unescape(pool, version, &plain, err) != 0 ||
	    version_is_pseudo(plain))
		goto out;
	fd = file_open(store->dirfd, path, O_RDWR | O_APPEND, 0, err);
	/* The first line comes with the file: an empty list says "no versions". */
	if (fd == FILE_ABSENT)
		fd = file_create(store->dirfd, "tmp", path, pool_printf(pool, "%.*s\n", STR_ARG(plain)), false, err) == 0
		     ? file_open(store->dirfd, path, O_RDWR | O_APPEND, 0, err) : -1;
	rc = fd < 0 ? -1 : add_line(fd, plain, pool, err);
	if (fd >= 0)
		close(fd);
	if (rc != 0)
		err_wrap(err, "'%s'", path);
out:
	pool_free(pool);
	return rc;
}

static void sweep_file(int dirfd, const char *name, int age_s)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    time(NULL) - st.st_mtime >= age_s)
		unlinkat(dirfd, name, 0);
}

static void sweep_dir(int dirfd, const char *path, int age_s)
{
	struct err err = { 0 };
	DIR *dir;
	int fd = file_dir_list(dirfd, path, &dir, &err);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			sweep_file(fd, entry->d_name, age_s);
	closedir(dir);
}

void store_absence_sweep(struct store *store, int ttl_s)
{
	char path[32];

	for (int i = 0; i < 512 && store->dirfd >= 0; i++) {
		snprintf(path, sizeof(path), "%sabsent/%02x", i < 256 ? "" : "private/", i & 0xff);
		sweep_dir(store->dirfd, path, ttl_s);
	}
}
