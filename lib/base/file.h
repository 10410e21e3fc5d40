/*
 * file.h - files below a directory descriptor, and never through a link.
 *
 * Every path is relative to dirfd and is resolved by openat2(2) with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; where the system lacks that call,
 * element by element with O_NOFOLLOW. All descriptors are close-on-exec.
 * "Not there" is an answer: functions that look return FILE_ABSENT for it.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

#define FILE_ABSENT  (-2)
#define FILE_NOT_NOW (-3)

/* Open a directory by its full path (links allowed: it is a setting). */
int file_dir_open(const char *path, struct err *err);

/* Make path and its parents, mode 0755 less umask; there already is success. */
int file_dir_make_all(const char *path, mode_t mode, struct err *err);

/* The same below dirfd. */
int file_dir_make(int dirfd, const char *path, struct err *err);

/*
 * Open with open(2)'s flags; mode is for O_CREAT. Returns a descriptor,
 * FILE_ABSENT (ENOENT, ENOTDIR, ENAMETOOLONG; *err untouched), or -1.
 */
int file_open(int dirfd, const char *path, int flags, mode_t mode,
	      struct err *err);

/* Open for reading a regular file; *st out. Results as file_open(). */
int file_open_read(int dirfd, const char *path, struct stat *st,
		   struct err *err);

/*
 * The same without waiting for a disk: FILE_NOT_NOW if what it takes isn't all
 * in memory as far as can be told, or at any error.
 */
int file_open_read_now(int dirfd, const char *path, struct stat *st);

/*
 * Open a directory for readdir(3). Returns its descriptor, which belongs to
 * *dir, and closedir(3) is the caller's; or FILE_ABSENT or -1, and *dir is NULL.
 */
int file_dir_list(int dirfd, const char *path, DIR **dir, struct err *err);

/*
 * Read a whole file of at most max_bytes into the pool.
 * Returns 0, FILE_ABSENT, or -1 (also if it is larger).
 */
int file_read_all(int dirfd, const char *path, size_t max_bytes,
		  struct pool *pool, struct str *data, struct err *err);

/*
 * Read a whole file that a setting names, by its full path (links allowed).
 * Returns 0 with *st set, or -1; being absent is a failure here.
 */
int file_read_setting(const char *path, size_t max_bytes, struct pool *pool, struct str *data,
		      struct stat *st, struct err *err);

/* All of data at the descriptor's position, or at an offset. 0 or -1. */
int file_write_all(int fd, struct str data, struct err *err);
int file_write_at(int fd, struct str data, off_t offset, struct err *err);

/*
 * Read n bytes at an offset. Returns the number read, short at the end of
 * the file, or -1.
 */
ssize_t file_read_at(int fd, void *bytes, size_t n, off_t offset,
		     struct err *err);

/* The first n bytes of one file into another, without moving either's position. 0 or -1. */
int file_copy(int from, int to, int64_t n, struct err *err);

/*
 * rename(2) below dirfd; missing parents of path are made. Returns 0 or -1.
 */
int file_rename(int dirfd, const char *from, const char *path,
		struct err *err);

/*
 * Put data at path by way of a temporary file in tmpdir, unless something is
 * there; missing parents are made. durable: its bytes are on disk before. Returns 0 if
 * it was put or there already, or -1.
 */
int file_create(int dirfd, const char *tmpdir, const char *path, struct str data, bool durable,
		struct err *err);

/* An empty file for flock(2), made as above if missing. Returns a descriptor, or -1. */
int file_open_lock(int dirfd, const char *tmpdir, const char *path, struct err *err);

/* A second name for a file, unless path is there; missing parents are made. Returns 0 or -1. */
int file_link(int dirfd, const char *from, const char *path, struct err *err);

/* A directory and all below it; absent already is success. Returns 0 or -1. */
int file_remove_tree(int dirfd, const char *path, struct err *err);

/* unlink(2) below dirfd; absent already is success. Returns 0 or -1. */
int file_remove(int dirfd, const char *path, struct err *err);

/*
 * Make a new file below tmpdir, a directory below dirfd; its path is put in
 * name. Returns a descriptor open for reading and writing, or -1.
 */
int file_temp(int dirfd, const char *tmpdir, char *name, size_t size,
	      struct err *err);

/*
 * Put data in place of path by way of a temporary file in tmpdir (a
 * directory below the same dirfd), fsync if durable, and rename(2);
 * missing parents are made. Mode 0644 less umask. Returns 0 or -1.
 */
int file_replace(int dirfd, const char *tmpdir, const char *path,
		 struct str data, bool durable, struct err *err);

#endif
