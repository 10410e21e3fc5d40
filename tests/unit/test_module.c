#include "vectors.h"

#include <utf8proc.h>

#include "gomod/module.h"
#include "gomod/path.h"

static const char file[] = "module.txt";
static const char xmod[] = "xmod.txt";

static void check_one(struct str path, int (*check)(struct str, struct err *),
		      bool is_ok)
{
	struct err err = { 0 };
	int rc = check(path, &err);

	if (rc != (is_ok ? 0 : -1))
		fail_msg("'%.*s' should be %s: %s", STR_ARG(path),
			 is_ok ? "accepted" : "refused", err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
}

static void check_path(const struct vector *v)
{
	check_one(v->field[1], module_path_check, vectors_has(v, 2, "ok"));
	check_one(v->field[1], module_import_path_check,
		  vectors_has(v, 3, "ok"));
	check_one(v->field[1], module_file_path_check, vectors_has(v, 4, "ok"));
}

static void test_check(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "check", check_path) > 1000);
}

static void check_convert(const struct vector *v,
			  int (*convert)(struct pool *, struct str, struct str *,
					 struct err *))
{
	struct pool *pool = pool_new();
	struct str got = STR("untouched");
	struct err err = { 0 };
	int rc = convert(pool, v->field[1], &got, &err);
	bool is_ok = vectors_has(v, 2, "ok");

	if (rc != (is_ok ? 0 : -1))
		fail_msg("converting '%.*s': %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
	assert_str(got, is_ok ? v->field[3] : STR("untouched"));
	pool_free(pool);
}

static void check_escape(const struct vector *v)
{
	check_convert(v, module_escape_path);
}

static void check_unescape(const struct vector *v)
{
	check_convert(v, module_unescape_path);
}

static void test_escape(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "escape", check_escape) > 1000);
	assert_true(vectors_each(file, "unescape", check_unescape) > 1000);
}

static void check_split(const struct vector *v)
{
	struct str prefix = STR("untouched"), path_major = prefix;
	bool is_ok = vectors_has(v, 2, "ok");

	if (module_has_valid_major(v->field[1], &prefix, &path_major) != is_ok)
		fail_msg("'%.*s'", STR_ARG(v->field[1]));
	assert_str(prefix, is_ok ? v->field[3] : STR("untouched"));
	assert_str(path_major, is_ok ? v->field[4] : STR("untouched"));
}

static void test_split(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "split", check_split) > 1000);
}

static void check_pair(const struct vector *v)
{
	struct err err = { 0 };
	bool is_ok = vectors_has(v, 3, "ok");

	if (module_check(v->field[1], v->field[2], &err) != (is_ok ? 0 : -1))
		fail_msg("'%.*s' '%.*s': %s", STR_ARG(v->field[1]),
			 STR_ARG(v->field[2]), err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
}

static void test_pair(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "pair", check_pair) > 200);
}

static void test_xmod(void **state)
{
	(void)state;
	assert_true(vectors_show(xmod, "check", check_path) > 100);
	assert_true(vectors_show(xmod, "escape", check_escape) > 100);
	assert_true(vectors_show(xmod, "unescape", check_unescape) > 100);
	assert_true(vectors_show(xmod, "split", check_split) > 100);
	assert_true(vectors_show(xmod, "pair", check_pair) >= 40);
}

static void check_match(const struct vector *v)
{
	bool is_match = vectors_has(v, 3, "true");

	if (module_matches_patterns(v->field[1], v->field[2]) != is_match)
		fail_msg("'%.*s' '%.*s' should be %.*s", STR_ARG(v->field[1]),
			 STR_ARG(v->field[2]), STR_ARG(v->field[3]));
}

static void check_pattern(const struct vector *v)
{
	if (module_is_pattern(v->field[1]) != vectors_has(v, 2, "ok"))
		fail_msg("'%.*s' should be %.*s", STR_ARG(v->field[1]),
			 STR_ARG(v->field[2]));
}

static void test_patterns(void **state)
{
	(void)state;
	assert_true(vectors_show("patterns.txt", "match", check_match) > 3000);
	assert_true(vectors_show("patterns.txt", "pattern", check_pattern) > 150);
	assert_false(module_matches_patterns((struct str){ 0 }, STR("a.b")));
}

/* Cases that x/mod has no opinion on: lengths, and what the texts say. */
static void test_lengths(void **state)
{
	struct pool *pool = pool_new();
	struct str out = STR("untouched");
	struct err err = { 0 };
	char text[MODULE_ESCAPED_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "a.b/", 4);
	assert_int_equal(module_unescape_path(pool, (struct str){ text, 4 + 255 },
					      &out, &err), 0);
	assert_int_equal(module_unescape_path(pool, (struct str){ text, 4 + 256 },
					      &out, &err), -1);
	assert_non_null(strstr(err.text, "element of 256 bytes"));
	text[4] = 'A'; /* 256 bytes once it is escaped */
	assert_int_equal(module_escape_path(pool, (struct str){ text, 4 + 255 },
					    &out, &err), -1);
	text[4] = 'a';
	for (size_t i = 200; i < sizeof(text); i += 200)
		text[i] = '/';
	assert_int_equal(module_unescape_path(pool, (struct str){ text, MODULE_ESCAPED_MAX },
					      &out, &err), 0);
	assert_int_equal(module_escape_path(pool, (struct str){ text, MODULE_ESCAPED_MAX },
					    &out, &err), 0);
	assert_int_equal(module_unescape_path(pool, (struct str){ text, MODULE_ESCAPED_MAX + 1 },
					      &out, &err), -1);
	assert_int_equal(module_escape_path(pool, (struct str){ text, MODULE_ESCAPED_MAX + 1 },
					    &out, &err), -1);
	pool_free(pool);
}

