#include "vectors.h"

#include "base/err.h"
#include "gomod/modzip.h"
#include "gomod/modzip_files.h"

#define FILES_MAX 20

static size_t refused;

/* "KIND SIZE PATH" and a NUL, for each. */
static size_t read_files(struct str list, struct modzip_file *files)
{
	struct str one, kind, size;
	size_t n = 0;

	while (list.n > 0 && str_cut(&list, '\0', &one)) {
		assert_true(n < FILES_MAX);
		str_cut(&one, ' ', &kind);
		str_cut(&one, ' ', &size);
		files[n] = (struct modzip_file){
			.path = one,
			.kind = kind.p[0] == 'r'   ? MODZIP_FILE_REGULAR
				: kind.p[0] == 's' ? MODZIP_FILE_SYMLINK
						   : MODZIP_FILE_IRREGULAR,
			.is_kept = n % 2,
			.omitted = "untouched",
		};
		assert_true(str_to_u64(size, &files[n].size_bytes));
		n++;
	}
	return n;
}

/* x/mod keeps quiet about what is there again; the header says so. */
static bool is_known_exception(const struct modzip_file *files, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (files[j].kind != MODZIP_FILE_REGULAR &&
			    str_is_equal(files[i].path, files[j].path))
				return true;
	return false;
}

static void check_files(const struct vector *v)
{
	struct modzip_file files[FILES_MAX];
	size_t n = read_files(v->field[2], files);
	struct err err = { 0 };
	int rc = modzip_files_check(files, n, v->field[1], &err);

	if (is_known_exception(files, n)) {
		assert_int_equal(rc, -1);
		return;
	}
	if (rc != (vectors_has(v, 3, "ok") ? 0 : -1))
		fail_msg("'%.*s' %s", STR_ARG(v->field[2]), rc ? err.text : "accepted");
	assert_int_equal(err.kind, rc ? ERR_BAD_UPSTREAM : ERR_NONE);
	refused += rc != 0;
	if (rc != 0)
		return;
	assert_int_equal(v->field[4].n, n);
	for (size_t i = 0; i < n; i++) {
		if (files[i].is_kept != (v->field[4].p[i] == '1'))
			fail_msg("'%.*s' with '%.*s' is %s", STR_ARG(files[i].path),
				 STR_ARG(v->field[1]), files[i].is_kept ? "kept" : files[i].omitted);
		assert_true(files[i].is_kept == !files[i].omitted);
	}
}

static void test_files(void **state)
{
	size_t n;

	(void)state;
	refused = 0;
	n = vectors_each("files.txt", "files", check_files);
	print_message("%zu of %zu refused\n", refused, n);
	assert_true(n > 1000);
	assert_in_range(refused, n / 10, n * 2 / 3);
}

static const struct {
	const char *path;
	uint64_t size_bytes;
	const char *text;
} faults[] = {
	{ "a:b", 1, "bad module: 'a:b': invalid character ':' at byte 1 of 'a:b'" },
	{ "a//b", 1, "bad module: 'a//b': not a clean relative path" },
	{ "A.GO", 1, "bad module: 'a.go' and 'A.GO' differ by case only" },
	{ "GO.MOD", 1, "bad module: 'GO.MOD': go.mod must be in small letters" },
	{ "b.go", MODZIP_UNPACKED_MAX, "bad module: 'b.go': more than 500 MiB unpacked" },
	{ "LICENSE", MODZIP_GOMOD_MAX + 1, "bad module: 'LICENSE': more than 16 MiB" },
};

static void test_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct modzip_file files[] = {
			{ .path = STR("a.go"), .size_bytes = 1 },
			{ .path = str_of(faults[i].path), .size_bytes = faults[i].size_bytes },
		};
		struct err err = { 0 };

		assert_int_equal(modzip_files_check(files, 2, STR(""), &err), -1);
		assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
		assert_string_equal(err.text, faults[i].text);
	}
}

/* As many files as a zip may have, and one more. */
static void test_limit(void **state)
{
	size_t n = MODZIP_ENTRIES_MAX + 1;
	struct modzip_file *files = test_calloc(n, sizeof(*files));
	char(*names)[8] = test_calloc(n, sizeof(*names));
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "%zu", i);
		files[i].path = str_of(names[i]);
	}
	assert_int_equal(modzip_files_check(files, n - 1, STR(""), &err), 0);
	assert_int_equal(modzip_files_check(files, n, STR(""), &err), -1);
	assert_string_equal(err.text, "bad module: '500000': too many files");
	/* What is left out doesn't count. */
	files[7].path = STR("vendor/a/b");
	assert_int_equal(modzip_files_check(files, n, STR(""), &err), 0);
	test_free(names);
	test_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
