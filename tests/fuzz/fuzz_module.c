#include "fuzz.h"

#include "gomod/module.h"
#include "gomod/path.h"

/* What is unescaped, and only that, can be escaped again to the same. */
static void round_trip(struct pool *pool, struct str text)
{
	struct str plain, again, prefix, path_major;
	struct err err;

	if (module_unescape_path(pool, text, &plain, &err) == 0) {
		FUZZ_MUST(module_path_check(plain, &err) == 0);
		FUZZ_MUST(module_escape_path(pool, plain, &again, &err) == 0);
		FUZZ_MUST(str_is_equal(text, again));
		FUZZ_MUST(module_has_valid_major(plain, &prefix, &path_major));
		FUZZ_MUST(prefix.n + path_major.n == plain.n);
	} else {
		FUZZ_MUST(err.kind == ERR_BAD_REQUEST);
	}
	if (module_escape_path(pool, text, &again, &err) == 0) {
		FUZZ_MUST(module_unescape_path(pool, again, &plain, &err) == 0);
		FUZZ_MUST(str_is_equal(text, plain));
	}
}

/* The kinds are one within the other; folding is done when it is done. */
static void check_kinds(struct str text)
{
	struct err err;
	struct buf once, twice;

	if (module_path_check(text, &err) == 0)
		FUZZ_MUST(module_import_path_check(text, &err) == 0);
	if (module_import_path_check(text, &err) == 0)
		FUZZ_MUST(module_file_path_check(text, &err) == 0);
	if (module_file_path_check(text, &err) != 0)
		return;
	buf_init(&once, 4 * text.n);
	buf_init(&twice, 4 * text.n);
	path_fold(text, &once);
	path_fold(buf_str(&once), &twice);
	FUZZ_MUST(str_is_equal(buf_str(&once), buf_str(&twice)));
	FUZZ_MUST(!once.overflow && once.n <= 2 * text.n);
	buf_clear(&once);
	buf_clear(&twice);
}

/* A path matches itself as a pattern, if nothing in it has a meaning. */
static void check_patterns(struct str text, struct str path)
{
	struct err err;

	if (module_matches_patterns(text, path) && !str_has_char(text, ','))
		FUZZ_MUST(module_is_pattern(text));
	if (module_path_check(path, &err) == 0)
		FUZZ_MUST(module_matches_patterns(path, path));
}

/* Up to the first '@' a path, behind it a version or patterns. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct pool *pool = pool_new();
	long at = str_find(text, '@');
	struct err err;

	round_trip(pool, text);
	check_kinds(text);
	check_patterns(text, text);
	if (at >= 0)
		check_patterns(str_skip(text, (size_t)at + 1),
			       str_head(text, (size_t)at));
	if (at >= 0 && module_check(str_head(text, (size_t)at),
				    str_skip(text, (size_t)at + 1), &err) == 0)
		FUZZ_MUST(module_path_check(str_head(text, (size_t)at), &err) == 0);
	pool_free(pool);
	return 0;
}
