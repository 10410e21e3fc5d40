#include <stdlib.h>
#include <string.h>

#include "origin/sumdb_internal.h"

/* How often others may be quicker in moving the stored head. */
#define STORE_TRIES 100

static void set_str(struct str *place, struct str value)
{
	char *old = (char *)place->p;

	*place = (struct str){ mem_strdup(value), value.n };
	free(old);
}

static int open_head(const struct sumdb *db, struct str message, struct tlog_tree *tree,
		     struct err *err)
{
	struct note *note = mem_alloc(sizeof(*note));
	int rc = note_open(message, &db->verifier, 1, note, err);

	if (rc == 0)
		rc = tlog_tree_parse(note->text, tree, err);
	free(note);
	return rc;
}

/* The hash of the tree of the first n records, as the whole tree has it. */
static int read_tree_hash(struct question *q, const struct tlog_tree *tree, int64_t n,
			  struct tlog_hash *hash, struct err *err)
{
	struct tlog_tile_reader reader = question_reader(q);
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];
	size_t count = tlog_tree_indexes(n, indexes);

	if (n > 0 && tlog_read_hashes(&reader, tree, indexes, count, hashes, err) != 0)
		return -1;
	*hash = tlog_tree_hash(n, hashes);
	return 0;
}

static void print_indented(struct buf *buf, const char *what, struct str message)
{
	struct str line;

	buf_printf(buf, "%s:\n", what);
	while (message.n > 0 && str_cut(&message, '\n', &line))
		buf_printf(buf, "\t%.*s\n", STR_ARG(line));
}

/*
 * Two heads, both signed, of which the newer one has another hash for the
 * older one's records: the notes and that hash with its proof are evidence
 * that needs nobody's word.
 */
static void raise_alarm(struct question *q, const struct head *older, const struct head *newer,
			const struct tlog_hash *hash)
{
	const struct sumdb_ops *ops = &q->db->ops;
	struct tlog_tile_reader reader = question_reader(q);
	struct tlog_hash hashes[TLOG_INDEXES_MAX];
	uint64_t indexes[TLOG_INDEXES_MAX];
	char text[TLOG_HASH_TEXT_SIZE];
	struct tlog_proof proof = { .n = 0 };
	struct err ignored;
	struct buf buf;
	size_t n;

	buf_init(&buf, (size_t)4 * NOTE_MAX);
	buf_printf(&buf, "SECURITY ALARM: the checksum database %.*s has signed two histories.\n\n",
		   STR_ARG(sumdb_name(q->db)));
	print_indented(&buf, "one signed head", older->message);
	print_indented(&buf, "another signed head", newer->message);
	tlog_hash_text(hash, text);
	buf_printf(&buf, "the second has this hash for the first one's %lld records:\n\t%s\n",
		   (long long)older->tree.n, text);
	if (older->tree.n > 0 && older->tree.n < newer->tree.n &&
	    tlog_prefix_indexes(newer->tree.n, older->tree.n, indexes, &n, &ignored) == 0 &&
	    tlog_read_hashes(&reader, &newer->tree, indexes, n, hashes, &ignored) == 0) {
		tlog_prefix_prove(newer->tree.n, older->tree.n, hashes, &proof);
		buf_add(&buf, STR("with this proof (RFC 6962, 2.1.2):\n"));
	}
	for (size_t i = 0; i < proof.n; i++) {
		tlog_hash_text(&proof.hashes[i], text);
		buf_printf(&buf, "\t%s\n", text);
	}
	ops->raise_alarm(ops->context, buf_str(&buf));
	sumdb_forget_lookups(q->db);
	buf_clear(&buf);
}

/* Does the newer head continue the older one? */
static int check_heads(struct question *q, const struct head *older, const struct head *newer,
		       struct err *err)
{
	struct tlog_hash hash = newer->tree.hash;

	if (older->tree.n < newer->tree.n &&
	    read_tree_hash(q, &newer->tree, older->tree.n, &hash, err) != 0)
		return err_wrap(err, "comparing the trees of %lld and %lld records",
				(long long)older->tree.n, (long long)newer->tree.n);
	if (tlog_hash_is_equal(&hash, &older->tree.hash))
		return 0;
	raise_alarm(q, older, newer, &hash);
	return err_set(err, ERR_MISMATCH,
		       "the checksum database %.*s has signed two histories; an alarm was raised",
		       STR_ARG(sumdb_name(q->db)));
}

/* Ours, or one that was found to be on our way. */
bool head_is_known(const struct sumdb *db, struct str message)
{
	if (message.n > 0 && str_is_equal(message, db->latest.message))
		return true;
	for (size_t i = 0; i < HEADS_KEPT; i++)
		if (db->heads[i].p && str_is_equal(db->heads[i], message))
			return true;
	return false;
}

