#include "origin/discovery.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "gomod/module.h"
#include "gomod/goimport.h"

#define KEPT_BYTES_MAX 16384

/* One search; what its functions share. */
struct search {
	struct repos *repos;
	const struct config *config;
	struct pool *pool;
	struct str module;
	struct remote_rules rules;
	int64_t deadline_ms;
};

/* ---- what may be asked ---- */

static int check_system(const struct search *s, const struct discovery *found, struct err *err)
{
	if (str_is_equal(found->system, STR("mod")))
		return 0;
	if (!str_is_equal(found->system, STR("git")))
		return err_set(err, ERR_NOT_FOUND,
			       "%.*s is kept in %.*s, and this proxy fetches from git repositories only",
			       STR_ARG(s->module), STR_ARG(str_head(found->system, 20)));
	if (!config_vcs_is_allowed(s->config, found->root, found->system))
		return err_set(err, ERR_NOT_FOUND, "[direct] vcs disallows using git for %.*s",
			       STR_ARG(found->root));
	return 0;
}

static bool is_any_allowed(const struct search *s, struct str root)
{
	static const char *const systems[] = { "git", "hg", "svn", "bzr", "fossil" };

	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		if (config_vcs_is_allowed(s->config, root, str_of(systems[i])))
			return true;
	return false;
}

/* Before anybody is asked: could there be a root, and a system, that may be? */
static int check_module(const struct search *s, struct err *err)
{
	for (size_t n = 1; n <= s->module.n; n++)
		if ((n == s->module.n || s->module.p[n] == '/') && is_any_allowed(s, str_head(s->module, n)))
			return 0;
	return err_set(err, ERR_NOT_FOUND, "[direct] vcs is off for %.*s", STR_ARG(s->module));
}

/* ---- known hosts ---- */

/* Hosts whose paths say where the repository is: the first elements are its root. */
static const struct known {
	const char *prefix;
	size_t elements; /* of the root, behind the prefix */
	bool is_lower;	 /* the first of them has no capitals and only [a-z0-9] */
	const char *system;
	const char *suffix; /* of the root */
} hosts[] = {
	{ "github.com", 2, false, "git", "" },	   { "bitbucket.org", 2, false, "git", "" },
	{ "hub.jazz.net/git", 2, true, "git", "" }, { "git.apache.org", 1, false, "git", ".git" },
	{ "git.openstack.org", 2, false, "git", "" }, { "chiselapp.com", 4, false, "fossil", "" },
};

