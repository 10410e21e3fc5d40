/*
 * test_sumdb.c - the client of a checksum database, without network or disk.
 *
 * A world of maps stands for both; its database is a log made here and signed
 * with a key made here (Ed25519 by OpenSSL), so that it can be made to say
 * whatever a dishonest one might. What real bytes look like is tested by
 * tests/t/25-sumdb.t against tests/fixture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "origin/sumdb.h"

#define NAME	   "sum.test"
#define RECORDS	   70000
#define LEVELS	   20
#define FILES_MAX  1000

/* ---- the database ---- */

struct log {
	int64_t n;
	const char *mark; /* what its records from fork_at on hold */
	int64_t fork_at;
	struct tlog_hash *levels[LEVELS];
};

static struct log honest, forked;
static EVP_PKEY *signer;
static char verifier_key[200];
static uint32_t key_hash;

static void record_text(const struct log *log, int64_t id, char text[256])
{
	snprintf(text, 256, "example.com/m%lld v1.0.0 h1:%s%lld=\nexample.com/m%lld v1.0.0/go.mod h1:mod\n",
		 (long long)id, id >= log->fork_at ? log->mark : "", (long long)id, (long long)id);
}

static void make_log(struct log *log, const char *mark, int64_t fork_at)
{
	*log = (struct log){ .n = RECORDS, .mark = mark, .fork_at = fork_at };
	for (int level = 0; level < LEVELS; level++)
		log->levels[level] = calloc((size_t)(RECORDS >> level) + 1, sizeof(struct tlog_hash));
	for (int64_t i = 0; i < RECORDS; i++) {
		char text[256];

		record_text(log, i, text);
		log->levels[0][i] = tlog_record_hash(str_of(text));
	}
	for (int level = 1; level < LEVELS; level++)
		for (int64_t i = 0; i < RECORDS >> level; i++)
			log->levels[level][i] = tlog_node_hash(&log->levels[level - 1][2 * i],
							       &log->levels[level - 1][2 * i + 1]);
}

static void free_log(struct log *log)
{
	for (int level = 0; level < LEVELS; level++)
		free(log->levels[level]);
}

static void base64(const unsigned char *bytes, size_t n, char *text)
{
	EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
}

static void make_key(void)
{
	unsigned char bytes[64] = "\n", key[33] = { 1 }, sha[32];
	size_t n = 32;
	char text[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	for (unsigned char i = 0; i < 32; i++)
		bytes[i] = i;
	signer = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, 32);
	EVP_PKEY_get_raw_public_key(signer, key + 1, &n);
	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	EVP_DigestUpdate(ctx, NAME "\n", strlen(NAME) + 1);
	EVP_DigestUpdate(ctx, key, sizeof(key));
	EVP_DigestFinal_ex(ctx, sha, NULL);
	EVP_MD_CTX_free(ctx);
	key_hash = (uint32_t)sha[0] << 24 | (uint32_t)sha[1] << 16 | (uint32_t)sha[2] << 8 | sha[3];
	base64(key, sizeof(key), text);
	snprintf(verifier_key, sizeof(verifier_key), NAME "+%08x+%s", key_hash, text);
}

static struct str sign(struct pool *pool, struct str text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char bytes[68] = { (unsigned char)(key_hash >> 24), (unsigned char)(key_hash >> 16),
				    (unsigned char)(key_hash >> 8), (unsigned char)key_hash };
	size_t n = 64;
	char encoded[100];

	EVP_DigestSignInit(ctx, NULL, NULL, NULL, signer);
	EVP_DigestSign(ctx, bytes + 4, &n, (const unsigned char *)text.p, text.n);
	EVP_MD_CTX_free(ctx);
	base64(bytes, sizeof(bytes), encoded);
	return pool_printf(pool, "%.*s\n\xe2\x80\x94 " NAME " %s\n", STR_ARG(text), encoded);
}

