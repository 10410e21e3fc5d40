#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "origin/sumdb_internal.h"

static bool is_same_place(const struct tlog_tile *a, const struct tlog_tile *b)
{
	return a->height == b->height && a->level == b->level && a->n == b->n;
}

/* A tile in memory that is at least as wide. */
static bool find_proven(void *context, const struct tlog_tile *tile, struct str *data)
{
	struct question *q = context;

	for (size_t i = 0; i < TILES_KEPT && !q->is_strict; i++) {
		struct kept_tile *kept = &q->db->tiles[i];

		if (kept->tile.width < tile->width || !is_same_place(&kept->tile, tile))
			continue;
		kept->used_at = ++q->db->clock;
		*data = (struct str){ kept->data, (size_t)tile->width * TLOG_HASH_SIZE };
		return true;
	}
	return false;
}

/* The place of this tile, or of the one that was used longest ago. */
static struct kept_tile *place_for(struct sumdb *db, const struct tlog_tile *tile)
{
	struct kept_tile *oldest = &db->tiles[0];

	for (size_t i = 0; i < TILES_KEPT; i++) {
		if (db->tiles[i].tile.width > 0 && is_same_place(&db->tiles[i].tile, tile))
			return &db->tiles[i];
		if (db->tiles[i].used_at < oldest->used_at)
			oldest = &db->tiles[i];
	}
	return oldest;
}

static void keep_tile(struct sumdb *db, const struct tlog_tile *tile, struct str data)
{
	struct kept_tile *kept = place_for(db, tile);

	kept->used_at = ++db->clock;
	if (kept->tile.width > 0 && is_same_place(&kept->tile, tile) &&
	    kept->tile.width >= tile->width)
		return;
	free(kept->data);
	kept->tile = *tile;
	kept->data = mem_alloc(data.n);
	memcpy(kept->data, data.p, data.n);
}

void sumdb_tiles_clear(struct sumdb *db)
{
	for (size_t i = 0; i < TILES_KEPT; i++) {
		free(db->tiles[i].data);
		db->tiles[i] = (struct kept_tile){ 0 };
	}
}

static struct tlog_tile full(const struct tlog_tile *tile)
{
	struct tlog_tile wide = *tile;

	wide.width = 1 << tile->height;
	return wide;
}

/* As cmd/go does: the tile itself, or the full one, which begins with it. */
static bool read_kept(struct question *q, const struct tlog_tile *tile, struct str *data)
{
	const struct sumdb_ops *ops = &q->db->ops;
	char path[TLOG_TILE_PATH_SIZE];
	struct tlog_tile wide = full(tile);
	size_t n = (size_t)tile->width * TLOG_HASH_SIZE;

	if (q->must_ignore_kept)
		return false;
	tlog_tile_path(tile, path);
	if (ops->read_cache(ops->context, path, q->pool, data) && data->n == n)
		return true;
	tlog_tile_path(&wide, path);
	if (wide.width == tile->width || !ops->read_cache(ops->context, path, q->pool, data) ||
	    data->n < n)
		return false;
	*data = str_head(*data, n);
	return true;
}

static int read_far(struct question *q, const struct tlog_tile *tile, struct str *data,
		    struct err *err)
{
	char path[TLOG_TILE_PATH_SIZE], full_path[TLOG_TILE_PATH_SIZE];
	const char *both[] = { path, full_path };
	struct tlog_tile wide = full(tile);
	enum sumdb_status status;

	tlog_tile_path(tile, path);
	tlog_tile_path(&wide, full_path);
	status = question_read(q, path, data, err);
	/* A partial tile that was completed needn't be there any more. */
	if (status == SUMDB_ABSENT && wide.width != tile->width)
		status = question_read(q, full_path, data, err);
	if (status == SUMDB_DONE)
		*data = str_head(*data, (size_t)tile->width * TLOG_HASH_SIZE);
	if (status == SUMDB_WAIT)
		err_set(err, ERR_UNAVAILABLE, "'%s' isn't there yet", path);
	if (status == SUMDB_ABSENT) {
		err_set(err, ERR_UNAVAILABLE, "the source lacks '%s'", path);
		question_reject(q, both, ARRAY_LEN(both), err);
	}
	return status == SUMDB_DONE ? 0 : -1;
}

/* All that is missing is asked for before this fails: one round for all. */
static int read_tiles(void *context, const struct tlog_tile *tiles, size_t n, struct str *data,
		      struct err *err)
{
	struct question *q = context;
	int rc = 0;

	if (q->is_quick)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (!read_kept(q, &tiles[i], &data[i]) && read_far(q, &tiles[i], &data[i], err) != 0)
			rc = -1;
	return rc;
}

