/*
 * sumdb_internal.h - what the parts of sumdb share; nobody else's business.
 *
 * sumdb.c: questions, heads and tiles. sumdb_lookup.c: records. sumdb_head.c: the newest head and its merging with
 * others. sumdb_tiles.c: tiles, from memory, from what is kept, from afar.
 */
#ifndef ORIGIN_SUMDB_INTERNAL_H
#define ORIGIN_SUMDB_INTERNAL_H

#include <pthread.h>

#include "gomod/note.h"
#include "origin/sumdb.h"

/*
 * Proven tiles that are kept in memory, at most 8 KB each: those of the upper
 * levels, which nearly every proof needs, and the last ones of the lowest.
 */
#define TILES_KEPT 64

/* Heads that were found to be on our way lately; lookups come with old ones. */
#define HEADS_KEPT 16

/*
 * Proven answers to lookups, by a hash of their name: the .zip comes soon
 * after the .mod, and perhaps before its file is on the disk.
 */
#define LOOKUPS_KEPT 256

struct kept_lookup {
	char *file;
	char *message;
	size_t n;
};

struct kept_tile {
	struct tlog_tile tile; /* width 0: a free place */
	char *data;
	uint64_t used_at;
};

struct head {
	struct str message; /* the whole signed note */
	struct tlog_tree tree;
};

struct sumdb {
	struct sumdb_ops ops;
	char *key;
	struct note_verifier verifier; /* points into key */
	pthread_mutex_t mutex;
	struct head latest; /* its message is on the heap; empty: no tree yet */
	struct str stored;  /* what was last seen where heads are kept */
	struct str heads[HEADS_KEPT];
	size_t heads_n;
	struct kept_tile tiles[TILES_KEPT];
	struct kept_lookup lookups[LOOKUPS_KEPT];
	uint64_t clock; /* of the tiles' use */
};

/* One turn of a question. */
struct question {
	struct sumdb *db;
	void *asker; /* NULL: nobody is asked */
	struct pool *pool;
	bool is_waiting; /* something was asked for, or rejected: ask again then */
	bool must_retry; /* what was kept was wrong: once more, without it */
	struct tlog_tile *unsaved;    /* proven in a tree that isn't ours yet */
	struct str *unsaved_data;
	size_t unsaved_n;
	bool must_not_save;
	bool is_strict; /* nothing counts as proven before */
	/*
	 * What is kept didn't fit into the tree, which may be the tree's fault as
	 * long as it isn't ours: do without it this time.
	 */
	bool must_ignore_kept;
	bool is_quick;	    /* neither disk nor network is looked at */
	bool has_refreshed; /* read what other processes have proven */
};

/* Something from afar; without an asker SUMDB_WAIT. Then: it was wrong. */
enum sumdb_status question_read(struct question *q, const char *file, struct str *data,
				struct err *err);
void question_reject(struct question *q, const char *const *files, size_t n,
		     const struct err *why);

/* Unless something else is to blame, what came under this name is. */
enum sumdb_status question_reject_file(struct question *q, const char *file,
				       const struct err *err);

/* A proof that fails doesn't say whose fault that is: here it is the database's. -1. */
int question_fail(struct err *err);

/* What a return value of 0 or -1 means, if something is waited for. */
enum sumdb_status question_status(const struct question *q, int rc);

/*
 * The first try, or the next one, without what was in the way of the last.
 * False, with *err set: an alarm stands. What a try found out may have raised
 * one: question_end() looks.
 */
bool question_begin(struct question *q, struct err *err);
enum sumdb_status question_end(const struct question *q, enum sumdb_status status,
			       struct err *err);

/* What is kept and is wrong is put away; each time there is less of it. */
#define QUESTION_TRIES_MAX 8

/* For tlog_read_...(); its context is the question. */
struct tlog_tile_reader question_reader(struct question *q);
void question_save_unsaved(struct question *q);

/* Free all that is kept in memory. */
void sumdb_tiles_clear(struct sumdb *db);
void sumdb_forget_lookups(struct sumdb *db);

/*
 * Read what other processes have proven. Then merge a signed head with ours:
 * 0 if it is on our way, which may now lead on to it.
 */
void head_refresh(struct question *q);
bool head_is_known(const struct sumdb *db, struct str message);
int head_merge(struct question *q, struct str message, struct tlog_tree *tree, struct err *err);

#endif