/* The signed head of the tree of the first n records. */
static struct str head_of(struct pool *pool, const struct log *log, int64_t n)
{
	uint64_t indexes[TLOG_INDEXES_MAX];
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	size_t count = tlog_tree_indexes(n, indexes);
	struct tlog_tree tree = { .n = n };

	for (size_t i = 0; i < count; i++) {
		int level;
		int64_t at;

		tlog_stored_hash_split(indexes[i], &level, &at);
		hashes[i] = log->levels[level][at];
	}
	tree.hash = tlog_tree_hash(n, hashes);
	return sign(pool, tlog_tree_format(pool, &tree));
}

static struct str lookup_of(struct pool *pool, const struct log *log, int64_t id, int64_t n)
{
	char text[256];

	record_text(log, id, text);
	return pool_printf(pool, "%lld\n%s\n%.*s", (long long)id, text, STR_ARG(head_of(pool, log, n)));
}

static struct str tile_of(struct pool *pool, const struct log *log, const struct tlog_tile *tile)
{
	size_t n = (size_t)tile->width;
	char *bytes = pool_alloc(pool, n * TLOG_HASH_SIZE);

	memcpy(bytes, &log->levels[tile->level * 8][tile->n << 8], n * TLOG_HASH_SIZE);
	return (struct str){ bytes, n * TLOG_HASH_SIZE };
}

/* ---- the world ---- */

struct file {
	char name[120];
	char *bytes;
	size_t n;
};

struct world {
	struct pool *pool;
	const struct log *log;
	int64_t n; /* records that the database tells of */
	struct file kept[FILES_MAX];
	size_t kept_n;
	char *latest;
	bool is_dead;	 /* nobody answers */
	bool has_alarm;
	int dropped;
	bool cannot_drop; /* the disk can't be written */
	const char *theirs; /* put in place before our next write: another process */
	/* What a question has asked for, and what is there already. */
	char asked[FILES_MAX][120];
	size_t asked_n, there_n;
	int rejected;
	const char *liar; /* the file about which the first source lies */
	bool has_lied;
	/* What was rejected comes from an honest source, which tells of so many records. */
	char second[FILES_MAX][120];
	size_t second_n;
	int64_t second_records;
};

static struct str read_latest(void *context, struct pool *pool)
{
	struct world *w = context;

	return w->latest ? pool_str(pool, str_of(w->latest)) : STR("");
}

static bool write_latest(void *context, struct str old, struct str head)
{
	struct world *w = context;

	if (w->theirs) {
		free(w->latest);
		w->latest = mem_strdup(str_of(w->theirs));
		w->theirs = NULL;
	}
	if (!str_is_equal(old, w->latest ? str_of(w->latest) : STR("")))
		return true;
	free(w->latest);
	w->latest = mem_strdup(head);
	return false;
}

static void drop_latest(void *context, const struct err *why)
{
	struct world *w = context;

	(void)why;
	free(w->latest);
	w->latest = NULL;
	w->dropped++;
}

static struct file *find_kept(struct world *w, const char *file)
{
	for (size_t i = 0; i < w->kept_n; i++)
		if (strcmp(w->kept[i].name, file) == 0)
			return &w->kept[i];
	return NULL;
}

static bool read_cache(void *context, const char *file, struct pool *pool, struct str *data)
{
	const struct file *f = find_kept(context, file);

	if (f)
		*data = pool_str(pool, (struct str){ f->bytes, f->n });
	return f != NULL;
}

static void write_cache(void *context, const char *file, struct str data)
{
	struct world *w = context;
	struct file *f = find_kept(w, file);

	if (w->cannot_drop)
		return;
	if (!f) {
		assert_in_range(w->kept_n, 0, FILES_MAX - 1);
		f = &w->kept[w->kept_n++];
		snprintf(f->name, sizeof(f->name), "%s", file);
		f->bytes = NULL;
	}
	free(f->bytes);
	f->bytes = mem_strdup(data);
	f->n = data.n;
}

