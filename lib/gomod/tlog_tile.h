/*
 * tlog_tile.h - tiles: how a log's hashes are published, and read with proof.
 *
 * Rules and names are those of tile.go of golang.org/x/mod/sumdb/tlog;
 * tests/vectors/tlog.txt was made by it. No I/O: whoever reads hashes says
 * by struct tlog_tile_reader where tiles come from.
 *
 * Tile (height, level, n, width) holds width hashes of the log, those of
 * level height * level from n * 2^height on; 2^height of them if it is full.
 * Its path is "tile/HEIGHT/LEVEL/NNN", with ".p/WIDTH" behind it if it isn't
 * full, and n in groups of three digits: "tile/8/0/x001/x234/067.p/5". Level
 * -1, "data" in the path, holds the records themselves.
 */
#ifndef GOMOD_TLOG_TILE_H
#define GOMOD_TLOG_TILE_H

#include "gomod/tlog.h"

/* What a path may name, as in Go; a database's tiles have height 8. */
#define TLOG_TILE_HEIGHT_MAX 30
#define TLOG_TILE_LEVEL_MAX 63
#define TLOG_TILE_DATA_LEVEL (-1)

/* Room for any path and the NUL. */
#define TLOG_TILE_PATH_SIZE 80

struct tlog_tile {
	int height; /* 1..30 */
	int level;  /* -1..63 */
	int64_t n;  /* number within the level */
	int width;  /* 1..2^height */
};

/*
 * Parse a path, which must be spelled just as tlog_tile_path() does.
 *
 * path  without a slash in front
 * tile  out; left as it was on error
 * err   ERR_BAD_REQUEST; also for a level above 63, which Go lets pass
 */
int tlog_tile_parse_path(struct str path, struct tlog_tile *tile, struct err *err);
void tlog_tile_path(const struct tlog_tile *tile, char path[TLOG_TILE_PATH_SIZE]);

/* The least tile of this height (1..30) that holds the stored hash. */
struct tlog_tile tlog_tile_for_index(int height, uint64_t index);

/* Does a tree of n records have all of the tile's hashes, or records? */
bool tlog_tile_is_in_tree(const struct tlog_tile *tile, int64_t n);

/*
 * Take a stored hash out of a tile's data, which is believed.
 *
 * tile  as tlog_tile_for_index() says, or a wider one
 * data  width * TLOG_HASH_SIZE bytes or more
 * err   ERR_BAD_UPSTREAM if the tile is impossible, data too short, or the
 *       hash in another tile
 */
int tlog_hash_from_tile(const struct tlog_tile *tile, struct str data, uint64_t index,
			struct tlog_hash *hash, struct err *err);

/* ---- reading hashes with proof ---- */

/* Highest tiles that are read, and most hashes read at once. Our limits. */
#define TLOG_READ_HEIGHT_MAX 10
#define TLOG_READ_MAX 4096U

/* Where tiles come from. The functions are called from within tlog_read_...(). */
struct tlog_tile_reader {
	int height; /* of the tiles that there are, 1..TLOG_READ_HEIGHT_MAX */

	/*
	 * Get n tiles, the tree's own edge first, parents before children.
	 *
	 * data  out: for each of the n tiles exactly width * TLOG_HASH_SIZE
	 *       bytes, which live until tlog_read_...() returns. They are not
	 *       proven yet: don't keep them. Where only a wider tile is to be
	 *       had, its first bytes.
	 *
	 * Returns 0, or -1 with *err set, which the caller gets.
	 */
	int (*read_tiles)(void *context, const struct tlog_tile *tiles, size_t n,
			  struct str *data, struct err *err);

	/*
	 * Once all of the n tiles just read are proven: keep them, if wanted.
	 * May be NULL. Never called for tiles of which one isn't proven.
	 */
	void (*save_tiles)(void *context, const struct tlog_tile *tiles, size_t n,
			   const struct str *data);

	/*
	 * A tile that was proven before, in this tree or in one that is known to
	 * begin it: neither it nor what is above it is read again. Returns false
	 * if there is none as wide as this. May be NULL. Data: see read_tiles.
	 */
	bool (*find_proven)(void *context, const struct tlog_tile *tile, struct str *data);

	/*
	 * The proof fails by these tiles, of those just read: one that its parent,
	 * proven before, has another hash of, or those of the edge, of which nobody
	 * can say which is wrong. May be NULL.
	 */
	void (*blame_tiles)(void *context, const struct tlog_tile *tiles, size_t n);
	void *context;
};

/*
 * Read stored hashes of the tree. Each tile is proven: those at the tree's
 * edge add up to the tree's hash, every other one to what its parent, proven
 * before, says of it (CVE-2026-56865). So the hashes belong to that tree; that
 * the tree itself is signed is the caller's business.
 *
 * tree     n = 0 has no hashes; its own must be that of nothing
 * indexes  n of them, at most TLOG_READ_MAX, in any order; with n = 0 only the
 *          tree's edge is read and proven
 * hashes   out: n of them; undefined on error
 * err      ERR_BAD_UPSTREAM: an index isn't in the tree, or which tile is
 *          wrong; or what the reader said
 *
 * Returns 0, or -1 with *err set.
 */
int tlog_read_hashes(const struct tlog_tile_reader *reader, const struct tlog_tree *tree,
		     const uint64_t *indexes, size_t n, struct tlog_hash *hashes,
		     struct err *err);

/*
 * The tiles that tlog_read_hashes() will ask for, in that order.
 *
 * height  1..TLOG_READ_HEIGHT_MAX
 * pool    owns *tiles
 * tiles   out: *count of them
 * err     as above
 */
int tlog_read_plan(struct pool *pool, int height, int64_t tree_n, const uint64_t *indexes,
		   size_t n, struct tlog_tile **tiles, size_t *count, struct err *err);

/*
 * Read a tile with hashes (not data) as it was when the tree had at least so
 * many records, also where the tree has outgrown it. Its height needn't be
 * that of the tiles that there are, but is at most TLOG_READ_HEIGHT_MAX.
 *
 * hashes  out: tile->width of them
 * err     as above; ERR_BAD_UPSTREAM too if the tree doesn't have this tile
 */
int tlog_read_tile(const struct tlog_tile_reader *reader, const struct tlog_tree *tree,
		   const struct tlog_tile *tile, struct tlog_hash *hashes, struct err *err);

#endif
