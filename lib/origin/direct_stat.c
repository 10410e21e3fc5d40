#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "gomod/mod.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "origin/direct_code.h"

/* A commit on its way to a version: codeRepo.convert of cmd/go. */
struct conversion {
	struct code *code;
	const struct repo_rev *rev;
	struct str asked; /* the version or query; empty for @latest */
	struct str *tags; /* of the commit itself */
	size_t tags_n;
	int has_root_mod; /* -1: not known yet */
};

static struct str incompatible = { "+incompatible", 13 };

static struct str without_incompatible(struct str version)
{
	if (str_has_suffix(version, incompatible))
		version.n -= incompatible.n;
	return version;
}

/* ---- tags ---- */

/* All tags that begin with prefix, in the order of their names. */
static int find_tags(struct code *code, struct str prefix, const struct repo_ref **first, size_t *n,
		     struct err *err)
{
	struct str whole = pool_printf(code->pool, "refs/tags/%.*s", STR_ARG(prefix));
	const struct repo_ref *refs;
	size_t refs_n, i = 0;

	if (repo_refs(code->repo, &refs, &refs_n, err) != 0)
		return -1;
	while (i < refs_n && !str_has_prefix(refs[i].name, whole))
		i++;
	*first = refs + i;
	for (*n = 0; i < refs_n && str_has_prefix(refs[i].name, whole); i++)
		(*n)++;
	return 0;
}

static struct str tag_name(const struct repo_ref *ref)
{
	return str_skip(ref->name, strlen("refs/tags/"));
}

static int load_tags(struct conversion *c, struct err *err)
{
	const struct repo_ref *refs;
	size_t n;

	if (find_tags(c->code, STR(""), &refs, &n, err) != 0)
		return -1;
	c->tags = pool_alloc(c->code->pool, (n + 1) * sizeof(*c->tags));
	for (size_t i = 0; i < n; i++)
		if (str_is_equal(refs[i].hash, c->rev->hash))
			c->tags[c->tags_n++] = tag_name(&refs[i]);
	return 0;
}

/* isOriginTag of cmd/go: tags that versions can come from. */
static bool is_origin_tag(struct pool *pool, struct str tag)
{
	struct str canonical = version_canonical(pool, tag);

	return canonical.n > 0 && str_has_prefix(tag, canonical) && !version_is_pseudo(tag);
}

/* "t1:" and the hash of what these tags stand for, by which a go command sees that they changed. */
int code_set_tag_sum(struct code *code, struct str prefix, struct info *info, struct err *err)
{
	struct str dir = str_head(prefix, (size_t)(str_find_last(prefix, '/') + 1));
	EVP_MD_CTX *ctx;
	unsigned char sha[EVP_MAX_MD_SIZE];
	unsigned char text[EVP_MAX_MD_SIZE * 2];
	const struct repo_ref *tags;
	unsigned int sha_n = 0;
	size_t n;

	if (find_tags(code, prefix, &tags, &n, err) != 0)
		return -1;
	ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	for (size_t i = 0; i < n; i++) {
		struct str name = tag_name(&tags[i]);
		struct str line = pool_printf(code->pool, "\"%.*s\" %.*s\n", STR_ARG(name), STR_ARG(tags[i].hash));

		if (is_origin_tag(code->pool, str_skip(name, dir.n)))
			EVP_DigestUpdate(ctx, line.p, line.n);
	}
	EVP_DigestFinal_ex(ctx, sha, &sha_n);
	EVP_MD_CTX_free(ctx);
	EVP_EncodeBlock(text, sha, (int)sha_n);
	info->origin.tag_prefix = prefix;
	info->origin.tag_sum = pool_printf(code->pool, "t1:%s", (const char *)text);
	return 0;
}

/* ---- +incompatible ---- */

static int has_file(struct conversion *c, const char *path, bool *has, struct err *err)
{
	struct str text;
	int rc = repo_read_file(c->code->repo, c->rev->hash, path, MOD_BODY_MAX + 1, &text, err);

	*has = rc == 0;
	return rc == FILE_ABSENT ? 0 : rc;
}