static void drop_cache(void *context, const char *file, const struct err *why)
{
	struct world *w = context;
	struct file *f = find_kept(w, file);

	(void)why;
	w->dropped++;
	if (w->cannot_drop)
		return;
	free(f->bytes);
	*f = w->kept[--w->kept_n];
}

static struct str answer_of(struct world *w, const char *file)
{
	struct world honest_one = { .pool = w->pool, .log = &honest, .n = w->second_records };
	struct str name = str_of(file);
	struct tlog_tile tile;
	struct err err;

	for (size_t i = 0; i < w->second_n; i++)
		if (w->second_records > 0 && strcmp(w->second[i], file) == 0)
			return answer_of(&honest_one, file);
	if (str_is_equal(name, STR("latest")))
		return head_of(w->pool, w->log, w->n);
	if (str_has_prefix(name, STR("lookup/"))) {
		long long id = -1;

		assert_int_equal(sscanf(file, "lookup/example.com/m%lld@v1.0.0", &id), 1);
		return id < w->n ? lookup_of(w->pool, w->log, id, w->n) : (struct str){ 0 };
	}
	assert_int_equal(tlog_tile_parse_path(name, &tile, &err), 0);
	return tlog_tile_is_in_tree(&tile, w->n) ? tile_of(w->pool, w->log, &tile) : (struct str){ 0 };
}

static enum sumdb_status read_remote(void *context, void *asker, const char *file, struct str *data,
				     struct err *err)
{
	struct world *w = context;
	size_t i = 0;

	assert_ptr_equal(asker, w);
	while (i < w->asked_n && strcmp(w->asked[i], file) != 0)
		i++;
	if (i == w->asked_n)
		snprintf(w->asked[w->asked_n++], sizeof(w->asked[0]), "%s", file);
	if (i >= w->there_n)
		return SUMDB_WAIT;
	if (w->is_dead) {
		err_set(err, ERR_UNAVAILABLE, "dead");
		return SUMDB_FAILED;
	}
	*data = answer_of(w, file);
	if (!data->p) {
		*data = STR("not found\n");
		return SUMDB_ABSENT;
	}
	if (w->liar && strcmp(w->liar, file) == 0 && !w->has_lied) {
		char *lie = mem_strdup(*data);

		lie[data->n / 3] ^= 1;
		*data = pool_str(w->pool, (struct str){ lie, data->n });
		free(lie);
	}
	return SUMDB_DONE;
}

static void reject_remote(void *context, void *asker, const char *const *files, size_t n,
			  const struct err *why)
{
	struct world *w = context;

	(void)asker;
	(void)why;
	for (size_t i = 0; i < n; i++) {
		if (w->liar && strcmp(files[i], w->liar) == 0)
			w->has_lied = true;
		if (w->second_n < FILES_MAX)
			snprintf(w->second[w->second_n++], sizeof(w->second[0]), "%s", files[i]);
	}
	w->rejected++;
}

static void raise_alarm(void *context, struct str evidence)
{
	struct world *w = context;

	assert_true(str_find_str(evidence, STR("\tgo.sum database tree\n")) >= 0);
	assert_true(str_find_str(evidence, STR("\tgo.sum database tree\n")) !=
		    str_find_last_str(evidence, STR("\tgo.sum database tree\n")));
	w->has_alarm = true;
}

static bool has_alarm(void *context, struct pool *pool, struct str *where)
{
	struct world *w = context;

	(void)pool;
	*where = STR("alarm");
	return w->has_alarm;
}

static struct sumdb *open_db(struct world *w)
{
	struct sumdb_ops ops = { read_latest, write_latest, drop_latest, read_cache, write_cache, drop_cache,
				 read_remote, reject_remote, raise_alarm, has_alarm, w };

	return sumdb_new(verifier_key, &ops);
}

static struct world *world_new(int64_t n)
{
	struct world *w = calloc(1, sizeof(*w));

	w->pool = pool_new();
	w->log = &honest;
	w->n = n;
	return w;
}

