#include "state/part.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "state/seal.h"

#define RECORD_MAGIC	    0x31747261706f67ULL
#define COPY_BYTES	    65536
#define GO_LOCK_TRIES	    200
#define GO_LOCK_INTERVAL_US 10000

_Static_assert(offsetof(struct part_record, sum) + sizeof(uint64_t) == sizeof(struct part_record) &&
		       offsetof(struct part_record, sum) == 80 + ERR_TEXT_MAX,
	       "the sum covers every byte, so there is no padding");

/* Tells a torn record. */
static uint64_t record_sum(const struct part_record *record)
{
	return str_hash((struct str){ (const char *)record, offsetof(struct part_record, sum) });
}

/* Which kernel this is; "" where it can't be told. */
static void get_boot_id(char boot[40])
{
	static _Thread_local char id[40];
	int fd;

	if (!*id && (fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)) >= 0) {
		if (read(fd, id, 36) != 36)
			*id = '\0';
		close(fd);
	}
	memcpy(boot, id, sizeof(id));
}

/*
 * Another host's record may reach us before its bytes, and where bytes are
 * missing zeros are read: who follows another host waits for the rename.
 */
static bool is_from_here(const struct part_record *record)
{
	char boot[40];

	get_boot_id(boot);
	return memcmp(boot, record->boot, sizeof(boot)) == 0;
}

/* Other descriptors of the file may stay open for long: the lock goes by itself. */
static void unlock(struct part *part)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = part->lock_at, .l_len = 1 };

	if (part->has_lock)
		fcntl(part->lock_fd, F_OFD_SETLK, &lock);
	part->has_lock = false;
}

static int64_t lock_at(struct str file_name)
{
	uint64_t at = 0;

	for (size_t i = 0; i < 16 && i < file_name.n; i++)
		at = at << 4 | (uint64_t)(file_name.p[i] <= '9' ? file_name.p[i] - '0'
								: file_name.p[i] - 'a' + 10);
	return (int64_t)(at >> 2);
}

/* The name of the key's file, and its byte in the file lock: 62 bits of the same hash. */
static void set_name(struct part *part, const char *key)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	size_t at;

	EVP_Digest(key, strlen(key), hash, &n, EVP_sha256(), NULL);
	at = (size_t)snprintf(part->name, sizeof(part->name), "tmp/");
	for (unsigned int i = 0; i < 20; i++)
		at += (size_t)snprintf(part->name + at, sizeof(part->name) - at, "%02x", hash[i]);
	snprintf(part->name + at, sizeof(part->name) - at, ".part");
	part->lock_at = lock_at(str_skip(str_of(part->name), strlen("tmp/")));
}

