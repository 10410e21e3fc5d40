#include "vectors.h"

#include <time.h>

#include "gomod/tlog.h"
#include "gomod/tlog_tile.h"

static const char file[] = "tlog.txt";

/* The oracle's log: record i is "record i\n". All its hashes, as stored. */
#define LOG_RECORDS 400
static struct tlog_hash stored[2 * LOG_RECORDS];

static void append_record(int64_t i)
{
	char text[32];
	int level = 0;
	size_t at = tlog_stored_hash_index(0, i);

	snprintf(text, sizeof(text), "record %lld\n", (long long)i);
	stored[at] = tlog_record_hash(str_of(text));
	for (; i & 1; i >>= 1, level++) {
		size_t left = tlog_stored_hash_index(level, i - 1);

		stored[at + 1] = tlog_node_hash(&stored[left], &stored[at]);
		at++;
	}
}

static int make_log(void **state)
{
	(void)state;
	for (int64_t i = 0; i < LOG_RECORDS; i++)
		append_record(i);
	return 0;
}

static int64_t number(struct str text)
{
	char digits[24] = "";

	memcpy(digits, text.p, text.n < sizeof(digits) ? text.n : sizeof(digits) - 1);
	return strtoll(digits, NULL, 10);
}

static uint64_t index_of(struct str text)
{
	uint64_t value = 0;

	assert_true(str_to_u64(text, &value));
	return value;
}

static struct tlog_hash hash_of(struct str text)
{
	struct tlog_hash hash;
	struct err err = { 0 };

	assert_int_equal(tlog_hash_parse(text, &hash, &err), 0);
	return hash;
}

static void assert_hash(const struct tlog_hash *got, struct str expected)
{
	char text[TLOG_HASH_TEXT_SIZE];

	tlog_hash_text(got, text);
	assert_str(str_of(text), expected);
}

/* Hashes with blanks between them. */
static size_t hashes_of(struct str text, struct tlog_hash *hashes, size_t max)
{
	struct str word;
	size_t n = 0;

	while (text.n > 0 && str_cut(&text, ' ', &word)) {
		assert_true(n < max);
		hashes[n++] = hash_of(word);
	}
	return n;
}

/* Is what happened what the vector says? */
static bool is_expected(int rc, const struct err *err, const struct vector *v, size_t verdict)
{
	bool is_ok = vectors_has(v, verdict, "ok");

	if (rc != (is_ok ? 0 : -1))
		fail_msg("%.*s '%.*s' '%.*s': %s", STR_ARG(v->field[0]), STR_ARG(v->field[1]),
			 STR_ARG(v->field[2]), err->text);
	if (is_ok)
		assert_int_equal(err->kind, ERR_NONE);
	else
		assert_int_equal(err->kind, ERR_BAD_UPSTREAM);
	return is_ok;
}

