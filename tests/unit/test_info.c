#include "vectors.h"

#include <time.h>

#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/mod.h"

static void check_info(const struct vector *v)
{
	struct pool *pool = pool_new();
	struct str version = STR("untouched");
	struct err err = { 0 };
	int rc = info_check(pool, v->field[1], v->field[2], &version, &err);
	bool is_ok = vectors_has(v, 3, "ok");

	if (rc != (is_ok ? 0 : -1))
		fail_msg("'%.*s': %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_UPSTREAM);
	assert_int_equal(is_ok, !str_is_equal(version, STR("untouched")));
	if (is_ok && v->field[2].n > 0)
		assert_str(version, v->field[2]);
	assert_int_equal(info_check(pool, v->field[1], v->field[2], NULL, &err), rc);
	pool_free(pool);
}

static void test_info_check(void **state)
{
	(void)state;
	assert_true(vectors_each("info.txt", "info", check_info) > 100);
}

/* encoding/json takes these; an upstream that sends them is broken. */
static void test_info_refused(void **state)
{
	static const struct str cases[] = {
		{ "{\"Version\":\"v1.0.0\\u0000\"}", 26 },
		{ "{\"Version\":\"v1.0.0\"}\0", 21 },
		{ "\xff\xfe{", 3 },
		{ "{\"Version\":\"v1.0.0\",\"N\":1e400}", 30 },
		{ NULL, 0 },
	};
	struct pool *pool = pool_new();
	char *deep = test_malloc(INFO_BODY_MAX + 1);
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(info_check(pool, cases[i], STR(""), NULL, &err), -1);
		assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	}
	memset(deep, '[', INFO_BODY_MAX + 1);
	assert_int_equal(info_check(pool, (struct str){ deep, INFO_BODY_MAX },
				    STR(""), NULL, &err), -1);
	assert_int_equal(info_check(pool, (struct str){ deep, INFO_BODY_MAX + 1 },
				    STR(""), NULL, &err), -1);
	assert_non_null(strstr(err.text, "1048577 bytes"));
	test_free(deep);
	pool_free(pool);
}

static void test_list(void **state)
{
	static const struct {
		const char *what, *body, *list; /* list NULL: refused */
	} cases[] = {
		{ "empty", "", "" },
		{ "blank", "\n \r\n\n", "" },
		{ "semver order",
		  "v1.10.0\nv1.9.0\nv1.10.0-rc.1\n", "v1.9.0\nv1.10.0-rc.1\nv1.10.0\n" },
		{ "no newline at the end", "v1.0.0", "v1.0.0\n" },
		{ "CR LF and blanks", " v1.0.0 \r\n\tv1.0.1\r\n", "v1.0.0\nv1.0.1\n" },
		{ "twice", "v1.0.0\nv1.0.0\n", "v1.0.0\n" },
		{ "more fields", "v1.0.0 2020-01-01T00:00:00Z x\n", "v1.0.0\n" },
		{ "pseudo-versions", "v0.0.0-20190101000000-abcdefabcdef\nv1.0.0\n", "v1.0.0\n" },
		{ "pseudo-versions only", "v0.0.0-20190101000000-abcdefabcdef\n", "" },
		{ "not canonical",
		  "v1\nv1.2\nv1.0.0+meta\nv2.0.0+incompatible\n", "v2.0.0+incompatible\n" },
		{ "junk lines", "release-1\nv1.0.0\n1.0.0\nnot a version at all\n", "v1.0.0\n" },
		{ "junk only", "release-1\n", NULL },
		{ "HTML", "<!DOCTYPE html>\n<html>v1.0.0</html>", NULL },
		{ "HTML behind blanks", "\n\n <html>\nv1.0.0\n", NULL },
		{ "HTML after text", "Error\n<b>x</b>\n", NULL },
		{ "JSON", "{\"error\":\"x\"}", NULL },
		{ "JSON array", "[\"v1.0.0\"]", NULL },
		{ "a sentence", "bad gateway: try again\n", NULL },
		{ "control characters", "v1.0.0\n\x01v1.0.1\n", NULL },
		{ "gzip", "\x1f\x8b\x08", NULL },
	};
	struct pool *pool = pool_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str got = STR("untouched");
		struct err err = { 0 };
		int rc = list_normalize(pool, str_of(cases[i].body), &got, &err);

		print_message("%s\n", cases[i].what);
		assert_int_equal(rc, cases[i].list ? 0 : -1);
		assert_int_equal(err.kind, rc ? ERR_BAD_UPSTREAM : ERR_NONE);
		assert_str(got, str_of(cases[i].list ? cases[i].list : "untouched"));
	}
	pool_free(pool);
}

static void test_list_nul(void **state)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct str out;

	(void)state;
	assert_int_equal(list_normalize(pool, STR("v1.0.0\n\0"), &out, &err), -1);
	assert_int_equal(list_normalize(pool, (struct str){ NULL, 0 }, &out, &err), 0);
	assert_int_equal(out.n, 0);
	pool_free(pool);
}

/* As many as the longest lists known, in no order: no slower than a hit. */
static void test_list_long(void **state)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct buf body;
	struct str out;
	clock_t start;

	(void)state;
	buf_init(&body, 1 << 20);
	for (unsigned int i = 0; i < 10000; i++)
		buf_printf(&body, "v1.%u.%u-rc.%u\n", i * 7919 % 101, i % 103, i);
	start = clock();
	assert_int_equal(list_normalize(pool, buf_str(&body), &out, &err), 0);
	print_message("10,000 versions: %.1f ms\n",
		      (double)(clock() - start) * 1000 / CLOCKS_PER_SEC);
	assert_int_equal(out.n, body.n);
	buf_clear(&body);
	pool_free(pool);
}

static void test_mod(void **state)
{
	static const struct {
		struct str body;
		bool is_ok;
	} cases[] = {
		{ { "module a.b/c\n", 13 }, true },
		{ { "\xef\xbb\xbf// x\nmodule a.b/c\n", 21 }, true },
		{ { "\n\n\tmodule a", 11 }, true },
		{ { "Please log in\n", 14 }, false },
		{ { "", 0 }, false },
		{ { NULL, 0 }, false },
		{ { " \n", 2 }, false },
		{ { "\n <html>", 8 }, false },
		{ { "\xef\xbb\xbf<html>", 9 }, false },
		{ { "{\"a\":1}", 7 }, false },
		{ { "module a // \0\n", 14 }, true },
		{ { "module a\n\0\0", 11 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };

		print_message("case %zu\n", i);
		assert_int_equal(mod_check(cases[i].body, &err),
				 cases[i].is_ok ? 0 : -1);
		assert_int_equal(err.kind, cases[i].is_ok ? ERR_NONE
							  : ERR_BAD_UPSTREAM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_info_check),
		cmocka_unit_test(test_info_refused),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_list_nul),
		cmocka_unit_test(test_list_long),
		cmocka_unit_test(test_mod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