/* Does the name belong to the file that we hold open? 1; 0: to another one; -1: to none. */
static int is_named(struct store *store, const struct part *part)
{
	struct stat here, there;

	if (part->fd < 0 || fstat(part->fd, &here) != 0 ||
	    fstatat(store_dirfd(store), part->name, &there, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	return here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static int spool_open(struct err *err)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = memfd_create("goproxy-spool", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(err, "cannot make a temporary file");
	return fd;
}

/* 1: it is ours; 0: another has it; -1: locks don't work here, errno tells why. */
static int lock_byte(int lock_fd, int64_t at)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	int rc;

	do {
		rc = fcntl(lock_fd, F_OFD_SETLK, &lock);
	} while (rc != 0 && errno == EINTR);
	return rc == 0 ? 1 : errno == EAGAIN || errno == EACCES ? 0 : -1;
}

int part_begin(struct store *store, const char *key, struct part *part, struct err *err)
{
	int locked;

	*part = (struct part){ .fd = -1 };
	set_name(part, key);
	part->lock_fd = store_lock_fd(store, err);
	locked = part->lock_fd < 0 ? -1 : lock_byte(part->lock_fd, part->lock_at);
	if (locked < 0 && part->lock_fd >= 0)
		err_errno(err, "cannot lock the file 'lock'");
	part->has_lock = locked > 0;
	part->role = locked < 0 ? PART_SPOOL : locked > 0 ? PART_HOLDER : PART_FOLLOWER;
	if (part->role == PART_FOLLOWER)
		return 0;
	/* What a crash left under this name: before a follower takes it for ours. */
	if (part->role == PART_HOLDER)
		unlinkat(store_dirfd(store), part->name, 0);
	part->is_in_memory = true;
	part->fd = memfd_create("goproxy-part", MFD_CLOEXEC);
	if (part->fd >= 0)
		return 0;
	err_errno(err, "cannot make a file in memory");
	part_close(part);
	return -1;
}

bool part_take_over(struct store *store, struct part *part, bool *is_gone)
{
	struct part_record record;
	struct stat st;
	int locked = lock_byte(part->lock_fd, part->lock_at);

	part->has_lock = locked > 0;
	*is_gone = locked < 0 || (locked > 0 && is_named(store, part) != 1);
	if (*is_gone)
		unlock(part);
	if (locked <= 0 || *is_gone)
		return false;
	part->role = PART_HOLDER;
	part->write_bytes = 0;
	/* A holder that died while it committed has cut the record off. */
	if (part_watch(store, part, &record))
		part->valid_bytes = record.valid_bytes;
	else if (fstat(part->fd, &st) == 0 && st.st_size < PART_RECORD_OFFSET)
		part->valid_bytes = st.st_size;
	return true;
}

bool part_is_replaced(struct store *store, const struct part *part)
{
	return is_named(store, part) == 0;
}

/* Go on in another file under the same descriptor number, which streams may use. */
static int move_to(struct part *part, int fd, struct err *err)
{
	int rc = file_copy(part->fd, fd, part->valid_bytes, err);

	if (rc == 0 && dup3(fd, part->fd, O_CLOEXEC) < 0)
		rc = err_errno(err, "cannot move to another file");
	close(fd);
	if (rc == 0)
		part->is_in_memory = false;
	return rc;
}

int part_detach(struct part *part, int64_t valid_bytes, struct err *err)
{
	int fd = spool_open(err);

	if (fd < 0)
		return -1;
	unlock(part);
	part->role = PART_SPOOL;
	part->write_bytes = 0;
	part->valid_bytes = valid_bytes;
	return move_to(part, fd, err);
}

static int move_to_spool(struct store *store, struct part *part, struct err *err)
{
	struct part_record moved = { .state = PART_MOVED };
	int fd;

	if (part->role == PART_SPOOL && !part->is_in_memory)
		return -1;
	store_complain(store, err);
	*err = (struct err){ 0 }; /* said, and got round */
	fd = spool_open(err);
	if (fd < 0)
		return -1;
	part_publish(part, &moved);
	part_discard(store, part);
	part->role = PART_SPOOL;
	return move_to(part, fd, err);
}

/* Out of memory into the file that followers look for. */
static int move_to_file(struct store *store, struct part *part, struct err *err)
{
	int fd;

	if (!part->is_in_memory)
		return 0;
	if (part->role == PART_SPOOL)
		return move_to_spool(store, part, err);
	fd = file_open(store_dirfd(store), part->name, O_RDWR | O_CREAT | O_EXCL, 0644, err);
	if (fd == FILE_ABSENT)
		fd = err_set(err, ERR_NO_SPACE, "cannot make '%s': no directory tmp", part->name);
	if (fd >= 0) {
		struct err ignored = { 0 };

		if (move_to(part, fd, err) == 0)
			return 0;
		file_remove(store_dirfd(store), part->name, &ignored);
	}
	return err->kind == ERR_NO_SPACE ? move_to_spool(store, part, err) : -1;
}

int part_reserve(struct store *store, struct part *part, int64_t length_bytes, struct err *err)
{
	int rc;

	if (move_to_file(store, part, err) != 0)
		return -1;
	do {
		rc = fallocate(part->fd, FALLOC_FL_KEEP_SIZE, 0, length_bytes);
	} while (rc != 0 && errno == EINTR);
	if (rc == 0 || (errno != ENOSPC && errno != EDQUOT && errno != EFBIG))
		return 0; /* file systems may lack it: then writing will tell */
	err_errno(err, "cannot make room for %lld bytes", (long long)length_bytes);
	return move_to_spool(store, part, err);
}

void part_rewind(struct part *part)
{
	part->write_bytes = 0;
}

int part_forget(struct part *part, struct err *err)
{
	part->write_bytes = 0;
	part->valid_bytes = 0;
	if (ftruncate(part->fd, 0) != 0)
		return err_errno(err, "cannot empty '%s'", part->name);
	return 0;
}

static int compare_bytes(const struct part *part, struct str data, struct err *err)
{
	char bytes[COPY_BYTES];
	int64_t at = part->write_bytes;

	while (data.n > 0) {
		size_t n = data.n < sizeof(bytes) ? data.n : sizeof(bytes);

		if (file_read_at(part->fd, bytes, n, at, err) != (ssize_t)n ||
		    memcmp(bytes, data.p, n) != 0)
			return err_set(err, ERR_BAD_UPSTREAM,
				       "a second try gives other bytes than the first");
		data = str_skip(data, n);
		at += (int64_t)n;
	}
	return 0;
}

int part_append(struct store *store, struct part *part, struct str data, struct err *err)
{
	if (part->write_bytes < part->valid_bytes) {
		int64_t known = part->valid_bytes - part->write_bytes;
		struct str head = str_head(data, (size_t)known);

		if (compare_bytes(part, head, err) != 0)
			return -1;
		part->write_bytes += (int64_t)head.n;
		data = str_skip(data, head.n);
	}
	if (data.n == 0)
		return 0;
	if (part->is_in_memory && part->write_bytes + (int64_t)data.n > PART_SMALL_BYTES &&
	    move_to_file(store, part, err) != 0)
		return -1;
	if (file_write_at(part->fd, data, part->write_bytes, err) != 0) {
		if (err->kind != ERR_NO_SPACE || move_to_spool(store, part, err) != 0)
			return -1;
		if (file_write_at(part->fd, data, part->write_bytes, err) != 0)
			return -1;
	}
	part->write_bytes += (int64_t)data.n;
	part->valid_bytes = part->write_bytes;
	return 0;
}

void part_publish(const struct part *part, struct part_record *record)
{
	struct err ignored = { 0 };

	if (part->role != PART_HOLDER || part->is_in_memory)
		return;
	record->magic = RECORD_MAGIC;
	get_boot_id(record->boot);
	record->valid_bytes = part->valid_bytes;
	record->sum = record_sum(record);
	file_write_at(part->fd, (struct str){ (const char *)record, sizeof(*record) },
		      PART_RECORD_OFFSET, &ignored);
}

bool part_watch(struct store *store, struct part *part, struct part_record *record)
{
	struct err ignored = { 0 };

	if (part->fd < 0) {
		part->fd = file_open(store_dirfd(store), part->name, O_RDWR, 0, &ignored);
		if (part->fd < 0) {
			part->fd = -1;
			return false;
		}
	}
	*record = (struct part_record){ 0 };
	return file_read_at(part->fd, record, sizeof(*record), PART_RECORD_OFFSET, &ignored) ==
		       (ssize_t)sizeof(*record) &&
	       record->magic == RECORD_MAGIC && record->sum == record_sum(record) &&
	       is_from_here(record);
}

/*
 * The lock that cmd/go takes around a zip and its .ziphash. A go command
 * that shares the store may hold it while it downloads the same zip; since
 * both end in a rename of good bytes we wait a little, then go on.
 */
static int go_lock(struct store *store, const char *zip_key, bool *has_lock)
{
	char path[STORE_KEY_MAX];
	struct err err = { 0 };
	int fd;

	snprintf(path, sizeof(path), "%.*s.lock", (int)(strlen(zip_key) - 4), zip_key);
	fd = file_open(store_dirfd(store), path, O_RDWR | O_CREAT, 0644, &err);
	*has_lock = false;
	for (int i = 0; fd >= 0 && i < GO_LOCK_TRIES && !*has_lock; i++) {
		*has_lock = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (!*has_lock)
			usleep(GO_LOCK_INTERVAL_US);
	}
	return fd;
}

static int commit_zip(struct store *store, struct part *part, const char *key, struct str ziphash,
		      struct err *err)
{
	char path[STORE_KEY_MAX];
	bool has_lock;
	int lock, rc = -1;

	snprintf(path, sizeof(path), "%.*s", (int)str_find_last(str_of(key), '/'), key);
	if (file_dir_make(store_dirfd(store), path, err) != 0)
		return -1;
	lock = go_lock(store, key, &has_lock);
	/* An upload that was taken meanwhile stands: publish.c holds the same lock. */
	if (store_key_is_private(key) &&
	    (!has_lock || faccessat(store_dirfd(store), key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)) {
		err_set(err, ERR_IO, "'%s' is there already", key);
	} else {
		snprintf(path, sizeof(path), "%shash", key);
		rc = store_put(store, path, ziphash, true, err);
	}
	if (rc == 0)
		rc = file_rename(store_dirfd(store), part->name, key, err);
	if (lock >= 0)
		close(lock);
	return rc;
}

static int commit_file(struct store *store, struct part *part, const char *key, int64_t size_bytes,
		       time_t mtime, struct str ziphash, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = mtime } };

	if (ftruncate(part->fd, size_bytes) != 0)
		return err_errno(err, "cannot cut '%s'", part->name);
	if (ziphash.n > 0)
		seal_put(part->fd, ziphash);
	if (futimens(part->fd, times) != 0)
		return err_errno(err, "cannot date '%s'", part->name);
	if (fsync(part->fd) != 0)
		return err_errno(err, "cannot flush '%s'", part->name);
	/* Somebody may have removed it, or the lock, from under us. */
	if (is_named(store, part) != 1)
		return err_set(err, ERR_IO, "'%s' isn't ours any more", part->name);
	if (ziphash.n > 0)
		return commit_zip(store, part, key, ziphash, err);
	/* Beside an upload's zip its own go.mod stands: what is there isn't replaced. */
	if (str_has_prefix(str_of(key), STR("private/download/")))
		return file_link(store_dirfd(store), part->name, key, err);
	return file_rename(store_dirfd(store), part->name, key, err);
}

int part_commit(struct store *store, struct part *part, const char *key, int64_t size_bytes, time_t mtime,
		struct str ziphash, struct err *err)
{
	if (part->role != PART_HOLDER)
		return 0;
	if (move_to_file(store, part, err) != 0 || part->role != PART_HOLDER) {
		unlock(part);
		return -1; /* that it can't be written was said */
	}
	if (commit_file(store, part, key, size_bytes, mtime, ziphash, err) != 0) {
		store_complain(store, err);
		part_discard(store, part);
		return -1;
	}
	unlock(part);
	store_is_well(store);
	return 0;
}

void part_discard(struct store *store, struct part *part)
{
	struct err ignored = { 0 };

	if (part->role != PART_HOLDER)
		return;
	if (!part->is_in_memory && is_named(store, part) == 1)
		file_remove(store_dirfd(store), part->name, &ignored);
	unlock(part);
}

void part_close(struct part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	unlock(part);
	part->fd = -1;
}

/* What lies in tmp/ under this name for age_s, and nobody holds, is of no use any more. */
static void sweep_file(int dirfd, const char *name, int age_s, int lock_fd)
{
	struct str text = str_of(name);
	bool is_part = str_has_suffix(text, STR(".part"));
	struct stat st;

	if ((!is_part && !str_has_suffix(text, STR(".tmp"))) ||
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    time(NULL) - st.st_mtime < age_s)
		return;
	if (is_part && lock_byte(lock_fd, lock_at(text)) <= 0)
		return;
	log_write(LOG_INFO, "removing 'tmp/%s', left by a crash", name);
	unlinkat(dirfd, name, 0);
}

void part_sweep(struct store *store, int age_s)
{
	struct err ignored = { 0 };
	/* Of its own: by the store's descriptor our own locks would not be seen. */
	int lock_fd = store_dirfd(store) < 0 ? -1
					     : file_open(store_dirfd(store), "lock", O_RDWR, 0, &ignored);
	DIR *dir = NULL;
	int fd = lock_fd < 0 ? -1 : file_dir_list(store_dirfd(store), "tmp", &dir, &ignored);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL)
		sweep_file(fd, entry->d_name, age_s, lock_fd);
	if (dir)
		closedir(dir);
	if (lock_fd >= 0)
		close(lock_fd); /* and with it the locks that were taken */
}
