#include "origin/direct_code.h"

#include <string.h>

#include "base/file.h"
#include "gomod/mod.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "gomod/goimport.h"

static struct str trim_slashes(struct str s)
{
	while (s.n > 0 && s.p[0] == '/')
		s = str_skip(s, 1);
	while (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

/* Two directories, either of which may be empty. */
static struct str join(struct pool *pool, struct str a, struct str b)
{
	if (a.n == 0 || b.n == 0)
		return a.n == 0 ? b : a;
	return pool_printf(pool, "%.*s/%.*s", STR_ARG(a), STR_ARG(b));
}

int code_open(struct code *code, struct pool *pool, struct repo *repo, struct str module,
	      const struct discovery *found, struct err *err)
{
	struct str prefix, major;

	if (!goimport_has_prefix(module, found->root))
		return err_set(err, ERR_NOT_FOUND, "mismatched repository: found %.*s for %.*s",
			       STR_ARG(found->root), STR_ARG(module));
	if (!module_has_valid_major(module, &prefix, &major))
		return err_set(err, ERR_NOT_FOUND, "invalid module path '%.*s'", STR_ARG(module));
	*code = (struct code){ .pool = pool, .repo = repo, .module = module, .root = found->root };
	code->path_major = major;
	code->path_prefix = str_is_equal(found->root, module) ? module : prefix;
	code->pseudo_major = module_major_prefix(major);
	if (!str_is_equal(found->root, module)) {
		if (!goimport_has_prefix(prefix, found->root))
			return err_set(err, ERR_NOT_FOUND, "the repository at %.*s cannot contain module %.*s",
				       STR_ARG(found->root), STR_ARG(module));
		code->dir = trim_slashes(str_skip(prefix, found->root.n));
	}
	code->dir = join(pool, code->dir, trim_slashes(found->subdir));
	return 0;
}

struct str code_tag_prefix(const struct code *code)
{
	return code->dir.n == 0 ? STR("") : pool_printf(code->pool, "%.*s/", STR_ARG(code->dir));
}

/* What the repository calls it. */
struct str code_revision(struct code *code, struct str version)
{
	if (!version_is_valid(version))
		return version;
	if (version_is_pseudo(version)) {
		version.n -= version_build(version).n;
		return str_skip(version, (size_t)str_find_last(version, '-') + 1);
	}
	if (str_is_equal(version_build(version), STR("+incompatible")))
		version.n -= strlen("+incompatible");
	return join(code->pool, code->dir, version);
}

bool code_tag_version(const struct code *code, struct str tag, struct str *version, bool *is_canonical)
{
	struct str prefix = code_tag_prefix(code), rest = str_skip(tag, prefix.n);

	*is_canonical = false;
	if (!str_has_prefix(tag, prefix) || version_is_pseudo(tag))
		return false;
	*version = version_canonical(code->pool, rest);
	if (version->n == 0 || !str_has_prefix(rest, *version))
		return false; /* no version, or not a whole one: v1, v1.2 */
	*is_canonical = str_is_equal(*version, rest);
	return true;
}

/* ---- where the module is ---- */

/* isMajor of cmd/go: can a module that calls itself so have versions of this path major? */
static bool is_major(struct str path, struct str path_major)
{
	struct str prefix, major, wanted;

	if (path.n == 0 || !module_has_valid_major(path, &prefix, &major))
		return false;
	if (path_major.n == 0) {
		wanted = module_major_prefix(major);
		return wanted.n == 0 || str_is_equal(wanted, STR("v0")) || str_is_equal(wanted, STR("v1"));
	}
	return major.n > 0 && str_is_equal(str_skip(path_major, 1), str_skip(major, 1));
}

struct found_mod {
	struct str dir;
	struct str text; /* p NULL: there is none */
	struct str path; /* what it calls the module */
};

static int read_mod(struct code *code, const struct repo_rev *rev, struct str dir, struct found_mod *mod,
		    struct err *err)
{
	const char *file = pool_cstr(code->pool, join(code->pool, dir, STR("go.mod")));
	int rc = repo_read_file(code->repo, rev->hash, file, MOD_BODY_MAX + 1, &mod->text, err);

	mod->dir = dir;
	if (rc == FILE_ABSENT) {
		mod->text = (struct str){ 0 };
		return 0;
	}
	if (rc != 0)
		return -1;
	if (!mod->text.p)
		mod->text = STR("");
	mod->path = modfile_module_path(code->pool, mod->text);
	return 0;
}

/* At this revision, for people: as short as in a pseudo-version. */
static struct str shown_rev(struct code *code, struct str version, const struct repo_rev *rev)
{
	struct str name = code_revision(code, version);

	return str_is_equal(name, rev->hash) ? rev->short_hash : name;
}

static int refuse_mod(struct code *code, const struct found_mod *mod, bool has_second, struct str rev,
		      struct str version, struct err *err)
{
	struct str file = join(code->pool, mod->dir, STR("go.mod")), prefix, major;
	struct str suffix = has_second ? pool_printf(code->pool, " (and ...%.*s/go.mod does not exist)",
						     STR_ARG(code->path_major)) : STR("");

	if (mod->path.n == 0)
		return err_set(err, ERR_NOT_FOUND, "%.*s is missing module path%.*s at revision %.*s",
			       STR_ARG(file), STR_ARG(suffix), STR_ARG(rev));
	if (code->path_major.n > 0)
		return err_set(err, ERR_NOT_FOUND, "%.*s has non-...%.*s module path \"%.*s\"%.*s at revision %.*s",
			       STR_ARG(file), STR_ARG(code->path_major), STR_ARG(mod->path), STR_ARG(suffix),
			       STR_ARG(rev));
	if (!module_has_valid_major(mod->path, &prefix, &major))
		return err_set(err, ERR_NOT_FOUND, "%.*s has malformed module path \"%.*s\"%.*s at revision %.*s",
			       STR_ARG(file), STR_ARG(mod->path), STR_ARG(suffix), STR_ARG(rev));
	return err_set(err, ERR_NOT_FOUND, "%.*s has post-%.*s module path \"%.*s\"%.*s at revision %.*s",
		       STR_ARG(file), STR_ARG(version_major(version)), STR_ARG(mod->path), STR_ARG(suffix),
		       STR_ARG(rev));
}

/* DIR/v2/go.mod: takes the module if it calls itself so, and then DIR/go.mod must not. 1: not there. */
static int try_major_dir(struct code *code, const struct repo_rev *rev, bool is_first_ours,
			 struct str version, struct found_mod *second, struct err *err)
{
	struct str dir = join(code->pool, code->dir, str_skip(code->path_major, 1));
	struct str shown = shown_rev(code, version, rev);
	bool is_ours;

	if (read_mod(code, rev, dir, second, err) != 0)
		return -1;
	is_ours = second->text.p && is_major(second->path, code->path_major);
	if (is_ours && is_first_ours)
		return err_set(err, ERR_NOT_FOUND,
			       "%.*s/go.mod and ...%.*s/go.mod both have ...%.*s module paths at revision %.*s",
			       STR_ARG(join(code->pool, code->path_prefix, code->dir)), STR_ARG(code->path_major),
			       STR_ARG(code->path_major), STR_ARG(shown));
	if (is_ours || !second->text.p)
		return is_ours ? 0 : 1;
	if (second->path.n == 0)
		return err_set(err, ERR_NOT_FOUND, "%.*s/%.*s/go.mod is missing module path at revision %.*s",
			       STR_ARG(code->root), STR_ARG(dir), STR_ARG(shown));
	return err_set(err, ERR_NOT_FOUND, "%.*s/%.*s/go.mod has non-...%.*s module path \"%.*s\" at revision %.*s",
		       STR_ARG(code->root), STR_ARG(dir), STR_ARG(code->path_major), STR_ARG(second->path),
		       STR_ARG(shown));
}

static int refuse_absent(struct code *code, bool has_second, struct str rev, struct err *err)
{
	if (has_second)
		return err_set(err, ERR_NOT_FOUND, "missing %.*s/go.mod and ...%.*s/go.mod at revision %.*s",
			       STR_ARG(code->path_prefix), STR_ARG(code->path_major), STR_ARG(rev));
	return err_set(err, ERR_NOT_FOUND, "missing %.*s/go.mod at revision %.*s", STR_ARG(code->path_prefix),
		       STR_ARG(rev));
}

int code_find_dir(struct code *code, const struct repo_rev *rev, struct str version, struct str *dir,
		  struct str *gomod, struct err *err)
{
	bool has_second = code->path_major.n > 0 && code->path_major.p[0] != '.' &&
			  !str_is_equal(code->root, code->module);
	struct found_mod first = { 0 }, second = { 0 };
	bool is_ours;
	int rc;

	if (read_mod(code, rev, code->dir, &first, err) != 0)
		return -1;
	/* A path without major stands for gopkg.in's as well: golang.org/issue/34254. */
	is_ours = first.text.p &&
		  (is_major(first.path, code->path_major) ||
		   (code->path_major.n == 0 && str_has_prefix(first.path, STR("gopkg.in/"))));
	if (has_second) {
		rc = try_major_dir(code, rev, is_ours, version, &second, err);
		if (rc == 0) {
			*dir = second.dir;
			*gomod = second.text;
		}
		if (rc != 1)
			return rc;
	}
	if (first.text.p && !is_ours)
		return refuse_mod(code, &first, has_second, shown_rev(code, version, rev), version, err);
	if (!first.text.p && (code->dir.n > 0 || (code->path_major.n > 0 && code->path_major.p[0] != '.')))
		return refuse_absent(code, has_second, shown_rev(code, version, rev), err);
	*dir = code->dir;
	*gomod = first.text;
	return 0;
}

int code_gomod(struct code *code, const struct repo_rev *rev, struct str version, struct str *gomod,
	       struct err *err)
{
	struct str dir;

	if (code_find_dir(code, rev, version, &dir, gomod, err) != 0)
		return -1;
	if (!gomod->p)
		*gomod = modfile_legacy(code->pool, code->module);
	return 0;
}
