#include "gomod/modfile.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/modfile_lex.h"
#include "gomod/modfile_quote.h"
#include "gomod/module.h"
#include "gomod/version.h"

struct parsed {
	struct pool *pool;
	bool has_module;
	bool has_go;
	struct str lang;
	struct modfile_interval *intervals; /* malloc(3) */
	size_t n, room;
};

/*
 * modfile.parseString: a word, or what a "..." stands for. Anything else with
 * a quote in it is refused.
 */
static bool text_of(struct pool *pool, struct str token, struct str *text)
{
	if (str_has_prefix(token, STR("\"")))
		return modfile_unquote(pool, token, text);
	if (str_has_char(token, '"') || str_has_char(token, '\'') || str_has_char(token, '`'))
		return false;
	*text = token;
	return true;
}

/* Cut a decimal number without leading zeros off *rest. */
static bool cut_number(struct str *rest, struct str *number)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	*number = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return n == 1 || (n > 1 && number->p[0] != '0');
}

/* "rc1": GoVersionRE allows more zeros before it than package go/version. */
static bool is_prerelease(struct str s, bool *is_version)
{
	struct str number;
	size_t n = 0;

	while (n < s.n && s.p[n] >= 'a' && s.p[n] <= 'z')
		n++;
	s = str_skip(s, n);
	*is_version = cut_number(&s, &number);
	return n > 0 && number.n > 0 && s.n == 0;
}

/*
 * What stands behind "1.21". Go takes a version that matches as it is, which
 * package go/version may have no language version for; and of what doesn't
 * match only that beginning.
 */
static bool has_lang(struct str rest)
{
	bool is_version = true;
	struct str number, after = str_skip(rest, 1);

	if (rest.n == 0)
		return true;
	if (is_prerelease(rest, &is_version))
		return is_version;
	if (rest.p[0] == '.' && cut_number(&after, &number))
		return after.n == 0 || !is_prerelease(after, &is_version);
	return true;
}

/* The go directive's argument. false: it isn't a version even to ParseLax. */
static bool lang_of(struct pool *pool, struct str version, struct str *lang)
{
	bool has_v = str_has_prefix(version, STR("v"));
	struct str rest = str_skip(version, has_v), major, minor;

	if (!cut_number(&rest, &major) || major.p[0] == '0' || !str_has_prefix(rest, STR(".")))
		return false;
	rest = str_skip(rest, 1);
	if (!cut_number(&rest, &minor) || (has_v && rest.n == 0))
		return false;
	if (!has_v && !has_lang(rest))
		*lang = STR("");
	else if (str_is_equal(major, STR("1")) && str_is_equal(minor, STR("0")))
		*lang = STR("go1");
	else
		*lang = pool_printf(pool, "go%.*s.%.*s", STR_ARG(major), STR_ARG(minor));
	return true;
}

static const char *add_go(struct parsed *parsed, const struct modfile_line *line)
{
	if (line->is_in_block)
		return NULL;
	if (parsed->has_go)
		return "a second go directive";
	if (line->n != 1 || !lang_of(parsed->pool, line->args[0], &parsed->lang))
		return "not a Go version";
	parsed->has_go = true;
	return NULL;
}

static const char *add_module(struct parsed *parsed, const struct modfile_line *line)
{
	struct str text;

	if (parsed->has_module)
		return "a second module directive";
	parsed->has_module = true;
	if (line->n != 1 || !text_of(parsed->pool, line->args[0], &text))
		return "not a module path";
	return NULL;
}

static const char *check_require(struct parsed *parsed, const struct modfile_line *line)
{
	struct str path, version, prefix, path_major;

	if (line->n != 2)
		return "not a module path and a version";
	if (!text_of(parsed->pool, line->args[0], &path) ||
	    !module_has_valid_major(path, &prefix, &path_major))
		return "not a module path";
	if (!text_of(parsed->pool, line->args[1], &version) || !version_is_valid(version))
		return "not a version";
	if (!module_matches_major(version, path_major))
		return "another major version than the module path's";
	return NULL;
}

static const char *check_ignore(struct parsed *parsed, const struct modfile_line *line)
{
	struct str text;

	if (line->n != 1 || !text_of(parsed->pool, line->args[0], &text))
		return "not a path";
	return NULL;
}

/* "v1.2.3" or "[v1.2.3, v1.4.0]", with anything behind it. */
static bool interval_of(struct pool *pool, const struct modfile_line *line,
			struct modfile_interval *interval)
{
	const struct str *args = line->args;