static bool is_word(struct str element, bool is_lower)
{
	for (size_t i = 0; i < element.n; i++) {
		char c = element.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      (!is_lower && ((c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'))))
			return false;
	}
	return element.n > 0;
}

/* The root is the host and its first elements, all of plain characters, as the rest has to be. */
static int take_known(struct search *s, const struct known *known, struct discovery *found, struct err *err)
{
	struct str rest = str_skip(s->module, strlen(known->prefix) + 1), element;
	size_t n = 0;

	if (s->module.n <= strlen(known->prefix))
		rest = (struct str){ 0 };
	found->root = s->module;
	while (rest.n > 0 && str_cut(&rest, '/', &element)) {
		if (!is_word(element, known->is_lower && n == 0))
			n = known->elements + 1000; /* refused below */
		if (++n == known->elements)
			found->root = str_head(s->module, (size_t)(element.p + element.n - s->module.p));
	}
	if (n < known->elements || n >= 1000 || !str_has_suffix(found->root, str_of(known->suffix)))
		return err_set(err, ERR_NOT_FOUND, "invalid %s import path '%.*s'", known->prefix,
			       STR_ARG(s->module));
	found->system = str_of(known->system);
	found->url = pool_printf(s->pool, "https://%.*s", STR_ARG(found->root)).p;
	return 0;
}

/* ---- HOST/PATH.git ---- */

static bool is_plain_path(struct str path)
{
	struct str element;

	while (path.n > 0 && str_cut(&path, '/', &element))
		if (!is_word(element.n > 0 && element.p[0] == '~' ? str_skip(element, 1) : element, false))
			return false;
	return true;
}

/*
 * Where the root ends if path names its system, at the last place where it does; 0 if it
 * doesn't. *system: without the dot.
 */
static size_t explicit_root(struct str path, struct str *system)
{
	static const char *const systems[] = { "bzr", "fossil", "git", "hg", "svn" };
	long slash = str_find(path, '/');
	size_t root_n = 0;

	for (size_t at = slash < 0 ? path.n : (size_t)slash + 2; at < path.n; at++) {
		if (path.p[at] != '.')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
			struct str name = str_of(systems[i]);
			size_t end = at + 1 + name.n;

			if (!str_has_prefix(str_skip(path, at + 1), name) || (end < path.n && path.p[end] != '/'))
				continue;
			if (path.p[at - 1] == '/' || !is_plain_path(str_skip(path, (size_t)slash + 1)))
				continue;
			*system = name;
			root_n = end;
		}
	}
	return root_n;
}

/* Which scheme leads there? https, else ssh, else http where that is allowed; never git://. */
static int take_explicit(struct search *s, size_t root_n, struct discovery *found, struct err *err)
{
	static const char *const schemes[] = { "https", "ssh", "http" };
	struct str repo = str_head(s->module, root_n - found->system.n - 1);

	found->root = str_head(s->module, root_n);
	found->url = pool_printf(s->pool, "https://%.*s", STR_ARG(repo)).p;
	if (check_system(s, found, err) != 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const char *url = pool_printf(s->pool, "%s://%.*s", schemes[i], STR_ARG(repo)).p;
		struct err why = { 0 };
		struct remote remote;

		if ((i == 1 && (!*s->config->direct.ssh_key || !s->rules.has_credentials)) ||
		    (i == 2 && !s->rules.is_insecure))
			continue;
		if (remote_open(repos_remotes(s->repos), s->pool, url, &s->rules, s->deadline_ms, &remote,
				&why) == 0) {
			found->url = url;
			return 0;
		}
		/* What https says counts, unless that only says that it isn't spoken there. */
		if (i == 0 || (err->kind == ERR_NOT_FOUND && why.kind != ERR_NOT_FOUND))
			*err = why;
	}
	return -1;
}

/* ---- ?go-get=1 ---- */

static int get_page(struct search *s, struct str path, struct remote_page *page, struct err *err)
{
	long slash = str_find(path, '/');
	struct str host = slash < 0 ? path : str_head(path, (size_t)slash);
	struct str rest = slash < 0 ? STR("/") : str_skip(path, (size_t)slash);
	const char *url = pool_printf(s->pool, "https://%.*s%.*s?go-get=1", STR_ARG(host), STR_ARG(rest)).p;
	struct err first = { 0 };

	if (!str_has_char(host, '.'))
		return err_set(err, ERR_NOT_FOUND, "'%.*s' does not begin with a host's name", STR_ARG(path));
	if (remote_get(repos_remotes(s->repos), s->pool, url, &s->rules, NULL, GOIMPORT_PAGE_MAX, s->deadline_ms, page,
		       &first) == 0 &&
	    (page->status == 200 || !s->rules.is_insecure))
		return 0;
	if (s->rules.is_insecure) {
		url = pool_printf(s->pool, "http://%.*s%.*s?go-get=1", STR_ARG(host), STR_ARG(rest)).p;
		if (remote_get(repos_remotes(s->repos), s->pool, url, &s->rules, NULL, GOIMPORT_PAGE_MAX, s->deadline_ms, page,
			       err) == 0)
			return 0;
	}
	*err = first;
	return -1;
}

/* Its tags; a page that isn't there has none. */
static int get_tags(struct search *s, struct str path, struct goimport **tags, size_t *n, struct err *err)
{
	struct remote_page page = { 0 };

	if (get_page(s, path, &page, err) != 0)
		return -1;
	*tags = pool_alloc(s->pool, GOIMPORT_TAGS_MAX * sizeof(**tags));
	*n = goimport_parse(s->pool, page.body, *tags);
	if (*n == 0 && (page.status >= 500 || page.status == 429))
		return err_set(err, ERR_BAD_UPSTREAM, "%s answers %d", page.url, page.status);
	if (*n == 0)
		return err_set(err, ERR_NOT_FOUND, "no go-import tag at %s, which answers %d", page.url,
			       page.status);
	return 0;
}

static bool is_same(const struct goimport *a, const struct goimport *b)
{
	return str_is_equal(a->prefix, b->prefix) && str_is_equal(a->vcs, b->vcs) &&
	       str_is_equal(a->repo, b->repo) && str_is_equal(a->subdir, b->subdir);
}

/*
 * Who says that a repository holds more than was asked for is held to it: the
 * page of the prefix itself must say the same.
 */
static int confirm(struct search *s, const struct goimport *claim, struct err *err)
{
	const struct goimport *second;
	struct goimport *tags;
	size_t n;

	if (str_is_equal(claim->prefix, s->module))
		return 0;
	if (module_import_path_check(claim->prefix, err) != 0)
		return err_set(err, ERR_NOT_FOUND, "a go-import tag with the prefix '%.*s'",
			       STR_ARG(str_head(claim->prefix, 200)));
	if (get_tags(s, claim->prefix, &tags, &n, err) != 0)
		return -1;
	if (goimport_match(tags, n, s->module, &second, err) != 0 || !is_same(claim, second))
		return err_set(err, ERR_NOT_FOUND, "the pages of '%.*s' and '%.*s' disagree about go-import",
			       STR_ARG(s->module), STR_ARG(claim->prefix));
	return 0;
}

/* As path.Clean has it, within the repository. By a dot or a detour to its root, go finds no files. */
static int clean_subdir(struct pool *pool, struct str *subdir, struct err *err)
{
	struct str rest = *subdir, clean = STR(""), element;
	bool is_good = !str_has_prefix(rest, STR("/"));

	while (is_good && rest.n > 0 && str_cut(&rest, '/', &element)) {
		if (element.n == 0 || str_is_equal(element, STR(".")))
			continue;
		if (str_is_equal(element, STR(".."))) {
			is_good = clean.n > 0;
			clean = str_head(clean, str_has_char(clean, '/') ? (size_t)str_find_last(clean, '/') : 0);
			continue;
		}
		is_good = element.p[0] != '-' && element.p[0] != ':';
		clean = clean.n == 0 ? element
				     : pool_printf(pool, "%.*s/%.*s", STR_ARG(clean), STR_ARG(element));
	}
	if (!is_good || (subdir->n > 0 && clean.n == 0))
		return err_set(err, ERR_NOT_FOUND, "a go-import tag with an invalid directory");
	*subdir = clean;
	return 0;
}

/* A password in a page would be shown to whoever asks, and logged. */
static int check_repo(struct search *s, struct str repo, struct err *err)
{
	struct fetch_url parts = { 0 };

	if (fetch_url_parse(s->pool, pool_cstr(s->pool, repo), &parts) && *parts.password)
		return err_set(err, ERR_FORBIDDEN,
			       "the page of '%.*s' names a URL with a password: those stand in [upstream] netrc",
			       STR_ARG(s->module));
	return 0;
}

static int take_page(struct search *s, struct discovery *found, struct err *err)
{
	const struct goimport *tag;
	struct goimport *tags;
	size_t n;

	if (get_tags(s, s->module, &tags, &n, err) != 0 ||
	    goimport_match(tags, n, s->module, &tag, err) != 0 || confirm(s, tag, err) != 0 ||
	    check_repo(s, tag->repo, err) != 0)
		return -1;
	found->subdir = tag->subdir;
	if (clean_subdir(s->pool, &found->subdir, err) != 0)
		return -1;
	found->root = tag->prefix;
	found->system = tag->vcs;
	found->url = pool_cstr(s->pool, tag->repo);
	return 0;
}

/* ---- putting it together ---- */

static int search(struct search *s, struct discovery *found, struct err *err)
{
	size_t root_n;

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (goimport_has_prefix(s->module, str_of(hosts[i].prefix)))
			return take_known(s, &hosts[i], found, err);
	root_n = explicit_root(s->module, &found->system);
	return root_n > 0 ? take_explicit(s, root_n, found, err) : take_page(s, found, err);
}

static const char *kept_path(struct pool *pool, struct str module)
{
	struct err err = { 0 };
	struct str escaped;

	return module_escape_path(pool, module, &escaped, &err) == 0
		       ? pool_printf(pool, "vcs/imports/%.*s/@import", STR_ARG(escaped)).p : NULL;
}

/* What was found lately: a line each for root, system, url and directory. */
static bool recall(const struct search *s, struct store *store, const char *path, int age_s,
		   struct discovery *found)
{
	struct str text, url;

	if (!store_read_fresh(store_dirfd(store), path, age_s, KEPT_BYTES_MAX, s->pool, &text) ||
	    !str_cut(&text, '\n', &found->root) || !str_cut(&text, '\n', &found->system) ||
	    !str_cut(&text, '\n', &url) || !str_cut(&text, '\n', &found->subdir))
		return false;
	found->url = pool_cstr(s->pool, url);
	return true;
}

static void remember(const struct search *s, struct store *store, const char *path, const struct discovery *found)
{
	struct err err = { 0 };
	struct str text = pool_printf(s->pool, "%.*s\n%.*s\n%s\n%.*s\n", STR_ARG(found->root),
				      STR_ARG(found->system), found->url, STR_ARG(found->subdir));

	if (store_dirfd(store) >= 0)
		file_replace(store_dirfd(store), "tmp", path, text, false, &err);
}

int discovery_find(struct repos *repos, const struct config *config, struct store *store, struct pool *pool,
		   struct str module, int age_s, int64_t deadline_ms, struct discovery *found, struct err *err)
{
	struct search s = { repos, config, pool, module, remote_rules_of(config, module), deadline_ms };
	const char *path = kept_path(pool, module);

	*found = (struct discovery){ 0 };
	if (check_module(&s, err) != 0)
		return -1;
	if (path && recall(&s, store, path, age_s, found)) {
		found->rules = s.rules;
		return check_system(&s, found, err);
	}
	*found = (struct discovery){ .rules = s.rules };
	if (search(&s, found, err) != 0 || check_system(&s, found, err) != 0)
		return -1;
	if (path)
		remember(&s, store, path, found);
	return 0;
}
