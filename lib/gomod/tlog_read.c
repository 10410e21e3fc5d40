#include <assert.h>
#include <string.h>

#include "gomod/tlog_tile.h"
#include "gomod/tlog_tile_internal.h"

#define NO_PARENT SIZE_MAX

/*
 * The tiles to read. First those at the tree's edge, which hold the hashes that
 * add up to the tree's, if any other depends on them; then others, each behind
 * its parent. What was proven before has no parent here.
 */
struct plan {
	const struct tlog_tile_reader *reader; /* NULL: nothing was proven before */
	int height;
	int64_t tree_n;
	struct tlog_tile *tiles;
	struct str *data; /* p NULL: to be read */
	size_t *parents;
	size_t n, edge;
	uint64_t roots[TLOG_INDEXES_MAX];
	size_t root_tiles[TLOG_INDEXES_MAX];
	size_t roots_n;
	size_t *index_tiles; /* for each index asked for */
	uint32_t *slots;     /* a hash table: number of the tile + 1, or 0 */
	size_t mask;
};

/* As wide as it can be in the tree. */
static struct tlog_tile widen(const struct plan *plan, struct tlog_tile tile)
{
	int64_t there = plan->tree_n >> (tile.level * plan->height);
	int64_t left = there - (tile.n << plan->height);
	int64_t full = (int64_t)1 << plan->height;

	assert(left > 0);
	tile.width = (int)(left < full ? left : full);
	return tile;
}

static struct tlog_tile parent_of(const struct plan *plan, struct tlog_tile tile)
{
	/* A tile at the edge is in the plan: nobody asks for its parent. */
	assert(tile.width == 1 << plan->height);
	tile.level++;
	tile.n >>= plan->height;
	return widen(plan, tile);
}

/* Where the tile is in the table, or would go. */
static uint32_t *slot_of(const struct plan *plan, const struct tlog_tile *tile)
{
	uint64_t key = (uint64_t)tile->n << 6 | (uint64_t)tile->level;
	uint64_t spread = key * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t at = (size_t)(spread >> 32) & plan->mask;; at = (at + 1) & plan->mask) {
		uint32_t number = plan->slots[at];

		if (number == 0 || (plan->tiles[number - 1].n == tile->n &&
				    plan->tiles[number - 1].level == tile->level))
			return &plan->slots[at];
	}
}

static bool find_proven(const struct plan *plan, const struct tlog_tile *tile, struct str *data)
{
	if (!plan->reader || !plan->reader->find_proven ||
	    !plan->reader->find_proven(plan->reader->context, tile, data))
		return false;
	return data->n == (size_t)tile->width * TLOG_HASH_SIZE;
}

/* Is there a tile on the way up from this hash that only the edge can prove? */
static bool needs_edge(const struct plan *plan, uint64_t index)
{
	struct tlog_tile tile = widen(plan, tlog_tile_for_index(plan->height, index));
	struct str data;

	while (!find_proven(plan, &tile, &data)) {
		if (tile.width < 1 << plan->height)
			return true;
		tile = parent_of(plan, tile);
	}
	return false;
}

static size_t plan_add(struct plan *plan, const struct tlog_tile *tile, size_t parent)
{
	*slot_of(plan, tile) = (uint32_t)plan->n + 1;
	plan->tiles[plan->n] = *tile;
	plan->parents[plan->n] = parent;
	return plan->n++;
}

static void plan_edge(struct plan *plan, const uint64_t *indexes, size_t n)
{
	bool is_needed = n == 0;

	for (size_t i = 0; i < n && !is_needed; i++)
		is_needed = needs_edge(plan, indexes[i]);
	if (!is_needed)
		return;
	plan->roots_n = tlog_tree_indexes(plan->tree_n, plan->roots);
	for (size_t i = 0; i < plan->roots_n; i++) {
		struct tlog_tile tile =
			widen(plan, tlog_tile_for_index(plan->height, plan->roots[i]));
		uint32_t number = *slot_of(plan, &tile);

		plan->root_tiles[i] = number > 0 ? number - 1 : plan_add(plan, &tile, NO_PARENT);
	}
	plan->edge = plan->n;
}

/* Up to a tile that is planned already, and down again. */
static size_t plan_index(struct plan *plan, uint64_t index)
{
	struct tlog_tile missing[TLOG_TILE_LEVEL_MAX + 1];
	struct tlog_tile tile = widen(plan, tlog_tile_for_index(plan->height, index));
	struct str data = { 0 };
	size_t depth = 0, at;
	uint32_t number;

	while ((number = *slot_of(plan, &tile)) == 0) {
		assert(depth < ARRAY_LEN(missing));
		if (find_proven(plan, &tile, &data)) {
			number = (uint32_t)plan_add(plan, &tile, NO_PARENT) + 1;
			plan->data[number - 1] = data;
			break;
		}
		missing[depth++] = tile;
		tile = parent_of(plan, tile);
	}
	for (at = number - 1; depth > 0; depth--)
		at = plan_add(plan, &missing[depth - 1], at);
	return at;
}