static void world_free(struct world *w)
{
	for (size_t i = 0; i < w->kept_n; i++)
		free(w->kept[i].bytes);
	free(w->latest);
	pool_free(w->pool);
	free(w);
}

/* Ask until there is an answer, each round with what the last one asked for. */
static enum sumdb_status ask(struct sumdb *db, struct world *w, int64_t id, int *rounds,
			     struct err *err)
{
	struct str module = pool_printf(w->pool, "example.com/m%lld", (long long)id), absent;
	struct sumdb_record record;
	enum sumdb_status status;
	char text[256];

	w->asked_n = w->there_n = 0;
	for (*rounds = 1; *rounds < 20; ++*rounds) {
		status = sumdb_lookup(db, w, w->pool, module, STR("v1.0.0"), &record, &absent, err);
		if (status != SUMDB_WAIT)
			break;
		w->there_n = w->asked_n;
	}
	if (status == SUMDB_DONE) {
		record_text(w->log, id, text);
		assert_true(str_is_equal(record.text, str_of(text)));
		assert_int_equal(record.id, id);
	}
	return status;
}

static enum sumdb_status try_alone(struct sumdb *db, struct world *w, int64_t id)
{
	struct str module = pool_printf(w->pool, "example.com/m%lld", (long long)id), absent;
	struct sumdb_record record;
	struct err err;

	return sumdb_lookup(db, NULL, w->pool, module, STR("v1.0.0"), &record, &absent, &err);
}

static int asked_for(const struct world *w, const char *prefix)
{
	int n = 0;

	for (size_t i = 0; i < w->asked_n; i++)
		n += strncmp(w->asked[i], prefix, strlen(prefix)) == 0;
	return n;
}

/* ---- tests ---- */

static void test_rounds(void **state)
{
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct err err = { 0 };
	int rounds;

	(void)state;
	assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
	assert_int_equal(rounds, 3); /* the lookup; then all tiles at once */
	assert_int_equal(asked_for(w, "tile/"), 5);
	/* The neighbour's proof is in memory. */
	assert_int_equal(ask(db, w, 1001, &rounds, &err), SUMDB_DONE);
	assert_int_equal(rounds, 2);
	assert_int_equal(asked_for(w, "tile/"), 0);
	/* Further away: one tile more. */
	assert_int_equal(ask(db, w, 5000, &rounds, &err), SUMDB_DONE);
	assert_int_equal(rounds, 3);
	assert_int_equal(asked_for(w, "tile/"), 1);
	/* What is kept needs nobody. */
	assert_int_equal(try_alone(db, w, 1000), SUMDB_DONE);
	assert_int_equal(try_alone(db, w, 1002), SUMDB_WAIT);
	sumdb_free(db);
	db = open_db(w);
	assert_int_equal(try_alone(db, w, 5000), SUMDB_DONE);
	sumdb_free(db);
	world_free(w);
}

/* While the log grows, what was ever proven stays provable by what is kept. */
static void test_growth(void **state)
{
	static const int64_t sizes[] = { 1, 2, 255, 256, 257, 300, 511, 512, 700, 65535, 65536, 65537, 66000, 69999 };
	struct world *w = world_new(0);
	struct sumdb *db = open_db(w);
	struct err err = { 0 };
	int rounds;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		w->n = sizes[i];
		print_message("%lld records\n", (long long)sizes[i]);
		assert_int_equal(ask(db, w, sizes[i] - 1, &rounds, &err), SUMDB_DONE);
		assert_in_range(rounds, 2, 3);
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(try_alone(db, w, sizes[k] - 1), SUMDB_DONE);
		sumdb_free(db);
		db = open_db(w);
		for (size_t k = 0; k <= i; k++)
			assert_int_equal(try_alone(db, w, sizes[k] - 1), SUMDB_DONE);
	}
	assert_int_equal(w->dropped, 0);
	assert_int_equal(w->rejected, 0);
	sumdb_free(db);
	world_free(w);
}

