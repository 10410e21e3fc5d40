/*
 * store.h - the shared disk cache: what is in it, and how things get there.
 *
 * Below the cache directory:
 *   download/   Go's own GOMODCACHE/cache/download: canonical versions and
 *               the checksum database's immutable files, never changed
 *   mutable/    lists, @latest, answers to queries, tree heads; a file's
 *               mtime is the time at which it was last confirmed
 *   absent/     what an authority said isn't there, by hash of the key;
 *               mtime as above
 *   sumdb/      of each checksum database the newest tree head that was proven,
 *               and the evidence where one has signed two histories
 *   pins/       what was kept without proof, a file with its hash for each
 *   quarantine/ what was found to be wrong, under its old path and the time
 *   audit.log   see audit.h
 *   private/    download/, mutable/, absent/ and quarantine/ of private modules,
 *               for no other user's eyes unless the administrator says so
 *   tmp/        partial files (see part.h) and those about to be renamed
 *   lock        who fetches what, a byte a key
 *
 * A key is an object's path below the cache directory, such as
 * "download/example.com/!upper/@v/v1.0.0.mod", behind "private/" if the module is. Any number of processes and
 * hosts may use one store; everything appears by rename(2).
 *
 * A store that can't be used is no failure: looking finds nothing, writing
 * gives ERR_NO_SPACE, and the first such write is logged loudly.
 */
#ifndef STATE_STORE_H
#define STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"

/* Longest key, in bytes with the NUL. */
#define STORE_KEY_MAX 3072

struct store;

struct store_file {
	int fd; /* the caller closes it */
	int64_t size_bytes;
	time_t mtime;
};

/* Of a key below download/ or private/download/: what it is beneath that. */
const char *store_object(const char *key);
bool store_key_is_private(const char *key);

/*
 * Was something confirmed at mtime confirmed less than ttl_s ago? What lies
 * further in the future than that was written by a wrong clock: it wasn't.
 */
bool store_is_fresh(time_t mtime, int ttl_s);

/* The whole of a file below dirfd that was written less than ttl_s ago; false if there is none. */
bool store_read_fresh(int dirfd, const char *path, int ttl_s, size_t max_bytes, struct pool *pool,
		      struct str *text);

struct store_absence {
	int status;	 /* 404 or 410 */
	struct str type; /* Content-Type of the text */
	struct str text; /* as the authority wrote it */
	time_t mtime;
};

/* Never NULL. dir is made if missing. The string is copied. */
struct store *store_open(const char *dir);
void store_close(struct store *store);

/* Descriptor of the cache directory, or -1; the store keeps it. */
int store_dirfd(const struct store *store);

/*
 * Descriptor of the file "lock", or FILE_ABSENT or -1 as file_open(); the
 * store keeps it. Locks taken by it exclude other processes, not ourselves.
 */
int store_lock_fd(struct store *store, struct err *err);

/* Returns 0 with *file set, FILE_ABSENT, or -1: then warn and go on. */
int store_find(struct store *store, const char *key, struct store_file *file,
	       struct err *err);

/* The same without waiting for a disk; FILE_NOT_NOW: store_find() tells. */
int store_find_now(struct store *store, const char *key, struct store_file *file);

/* Put a small object in place. durable: its bytes are on disk before. */
int store_put(struct store *store, const char *key, struct str data,
	      bool durable, struct err *err);

/*
 * Replace a small file if it still is old (empty: if it isn't there), under a
 * lock that all processes take; flushed before this returns.
 * Returns 0, 1 if something else is there, or -1.
 */
int store_swap(struct store *store, const char *key, struct str old, struct str data,
	       struct err *err);

/*
 * Move a file that is wrong to quarantine/, so that it is served no more. Says
 * so loudly, and in the audit log. Returns 0, or -1 if it can't be moved: then
 * it is removed, if that can be done.
 */
int store_quarantine(struct store *store, const char *key, const char *why);

/* Who wants to hear of each file that is put away; to be set before other threads use the store. */
void store_on_quarantine(struct store *store, void (*hear)(void *arg, const char *key, const char *why),
			 void *arg);

/* It was confirmed just now. */
void store_touch(struct store *store, const char *key);

/* Forget a mutable object; absent already is success. */
void store_remove(struct store *store, const char *key);

/*
 * Remember, or find within ttl_s seconds, that key isn't there. Looking
 * returns true if it is remembered; texts live as long as the pool.
 */
void store_absence_put(struct store *store, const char *key,
		       const struct store_absence *absence);
bool store_absence_find(struct store *store, const char *key, int ttl_s,
			struct pool *pool, struct store_absence *absence);

/* It may be there now. */
void store_absence_remove(struct store *store, const char *key);

/*
 * Note in download/MODULE/@v/list that a version is here, as cmd/go does
 * for GOPROXY=file://; the key is that of the version's .info file. Returns 0 or -1.
 */
int store_list_add(struct store *store, const char *info_key, struct err *err);

/*
 * Tell about a write that failed: loudly the first time since one went
 * well, else at debug level.
 */
void store_complain(struct store *store, const struct err *err);
void store_is_well(struct store *store);

/* Remove absences older than ttl_s. For tmp/ see part_sweep(). */
void store_absence_sweep(struct store *store, int ttl_s);

#endif
