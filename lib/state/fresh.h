/*
 * fresh.h - lists that a web server may send by itself, while they are fresh.
 *
 * DIR/fresh/SLOT/MODULE/@v/list and .../@latest are links to what lies below
 * DIR/mutable. SLOT is Unix time divided by FRESH_SLOT_S, and a list is put
 * there only if it stays fresh until that slot is over. So a web server that
 * looks below the slot of its own clock never finds one that is too old, even
 * if every process of ours is dead or stopped: existence is freshness, and
 * what nobody has taken away is where nobody looks any more.
 *
 * Only what is asked for twice within a slot is put there. A time to live of
 * less than a slot leaves hardly any room for it.
 */
#ifndef STATE_FRESH_H
#define STATE_FRESH_H

#include "state/store.h"

/* The examples for web servers know it, too: they drop the last digit. */
#define FRESH_SLOT_S 10

struct fresh;

/* The store must outlive it. */
struct fresh *fresh_new(struct store *store, int ttl_s);
void fresh_free(struct fresh *fresh);

/*
 * A client was given what has this key, which was confirmed at mtime. True if
 * fresh_publish() is to follow: once in a slot, though not counted exactly.
 * Costs nothing, from any thread.
 */
bool fresh_is_wanted(struct fresh *fresh, const char *key, time_t mtime);

/* Put it where web servers look, now; failing is no failure. */
void fresh_publish(struct fresh *fresh, const char *key);

/* Take away all slots that are over. */
void fresh_sweep(struct fresh *fresh);

#endif
