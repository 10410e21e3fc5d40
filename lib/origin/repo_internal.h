/*
 * repo_internal.h - what the files repo*.c share.
 */
#ifndef ORIGIN_REPO_INTERNAL_H
#define ORIGIN_REPO_INTERNAL_H

#include <pthread.h>

#include "origin/repo.h"

#define REPO_VCS_DIR "vcs"
#define REPO_PATH_MAX 128 /* below the place */
#define REPO_SPARE_MAX 512
#define REPO_FSCK_MAX  (1 << 20) /* bytes that git fsck may print */

/* Where copies lie: in the store, or where that can't be written, for this process alone. */
struct repo_place {
	int dirfd;
	const char *dir; /* the same, absolute */
};

struct repos {
	const struct config *config;
	struct store *store;
	struct vcs *vcs;
	struct remotes *remotes;
	pthread_mutex_t mutex;
	struct repo_place spare; /* (m) dirfd -1: not needed so far */
	char spare_dir[REPO_SPARE_MAX];
};

struct repo {
	struct repos *repos;
	struct pool *pool;
	const char *url;
	struct remote_rules rules;
	int refs_age_s;
	int64_t deadline_ms;

	struct repo_place place;
	char path[REPO_PATH_MAX]; /* below the place */
	const char *dir;	  /* the same, absolute, */
	const char *main, *graph; /* and of the two repositories */
	int use_fd;

	struct remote remote;
	bool is_reached; /* remote is filled in */

	struct repo_ref *refs;
	size_t refs_n;
	struct str refs_text; /* what ls-remote printed */
	bool has_refs;
	bool are_refs_new; /* of this job, not kept ones */
	bool has_graph;
	bool is_broken; /* git can't read what should be here; or it is odd, but whole */
	bool is_gone;	/* the copy was removed, by us or by another */
};

/* Is it lowercase hex digits; and as many as the hash of a commit has, SHA-1 or SHA-256? */
bool repo_is_hex(struct str text);
bool repo_is_hash(struct str text);

int repo_place_find(struct repos *repos, struct repo_place *place, struct err *err);
void repo_place_end(struct repos *repos);

const char *repo_home(struct repo *repo);

/* Run git with these arguments in one of the two; as vcs_output(). */
int repo_git(struct repo *repo, const char *git_dir, const struct vcs_remote *remote, int lock_fd,
	     const char *const *args, size_t output_max, struct str *output, struct err *err);

/* The same of what must be here, without a network: if git complains, the copy may be broken. */
int repo_git_here(struct repo *repo, const char *git_dir, const char *const *args, size_t output_max,
		  struct str *output, struct err *err);

/* Find out where it is. */
int repo_reach(struct repo *repo, struct err *err);

/* Ask for the refs anew, whatever is kept. */
int repo_refs_reload(struct repo *repo, struct err *err);

/* Is it still the copy that the name leads to, or was it removed meanwhile? */
bool repo_is_current(struct repo *repo);

/* Wait for the fetch lock. Returns its descriptor, or -1; is_gone is set if there is no copy to lock. */
int repo_lock(struct repo *repo, struct err *err);

/*
 * Make a bare repository at dir, if there is none: under the fetch lock. What is at
 * dir is always a whole one, for those who read without it.
 */
int repo_init(struct repo *repo, const char *dir, const char *name, struct err *err);

/* "HASH TIME" of a name in one of the two. Returns 0, FILE_ABSENT, or -1 with *err set. */
int repo_commit(struct repo *repo, const char *git_dir, const char *name, struct str *hash,
		time_t *time, struct err *err);

/* See to it that all commits of branches and tags are here. */
int repo_need_graph(struct repo *repo, struct err *err);

#endif