/* Only where no go.mod says otherwise; version may be empty. */
static bool can_be_incompatible(struct conversion *c, struct str version)
{
	struct err err = { 0 };
	bool has = false;

	if (c->code->dir.n > 0 || c->code->path_major.n > 0)
		return false;
	if (c->has_root_mod < 0) {
		if (has_file(c, "go.mod", &has, &err) != 0)
			return false;
		c->has_root_mod = has;
	}
	if (c->has_root_mod)
		return false;
	/* Who asks for it by name gets it even so: golang.org/issue/51324. */
	if (version.n == 0 || str_has_suffix(c->asked, incompatible))
		return true;
	return has_file(c, pool_printf(c->code->pool, "%.*s/go.mod", STR_ARG(version_major(version))).p, &has,
			&err) == 0 &&
	       !has;
}

/* ---- is it the version that it says? ---- */

static int invalid(struct conversion *c, struct str version, struct err *err, const char *why)
{
	return err_set(err, ERR_NOT_FOUND, "%.*s@%.*s: invalid version: %s", STR_ARG(c->code->module),
		       STR_ARG(version), why);
}

static int check_suffix(struct conversion *c, struct str *version, struct err *err)
{
	struct str base = without_incompatible(*version);

	if (!module_matches_major(base, c->code->path_major)) {
		if (can_be_incompatible(c, base)) {
			*version = pool_printf(c->code->pool, "%.*s+incompatible", STR_ARG(base));
			return 0;
		}
		return invalid(c, *version, err,
			       c->code->path_major.n > 0
				       ? "module path includes a major version suffix, so major version must match"
				       : pool_printf(c->code->pool,
						     "module contains a go.mod file, so module path must "
						     "match major version (\"%.*s/%.*s\")",
						     STR_ARG(c->code->path_prefix),
						     STR_ARG(version_major(*version))).p);
	}
	if (str_has_suffix(*version, incompatible))
		return invalid(c, *version, err,
			       pool_printf(c->code->pool,
					   "+incompatible suffix not allowed: major version "
					   "%.*s is compatible",
					   STR_ARG(version_major(*version))).p);
	return 0;
}

/*
 * Where the module is, in what the version itself names: cmd/go takes a tag "sub/v0.0.0-TIME-HASH"
 * for a version, on whichever commit it is.
 */
static int find_dir(struct conversion *c, struct str version, struct err *err)
{
	struct str revision = code_revision(c->code, version), dir, gomod;
	struct repo_rev named = *c->rev;

	if (version_is_pseudo(version) && !str_is_equal(version, c->asked) &&
	    !str_is_equal(revision, c->rev->short_hash) && repo_stat(c->code->repo, revision, &named, err) != 0)
		return -1;
	return code_find_dir(c->code, &named, version, &dir, &gomod, err);
}

/* checkCanonical of cmd/go: version is one of this commit, by tag or made up. */
static int check_canonical(struct conversion *c, struct str version, struct info *info, struct err *err)
{
	struct str base, asked_base = without_incompatible(c->asked);
	struct err suffix_err = { 0 };
	int suffix_rc;

	if (find_dir(c, version, err) != 0)
		return err_wrap(err, "%.*s@%.*s: invalid version", STR_ARG(c->code->module), STR_ARG(version));
	if (str_is_equal(version, asked_base))
		version = c->asked;
	base = without_incompatible(version);
	suffix_rc = check_suffix(c, &version, &suffix_err);
	if (version_is_canonical(c->asked) && !str_is_equal(asked_base, base))
		return invalid(c, c->asked, err,
			       pool_printf(c->code->pool, "resolves to version %.*s (%.*s is not a tag)",
					   STR_ARG(version), STR_ARG(asked_base)).p);
	if (suffix_rc != 0) {
		*err = suffix_err;
		return -1;
	}
	info->version = version;
	info->time = c->rev->time;
	return 0;
}

/* ---- pseudo-versions ---- */

