#include "gomod/path.h"

#include <string.h>
#include <utf8proc.h>

struct path_quoted path_quote(struct str name)
{
	struct path_quoted quoted;
	size_t max = sizeof(quoted.text) - sizeof("...");
	size_t n = name.n < max ? name.n : max;

	for (size_t i = 0; i < n; i++) {
		char c = name.p[i];

		quoted.text[i] = c >= ' ' && c < 0x7f ? c : '?';
	}
	memcpy(quoted.text + n, n < name.n ? "..." : "", n < name.n ? 4 : 1);
	return quoted;
}

static bool is_alnum(int32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* unicode.IsLetter: the categories L*. */
static bool is_letter(int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	return category >= UTF8PROC_CATEGORY_LU &&
	       category <= UTF8PROC_CATEGORY_LO;
}

static bool is_allowed(int32_t c, enum path_kind kind)
{
	static const char *const punctuation[] = {
		[PATH_MODULE] = "-._~",
		[PATH_IMPORT] = "-._~+",
		[PATH_FILE] = "!#$%&()+,-.=@[]^_{}~ ",
	};

	if (c >= 0x80)
		return kind == PATH_FILE && is_letter(c);
	return is_alnum(c) || (c != 0 && strchr(punctuation[kind], c));
}

size_t path_first_char(struct str s, int32_t *c)
{
	utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.p,
					      (utf8proc_ssize_t)s.n, c);

	return n > 0 ? (size_t)n : 0;
}

bool path_is_printable(int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	return c == ' ' || (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_SO);
}

static int check_chars(struct str element, enum path_kind kind,
		       struct err *err)
{
	size_t n;
	int32_t c;

	for (size_t i = 0; i < element.n; i += n) {
		n = path_first_char(str_skip(element, i), &c);
		if (n == 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "not UTF-8 at byte %zu of '%s'", i,
				       path_quote(element).text);
		if (is_allowed(c, kind))
			continue;
		if (c > ' ' && c < 0x7f)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid character '%c' at byte %zu of '%s'",
				       (char)c, i, path_quote(element).text);
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid character U+%04X at byte %zu of '%s'",
			       (unsigned int)c, i, path_quote(element).text);
	}
	return 0;
}

/* Whatever stands behind the first dot, Windows takes these for devices. */
static bool is_windows_device(struct str stem)
{
	static const char *const names[] = { "con", "prn", "aux", "nul" };
	bool has_digit = stem.n == 4 && stem.p[3] >= '1' && stem.p[3] <= '9';

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is_equal_nocase(stem, str_of(names[i])))
			return true;
	return has_digit &&
	       (str_is_equal_nocase(str_head(stem, 3), STR("com")) ||
		str_is_equal_nocase(str_head(stem, 3), STR("lpt")));
}

/* Such as "progra~1", the short names of Windows. */
static bool has_short_tail(struct str stem)
{
	long tilde = str_find_last(stem, '~');
	struct str tail = str_skip(stem, (size_t)(tilde + 1));

	if (tilde < 0 || tail.n == 0)
		return false;
	for (size_t i = 0; i < tail.n; i++)
		if (tail.p[i] < '0' || tail.p[i] > '9')
			return false;
	return true;
}

static bool is_dots(struct str element)
{
	for (size_t i = 0; i < element.n; i++)
		if (element.p[i] != '.')
			return false;
	return true;
}

int path_element_check(struct str element, enum path_kind kind,
		       struct err *err)
{
	struct path_quoted quoted = path_quote(element);
	const char *text = quoted.text;
	long dot = str_find(element, '.');
	struct str stem = dot < 0 ? element : str_head(element, (size_t)dot);

