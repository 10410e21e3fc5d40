#include "gomod/module.h"

#include "gomod/path.h"
#include "gomod/version.h"

static const struct str unstable = { "-unstable", sizeof("-unstable") - 1 };

static int invalid(struct str path, const char *kind, struct err *err)
{
	return err_wrap(err, "invalid %s '%s'", kind, path_quote(path).text);
}

/* A domain name in small letters, so that no two differ by case alone. */
static int check_first(struct str first, struct err *err)
{
	if (!str_has_char(first, '.'))
		return err_set(err, ERR_BAD_REQUEST,
			       "no dot in the first element '%s'",
			       path_quote(first).text);
	for (size_t i = 0; i < first.n; i++) {
		char c = first.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '.')
			continue;
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid character '%c' in the first element", c);
	}
	return 0;
}

static int check_path(struct str path, struct err *err)
{
	struct str prefix, path_major;
	long slash = str_find(path, '/');

	if (path_check(path, PATH_MODULE, err) != 0)
		return -1;
	if (check_first(slash < 0 ? path : str_head(path, (size_t)slash), err) != 0)
		return -1;
	if (!module_has_valid_major(path, &prefix, &path_major))
		return err_set(err, ERR_BAD_REQUEST,
			       "no module path ends in such a version");
	return 0;
}

int module_path_check(struct str path, struct err *err)
{
	if (check_path(path, err) != 0)
		return invalid(path, "module path", err);
	return 0;
}

int module_import_path_check(struct str path, struct err *err)
{
	if (path_check(path, PATH_IMPORT, err) != 0)
		return invalid(path, "import path", err);
	return 0;
}

int module_file_path_check(struct str path, struct err *err)
{
	if (path_check(path, PATH_FILE, err) != 0)
		return invalid(path, "file path", err);
	return 0;
}

static int check_lengths(struct str escaped, struct err *err)
{
	struct str rest = escaped;
	struct str element;

	if (escaped.n > MODULE_ESCAPED_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			       "module path of %zu bytes, more than %d: '%s'",
			       escaped.n, MODULE_ESCAPED_MAX,
			       path_quote(escaped).text);
	while (str_cut(&rest, '/', &element))
		if (element.n > MODULE_ELEMENT_MAX)
			return err_set(err, ERR_BAD_REQUEST,
				       "module path with an element of %zu bytes, "
				       "more than %d: '%s'",
				       element.n, MODULE_ELEMENT_MAX,
				       path_quote(element).text);
	return 0;
}

int module_escape_path(struct pool *pool, struct str path,
		       struct str *escaped, struct err *err)
{
	struct str result;

	/* The bound keeps what is copied below small. */
	if (path.n > MODULE_ESCAPED_MAX)
		return check_lengths(path, err);
	if (module_path_check(path, err) != 0)
		return -1;
	result = path_escape(pool, path);
	if (check_lengths(result, err) != 0)
		return -1;
	*escaped = result;
	return 0;
}

int module_unescape_path(struct pool *pool, struct str escaped,
			 struct str *path, struct err *err)
{
	struct str plain;

	if (check_lengths(escaped, err) != 0)
		return -1;
	if (path_unescape(pool, escaped, &plain, err) != 0)
		return invalid(escaped, "escaped module path", err);
	if (module_path_check(plain, err) != 0)
		return -1;
	*path = plain;
	return 0;
}

/* Offset of the digits (and dots, if allowed) that end s. */
static size_t tail_of_digits(struct str s, bool allows_dots)
{
	size_t i = s.n;

	while (i > 0 && ((s.p[i - 1] >= '0' && s.p[i - 1] <= '9') ||
			 (allows_dots && s.p[i - 1] == '.')))
		i--;
	return i;
}

/* "gopkg.in/yaml.v3", "gopkg.in/check.v1-unstable": always with a major. */
static bool has_valid_gopkg_major(struct str path, struct str *prefix,
				  struct str *path_major)
{
	struct str name = path;
	struct str major;
	size_t i;

