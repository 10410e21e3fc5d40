#include "fuzz.h"

#include "gomod/info.h"
#include "gomod/mod.h"
#include "gomod/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str json = { (const char *)data, size };
	struct pool *pool = pool_new();
	struct str version;
	struct err err;

	if (info_check(pool, json, STR(""), &version, &err) == 0) {
		FUZZ_MUST(version_is_canonical(version));
		FUZZ_MUST(info_check(pool, json, version, NULL, &err) == 0);
		FUZZ_MUST(info_check(pool, json, STR("v0.0.0-x"), NULL, &err) != 0 ||
			  str_is_equal(version, STR("v0.0.0-x")));
	} else {
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
	}
	mod_check(json, &err);
	pool_free(pool);
	return 0;
}