/* Many tiles: more than are kept in memory. */
static void test_many_tiles(void **state)
{
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct err err = { 0 };
	int rounds;

	(void)state;
	for (int64_t id = 0; id < 66000; id += 256)
		assert_int_equal(ask(db, w, id, &rounds, &err), SUMDB_DONE);
	for (int64_t id = 0; id < 66000; id += 256)
		assert_int_equal(try_alone(db, w, id), SUMDB_DONE);
	sumdb_free(db);
	world_free(w);
}

static void test_two_processes(void **state)
{
	struct world *w = world_new(500);
	struct sumdb *one = open_db(w), *two = open_db(w);
	struct err err = { 0 };
	struct str head;
	int rounds;

	(void)state;
	assert_int_equal(ask(one, w, 1, &rounds, &err), SUMDB_DONE);
	w->n = 900;
	assert_int_equal(ask(two, w, 700, &rounds, &err), SUMDB_DONE);
	/* The first one learns from the second, without asking. */
	assert_int_equal(try_alone(one, w, 700), SUMDB_DONE);
	/* A third is quicker while the first one writes: the newer head stays. */
	w->n = 1200;
	w->theirs = head_of(w->pool, &honest, 1500).p;
	assert_int_equal(ask(one, w, 1100, &rounds, &err), SUMDB_DONE);
	assert_true(strstr(w->latest, "\n1500\n") != NULL);
	/* Somebody puts an old one back: never mind. */
	free(w->latest);
	w->latest = mem_strdup(head_of(w->pool, &honest, 300));
	w->n = 1600;
	assert_int_equal(ask(one, w, 1599, &rounds, &err), SUMDB_DONE);
	assert_true(strstr(w->latest, "\n1600\n") != NULL);
	assert_int_equal(sumdb_latest(one, NULL, w->pool, &head, &err), SUMDB_DONE);
	assert_true(str_find_str(head, STR("\n1600\n")) > 0);
	/* A head that nobody signed is put away. */
	free(w->latest);
	w->latest = mem_strdup(STR("go.sum database tree\n9999\nAAAA\n"));
	w->n = 1700;
	assert_int_equal(ask(two, w, 1650, &rounds, &err), SUMDB_DONE);
	assert_int_equal(w->dropped, 1);
	assert_true(strstr(w->latest, "\n1700\n") != NULL);
	/* Spoilt while the log doesn't grow: ours is put in its place at once. */
	w->latest[30] ^= 1;
	assert_int_equal(sumdb_latest(two, NULL, w->pool, &head, &err), SUMDB_DONE);
	assert_int_equal(w->dropped, 2);
	assert_true(strstr(w->latest, "\n1700\n") != NULL);
	sumdb_free(one);
	sumdb_free(two);
	world_free(w);
}

/* The fork's head is smaller, as large, larger; it differs from record 400 on. */
static void test_forks(void **state)
{
	static const int64_t sizes[] = { 450, 600, 601, 65000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct world *w = world_new(600);
		struct sumdb *db = open_db(w);
		struct err err = { 0 };
		int rounds;

		print_message("a fork of %lld records\n", (long long)sizes[i]);
		assert_int_equal(ask(db, w, 1, &rounds, &err), SUMDB_DONE);
		w->log = &forked;
		w->n = sizes[i];
		w->second_records = 600;
		assert_int_equal(ask(db, w, 420, &rounds, &err), SUMDB_FAILED);
		assert_int_equal(err.kind, ERR_MISMATCH);
		assert_true(w->has_alarm);
		assert_true(strstr(w->latest, "\n600\n") != NULL);
		/* Nothing more is taken, not even the truth. */
		w->log = &honest;
		w->n = 600;
		assert_int_equal(ask(db, w, 2, &rounds, &err), SUMDB_FAILED);
		assert_int_equal(try_alone(db, w, 1), SUMDB_FAILED);
		w->has_alarm = false;
		assert_int_equal(ask(db, w, 2, &rounds, &err), SUMDB_DONE);
		assert_int_equal(try_alone(db, w, 1), SUMDB_DONE);
		sumdb_free(db);
		world_free(w);
	}
}

