#include "fuzz.h"

#include "gomod/list.h"
#include "gomod/version.h"

/* A list made is a list: sorted, canonical, and stays as it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = { (const char *)data, size };
	struct pool *pool = pool_new();
	struct str list, again, line, last = STR("");
	struct err err;

	if (list_normalize(pool, body, &list, &err) == 0) {
		FUZZ_MUST(list.n <= body.n + 1);
		FUZZ_MUST(list_normalize(pool, list, &again, &err) == 0);
		FUZZ_MUST(str_is_equal(list, again));
		while (str_cut(&again, '\n', &line)) {
			if (line.n == 0) {
				FUZZ_MUST(!again.p);
				break;
			}
			FUZZ_MUST(version_is_canonical(line));
			FUZZ_MUST(version_compare(last, line) <= 0);
			last = line;
		}
	} else {
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
	}
	pool_free(pool);
	return 0;
}