/* Is anything kept of it, which may be what is wrong? */
static bool is_kept(const struct question *q, const struct tlog_tile *tile)
{
	const struct sumdb_ops *ops = &q->db->ops;
	struct tlog_tile both[2] = { *tile, full(tile) };
	char path[TLOG_TILE_PATH_SIZE];
	struct str data;

	for (int i = 0; i < 2; i++) {
		tlog_tile_path(&both[i], path);
		if (ops->read_cache(ops->context, path, q->pool, &data))
			return true;
	}
	return false;
}

/*
 * What was kept, if there is any: then the next try does without. Else what
 * came from afar.
 */
static void blame_tiles(void *context, const struct tlog_tile *tiles, size_t n)
{
	struct question *q = context;
	const char **files = pool_alloc(q->pool, 2 * n * sizeof(*files));
	struct err why;

	err_set(&why, ERR_MISMATCH, "it doesn't fit into the tree");
	for (size_t i = 0; i < n && !q->must_ignore_kept; i++) {
		if (!is_kept(q, &tiles[i]))
			continue;
		/* Full, so not of the edge: its parent is proven, and this one can only be wrong. */
		if (!q->is_strict && tiles[i].width == 1 << tiles[i].height) {
			char path[TLOG_TILE_PATH_SIZE];

			tlog_tile_path(&tiles[i], path);
			q->db->ops.drop_cache(q->db->ops.context, path, &why);
		}
		q->must_retry = q->must_ignore_kept = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct tlog_tile both[2] = { tiles[i], full(&tiles[i]) };

		for (int k = 0; k < 2; k++) {
			char *path = pool_alloc(q->pool, TLOG_TILE_PATH_SIZE);

			tlog_tile_path(&both[k], path);
			files[2 * i + (size_t)k] = path;
		}
	}
	question_reject(q, files, 2 * n, &why);
}

/* Now that its bytes are proven it is known which of the files with it are wrong: those go. */
static bool is_kept_right(struct question *q, const struct tlog_tile *tile, struct str data)
{
	const struct sumdb_ops *ops = &q->db->ops;
	struct tlog_tile both[2] = { *tile, full(tile) };
	char path[TLOG_TILE_PATH_SIZE];
	bool is_right = false;
	struct str kept;
	struct err why;

	err_set(&why, ERR_MISMATCH, "it isn't what the tree has there");
	for (int i = 0; i < 2; i++) {
		tlog_tile_path(&both[i], path);
		if (!ops->read_cache(ops->context, path, q->pool, &kept))
			continue;
		if (kept.n == (size_t)both[i].width * TLOG_HASH_SIZE &&
		    str_is_equal(str_head(kept, data.n), data))
			is_right = true;
		else
			ops->drop_cache(ops->context, path, &why);
	}
	return is_right;
}

static void save(struct question *q, const struct tlog_tile *tile, struct str data)
{
	const struct sumdb_ops *ops = &q->db->ops;
	char path[TLOG_TILE_PATH_SIZE];

	keep_tile(q->db, tile, data);
	tlog_tile_path(tile, path);
	if (!is_kept_right(q, tile, data))
		ops->write_cache(ops->context, path, data);
}

static void save_tiles(void *context, const struct tlog_tile *tiles, size_t n,
		       const struct str *data)
{
	struct question *q = context;
	struct tlog_tile *all;
	struct str *all_data;

	if (!q->must_not_save) {
		for (size_t i = 0; i < n; i++)
			save(q, &tiles[i], data[i]);
		return;
	}
	all = pool_alloc(q->pool, (q->unsaved_n + n) * sizeof(*all));
	all_data = pool_alloc(q->pool, (q->unsaved_n + n) * sizeof(*all_data));
	if (q->unsaved_n > 0) {
		memcpy(all, q->unsaved, q->unsaved_n * sizeof(*all));
		memcpy(all_data, q->unsaved_data, q->unsaved_n * sizeof(*all_data));
	}
	memcpy(all + q->unsaved_n, tiles, n * sizeof(*all));
	memcpy(all_data + q->unsaved_n, data, n * sizeof(*all_data));
	q->unsaved = all;
	q->unsaved_data = all_data;
	q->unsaved_n += n;
}

void question_save_unsaved(struct question *q)
{
	for (size_t i = 0; i < q->unsaved_n; i++)
		save(q, &q->unsaved[i], q->unsaved_data[i]);
	q->unsaved_n = 0;
}

struct tlog_tile_reader question_reader(struct question *q)
{
	return (struct tlog_tile_reader){ .height = SUMDB_TILE_HEIGHT,
					  .read_tiles = read_tiles,
					  .save_tiles = save_tiles,
					  .find_proven = find_proven,
					  .blame_tiles = blame_tiles,
					  .context = q };
}