/* What the first source says wrongly of any file is asked for again. */
static void test_liars(void **state)
{
	static const char *const files[] = { "lookup/example.com/m1000@v1.0.0", "tile/8/0/003", "tile/8/1/000",
					     "tile/8/2/000.p/1", "tile/8/0/257.p/208", "tile/8/1/001.p/1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct world *w = world_new(66000);
		struct sumdb *db = open_db(w);
		struct err err = { 0 };
		int rounds;

		print_message("%s\n", files[i]);
		w->liar = files[i];
		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		assert_true(w->has_lied);
		assert_int_equal(w->rejected, 1);
		assert_in_range(rounds, 4, 5);
		sumdb_free(db);
		world_free(w);
	}
}

/* What is spoilt where it is kept is put away, and got again. */
static void test_spoilt(void **state)
{
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct world *w = world_new(66000);
		struct sumdb *db = open_db(w);
		struct err err = { 0 };
		int rounds;

		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		assert_int_equal(w->kept_n, 6);
		sumdb_free(db);
		print_message("%s\n", w->kept[i].name);
		w->kept[i].bytes[w->kept[i].n / 3] ^= 1;
		db = open_db(w);
		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		assert_in_range(w->dropped, 0, 3);
		assert_int_equal(w->rejected, 0);
		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		assert_int_equal(rounds, 1);
		sumdb_free(db);
		world_free(w);
	}
}

/* The same where nothing can be put away: the truth is found all the same. */
static void test_spoilt_for_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct world *w = world_new(66000);
		struct sumdb *db = open_db(w);
		struct err err = { 0 };
		int rounds;

		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		sumdb_free(db);
		print_message("%s\n", w->kept[i].name);
		w->kept[i].bytes[w->kept[i].n / 3] ^= 1;
		w->cannot_drop = true;
		db = open_db(w);
		assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
		sumdb_free(db);
		world_free(w);
	}
}

/* Good tiles that somebody has copied in, and a lie beside them: they stay. */
static void test_good_ones_stay(void **state)
{
	static const char *const kept[] = { "tile/8/2/000.p/1", "tile/8/1/001.p/1", "tile/8/1/000" };
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct err err = { 0 };
	int rounds;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		struct tlog_tile tile;

		assert_int_equal(tlog_tile_parse_path(str_of(kept[i]), &tile, &err), 0);
		write_cache(w, kept[i], tile_of(w->pool, &honest, &tile));
	}
	w->liar = "tile/8/0/257.p/208";
	assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
	assert_int_equal(w->dropped, 0);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		assert_non_null(find_kept(w, kept[i]));
	sumdb_free(db);
	world_free(w);
}

/* What is in memory counts no more once an alarm stands, whoever has raised it. */
static void test_alarm_and_memory(void **state)
{
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct sumdb_record record;
	struct err err = { 0 };
	int rounds;

	(void)state;
	assert_int_equal(ask(db, w, 5, &rounds, &err), SUMDB_DONE);
	assert_true(sumdb_recall(db, w->pool, STR("example.com/m5"), STR("v1.0.0"), &record));
	assert_true(sumdb_lookup_quickly(db, w->pool, lookup_of(w->pool, &honest, 6, 66000), STR("example.com/m6"),
					 STR("v1.0.0"), &record));
	assert_int_equal(record.id, 6);
	assert_false(sumdb_lookup_quickly(db, w->pool, lookup_of(w->pool, &honest, 7, 66000),
					  STR("example.com/m8"), STR("v1.0.0"), &record));
	assert_false(sumdb_lookup_quickly(db, w->pool, lookup_of(w->pool, &forked, 450, 66000),
					  STR("example.com/m450"), STR("v1.0.0"), &record));
	w->has_alarm = true;
	assert_false(sumdb_recall(db, w->pool, STR("example.com/m5"), STR("v1.0.0"), &record));
	assert_false(sumdb_lookup_quickly(db, w->pool, lookup_of(w->pool, &honest, 9, 66000), STR("example.com/m9"),
					  STR("v1.0.0"), &record));
	assert_int_equal(try_alone(db, w, 5), SUMDB_FAILED);
	sumdb_free(db);
	world_free(w);
}