static int invalid_pseudo(struct conversion *c, struct err *err, const char *format, struct str what)
{
	struct str why = pool_printf(c->code->pool, "%s%.*s", format, STR_ARG(what));

	return err_set(err, ERR_NOT_FOUND, "%.*s@%.*s: invalid pseudo-version: %.*s", STR_ARG(c->code->module),
		       STR_ARG(c->asked), STR_ARG(why));
}

static int check_revision(struct conversion *c, const struct version_pseudo *pseudo, struct err *err)
{
	char expected[32];
	struct tm tm = { 0 };

	if (!str_is_equal(pseudo->rev, c->rev->short_hash))
		return invalid_pseudo(c, err,
				      str_has_prefix(pseudo->rev, c->rev->short_hash)
					      ? "revision is longer than canonical, expected "
				      : str_has_prefix(c->rev->short_hash, pseudo->rev)
					      ? "revision is shorter than canonical, expected "
					      : "does not match short name of revision, expected ",
				      c->rev->short_hash);
	if (pseudo->time == c->rev->time)
		return 0;
	gmtime_r(&c->rev->time, &tm);
	strftime(expected, sizeof(expected), "%Y%m%d%H%M%S", &tm);
	return invalid_pseudo(c, err, "does not match version-control timestamp, expected ", str_of(expected));
}

/* The tag that it is based on must be one before it, not on it. */
static int check_base(struct conversion *c, struct str base, struct err *err)
{
	struct str prefix = code_tag_prefix(c->code), last = STR("");
	const struct repo_ref *tags;
	bool is_before = false;
	size_t n;

	for (size_t i = 0; i < c->tags_n; i++)
		if (str_is_equal(str_has_prefix(c->tags[i], prefix) ? str_skip(c->tags[i], prefix.n) : c->tags[i],
				 base))
			return invalid_pseudo(c, err, "its revision is already canonical by the tag ", c->tags[i]);
	if (find_tags(c->code, pool_printf(c->code->pool, "%.*s%.*s", STR_ARG(prefix), STR_ARG(base)), &tags, &n,
		      err) != 0)
		return -1;
	for (size_t i = 0; i < n && !is_before; i++) {
		struct str version = str_skip(tag_name(&tags[i]), prefix.n);

		if (!version_is_valid(version) || version_compare(version, base) != 0)
			continue;
		last = tag_name(&tags[i]);
		if (repo_descends(c->code->repo, c->rev->hash, tags[i].hash, &is_before, err) != 0)
			return -1;
	}
	if (last.n == 0)
		return invalid_pseudo(c, err, "preceding tag not found: ", base);
	return is_before ? 0 : invalid_pseudo(c, err, "not a descendent of preceding tag ", last);
}

static int check_pseudo(struct conversion *c, struct err *err)
{
	struct version_pseudo pseudo;
	struct err why = { 0 };

	if (version_pseudo_parse(c->code->pool, without_incompatible(c->asked), &pseudo, &why) != 0)
		return invalid_pseudo(c, err, "", str_of(why.text));
	if (check_revision(c, &pseudo, err) != 0)
		return -1;
	if (pseudo.base.n > 0)
		return check_base(c, pseudo.base, err);
	if (c->code->pseudo_major.n == 0 && str_is_equal(version_major(c->asked), STR("v1")))
		return invalid_pseudo(c, err, "major version without preceding tag must be v0, not v1", STR(""));
	return 0;
}

static bool is_tag_allowed(struct conversion *c, struct str tag, struct str *version)
{
	bool is_canonical;

	return code_tag_version(c->code, tag, version, &is_canonical) &&
	       (module_matches_major(*version, c->code->path_major) || can_be_incompatible(c, *version)) &&
	       !code_is_retracted(c->code, *version);
}

static void keep_highest(struct conversion *c, const struct str *tags, size_t n, struct str *highest)
{
	struct str version;

	for (size_t i = 0; i < n; i++)
		if (is_tag_allowed(c, tags[i], &version) && version_compare(version, *highest) > 0)
			*highest = version;
}

