#include "vectors.h"

#include "gomod/version.h"

static const char file[] = "version.txt";
static const char xmod[] = "xmod.txt";

static void check_version(const struct vector *v)
{
	struct str version = v->field[1];

	if (version_is_valid(version) != vectors_has(v, 2, "true") ||
	    version_is_canonical(version) != vectors_has(v, 3, "true") ||
	    version_is_pseudo(version) != vectors_has(v, 4, "true"))
		fail_msg("'%.*s'", STR_ARG(version));
	assert_str(version_major(version), v->field[5]);
	assert_str(version_prerelease(version), v->field[6]);
	assert_str(version_build(version), v->field[7]);
}

static void test_parts(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "version", check_version) > 100);
}

static void check_compare(const struct vector *v)
{
	int expected = vectors_has(v, 3, "0") ? 0 : vectors_has(v, 3, "1") ? 1 : -1;

	if (version_compare(v->field[1], v->field[2]) != expected)
		fail_msg("'%.*s' and '%.*s': expected %d",
			 STR_ARG(v->field[1]), STR_ARG(v->field[2]), expected);
}

static void test_compare(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "compare", check_compare) > 500);
}

/* In order already: sort them from another one, the same each time. */
static void check_sort(const struct vector *v)
{
	struct str expected[64], got[64], rest = v->field[1];
	size_t n = 0;

	while (n < ARRAY_LEN(expected) && str_cut(&rest, ' ', &expected[n]))
		n++;
	assert_in_range(n, 20, ARRAY_LEN(expected) - 1);
	for (size_t i = 0; i < n; i++)
		got[i] = expected[n - 1 - i];
	version_sort(got, n);
	for (size_t i = 0; i < n; i++)
		assert_str(got[i], expected[i]);
}

static void test_xmod(void **state)
{
	(void)state;
	assert_true(vectors_show(xmod, "version", check_version) > 60);
	assert_true(vectors_show(xmod, "compare", check_compare) > 1000);
	assert_int_equal(vectors_show(xmod, "sort", check_sort), 1);
}

static void check_escape(const struct vector *v)
{
	struct pool *pool = pool_new();
	struct str got = STR("untouched");
	struct err err = { 0 };
	int rc = version_escape(pool, v->field[1], &got, &err);
	bool is_ok = vectors_has(v, 2, "ok");

	if (rc != (is_ok ? 0 : -1))
		fail_msg("escaping '%.*s'", STR_ARG(v->field[1]));
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
	assert_str(got, is_ok ? v->field[3] : STR("untouched"));
	assert_int_equal(version_is_query(v->field[1]),
			 is_ok && !version_is_canonical(v->field[1]));
	pool_free(pool);
}

static void test_escape(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "escape", check_escape) > 800);
}

static void check_unescape(const struct vector *v)
{
	struct pool *pool = pool_new();
	struct str got = STR("untouched");
	struct err err = { 0 };
	int rc = version_unescape(pool, v->field[1], &got, &err);
	bool is_ok = vectors_has(v, 2, "ok");

	if (rc != (is_ok ? 0 : -1))
		fail_msg("unescaping '%.*s'", STR_ARG(v->field[1]));
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
	assert_str(got, is_ok ? v->field[3] : STR("untouched"));
	pool_free(pool);
}

static void test_unescape(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "unescape", check_unescape) > 800);
}

static void test_lengths(void **state)
{
	struct pool *pool = pool_new();
	struct str out = STR("untouched");
	struct err err = { 0 };
	char text[VERSION_ESCAPED_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(version_unescape(pool, (struct str){ text, VERSION_ESCAPED_MAX },
					  &out, &err), 0);
	assert_int_equal(out.n, VERSION_ESCAPED_MAX);
	assert_int_equal(version_unescape(pool, (struct str){ text, VERSION_ESCAPED_MAX + 1 },
					  &out, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_REQUEST);
	assert_true(version_is_query((struct str){ text, VERSION_ESCAPED_MAX }));
	text[0] = 'A';
	assert_int_equal(version_escape(pool, (struct str){ text, VERSION_ESCAPED_MAX },
					&out, &err), -1);
	assert_false(version_is_query((struct str){ text, VERSION_ESCAPED_MAX }));
	pool_free(pool);
}

static void test_sort(void **state)
{
	static const char *const expected[] = {
		"", "v0.x", "x", "v0.9.0", "v1.0.0-rc.2", "v1.0.0-rc.10", "v1.0.0",
		"v1.0.0+incompatible", "v1.2.0", "v1.10.0", "v2.0.0+incompatible",
	};
	struct str got[ARRAY_LEN(expected)];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		got[i] = str_of(expected[i * 7 % ARRAY_LEN(expected)]);
	version_sort(got, ARRAY_LEN(got));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_str(got[i], str_of(expected[i]));
	version_sort(got, 0);
}

static void check_canonical(const struct vector *v)
{
	struct pool *pool = pool_new();

	assert_str(version_canonical(pool, v->field[1]), v->field[2]);
	pool_free(pool);
}

static void test_canonical(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "canonical", check_canonical) > 150);
}

static time_t time_of(struct str text)
{
	return (time_t)strtoll(text.p, NULL, 10);
}

static void check_pseudo(const struct vector *v)
{
	struct pool *pool = pool_new();
	struct version_pseudo got = { .rev = STR("untouched") };
	struct err err = { 0 };
	bool is_ok = vectors_has(v, 2, "ok");

	print_message("%.*s\n", STR_ARG(v->field[1]));
	assert_int_equal(version_pseudo_parse(pool, v->field[1], &got, &err), is_ok ? 0 : -1);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
	assert_str(got.rev, is_ok ? v->field[5] : STR("untouched"));
	if (is_ok) {
		assert_str(got.base, v->field[3]);
		assert_int_equal(got.time, time_of(v->field[4]));
	}
	pool_free(pool);
}

static void check_make(const struct vector *v)
{
	struct pool *pool = pool_new();

	assert_str(version_pseudo_make(pool, v->field[1], v->field[2], time_of(v->field[3]),
				       v->field[4]), v->field[5]);
	pool_free(pool);
}

static void test_pseudo(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "pseudo", check_pseudo) > 150);
	assert_true(vectors_each(file, "make", check_make) > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),  cmocka_unit_test(test_compare),
		cmocka_unit_test(test_escape), cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_sort),
		cmocka_unit_test(test_xmod),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_pseudo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