/* A head that another process has stored is never replaced by one that doesn't continue it. */
static void test_stored_forks(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct world *w = world_new(390);
		struct sumdb *db = open_db(w);
		struct err err = { 0 };
		struct str head;
		int rounds;

		assert_int_equal(ask(db, w, 1, &rounds, &err), SUMDB_DONE);
		free(w->latest);
		w->latest = mem_strdup(head_of(w->pool, i < 2 ? &honest : &forked, i == 0 ? 390 : 600));
		if (i == 0) /* between the look and the write */
			w->theirs = head_of(w->pool, &honest, 600).p;
		w->log = i < 2 ? &forked : &honest;
		w->n = 650;
		ask(db, w, 420, &rounds, &err);
		print_message("%d: %d\n", i, w->has_alarm);
		assert_true(w->has_alarm);
		assert_true(strstr(w->latest, "\n600\n") != NULL);
		assert_int_equal(sumdb_latest(db, NULL, w->pool, &head, &err), SUMDB_FAILED);
		sumdb_free(db);
		world_free(w);
	}
}

static void test_failures(void **state)
{
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct err err = { 0 };
	struct str head;
	int rounds;

	(void)state;
	assert_int_equal(sumdb_latest(db, NULL, w->pool, &head, &err), SUMDB_WAIT);
	w->is_dead = true;
	assert_int_equal(ask(db, w, 1, &rounds, &err), SUMDB_FAILED);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	w->is_dead = false;
	assert_int_equal(ask(db, w, 68000, &rounds, &err), SUMDB_ABSENT);
	assert_int_equal(ask(db, w, 1, &rounds, &err), SUMDB_DONE);
	w->is_dead = true;
	assert_int_equal(ask(db, w, 1, &rounds, &err), SUMDB_DONE);
	assert_int_equal(ask(db, w, 2, &rounds, &err), SUMDB_FAILED);
	sumdb_free(db);
	world_free(w);
}

static void test_proof(void **state)
{
	struct world *w = world_new(66000);
	struct sumdb *db = open_db(w);
	struct sumdb_record record;
	struct tlog_proof proof;
	struct err err = { 0 };
	struct tlog_hash hash;
	struct str absent;
	int rounds;

	(void)state;
	assert_int_equal(ask(db, w, 1000, &rounds, &err), SUMDB_DONE);
	assert_int_equal(sumdb_lookup(db, NULL, w->pool, STR("example.com/m1000"), STR("v1.0.0"), &record,
				      &absent, &err), SUMDB_DONE);
	assert_int_equal(sumdb_prove(db, NULL, w->pool, &record, &proof, &err), SUMDB_DONE);
	hash = tlog_record_hash(record.text);
	assert_int_equal(tlog_record_check(&proof, &record.tree, 1000, &hash, &err), 0);
	sumdb_free(db);
	world_free(w);
}

static int setup(void **state)
{
	(void)state;
	make_key();
	make_log(&honest, "", 0);
	make_log(&forked, "fork", 400);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free_log(&honest);
	free_log(&forked);
	EVP_PKEY_free(signer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),	       cmocka_unit_test(test_growth),
		cmocka_unit_test(test_many_tiles),     cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_forks),	       cmocka_unit_test(test_liars),
		cmocka_unit_test(test_spoilt),	       cmocka_unit_test(test_failures),
		cmocka_unit_test(test_proof),	       cmocka_unit_test(test_spoilt_for_good),
		cmocka_unit_test(test_good_ones_stay), cmocka_unit_test(test_alarm_and_memory),
		cmocka_unit_test(test_stored_forks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
