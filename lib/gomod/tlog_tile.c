#include "gomod/tlog_tile.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gomod/path.h"
#include "gomod/tlog_tile_internal.h"

/* n is written in groups of three digits, so that no folder grows large. */
#define GROUP 1000
#define GROUPS_MAX 7 /* of a number below 2^63 */

void tlog_tile_path(const struct tlog_tile *tile, char path[TLOG_TILE_PATH_SIZE])
{
	unsigned int groups[GROUPS_MAX];
	size_t count = 0;
	int64_t n = tile->n;
	int at;

	do {
		groups[count++] = (unsigned int)(n % GROUP);
		n /= GROUP;
	} while (n > 0);
	if (tile->level == TLOG_TILE_DATA_LEVEL)
		at = snprintf(path, TLOG_TILE_PATH_SIZE, "tile/%d/data", tile->height);
	else
		at = snprintf(path, TLOG_TILE_PATH_SIZE, "tile/%d/%d", tile->height, tile->level);
	while (count-- > 0)
		at += snprintf(path + at, TLOG_TILE_PATH_SIZE - (size_t)at, "/%s%03u",
			       count > 0 ? "x" : "", groups[count]);
	if (tile->width != 1 << tile->height)
		snprintf(path + at, TLOG_TILE_PATH_SIZE - (size_t)at, ".p/%d", tile->width);
}

static bool parse_number(struct str text, int max, int *number)
{
	uint64_t value;

	if (!str_to_u64(text, &value) || value > (uint64_t)max)
		return false;
	*number = (int)value;
	return true;
}

/* Add a group, "x123" or "123", to *n. Its spelling is checked by the caller. */
static bool add_group(struct str text, int64_t *n)
{
	int group;

	if (str_has_prefix(text, STR("x")))
		text = str_skip(text, 1);
	return parse_number(text, GROUP - 1, &group) && !__builtin_mul_overflow(*n, GROUP, n) &&
	       !__builtin_add_overflow(*n, group, n);
}

/* "tile/", the height and the level; *path is then what follows. */
static bool cut_head(struct str *path, struct tlog_tile *tile)
{
	struct str piece = STR("");

	if (!str_cut(path, '/', &piece) || !str_is_equal(piece, STR("tile")) ||
	    !str_cut(path, '/', &piece) ||
	    !parse_number(piece, TLOG_TILE_HEIGHT_MAX, &tile->height) || tile->height < 1 ||
	    !str_cut(path, '/', &piece))
		return false;
	tile->width = 1 << tile->height;
	tile->level = TLOG_TILE_DATA_LEVEL;
	return path->p && (str_is_equal(piece, STR("data")) ||
			   parse_number(piece, TLOG_TILE_LEVEL_MAX, &tile->level));
}

/* ".p/WIDTH" at the end, if it is there. */
static bool cut_width(struct str *path, struct tlog_tile *tile)
{
	long at = str_find_last_str(*path, STR(".p/"));

	if (at < 0)
		return true;
	if (!parse_number(str_skip(*path, (size_t)at + 3), tile->width - 1, &tile->width))
		return false;
	*path = str_head(*path, (size_t)at);
	return tile->width > 0;
}

int tlog_tile_parse_path(struct str path, struct tlog_tile *tile, struct err *err)
{
	char canonical[TLOG_TILE_PATH_SIZE];
	struct tlog_tile got = { 0 };
	struct str rest = path;
	struct str piece;
	bool is_good = path.n < TLOG_TILE_PATH_SIZE && cut_head(&rest, &got) &&
		       cut_width(&rest, &got);

	while (is_good && str_cut(&rest, '/', &piece))
		is_good = add_group(piece, &got.n);
	if (is_good) {
		tlog_tile_path(&got, canonical);
		is_good = str_is_equal(path, str_of(canonical));
	}
	if (!is_good)
		return err_set(err, ERR_BAD_REQUEST, "malformed tile path '%s'",
			       path_quote(path).text);
	*tile = got;
	return 0;
}

struct tlog_place tlog_place_of(int height, uint64_t index)
{
	struct tlog_place place;
	int level;
	int64_t n;

	assert(height >= 1 && height <= TLOG_TILE_HEIGHT_MAX);
	tlog_stored_hash_split(index, &level, &n);
	place.tile.height = height;
	place.tile.level = level / height;
	level %= height;
	n <<= level; /* in hashes of the tile's own level */
	place.tile.n = n >> height;
	place.first = (size_t)(n - (place.tile.n << height));
	place.count = (size_t)1 << level;
	place.tile.width = (int)(place.first + place.count);
	return place;
}

struct tlog_tile tlog_tile_for_index(int height, uint64_t index)
{
	return tlog_place_of(height, index).tile;
}

/*
 * Two by two, keeping of each level only the hash that waits for its right
 * neighbour: constant memory for tiles of any height.
 */
void tlog_subtree_hash(struct tlog_hasher *hasher, struct str data, size_t first, size_t count,
		       struct tlog_hash *hash)
{
	struct tlog_hash waiting[TLOG_TILE_HEIGHT_MAX + 1];
	const char *p = data.p + first * TLOG_HASH_SIZE;
	size_t n = 0;

	assert(data.n / TLOG_HASH_SIZE >= first + count);
	for (size_t i = 0; i < count; i++) {
		memcpy(waiting[n].bytes, p + i * TLOG_HASH_SIZE, TLOG_HASH_SIZE);
		for (size_t left = i; left & 1; left >>= 1, n--)
			tlog_hasher_node(hasher, &waiting[n - 1], &waiting[n], &waiting[n - 1]);
		n++;
	}
	*hash = waiting[0];
}

static bool is_possible(const struct tlog_tile *tile)
{
	return tile->height >= 1 && tile->height <= TLOG_TILE_HEIGHT_MAX && tile->level >= 0 &&
	       tile->level <= TLOG_TILE_LEVEL_MAX && tile->n >= 0 && tile->width >= 1 &&
	       tile->width <= 1 << tile->height;
}

int tlog_hash_from_tile(const struct tlog_tile *tile, struct str data, uint64_t index,
			struct tlog_hash *hash, struct err *err)
{
	char path[TLOG_TILE_PATH_SIZE];
	struct tlog_hasher hasher;
	struct tlog_place place;

	if (!is_possible(tile))
		return err_set(err, ERR_BAD_UPSTREAM, "no tile of hashes: level %d, width %d",
			       tile->level, tile->width);
	tlog_tile_path(tile, path);
	if (data.n < (size_t)tile->width * TLOG_HASH_SIZE)
		return err_set(err, ERR_BAD_UPSTREAM, "tile '%s' has only %zu bytes", path, data.n);
	place = tlog_place_of(tile->height, index);
	if (tile->level != place.tile.level || tile->n != place.tile.n ||
	    tile->width < place.tile.width)
		return err_set(err, ERR_BAD_UPSTREAM, "tile '%s' doesn't hold hash %llu", path,
			       (unsigned long long)index);
	tlog_hasher_init(&hasher);
	tlog_subtree_hash(&hasher, data, place.first, place.count, hash);
	tlog_hasher_clear(&hasher);
	return 0;
}
