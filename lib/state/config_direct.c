#include "gomod/module.h"
#include "state/config_option.h"

/* One of the systems that GOVCS knows, or "all" or "off". */
static bool is_system(struct str name)
{
	static const char *const names[] = { "git", "hg", "svn", "bzr", "fossil", "all", "off" };

	return config_find_name(name, names, ARRAY_LEN(names)) >= 0;
}

/* PATTERN:SYSTEM|SYSTEM; the pieces are trimmed. False if it isn't one. */
static bool split_rule(struct str rule, struct str *pattern, struct str *systems)
{
	struct str list, system;
	long colon = str_find(rule, ':');

	if (colon <= 0)
		return false;
	*pattern = str_trim(str_head(rule, (size_t)colon));
	*systems = list = str_trim(str_skip(rule, (size_t)colon + 1));
	if (pattern->n == 0 || list.n == 0 || !module_is_pattern(*pattern))
		return false;
	while (str_cut(&list, '|', &system))
		if (!is_system(str_trim(system)))
			return false;
	return true;
}

/* FROM=URL, as git's url.URL.insteadOf FROM; both end in '/'. */
static bool split_rewrite(struct str rule, struct str *from, struct str *to)
{
	long equals = str_find(rule, '=');

	if (equals <= 0)
		return false;
	*from = str_trim(str_head(rule, (size_t)equals));
	*to = str_trim(str_skip(rule, (size_t)equals + 1));
	return from->n > 1 && str_has_suffix(*from, STR("/")) && str_has_suffix(*to, STR("/")) &&
	       (str_has_prefix(*to, STR("https://")) || str_has_prefix(*to, STR("http://")) ||
		str_has_prefix(*to, STR("ssh://")));
}

bool config_direct_is_valid(const struct config_option *option, struct str text)
{
	struct str rule, a, b;

	while (text.n > 0 && str_cut(&text, ',', &rule)) {
		if (option->type == CONFIG_VCS ? !split_rule(rule, &a, &b) : !split_rewrite(rule, &a, &b))
			return false;
	}
	return true;
}

static bool names_system(struct str systems, struct str wanted)
{
	struct str system;

	while (str_cut(&systems, '|', &system)) {
		system = str_trim(system);
		if (str_is_equal_nocase(system, wanted) || str_is_equal_nocase(system, STR("all")))
			return true;
	}
	return false;
}

bool config_vcs_is_allowed(const struct config *config, struct str root, struct str system)
{
	struct str rules = str_of(config->direct.vcs), rule, pattern, systems;
	bool is_private = config_is_private(config, root);

	while (rules.n > 0 && str_cut(&rules, ',', &rule)) {
		if (!split_rule(rule, &pattern, &systems))
			continue;
		if (str_is_equal(pattern, STR("private")) ? is_private
		    : str_is_equal(pattern, STR("public")) ? !is_private
							   : module_matches_patterns(pattern, root))
			return names_system(systems, system);
	}
	return is_private || names_system(STR("git|hg"), system);
}

struct str config_rewrite(const struct config *config, struct pool *pool, struct str url)
{
	struct str rules = str_of(config->direct.rewrite), rule, from, to, best = { 0 }, best_to = { 0 };
	struct str rest = str_has_prefix(url, STR("https://")) ? str_skip(url, 8) : url;

	while (rules.n > 0 && str_cut(&rules, ',', &rule))
		if (split_rewrite(rule, &from, &to) && str_has_prefix(rest, from) && from.n > best.n) {
			best = from;
			best_to = to;
		}
	if (best.n == 0)
		return url;
	return pool_printf(pool, "%.*s%.*s", STR_ARG(best_to), STR_ARG(str_skip(rest, best.n)));
}