	if (str_has_suffix(path, unstable))
		name.n -= unstable.n;
	i = tail_of_digits(name, false);
	/*
	 * splitGopkgIn doesn't ask for a digit when "-unstable" follows, as
	 * the length that it looks at includes that; so neither do we.
	 */
	if (i <= 1 || path.p[i - 1] != 'v' || path.p[i - 2] != '.')
		return false;
	major = str_skip(path, i - 2);
	if (major.n <= 2 ||
	    (major.p[2] == '0' && !str_is_equal(major, STR(".v0"))))
		return false;
	*prefix = str_head(path, i - 2);
	*path_major = major;
	return true;
}

bool module_has_valid_major(struct str path, struct str *prefix,
			    struct str *path_major)
{
	struct str major;
	size_t i;

	if (str_has_prefix(path, STR("gopkg.in/")))
		return has_valid_gopkg_major(path, prefix, path_major);
	i = tail_of_digits(path, true);
	if (i <= 1 || i == path.n || path.p[i - 1] != 'v' ||
	    path.p[i - 2] != '/') {
		*prefix = path;
		*path_major = STR("");
		return true;
	}
	major = str_skip(path, i - 2);
	if (str_has_char(major, '.') || major.p[2] == '0' ||
	    str_is_equal(major, STR("/v1")))
		return false;
	*prefix = str_head(path, i - 2);
	*path_major = major;
	return true;
}

/* What stands behind the separator, without gopkg.in's "-unstable". */
static struct str stable_major(struct str path_major)
{
	if (str_has_prefix(path_major, STR(".v")) &&
	    str_has_suffix(path_major, unstable))
		path_major.n -= unstable.n;
	return str_skip(path_major, 1);
}

/* module.CheckPathMajor. */
bool module_matches_major(struct str version, struct str path_major)
{
	struct str major = version_major(version);

	if (path_major.n == 0)
		return str_is_equal(major, STR("v0")) ||
		       str_is_equal(major, STR("v1")) ||
		       str_is_equal(version_build(version),
				    STR("+incompatible"));
	if (path_major.p[0] != '.' && path_major.p[0] != '/')
		return false;
	/* Old pseudo-versions of gopkg.in/NAME.v1 were made as v0.0.0-. */
	if (str_has_prefix(version, STR("v0.0.0-")) && path_major.p[0] == '.' &&
	    str_is_equal(stable_major(path_major), STR("v1")))
		return true;
	return str_is_equal(major, stable_major(path_major));
}

struct str module_major_prefix(struct str path_major)
{
	struct str major = stable_major(path_major);

	return str_is_equal(major, version_major(major)) ? major : STR("");
}

int module_check(struct str path, struct str version, struct err *err)
{
	struct str prefix = path, path_major = STR(""), needed;

	if (module_path_check(path, err) != 0)
		return -1;
	if (!version_is_valid(version))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid version '%s': not a semantic version",
			       path_quote(version).text);
	module_has_valid_major(path, &prefix, &path_major);
	if (module_matches_major(version, path_major))
		return 0;
	needed = path_major.n > 0 ? str_skip(path_major, 1) : STR("v0 or v1");
	return err_set(err, ERR_BAD_REQUEST,
		       "impossible version '%s' of module '%s': its major must be %.*s",
		       path_quote(version).text, path_quote(path).text,
		       STR_ARG(needed));
}

/* Cut one end of a range off *glob, which is inside a class. */
static bool cut_range_end(struct str *glob, int32_t *c)
{
	size_t n;

	if (str_has_prefix(*glob, STR("-")) || str_has_prefix(*glob, STR("]")))
		return false;
	if (str_has_prefix(*glob, STR("\\")))
		*glob = str_skip(*glob, 1);
	n = path_first_char(*glob, c);
	*glob = str_skip(*glob, n);
	return n > 0;
}

