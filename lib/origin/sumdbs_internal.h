/*
 * sumdbs_internal.h - what the parts of sumdbs share; nobody else's business.
 *
 * sumdbs.c: questions. sumdbs_remote.c: what they wait for. sumdbs_store.c: where a database
 * keeps what it has proven.
 */
#ifndef ORIGIN_SUMDBS_INTERNAL_H
#define ORIGIN_SUMDBS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "origin/sumdbs.h"

/* One database: the context of its sumdb_ops. */
struct database {
	struct sumdbs *home;
	const struct config_sumdb *config;
	struct sumdb *sumdb;
	atomic_bool has_alarm; /* also where no file can say so */
	atomic_bool was_seen;  /* the file with it, when it was looked for last */
};

struct sumdbs {
	const struct config *config;
	struct store *store;
	struct upstream *upstream;
	struct work *work;
	struct work *disk;
	struct database *databases; /* one for each of config->sumdb.databases */
	pthread_mutex_t flushing; /* held while lookups are written */
	pthread_mutex_t mutex;
	/* Guarded by the mutex: */
	struct remote *remotes; /* files that are wanted */
	struct write *writes;	/* lookups that aren't on the disk yet */
};

enum remote_state { REMOTE_PENDING, REMOTE_GOT, REMOTE_ABSENT, REMOTE_FAILED };

/* A file that somebody needs. All but the body while it comes: under the mutex. */
struct remote {
	struct remote *next;
	struct database *db;
	char *file;
	enum remote_state state;
	int generation; /* how often what came was rejected */
	int users;
	struct use *waiting; /* by next_waiting */
	struct upstream_call call;
	struct buf body;
	struct err err;
	struct str absent; /* lives in the call's result */
	int absent_status;
};

/* One asker's interest in a remote. */
struct use {
	struct use *next; /* of the asker */
	struct use *next_waiting;
	struct sumdb_asker *asker;
	struct remote *remote;
	int seen; /* the generation that it was given, or -1 */
	bool is_waiting;
	bool must_start, must_reject; /* once the question lets go of its locks */
	struct err why;
};

struct sumdb_asker {
	struct sumdbs *home;
	struct sumdb_call *call;
	struct use *uses;
	int pending; /* what it waits for, and 1 while it runs */
	struct sumdb_asker *next_ready;
};

/* sumdb_ops' two; context is the database, asker a struct sumdb_asker. */
enum sumdb_status remote_read(void *context, void *asker, const char *file, struct str *data,
			      struct err *err);
void remote_reject(void *context, void *asker, const char *const *files, size_t n,
		   const struct err *why);

/* Start and reject what the last round wanted; upstream may call back at once. */
void remote_go_on(struct sumdb_asker *asker);

/* One interest in it less. */
void remote_unuse(struct remote *remote);

struct database *sumdbs_database_of(struct sumdbs *sumdbs, const struct config_sumdb *sumdb);

/* A round of a question: a job. Or its end at once, in the thread that the answer came by. */
void sumdbs_run(void *arg);
bool sumdbs_finish_quickly(struct sumdb_asker *asker, const struct remote *remote);

/* The newest head was confirmed just now. */
void sumdbs_confirm(struct sumdbs *sumdbs, const struct config_sumdb *sumdb);

/* The store's side of sumdb_ops. */
void sumdbs_store_ops(struct sumdb_ops *ops);

#endif