static void check_hash(const struct vector *v)
{
	struct tlog_hash got;
	struct err err = { 0 };
	char hex[2 * TLOG_HASH_SIZE + 1];

	if (!is_expected(tlog_hash_parse(v->field[1], &got, &err), &err, v, 2))
		return;
	for (size_t i = 0; i < TLOG_HASH_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", got.bytes[i]);
	assert_str(str_of(hex), v->field[3]);
}

static void check_tree(const struct vector *v)
{
	struct tlog_tree got = { .n = -7 };
	struct err err = { 0 };

	if (is_expected(tlog_tree_parse(v->field[1], &got, &err), &err, v, 2)) {
		assert_int_equal(got.n, number(v->field[3]));
		assert_hash(&got.hash, v->field[4]);
	} else {
		assert_int_equal(got.n, -7);
	}
}

static void check_tree_text(const struct vector *v)
{
	struct tlog_tree tree = { number(v->field[1]), hash_of(v->field[2]) };
	struct pool *pool = pool_new();

	assert_str(tlog_tree_format(pool, &tree), v->field[3]);
	pool_free(pool);
}

static void check_record(const struct vector *v)
{
	struct tlog_record got = { .id = -7 };
	struct str rest = STR("untouched");
	struct err err = { 0 };

	/* Go would look for record 0 then. */
	if (number(v->field[3]) < 0) {
		assert_int_equal(tlog_record_parse(v->field[1], &got, &rest, &err), -1);
		return;
	}
	/* It also takes "-0". */
	if (str_has_prefix(v->field[1], STR("-0")))
		return;
	if (is_expected(tlog_record_parse(v->field[1], &got, &rest, &err), &err, v, 2)) {
		assert_int_equal(got.id, number(v->field[3]));
		assert_str(got.text, v->field[4]);
		assert_str(rest, v->field[5]);
	} else {
		assert_int_equal(got.id, -7);
		assert_str(rest, STR("untouched"));
	}
}

static void check_record_text(const struct vector *v)
{
	struct tlog_record record = { number(v->field[1]), v->field[2] };
	struct pool *pool = pool_new();
	struct str message = STR("");
	struct err err = { 0 };

	if (is_expected(tlog_record_format(pool, &record, &message, &err), &err, v, 3))
		assert_str(message, v->field[4]);
	pool_free(pool);
}

static void check_record_hash(const struct vector *v)
{
	struct tlog_hash got = tlog_record_hash(v->field[1]);

	assert_hash(&got, v->field[2]);
}

static void check_node_hash(const struct vector *v)
{
	struct tlog_hash left = hash_of(v->field[1]), right = hash_of(v->field[2]);
	struct tlog_hash got = tlog_node_hash(&left, &right);

	assert_hash(&got, v->field[3]);
}

static void test_texts(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "hash", check_hash) > 20);
	assert_true(vectors_each(file, "tree", check_tree) > 40);
	assert_true(vectors_each(file, "treetext", check_tree_text) > 5);
	assert_true(vectors_each(file, "record", check_record) > 100);
	assert_true(vectors_each(file, "recordtext", check_record_text) > 20);
	assert_true(vectors_each(file, "recordhash", check_record_hash) > 5);
	assert_true(vectors_each(file, "node", check_node_hash) > 3);
}

static void test_tree_length(void **state)
{
	static const char head[] =
		"go.sum database tree\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	char *text = test_malloc(1000001);
	struct tlog_tree tree;
	struct err err = { 0 };

	(void)state;
	memset(text, 'x', 1000001);
	memcpy(text, head, sizeof(head) - 1);
	assert_int_equal(tlog_tree_parse((struct str){ text, 1000000 }, &tree, &err), 0);
	assert_int_equal(tlog_tree_parse((struct str){ text, 1000001 }, &tree, &err), -1);
	test_free(text);
}

static void test_record_find(void **state)
{
	static const char record[] = "a.b/c v1.0.0 h2:no=\n"
				     "a.b/c v1.0.0/go.mod h1:mod=\n"
				     "a.b/c v1.0.0 h1:zip=\n"
				     "a.b/c v1.0.0 h1:second=\n"
				     "a.b/c v1.0.1\n"
				     " a.b/c v1.0.2 h1:x=\n"
				     "a.b/c  v1.0.3 h1:x=\n"
				     "a.b/c v1.0.4 H1:x=\n"
				     "a.b/cc v1.0.5 h1:x=\n"
				     "a.b/c v1.0.6 h1:x= more\n";
	static const struct {
		const char *what, *module, *version, *h1; /* h1 NULL: none */
	} cases[] = {
		{ "the first line with h1", "a.b/c", "v1.0.0", "h1:zip=" },
		{ "the go.mod", "a.b/c", "v1.0.0/go.mod", "h1:mod=" },
		{ "another version", "a.b/c", "v2.0.0", NULL },
		{ "another module", "a.b/d", "v1.0.0", NULL },
		{ "the start of a module", "a.b/", "v1.0.0", NULL },
		{ "the end of a module", "b/c", "v1.0.0", NULL },
		{ "the start of a version", "a.b/c", "v1.0", NULL },
		{ "no hash", "a.b/c", "v1.0.1", NULL },
		{ "a blank in front", "a.b/c", "v1.0.2", NULL },
		{ "two blanks", "a.b/c", "v1.0.3", NULL },
		{ "capitals", "a.b/c", "v1.0.4", NULL },
		{ "a longer module", "a.b/c", "v1.0.5", NULL },
		{ "more behind it: no download can match", "a.b/c", "v1.0.6", "h1:x= more" },
		{ "nothing", "", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str got = STR("untouched");
		bool is_found = tlog_record_find(STR(""), str_of(cases[i].module),
						 str_of(cases[i].version), &got);

		print_message("%s\n", cases[i].what);
		assert_false(is_found);
		is_found = tlog_record_find(str_of(record), str_of(cases[i].module),
					    str_of(cases[i].version), &got);
		assert_int_equal(is_found, cases[i].h1 != NULL);
		assert_str(got, str_of(cases[i].h1 ? cases[i].h1 : "untouched"));
	}
}

static void check_index(const struct vector *v)
{
	uint64_t index = tlog_stored_hash_index((int)number(v->field[1]), number(v->field[2]));
	int level;
	int64_t n;

	if (index != index_of(v->field[3]))
		fail_msg("(%.*s, %.*s): got %llu", STR_ARG(v->field[1]), STR_ARG(v->field[2]),
			 (unsigned long long)index);
	tlog_stored_hash_split(index, &level, &n);
	assert_int_equal(level, number(v->field[1]));
	assert_int_equal(n, number(v->field[2]));
}

static void check_count(const struct vector *v)
{
	assert_true(tlog_stored_hash_count(number(v->field[1])) == index_of(v->field[2]));
}

static void test_index(void **state)
{
	int level;
	int64_t n;

	(void)state;
	assert_true(vectors_each(file, "index", check_index) > 900);
	assert_true(vectors_each(file, "count", check_count) > 10);
	/* The last of all. */
	assert_true(tlog_stored_hash_index(63, 0) == UINT64_MAX - 1);
	tlog_stored_hash_split(UINT64_MAX - 1, &level, &n);
	assert_int_equal(level, 63);
	assert_int_equal(n, 0);
}

/* The stored hashes at the indexes, of the oracle's log. */
static void pick(const uint64_t *indexes, size_t n, struct tlog_hash *hashes)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(indexes[i] < ARRAY_LEN(stored));
		hashes[i] = stored[indexes[i]];
	}
}

