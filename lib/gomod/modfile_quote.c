#include "gomod/modfile_quote.h"

#include <string.h>

#include "gomod/path.h"

#define NO_CHAR 0xfffd

/* A character as Go decodes it: U+FFFD for a byte that isn't UTF-8. */
static int32_t cut_char(struct str *rest)
{
	int32_t c;
	size_t n = path_first_char(*rest, &c);

	*rest = str_skip(*rest, n > 0 ? n : 1);
	return n > 0 ? c : NO_CHAR;
}

static void add_char(struct buf *buf, uint32_t c)
{
	if (c >= 0x10000) {
		buf_add_char(buf, (char)(0xf0 | c >> 18));
		buf_add_char(buf, (char)(0x80 | (c >> 12 & 0x3f)));
	} else if (c >= 0x800) {
		buf_add_char(buf, (char)(0xe0 | c >> 12));
	} else if (c >= 0x80) {
		buf_add_char(buf, (char)(0xc0 | c >> 6));
	}
	if (c >= 0x800)
		buf_add_char(buf, (char)(0x80 | (c >> 6 & 0x3f)));
	buf_add_char(buf, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
}

/* Cut n digits of a base off *rest. */
static bool cut_digits(struct str *rest, size_t n, uint32_t base, uint32_t *value)
{
	static const char digits[] = "0123456789abcdef";
	struct str number = str_head(*rest, n);

	*value = 0;
	for (size_t i = 0; i < number.n; i++) {
		char c = number.p[i];
		bool is_capital = c >= 'A' && c <= 'F';
		const char *at = c ? strchr(digits, is_capital ? c + ('a' - 'A') : c) : NULL;

		if (!at || at - digits >= (long)base)
			return false;
		*value = *value * base + (uint32_t)(at - digits);
	}
	*rest = str_skip(*rest, n);
	return number.n == n;
}

/* Characters by number: 'u' and 'U' must be one, 'x' and octal give a byte. */
static bool unescape_number(struct str *rest, char kind, struct buf *text)
{
	uint32_t value;
	bool is_char = kind == 'u' || kind == 'U';

	if (is_char) {
		if (!cut_digits(rest, kind == 'u' ? 4 : 8, 16, &value) || value > 0x10ffff ||
		    (value >= 0xd800 && value <= 0xdfff))
			return false;
		add_char(text, value);
		return true;
	}
	if (kind == 'x' ? !cut_digits(rest, 2, 16, &value) : !cut_digits(rest, 3, 8, &value))
		return false;
	buf_add_char(text, (char)value);
	return value <= 0xff;
}

/* What follows a backslash. */
static bool unescape(struct str *rest, struct buf *text)
{
	static const char letters[] = "abfnrtv\\\"";
	static const char bytes[] = "\a\b\f\n\r\t\v\\\"";
	char kind = rest->n > 0 ? rest->p[0] : '\0';
	const char *at = kind ? strchr(letters, kind) : NULL;

	if (at) {
		buf_add_char(text, bytes[at - letters]);
		*rest = str_skip(*rest, 1);
		return true;
	}
	if (kind == 'x' || kind == 'u' || kind == 'U') {
		*rest = str_skip(*rest, 1);
		return unescape_number(rest, kind, text);
	}
	return unescape_number(rest, '0', text);
}

static bool unquote_double(struct str rest, struct buf *text)
{
	while (rest.n > 0) {
		char c = rest.p[0];

		if (c == '"' || c == '\n')
			return false;
		if (c != '\\') {
			add_char(text, (uint32_t)cut_char(&rest));
			continue;
		}
		rest = str_skip(rest, 1);
		if (!unescape(&rest, text))
			return false;
	}
	return true;
}

/* Go drops carriage returns, and nothing else. */
static bool unquote_raw(struct str rest, struct buf *text)
{
	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] == '`')
			return false;
		if (rest.p[i] != '\r')
			buf_add_char(text, rest.p[i]);
	}
	return true;
}

bool modfile_unquote(struct pool *pool, struct str quoted, struct str *text)
{
	char quote = quoted.n >= 2 ? quoted.p[0] : '\0';
	struct buf buf;
	struct str inner;
	bool is_ok;

	if ((quote != '"' && quote != '`') || quoted.p[quoted.n - 1] != quote)
		return false;
	inner = (struct str){ quoted.p + 1, quoted.n - 2 };
	/* A byte that isn't UTF-8 becomes three. */
	buf_init(&buf, 3 * inner.n + 1);
	is_ok = quote == '"' ? unquote_double(inner, &buf) : unquote_raw(inner, &buf);
	if (is_ok)
		*text = pool_str(pool, buf_str(&buf));
	buf_clear(&buf);
	return is_ok;
}

static bool must_quote(struct str text)
{
	struct str rest = text;

	if (text.n == 0 || str_find_str(text, STR("//")) >= 0 || str_find_str(text, STR("/*")) >= 0)
		return true;
	while (rest.n > 0) {
		int32_t c = cut_char(&rest);

		if (!path_is_printable(c) || c == ' ' || c == '"' || c == '\'' || c == '`')
			return true;
		if (text.n > 1 && c < 0x80 && strchr("()[]{},", c))
			return true;
	}
	return false;
}

static void quote_char(struct buf *buf, struct str bytes, int32_t c)
{
	static const char letters[] = "abtnvfr"; /* for 7 to 13 */

	if (c == NO_CHAR && bytes.n == 1)
		buf_printf(buf, "\\x%02x", (unsigned char)bytes.p[0]);
	else if (c == '"' || c == '\\')
		buf_printf(buf, "\\%c", (char)c);
	else if (path_is_printable(c))
		buf_add(buf, bytes);
	else if (c >= '\a' && c <= '\r')
		buf_printf(buf, "\\%c", letters[c - '\a']);
	else if (c < ' ' || c == 0x7f)
		buf_printf(buf, "\\x%02x", (unsigned int)c);
	else
		buf_printf(buf, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned int)c);
}

struct str modfile_auto_quote(struct pool *pool, struct str text)
{
	struct str rest = text;
	struct buf buf;

	if (!must_quote(text))
		return text;
	buf_init(&buf, 6 * text.n + 3);
	buf_add_char(&buf, '"');
	while (rest.n > 0) {
		struct str bytes = rest;
		int32_t c = cut_char(&rest);

		bytes.n -= rest.n;
		quote_char(&buf, bytes, c);
	}
	buf_add_char(&buf, '"');
	text = pool_str(pool, buf_str(&buf));
	buf_clear(&buf);
	return text;
}
