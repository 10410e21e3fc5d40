/*
 * modfile_lex.h - for modfile alone: the lines of a go.mod, taken to tokens.
 *
 * The lexical rules are those of read.go of golang.org/x/mod/modfile. What
 * stands in a block comes line by line, as if each had the block's verb.
 */
#ifndef GOMOD_MODFILE_LEX_H
#define GOMOD_MODFILE_LEX_H

#include "base/str.h"

/* No directive that we look at has more arguments. */
#define MODFILE_ARGS 5

enum modfile_kind {
	MODFILE_END,
	MODFILE_NEWLINE,
	MODFILE_EOL_COMMENT, /* ends a line, as the two above */
	MODFILE_COMMENT,     /* a line of its own */
	MODFILE_OPEN,
	MODFILE_CLOSE,
	MODFILE_WORD, /* or a string, with its quotes; or one of "[]{}," */
};

struct modfile_token {
	enum modfile_kind kind;
	struct str text;
};

struct modfile_lines {
	struct str rest;
	size_t number;	   /* of the line that next is in, from 1 */
	bool has_token;	   /* in that line */
	bool is_in_block;
	struct str verb;   /* of the block; empty if it is of no known kind */
	struct modfile_token next;
	const char *fault; /* why there are no more lines; NULL at the end */
};

struct modfile_line {
	struct str verb; /* pieces of the text */
	struct str args[MODFILE_ARGS];
	size_t n; /* of arguments; only the first are kept */
	size_t number;
	bool is_in_block;
};

void modfile_lines_init(struct modfile_lines *lines, struct str gomod);

/* The next line with tokens. false at the end, or with lines->fault set. */
bool modfile_lines_next(struct modfile_lines *lines, struct modfile_line *line);

#endif
