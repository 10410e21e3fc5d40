/*
 * verify_internal.h - what the parts of verify share; nobody else's business.
 *
 * verify.c: the command, what it walks through, what it says.
 * verify_check.c: one version, one file of a database. verify_repair.c: what is
 * fetched again.
 */
#ifndef PROGRAM_VERIFY_INTERNAL_H
#define PROGRAM_VERIFY_INTERNAL_H

#include <pthread.h>

#include "program/responder.h"
#include "program/verify.h"

#define VERIFY_DEPTH_MAX   128
#define VERIFY_REPAIRS_MAX 10000

struct verify {
	const struct config *config;
	const struct verify_options *options;
	struct responder rooms;
	struct work *work;
	int dirfd;
	int64_t started_ms, shown_ms;
	bool is_terminal;

	pthread_mutex_t mutex; /* guards what follows, and standard output */
	pthread_cond_t has_room;
	bool has_unread; /* a directory */
	int queued, queue_max;
	int64_t files, files_all, bytes, bytes_all;
	int64_t proven, unproven, unchecked, wrong, repaired;
	bool is_for_tiles; /* of the databases' files, those; else the lookups */
	int64_t exposed;   /* modules that are private, in the public part */
	int64_t left; /* what --repair couldn't mend, of earlier runs, too */
	/* Of databases: "download/sumdb/NAME/...", found in this run. Else "MODULE/@v/VERSION.zip". */
	char *repairs[VERIFY_REPAIRS_MAX];
	size_t repairs_n;
};

/* One file, counted and said; keys begin with "download/" or "private/download/". */
void verify_count(struct verify *v, int64_t *counter, int64_t bytes);
void verify_say(struct verify *v, const char *verdict, const char *key, const char *why);
void verify_note_unproven(struct verify *v, const char *key, int64_t bytes, const char *why);
/*
 * Out of the way, from where --repair fetches it again. Counted and said when the store
 * puts it away: by this, or because a proof that another file needs has found it wrong.
 */
void verify_note_wrong(struct verify *v, const char *key, int64_t bytes, const char *why);
/* A module's directory of versions, in the wrong part of the store. */
void verify_note_exposed(struct verify *v, const char *path);
void verify_note_repaired(struct verify *v, const char *key, const char *how);

/* Is it a file of a version that is looked at: .info, .mod, .zip? */
bool verify_is_object(const char *name);

/* "download/MODULE/@v": each of its versions. "download/sumdb/NAME/...": that file. */
void verify_module(struct verify *v, const char *path);
void verify_database_file(struct verify *v, const char *path);
void verify_repair_database_file(struct verify *v, const char *path);

/* Fetch again what this run has put away of the databases. */
void verify_repair_databases(struct verify *v);

/* The same of modules; and what earlier runs have. */
void verify_repair(struct verify *v);

#endif
