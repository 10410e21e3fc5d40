#include <assert.h>

#include "gomod/tlog.h"
#include "gomod/tlog_internal.h"

/* Records lo to hi - 1; what a tree or a part of it covers. */
struct range {
	int64_t lo, hi;
};

/*
 * The subtrees beside the way from the root of a tree down to where a proof
 * begins, the root's child first.
 */
struct way {
	struct range ranges[TLOG_PROOF_MAX];
	size_t n;
};

int tlog_log2(int64_t n)
{
	return 63 - __builtin_clzll((unsigned long long)n);
}

/* How many hashes the first n records complete. */
static uint64_t hashes_before(uint64_t n)
{
	return 2 * n - (uint64_t)__builtin_popcountll(n);
}

/* A hash is stored with the last record it covers, behind those below it. */
uint64_t tlog_stored_hash_index(int level, int64_t n)
{
	uint64_t last = (((uint64_t)n + 1) << level) - 1;

	return hashes_before(last) + (uint64_t)level;
}

void tlog_stored_hash_split(uint64_t index, int *level, int64_t *n)
{
	/* Never too far: a record completes at most two hashes on average. */
	uint64_t last = index / 2;

	assert(index < UINT64_MAX);
	while (hashes_before(last + 1) <= index)
		last++;
	*level = (int)(index - hashes_before(last));
	*n = (int64_t)(last >> *level);
}

uint64_t tlog_stored_hash_count(int64_t n)
{
	return hashes_before((uint64_t)n);
}

/* A range begins where its largest subtree may: each part is a stored hash. */
static size_t add_indexes(struct range range, uint64_t *indexes, size_t n)
{
	while (range.lo < range.hi) {
		int level = tlog_log2(range.hi - range.lo);

		assert(n < TLOG_INDEXES_MAX);
		indexes[n++] = tlog_stored_hash_index(level, range.lo >> level);
		range.lo += (int64_t)1 << level;
	}
	return n;
}

/* The hash over a range that isn't empty, and how many hashes it took. */
static size_t hash_range(struct tlog_hasher *hasher, struct range range,
			 const struct tlog_hash *hashes, struct tlog_hash *out)
{
	size_t n = (size_t)__builtin_popcountll((unsigned long long)(range.hi - range.lo));

	*out = hashes[n - 1];
	for (size_t i = n - 1; i > 0; i--)
		tlog_hasher_node(hasher, &hashes[i - 1], out, out);
	return n;
}

size_t tlog_tree_indexes(int64_t n, uint64_t indexes[TLOG_INDEXES_MAX])
{
	return add_indexes((struct range){ 0, n }, indexes, 0);
}

struct tlog_hash tlog_tree_hash(int64_t n, const struct tlog_hash *hashes)
{
	struct tlog_hasher hasher;
	struct tlog_hash hash;

	if (n == 0) { /* RFC 6962, 2.1: the hash of nothing, without a prefix */
		EVP_Digest("", 0, hash.bytes, NULL, EVP_sha256(), NULL);
		return hash;
	}
	tlog_hasher_init(&hasher);
	hash_range(&hasher, (struct range){ 0, n }, hashes, &hash);
	tlog_hasher_clear(&hasher);
	return hash;
}

/* RFC 6962, 2.1: the left part has the largest power of 2 less than all. */
static int64_t middle(struct range range)
{
	return range.lo + ((int64_t)1 << tlog_log2(range.hi - range.lo - 1));
}

/* RFC 6962, 2.1.1: down to the record. */
static void find_record(int64_t t, int64_t id, struct way *way)
{
	struct range at = { 0, t };

	way->n = 0;
	while (at.hi - at.lo > 1) {
		int64_t mid = middle(at);

		if (id < mid) {
			way->ranges[way->n++] = (struct range){ mid, at.hi };
			at.hi = mid;
		} else {
			way->ranges[way->n++] = (struct range){ at.lo, mid };
			at.lo = mid;
		}
	}
}

/*
 * RFC 6962, 2.1.2: down to where the older tree's last subtree ends. That
 * subtree is in the proof too, unless it is the older tree itself, whose hash
 * is known.
 */
static void find_prefix(int64_t t, int64_t n, struct way *way)
{
	struct range at = { 0, t };

	way->n = 0;
	while (at.hi > n) {
		int64_t mid = middle(at);

		if (n <= mid) {
			way->ranges[way->n++] = (struct range){ mid, at.hi };
			at.hi = mid;
		} else {
			way->ranges[way->n++] = (struct range){ at.lo, mid };
			at.lo = mid;
		}
	}
	if (at.lo > 0)
		way->ranges[way->n++] = at;
}

static size_t indexes_of_way(const struct way *way, uint64_t *indexes)
{
	size_t count = 0;

	for (size_t i = way->n; i > 0; i--)
		count = add_indexes(way->ranges[i - 1], indexes, count);
	return count;
}

static void prove_way(const struct way *way, const struct tlog_hash *hashes,
		      struct tlog_proof *proof)
{
	struct tlog_hasher hasher;