	if (element.n == 0)
		return err_set(err, ERR_BAD_REQUEST, "empty path element");
	if (is_dots(element))
		return err_set(err, ERR_BAD_REQUEST, "path element '%s' of dots only",
			       text);
	if (element.p[0] == '.' && kind == PATH_MODULE)
		return err_set(err, ERR_BAD_REQUEST, "leading dot in '%s'",
			       text);
	if (element.p[element.n - 1] == '.')
		return err_set(err, ERR_BAD_REQUEST, "trailing dot in '%s'",
			       text);
	if (check_chars(element, kind, err) != 0)
		return -1;
	if (is_windows_device(stem))
		return err_set(err, ERR_BAD_REQUEST,
			       "'%s' is a device's name on Windows", text);
	if (kind != PATH_FILE && has_short_tail(stem))
		return err_set(err, ERR_BAD_REQUEST,
			       "trailing tilde and digits in '%s'", text);
	return 0;
}

int path_check(struct str path, enum path_kind kind, struct err *err)
{
	struct str rest = path;
	struct str element;

	if (path.n == 0)
		return err_set(err, ERR_BAD_REQUEST, "empty path");
	if (path.p[0] == '-' && kind != PATH_FILE)
		return err_set(err, ERR_BAD_REQUEST, "leading dash");
	while (str_cut(&rest, '/', &element))
		if (path_element_check(element, kind, err) != 0)
			return -1;
	return 0;
}

/*
 * Simple case folding, as unicode.SimpleFold goes round. utf8proc folds in
 * full ("ss" for a sharp s); where that yields several characters, their
 * lower case is what the simple folding of CaseFolding.txt has, but for
 * U+0130, which has none.
 */
static int32_t fold_char(int32_t c)
{
	utf8proc_int32_t folded[4];

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	if (utf8proc_decompose_char(c, folded, ARRAY_LEN(folded),
				    UTF8PROC_CASEFOLD, NULL) == 1)
		return folded[0];
	return c == 0x130 ? c : utf8proc_tolower(c);
}

void path_fold(struct str path, struct buf *folded)
{
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)path.p;
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t n;
	int32_t c;

	for (size_t i = 0; i < path.n; i += (size_t)n) {
		n = utf8proc_iterate(p + i, (utf8proc_ssize_t)(path.n - i), &c);
		if (n <= 0)
			return;
		utf8proc_ssize_t m = utf8proc_encode_char(fold_char(c), bytes);

		buf_add(folded, (struct str){ (char *)bytes, (size_t)m });
	}
}

size_t path_escaped_length(struct str plain)
{
	size_t n = plain.n;

	for (size_t i = 0; i < plain.n; i++)
		n += plain.p[i] >= 'A' && plain.p[i] <= 'Z';
	return n;
}

struct str path_escape(struct pool *pool, struct str plain)
{
	size_t n = path_escaped_length(plain);
	char *bytes = pool_alloc(pool, n + 1);
	size_t at = 0;

	for (size_t i = 0; i < plain.n; i++) {
		char c = plain.p[i];
		bool is_capital = c >= 'A' && c <= 'Z';

		if (is_capital)
			bytes[at++] = '!';
		bytes[at++] = is_capital ? (char)(c + ('a' - 'A')) : c;
	}
	return (struct str){ bytes, n };
}

int path_unescape(struct pool *pool, struct str escaped, struct str *plain,
		  struct err *err)
{
	char *bytes = pool_alloc(pool, escaped.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < escaped.n; i++) {
		char c = escaped.p[i];

		if (c >= 'A' && c <= 'Z')
			return err_set(err, ERR_BAD_REQUEST,
				       "capital '%c' at byte %zu (write '!%c')",
				       c, i, c + ('a' - 'A'));
		if ((unsigned char)c >= 0x80)
			return err_set(err, ERR_BAD_REQUEST,
				       "byte %zu isn't ASCII", i);
		if (c != '!') {
			bytes[n++] = c;
			continue;
		}
		if (++i == escaped.n || escaped.p[i] < 'a' || escaped.p[i] > 'z')
			return err_set(err, ERR_BAD_REQUEST,
				       "no small letter behind the '!' at byte %zu",
				       i - 1);
		bytes[n++] = (char)(escaped.p[i] - ('a' - 'A'));
	}
	*plain = (struct str){ bytes, n };
	return 0;
}