static void remember_head(struct sumdb *db, struct str message)
{
	set_str(&db->heads[db->heads_n++ % HEADS_KEPT], message);
}

/*
 * What another process has stored and we have not merged: the head that is to
 * replace it must continue it, too, or two histories would go unnoticed.
 */
static int check_stored(struct question *q, const struct head *head, struct err *err)
{
	struct sumdb *db = q->db;
	struct head stored = { .message = db->ops.read_latest(db->ops.context, q->pool) };
	struct err ignored;

	if (stored.message.n == 0 || head_is_known(db, stored.message) ||
	    open_head(db, stored.message, &stored.tree, &ignored) != 0 ||
	    stored.tree.n > head->tree.n)
		return 0;
	if (check_heads(q, &stored, head, err) != 0)
		return -1;
	remember_head(db, stored.message);
	return 0;
}

/* Tell the other processes, unless they are further. */
static void store_head(struct question *q)
{
	struct sumdb *db = q->db;
	const struct sumdb_ops *ops = &db->ops;

	for (int i = 0; i < STORE_TRIES; i++) {
		struct str stored = ops->read_latest(ops->context, q->pool);
		struct tlog_tree tree = { 0 };
		struct err err = { 0 };

		if (stored.n > 0 && open_head(db, stored, &tree, &err) == 0 && tree.n >= db->latest.tree.n)
			return;
		/* Another was quicker since we looked: the next head has to continue that one. */
		if (check_stored(q, &db->latest, &err) != 0)
			return;
		if (ops->write_latest(ops->context, stored, db->latest.message))
			continue;
		set_str(&db->stored, db->latest.message);
		return;
	}
}

static void move_on(struct question *q, const struct head *head, bool must_store)
{
	struct sumdb *db = q->db;

	question_save_unsaved(q);
	set_str(&db->latest.message, head->message);
	db->latest.tree = head->tree;
	if (must_store)
		store_head(q);
}

/* A newer head: proven by its own tiles alone, since ours may be of another tree. */
static int advance(struct question *q, const struct head *head, bool must_store, struct err *err)
{
	struct question strict = *q;
	int rc = 0;

	strict.is_strict = strict.must_not_save = true;
	if (q->db->latest.tree.n > 0)
		rc = check_heads(&strict, &q->db->latest, head, err);
	if (rc == 0 && must_store)
		rc = check_stored(&strict, head, err);
	q->is_waiting |= strict.is_waiting;
	q->must_retry |= strict.must_retry;
	q->must_ignore_kept |= strict.must_ignore_kept;
	if (rc != 0)
		return -1;
	strict.must_not_save = false;
	move_on(&strict, head, must_store);
	return 0;
}

static int merge(struct question *q, struct str message, bool must_store, struct tlog_tree *tree,
		 struct err *err)
{
	struct sumdb *db = q->db;
	struct head head = { .message = message };

	if (message.n > 0 && str_is_equal(message, db->latest.message)) {
		*tree = db->latest.tree;
		return 0;
	}
	if (open_head(db, message, &head.tree, err) != 0) {
		err->kind = ERR_MISMATCH;
		return -1;
	}
	*tree = head.tree;
	if (head_is_known(db, message))
		return 0;
	if (head.tree.n > db->latest.tree.n)
		head_refresh(q); /* another process may have been there before */
	if (head.tree.n > db->latest.tree.n) {
		if (advance(q, &head, must_store, err) != 0)
			return -1;
	} else if (check_heads(q, &head, &db->latest, err) != 0) {
		return -1;
	}
	remember_head(db, message);
	return 0;
}

int head_merge(struct question *q, struct str message, struct tlog_tree *tree, struct err *err)
{
	return merge(q, message, true, tree, err);
}

/* What is missing for it is asked of nobody: our own head does until then. */
void head_refresh(struct question *q)
{
	struct sumdb *db = q->db;
	const struct sumdb_ops *ops = &db->ops;
	struct question quiet = { .db = db, .pool = q->pool, .has_refreshed = true };
	struct tlog_tree tree;
	struct err err = { 0 };
	struct str stored;

	if (q->has_refreshed)
		return;
	q->has_refreshed = true;
	stored = ops->read_latest(ops->context, q->pool);
	if (stored.n == 0 || str_is_equal(stored, db->stored))
		return;
	if (open_head(db, stored, &tree, &err) != 0) {
		ops->drop_latest(ops->context, &err);
		if (db->latest.message.n > 0)
			store_head(q);
		set_str(&db->stored, stored); /* said once, also where it can't be put away */
		return;
	}
	/* A backup was restored, say: ours is what nobody may fall behind. */
	if (merge(&quiet, stored, false, &tree, &err) == 0 && tree.n < db->latest.tree.n)
		store_head(&quiet);
	set_str(&db->stored, stored);
}
