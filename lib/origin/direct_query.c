#include <string.h>

#include "gomod/version.h"
#include "origin/direct_code.h"

/* "v1", "v1.2": stands for the newest version that begins so. */
static bool is_prefix_query(struct code *code, struct str query)
{
	return version_is_valid(query) && version_prerelease(query).n == 0 && version_build(query).n == 0 &&
	       !str_is_equal(version_canonical(code->pool, query), query);
}

/*
 * The newest release that isn't retracted, else the newest pre-release; empty: there is none.
 * Those of query "v1.2" begin with "v1.2." and aren't below v1.2.0 (golang.org/issue/31972).
 */
static int newest_version(struct code *code, struct str query, struct str *version, struct err *err)
{
	struct str begin = query.n > 0 ? pool_printf(code->pool, "%.*s.", STR_ARG(query)) : query;
	struct str *list, prerelease = STR("");
	size_t n;

	*version = STR("");
	if (code_versions(code, begin, &list, &n, err) != 0)
		return -1;
	for (; n > 0; n--) {
		struct str v = list[n - 1];

		if ((query.n > 0 && version_compare(v, query) < 0) || code_is_retracted(code, v))
			continue;
		if (version_prerelease(v).n == 0) {
			*version = v;
			return 0;
		}
		if (prerelease.n == 0)
			prerelease = v;
	}
	*version = prerelease;
	return 0;
}

static int stat_revision(struct code *code, struct str version, struct repo_rev *rev, struct info *info,
			 struct err *err)
{
	if (repo_stat(code->repo, code_revision(code, version), rev, err) != 0)
		return err_wrap(err, "%.*s@%.*s: invalid version", STR_ARG(code->module), STR_ARG(version));
	return code_convert(code, rev, version, info, err);
}

/* "v1.2.0+meta" is no tag: semantic versioning takes it for v1.2.0. */
static bool stat_without_build(struct code *code, struct str version, struct repo_rev *rev, struct info *info)
{
	struct str canonical = version_canonical(code->pool, version);
	struct err err = { 0 };

	return !version_is_canonical(version) && canonical.n > 0 && canonical.n < version.n &&
	       stat_revision(code, canonical, rev, info, &err) == 0;
}

/* What a query found depends on the tags that there were. */
static int stat_found(struct code *code, struct str version, struct str prefix, struct repo_rev *rev,
		      struct info *info, struct err *err)
{
	struct str tags = pool_printf(code->pool, "%.*s%.*s", STR_ARG(code_tag_prefix(code)), STR_ARG(prefix));

	if (stat_revision(code, version, rev, info, err) != 0)
		return -1;
	return code_set_tag_sum(code, tags, info, err);
}

static int stat_head(struct code *code, struct repo_rev *rev, struct info *info, struct err *err)
{
	const struct repo_ref *refs;
	size_t n;

	if (repo_refs(code->repo, &refs, &n, err) != 0)
		return -1;
	/* HEAD is the first of the names. */
	if (n == 0 || !str_is_equal(refs[0].name, STR("HEAD")))
		return err_set(err, ERR_NOT_FOUND, "%.*s: no commits", STR_ARG(code->module));
	if (repo_stat(code->repo, refs[0].hash, rev, err) != 0)
		return err_wrap(err, "%.*s@latest", STR_ARG(code->module));
	rev->ref = STR("HEAD");
	return code_convert(code, rev, STR(""), info, err);
}

int code_latest(struct code *code, struct repo_rev *rev, struct info *info, struct err *err)
{
	struct str version;

	if (newest_version(code, STR(""), &version, err) != 0)
		return -1;
	if (version.n == 0)
		return stat_head(code, rev, info, err);
	return stat_found(code, version, STR(""), rev, info, err);
}

int code_stat(struct code *code, struct str version, struct repo_rev *rev, struct info *info, struct err *err)
{
	struct str found;

	if (str_is_equal(version, STR("latest")) || str_is_equal(version, STR("upgrade")))
		return code_latest(code, rev, info, err);
	if (!is_prefix_query(code, version)) {
		if (stat_revision(code, version, rev, info, err) != 0 &&
		    !stat_without_build(code, version, rev, info))
			return -1;
		if (version_is_canonical(version))
			code_clean_origin(info);
		return 0;
	}
	if (newest_version(code, version, &found, err) != 0)
		return -1;
	if (found.n == 0)
		return err_set(err, ERR_NOT_FOUND, "%.*s: no matching versions for query \"%.*s\"",
			       STR_ARG(code->module), STR_ARG(version));
	return stat_found(code, found, pool_printf(code->pool, "%.*s.", STR_ARG(version)), rev, info, err);
}
