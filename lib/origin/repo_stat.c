#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "origin/repo_internal.h"

#define DETACHED	"refs/detached" /* in the graph */
#define HISTORY		"refs/all"	/* in main */
#define DEPTH_ALL	"--depth=2147483647" /* all, also where it was cut: git-fetch(1) */
#define HASH_DIGITS_MIN 7 /* fewer don't name a commit: minHashDigits of cmd/go */
#define SHORT_DIGITS	12
#define NESTING_MAX	64
#define TIME_MAX_S	253402300799 /* the end of 9999: no JSON of cmd/go's tells a later time */

int repo_commit(struct repo *repo, const char *git_dir, const char *name, struct str *hash, time_t *time,
		struct err *err)
{
	/* Not git log: that wants trees, which the graph hasn't got. */
	const char *args[] = { "rev-list", "--max-count=1", "--format=format:%H %ct", "--end-of-options",
			       name, "--", NULL };
	struct str text, line, field;
	uint64_t seconds;
	int rc;

	if (access(git_dir, F_OK) != 0)
		return FILE_ABSENT;
	rc = repo_git(repo, git_dir, NULL, -1, args, 4096, &text, err);
	/* No such ref, or no such hash. A ref to nothing is broken. */
	if (rc > 0 && (strstr(err->text, "bad revision") ||
		       (strstr(err->text, "bad object") && !str_has_prefix(str_of(name), STR("refs/")))))
		return FILE_ABSENT;
	if (rc > 0)
		repo->is_broken = true;
	if (rc != 0)
		return -1;
	if (!str_cut(&text, '\n', &line) || !str_cut(&text, ' ', &field) ||
	    !str_to_u64(str_trim(text), &seconds) || seconds > TIME_MAX_S)
		return FILE_ABSENT;
	*hash = field;
	*time = (time_t)seconds;
	return 0;
}

/*
 * What a git has left that was killed. We hold the lock: nobody else is at work. Its
 * locks would be in everybody's way for ever, and its half packs only take room.
 */
static void tidy(int dirfd, const char *path, bool is_objects, int nesting)
{
	struct err err = { 0 };
	struct dirent *entry;
	DIR *dir;
	int fd = file_dir_list(dirfd, path, &dir, &err);

	if (fd < 0)
		return;
	while ((entry = readdir(dir)) != NULL) {
		struct str name = str_of(entry->d_name);

		if (name.p[0] == '.')
			continue;
		/* No ref's name ends so: git-check-ref-format(1). */
		if (str_has_suffix(name, STR(".lock")) || (is_objects && str_has_prefix(name, STR("tmp_"))))
			unlinkat(fd, name.p, 0);
		else if (entry->d_type == DT_DIR && nesting < NESTING_MAX)
			tidy(fd, name.p, is_objects || (nesting == 0 && str_is_equal(name, STR("objects"))),
			     nesting + 1);
	}
	closedir(dir);
}

