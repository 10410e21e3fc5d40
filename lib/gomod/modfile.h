/*
 * modfile.h - what a go.mod says, as far as a proxy needs to know.
 *
 * Pure functions: no I/O, no state. The rules are those of ParseLax and
 * ModulePath in golang.org/x/mod/modfile; tests/vectors/modfile.txt was made
 * by them. A text that ParseLax refuses, for a directive that we don't even
 * look for, is refused here too. Texts are at most MOD_BODY_MAX bytes (mod.h)
 * long: the caller sees to it. What is returned is a piece of the text or
 * owned by the pool.
 */
#ifndef GOMOD_MODFILE_H
#define GOMOD_MODFILE_H

#include "base/err.h"
#include "base/str.h"

/* Most retractions that one go.mod may have. Our limit: Go sets none. */
#define MODFILE_RETRACTIONS_MAX 100000U

/*
 * modfile.ModulePath: the module path, found with little regard for the rest of
 * the text. Empty if there is none.
 */
struct str modfile_module_path(struct pool *pool, struct str gomod);

/*
 * The language version of the go directive as zip.go asks for it: "go1.21"
 * for "go 1.21.3". Empty if there is none, or if ParseLax refuses the text.
 */
struct str modfile_go_lang(struct pool *pool, struct str gomod);

/* Both ends included; the same twice for a single version. */
struct modfile_interval {
	struct str low, high;
};

/*
 * What the module takes back: Retract of ParseLax(file, gomod, nil).
 *
 * intervals  out: in the text's order, owned by the pool; any text may stand
 *            for a version. NULL if there are none
 * n          out: how many
 * err        ERR_BAD_UPSTREAM: the line and the reason; also for more than
 *            MODFILE_RETRACTIONS_MAX
 *
 * Returns 0, or -1 with *err set and the outputs as they were.
 */
int modfile_retractions(struct pool *pool, struct str gomod,
			struct modfile_interval **intervals, size_t *n,
			struct err *err);

/*
 * The go.mod of a module that has none: modfetch.LegacyGoMod, "module PATH",
 * the path in quotes if it needs them, and a newline.
 */
struct str modfile_legacy(struct pool *pool, struct str module);

#endif