static struct tlog_tree tree_of(int64_t n)
{
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];

	pick(indexes, tlog_tree_indexes(n, indexes), hashes);
	return (struct tlog_tree){ n, tlog_tree_hash(n, hashes) };
}

static void check_tree_hash(const struct vector *v)
{
	struct tlog_tree tree = tree_of(number(v->field[1]));

	assert_hash(&tree.hash, v->field[2]);
}

static void assert_proof(const struct tlog_proof *proof, struct str expected)
{
	struct tlog_hash hashes[TLOG_PROOF_MAX];
	size_t n = hashes_of(expected, hashes, TLOG_PROOF_MAX);

	assert_int_equal(proof->n, n);
	assert_memory_equal(proof->hashes, hashes, n * sizeof(*hashes));
}

static void check_prove(const struct vector *v)
{
	struct tlog_tree tree = tree_of(number(v->field[1]));
	int64_t id = number(v->field[2]);
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];
	struct tlog_proof proof;
	struct err err = { 0 };
	size_t n;

	assert_int_equal(tlog_record_indexes(tree.n, id, indexes, &n, &err), 0);
	pick(indexes, n, hashes);
	tlog_record_prove(tree.n, id, hashes, &proof);
	assert_proof(&proof, v->field[3]);
	assert_int_equal(tlog_record_check(&proof, &tree, id,
					   &stored[tlog_stored_hash_index(0, id)], &err), 0);
}

static void check_prove_tree(const struct vector *v)
{
	struct tlog_tree newer = tree_of(number(v->field[1]));
	struct tlog_tree older = tree_of(number(v->field[2]));
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];
	struct tlog_proof proof;
	struct err err = { 0 };
	size_t n;

	assert_int_equal(tlog_prefix_indexes(newer.n, older.n, indexes, &n, &err), 0);
	pick(indexes, n, hashes);
	tlog_prefix_prove(newer.n, older.n, hashes, &proof);
	assert_proof(&proof, v->field[3]);
	assert_int_equal(tlog_prefix_check(&proof, &newer, &older, &err), 0);
}

/* Fields 1 to 5: proof, tree size and hash, then number and hash of the other. */
static void read_check(const struct vector *v, struct tlog_proof *proof, struct tlog_tree *tree,
		       struct tlog_tree *other)
{
	proof->n = hashes_of(v->field[1], proof->hashes, TLOG_PROOF_MAX);
	*tree = (struct tlog_tree){ number(v->field[2]), hash_of(v->field[3]) };
	*other = (struct tlog_tree){ number(v->field[4]), hash_of(v->field[5]) };
}

