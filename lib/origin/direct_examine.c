#include <string.h>

#include "base/clock.h"
#include "gomod/module.h"
#include "gomod/modzip.h"
#include "origin/direct_code.h"
#include "origin/direct_internal.h"

struct examination {
	struct direct *direct;
	struct pool *pool;
	struct str module;
	direct_tell *tell;
	void *arg;
	int64_t zip_bytes;
};

static void say(const struct examination *e, const char *what, struct str text)
{
	e->tell(e->arg, true, what, pool_cstr(e->pool, text));
}

static bool fail(const struct examination *e, const char *what, const struct err *err)
{
	e->tell(e->arg, false, what, err->text);
	return false;
}

static int count_zip(void *arg, struct str bytes, struct err *err)
{
	struct examination *e = arg;

	e->zip_bytes += (int64_t)bytes.n;
	return 0;
}

/* The newest version, or what @latest would say. */
static bool choose_version(struct examination *e, struct code *code, struct str *version)
{
	struct err err = { 0 };
	struct repo_rev rev;
	struct info info;
	struct str *list;
	size_t n;

	if (code_versions(code, STR(""), &list, &n, &err) != 0)
		return fail(e, "versions", &err);
	if (n > 0)
		*version = list[n - 1];
	else if (code_latest(code, &rev, &info, &err) == 0)
		*version = info.version;
	else
		return fail(e, "versions", &err);
	say(e, "versions", pool_printf(e->pool, "%zu by tags; %s %.*s", n, n > 0 ? "the newest is" : "@latest is",
				       STR_ARG(*version)));
	return true;
}

static bool examine_version(struct examination *e, struct code *code, struct str version)
{
	struct err err = { 0 };
	struct str dir, gomod, name;
	struct repo_rev rev;
	struct info info;

	if (code_stat(code, version, &rev, &info, &err) != 0)
		return fail(e, "its commit", &err);
	say(e, "its commit", pool_printf(e->pool, "%.*s", STR_ARG(rev.hash)));
	if (code_find_dir(code, &rev, version, &dir, &gomod, &err) != 0)
		return fail(e, "go.mod", &err);
	name = modfile_module_path(e->pool, gomod);
	if (!gomod.p)
		say(e, "go.mod", STR("none: a line 'module' stands for it"));
	else
		say(e, "go.mod",
		    pool_printf(e->pool, "in '/%.*s', says module %.*s%s", STR_ARG(dir), STR_ARG(name),
				str_is_equal(name, e->module) ? "" : ": go takes it only by a replace directive"));
	if (code_zip(code, &rev, version, count_zip, e, &err) != 0)
		return fail(e, "zip", &err);
	say(e, "zip", pool_printf(e->pool, "%lld bytes", (long long)e->zip_bytes));
	return true;
}

static bool examine_repo(struct examination *e, struct repo *repo, const struct discovery *found)
{
	struct err err = { 0 };
	const struct repo_ref *refs;
	struct str text, version;
	struct code code;
	size_t n;

	if (repo_where(repo, &text, &err) != 0)
		return fail(e, "reaching it", &err);
	say(e, "reaching it", text);
	if (repo_refs(repo, &refs, &n, &err) != 0)
		return fail(e, "branches and tags", &err);
	say(e, "branches and tags", pool_printf(e->pool, "%zu", n));
	if (code_open(&code, e->pool, repo, e->module, found, &err) != 0)
		return fail(e, "its place there", &err);
	say(e, "its place there", code.dir.n > 0 ? code.dir : STR("the root"));
	return choose_version(e, &code, &version) && examine_version(e, &code, version);
}

static bool examine(struct examination *e)
{
	struct direct *direct = e->direct;
	int64_t deadline_ms = clock_now_ms() + direct->config->upstream.total_timeout_s * 1000LL;
	struct discovery found;
	struct err err = { 0 };
	struct repo *repo;
	struct str text;
	bool is_good;

	if (!direct_is_usable(direct, &err) || repos_git_version(direct->repos, e->pool, &text, &err) != 0)
		return fail(e, "git", &err);
	say(e, "git", text);
	if (discovery_find(direct->repos, direct->config, direct->store, e->pool, e->module, 0, deadline_ms, &found,
			   &err) != 0)
		return fail(e, "finding the repository", &err);
	say(e, "finding the repository",
	    pool_printf(e->pool, "%s, which holds all of %.*s", found.url, STR_ARG(found.root)));
	if (str_is_equal(found.system, STR("mod"))) {
		say(e, "its system", STR("a module proxy of its own, as its page says"));
		return true;
	}
	repo = repo_open(direct->repos, e->pool, found.url, &found.rules, 0, deadline_ms, &err);
	if (!repo)
		return fail(e, "room for it in the store", &err);
	is_good = examine_repo(e, repo, &found);
	if (!is_good)
		repo_forget_broken(repo);
	repo_close(repo);
	return is_good;
}

bool direct_examine(struct direct *direct, struct str module, direct_tell *tell, void *arg)
{
	struct examination e = { .direct = direct, .pool = pool_new(), .module = module, .tell = tell, .arg = arg };
	bool is_good = examine(&e);

	pool_free(e.pool);
	return is_good;
}