static int check_sizes(int height, int64_t tree_n, const uint64_t *indexes, size_t n,
		       struct err *err)
{
	if (height < 1 || height > TLOG_READ_HEIGHT_MAX)
		return err_set(err, ERR_BAD_UPSTREAM, "cannot read tiles of height %d", height);
	if (tree_n < 0)
		return err_set(err, ERR_BAD_UPSTREAM, "no tree has %lld records",
			       (long long)tree_n);
	if (n > TLOG_READ_MAX)
		return err_set(err, ERR_BAD_UPSTREAM, "more than %u hashes of the log at once",
			       TLOG_READ_MAX);
	for (size_t i = 0; i < n; i++)
		if (indexes[i] >= tlog_stored_hash_count(tree_n))
			return err_set(err, ERR_BAD_UPSTREAM,
				       "hash %llu isn't in the tree of %lld records",
				       (unsigned long long)indexes[i], (long long)tree_n);
	return 0;
}

static int plan_make(struct plan *plan, struct pool *pool, const struct tlog_tile_reader *reader,
		     int height, int64_t tree_n, const uint64_t *indexes, size_t n, struct err *err)
{
	size_t levels, max, slots = 64;

	if (check_sizes(height, tree_n, indexes, n, err) != 0)
		return -1;
	levels = tree_n > 0 ? (size_t)(tlog_log2(tree_n) / height) + 1 : 0;
	max = (n + 1) * levels;
	while (slots < 2 * max)
		slots *= 2;
	*plan = (struct plan){ .reader = reader, .height = height, .tree_n = tree_n };
	plan->mask = slots - 1;
	plan->data = pool_alloc(pool, max * sizeof(*plan->data));
	plan->tiles = pool_alloc(pool, max * sizeof(*plan->tiles));
	plan->parents = pool_alloc(pool, max * sizeof(*plan->parents));
	plan->index_tiles = pool_alloc(pool, n * sizeof(*plan->index_tiles));
	plan->slots = pool_alloc(pool, slots * sizeof(*plan->slots));
	plan_edge(plan, indexes, n);
	for (size_t i = 0; i < n; i++)
		plan->index_tiles[i] = plan_index(plan, indexes[i]);
	return 0;
}

/* Tiles from first to last - 1, which aren't what they should be. */
static int bad_tiles(const struct plan *plan, size_t first, size_t last, const char *what,
		     struct err *err)
{
	char path[TLOG_TILE_PATH_SIZE];

	if (plan->reader && plan->reader->blame_tiles)
		plan->reader->blame_tiles(plan->reader->context, plan->tiles + first, last - first);
	tlog_tile_path(&plan->tiles[last - 1], path);
	return err_set(err, ERR_BAD_UPSTREAM,
		       "inconsistent tile '%s' of the tree of %lld records: %s", path,
		       (long long)plan->tree_n, what);
}

static int check_lengths(const struct plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->data[i].n != (size_t)plan->tiles[i].width * TLOG_HASH_SIZE)
			return bad_tiles(plan, i, i + 1, "not as long as it is wide", err);
	return 0;
}

/* A stored hash that is known to be in this tile. */
static void take_hash(struct tlog_hasher *hasher, const struct plan *plan, struct str data,
		      uint64_t index, struct tlog_hash *hash)
{
	struct tlog_place place = tlog_place_of(plan->height, index);

	tlog_subtree_hash(hasher, data, place.first, place.count, hash);
}

static int prove_edge(struct tlog_hasher *hasher, const struct plan *plan,
		      const struct tlog_tree *tree, struct err *err)
{
	struct tlog_hash hashes[TLOG_INDEXES_MAX], sum;

	if (plan->edge == 0 && plan->n > 0)
		return 0; /* nothing depends on it */

	for (size_t i = 0; i < plan->roots_n; i++)
		take_hash(hasher, plan, plan->data[plan->root_tiles[i]], plan->roots[i], &hashes[i]);
	sum = tlog_tree_hash(tree->n, hashes);
	if (tlog_hash_is_equal(&sum, &tree->hash))
		return 0;
	if (plan->n == 0)
		return err_set(err, ERR_BAD_UPSTREAM, "wrong hash of the tree without records");
	/* One of the edge's tiles, or the tree: nobody can say which. */
	return bad_tiles(plan, 0, plan->edge, "with the others of its edge it yields another hash",
			 err);
}