static void check_check_record(const struct vector *v)
{
	struct tlog_proof proof;
	struct tlog_tree tree, record;
	struct err err = { 0 };

	read_check(v, &proof, &tree, &record);
	is_expected(tlog_record_check(&proof, &tree, record.n, &record.hash, &err), &err, v, 6);
}

static void check_check_tree(const struct vector *v)
{
	struct tlog_proof proof;
	struct tlog_tree newer, older;
	struct err err = { 0 };

	read_check(v, &proof, &newer, &older);
	is_expected(tlog_prefix_check(&proof, &newer, &older, &err), &err, v, 6);
}

static void test_proofs(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "treehash", check_tree_hash) > 70);
	assert_true(vectors_each(file, "prove", check_prove) > 90);
	assert_true(vectors_each(file, "provetree", check_prove_tree) > 90);
	assert_true(vectors_each(file, "checkrecord", check_check_record) > 200);
	assert_true(vectors_each(file, "checktree", check_check_tree) > 200);
}

/* Of a log whose records are all "same\n", each level has but one hash. */
static void pick_same(const uint64_t *indexes, size_t n, struct tlog_hash *hashes)
{
	for (size_t i = 0; i < n; i++) {
		int level;
		int64_t at;

		tlog_stored_hash_split(indexes[i], &level, &at);
		hashes[i] = tlog_record_hash(STR("same\n"));
		while (level-- > 0)
			hashes[i] = tlog_node_hash(&hashes[i], &hashes[i]);
	}
}

static struct tlog_tree same_tree(int64_t n)
{
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];

	pick_same(indexes, tlog_tree_indexes(n, indexes), hashes);
	return (struct tlog_tree){ n, tlog_tree_hash(n, hashes) };
}

static void prove_same(const struct tlog_tree *tree, int64_t id, struct tlog_proof *proof)
{
	struct tlog_hash hashes[TLOG_INDEXES_MAX], same = tlog_record_hash(STR("same\n"));
	uint64_t indexes[TLOG_INDEXES_MAX];
	struct err err = { 0 };
	size_t n;

	assert_int_equal(tlog_record_indexes(tree->n, id, indexes, &n, &err), 0);
	pick_same(indexes, n, hashes);
	tlog_record_prove(tree->n, id, hashes, proof);
	assert_int_equal(tlog_record_check(proof, tree, id, &same, &err), 0);
	same.bytes[0] ^= 1;
	assert_int_equal(tlog_record_check(proof, tree, id, &same, &err), -1);
}

static void prove_same_prefix(const struct tlog_tree *newer, int64_t size,
			      struct tlog_proof *proof)
{
	struct tlog_tree older = same_tree(size);
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];
	struct err err = { 0 };
	size_t n;

	assert_int_equal(tlog_prefix_indexes(newer->n, size, indexes, &n, &err), 0);
	pick_same(indexes, n, hashes);
	tlog_prefix_prove(newer->n, size, hashes, proof);
	assert_int_equal(tlog_prefix_check(proof, newer, &older, &err), 0);
	older.hash.bytes[0] ^= 1;
	assert_int_equal(tlog_prefix_check(proof, newer, &older, &err), -1);
}

static void check_huge(const struct vector *v)
{
	struct tlog_tree tree = same_tree(number(v->field[1]));
	struct tlog_proof proof;

	assert_hash(&tree.hash, v->field[3]);
	prove_same(&tree, number(v->field[2]), &proof);
	assert_proof(&proof, v->field[4]);
}

static void check_huge_prefix(const struct vector *v)
{
	struct tlog_tree tree = same_tree(number(v->field[1]));
	struct tlog_proof proof;

	assert_hash(&tree.hash, v->field[3]);
	prove_same_prefix(&tree, number(v->field[2]), &proof);
	assert_proof(&proof, v->field[4]);
}

