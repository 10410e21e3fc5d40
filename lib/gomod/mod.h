/*
 * mod.h - the body of a ".mod" answer: a go.mod file.
 *
 * Pure function: no I/O, no state. It doesn't parse: what a go.mod may say is
 * the go command's business, and older ones hold odd things.
 */
#ifndef GOMOD_MOD_H
#define GOMOD_MOD_H

#include "base/err.h"
#include "base/str.h"

/* Longest go.mod, in bytes: MaxGoMod of golang.org/x/mod/zip. */
#define MOD_BODY_MAX (16U << 20)

/*
 * Whether a body can be a go.mod: neither HTML nor JSON, with a module line
 * (the go command takes none without; an upstream with a full disk makes such),
 * at most MOD_BODY_MAX. A NUL may stand in it, as for the go command, but not
 * at its end, where a crash leaves them. err: ERR_BAD_UPSTREAM.
 * Returns 0 or -1.
 */
int mod_check(struct str body, struct err *err);

#endif
