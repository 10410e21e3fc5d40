/*
 * wait.h - for commands, which have nothing else to do: wait for an answer.
 */
#ifndef PROGRAM_WAIT_H
#define PROGRAM_WAIT_H

#include "origin/sumdbs.h"

/*
 * Answer a question from what is kept; else, if may_ask, from the network.
 * call->on_done is not the caller's. Not from a thread of the pool that
 * answers questions. SUMDB_WAIT: what is kept doesn't suffice.
 */
void wait_for_sumdb(struct sumdbs *sumdbs, struct sumdb_call *call, bool may_ask);

/*
 * Ask the chain for a list or the latest version, as a request would; result lives
 * in the pool, its texts too. The body is in the pool if there is one.
 */
void wait_for_upstream(struct upstream *upstream, struct pool *pool, const char *path, enum direct_kind kind,
		       struct str module, struct str *body, struct upstream_result *result);

#endif
