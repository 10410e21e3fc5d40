#include "gomod/version.h"

#include <stdio.h>
#include <string.h>

#include "gomod/path.h"

#define TIME_DIGITS 14 /* YYYYMMDDhhmmss */

static int invalid(struct str version, const char *reason, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "invalid pseudo-version '%s': %s",
		       path_quote(version).text, reason);
}

/* The decimal number in n digits. */
static int number_of(const char *digits, size_t n)
{
	int number = 0;

	for (size_t i = 0; i < n; i++)
		number = 10 * number + (digits[i] - '0');
	return number;
}

/* timegm(3) takes the 31st of June for the 1st of July; time.Parse doesn't. */
static bool time_of(const char *digits, time_t *time)
{
	struct tm tm = {
		.tm_year = number_of(digits, 4) - 1900,
		.tm_mon = number_of(digits + 4, 2) - 1,
		.tm_mday = number_of(digits + 6, 2),
		.tm_hour = number_of(digits + 8, 2),
		.tm_min = number_of(digits + 10, 2),
		.tm_sec = number_of(digits + 12, 2),
	};
	struct tm same = tm;

	*time = timegm(&same);
	return tm.tm_year == same.tm_year && tm.tm_mon == same.tm_mon &&
	       tm.tm_mday == same.tm_mday && tm.tm_hour == same.tm_hour &&
	       tm.tm_min == same.tm_min && tm.tm_sec == same.tm_sec;
}

/* Count the number at the end of *digits up or down by one, where it is. */
static struct str count(char *digits, size_t n, int step)
{
	char last = step > 0 ? '9' : '0', first = step > 0 ? '0' : '9';
	size_t i = n;

	while (i > 0 && digits[i - 1] == last)
		digits[--i] = first;
	if (i > 0)
		digits[i - 1] = (char)(digits[i - 1] + step);
	return (struct str){ digits, n };
}

/* The patch behind the last dot, less one: vX.Y.(Z+1) has the base vX.Y.Z. */
static bool patch_before(struct pool *pool, struct str patch,
			 struct str *before)
{
	if (str_is_equal(patch, STR("0")))
		return false;
	*before = count(pool_cstr(pool, patch), patch.n, -1);
	if (before->n > 1 && before->p[0] == '0')
		*before = str_skip(*before, 1);
	return true;
}

static struct str patch_behind(struct pool *pool, struct str patch)
{
	struct str digits = pool_printf(pool, "0%.*s", STR_ARG(patch));
	struct str behind = count((char *)digits.p, digits.n, 1);

	return behind.p[0] == '0' ? str_skip(behind, 1) : behind;
}

/* head is the version up to the dash before its time, or up to the dot. */
static int base_of(struct pool *pool, struct str version, struct str head,
		   struct str *base, struct err *err)
{
	struct str build = version_build(version);
	struct str pre = version_prerelease(head), patch;

	*base = STR("");
	if (pre.n == 0)
		return build.n == 0 ? 0 : invalid(version, "a build suffix without a base", err);
	if (!str_is_equal(pre, STR("-0"))) {
		*base = pool_printf(pool, "%.*s%.*s", (int)(head.n - strlen(".0")),
				    head.p, STR_ARG(build));
		return 0;
	}
	head.n -= pre.n;
	patch = str_skip(head, (size_t)str_find_last(head, '.') + 1);
	head.n -= patch.n;
	if (!patch_before(pool, patch, &patch))
		return invalid(version, "no patch comes before 0", err);
	*base = pool_printf(pool, "%.*s%.*s%.*s", STR_ARG(head), STR_ARG(patch),
			    STR_ARG(build));
	return 0;
}

int version_pseudo_parse(struct pool *pool, struct str version,
			 struct version_pseudo *pseudo, struct err *err)
{
	struct version_pseudo parsed;
	struct str head = version;
	size_t dash;

	if (!version_is_pseudo(version))
		return invalid(version, "not of that form", err);
	head.n -= version_build(version).n;
	dash = (size_t)str_find_last(head, '-');
	parsed.rev = str_skip(head, dash + 1);
	head.n = dash - TIME_DIGITS;
	if (!time_of(head.p + head.n, &parsed.time))
		return invalid(version, "no such time", err);
	/* Without the dash or the dot before the time. */
	head.n--;
	if (base_of(pool, version, head, &parsed.base, err) != 0)
		return -1;
	*pseudo = parsed;
	return 0;
}

struct str version_pseudo_make(struct pool *pool, struct str major,
			       struct str older, time_t time, struct str rev)
{
	struct str build = version_build(older), tag, patch, end;
	char digits[32];
	struct tm tm;

	if (!gmtime_r(&time, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		return STR("");
	/* %Y leaves out leading zeros. */
	snprintf(digits, sizeof(digits), "%04d", tm.tm_year + 1900);
	strftime(digits + 4, sizeof(digits) - 4, "%m%d%H%M%S", &tm);
	end = pool_printf(pool, "%s-%.*s%.*s", digits, STR_ARG(rev), STR_ARG(build));
	tag = version_canonical(pool, older);
	if (tag.n == 0 && major.n == 0)
		major = STR("v0");
	if (tag.n == 0)
		return pool_printf(pool, "%.*s.0.0-%.*s", STR_ARG(major), STR_ARG(end));
	if (version_prerelease(tag).n > 0)
		return pool_printf(pool, "%.*s.0.%.*s", STR_ARG(tag), STR_ARG(end));
	patch = str_skip(tag, (size_t)str_find_last(tag, '.') + 1);
	tag.n -= patch.n;
	patch = patch_behind(pool, patch);
	return pool_printf(pool, "%.*s%.*s-0.%.*s", STR_ARG(tag), STR_ARG(patch),
			   STR_ARG(end));
}
