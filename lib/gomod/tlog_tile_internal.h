/*
 * tlog_tile_internal.h - where in a tile a hash is, for tlog*.c only.
 */
#ifndef GOMOD_TLOG_TILE_INTERNAL_H
#define GOMOD_TLOG_TILE_INTERNAL_H

#include "gomod/tlog_internal.h"
#include "gomod/tlog_tile.h"

/* The least tile with a stored hash, which is the one over count of its hashes. */
struct tlog_place {
	struct tlog_tile tile;
	size_t first, count;
};

struct tlog_place tlog_place_of(int height, uint64_t index);

/* The hash over count (a power of 2) hashes of a tile's data. */
void tlog_subtree_hash(struct tlog_hasher *hasher, struct str data, size_t first, size_t count,
		       struct tlog_hash *hash);

#endif
