#include "fuzz.h"

#include <string.h>

#include "gomod/tlog.h"
#include "gomod/tlog_tile.h"

static void check_tree(struct pool *pool, struct str text)
{
	struct tlog_tree tree, again;
	struct err err;

	if (tlog_tree_parse(text, &tree, &err) != 0) {
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
		return;
	}
	FUZZ_MUST(tree.n >= 0);
	FUZZ_MUST(tlog_tree_parse(tlog_tree_format(pool, &tree), &again, &err) == 0);
	FUZZ_MUST(again.n == tree.n && tlog_hash_is_equal(&again.hash, &tree.hash));
}

static void check_record(struct pool *pool, struct str text)
{
	struct tlog_record record, again;
	struct str rest, message, h1;
	struct err err;

	if (tlog_record_parse(text, &record, &rest, &err) != 0) {
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
		return;
	}
	FUZZ_MUST(record.id >= 0 && str_has_suffix(text, rest));
	FUZZ_MUST(tlog_record_format(pool, &record, &message, &err) == 0);
	FUZZ_MUST(tlog_record_parse(message, &again, &rest, &err) == 0);
	FUZZ_MUST(again.id == record.id && str_is_equal(again.text, record.text) && rest.n == 0);
	if (tlog_record_find(record.text, STR("a.b/c"), STR("v1.0.0"), &h1))
		FUZZ_MUST(str_has_prefix(h1, STR("h1:")));
}

static void check_path(struct str text)
{
	char path[TLOG_TILE_PATH_SIZE];
	struct tlog_tile tile;
	struct err err;

	if (tlog_tile_parse_path(text, &tile, &err) != 0) {
		FUZZ_MUST(err.kind == ERR_BAD_REQUEST);
		return;
	}
	tlog_tile_path(&tile, path);
	FUZZ_MUST(str_is_equal(text, str_of(path)));
}

/* Tiles made of the input's bytes. */
static int read_tiles(void *context, const struct tlog_tile *tiles, size_t n, struct str *data,
		      struct err *err)
{
	const struct str *bytes = context;
	size_t at = 0;

	(void)err;
	for (size_t i = 0; i < n; i++) {
		data[i] = str_head(str_skip(*bytes, at), (size_t)tiles[i].width * TLOG_HASH_SIZE);
		at += data[i].n;
	}
	return 0;
}

/*
 * The first bytes are a height, a tree's size and two indexes, the others its
 * tiles. The tree's hash has nothing to do with them, so none may be believed.
 */
static void check_read(struct str bytes)
{
	struct tlog_tile_reader reader = { 0, read_tiles, NULL, NULL, NULL, &bytes };
	struct tlog_tree tree = { 0 };
	struct tlog_hash hashes[2];
	uint64_t indexes[2];
	struct err err;
	struct pool *pool;
	struct tlog_tile *tiles;
	size_t n;

	if (bytes.n < 1 + sizeof(tree.n) + sizeof(indexes))
		return;
	reader.height = bytes.p[0] & 15;
	memcpy(&tree.n, bytes.p + 1, sizeof(tree.n));
	memcpy(indexes, bytes.p + 1 + sizeof(tree.n), sizeof(indexes));
	tree.hash = tlog_record_hash(bytes);
	bytes = str_skip(bytes, 1 + sizeof(tree.n) + sizeof(indexes));
	pool = pool_new();
	if (tlog_read_plan(pool, reader.height, tree.n, indexes, 2, &tiles, &n, &err) == 0)
		for (size_t i = 0; i < n; i++)
			FUZZ_MUST(tiles[i].width > 0 && tiles[i].width <= 1 << reader.height);
	FUZZ_MUST(tlog_read_hashes(&reader, &tree, indexes, 2, hashes, &err) != 0);
	FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
	pool_free(pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size };
	struct pool *pool = pool_new();

	check_tree(pool, text);
	check_record(pool, text);
	check_path(text);
	check_read(text);
	pool_free(pool);
	return 0;
}
