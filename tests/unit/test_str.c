#include "vectors.h"

static struct str str_null(void)
{
	return (struct str){ NULL, 0 };
}

static void test_compare(void **state)
{
	(void)state;
	assert_true(str_is_equal(STR("ab"), STR("ab")));
	assert_false(str_is_equal(STR("ab"), STR("abc")));
	assert_true(str_is_equal(STR(""), str_null()));
	assert_true(str_is_equal_nocase(STR("aB"), STR("Ab")));
	assert_false(str_is_equal_nocase(STR("a"), STR("b")));
	assert_true(str_compare(STR("a"), STR("b")) < 0);
	assert_true(str_compare(STR("b"), STR("a")) > 0);
	assert_true(str_compare(STR("a"), STR("ab")) < 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_compare(str_null(), STR("")), 0);
	assert_str(str_of(NULL), STR(""));
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("abcb"), 'b'), 1);
	assert_int_equal(str_find_last(STR("abcb"), 'b'), 3);
	assert_int_equal(str_find(STR("abc"), 'x'), -1);
	assert_int_equal(str_find(str_null(), 'x'), -1);
	assert_int_equal(str_find_last(str_null(), 'x'), -1);
	assert_int_equal(str_find(STR("a\0b"), '\0'), 1);
	assert_true(str_has_char(STR("abc"), 'c'));
	assert_int_equal(str_find_str(STR("abcbc"), STR("bc")), 1);
	assert_int_equal(str_find_last_str(STR("abcbc"), STR("bc")), 3);
	assert_int_equal(str_find_str(STR("abc"), STR("abcd")), -1);
	assert_int_equal(str_find_last_str(STR("abc"), STR("abcd")), -1);
	assert_true(str_has_prefix(STR("abc"), STR("ab")));
	assert_true(str_has_prefix(STR("abc"), STR("")));
	assert_false(str_has_prefix(STR("ab"), STR("abc")));
	assert_true(str_has_suffix(STR("abc"), STR("bc")));
	assert_false(str_has_suffix(STR("bc"), STR("abc")));
}

static void test_parts(void **state)
{
	(void)state;
	assert_str(str_skip(STR("abc"), 1), STR("bc"));
	assert_str(str_skip(STR("abc"), 9), STR(""));
	assert_str(str_head(STR("abc"), 1), STR("a"));
	assert_str(str_head(STR("abc"), 9), STR("abc"));
	assert_str(str_trim(STR(" \t\r\na b\f\v ")), STR("a b"));
	assert_str(str_trim(STR("  ")), STR(""));
	assert_str(str_trim(str_null()), STR(""));
}

static void test_cut(void **state)
{
	static const struct {
		const char *text, *pieces[4];
	} cases[] = {
		{ "a/b/c", { "a", "b", "c" } },
		{ "a", { "a" } },
		{ "", { "" } },
		{ "/", { "", "" } },
		{ "a//b", { "a", "", "b" } },
		{ "a/", { "a", "" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str rest = str_of(cases[i].text);
		struct str piece = STR("untouched");

		for (size_t j = 0; cases[i].pieces[j]; j++) {
			assert_true(str_cut(&rest, '/', &piece));
			assert_str(piece, str_of(cases[i].pieces[j]));
		}
		piece = STR("untouched");
		assert_false(str_cut(&rest, '/', &piece));
		assert_str(piece, STR("untouched"));
	}
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		bool is_number;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "007", true, 7 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ "+1", false, 0 },
		{ " 1", false, 0 },
		{ "1 ", false, 0 },
		{ "1a", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t value = 0;

		print_message("'%s'\n", cases[i].text);
		assert_int_equal(str_to_u64(str_of(cases[i].text), &value),
				 cases[i].is_number);
		if (cases[i].is_number)
			assert_int_equal(value, cases[i].value);
	}
}

static void test_pool(void **state)
{
	struct pool *pool = pool_new();
	char *bytes[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		size_t n = i * 37 % 9000;

		bytes[i] = pool_alloc(pool, n + 1);
		assert_int_equal((uintptr_t)bytes[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j <= n; j++)
			assert_true(bytes[i][j] == 0);
		memset(bytes[i], (int)i, n + 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++)
		assert_int_equal((unsigned char)bytes[i][i * 37 % 9000], i & 0xff);
	assert_str(pool_str(pool, STR("a\0b")), STR("a\0b"));
	assert_string_equal(pool_cstr(pool, str_null()), "");
	assert_str(pool_printf(pool, "%s-%05d", "x", 42), STR("x-00042"));
	assert_string_equal(pool_printf(pool, "%s", "").p, "");
	pool_free(pool);
	pool_free(NULL);
}

static void test_buf(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	assert_str(buf_str(&buf), STR(""));
	buf_add(&buf, STR("abc"));
	buf_add(&buf, str_null());
	buf_printf(&buf, "%d", 12);
	assert_str(buf_str(&buf), STR("abc12"));
	assert_int_equal(buf.p[buf.n], 0);
	assert_false(buf.overflow);
	buf_add_char(&buf, 'x');
	assert_true(buf.overflow);
	assert_str(buf_str(&buf), STR("abc12"));
	buf_clear(&buf);
	assert_false(buf.overflow);
	buf_printf(&buf, "%s", "too long");
	assert_true(buf.overflow);
	assert_str(buf_str(&buf), STR(""));
	buf_clear(&buf);
	buf_init(&buf, 1 << 20);
	for (int i = 0; i < 100000; i++)
		buf_add_char(&buf, (char)('a' + i % 26));
	assert_int_equal(buf.n, 100000);
	assert_int_equal(buf.p[99999], 'a' + 99999 % 26);
	buf_clear(&buf);
}

static void test_mem(void **state)
{
	char *bytes = mem_alloc(10);

	(void)state;
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(bytes[i], 0);
	bytes[9] = 'x';
	bytes = mem_realloc(bytes, 1000);
	assert_int_equal(bytes[9], 'x');
	free(bytes);
	bytes = mem_strdup(STR("abc"));
	assert_string_equal(bytes, "abc");
	free(bytes);
}

/* Of the FNV reference code's test vectors (draft-eastlake-fnv, C). */
static void test_hash(void **state)
{
	(void)state;
	assert_true(str_hash(STR("")) == 0xcbf29ce484222325ULL);
	assert_true(str_hash(STR("a")) == 0xaf63dc4c8601ec8cULL);
	assert_true(str_hash(STR("foobar")) == 0x85944171f73967e8ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare), cmocka_unit_test(test_find),
		cmocka_unit_test(test_parts),	cmocka_unit_test(test_cut),
		cmocka_unit_test(test_number),	cmocka_unit_test(test_pool),
		cmocka_unit_test(test_buf),	cmocka_unit_test(test_mem),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