static bool is_whole(struct repo *repo, const char *dir)
{
	static const char *const names[] = { "HEAD", "config", "objects", "refs", "info/attributes" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (access(pool_printf(repo->pool, "%s/%s", dir, names[i]).p, F_OK) != 0)
			return false;
	return true;
}

int repo_init(struct repo *repo, const char *dir, const char *name, struct err *err)
{
	bool is_sha256 = repo->refs_n > 0 && repo->refs[0].hash.n == 64;
	const char *args[] = { "init", "-q", "--bare", "--template=",
			       is_sha256 ? "--object-format=sha256" : "--object-format=sha1",
			       pool_printf(repo->pool, "%s.half", dir).p, NULL };
	int dirfd = repo->place.dirfd;
	struct err ignored = { 0 };
	const char *path = pool_printf(repo->pool, "%s/%s", repo->path, name).p;
	const char *half = pool_printf(repo->pool, "%s.half", path).p;
	const char *attributes = pool_printf(repo->pool, "%s/info/attributes", half).p;

	if (is_whole(repo, dir)) {
		tidy(dirfd, path, false, 0);
		return 0;
	}
	/* What a crash has left of them. */
	file_remove_tree(dirfd, path, &ignored);
	file_remove_tree(dirfd, half, &ignored);
	if (repo_git(repo, NULL, NULL, -1, args, 4096, NULL, err) != 0)
		return err_wrap(err, "cannot make '%s'", dir);
	/* Archives are made without these two attributes, as cmd/go makes them. */
	if (file_create(dirfd, "tmp", attributes, STR("* -export-subst -export-ignore\n"), false, err) != 0)
		return -1;
	return file_rename(dirfd, half, path, err);
}

static const char *place_of(struct repo *repo, struct str hash)
{
	return pool_printf(repo->pool, "refs/at/%.*s", STR_ARG(hash)).p;
}

/* A commit is here if its ref is: that is made when all of its files are. */
static int find_kept(struct repo *repo, struct str hash, struct repo_rev *rev, struct err *err)
{
	int rc = repo_commit(repo, repo->main, place_of(repo, hash), &rev->hash, &rev->time, err);

	return rc == 0 && !str_is_equal(rev->hash, hash) ? FILE_ABSENT : rc;
}

/* After a fetch that failed: a copy that a crash has cut may be why. Then git fails for ever. */
static void look_for_damage(struct repo *repo)
{
	const char *args[] = { "fsck", "--connectivity-only", "--no-dangling", "--no-progress", NULL };
	struct err ignored = { 0 };

	repo_git_here(repo, repo->main, args, REPO_FSCK_MAX, NULL, &ignored);
}

/* Does one of these refs end at a commit, or after it? As repo_git(): above 0 if it isn't here at all. */
static int is_before(struct repo *repo, const char *git_dir, struct str hash, const char *refs,
		     const char *more_refs, bool *is_it, struct err *err)
{
	const char *args[] = { "rev-list", "--max-count=1", pool_cstr(repo->pool, hash), "--not", refs, more_refs,
			       NULL };
	struct str text = STR("");
	int rc = repo_git(repo, git_dir, NULL, -1, args, 4096, &text, err);

	*is_it = rc == 0 && text.n == 0;
	return rc;
}

/* Was all history fetched, since the server gives out no commit by its hash? */
static bool has_history(struct repo *repo)
{
	return access(pool_printf(repo->pool, "%s/" HISTORY, repo->main).p, F_OK) == 0;
}

/* A server that has only git's older protocol gives out what refs end at, and no other commit. */
static bool gives_ends_only(const struct err *err)
{
	return strstr(err->text, "unadvertised object") != NULL;
}

/* It says that it won't, or that it can't: git's words, and JGit's. */
static bool is_refused(const struct err *err)
{
	return gives_ends_only(err) || strstr(err->text, "not our ref") ||
	       (strstr(err->text, "want ") && strstr(err->text, " not valid"));
}

/* What source, a ref's name or a hash, stands for now. */
static int fetch_commit(struct repo *repo, int lock_fd, struct str source, struct str hash, struct err *err)
{
	/* With --depth=1 what is here of its history would count no more. */
	const char *args[] = { "fetch", "-q", "-f", "--no-tags", "--no-write-fetch-head",
			       has_history(repo) ? DEPTH_ALL : "--depth=1", "--end-of-options",
			       repo->remote.vcs.url,
			       pool_printf(repo->pool, "%.*s:%s", STR_ARG(source), place_of(repo, hash)).p, NULL };

	return repo_git(repo, repo->main, &repo->remote.vcs, lock_fd, args, 65536, NULL, err);
}

/* All that branches and tags lead to. Is the commit not among it, that is no failure. */
static int fetch_history(struct repo *repo, int lock_fd, struct str hash, struct err *err)
{
	static const char heads[] = "+refs/heads/*:" HISTORY "/heads/*";
	static const char tags[] = "+refs/tags/*:" HISTORY "/tags/*";
	const char *args[] = { "fetch", "-q", "-f", "--prune", "--no-tags", "--no-write-fetch-head", DEPTH_ALL,
			       "--end-of-options", repo->remote.vcs.url, heads, tags, NULL };
	const char *update[] = { "update-ref", place_of(repo, hash), pool_cstr(repo->pool, hash), NULL };
	struct err ignored = { 0 };
	bool is_it = false;
	int rc = 0;

	is_before(repo, repo->main, hash, "--glob=" HISTORY, NULL, &is_it, &ignored);
	if (!is_it) {
		rc = repo_git(repo, repo->main, &repo->remote.vcs, lock_fd, args, 65536, NULL, err);
		if (rc == 0)
			is_before(repo, repo->main, hash, "--glob=" HISTORY, NULL, &is_it, &ignored);
	}
	return is_it ? repo_git(repo, repo->main, NULL, -1, update, 4096, NULL, err) : rc;
}

/* Fetch a commit, by a ref's name or by its hash; or, source empty, by all of the history. */
static int fetch(struct repo *repo, struct str source, struct str hash, struct err *err)
{
	struct err ignored = { 0 };
	struct repo_rev kept;
	int lock_fd, rc;

	if (repo_reach(repo, err) != 0)
		return -1;
	lock_fd = repo_lock(repo, err);
	if (lock_fd < 0)
		return -1;
	rc = repo_init(repo, repo->main, "main", err);
	if (rc == 0)
		rc = find_kept(repo, hash, &kept, err); /* who had the lock before us may have brought it */
	if (rc == FILE_ABSENT) {
		/* It leads elsewhere, or was cut by a crash: then git wouldn't write it anew. */
		file_remove(repo->place.dirfd,
			    pool_printf(repo->pool, "%s/main/%s", repo->path, place_of(repo, hash)).p, &ignored);
		rc = source.n > 0 ? fetch_commit(repo, lock_fd, source, hash, err)
				  : fetch_history(repo, lock_fd, hash, err);
		if (rc > 0 && !is_refused(err))
			look_for_damage(repo);
	}
	close(lock_fd);
	return rc == 0 ? 0 : err_wrap(err, "%s", repo->url);
}

static int unknown(struct str name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "unknown revision %.*s", STR_ARG(name));
}

