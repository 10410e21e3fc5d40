#include "gomod/version.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/path.h"

/* A version taken apart; the parts are pieces of it. */
struct parts {
	struct str whole;
	struct str number[3]; /* major, minor, patch; "0" where left out */
	struct str prerelease; /* with its '-' */
	struct str build;      /* with its '+' */
	bool is_short;	       /* "v1" or "v1.2" */
	bool is_valid;	       /* for version_sort() */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_identifier_char(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-';
}

static bool is_number(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

/* Cut a decimal number without leading zeros off *rest. */
static bool cut_number(struct str *rest, struct str *number)
{
	size_t n = 0;

	while (n < rest->n && is_digit(rest->p[n]))
		n++;
	if (n == 0 || (n > 1 && rest->p[0] == '0'))
		return false;
	*number = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return true;
}

/*
 * Cut a mark ('-' or '+') and the dotted identifiers behind it off *rest.
 * Only in pre-releases are numbers compared as such, so only there are
 * leading zeros refused (semver.org, 9 and 10).
 */
static bool cut_identifiers(struct str *rest, char mark, struct str *part)
{
	size_t start = 1;

	if (rest->n == 0 || rest->p[0] != mark)
		return true;
	for (size_t i = 1; i <= rest->n; i++) {
		bool ends = i == rest->n || rest->p[i] == '+';
		struct str identifier;

		if (!ends && rest->p[i] != '.') {
			if (!is_identifier_char(rest->p[i]))
				return false;
			continue;
		}
		identifier = (struct str){ rest->p + start, i - start };
		if (identifier.n == 0)
			return false;
		if (mark == '-' && identifier.n > 1 && identifier.p[0] == '0' &&
		    is_number(identifier))
			return false;
		start = i + 1;
		if (ends) {
			*part = str_head(*rest, i);
			*rest = str_skip(*rest, i);
			return true;
		}
	}
	return false;
}

static bool parse(struct str version, struct parts *parts)
{
	struct str rest = str_skip(version, 1);

	*parts = (struct parts){ .whole = version };
	if (version.n == 0 || version.p[0] != 'v')
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (i > 0 && rest.n == 0) {
			parts->is_short = true;
			parts->number[i] = STR("0");
			continue;
		}
		if (i > 0 && rest.p[0] != '.')
			return false;
		if (i > 0)
			rest = str_skip(rest, 1);
		if (!cut_number(&rest, &parts->number[i]))
			return false;
	}
	return cut_identifiers(&rest, '-', &parts->prerelease) &&
	       cut_identifiers(&rest, '+', &parts->build) && rest.n == 0;
}

bool version_is_valid(struct str version)
{
	struct parts parts;

	return parse(version, &parts);
}

bool version_is_canonical(struct str version)
{
	struct parts parts;

	return parse(version, &parts) && !parts.is_short &&
	       (parts.build.n == 0 ||
		str_is_equal(parts.build, STR("+incompatible")));
}

/*
 * Forms (pseudo.go): vX.0.0-TIME-REV, vX.Y.Z-0.TIME-REV and
 * vX.Y.Z-PRE.0.TIME-REV, where TIME has 14 digits.
 */
bool version_is_pseudo(struct str version)
{
	struct parts parts;
	struct str before;
	long dash;

	if (!parse(version, &parts) || parts.prerelease.n == 0)
		return false;
	dash = str_find_last(parts.prerelease, '-');
	if (dash < 15 || (size_t)dash + 1 == parts.prerelease.n)
		return false;
	if (str_has_char(str_skip(parts.prerelease, (size_t)dash), '.'))
		return false;
	before = str_head(parts.prerelease, (size_t)dash);
	if (!is_number(str_skip(before, before.n - 14)))
		return false;
	before = str_head(before, before.n - 14);
	if (str_is_equal(before, STR("-")))
		return str_is_equal(parts.number[1], STR("0")) &&
		       str_is_equal(parts.number[2], STR("0"));
	return str_is_equal(before, STR("-0.")) ||
	       str_has_suffix(before, STR(".0."));
}

struct str version_major(struct str version)
{
	struct parts parts;

	if (!parse(version, &parts))
		return STR("");
	return str_head(version, 1 + parts.number[0].n);
}

struct str version_prerelease(struct str version)
{
	struct parts parts;

	return parse(version, &parts) ? parts.prerelease : STR("");
}

struct str version_build(struct str version)
{
	struct parts parts;

	return parse(version, &parts) ? parts.build : STR("");
}

struct str version_canonical(struct pool *pool, struct str version)
{
	struct parts parts;

