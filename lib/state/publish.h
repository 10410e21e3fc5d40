/*
 * publish.h - versions of private modules that come from a person or a CI job,
 * rather than from a repository.
 *
 * A zip is checked as one that was fetched is, and its go.mod must name the
 * module; then .zip, .ziphash, .mod and .info lie in private/download as if they
 * had been fetched, and never change: the same content again is welcome, another
 * is refused. The .zip comes first: with it the version is taken, and whoever
 * publishes it again mends what a crash has left out.
 *
 * A module of which one version was published lives here alone: its list and
 * latest version are made of what is here, and nobody else is asked for it. That
 * is marked by the file "uploaded" beside its versions, which names the first one
 * while that is on its way, so that an upload that is broken off marks nothing. A
 * version that is here from a repository already is left to it.
 *
 * Whether the module is private, and whether who brings it may, is the caller's to ask.
 */
#ifndef STATE_PUBLISH_H
#define STATE_PUBLISH_H

#include <sys/types.h>

#include "gomod/modzip.h"
#include "state/store.h"

/* Longest go.mod that is taken, in bytes. Our limit; Go's is 16 MiB. */
#define PUBLISH_GOMOD_MAX (1U << 20)

/* A file that is being written to, below tmp/. */
struct publish {
	int fd;
	char name[128];
};

/* Begin one; the caller writes the zip to its descriptor. Returns 0 or -1. */
int publish_begin(struct store *store, struct publish *publish, struct err *err);

/*
 * Check what was written, and put it in place.
 *
 * module, version  unescaped
 * time             of the version, for .info
 * from             who brings it, for the audit log
 * h1               out, once the zip is good
 * err              ERR_BAD_REQUEST: it can't be that version, and why;
 *                  ERR_CONFLICT: that version has another content; ERR_OVERLOAD:
 *                  somebody else is publishing it; or of the disk
 *
 * Returns 0, 1 if it was there already, or -1 with *err set.
 */
int publish_commit(struct store *store, struct publish *publish, struct str module, struct str version,
		   time_t time, const char *from, char h1[MODZIP_H1_SIZE], struct err *err);

/* Close it, and remove what is left of it; after a commit, too. */
void publish_end(struct store *store, struct publish *publish);

/* All three for a zip that lies elsewhere: fd is read from its beginning. Results as above. */
int publish_zip(struct store *store, struct str module, struct str version, int fd, off_t size,
		time_t time, const char *from, char h1[MODZIP_H1_SIZE], struct err *err);

/*
 * Does it live here alone? escaped: the module's path as in URLs. Returns 1, 0, or -1 with
 * *err set: then nobody else may be asked.
 */
int publish_is_home(struct store *store, struct str escaped, struct err *err);

/* Does it lie below one that does, as packages of that one do? */
bool publish_is_below_home(struct store *store, struct str escaped);

/* Its versions, as "@v/list" has them. Returns 0 or -1. */
int publish_list(struct store *store, struct pool *pool, struct str escaped, struct str *list,
		 struct err *err);

/* The .info of a version, unescaped. Returns 0, FILE_ABSENT or -1. */
int publish_info(struct store *store, struct pool *pool, struct str escaped, struct str version,
		 struct str *info, struct err *err);

/*
 * The .info of its latest version: the highest release, else the highest pre-release, else
 * the highest pseudo-version, as the go command has it. Returns 0, FILE_ABSENT, or -1.
 */
int publish_latest(struct store *store, struct pool *pool, struct str escaped, struct str *info,
		   struct err *err);

#endif