/* The files of a commit which ref leads to. */
static int bring(struct repo *repo, struct str ref, struct str hash, struct repo_rev *rev, struct err *err)
{
	struct err by_ref = { 0 };
	int rc = find_kept(repo, hash, rev, err);

	if (rc != FILE_ABSENT)
		return rc;
	/* By its name first: not every server gives out commits by their hash. */
	if (fetch(repo, ref, hash, &by_ref) == 0 && (rc = find_kept(repo, hash, rev, err)) != FILE_ABSENT)
		return rc;
	/* It has moved on since. */
	if (repo->is_broken || fetch(repo, hash, hash, err) != 0)
		return by_ref.kind != ERR_NONE ? (*err = by_ref, -1) : -1;
	rc = find_kept(repo, hash, rev, err);
	return rc == FILE_ABSENT ? unknown(hash, err) : rc;
}

static int fetch_between(struct repo *repo, struct str hash, struct err *err)
{
	if (!has_history(repo)) {
		if (fetch(repo, hash, hash, err) == 0)
			return 0;
		/* By kept refs it may be one that is gone: they are asked for anew first. */
		if (!gives_ends_only(err) && !(is_refused(err) && repo->are_refs_new))
			return -1;
		*err = (struct err){ 0 };
	}
	return fetch(repo, STR(""), hash, err);
}

/* The files of one that no ref ends at. */
static int bring_between(struct repo *repo, struct str hash, struct repo_rev *rev, struct err *err)
{
	int rc = find_kept(repo, hash, rev, err);

	if (rc != FILE_ABSENT)
		return rc;
	if (fetch_between(repo, hash, err) != 0)
		return -1;
	rc = find_kept(repo, hash, rev, err);
	return rc == FILE_ABSENT ? unknown(hash, err) : rc;
}

/* ---- ancestors ---- */

static bool is_graph_current(struct repo *repo)
{
	struct err err = { 0 };
	const char *path = pool_printf(repo->pool, "%s/graph/goproxy-refs", repo->path).p;
	struct str kept;

	return file_read_all(repo->place.dirfd, path, repo->refs_text.n, repo->pool, &kept,
			     &err) == 0 &&
	       str_is_equal(kept, repo->refs_text);
}

