#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define COPY_BYTES 65536
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)

static bool is_absent(int number)
{
	return number == ENOENT || number == ENOTDIR || number == ENAMETOOLONG;
}

int file_dir_open(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "cannot open the directory '%s'", path);
	return fd;
}

/* Call mkdir(2) for each leading part of path. */
static int make_parts(const char *path, mode_t mode, struct err *err)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return err_set(err, ERR_IO, "cannot make '%s': path too long",
			       path);
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i] != '\0')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return err_errno(err, "cannot make the directory '%s'",
					 part);
		part[i] = i < n ? '/' : '\0';
	}
	return 0;
}

int file_dir_make_all(const char *path, mode_t mode, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return make_parts(path, mode, err);
}

/* For kernels and sandboxes without openat2(2): one element at a time. */
static int open_by_elements(int dirfd, const char *path, int flags, mode_t mode)
{
	char part[PATH_MAX];
	const char *slash;
	int at = dirfd;

	while ((slash = strchr(path, '/')) != NULL) {
		size_t n = (size_t)(slash - path);
		int next;

		if (n == 0 || n > NAME_MAX || (n == 2 && path[0] == '.' && path[1] == '.')) {
			errno = n > NAME_MAX ? ENAMETOOLONG : EXDEV;
			next = -1;
		} else {
			memcpy(part, path, n);
			part[n] = '\0';
			next = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (at != dirfd)
			close(at);
		if (next < 0)
			return -1;
		at = next;
		path = slash + 1;
	}
	int fd = openat(at, path, flags | O_NOFOLLOW | O_CLOEXEC, mode);

	if (at != dirfd)
		close(at);
	return fd;
}

/* resolve: RESOLVE_* beyond those that hold always; -1 with ENOSYS where they can't be had. */
static int open_below(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	static atomic_bool lacks_openat2;
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = (flags & O_CREAT) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | resolve,
	};
	int fd;

	if (!atomic_load(&lacks_openat2)) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
			return fd;
		atomic_store(&lacks_openat2, errno == ENOSYS);
	}
	if (resolve) {
		errno = ENOSYS;
		return -1;
	}
	return open_by_elements(dirfd, path, flags, mode);
}

int file_open(int dirfd, const char *path, int flags, mode_t mode,
	      struct err *err)
{
	int fd = open_below(dirfd, path, flags, mode, 0);

	if (fd >= 0)
		return fd;
	if (is_absent(errno))
		return FILE_ABSENT;
	return err_errno(err, "cannot open '%s'", path);
}

static int stat_regular(int fd, const char *path, struct stat *st, struct err *err)
{
	if (fstat(fd, st) != 0) {
		err_errno(err, "cannot stat '%s'", path);
		close(fd);
		return -1;
	}
	if (!S_ISREG(st->st_mode)) {
		close(fd);
		return FILE_ABSENT;
	}
	return fd;
}

int file_open_read(int dirfd, const char *path, struct stat *st,
		   struct err *err)
{
	int fd = file_open(dirfd, path, READ_FLAGS, 0, err);

	return fd < 0 ? fd : stat_regular(fd, path, st, err);
}

int file_open_read_now(int dirfd, const char *path, struct stat *st)
{
	struct err err = { 0 };
	char byte;
	struct iovec first = { &byte, 1 };
	int fd = open_below(dirfd, path, READ_FLAGS, 0, RESOLVE_CACHED);

	if (fd < 0)
		return is_absent(errno) ? FILE_ABSENT : FILE_NOT_NOW;
	fd = stat_regular(fd, path, st, &err);
	/* What is behind the first byte was read ahead with it. */
	if (fd >= 0 && preadv2(fd, &first, 1, 0, RWF_NOWAIT) < 0 && errno != EOPNOTSUPP) {
		close(fd);
		return FILE_NOT_NOW;
	}
	return fd == -1 ? FILE_NOT_NOW : fd;
}

int file_dir_list(int dirfd, const char *path, DIR **dir, struct err *err)
{
	int fd = file_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, err);

	*dir = fd < 0 ? NULL : fdopendir(fd);
	if (fd < 0 || *dir)
		return fd;
	err_errno(err, "cannot list '%s'", path);
	close(fd);
	return -1;
}

static int read_and_close(int fd, const char *path, off_t size, size_t max_bytes, struct pool *pool,
			  struct str *data, struct err *err)
{
	ssize_t n;
	char *bytes;

	if ((uint64_t)size > max_bytes) {
		close(fd);
		return err_set(err, ERR_IO, "cannot read '%s': %lld bytes, more than %zu",
			       path, (long long)size, max_bytes);
	}
	bytes = pool_alloc(pool, (size_t)size + 1);
	n = file_read_at(fd, bytes, (size_t)size, 0, err);
	close(fd);
	if (n < 0)
		return err_wrap(err, "'%s'", path);
	*data = (struct str){ bytes, (size_t)n };
	return 0;
}