	if (line->n == 0 || str_is_equal(args[0], STR("(")))
		return false;
	if (!str_is_equal(args[0], STR("["))) {
		if (!text_of(pool, args[0], &interval->low))
			return false;
		interval->high = interval->low;
		return true;
	}
	return line->n >= 5 && text_of(pool, args[1], &interval->low) &&
	       str_is_equal(args[2], STR(",")) && text_of(pool, args[3], &interval->high) &&
	       str_is_equal(args[4], STR("]"));
}

/* ParseLax passes over what it doesn't understand here. */
static const char *add_retract(struct parsed *parsed, const struct modfile_line *line)
{
	struct modfile_interval interval;

	if (!interval_of(parsed->pool, line, &interval))
		return NULL;
	if (parsed->n == MODFILE_RETRACTIONS_MAX)
		return "too many retractions";
	if (parsed->n == parsed->room) {
		parsed->room = 2 * parsed->room + 8;
		parsed->intervals = mem_realloc(parsed->intervals,
						parsed->room * sizeof(interval));
	}
	parsed->intervals[parsed->n++] = interval;
	return NULL;
}

/* Returns what is wrong with the line, or NULL. */
static const char *add_line(struct parsed *parsed, const struct modfile_line *line)
{
	static const struct {
		const char *verb;
		const char *(*add)(struct parsed *parsed, const struct modfile_line *line);
	} directives[] = {
		{ "go", add_go },	     { "module", add_module },
		{ "require", check_require }, { "retract", add_retract },
		{ "ignore", check_ignore },
	};

	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (str_is_equal(line->verb, str_of(directives[i].verb)))
			return directives[i].add(parsed, line);
	return NULL;
}

/* modfile.ParseLax. Free parsed->intervals in any case. */
static int parse(struct parsed *parsed, struct str gomod, struct err *err)
{
	struct modfile_lines lines;
	struct modfile_line line;
	const char *fault = NULL;

	modfile_lines_init(&lines, gomod);
	while (!fault && modfile_lines_next(&lines, &line) && !lines.fault)
		fault = add_line(parsed, &line);
	if (fault)
		return err_set(err, ERR_BAD_UPSTREAM, "bad go.mod: line %zu: %s", line.number,
			       fault);
	if (lines.fault)
		return err_set(err, ERR_BAD_UPSTREAM, "bad go.mod: line %zu: %s", lines.number,
			       lines.fault);
	return 0;
}

struct str modfile_go_lang(struct pool *pool, struct str gomod)
{
	struct parsed parsed = { .pool = pool, .lang = STR("") };
	struct err err;
	int rc = parse(&parsed, gomod, &err);

	free(parsed.intervals);
	return rc == 0 ? parsed.lang : STR("");
}

int modfile_retractions(struct pool *pool, struct str gomod,
			struct modfile_interval **intervals, size_t *n,
			struct err *err)
{
	struct parsed parsed = { .pool = pool };
	int rc = parse(&parsed, gomod, err);

	if (rc == 0) {
		*n = parsed.n;
		*intervals = NULL;
		if (parsed.n > 0) {
			*intervals = pool_alloc(pool, parsed.n * sizeof(**intervals));
			memcpy(*intervals, parsed.intervals, parsed.n * sizeof(**intervals));
		}
	}
	free(parsed.intervals);
	return rc;
}

/* unicode.IsSpace above ASCII. */
static size_t wide_space(struct str s, bool (*has)(struct str s, struct str part))
{
	static const char *const spaces[] = {
		"\xc2\x85",	"\xc2\xa0",	"\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};

	for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
		if (has(s, str_of(spaces[i])))
			return strlen(spaces[i]);
	return 0;
}

/* bytes.TrimSpace. */
static struct str trim(struct str s)
{
	size_t before;

	do {
		s = str_trim(s);
		before = s.n;
		s = str_skip(s, wide_space(s, str_has_prefix));
		s.n -= wide_space(s, str_has_suffix);
	} while (s.n < before);
	return s;
}

struct str modfile_module_path(struct pool *pool, struct str gomod)
{
	struct str line, path;

	while (str_cut(&gomod, '\n', &line)) {
		long comment = str_find_str(line, STR("//"));

		line = trim(comment < 0 ? line : str_head(line, (size_t)comment));
		if (!str_has_prefix(line, STR("module")))
			continue;
		line = str_skip(line, strlen("module"));
		path = trim(line);
		if (path.n == line.n || path.n == 0)
			continue;
		if (path.p[0] != '"' && path.p[0] != '`')
			return path;
		return modfile_unquote(pool, path, &path) ? path : STR("");
	}
	return STR("");
}

struct str modfile_legacy(struct pool *pool, struct str module)
{
	struct str quoted = modfile_auto_quote(pool, module);

	return pool_printf(pool, "module %.*s\n", STR_ARG(quoted));
}