/* Is HEAD where no branch and no tag ends? Only it itself counts then, not what leads to it. */
static bool is_detached(const struct repo *repo)
{
	if (repo->refs_n == 0 || !str_is_equal(repo->refs[0].name, STR("HEAD")))
		return false;
	for (size_t i = 1; i < repo->refs_n; i++)
		if (str_is_equal(repo->refs[i].hash, repo->refs[0].hash))
			return false;
	return true;
}

static int fetch_all(struct repo *repo, int lock_fd, const char *filter, struct err *err)
{
	/* What is served may lack its own beginning. */
	const char *args[] = { "-c", NULL, "fetch", "-q", "-f", "--prune", "--no-tags", "--no-write-fetch-head",
			       "--update-shallow", filter, "origin", "+refs/heads/*:refs/heads/*",
			       "+refs/tags/*:refs/tags/*", is_detached(repo) ? "+HEAD:" DETACHED : NULL, NULL };

	args[1] = pool_printf(repo->pool, "remote.origin.url=%s", repo->remote.vcs.url).p;
	if (repo_init(repo, repo->graph, "graph", err) != 0)
		return -1;
	return repo_git(repo, repo->graph, &repo->remote.vcs, lock_fd, args, 65536, NULL, err);
}

static int fetch_graph(struct repo *repo, int lock_fd, struct err *err)
{
	const char *path = pool_printf(repo->pool, "%s/graph", repo->path).p;
	int dirfd = repo->place.dirfd;
	struct err ignored = { 0 };

	/* A tag that stands for a file or a directory can't be had without it: then all of them. */
	if (fetch_all(repo, lock_fd, "--filter=tree:0", err) != 0 &&
	    (clock_now_ms() >= repo->deadline_ms || file_remove_tree(dirfd, path, err) != 0 ||
	     fetch_all(repo, lock_fd, "--no-filter", err) != 0))
		return err_wrap(err, "%s", repo->url);
	file_replace(dirfd, "tmp", pool_printf(repo->pool, "%s/goproxy-refs", path).p, repo->refs_text, false,
		     &ignored);
	return 0;
}

int repo_need_graph(struct repo *repo, struct err *err)
{
	const struct repo_ref *refs;
	size_t n;
	int lock_fd, rc = 0;

	if (repo->has_graph)
		return 0;
	if (repo_refs(repo, &refs, &n, err) != 0 || repo_reach(repo, err) != 0)
		return -1;
	lock_fd = repo_lock(repo, err);
	if (lock_fd < 0)
		return -1;
	if (!is_graph_current(repo))
		rc = fetch_graph(repo, lock_fd, err);
	close(lock_fd);
	repo->has_graph = rc == 0;
	return rc;
}

/* ---- what a name stands for ---- */

