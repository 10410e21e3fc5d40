#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "origin/repo_internal.h"

#define LISTING_BYTES_MAX (128 << 20)
#define NAMES_BYTES_MAX	  (64 << 20)
#define ARCHIVE_BYTES_MAX ((int64_t)4 << 30) /* its files have a limit of their own */

/* git cat-file fails in one way for what isn't there and for what can't be read: why says how. */
static int tell_absent(struct repo *repo, struct str hash, const char *path, const struct err *why,
		       struct err *err)
{
	const char *args[] = { "ls-tree", "-z", "--full-tree", pool_cstr(repo->pool, hash), "--", path, NULL };
	struct str entry = { 0 };

	if (repo_git_here(repo, repo->main, args, 65536, &entry, err) != 0)
		return err_wrap(err, "looking for %s in %.*s", path, STR_ARG(hash));
	if (str_find_str(entry, STR(" blob ")) < 0)
		return FILE_ABSENT;
	*err = *why;
	repo->is_broken = true;
	return err_wrap(err, "reading %s of %.*s", path, STR_ARG(hash));
}

int repo_read_file(struct repo *repo, struct str hash, const char *path, size_t max_bytes, struct str *data,
		   struct err *err)
{
	const char *args[] = { "cat-file", "--end-of-options", "blob",
			       pool_printf(repo->pool, "%.*s:%s", STR_ARG(hash), path).p, NULL };
	struct err why = { 0 };
	int rc = repo_git(repo, repo->main, NULL, -1, args, max_bytes, data, &why);

	if (rc > 0)
		return tell_absent(repo, hash, path, &why, err);
	if (rc < 0)
		*err = why;
	return rc;
}

int repo_merged_tags(struct repo *repo, struct str hash, struct str **tags, size_t *n, struct err *err)
{
	const char *args[] = { "for-each-ref", "--format=%(refname:lstrip=2)",
			       pool_printf(repo->pool, "--merged=%.*s", STR_ARG(hash)).p, "refs/tags/", NULL };
	struct str text, line;

	if (repo_need_graph(repo, err) != 0)
		return -1;
	if (repo_git_here(repo, repo->graph, args, NAMES_BYTES_MAX, &text, err) != 0)
		return err_wrap(err, "looking for the tags before %.*s", STR_ARG(hash));
	*tags = pool_alloc(repo->pool, (str_count(text, '\n') + 1) * sizeof(**tags));
	*n = 0;
	while (text.n > 0 && str_cut(&text, '\n', &line))
		if (line.n > 0)
			(*tags)[(*n)++] = line;
	return 0;
}

/* A tag may stand for a file or a directory. why: what git said of it where it wanted a commit. */
static int tell_no_commit(struct repo *repo, struct str hash, const struct err *why, struct err *err)
{
	const char *args[] = { "cat-file", "-t", pool_cstr(repo->pool, hash), NULL };
	struct str type;

	if (repo_git_here(repo, repo->graph, args, 64, &type, err) != 0)
		return -1;
	if (!str_is_equal(str_trim(type), STR("commit")))
		return 0;
	*err = *why;
	repo->is_broken = true;
	return -1;
}

int repo_descends(struct repo *repo, struct str hash, struct str ancestor, bool *is_it, struct err *err)
{
	const char *args[] = { "merge-base", "--is-ancestor", "--", pool_cstr(repo->pool, ancestor),
			       pool_cstr(repo->pool, hash), NULL };
	struct err why = { 0 };
	int rc;

	if (repo_need_graph(repo, err) != 0)
		return -1;
	rc = repo_git(repo, repo->graph, NULL, -1, args, 4096, NULL, &why);
	*is_it = rc == 0;
	if (rc == 0 || rc == 1)
		return 0;
	if (rc > 1)
		return tell_no_commit(repo, ancestor, &why, err);
	*err = why;
	return -1;
}

int repo_list_files(struct repo *repo, struct str hash, const char *dir, struct str *listing, struct err *err)
{
	const char *args[] = { "ls-tree", "-r", "-z", "-l", "--full-tree", pool_cstr(repo->pool, hash), "--",
			       NULL, NULL };

	if (*dir)
		args[7] = pool_printf(repo->pool, "%s/", dir).p;
	if (repo_git_here(repo, repo->main, args, LISTING_BYTES_MAX, listing, err) != 0)
		return err_wrap(err, "listing the files of %.*s", STR_ARG(hash));
	return 0;
}

struct vcs_process *repo_archive(struct repo *repo, struct str hash, const char *dir, struct err *err)
{
	/* A directory may be called as an option is. */
	const char *args[] = { "archive", "--format=tar", pool_cstr(repo->pool, hash), "--", NULL, NULL };
	struct vcs_command command = {
		.args = args,
		.dir = repo->dir,
		.home = repo_home(repo),
		.git_dir = repo->main,
		.lock_fd = -1,
		.deadline_ms = repo->deadline_ms,
		.output_max_bytes = ARCHIVE_BYTES_MAX,
	};

	if (*dir)
		args[4] = dir;
	return vcs_start(repo->repos->vcs, &command, err);
}

int repo_archive_finish(struct repo *repo, struct vcs_process *process, struct err *err)
{
	int status = vcs_finish(process, err);

	if (status > 0 && strstr(err->text, "invalid path"))
		err->kind = ERR_NOT_FOUND; /* it never will be one */
	else if (status > 0)
		repo->is_broken = true;
	return status;
}
