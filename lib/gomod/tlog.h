/*
 * tlog.h - the transparent log of a checksum database: records, trees, proofs.
 *
 * Pure functions: no I/O, no state. Names and rules are those of
 * golang.org/x/mod/sumdb/tlog (after RFC 6962, section 2.1);
 * tests/vectors/tlog.txt was made by it. Tiles: see tlog_tile.h.
 *
 * A log is a list of records; its tree is the binary tree over their hashes.
 * Hash (level, n) covers the 2^level records from n * 2^level on, and is
 * stored once all of them are there. Sizes go up to 2^63 - 1.
 */
#ifndef GOMOD_TLOG_H
#define GOMOD_TLOG_H

#include "base/err.h"
#include "base/str.h"

#define TLOG_HASH_SIZE 32

/* Room for the base64 of a hash and the NUL. */
#define TLOG_HASH_TEXT_SIZE 45

struct tlog_hash {
	unsigned char bytes[TLOG_HASH_SIZE];
};

bool tlog_hash_is_equal(const struct tlog_hash *a, const struct tlog_hash *b);
void tlog_hash_text(const struct tlog_hash *hash, char text[TLOG_HASH_TEXT_SIZE]);
/* err ERR_BAD_UPSTREAM if text isn't the base64 of 32 bytes. */
int tlog_hash_parse(struct str text, struct tlog_hash *hash, struct err *err);

/* The hash of a record's text, and of a node over its two children. */
struct tlog_hash tlog_record_hash(struct str text);
struct tlog_hash tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right);

/* ---- trees ---- */

struct tlog_tree {
	int64_t n; /* records */
	struct tlog_hash hash;
};

/*
 * The text of a tree's note: "go.sum database tree", n and the hash, a line
 * each. More lines may follow, and are ignored.
 *
 * text  what note_open() gave
 * tree  out; left as it was on error
 * err   ERR_BAD_UPSTREAM
 */
int tlog_tree_parse(struct str text, struct tlog_tree *tree, struct err *err);
struct str tlog_tree_format(struct pool *pool, const struct tlog_tree *tree);

/* ---- records ---- */

struct tlog_record {
	int64_t id;	 /* which one of the log, from 0 */
	struct str text; /* lines of go.sum, the last newline included */
};

/*
 * Parse the answer to a lookup: "ID\n", the text, an empty line, and behind
 * it a signed note of the tree. Nothing is proven by that: see
 * tlog_record_check() and tlog_read_hashes(). Use record->text alone, which
 * is what the proof covers, never other parts of the message (CVE-2026-56864).
 *
 * record  out: its text points into message; left as it was on error
 * rest    out: what is behind the empty line
 * err     ERR_BAD_UPSTREAM; also for a negative ID, which Go lets pass here
 */
int tlog_record_parse(struct str message, struct tlog_record *record, struct str *rest,
		      struct err *err);

/* The reverse, without a note. err ERR_BAD_UPSTREAM if the text can't be one. */
int tlog_record_format(struct pool *pool, const struct tlog_record *record,
		       struct str *message, struct err *err);

/*
 * The hash that a record holds for a module: what follows "MODULE VERSION " in
 * the first line that begins with "MODULE VERSION h1:". VERSION may end in
 * "/go.mod". The database vouches for a download only if it equals *h1; a
 * proven record without such a line vouches for nothing (CVE-2026-42501).
 *
 * Returns false, with *h1 untouched, if there is no such line.
 */
bool tlog_record_find(struct str text, struct str module, struct str version, struct str *h1);

/* ---- where hashes are stored ---- */

/*
 * The place of hash (level, n) in the order in which hashes are stored:
 * level 0..63, n >= 0 and (n + 1) * 2^level at most 2^63. Then the reverse,
 * for index < UINT64_MAX, and the number of hashes of a tree of n records.
 */
uint64_t tlog_stored_hash_index(int level, int64_t n);
void tlog_stored_hash_split(uint64_t index, int *level, int64_t *n);
uint64_t tlog_stored_hash_count(int64_t n);

/* ---- tree hashes and proofs ---- */

/* More stored hashes than any tree or proof needs, and more hashes than any proof has. */
#define TLOG_INDEXES_MAX 128
#define TLOG_PROOF_MAX 64

struct tlog_proof {
	struct tlog_hash hashes[TLOG_PROOF_MAX]; /* from the leaf to the root */
	size_t n;
};

/*
 * Each hash or proof is made in two steps: the indexes of the stored hashes
 * that it needs, then, with these hashes in the same order, the result. They
 * are as good as their hashes: tlog_read_hashes() proves them.
 *
 * tlog_tree_hash() is the hash of the tree of the first n records (n >= 0).
 */
size_t tlog_tree_indexes(int64_t n, uint64_t indexes[TLOG_INDEXES_MAX]);
struct tlog_hash tlog_tree_hash(int64_t n, const struct tlog_hash *hashes);

/*
 * The proof that the tree of t records holds record id.
 *
 * count  out: how many indexes
 * err    ERR_BAD_UPSTREAM unless 0 <= id < t
 */
int tlog_record_indexes(int64_t t, int64_t id, uint64_t indexes[TLOG_INDEXES_MAX], size_t *count,
			struct err *err);
void tlog_record_prove(int64_t t, int64_t id, const struct tlog_hash *hashes,
		       struct tlog_proof *proof);

/*
 * The proof that the tree of t records begins with the tree of n records.
 * err as above, unless 1 <= n <= t.
 */
int tlog_prefix_indexes(int64_t t, int64_t n, uint64_t indexes[TLOG_INDEXES_MAX], size_t *count,
			struct err *err);
void tlog_prefix_prove(int64_t t, int64_t n, const struct tlog_hash *hashes,
		       struct tlog_proof *proof);

/*
 * Does the proof show that record id, whose text has this hash, is in the
 * tree? That the newer tree begins with the older one?
 *
 * Returns 0, or -1 with *err set: ERR_BAD_UPSTREAM.
 */
int tlog_record_check(const struct tlog_proof *proof, const struct tlog_tree *tree, int64_t id,
		      const struct tlog_hash *hash, struct err *err);
int tlog_prefix_check(const struct tlog_proof *proof, const struct tlog_tree *newer,
		      const struct tlog_tree *older, struct err *err);

#endif
