#include "vectors.h"

#include "base/err.h"
#include "gomod/modfile.h"
#include "gomod/path.h"

static const char file[] = "modfile.txt";

static size_t refused;

static void check_retractions(struct pool *pool, const struct vector *v)
{
	struct modfile_interval *intervals = (struct modfile_interval *)pool;
	size_t n = 4711;
	struct err err = { 0 };
	struct buf joined;
	uint64_t expected;
	int rc = modfile_retractions(pool, v->field[1], &intervals, &n, &err);

	if (rc != (vectors_has(v, 3, "ok") ? 0 : -1))
		fail_msg("'%.*s': %s", STR_ARG(v->field[1]), rc ? err.text : "accepted");
	assert_int_equal(err.kind, rc ? ERR_BAD_UPSTREAM : ERR_NONE);
	refused += rc != 0;
	if (rc != 0) {
		assert_ptr_equal(intervals, pool);
		assert_int_equal(n, 4711);
		return;
	}
	assert_true(str_to_u64(v->field[5], &expected));
	assert_int_equal(n, expected);
	buf_init(&joined, 10000);
	for (size_t i = 0; i < n; i++) {
		buf_add(&joined, intervals[i].low);
		buf_add_char(&joined, '\n');
		buf_add(&joined, intervals[i].high);
		buf_add_char(&joined, '\n');
	}
	assert_str(buf_str(&joined), v->field[6]);
	buf_clear(&joined);
}

static void check_gomod(const struct vector *v)
{
	struct pool *pool = pool_new();

	assert_str(modfile_module_path(pool, v->field[1]), v->field[2]);
	assert_str(modfile_go_lang(pool, v->field[1]), v->field[4]);
	check_retractions(pool, v);
	pool_free(pool);
}

static void test_gomod(void **state)
{
	size_t n;

	(void)state;
	refused = 0;
	n = vectors_each(file, "gomod", check_gomod);
	print_message("%zu of %zu refused\n", refused, n);
	assert_true(n > 1000);
	assert_in_range(refused, n / 4, n * 3 / 4);
}

static void check_legacy(const struct vector *v)
{
	struct pool *pool = pool_new();

	assert_str(modfile_legacy(pool, v->field[1]), v->field[2]);
	pool_free(pool);
}

static void test_legacy(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "legacy", check_legacy) > 100);
}

static const struct {
	const char *gomod, *text;
} faults[] = {
	{ "module x\n\nrequire y\n", "bad go.mod: line 3: not a module path and a version" },
	{ "module x\n// c\nrequire (\n\n\ty v1 // c\n\tz v3.0.0\n)\n",
	  "bad go.mod: line 6: another major version than the module path's" },
	{ "module x\n/*\n", "bad go.mod: line 2: a comment with /*" },
	{ "module x /*\n", "bad go.mod: line 1: a comment with /*" },
	{ "module x\nretract (\nv1.0.0\n", "bad go.mod: line 4: a block without end" },
	{ "go 1.2\ngo 1.2\n", "bad go.mod: line 2: a second go directive" },
	{ "go 1.2\nmodule \"\n", "bad go.mod: line 2: a string without end" },
};

static void test_faults(void **state)
{
	struct pool *pool = pool_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct modfile_interval *intervals;
		struct err err = { 0 };
		size_t n;

		assert_int_equal(modfile_retractions(pool, str_of(faults[i].gomod), &intervals,
						     &n, &err), -1);
		assert_string_equal(err.text, faults[i].text);
	}
	pool_free(pool);
}

static void test_limit(void **state)
{
	struct pool *pool = pool_new();
	struct modfile_interval *intervals;
	struct err err = { 0 };
	struct buf text;
	size_t n;

	(void)state;
	buf_init(&text, 10 * MODFILE_RETRACTIONS_MAX);
	buf_add(&text, STR("retract (\n"));
	for (size_t i = 0; i < MODFILE_RETRACTIONS_MAX - 1; i++)
		buf_add(&text, STR("v1\n"));
	buf_add(&text, STR(")\nretract v2\n"));
	assert_int_equal(modfile_retractions(pool, buf_str(&text), &intervals, &n, &err), 0);
	assert_int_equal(n, MODFILE_RETRACTIONS_MAX);
	assert_str(intervals[n - 1].high, STR("v2"));
	buf_add(&text, STR("retract v2\n"));
	assert_int_equal(modfile_retractions(pool, buf_str(&text), &intervals, &n, &err), -1);
	buf_clear(&text);
	pool_free(pool);
}

static int32_t next;

static void check_printable(const struct vector *v)
{
	int32_t first = (int32_t)strtol(v->field[1].p, NULL, 16);
	int32_t last = (int32_t)strtol(v->field[2].p, NULL, 16);

	for (; next <= last; next++)
		if (path_is_printable(next) != (next >= first))
			fail_msg("U+%04X", (unsigned int)next);
}

static void test_printable(void **state)
{
	(void)state;
	next = 0;
	assert_true(vectors_each("unicode.txt", "printable", check_printable) > 600);
	for (; next <= 0x10ffff; next++)
		assert_false(path_is_printable(next));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gomod),  cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_faults), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
