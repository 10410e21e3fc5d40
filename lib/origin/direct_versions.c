#include <string.h>

#include "base/file.h"
#include "gomod/mod.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "origin/direct_code.h"

static bool has_no_tags(const struct code *code)
{
	/* gopkg.in/x.v2-unstable: the tags of v2 are those of x.v2. */
	return str_has_prefix(code->module, STR("gopkg.in/")) && str_has_suffix(code->module, STR("-unstable"));
}

static bool is_v0_or_v1(struct str version)
{
	struct str major = version_major(version);

	return str_is_equal(major, STR("v0")) || str_is_equal(major, STR("v1"));
}

/* Tags that are versions of this module, and those that can be only with +incompatible. */
static void sort_tags(struct code *code, struct str begin, struct str *list, size_t *n,
		      struct str *incompatible, size_t *incompatible_n, const struct repo_ref *refs,
		      size_t refs_n)
{
	struct str prefix = pool_printf(code->pool, "refs/tags/%.*s", STR_ARG(code_tag_prefix(code)));

	for (size_t i = 0; i < refs_n; i++) {
		struct str version = str_skip(refs[i].name, prefix.n);

		if (!str_has_prefix(refs[i].name, prefix) || version.n == 0 || !str_has_prefix(version, begin) ||
		    !str_is_equal(version, version_canonical(code->pool, version)) || version_is_pseudo(version))
			continue;
		if (module_matches_major(version, code->path_major))
			list[(*n)++] = version;
		else if (code->dir.n == 0 && code->path_major.n == 0 && !is_v0_or_v1(version))
			incompatible[(*incompatible_n)++] = version;
	}
	version_sort(list, *n);
	version_sort(incompatible, *incompatible_n);
}

static int has_gomod(struct code *code, struct str tag, bool *has, struct err *err)
{
	struct repo_rev rev;
	struct str text;
	int rc = repo_stat(code->repo, tag, &rev, err);

	if (rc == 0)
		rc = repo_read_file(code->repo, rev.hash, "go.mod", MOD_BODY_MAX + 1, &text, err);
	if (rc == FILE_ABSENT || (rc != 0 && err->kind == ERR_NOT_FOUND)) {
		*has = false;
		return 0;
	}
	*has = true;
	return rc;
}

/*
 * Where the newest compatible version has a go.mod, no +incompatible is meant
 * (golang.org/issue/34189); else those majors count whose newest has none.
 */
static int add_incompatible(struct code *code, struct str *list, size_t *n, const struct str *incompatible,
			    size_t incompatible_n, struct err *err)
{
	bool has = false;

	if (*n > 0 && has_gomod(code, list[*n - 1], &has, err) != 0)
		return -1;
	if (has)
		return 0;
	for (size_t i = 0; i < incompatible_n;) {
		struct str major = version_major(incompatible[i]);
		size_t end = i;

		while (end < incompatible_n && str_is_equal(version_major(incompatible[end]), major))
			end++;
		if (has_gomod(code, incompatible[end - 1], &has, err) != 0)
			return -1;
		for (; i < end; i++)
			if (!has)
				list[(*n)++] =
					pool_printf(code->pool, "%.*s+incompatible", STR_ARG(incompatible[i]));
	}
	return 0;
}

int code_versions(struct code *code, struct str begin, struct str **list, size_t *n, struct err *err)
{
	const struct repo_ref *refs;
	size_t refs_n, incompatible_n = 0;
	struct str *incompatible;

	*n = 0;
	if (has_no_tags(code))
		return 0;
	if (repo_refs(code->repo, &refs, &refs_n, err) != 0)
		return -1;
	*list = pool_alloc(code->pool, (refs_n + 1) * sizeof(**list));
	incompatible = pool_alloc(code->pool, (refs_n + 1) * sizeof(*incompatible));
	sort_tags(code, begin, *list, n, incompatible, &incompatible_n, refs, refs_n);
	if (incompatible_n == 0 || code->path_major.n > 0)
		return 0;
	return add_incompatible(code, *list, n, incompatible, incompatible_n, err);
}

/* ---- retractions ---- */

/* The newest release, or if there is none the newest of all, says what is retracted. */
static struct str newest(const struct str *list, size_t n)
{
	size_t compatible = 0;

	while (compatible < n && !str_is_equal(version_build(list[compatible]), STR("+incompatible")))
		compatible++;
	for (size_t i = compatible; i > 0; i--)
		if (version_prerelease(list[i - 1]).n == 0)
			return list[i - 1];
	return compatible > 0 ? list[compatible - 1] : STR("");
}

static void load_retractions(struct code *code)
{
	struct repo_rev rev;
	struct str *list, version, gomod;
	struct err err = { 0 };
	size_t n;

	code->knows_retractions = true;
	if (code_versions(code, STR(""), &list, &n, &err) != 0 || n == 0)
		return;
	version = newest(list, n);
	if (version.n == 0 || repo_stat(code->repo, code_revision(code, version), &rev, &err) != 0 ||
	    code_gomod(code, &rev, version, &gomod, &err) != 0 ||
	    modfile_retractions(code->pool, gomod, &code->retractions, &code->retractions_n, &err) != 0)
		code->retractions_n = 0;
}

bool code_is_retracted(struct code *code, struct str version)
{
	if (!code->knows_retractions)
		load_retractions(code);
	for (size_t i = 0; i < code->retractions_n; i++)
		if (version_compare(code->retractions[i].low, version) <= 0 &&
		    version_compare(version, code->retractions[i].high) <= 0)
			return true;
	return false;
}