static const struct repo_ref *find_ref(struct repo *repo, const char *prefix, struct str name)
{
	struct str whole = pool_printf(repo->pool, "%s%.*s", prefix, STR_ARG(name));
	size_t low = 0, high = repo->refs_n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = str_compare(whole, repo->refs[middle].name);

		if (order == 0)
			return &repo->refs[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The first ref that leads to a commit whose hash begins so; of one commit only. */
static int find_by_hash(struct repo *repo, struct str prefix, const struct repo_ref **found, struct err *err)
{
	*found = NULL;
	for (size_t i = 0; i < repo->refs_n; i++) {
		if (!str_has_prefix(repo->refs[i].hash, prefix))
			continue;
		if (*found && !str_is_equal((*found)->hash, repo->refs[i].hash))
			return err_set(err, ERR_NOT_FOUND, "ambiguous revision %.*s", STR_ARG(prefix));
		if (!*found)
			*found = &repo->refs[i];
	}
	return 0;
}

/* A commit that nothing ends at: it counts if a branch or a tag leads to it. */
static int find_in_history(struct repo *repo, struct str name, struct repo_rev *rev, struct err *err)
{
	const char *tips[] = { "rev-list", "--max-count=1", "--all", NULL };
	struct str hash;
	bool is_it = false;
	time_t time;
	int rc;

	if (repo_need_graph(repo, err) != 0)
		return -1;
	/* An annotated tag's own hash stands for its commit. */
	rc = repo_commit(repo, repo->graph, pool_cstr(repo->pool, name), &hash, &time, err);
	if (rc == -1)
		return -1;
	/* Nothing is there in a graph that can't be read, either. */
	if (rc == FILE_ABSENT && repo_git_here(repo, repo->graph, tips, 4096, NULL, err) != 0)
		return -1;
	if (rc != 0)
		return unknown(name, err);
	/* What was pushed away may be here still, and at the server, too. */
	rc = is_before(repo, repo->graph, hash, "--branches", "--tags", &is_it, err);
	if (rc > 0)
		repo->is_broken = true;
	if (rc != 0)
		return -1;
	return is_it ? bring_between(repo, hash, rev, err) : unknown(name, err);
}

static int look_up(struct repo *repo, struct str name, struct repo_rev *rev, struct err *err)
{
	const struct repo_ref *ref = find_ref(repo, "refs/tags/", name);
	size_t hash_n = repo->refs_n > 0 ? repo->refs[0].hash.n : 40;

	if (ref)
		rev->tag = name;
	else
		ref = find_ref(repo, "refs/heads/", name);
	if (!ref && str_is_equal(name, STR("HEAD")))
		ref = find_ref(repo, "", name);
	if (!ref && (!repo_is_hex(name) || name.n < HASH_DIGITS_MIN || name.n > hash_n))
		return unknown(name, err);
	if (!ref && find_by_hash(repo, name, &ref, err) != 0)
		return -1;
	if (!ref)
		return find_in_history(repo, name, rev, err);
	if (!str_is_equal(ref->name, STR("HEAD")))
		rev->ref = ref->name;
	return bring(repo, ref->name, ref->hash, rev, err);
}

static void finish_rev(struct repo_rev *rev)
{
	rev->short_hash = str_head(rev->hash, SHORT_DIGITS);
}

int repo_stat(struct repo *repo, struct str name, struct repo_rev *rev, struct err *err)
{
	const struct repo_ref *refs;
	size_t n;

	*rev = (struct repo_rev){ 0 };
	if (repo_refs(repo, &refs, &n, err) != 0)
		return -1;
	if (look_up(repo, name, rev, err) != 0) {
		/* What was kept may be too old to know it. */
		if (repo->is_broken || repo->are_refs_new || repo_refs_reload(repo, err) != 0)
			return -1;
		*rev = (struct repo_rev){ 0 };
		if (look_up(repo, name, rev, err) != 0)
			return -1;
	}
	finish_rev(rev);
	return 0;
}

/* Nothing tells that a ref leads to it: its server decides, if it gives out commits at all. */
static int bring_kept(struct repo *repo, struct str hash, struct repo_rev *rev, struct err *err)
{
	int rc;

	if (fetch(repo, hash, hash, err) != 0) {
		if (repo->is_broken || !gives_ends_only(err))
			return -1;
		*err = (struct err){ 0 };
		if (fetch(repo, STR(""), hash, err) != 0)
			return -1;
	}
	rc = find_kept(repo, hash, rev, err);
	return rc == FILE_ABSENT ? unknown(hash, err) : rc;
}

int repo_stat_kept(struct repo *repo, struct str hash, struct repo_rev *rev, struct err *err)
{
	const struct repo_ref *refs, *ref = NULL;
	size_t n;
	int rc;

	*rev = (struct repo_rev){ 0 };
	if (!repo_is_hash(hash))
		return unknown(str_head(hash, 64), err);
	rc = find_kept(repo, hash, rev, err);
	if (rc == FILE_ABSENT) {
		if (repo_refs(repo, &refs, &n, err) != 0 || find_by_hash(repo, hash, &ref, err) != 0)
			return -1;
		rc = ref ? bring(repo, ref->name, hash, rev, err) : bring_kept(repo, hash, rev, err);
	}
	if (rc != 0 && !repo->is_broken && is_refused(err))
		err->kind = ERR_NOT_FOUND;
	finish_rev(rev);
	return rc;
}