/* Go's arithmetic ends at 2^62; sizes don't. */
static void test_huge(void **state)
{
	static const int64_t sizes[] = { INT64_MAX, INT64_MAX - 1, (1LL << 62) + 1, 1LL << 62,
					 0x5555555555555555 };
	struct tlog_proof proof;

	(void)state;
	assert_true(vectors_each(file, "huge", check_huge) > 10);
	assert_true(vectors_each(file, "hugeprefix", check_huge_prefix) > 10);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct tlog_tree tree = same_tree(sizes[i]);

		prove_same(&tree, 0, &proof);
		prove_same(&tree, sizes[i] / 3, &proof);
		prove_same(&tree, sizes[i] - 1, &proof);
		prove_same_prefix(&tree, 1, &proof);
		prove_same_prefix(&tree, sizes[i] / 3, &proof);
		prove_same_prefix(&tree, sizes[i] - 1, &proof);
		prove_same_prefix(&tree, sizes[i], &proof);
		assert_int_equal(proof.n, 0);
	}
}

static void check_tile_path(const struct vector *v)
{
	struct tlog_tile got = { .height = -7 };
	struct err err = { 0 };
	int rc = tlog_tile_parse_path(v->field[1], &got, &err);
	/* Go's parser has no limit for levels; its documentation has. */
	bool is_ok = vectors_has(v, 2, "ok") && number(v->field[4]) <= TLOG_TILE_LEVEL_MAX;
	char path[TLOG_TILE_PATH_SIZE];

	if (rc != (is_ok ? 0 : -1))
		fail_msg("'%.*s': %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_BAD_REQUEST);
	if (!is_ok) {
		assert_int_equal(got.height, -7);
		return;
	}
	assert_int_equal(got.height, number(v->field[3]));
	assert_int_equal(got.level, number(v->field[4]));
	assert_int_equal(got.n, number(v->field[5]));
	assert_int_equal(got.width, number(v->field[6]));
	tlog_tile_path(&got, path);
	assert_str(str_of(path), v->field[1]);
}

static void check_tile_index(const struct vector *v)
{
	int height = (int)number(v->field[1]);
	struct tlog_tile tile = tlog_tile_for_index(height, index_of(v->field[2]));
	char path[TLOG_TILE_PATH_SIZE];

	tlog_tile_path(&tile, path);
	assert_str(str_of(path), v->field[3]);
}

/* The true data of a tile. */
static struct str tile_data(struct pool *pool, const struct tlog_tile *tile)
{
	size_t n = (size_t)tile->width * TLOG_HASH_SIZE;
	char *data = pool_alloc(pool, n);

	for (int i = 0; i < tile->width; i++) {
		uint64_t index = tlog_stored_hash_index(tile->level * tile->height,
							(tile->n << tile->height) + i);

		assert_true(index < ARRAY_LEN(stored));
		memcpy(data + i * TLOG_HASH_SIZE, stored[index].bytes, TLOG_HASH_SIZE);
	}
	return (struct str){ data, n };
}

static void check_from_tile(const struct vector *v)
{
	struct tlog_tile tile = { (int)number(v->field[1]), (int)number(v->field[2]),
				  number(v->field[3]), (int)number(v->field[4]) };
	struct pool *pool = pool_new();
	struct str data = { NULL, 0 };
	struct tlog_hash got;
	struct err err = { 0 };

	if (tile.height == 1 || tile.height == 2 || tile.height == 3) {
		struct tlog_tile possible = tile;

		if (possible.width < 0 || possible.width > 1 << possible.height)
			possible.width = 1 << possible.height;
		if (possible.level >= 0 && possible.level < 9)
			data = tile_data(pool, &possible);
	}
	data = str_head(data, (size_t)number(v->field[5]) * TLOG_HASH_SIZE);
	if (is_expected(tlog_hash_from_tile(&tile, data, index_of(v->field[6]), &got, &err), &err,
			v, 7))
		assert_hash(&got, v->field[8]);
	pool_free(pool);
}

static void test_tiles(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "tilepath", check_tile_path) > 500);
	assert_true(vectors_each(file, "tileindex", check_tile_index) > 250);
	assert_true(vectors_each(file, "fromtile", check_from_tile) > 400);
}

/* A source of tiles that lies as it is told: see liar in tests/oracle/tlog.go. */
struct liar {
	struct pool *pool;
	struct str lies;
	struct buf asked;
	bool is_saved;
	bool is_dead;
};

static void top_hash(const char *data, size_t n, struct tlog_hash *hash)
{
	struct tlog_hash left, right;

	if (n == TLOG_HASH_SIZE) {
		memcpy(hash->bytes, data, n);
		return;
	}
	top_hash(data, n / 2, &left);
	top_hash(data + n / 2, n / 2, &right);
	*hash = tlog_node_hash(&left, &right);
}

