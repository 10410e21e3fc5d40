#include "fuzz.h"

#include "gomod/version.h"

static void check_one(struct pool *pool, struct str text)
{
	struct str plain, again;
	struct err err;

	if (version_is_pseudo(text))
		FUZZ_MUST(version_is_valid(text));
	if (version_is_canonical(text))
		FUZZ_MUST(version_is_valid(text) && !version_is_query(text));
	FUZZ_MUST(version_is_valid(text) == (version_major(text).n > 0));
	FUZZ_MUST(version_compare(text, text) == 0);
	if (version_unescape(pool, text, &plain, &err) == 0) {
		FUZZ_MUST(version_escape(pool, plain, &again, &err) == 0);
		FUZZ_MUST(str_is_equal(text, again));
		FUZZ_MUST(version_is_canonical(plain) || version_is_query(plain));
	}
	if (version_escape(pool, text, &again, &err) == 0) {
		FUZZ_MUST(version_unescape(pool, again, &plain, &err) == 0);
		FUZZ_MUST(str_is_equal(text, plain));
	}
}

/* Up to three versions, one a line: an order must be one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct str all[3] = { STR(""), STR(""), STR("") };
	struct pool *pool = pool_new();

	for (size_t i = 0; i < 3 && str_cut(&rest, '\n', &all[i]); i++)
		check_one(pool, all[i]);
	FUZZ_MUST(version_compare(all[0], all[1]) == -version_compare(all[1], all[0]));
	if (version_compare(all[0], all[1]) <= 0 && version_compare(all[1], all[2]) <= 0)
		FUZZ_MUST(version_compare(all[0], all[2]) <= 0);
	version_sort(all, 3);
	FUZZ_MUST(version_compare(all[0], all[1]) <= 0 && version_compare(all[1], all[2]) <= 0);
	pool_free(pool);
	return 0;
}
