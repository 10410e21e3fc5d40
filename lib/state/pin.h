/*
 * pin.h - what was kept without proof while a checksum database couldn't be
 * asked: seen first, to be proven later.
 *
 * DIR/pins/MODULE/@v/VERSION.zip (or .mod) holds the h1 of the object of that
 * name below DIR/download. It is there before the object, and goes when that
 * was proven, so that no crash makes an unproven object look proven; and what
 * comes once more must be the same.
 */
#ifndef STATE_PIN_H
#define STATE_PIN_H

#include "state/store.h"

/* key: the object's, "download/...". Returns 0 or -1. */
int pin_put(struct store *store, const char *key, struct str h1, struct err *err);

/* The h1 of what was seen first; false if nothing was. */
bool pin_find(struct store *store, const char *key, struct pool *pool, struct str *h1);

void pin_remove(struct store *store, const char *key);

/* The keys of at most max objects that are pinned, behind the first skip. Returns how many. */
size_t pin_list(struct store *store, struct pool *pool, const char **keys, size_t skip, size_t max);

#endif