static void agree(const struct tlog_tile *tiles, size_t n, struct str *data, size_t i)
{
	const struct tlog_tile *tile = &tiles[i];
	int64_t full = (int64_t)1 << tile->height;
	struct tlog_hash hash;

	for (size_t j = 0; j < n && tile->width == full; j++) {
		if (tiles[j].level != tile->level + 1 || tiles[j].n != tile->n >> tile->height)
			continue;
		top_hash(data[i].p, data[i].n, &hash);
		memcpy((char *)data[j].p + (tile->n & (full - 1)) * TLOG_HASH_SIZE, hash.bytes,
		       TLOG_HASH_SIZE);
	}
}

static void lie_about(struct liar *liar, const struct tlog_tile *tiles, size_t n,
		      struct str *data, struct str lie)
{
	struct str what, path, argument;
	char own[TLOG_TILE_PATH_SIZE];
	struct tlog_tile other;
	struct err err;

	if (!str_cut(&lie, ' ', &what) || !str_cut(&lie, ' ', &path) ||
	    !str_cut(&lie, ' ', &argument))
		return;
	for (size_t i = 0; i < n; i++) {
		size_t by = (size_t)number(argument);

		tlog_tile_path(&tiles[i], own);
		if (!str_is_equal(path, str_of(own)))
			continue;
		if (what.p[0] == 'f' || what.p[0] == 'a')
			((char *)data[i].p)[by] ^= 1;
		if (what.p[0] == 'a')
			agree(tiles, n, data, i);
		if (what.p[0] == 'c')
			data[i].n -= by;
		if (what.p[0] == 'p')
			data[i].n += by;
		if (what.p[0] == 't') {
			assert_int_equal(tlog_tile_parse_path(argument, &other, &err), 0);
			data[i] = tile_data(liar->pool, &other);
		}
	}
}

static int read_tiles(void *context, const struct tlog_tile *tiles, size_t n, struct str *data,
		      struct err *err)
{
	struct liar *liar = context;
	struct str lies = liar->lies;
	struct str lie;

	if (liar->is_dead)
		return err_set(err, ERR_TIMEOUT, "dead");
	for (size_t i = 0; i < n; i++) {
		char path[TLOG_TILE_PATH_SIZE];
		struct str bytes = tile_data(liar->pool, &tiles[i]);

		tlog_tile_path(&tiles[i], path);
		buf_printf(&liar->asked, "%s%s", i > 0 ? " " : "", path);
		/* With room for "pad". */
		data[i] = (struct str){ pool_alloc(liar->pool, bytes.n + 32), bytes.n };
		memcpy((char *)data[i].p, bytes.p, bytes.n);
	}
	while (str_cut(&lies, ';', &lie))
		lie_about(liar, tiles, n, data, lie);
	return 0;
}

static void save_tiles(void *context, const struct tlog_tile *tiles, size_t n,
		       const struct str *data)
{
	struct liar *liar = context;

	for (size_t i = 0; i < n; i++) {
		struct str truth = tile_data(liar->pool, &tiles[i]);

		assert_int_equal(data[i].n, truth.n);
		assert_memory_equal(data[i].p, truth.p, truth.n);
	}
	assert_false(liar->is_saved);
	liar->is_saved = true;
}

static void liar_init(struct liar *liar, struct str lies)
{
	*liar = (struct liar){ .pool = pool_new(), .lies = lies };
	buf_init(&liar->asked, 1 << 20);
}

static void liar_clear(struct liar *liar)
{
	buf_clear(&liar->asked);
	pool_free(liar->pool);
}

/* What tlog_read_plan() says is what is asked for. */
static void assert_plan(const struct vector *v, const uint64_t *indexes, size_t n)
{
	struct pool *pool = pool_new();
	struct str expected = v->field[7];
	struct tlog_tile *tiles;
	struct err err = { 0 };
	size_t count;
	int rc = tlog_read_plan(pool, (int)number(v->field[1]), number(v->field[2]), indexes, n,
				&tiles, &count, &err);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		char path[TLOG_TILE_PATH_SIZE];
		struct str word;

		tlog_tile_path(&tiles[i], path);
		assert_true(str_cut(&expected, ' ', &word));
		assert_str(str_of(path), word);
	}
	/* Go asks for none if an index is wrong. */
	assert_int_equal(rc, v->field[7].n > 0 ? 0 : -1);
	assert_true(rc != 0 || !expected.p);
	pool_free(pool);
}

