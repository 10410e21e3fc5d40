/*
 * owner.h - whose the cache is: what one user makes in it, another can't write to.
 */
#ifndef PROGRAM_OWNER_H
#define PROGRAM_OWNER_H

#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

/* For people: "goproxy (107)", or "user 107" if it has no name. */
const char *owner_name(struct pool *pool, uid_t uid);

/*
 * May this user make something in the cache? It is theirs who made tmp/, since a
 * group may write to it; or its owner's, where that is missing or root's.
 *
 * command  of ours, which the user is to be told to run as the right one
 * err      ERR_CONFIG, naming that one
 *
 * Returns 0, also if nothing tells whose it is, or -1 with *err set.
 */
int owner_check(const char *cache_dir, const char *command, struct err *err);

#endif