/* A tile that isn't at the edge is full: it is one hash in its parent. */
static int prove_others(struct tlog_hasher *hasher, const struct plan *plan, struct err *err)
{
	int64_t mask = ((int64_t)1 << plan->height) - 1;

	for (size_t i = plan->edge; i < plan->n; i++) {
		size_t at = (size_t)(plan->tiles[i].n & mask) * TLOG_HASH_SIZE;
		struct tlog_hash hash;
		struct str parent;

		if (plan->parents[i] == NO_PARENT)
			continue; /* proven before */
		parent = plan->data[plan->parents[i]];
		assert(at + TLOG_HASH_SIZE <= parent.n);
		tlog_subtree_hash(hasher, plan->data[i], 0, (size_t)plan->tiles[i].width, &hash);
		if (memcmp(parent.p + at, hash.bytes, TLOG_HASH_SIZE) != 0)
			return bad_tiles(plan, i, i + 1, "its parent has another hash of it", err);
	}
	return 0;
}

/* The tiles that weren't proven before: all at once, so that they can come in parallel. */
static int read_missing(struct plan *plan, struct pool *pool, struct tlog_tile *tiles,
			struct str *data, size_t *n, struct err *err)
{
	size_t *places = pool_alloc(pool, plan->n * sizeof(*places));

	*n = 0;
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->data[i].p)
			continue;
		places[*n] = i;
		tiles[(*n)++] = plan->tiles[i];
	}
	if (*n > 0 && plan->reader->read_tiles(plan->reader->context, tiles, *n, data, err) != 0)
		return -1;
	for (size_t i = 0; i < *n; i++)
		plan->data[places[i]] = data[i];
	return 0;
}

/* The n hashes that were asked for, out of proven tiles. */
static int prove_plan(struct plan *plan, const struct tlog_tree *tree, const uint64_t *indexes,
		      size_t n, struct tlog_hash *hashes, struct err *err)
{
	struct tlog_hasher hasher;
	int rc;

	tlog_hasher_init(&hasher);
	rc = prove_edge(&hasher, plan, tree, err);
	if (rc == 0)
		rc = prove_others(&hasher, plan, err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		take_hash(&hasher, plan, plan->data[plan->index_tiles[i]], indexes[i], &hashes[i]);
	tlog_hasher_clear(&hasher);
	return rc;
}

int tlog_read_hashes(const struct tlog_tile_reader *reader, const struct tlog_tree *tree,
		     const uint64_t *indexes, size_t n, struct tlog_hash *hashes, struct err *err)
{
	struct pool *pool = pool_new();
	struct tlog_tile *tiles;
	struct str *data;
	struct plan plan;
	size_t missing;
	int rc = plan_make(&plan, pool, reader, reader->height, tree->n, indexes, n, err);

	if (rc != 0)
		goto out;
	tiles = pool_alloc(pool, plan.n * sizeof(*tiles));
	data = pool_alloc(pool, plan.n * sizeof(*data));
	rc = read_missing(&plan, pool, tiles, data, &missing, err);
	if (rc == 0)
		rc = check_lengths(&plan, err);
	if (rc == 0)
		rc = prove_plan(&plan, tree, indexes, n, hashes, err);
	/* At the very end: whoever keeps them may have to forget others for it. */
	if (rc == 0 && missing > 0 && reader->save_tiles)
		reader->save_tiles(reader->context, tiles, missing, data);
out:
	pool_free(pool);
	return rc;
}

int tlog_read_plan(struct pool *pool, int height, int64_t tree_n, const uint64_t *indexes,
		   size_t n, struct tlog_tile **tiles, size_t *count, struct err *err)
{
	struct plan plan;

	if (plan_make(&plan, pool, NULL, height, tree_n, indexes, n, err) != 0)
		return -1;
	*tiles = plan.tiles;
	*count = plan.n;
	return 0;
}

bool tlog_tile_is_in_tree(const struct tlog_tile *tile, int64_t n)
{
	int level = tile->level == TLOG_TILE_DATA_LEVEL ? 0 : tile->level;
	int64_t there;

	if (level < 0 || tile->n < 0 || tile->width < 1 || tile->width > 1 << tile->height ||
	    level > TLOG_TILE_LEVEL_MAX / tile->height)
		return false;
	there = n >> (level * tile->height);
	return tile->n <= there >> tile->height &&
	       tile->width <= there - (tile->n << tile->height);
}

int tlog_read_tile(const struct tlog_tile_reader *reader, const struct tlog_tree *tree,
		   const struct tlog_tile *tile, struct tlog_hash *hashes, struct err *err)
{
	uint64_t indexes[1 << TLOG_READ_HEIGHT_MAX];

	if (tile->height < 1 || tile->height > TLOG_READ_HEIGHT_MAX || tile->level < 0 ||
	    !tlog_tile_is_in_tree(tile, tree->n))
		return err_set(err, ERR_BAD_UPSTREAM, "no such tile in the tree of %lld records",
			       (long long)tree->n);
	for (int i = 0; i < tile->width; i++)
		indexes[i] = tlog_stored_hash_index(tile->level * tile->height,
						    (tile->n << tile->height) + i);
	return tlog_read_hashes(reader, tree, indexes, (size_t)tile->width, hashes, err);
}
