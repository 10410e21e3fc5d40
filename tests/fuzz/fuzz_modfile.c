#include "fuzz.h"

#include "gomod/modfile.h"
#include "gomod/modfile_quote.h"
#include "gomod/module.h"

/* What is written must be read as what was meant. */
static void check_quote(struct pool *pool, struct str text)
{
	struct str quoted = modfile_auto_quote(pool, text), plain;
	bool is_quoted = str_has_prefix(quoted, STR("\""));

	FUZZ_MUST(is_quoted || str_is_equal(quoted, text));
	if (is_quoted) {
		FUZZ_MUST(modfile_unquote(pool, quoted, &plain));
		FUZZ_MUST(str_is_equal(plain, text));
	}
	if (modfile_unquote(pool, text, &plain))
		FUZZ_MUST(plain.n <= 3 * text.n);
}

/* Of other things, Go itself writes "module (" and can't read it. */
static void check_legacy(struct pool *pool, struct str module)
{
	struct modfile_interval *intervals;
	struct str gomod = modfile_legacy(pool, module);
	struct err err;
	size_t n;

	if (module_path_check(module, &err) != 0)
		return;
	FUZZ_MUST(str_is_equal(modfile_module_path(pool, gomod), module));
	FUZZ_MUST(modfile_retractions(pool, gomod, &intervals, &n, &err) == 0 && n == 0);
	FUZZ_MUST(!intervals);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str gomod = { (const char *)data, size };
	struct pool *pool = pool_new();
	struct modfile_interval *intervals;
	struct err err;
	size_t n;
	bool is_ok = modfile_retractions(pool, gomod, &intervals, &n, &err) == 0;

	if (is_ok)
		FUZZ_MUST((n == 0) == !intervals && n <= size);
	if (modfile_go_lang(pool, gomod).n > 0)
		FUZZ_MUST(is_ok);
	FUZZ_MUST(modfile_module_path(pool, gomod).n <= 3 * size);
	check_quote(pool, gomod);
	check_legacy(pool, gomod);
	pool_free(pool);
	return 0;
}
