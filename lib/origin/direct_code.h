/*
 * direct_code.h - for direct*.c alone: one module in one repository, by the
 * rules of cmd/go's modfetch/coderepo.go. Its words: code directory (where the
 * module is within the repository), path major ("/v2", ".v1").
 *
 * What can't be is ERR_NOT_FOUND, with cmd/go's reason.
 */
#ifndef ORIGIN_DIRECT_CODE_H
#define ORIGIN_DIRECT_CODE_H

#include "gomod/info.h"
#include "gomod/modfile.h"
#include "origin/discovery.h"
#include "origin/repo.h"

struct code {
	struct pool *pool;
	struct repo *repo;
	struct str module;
	struct str root;
	struct str dir; /* without slash at either end; empty: the root */
	struct str path_prefix, path_major;
	struct str pseudo_major;

	bool knows_retractions;
	struct modfile_interval *retractions;
	size_t retractions_n;
};

int code_open(struct code *code, struct pool *pool, struct repo *repo, struct str module,
	      const struct discovery *found, struct err *err);

/*
 * The versions that tags stand for, sorted: compatible ones, then +incompatible. Only those
 * that begin so; which majors are +incompatible is decided among them, as in cmd/go.
 */
int code_versions(struct code *code, struct str begin, struct str **list, size_t *n, struct err *err);

/*
 * What a version or a query stands for: the .info, Origin included. "latest" and
 * "upgrade" are the newest release that isn't retracted, else the newest pre-release,
 * else HEAD; "v1" and "v1.2" the same among those that begin so. All other queries
 * name a branch, a tag or a commit.
 */
int code_stat(struct code *code, struct str version, struct repo_rev *rev, struct info *info,
	      struct err *err);
int code_latest(struct code *code, struct repo_rev *rev, struct info *info, struct err *err);

/*
 * Where the module is in that commit. gomod is out, p NULL: it has no go.mod.
 * version is for the text of errors.
 */
int code_find_dir(struct code *code, const struct repo_rev *rev, struct str version, struct str *dir,
		  struct str *gomod, struct err *err);

/* go.mod of the commit, or the one that stands for it if it has none. */
int code_gomod(struct code *code, const struct repo_rev *rev, struct str version, struct str *gomod,
	       struct err *err);

/* Make its zip, in pieces, as they come. */
int code_zip(struct code *code, const struct repo_rev *rev, struct str version,
	     int (*on_bytes)(void *arg, struct str bytes, struct err *err), void *arg, struct err *err);

/* Shared by the files of code: the part of a tag behind the directory, false if it isn't ours. */
bool code_tag_version(const struct code *code, struct str tag, struct str *version, bool *is_canonical);
struct str code_tag_prefix(const struct code *code);
bool code_is_retracted(struct code *code, struct str version);
struct str code_revision(struct code *code, struct str version);

/* The version of a commit, which was asked for by that name (empty: @latest), with its origin. */
int code_convert(struct code *code, const struct repo_rev *rev, struct str asked, struct info *info,
		 struct err *err);
/* What the tags with that prefix are now, into the origin. */
int code_set_tag_sum(struct code *code, struct str prefix, struct info *info, struct err *err);
void code_clean_origin(struct info *info);

#endif
