/*
 * vectors.h - reading tests/vectors/NAME.txt, as tests/oracle wrote them.
 *
 * Included by one test each; the tests run in the root of the repository.
 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

#define VECTORS_DIR "tests/vectors/"
#define VECTOR_FIELDS 10

struct vector {
	struct str field[VECTOR_FIELDS];
	size_t n;
};

static inline int vectors_hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Undo "\xHH" in place. */
static inline struct str vectors_unquote(char *text, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\') {
			text[at++] = (char)(vectors_hex(text[i + 2]) << 4 |
					    vectors_hex(text[i + 3]));
			i += 3;
		} else {
			text[at++] = text[i];
		}
	}
	return (struct str){ text, at };
}

static inline bool vectors_has(const struct vector *vector, size_t i,
			       const char *text)
{
	return str_is_equal(vector->field[i], str_of(text));
}

static inline size_t vectors_run(const char *name, const char *kind, bool shows,
				 void (*check)(const struct vector *vector))
{
	char path[128];
	char *line = NULL;
	size_t size = 0, found = 0;
	ssize_t n;
	FILE *file;

	snprintf(path, sizeof(path), VECTORS_DIR "%s", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open '%s' (run in the repository's root)", path);
	while ((n = getline(&line, &size, file)) > 0) {
		struct vector vector = { 0 };
		char *at = line;

		line[--n] = '\0';
		if (strncmp(line, kind, strlen(kind)) != 0 ||
		    line[strlen(kind)] != '\t')
			continue;
		if (shows)
			print_message("%s\n", line);
		while (at && vector.n < VECTOR_FIELDS) {
			char *end = strchr(at, '\t');
			size_t length = end ? (size_t)(end - at) : strlen(at);

			vector.field[vector.n++] = vectors_unquote(at, length);
			at = end ? end + 1 : NULL;
		}
		check(&vector);
		found++;
	}
	free(line);
	fclose(file);
	return found;
}

/*
 * Call check for each line whose first field is kind; returns how many. The
 * fields of a line live until check returns.
 */
static inline size_t vectors_each(const char *name, const char *kind,
				  void (*check)(const struct vector *vector))
{
	return vectors_run(name, kind, false, check);
}

/* The same, and print each line. */
static inline size_t vectors_show(const char *name, const char *kind,
				  void (*check)(const struct vector *vector))
{
	return vectors_run(name, kind, true, check);
}

#define assert_str(got, expected)                                         \
	do {                                                              \
		struct str got_ = (got), expected_ = (expected);          \
		if (!str_is_equal(got_, expected_))                       \
			fail_msg("got '%.*s', expected '%.*s'",           \
				 STR_ARG(got_), STR_ARG(expected_));      \
	} while (0)

#endif