	tlog_hasher_init(&hasher);
	proof->n = 0;
	for (size_t i = way->n; i > 0; i--)
		hashes += hash_range(&hasher, way->ranges[i - 1], hashes,
				     &proof->hashes[proof->n++]);
	tlog_hasher_clear(&hasher);
}

static int check_record_id(int64_t t, int64_t id, struct err *err)
{
	if (id < 0 || id >= t)
		return err_set(err, ERR_BAD_UPSTREAM, "no record %lld in a tree of %lld records",
			       (long long)id, (long long)t);
	return 0;
}

int tlog_record_indexes(int64_t t, int64_t id, uint64_t indexes[TLOG_INDEXES_MAX], size_t *count,
			struct err *err)
{
	struct way way;

	if (check_record_id(t, id, err) != 0)
		return -1;
	find_record(t, id, &way);
	*count = indexes_of_way(&way, indexes);
	return 0;
}

void tlog_record_prove(int64_t t, int64_t id, const struct tlog_hash *hashes,
		       struct tlog_proof *proof)
{
	struct way way;

	find_record(t, id, &way);
	prove_way(&way, hashes, proof);
}

static int check_prefix_size(int64_t t, int64_t n, struct err *err)
{
	if (n < 1 || n > t)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "no tree of %lld records begins a tree of %lld", (long long)n,
			       (long long)t);
	return 0;
}

int tlog_prefix_indexes(int64_t t, int64_t n, uint64_t indexes[TLOG_INDEXES_MAX], size_t *count,
			struct err *err)
{
	struct way way;

	if (check_prefix_size(t, n, err) != 0)
		return -1;
	find_prefix(t, n, &way);
	*count = indexes_of_way(&way, indexes);
	return 0;
}

void tlog_prefix_prove(int64_t t, int64_t n, const struct tlog_hash *hashes,
		       struct tlog_proof *proof)
{
	struct way way;

	find_prefix(t, n, &way);
	prove_way(&way, hashes, proof);
}

int tlog_record_check(const struct tlog_proof *proof, const struct tlog_tree *tree, int64_t id,
		      const struct tlog_hash *hash, struct err *err)
{
	struct tlog_hasher hasher;
	struct tlog_hash sum = *hash;
	struct way way;

	if (check_record_id(tree->n, id, err) != 0)
		return -1;
	find_record(tree->n, id, &way);
	if (proof->n != way.n)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "invalid proof: %zu hashes for record %lld of %lld, not %zu",
			       proof->n, (long long)id, (long long)tree->n, way.n);
	tlog_hasher_init(&hasher);
	for (size_t i = 0; i < way.n; i++) {
		const struct tlog_hash *other = &proof->hashes[i];
		bool is_left = way.ranges[way.n - 1 - i].lo < id;

		tlog_hasher_node(&hasher, is_left ? other : &sum, is_left ? &sum : other, &sum);
	}
	tlog_hasher_clear(&hasher);
	if (!tlog_hash_is_equal(&sum, &tree->hash))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "invalid proof: record %lld isn't in the tree of %lld records",
			       (long long)id, (long long)tree->n);
	return 0;
}

/*
 * The two trees' hashes that the proof implies, when older is the hash of the
 * older one. Subtrees behind its end are in the newer tree alone.
 */
static void run_prefix(const struct tlog_proof *proof, const struct way *way, int64_t n,
		       struct tlog_hash *older, struct tlog_hash *newer)
{
	size_t first = way->n > 0 && way->ranges[way->n - 1].hi == n ? 1 : 0;
	struct tlog_hasher hasher;

	if (first == 1)
		*older = proof->hashes[0];
	*newer = *older;
	tlog_hasher_init(&hasher);
	for (size_t i = first; i < way->n; i++) {
		const struct tlog_hash *other = &proof->hashes[i];

		if (way->ranges[way->n - 1 - i].lo >= n) {
			tlog_hasher_node(&hasher, newer, other, newer);
		} else {
			tlog_hasher_node(&hasher, other, older, older);
			tlog_hasher_node(&hasher, other, newer, newer);
		}
	}
	tlog_hasher_clear(&hasher);
}

int tlog_prefix_check(const struct tlog_proof *proof, const struct tlog_tree *newer,
		      const struct tlog_tree *older, struct err *err)
{
	struct tlog_hash older_hash = older->hash, newer_hash;
	struct way way;

	if (check_prefix_size(newer->n, older->n, err) != 0)
		return -1;
	find_prefix(newer->n, older->n, &way);
	if (proof->n != way.n)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "invalid proof: %zu hashes for trees of %lld and %lld, not %zu",
			       proof->n, (long long)older->n, (long long)newer->n, way.n);
	run_prefix(proof, &way, older->n, &older_hash, &newer_hash);
	if (!tlog_hash_is_equal(&older_hash, &older->hash) ||
	    !tlog_hash_is_equal(&newer_hash, &newer->hash))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "invalid proof: the tree of %lld records doesn't begin that of %lld",
			       (long long)older->n, (long long)newer->n);
	return 0;
}