int file_read_all(int dirfd, const char *path, size_t max_bytes,
		  struct pool *pool, struct str *data, struct err *err)
{
	struct stat st;
	int fd = file_open_read(dirfd, path, &st, err);

	return fd < 0 ? fd : read_and_close(fd, path, st.st_size, max_bytes, pool, data, err);
}

int file_read_setting(const char *path, size_t max_bytes, struct pool *pool, struct str *data,
		      struct stat *st, struct err *err)
{
	/* Should it be a FIFO, this waits for nobody. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(err, "cannot open '%s'", path);
	if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		close(fd);
		return err_set(err, ERR_IO, "cannot read '%s': not a regular file", path);
	}
	return read_and_close(fd, path, st->st_size, max_bytes, pool, data, err);
}

int file_write_all(int fd, struct str data, struct err *err)
{
	while (data.n > 0) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "cannot write");
		data = str_skip(data, (size_t)n);
	}
	return 0;
}

int file_write_at(int fd, struct str data, off_t offset, struct err *err)
{
	while (data.n > 0) {
		ssize_t n = pwrite(fd, data.p, data.n, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "cannot write");
		data = str_skip(data, (size_t)n);
		offset += n;
	}
	return 0;
}

ssize_t file_read_at(int fd, void *bytes, size_t n, off_t offset,
		     struct err *err)
{
	size_t have = 0;

	while (have < n) {
		ssize_t got = pread(fd, (char *)bytes + have, n - have,
				    offset + (off_t)have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, "cannot read");
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

/*
 * Open, and make if need be, a directory below dirfd, element by element and
 * through no link: mkdirat(2) and renameat(2) would follow them.
 */
static int open_dir(int dirfd, struct str path, struct err *err)
{
	char name[NAME_MAX + 1];
	struct str element;
	int at = dirfd;

	while (str_cut(&path, '/', &element)) {
		int next;

		if (element.n == 0 || element.n > NAME_MAX) {
			errno = ENAMETOOLONG;
			next = -1;
		} else {
			memcpy(name, element.p, element.n);
			name[element.n] = '\0';
			next = open_below(at, name, O_PATH | O_DIRECTORY, 0, 0);
			if (next < 0 && errno == ENOENT &&
			    (mkdirat(at, name, 0755) == 0 || errno == EEXIST))
				next = open_below(at, name, O_PATH | O_DIRECTORY, 0, 0);
		}
		if (next < 0)
			err_errno(err, "cannot make the directory '%.*s'", STR_ARG(element));
		if (at != dirfd)
			close(at);
		if (next < 0)
			return -1;
		at = next;
	}
	return at;
}

int file_dir_make(int dirfd, const char *path, struct err *err)
{
	int fd = open_dir(dirfd, str_of(path), err);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* Open the directory that path lies in, as it is: errno tells why not. */
static int open_parent(int dirfd, const char *path, const char **name)
{
	char parent[PATH_MAX];

	*name = strrchr(path, '/');
	if (!*name) {
		*name = path;
		return open_below(dirfd, ".", O_PATH | O_DIRECTORY, 0, 0);
	}
	if (*name == path || (size_t)(*name - path) >= sizeof(parent)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(parent, path, (size_t)(*name - path));
	parent[(*name)++ - path] = '\0';
	return open_below(dirfd, parent, O_PATH | O_DIRECTORY, 0, 0);
}

int file_remove(int dirfd, const char *path, struct err *err)
{
	const char *name;
	int fd = open_parent(dirfd, path, &name);
	int rc = fd < 0 ? -1 : unlinkat(fd, name, 0);

	if (rc != 0 && !is_absent(errno))
		err_errno(err, "cannot remove '%s'", path);
	else
		rc = 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The same, made if it is missing. */
static int make_parent(int dirfd, const char *path, const char **name, struct err *err)
{
	int fd = open_parent(dirfd, path, name);

	if (fd < 0 && errno == ENOENT)
		fd = open_dir(dirfd, (struct str){ path, (size_t)(*name - 1 - path) }, err);
	else if (fd < 0)
		err_errno(err, "cannot open the directory of '%s'", path);
	return fd;
}

int file_copy(int from, int to, int64_t n, struct err *err)
{
	char bytes[COPY_BYTES];

	for (int64_t at = 0; at < n;) {
		size_t want = n - at < COPY_BYTES ? (size_t)(n - at) : COPY_BYTES;
		ssize_t got = file_read_at(from, bytes, want, at, err);

		if (got <= 0)
			return got < 0 ? -1 : err_set(err, ERR_IO, "the file shrank while it was read");
		if (file_write_at(to, (struct str){ bytes, (size_t)got }, at, err) != 0)
			return -1;
		at += got;
	}
	return 0;
}

int file_rename(int dirfd, const char *from, const char *path, struct err *err)
{
	const char *name;
	int fd = make_parent(dirfd, path, &name, err);
	int rc;

	if (fd < 0)
		return -1;
	rc = renameat(dirfd, from, fd, name);
	if (rc != 0)
		err_errno(err, "cannot rename '%s' to '%s'", from, path);
	close(fd);
	return rc;
}

int file_link(int dirfd, const char *from, const char *path, struct err *err)
{
	const char *name;
	int fd = make_parent(dirfd, path, &name, err);
	int rc = 0;

	if (fd < 0)
		return -1;
	if (linkat(dirfd, from, fd, name, 0) != 0 && errno != EEXIST)
		rc = err_errno(err, "cannot link '%s' to '%s'", from, path);
	close(fd);
	return rc;
}

/* What is below an open directory, which is closed. True if all of it is gone. */
static bool remove_below(int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;
	bool is_empty = true;

	if (!dir) {
		close(fd);
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;
		int below;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(fd, name, 0) == 0)
			continue;
		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0 || !remove_below(below) || unlinkat(fd, name, AT_REMOVEDIR) != 0)
			is_empty = false;
	}
	closedir(dir);
	return is_empty;
}

int file_remove_tree(int dirfd, const char *path, struct err *err)
{
	int fd = file_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, err);
	const char *name;
	int parent, rc;

	if (fd < 0)
		return fd == FILE_ABSENT ? 0 : -1;
	remove_below(fd);
	parent = open_parent(dirfd, path, &name);
	rc = parent < 0 ? -1 : unlinkat(parent, name, AT_REMOVEDIR);
	if (rc != 0)
		err_errno(err, "cannot remove '%s'", path);
	if (parent >= 0)
		close(parent);
	return rc;
}

int file_temp(int dirfd, const char *tmpdir, char *name, size_t size,
	      struct err *err)
{
	static atomic_uint counter;
	struct timespec now;
	int fd;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, size, "%s/t%d-%llx-%x.tmp", tmpdir, (int)getpid(),
		 (unsigned long long)now.tv_sec * 1000000000U + (unsigned long long)now.tv_nsec,
		 atomic_fetch_add(&counter, 1));
	fd = open_below(dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0644, 0);
	if (fd < 0)
		return err_errno(err, "cannot make '%s'", name);
	return fd;
}

