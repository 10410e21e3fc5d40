#include "gomod/modfile_lex.h"

#include <string.h>

#include "gomod/path.h"

static void fail(struct modfile_lines *lines, const char *fault)
{
	if (!lines->fault)
		lines->fault = fault;
	lines->rest = STR("");
	lines->next = (struct modfile_token){ MODFILE_END, STR("") };
}

/* The length of a character that may stand in a word; 0: it may not. */
static size_t word_char(struct str s)
{
	int32_t c;
	size_t n = path_first_char(s, &c);

	/* What isn't UTF-8 is taken for U+FFFD, which is printable. */
	if (n == 0)
		return s.n > 0;
	if (c < 0x80 && c != 0 && strchr(" ()[]{},", c))
		return 0;
	return path_is_printable(c) ? n : 0;
}

/* How long the word at the beginning of rest is. */
static size_t word_length(struct modfile_lines *lines)
{
	size_t at = 0, n;

	for (; (n = word_char(str_skip(lines->rest, at))) > 0; at += n) {
		if (str_has_prefix(str_skip(lines->rest, at), STR("//")))
			break;
		if (str_has_prefix(str_skip(lines->rest, at), STR("/*"))) {
			fail(lines, "a comment with /*");
			return 0;
		}
	}
	if (at == 0)
		fail(lines, "a character that can't stand there");
	return at;
}

/* A backslash takes the meaning of whatever follows it, a newline included. */
static size_t string_length(struct modfile_lines *lines)
{
	struct str s = lines->rest;
	char quote = s.p[0];

	for (size_t at = 1; at < s.n && s.p[at] != '\n'; at++) {
		if (s.p[at] == quote)
			return at + 1;
		if (s.p[at] != '\\' || quote == '`')
			continue;
		if (++at < s.n && s.p[at] == '\n')
			lines->number++;
	}
	fail(lines, "a string without end");
	return 0;
}

/* Up to and including the newline. */
static size_t comment_length(struct str s)
{
	long at = str_find(s, '\n');

	return at < 0 ? s.n : (size_t)at + 1;
}

static enum modfile_kind next_kind(struct modfile_lines *lines, size_t *n)
{
	char c = lines->rest.n > 0 ? lines->rest.p[0] : '\0';

	*n = 1;
	if (lines->rest.n == 0) {
		*n = 0;
		return MODFILE_END;
	}
	if (c == '\n')
		return MODFILE_NEWLINE;
	if (c == '(')
		return MODFILE_OPEN;
	if (c == ')')
		return MODFILE_CLOSE;
	if (str_has_prefix(lines->rest, STR("//"))) {
		*n = comment_length(lines->rest);
		return lines->has_token ? MODFILE_EOL_COMMENT : MODFILE_COMMENT;
	}
	if (c == '"' || c == '`')
		*n = string_length(lines);
	else if (!c || !strchr("[]{},", c))
		*n = word_length(lines);
	return lines->fault ? MODFILE_END : MODFILE_WORD;
}

/* Read the token behind lines->next into it. */
static void advance(struct modfile_lines *lines)
{
	enum modfile_kind kind;
	size_t n;

	lines->number += str_has_suffix(lines->next.text, STR("\n"));
	while (lines->rest.n > 0 && strchr(" \t\r", lines->rest.p[0]) && lines->rest.p[0])
		lines->rest = str_skip(lines->rest, 1);
	kind = next_kind(lines, &n);
	lines->next = (struct modfile_token){ kind, str_head(lines->rest, n) };
	lines->has_token = kind >= MODFILE_OPEN;
	lines->rest = str_skip(lines->rest, n);
}

static struct modfile_token take(struct modfile_lines *lines)
{
	struct modfile_token token = lines->next;

	advance(lines);
	return token;
}

static bool is_end(struct modfile_token token)
{
	return token.kind <= MODFILE_EOL_COMMENT;
}

static void add(struct modfile_line *line, struct modfile_token token)
{
	if (line->n < MODFILE_ARGS)
		line->args[line->n] = token.text;
	line->n++;
}

/* A line of a block. */
static void read_line(struct modfile_lines *lines, struct modfile_line *line)
{
	*line = (struct modfile_line){ .verb = lines->verb, .is_in_block = true };
	line->number = lines->number;
	while (!is_end(lines->next))
		add(line, take(lines));
	take(lines);
}

/* A line outside of blocks; false if it begins one, or is an empty one. */
static bool read_statement(struct modfile_lines *lines, struct modfile_line *line)
{
	*line = (struct modfile_line){ .number = lines->number };
	line->verb = take(lines).text;
	while (!is_end(lines->next)) {
		struct modfile_token token = take(lines);

		if (token.kind == MODFILE_OPEN && is_end(lines->next)) {
			lines->is_in_block = true;
			lines->verb = line->n == 0 ? line->verb : STR("");
			return false;
		}
		add(line, token);
		if (token.kind != MODFILE_OPEN || lines->next.kind != MODFILE_CLOSE)
			continue;
		/* "verb ()" is a block, "verb () more" isn't. */
		add(line, take(lines));
		if (is_end(lines->next)) {
			take(lines);
			return false;
		}
	}
	take(lines);
	return true;
}

static void leave_block(struct modfile_lines *lines)
{
	take(lines);
	lines->is_in_block = false;
	if (!is_end(lines->next))
		fail(lines, "no newline behind ')'");
	take(lines);
}

void modfile_lines_init(struct modfile_lines *lines, struct str gomod)
{
	*lines = (struct modfile_lines){ .rest = gomod, .number = 1 };
	advance(lines);
}

bool modfile_lines_next(struct modfile_lines *lines, struct modfile_line *line)
{
	for (;;) {
		enum modfile_kind kind = lines->next.kind;

		if (kind == MODFILE_END) {
			if (lines->is_in_block)
				fail(lines, "a block without end");
			return false;
		}
		if (kind < MODFILE_OPEN) {
			take(lines);
		} else if (!lines->is_in_block) {
			if (read_statement(lines, line))
				return true;
		} else if (kind == MODFILE_CLOSE) {
			leave_block(lines);
		} else {
			read_line(lines, line);
			return true;
		}
	}
}