static void test_texts(void **state)
{
	static const struct {
		const char *escaped, *text;
	} cases[] = {
		{ "example.com/!", "no small letter behind the '!' at byte 12" },
		{ "example.com/Azure", "capital 'A' at byte 12 (write '!a')" },
		{ "example.com/a+b", "invalid character '+' at byte 1 of 'a+b'" },
		{ "example.com/a\x01", "invalid character U+0001" },
		{ "example/m", "no dot in the first element 'example'" },
		{ "example.com/m/v1", "no module path ends in such a version" },
		{ "example.com/../m", "path element '..' of dots only" },
		{ "example.com//m", "empty path element" },
	};
	struct pool *pool = pool_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str out;
		struct err err = { 0 };

		assert_int_equal(module_unescape_path(pool, str_of(cases[i].escaped),
						      &out, &err), -1);
		if (!strstr(err.text, cases[i].text))
			fail_msg("'%s'", err.text);
	}
	pool_free(pool);
}

static struct str utf8_of(uint32_t c, char bytes[4])
{
	utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c,
						  (utf8proc_uint8_t *)bytes);

	return (struct str){ bytes, (size_t)n };
}

static uint32_t fold_of(uint32_t c)
{
	char bytes[4];
	struct buf folded;
	utf8proc_int32_t value = 0;

	buf_init(&folded, 16);
	path_fold(utf8_of(c, bytes), &folded);
	utf8proc_iterate((utf8proc_uint8_t *)folded.p,
			 (utf8proc_ssize_t)folded.n, &value);
	buf_clear(&folded);
	return (uint32_t)value;
}

#define UNICODE_END 0x110000
static struct {
	bool is_letter[UNICODE_END];
	uint32_t least[UNICODE_END]; /* 0: itself */
} expected;

static uint32_t hex_of(struct str s)
{
	uint32_t value = 0;

	for (size_t i = 0; i < s.n; i++)
		value = value << 4 | (uint32_t)vectors_hex(s.p[i]);
	return value;
}

static void note_letters(const struct vector *v)
{
	for (uint32_t c = hex_of(v->field[1]); c <= hex_of(v->field[2]); c++)
		expected.is_letter[c] = true;
}

static void note_fold(const struct vector *v)
{
	expected.least[hex_of(v->field[1])] = hex_of(v->field[2]);
}

static bool is_letter(uint32_t c)
{
	char bytes[4];
	struct err err;

	return path_element_check(utf8_of(c, bytes), PATH_FILE, &err) == 0;
}

/*
 * Every character: letters are Go's letters; each letter folds as the
 * least one of its class does, and no two classes fold to the same.
 */
static void test_unicode(void **state)
{
	uint32_t *owner = test_calloc(UNICODE_END, sizeof(*owner));

	(void)state;
	assert_true(vectors_each("unicode.txt", "letters", note_letters) > 500);
	assert_true(vectors_each("unicode.txt", "fold", note_fold) > 1000);
	for (uint32_t c = 0x80; c < UNICODE_END; c++) {
		uint32_t least = expected.least[c] ? expected.least[c] : c;
		uint32_t folded;

		if ((c < 0xd800 || c > 0xdfff) && is_letter(c) != expected.is_letter[c])
			fail_msg("U+%04X", c);
		if (!expected.is_letter[c])
			continue;
		folded = fold_of(c);
		if (folded != fold_of(least))
			fail_msg("U+%04X doesn't fold as U+%04X", c, least);
		if (owner[folded] && owner[folded] != least)
			fail_msg("U+%04X folds as U+%04X", c, owner[folded]);
		owner[folded] = least;
	}
	test_free(owner);
}

static void check_major(const struct vector *v)
{
	if (module_matches_major(v->field[1], v->field[2]) != vectors_has(v, 3, "true"))
		fail_msg("'%.*s' and '%.*s'", STR_ARG(v->field[1]), STR_ARG(v->field[2]));
}

static void check_major_prefix(const struct vector *v)
{
	assert_str(module_major_prefix(v->field[1]), v->field[2]);
}

static void test_major(void **state)
{
	(void)state;
	assert_true(vectors_each("module.txt", "major", check_major) > 1000);
	assert_true(vectors_each("module.txt", "prefix", check_major_prefix) > 10);
	assert_str(module_major_prefix(STR("/v2-unstable")), STR(""));
	assert_str(module_major_prefix(STR("v")), STR(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),	cmocka_unit_test(test_escape),
		cmocka_unit_test(test_split),	cmocka_unit_test(test_pair),
		cmocka_unit_test(test_xmod),	cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_texts),	cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_unicode),	cmocka_unit_test(test_major),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
