/*
 * recheck.h - what was kept without proof is proven later, in the background.
 *
 * While a checksum database can't be asked, [sumdb] unreachable = pin keeps
 * what is seen first (state/pin.h). As soon as the database answers, each of
 * these is held against it: the mark goes, or the object does, loudly, and is
 * fetched again. Not under CGI, whose processes don't live long enough;
 * "goproxy.fcgi verify --repair" does it there.
 */
#ifndef SERVE_RECHECK_H
#define SERVE_RECHECK_H

#include "serve/flight.h"

struct recheck;

/* All of them must outlive it. */
struct recheck *recheck_new(const struct answer *answer, struct store *store,
			    struct sumdbs *sumdbs, struct flights *flights, struct work *disk);
void recheck_free(struct recheck *recheck);

/* Something is under way: nothing that it uses may be freed. Nobody waits for it. */
bool recheck_is_busy(const struct recheck *recheck);

/* In the loop: begins a round if one is due. NULL is nothing. */
void recheck_tick(struct recheck *recheck);

#endif