	if (!parse(version, &parts))
		return STR("");
	if (!parts.is_short)
		return str_head(version, version.n - parts.build.n);
	return pool_printf(pool, "v%.*s.%.*s.0", STR_ARG(parts.number[0]),
			   STR_ARG(parts.number[1]));
}

static int sign_of(int order)
{
	return (order > 0) - (order < 0);
}

/* Neither has leading zeros, so the longer one is the greater one. */
static int compare_numbers(struct str a, struct str b)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return sign_of(str_compare(a, b));
}

static int compare_identifiers(struct str a, struct str b)
{
	bool is_number_a = is_number(a);

	if (is_number_a != is_number(b))
		return is_number_a ? -1 : 1;
	return is_number_a ? compare_numbers(a, b) : sign_of(str_compare(a, b));
}

/* Semver.org, 11: a pre-release comes before its release. */
static int compare_prereleases(struct str a, struct str b)
{
	struct str x, y;

	if (a.n == 0 || b.n == 0)
		return (a.n == 0) - (b.n == 0);
	a = str_skip(a, 1);
	b = str_skip(b, 1);
	for (;;) {
		bool has_x = str_cut(&a, '.', &x);
		bool has_y = str_cut(&b, '.', &y);
		int order;

		if (!has_x || !has_y)
			return has_x - has_y;
		order = compare_identifiers(x, y);
		if (order != 0)
			return order;
	}
}

static int compare_parts(const struct parts *a, const struct parts *b)
{
	for (size_t i = 0; i < 3; i++) {
		int order = compare_numbers(a->number[i], b->number[i]);

		if (order != 0)
			return order;
	}
	return compare_prereleases(a->prerelease, b->prerelease);
}

int version_compare(struct str a, struct str b)
{
	struct parts parts_a, parts_b;
	bool is_valid_a = parse(a, &parts_a);
	bool is_valid_b = parse(b, &parts_b);

	if (!is_valid_a || !is_valid_b)
		return is_valid_a - is_valid_b;
	return compare_parts(&parts_a, &parts_b);
}

static int order_of_parts(const void *a, const void *b)
{
	const struct parts *x = a, *y = b;
	int order = x->is_valid - y->is_valid;

	if (order == 0 && x->is_valid)
		order = compare_parts(x, y);
	return order != 0 ? order : str_compare(x->whole, y->whole);
}

void version_sort(struct str *versions, size_t n)
{
	struct parts *parts = mem_alloc((n + 1) * sizeof(*parts));

	for (size_t i = 0; i < n; i++)
		parts[i].is_valid = parse(versions[i], &parts[i]);
	qsort(parts, n, sizeof(*parts), order_of_parts);
	for (size_t i = 0; i < n; i++)
		versions[i] = parts[i].whole;
	free(parts);
}

/*
 * x/mod lets letters above ASCII pass its check of file names and refuses
 * them when it escapes; one rule here.
 */
static int check_plain(struct str version, struct err *err)
{
	for (size_t i = 0; i < version.n; i++)
		if (version.p[i] == '!' || (unsigned char)version.p[i] >= 0x80)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid version '%s': byte %zu can't be in one",
				       path_quote(version).text, i);
	if (path_element_check(version, PATH_FILE, err) != 0)
		return err_wrap(err, "invalid version");
	return 0;
}

static int check_length(struct str version, size_t escaped_bytes,
			struct err *err)
{
	if (escaped_bytes <= VERSION_ESCAPED_MAX)
		return 0;
	return err_set(err, ERR_BAD_REQUEST,
		       "invalid version '%s': %zu bytes, more than %d",
		       path_quote(version).text, escaped_bytes,
		       VERSION_ESCAPED_MAX);
}

bool version_is_query(struct str version)
{
	struct err err;

	return !version_is_canonical(version) &&
	       check_length(version, path_escaped_length(version), &err) == 0 &&
	       check_plain(version, &err) == 0;
}

int version_escape(struct pool *pool, struct str version, struct str *escaped,
		   struct err *err)
{
	if (check_length(version, path_escaped_length(version), err) != 0 ||
	    check_plain(version, err) != 0)
		return -1;
	*escaped = path_escape(pool, version);
	return 0;
}

int version_unescape(struct pool *pool, struct str escaped,
		     struct str *version, struct err *err)
{
	struct str plain;

	if (check_length(escaped, escaped.n, err) != 0)
		return -1;
	if (path_unescape(pool, escaped, &plain, err) != 0)
		return err_wrap(err, "invalid escaped version '%s'",
				path_quote(escaped).text);
	if (check_plain(plain, err) != 0)
		return -1;
	*version = plain;
	return 0;
}
