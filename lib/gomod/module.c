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

/* module.CheckPathMajor. */
static bool has_major(struct str version, struct str path_major)
{
	struct str major = version_major(version);

	if (path_major.n == 0)
		return str_is_equal(major, STR("v0")) ||
		       str_is_equal(major, STR("v1")) ||
		       str_is_equal(version_build(version),
				    STR("+incompatible"));
	if (path_major.p[0] == '.' && str_has_suffix(path_major, unstable))
		path_major.n -= unstable.n;
	/* Old pseudo-versions of gopkg.in/NAME.v1 were made as v0.0.0-. */
	if (str_has_prefix(version, STR("v0.0.0-")) &&
	    str_is_equal(path_major, STR(".v1")))
		return true;
	return str_is_equal(major, str_skip(path_major, 1));
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
	if (has_major(version, path_major))
		return 0;
	needed = path_major.n > 0 ? str_skip(path_major, 1) : STR("v0 or v1");
	return err_set(err, ERR_BAD_REQUEST,
		       "impossible version '%s' of module '%s': its major must be %.*s",
		       path_quote(version).text, path_quote(path).text,
		       STR_ARG(needed));
}