/* The highest version before the commit: first by the commit's own tags, then by its history. */
static int find_base(struct conversion *c, struct str *base, struct err *err)
{
	struct str prefix = pool_printf(c->code->pool, "%.*sv", STR_ARG(code_tag_prefix(c->code)));
	const struct repo_ref *refs;
	struct str *tags;
	size_t n;

	keep_highest(c, c->tags, c->tags_n, base);
	if (base->n > 0)
		return 0;
	if (find_tags(c->code, prefix, &refs, &n, err) != 0)
		return -1;
	if (n == 0)
		return 0;
	if (repo_merged_tags(c->code->repo, c->rev->hash, &tags, &n, err) != 0)
		return -1;
	keep_highest(c, tags, n, base);
	return 0;
}

/* ---- from commit to version ---- */

/*
 * Among the commit's own tags: the one that was asked for, else the highest that
 * isn't retracted. Returns 1 if *version is to be taken as it is.
 */
static int choose_tag(struct conversion *c, struct str *version, struct str *pseudo_base)
{
	struct str highest = STR("");

	for (size_t i = 0; i < c->tags_n; i++) {
		bool is_canonical = false;
		struct str v = STR("");

		if (!code_tag_version(c->code, c->tags[i], &v, &is_canonical))
			v = STR("");
		if (c->asked.n > 0 && version_compare(v, c->asked) == 0) {
			if (is_canonical) {
				*version = v;
				return 1;
			}
			*pseudo_base = v;
		}
		if (is_canonical && version_compare(highest, v) < 0 && !code_is_retracted(c->code, v) &&
		    (module_matches_major(v, c->code->path_major) || can_be_incompatible(c, v)))
			highest = v;
	}
	*version = highest;
	return highest.n > 0;
}

static int convert(struct conversion *c, struct info *info, struct err *err)
{
	struct str version = STR(""), base = STR("");
	bool is_canonical;
	struct err ignored = { 0 };

	if (version_is_pseudo(c->asked))
		return check_canonical(c, c->asked, info, err) != 0 ? -1 : check_pseudo(c, err);
	/* A tag that was asked for by name is the answer, if it can be. */
	if (c->rev->tag.n > 0 && code_tag_version(c->code, c->rev->tag, &version, &is_canonical) && is_canonical &&
	    check_canonical(c, version, info, &ignored) == 0)
		return 0;
	if (choose_tag(c, &version, &base))
		return check_canonical(c, version, info, err);
	if (base.n == 0 && find_base(c, &base, err) != 0)
		return -1;
	version = version_pseudo_make(c->code->pool, c->code->pseudo_major, base, c->rev->time, c->rev->short_hash);
	return check_canonical(c, version, info, err);
}

static int set_origin(struct conversion *c, struct info *info, struct err *err)
{
	struct str prefix = code_tag_prefix(c->code), version = info->version;

	info->origin.vcs = STR("git");
	info->origin.url = str_of(repo_url(c->code->repo));
	info->origin.subdir = c->code->dir;
	info->origin.hash = c->rev->hash;
	info->origin.ref = c->rev->ref;
	if (!version_is_pseudo(version) ||
	    (str_is_equal(version, c->asked) && str_has_prefix(version, STR("v0.0.0-"))))
		return 0;
	if (c->code->path_major.n > 0)
		prefix = pool_printf(c->code->pool, "%.*s%.*s.", STR_ARG(prefix),
				     STR_ARG(str_skip(c->code->path_major, 1)));
	return code_set_tag_sum(c->code, prefix, info, err);
}

/*
 * What is kept for a version, for good, says nothing of what may change: cmd/go's
 * writeDiskStat leaves the same out.
 */
void code_clean_origin(struct info *info)
{
	info->origin.tag_prefix = info->origin.tag_sum = STR("");
	if (version_is_pseudo(info->version))
		info->origin.ref = STR("");
}

int code_convert(struct code *code, const struct repo_rev *rev, struct str asked, struct info *info,
		       struct err *err)
{
	struct conversion c = { .code = code, .rev = rev, .asked = asked, .has_root_mod = -1 };

	*info = (struct info){ 0 };
	if (load_tags(&c, err) != 0 || convert(&c, info, err) != 0)
		return -1;
	return set_origin(&c, info, err);
}
