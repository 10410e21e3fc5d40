#include "gomod/info.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gomod/path.h"
#include "gomod/version.h"

/* As encoding/json finds a field: by any case, and the last one counts. */
static json_t *field_of(json_t *object, const char *name)
{
	json_t *found = NULL;
	json_t *value;
	const char *key;

	json_object_foreach(object, key, value)
		if (str_is_equal_nocase(str_of(key), str_of(name)))
			found = value;
	return found;
}

static struct str text_of(const json_t *value)
{
	return (struct str){ json_string_value(value),
			     json_string_length(value) };
}

/* Cut exactly n digits off *rest. */
static bool cut_digits(struct str *rest, size_t n, unsigned int *value)
{
	*value = 0;
	if (rest->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (rest->p[i] < '0' || rest->p[i] > '9')
			return false;
		*value = *value * 10 + (unsigned int)(rest->p[i] - '0');
	}
	*rest = str_skip(*rest, n);
	return true;
}

static bool cut_char(struct str *rest, char c)
{
	if (rest->n == 0 || rest->p[0] != c)
		return false;
	*rest = str_skip(*rest, 1);
	return true;
}

static unsigned int days_of(unsigned int month, unsigned int year)
{
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	if (month == 2)
		return is_leap ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool cut_date(struct str *rest)
{
	unsigned int year, month, day;

	return cut_digits(rest, 4, &year) && cut_char(rest, '-') &&
	       cut_digits(rest, 2, &month) && cut_char(rest, '-') &&
	       cut_digits(rest, 2, &day) && month >= 1 && month <= 12 &&
	       day >= 1 && day <= days_of(month, year);
}

static bool cut_fraction(struct str *rest)
{
	unsigned int digit;

	if (!cut_char(rest, '.') && !cut_char(rest, ','))
		return true;
	if (!cut_digits(rest, 1, &digit))
		return false;
	while (cut_digits(rest, 1, &digit))
		continue;
	return true;
}

static bool cut_time(struct str *rest)
{
	unsigned int hour, minute, second;

	if (!cut_digits(rest, 2, &hour) && !cut_digits(rest, 1, &hour))
		return false;
	return cut_char(rest, ':') && cut_digits(rest, 2, &minute) &&
	       cut_char(rest, ':') && cut_digits(rest, 2, &second) &&
	       hour <= 23 && minute <= 59 && second <= 59 && cut_fraction(rest);
}

static bool cut_zone(struct str *rest)
{
	unsigned int hour, minute;

	if (cut_char(rest, 'Z'))
		return true;
	return (cut_char(rest, '+') || cut_char(rest, '-')) &&
	       cut_digits(rest, 2, &hour) && cut_char(rest, ':') &&
	       cut_digits(rest, 2, &minute) && hour <= 24 && minute <= 60;
}

/*
 * RFC 3339, 5.6, just as lenient and strict as time.Time.UnmarshalJSON: an
 * hour of one digit, a comma and "+24:60" are taken, leap seconds aren't.
 */
static bool is_time(struct str text)
{
	return cut_date(&text) && cut_char(&text, 'T') && cut_time(&text) &&
	       cut_zone(&text) && text.n == 0;
}

static int check_version(struct str version, struct str asked, struct err *err)
{
	if (!version_is_canonical(version))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: Version '%s' isn't canonical",
			       path_quote(version).text);
	if (version.n > VERSION_ESCAPED_MAX)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: Version of %zu bytes",
			       version.n);
	if (asked.n > 0 && !str_is_equal(asked, version))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: it is for '%s', not '%s'",
			       path_quote(version).text, path_quote(asked).text);
	return 0;
}

static int check_object(json_t *object, struct str asked, struct err *err)
{
	json_t *version = field_of(object, "Version");
	json_t *time = field_of(object, "Time");

	if (!json_is_object(object))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: not a JSON object");
	if (!json_is_string(version))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: no string Version");
	if (check_version(text_of(version), asked, err) != 0)
		return -1;
	if (!time || json_is_null(time))
		return 0;
	if (!json_is_string(time) || !is_time(text_of(time)))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: Time isn't one of RFC 3339");
	return 0;
}

int info_check(struct pool *pool, struct str json, struct str asked,
	       struct str *version, struct err *err)
{
	/* Lenient as Go is: huge numbers and NUL in fields we don't know. */
	size_t flags = JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL;
	json_error_t reason;
	json_t *root;
	int rc;

	if (json.n > INFO_BODY_MAX)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: %zu bytes, more than %u",
			       json.n, INFO_BODY_MAX);
	root = json_loadb(json.n > 0 ? json.p : "", json.n, flags, &reason);
	if (!root)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad version info: not JSON: %s",
			       path_quote(str_of(reason.text)).text);
	rc = check_object(root, asked, err);
	if (rc == 0 && version)
		*version = pool_str(pool, text_of(field_of(root, "Version")));
	json_decref(root);
	return rc;
}

/* ---- made by us ---- */

static void add(json_t *object, const char *name, struct str value)
{
	if (value.n > 0)
		json_object_set_new(object, name, json_stringn_nocheck(value.p, value.n));
}

static struct str time_text(struct pool *pool, time_t time)
{
	char text[64];
	struct tm tm;

	gmtime_r(&time, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return pool_str(pool, str_of(text));
}

struct str info_make(struct pool *pool, const struct info *info)
{
	json_t *object = json_object(), *origin = json_object();
	struct str made;
	char *text;

	add(origin, "VCS", info->origin.vcs);
	add(origin, "URL", info->origin.url);
	add(origin, "Subdir", info->origin.subdir);
	add(origin, "Hash", info->origin.hash);
	add(origin, "TagPrefix", info->origin.tag_prefix);
	add(origin, "TagSum", info->origin.tag_sum);
	add(origin, "Ref", info->origin.ref);
	add(object, "Version", info->version);
	add(object, "Time", time_text(pool, info->time));
	if (json_object_size(origin) > 0)
		json_object_set(object, "Origin", origin);
	json_decref(origin);
	text = json_dumps(object, JSON_COMPACT);
	made = pool_str(pool, str_of(text));
	free(text);
	json_decref(object);
	return made;
}

struct str info_origin_hash(struct pool *pool, struct str json)
{
	json_t *object = json_loadb(json.p ? json.p : "", json.n, 0, NULL);
	struct str hash = STR("");

	if (json_is_object(object))
		hash = pool_str(pool, text_of(json_object_get(json_object_get(object, "Origin"), "Hash")));
	json_decref(object);
	return hash;
}
