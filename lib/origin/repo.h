/*
 * repo.h - what we have of a git repository: a bare copy of the commits that
 * were asked for, below DIR/vcs, shared by all processes.
 *
 *   vcs/HASH/url      the repository's URL; HASH is SHA-256 of it, and of whether we say who we are
 *   vcs/HASH/refs     what git ls-remote said last, and when (mtime)
 *   vcs/HASH/main/    single commits with their files, each under refs/at/COMMIT; and all
 *                     that branches and tags lead to, if the server gives out no others
 *   vcs/HASH/graph/   all commits of branches, tags and HEAD, without files where the
 *                     server can leave them out; made when ancestors are asked for
 *   vcs/HASH/lock     held by who fetches, and by the git that he started
 *   vcs/HASH/sound    its mtime: when git last complained of the repository, but the copy was whole
 *   vcs/HASH/use      held shared by users, alone by who sweeps; its mtime: last use
 *
 * A copy is removed as a whole, by one rename. Who sweeps takes none that is in use;
 * who finds one damaged does, and the others find out by the file use: repo_forget_broken().
 *
 * The rules are those of cmd/go's codehost/git.go: which names stand for which
 * commit, and that no commit counts that no branch or tag leads to. All that a
 * repo gives out lives in its pool. A repo is one thread's, and one job's.
 */
#ifndef ORIGIN_REPO_H
#define ORIGIN_REPO_H

#include "origin/remote.h"
#include "state/store.h"

struct repos;
struct repo;

struct repos *repos_new(const struct config *config, struct store *store, struct fetch *fetch);
void repos_free(struct repos *repos);
struct remotes *repos_remotes(struct repos *repos);
/* "git version 2.39.5"; or -1 with *err set. */
int repos_git_version(struct repos *repos, struct pool *pool, struct str *text, struct err *err);
bool repos_are_usable(const struct repos *repos, struct err *err);

/*
 * Nothing is asked yet.
 *
 * url          as Origin shows it
 * rules        by what it may be asked
 * refs_age_s   what ls-remote said may be so old
 * deadline_ms  for all that is done with it
 *
 * NULL with *err set if there is no room for it on the disk.
 */
struct repo *repo_open(struct repos *repos, struct pool *pool, const char *url,
		       const struct remote_rules *rules, int refs_age_s, int64_t deadline_ms, struct err *err);
void repo_close(struct repo *repo);
const char *repo_url(const struct repo *repo);

/* Where it really is, by which protocol, as far as that is found out: for people. */
int repo_where(struct repo *repo, struct str *text, struct err *err);

struct repo_ref {
	struct str name; /* "HEAD", "refs/heads/main", "refs/tags/v1.0.0" */
	struct str hash; /* of the commit, also for an annotated tag */
};

/*
 * HEAD, branches and tags, sorted by name. Returns 0, or -1 with *err set:
 * ERR_NOT_FOUND if there is no such repository.
 */
int repo_refs(struct repo *repo, const struct repo_ref **refs, size_t *n, struct err *err);

/*
 * What isn't there by the refs that are kept may be there by newer ones: ask for them, if
 * kept ones were used. *have_changed: they aren't the same. Returns 0, or -1 with *err set.
 */
int repo_refs_renew(struct repo *repo, bool *have_changed, struct err *err);

struct repo_rev {
	struct str hash;
	struct str short_hash; /* as in pseudo-versions */
	struct str ref;	       /* that leads to it; empty: HEAD, or none does */
	struct str tag;	       /* the tag that was asked for; empty if it wasn't one */
	time_t time;
};

/*
 * The commit that a tag, a branch, HEAD or a hash of at least seven digits names, be it the
 * commit's or an annotated tag's. Its files are here afterwards. Returns 0, or -1:
 * ERR_NOT_FOUND, "unknown revision X".
 */
int repo_stat(struct repo *repo, struct str name, struct repo_rev *rev, struct err *err);

/*
 * The same for a whole hash that was looked up before, whatever leads to it now: no network
 * if it still is here. ERR_NOT_FOUND: the server hasn't got it any more.
 */
int repo_stat_kept(struct repo *repo, struct str hash, struct repo_rev *rev, struct err *err);

/* A file of a commit that repo_stat() gave. Returns 0, FILE_ABSENT, or -1. */
int repo_read_file(struct repo *repo, struct str hash, const char *path, size_t max_bytes,
		   struct str *data, struct err *err);

/* The names of all tags (without "refs/tags/") that lead to the commit, or to one before it. */
int repo_merged_tags(struct repo *repo, struct str hash, struct str **tags, size_t *n,
		     struct err *err);

/* Is ancestor the commit itself, or one before it? */
int repo_descends(struct repo *repo, struct str hash, struct str ancestor, bool *is_it,
		  struct err *err);

/* All files of a commit below a directory ("": the root), as git ls-tree -z -l lists them. */
int repo_list_files(struct repo *repo, struct str hash, const char *dir, struct str *listing,
		    struct err *err);

/*
 * The same with their bytes, as git archive makes a tar of them: see vcs_read(), vcs_finish().
 * ERR_NOT_FOUND if git lets no file have such a name (".git/config").
 */
struct vcs_process *repo_archive(struct repo *repo, struct str hash, const char *dir,
				 struct err *err);
int repo_archive_finish(struct repo *repo, struct vcs_process *process, struct err *err);

/*
 * After a failure: if git couldn't read what should be here, and that is because the copy is
 * damaged, remove it, unless another was quicker. What is wrong with the repository itself is
 * no damage. True if the copy has gone: opened anew, it begins empty.
 */
bool repo_forget_broken(struct repo *repo);

/* Remove what wasn't used for keep_days, and the oldest of what is over the quota. */
void repos_sweep(struct repos *repos);

#endif