/* Cut a class off *glob, from its '[' on; false if it is malformed. */
static bool cut_class(struct str *glob, int32_t c, bool *has_c)
{
	int32_t low, high;
	bool is_negated, is_found = false;

	*glob = str_skip(*glob, 1);
	is_negated = str_has_prefix(*glob, STR("^"));
	*glob = str_skip(*glob, is_negated);
	do {
		if (!cut_range_end(glob, &low))
			return false;
		high = low;
		if (str_has_prefix(*glob, STR("-"))) {
			*glob = str_skip(*glob, 1);
			if (!cut_range_end(glob, &high))
				return false;
		}
		is_found = is_found || (low <= c && c <= high);
	} while (!str_has_prefix(*glob, STR("]")));
	*glob = str_skip(*glob, 1);
	*has_c = is_found != is_negated;
	return true;
}

/* As path.Match takes it: malformed anywhere is malformed, whatever the name. */
static bool is_well_formed(struct str glob)
{
	bool unused;

	while (glob.n > 0) {
		char c = glob.p[0];

		if (c == '[') {
			if (!cut_class(&glob, 0, &unused))
				return false;
			continue;
		}
		if (c == '\\' && glob.n == 1)
			return false;
		glob = str_skip(glob, c == '\\' ? 2 : 1);
	}
	return true;
}

/* Cut what isn't a star off *glob, and what it stands for off *name. */
static bool match_one(struct str *glob, struct str *name)
{
	int32_t c;
	size_t n = path_first_char(*name, &c);
	bool is_match = false;

	if (name->n == 0)
		return false;
	if (n == 0) { /* a byte that isn't UTF-8 counts as U+FFFD */
		c = 0xfffd;
		n = 1;
	}
	if (glob->p[0] == '[') {
		cut_class(glob, c, &is_match);
	} else if (glob->p[0] == '?') {
		is_match = c != '/';
		*glob = str_skip(*glob, 1);
	} else {
		*glob = str_skip(*glob, glob->p[0] == '\\');
		is_match = glob->p[0] == name->p[0];
		*glob = str_skip(*glob, 1);
		n = 1;
	}
	*name = str_skip(*name, n);
	return is_match;
}

/* path.Match of a well-formed glob. */
static bool match(struct str glob, struct str name)
{
	struct str star = { 0 }; /* what follows the last one in glob */
	struct str rest = { 0 }; /* what it leaves of name */

	while (glob.n > 0 || name.n > 0) {
		if (str_has_prefix(glob, STR("*"))) {
			glob = star = str_skip(glob, 1);
			rest = name;
			continue;
		}
		if (glob.n > 0 && match_one(&glob, &name))
			continue;
		/* No match: the last star takes one byte more, if it may. */
		if (rest.n == 0 || rest.p[0] == '/')
			return false;
		name = rest = str_skip(rest, 1);
		glob = star;
	}
	return true;
}

/* Cut path down to as many elements as glob has; false if it has fewer. */
static bool cut_elements(struct str *path, struct str glob)
{
	size_t slashes = 0;

	for (size_t i = 0; i < glob.n; i++)
		slashes += glob.p[i] == '/';
	for (size_t i = 0; i < path->n; i++)
		if (path->p[i] == '/' && slashes-- == 0) {
			*path = str_head(*path, i);
			return true;
		}
	return slashes == 0;
}

static struct str without_slash(struct str glob)
{
	return str_head(glob, glob.n - str_has_suffix(glob, STR("/")));
}

bool module_is_pattern(struct str glob)
{
	return is_well_formed(without_slash(glob));
}

bool module_matches_patterns(struct str patterns, struct str path)
{
	struct str glob;

	while (str_cut(&patterns, ',', &glob)) {
		struct str prefix = path;

		glob = without_slash(glob);
		if (glob.n > 0 && is_well_formed(glob) &&
		    cut_elements(&prefix, glob) && match(glob, prefix))
			return true;
	}
	return false;
}
