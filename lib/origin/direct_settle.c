#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "gomod/version.h"
#include "origin/direct_internal.h"
#include "state/audit.h"
#include "state/publish.h"

/* Another process may be quicker, and what it wrote be removed again. */
#define TRIES_MAX 3

/* "download/MODULE/@v/VERSION.info" */
static const char *key_of(const struct direct *direct, struct pool *pool, struct str module, const char *path)
{
	struct str version = str_head(str_of(path), (size_t)str_find_last(str_of(path), '.'));

	return pool_printf(pool, "%s/%.*s.info",
			   config_is_private(direct->config, module) ? "private/download" : "download",
			   STR_ARG(version)).p;
}

static bool read_kept(const struct direct *direct, struct pool *pool, const char *key, struct str *info)
{
	struct err err = { 0 };

	return store_dirfd(direct->store) >= 0 &&
	       file_read_all(store_dirfd(direct->store), key, INFO_BODY_MAX, pool, info, &err) == 0;
}

/* What was uploaded is no repository's business. */
static bool may_keep(const struct direct *direct, const struct direct_call *call)
{
	struct str path = str_of(call->path);
	struct str escaped = str_head(path, (size_t)str_find_last_str(path, STR("/@v/")));
	struct err ignored = { 0 };

	return store_dirfd(direct->store) >= 0 && (!config_is_private(direct->config, call->module) ||
						   publish_is_home(direct->store, escaped, &ignored) == 0);
}

/* As a flight keeps it, unless one is there. A store that can't be written fails no request. */
static void keep(const struct direct *direct, const struct direct_call *call, const char *key, const char *url,
		 struct str info)
{
	int dirfd = store_dirfd(direct->store);
	struct err err = { 0 };
	struct json *line;

	if (!may_keep(direct, call))
		return;
	/* Flushed, since web servers send it. */
	if (file_create(dirfd, "tmp", key, info, true, &err) != 0 || store_list_add(direct->store, key, &err) != 0) {
		store_complain(direct->store, &err);
		return;
	}
	if (call->kind == DIRECT_INFO) /* its flight says so */
		return;
	line = audit_begin("kept");
	json_add_str(line, "object", str_of(store_object(key)));
	json_add_str(line, "from", str_of(url));
	audit_end(dirfd, line);
}

/*
 * What has no .info may have files: go build asks for those of v2.0.0+incompatible alone, and takes
 * them, though a go.mod in them says that it is no such version.
 */
static bool find_tag(struct code *code, struct str version, struct repo_rev *rev)
{
	struct err ignored = { 0 };

	return !version_is_pseudo(version) &&
	       repo_stat(code->repo, code_revision(code, version), rev, &ignored) == 0 && rev->tag.n > 0;
}

/* Returns 1 if nothing is to be kept: it is another version's, as v2.0.0+incompatible is of v2.0.0, or nobody's. */
static int make(struct code *code, const struct direct_call *call, struct repo_rev *rev, struct str *text,
		struct err *err)
{
	bool is_info = call->kind == DIRECT_INFO;
	struct info info = { 0 };

	if (code_stat(code, call->version, rev, &info, err) != 0) {
		if (is_info || err->kind != ERR_NOT_FOUND || !find_tag(code, call->version, rev))
			return -1;
		*err = (struct err){ 0 };
		return 1;
	}
	*text = info_make(code->pool, &info);
	if (str_is_equal(info.version, call->version))
		return 0;
	if (is_info || find_tag(code, call->version, rev))
		return 1;
	return err_set(err, ERR_NOT_FOUND, "%.*s@%.*s: invalid version: resolves to version %.*s",
		       STR_ARG(code->module), STR_ARG(call->version), STR_ARG(info.version));
}

/* The commit that the .info names; returns 1 if it names none. */
static int find_named(struct code *code, struct str version, struct str info, struct repo_rev *rev,
		      struct err *err)
{
	struct str hash = info_origin_hash(code->pool, info);

	if (hash.n == 0)
		return 1;
	if (repo_stat_kept(code->repo, hash, rev, err) == 0)
		return 0;
	return err_wrap(err, "%.*s@%.*s: its .info, given out already, is of commit %.*s, which can't be had",
			STR_ARG(code->module), STR_ARG(version), STR_ARG(str_head(hash, 64)));
}

/* By the .info that is kept; returns 1 if there is none, or none any more. */
static int follow(struct direct *direct, const struct direct_call *call, struct code *code, const char *key,
		  struct repo_rev *rev, struct str *info, struct err *err)
{
	int rc;

	if (!read_kept(direct, code->pool, key, info))
		return 1;
	if (call->kind == DIRECT_INFO)
		return 0;
	rc = find_named(code, call->version, *info, rev, err);
	if (rc == 1) /* somebody else made it: then the tag is all there is */
		return make(code, call, rev, info, err);
	if (rc == 0 || !call->is_proven || err->kind != ERR_NOT_FOUND)
		return rc;
	direct_reject(direct, call->id, call->module, call->path, info_origin_hash(code->pool, *info), err->text);
	*err = (struct err){ 0 };
	return 1;
}

int direct_settle(struct direct *direct, const struct direct_call *call, struct code *code,
		  struct repo_rev *rev, struct str *info, struct err *err)
{
	const char *key = key_of(direct, code->pool, call->module, call->path);
	struct str made = STR("");

	*rev = (struct repo_rev){ 0 };
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		int rc = follow(direct, call, code, key, rev, info, err);

		if (rc != 1)
			return rc;
		rc = make(code, call, rev, &made, err);
		if (rc == 0)
			keep(direct, call, key, repo_url(code->repo), made);
		if (rc != 0 || !read_kept(direct, code->pool, key, info) || str_is_equal(*info, made)) {
			*info = made;
			return rc < 0 ? -1 : 0;
		}
	}
	return err_set(err, ERR_IO, "cannot keep '%s': it changes all the time", key);
}

void direct_reject(struct direct *direct, const char *id, struct str module, const char *path,
		   struct str commit, const char *why)
{
	struct pool *pool = pool_new();
	const char *key = key_of(direct, pool, module, path);
	struct str info;

	if (commit.n > 0 && read_kept(direct, pool, key, &info) &&
	    str_is_equal(info_origin_hash(pool, info), commit)) {
		log_write(LOG_WARN, "%s: '%s' is removed, for its commit isn't the version's: %s", id, key, why);
		store_remove(direct->store, key);
	}
	pool_free(pool);
}
