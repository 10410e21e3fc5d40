#include "fuzz.h"

#include "gomod/goimport.h"

/* Any page gives tags with three fields each, and those for mod come first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct goimport tags[GOIMPORT_TAGS_MAX];
	struct pool *pool = pool_new();
	size_t n = goimport_parse(pool, (struct str){ (const char *)data, size }, tags);
	bool is_mod = true;

	FUZZ_MUST(n <= GOIMPORT_TAGS_MAX);
	for (size_t i = 0; i < n; i++) {
		bool is_next = str_is_equal(tags[i].vcs, STR("mod"));

		FUZZ_MUST(tags[i].prefix.n > 0 && tags[i].vcs.n > 0 && tags[i].repo.n > 0);
		FUZZ_MUST(is_mod || !is_next);
		is_mod = is_next;
	}
	pool_free(pool);
	return 0;
}