int file_replace(int dirfd, const char *tmpdir, const char *path,
		 struct str data, bool durable, struct err *err)
{
	char tmp[PATH_MAX];
	int rc = -1;
	int fd = file_temp(dirfd, tmpdir, tmp, sizeof(tmp), err);

	if (fd < 0)
		return err_wrap(err, "replacing '%s'", path);
	if (file_write_all(fd, data, err) != 0) {
		err_wrap(err, "'%s'", tmp);
		goto out;
	}
	if (durable && fsync(fd) != 0) {
		err_errno(err, "cannot flush '%s'", tmp);
		goto out;
	}
	/* A reader sees the old bytes or the new ones, never a part. */
	rc = file_rename(dirfd, tmp, path, err);
out:
	close(fd);
	if (rc != 0)
		unlinkat(dirfd, tmp, 0);
	return rc;
}

int file_create(int dirfd, const char *tmpdir, const char *path, struct str data, bool durable,
		struct err *err)
{
	char tmp[PATH_MAX];
	int fd = file_temp(dirfd, tmpdir, tmp, sizeof(tmp), err);
	int rc;

	if (fd < 0)
		return -1;
	rc = file_write_all(fd, data, err);
	if (rc == 0 && durable && fsync(fd) != 0)
		rc = err_errno(err, "cannot flush '%s'", tmp);
	close(fd);
	/* link(2), since rename(2) would replace what another has put there since. */
	if (rc == 0)
		rc = file_link(dirfd, tmp, path, err);
	unlinkat(dirfd, tmp, 0);
	return rc;
}

int file_open_lock(int dirfd, const char *tmpdir, const char *path, struct err *err)
{
	int fd = file_open(dirfd, path, O_RDWR | O_CREAT, 0644, err);

	/* The first one makes the directory. */
	if (fd == FILE_ABSENT && file_create(dirfd, tmpdir, path, STR(""), false, err) == 0)
		fd = file_open(dirfd, path, O_RDWR, 0, err);
	if (fd == FILE_ABSENT)
		fd = err->kind == ERR_NONE ? err_set(err, ERR_IO, "cannot open the lock '%s'", path) : -1;
	return fd;
}