static void check_read(const struct vector *v)
{
	struct tlog_tree tree = { number(v->field[2]), hash_of(v->field[3]) };
	struct tlog_hash got[128], expected[128];
	struct str words = v->field[4], word;
	uint64_t indexes[128];
	struct err err = { 0 };
	struct liar liar;
	int height = (int)number(v->field[1]);
	struct tlog_tile_reader reader = { height, read_tiles, save_tiles, NULL, NULL, &liar };
	size_t n = 0;
	int rc;

	while (words.n > 0 && str_cut(&words, ' ', &word))
		indexes[n++] = index_of(word);
	liar_init(&liar, v->field[5]);
	rc = tlog_read_hashes(&reader, &tree, indexes, n, got, &err);
	assert_int_equal(liar.is_saved, rc == 0);
	assert_str(buf_str(&liar.asked), v->field[7]);
	if (is_expected(rc, &err, v, 6)) {
		assert_int_equal(hashes_of(v->field[8], expected, 128), n);
		assert_memory_equal(got, expected, n * sizeof(*got));
	}
	assert_plan(v, indexes, n);
	liar_clear(&liar);
}

static void test_read(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "read", check_read) > 900);
}

/* Each bit of each tile counts: for each tree and record, each hash is spoilt. */
static void spoil_tiles(int height, int64_t n, int64_t id)
{
	struct tlog_tree tree = tree_of(n);
	uint64_t index = tlog_stored_hash_index(0, id);
	struct pool *pool = pool_new();
	struct tlog_tile *tiles;
	struct tlog_hash hash;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(tlog_read_plan(pool, height, n, &index, 1, &tiles, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		char path[TLOG_TILE_PATH_SIZE];

		tlog_tile_path(&tiles[i], path);
		for (int at = 0; at < tiles[i].width; at++) {
			struct str lie = pool_printf(pool, "%s %s %d", at % 2 ? "flip" : "agree",
						     path, at * TLOG_HASH_SIZE + at % 32);
			struct liar liar;
			struct tlog_tile_reader reader = { height, read_tiles, save_tiles, NULL, NULL, &liar };

			liar_init(&liar, lie);
			assert_int_equal(
				tlog_read_hashes(&reader, &tree, &index, 1, &hash, &err), -1);
			assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
			assert_false(liar.is_saved);
			liar_clear(&liar);
		}
	}
	pool_free(pool);
}

static void test_spoilt(void **state)
{
	(void)state;
	for (int height = 1; height <= 3; height++)
		for (int64_t n = 1; n <= 40; n++)
			for (int64_t id = 0; id < n; id += 3)
				spoil_tiles(height, n, id);
}

static void test_read_edges(void **state)
{
	static const uint64_t many[TLOG_READ_MAX + 1];
	struct tlog_tree tree = tree_of(300), empty = tree_of(0), negative = { .n = -1 };
	struct tlog_hash *hashes = test_malloc(sizeof(*hashes) * TLOG_READ_MAX);
	struct err err = { 0 };
	struct liar liar;
	struct tlog_tile_reader reader = { 8, read_tiles, NULL, NULL, NULL, &liar };

	(void)state;
	liar_init(&liar, STR(""));
	assert_int_equal(tlog_read_hashes(&reader, &tree, many, TLOG_READ_MAX, hashes, &err), 0);
	assert_true(tlog_hash_is_equal(&hashes[TLOG_READ_MAX - 1], &stored[0]));
	assert_int_equal(tlog_read_hashes(&reader, &tree, many, ARRAY_LEN(many), hashes, &err), -1);
	assert_int_equal(tlog_read_hashes(&reader, &empty, many, 1, hashes, &err), -1);
	assert_int_equal(tlog_read_hashes(&reader, &negative, many, 0, hashes, &err), -1);
	assert_int_equal(tlog_read_hashes(&reader, &empty, many, 0, hashes, &err), 0);
	empty.hash.bytes[0] ^= 1;
	assert_int_equal(tlog_read_hashes(&reader, &empty, many, 0, hashes, &err), -1);
	for (reader.height = 0; reader.height < 40; reader.height += 11)
		assert_int_equal(tlog_read_hashes(&reader, &tree, many, 1, hashes, &err), -1);
	reader.height = 8;
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	liar.is_dead = true;
	assert_int_equal(tlog_read_hashes(&reader, &tree, many, 1, hashes, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	liar_clear(&liar);
	test_free(hashes);
}

/* The largest tree there can be needs no tile that there can't be. */
static void test_plan_huge(void **state)
{
	struct pool *pool = pool_new();
	struct tlog_tile *tiles;
	struct err err = { 0 };
	size_t count;

	(void)state;
	for (int height = 1; height <= TLOG_READ_HEIGHT_MAX; height++) {
		uint64_t last = tlog_stored_hash_count(INT64_MAX) - 1;
		uint64_t indexes[] = { 0, last, last / 2, last / 3, 1ULL << 62 };

		assert_int_equal(tlog_read_plan(pool, height, INT64_MAX, indexes,
						ARRAY_LEN(indexes), &tiles, &count, &err), 0);
		assert_in_range(count, 62 / height, 6 * 63);
		last++;
		assert_int_equal(tlog_read_plan(pool, height, INT64_MAX, &last, 1, &tiles, &count,
						&err), -1);
	}
	pool_free(pool);
}

static void test_read_tile(void **state)
{
	static const struct {
		const char *path;
		bool is_there;
	} cases[] = {
		{ "tile/2/0/000", true },      { "tile/2/0/000.p/1", true },
		{ "tile/2/0/074.p/3", true },  { "tile/2/0/074", true },
		{ "tile/2/0/075.p/1", false }, { "tile/2/1/018.p/3", true },
		{ "tile/2/1/018", false },     { "tile/2/3/001", false },
		{ "tile/2/4/000.p/1", true },  { "tile/2/4/000.p/2", false },
		{ "tile/2/5/000.p/1", false }, { "tile/2/31/000.p/1", false },
		{ "tile/2/63/000.p/1", false }, { "tile/2/data/000", false },
		{ "tile/3/0/000", true },     { "tile/30/0/000.p/1", false },
		{ "tile/2/0/x009/x223/x372/x036/x854/x775/807", false },
	};
	struct tlog_tree tree = tree_of(300);
	struct liar liar;
	struct tlog_tile_reader reader = { 2, read_tiles, save_tiles, NULL, NULL, &liar };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tlog_hash hashes[8];
		struct tlog_tile tile;
		struct err err = { 0 };

		print_message("%s\n", cases[i].path);
		liar_init(&liar, STR(""));
		assert_int_equal(tlog_tile_parse_path(str_of(cases[i].path), &tile, &err), 0);
		assert_int_equal(tlog_read_tile(&reader, &tree, &tile, hashes, &err),
				 cases[i].is_there ? 0 : -1);
		assert_int_equal(err.kind, cases[i].is_there ? ERR_NONE : ERR_BAD_UPSTREAM);
		if (cases[i].is_there)
			assert_memory_equal(hashes, tile_data(liar.pool, &tile).p,
					    (size_t)tile.width * TLOG_HASH_SIZE);
		liar_clear(&liar);
	}
}

/* What a proof of one record costs, the bytes at hand; only said, not judged. */
static void test_cost(void **state)
{
	struct tlog_tree tree = tree_of(399);
	uint64_t index = tlog_stored_hash_index(0, 7);
	struct tlog_hash hash;
	struct err err = { 0 };
	struct liar liar;
	struct tlog_tile_reader reader = { 8, read_tiles, NULL, NULL, NULL, &liar };
	clock_t start = clock();

	(void)state;
	liar_init(&liar, STR(""));
	for (int i = 0; i < 100; i++)
		assert_int_equal(tlog_read_hashes(&reader, &tree, &index, 1, &hash, &err), 0);
	print_message("a hash with its proof by 3 tiles: %.0f us\n",
		      (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / 100);
	liar_clear(&liar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	    cmocka_unit_test(test_tree_length),
		cmocka_unit_test(test_record_find), cmocka_unit_test(test_index),
		cmocka_unit_test(test_proofs),	    cmocka_unit_test(test_huge),
		cmocka_unit_test(test_tiles),	    cmocka_unit_test(test_read),
		cmocka_unit_test(test_spoilt),	    cmocka_unit_test(test_read_edges),
		cmocka_unit_test(test_plan_huge),   cmocka_unit_test(test_read_tile),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, make_log, NULL);
}
