#include "origin/sumdb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "origin/sumdb_internal.h"

struct sumdb *sumdb_new(const char *key, const struct sumdb_ops *ops)
{
	struct sumdb *db = mem_alloc(sizeof(*db));
	struct err err;
	int rc;

	db->ops = *ops;
	db->key = mem_strdup(str_of(key));
	rc = note_verifier_parse(str_of(db->key), &db->verifier, &err);
	assert(rc == 0);
	(void)rc;
	db->latest.tree.hash = tlog_tree_hash(0, NULL);
	pthread_mutex_init(&db->mutex, NULL);
	return db;
}

void sumdb_free(struct sumdb *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < HEADS_KEPT; i++)
		free((char *)db->heads[i].p);
	free((char *)db->latest.message.p);
	free((char *)db->stored.p);
	sumdb_forget_lookups(db);
	sumdb_tiles_clear(db);
	pthread_mutex_destroy(&db->mutex);
	free(db->key);
	free(db);
}

struct str sumdb_name(const struct sumdb *db)
{
	return db->verifier.name;
}

enum sumdb_status question_read(struct question *q, const char *file, struct str *data,
				struct err *err)
{
	const struct sumdb_ops *ops = &q->db->ops;
	enum sumdb_status status = SUMDB_WAIT;

	if (q->asker)
		status = ops->read_remote(ops->context, q->asker, file, data, err);
	q->is_waiting |= status == SUMDB_WAIT;
	return status;
}

void question_reject(struct question *q, const char *const *files, size_t n, const struct err *why)
{
	const struct sumdb_ops *ops = &q->db->ops;

	if (!q->asker || n == 0)
		return;
	ops->reject_remote(ops->context, q->asker, files, n, why);
	q->is_waiting = true;
}

/* Unless something else is to blame, what came under this name is. */
enum sumdb_status question_reject_file(struct question *q, const char *file, const struct err *err)
{
	if (!q->is_waiting && !q->must_retry && err->kind == ERR_MISMATCH)
		question_reject(q, &file, 1, err);
	return q->is_waiting ? SUMDB_WAIT : SUMDB_FAILED;
}

enum sumdb_status question_status(const struct question *q, int rc)
{
	return rc == 0 ? SUMDB_DONE : q->is_waiting ? SUMDB_WAIT : SUMDB_FAILED;
}

/* A proof that fails doesn't say whose fault that is; here it is the database's. */
int question_fail(struct err *err)
{
	if (err->kind == ERR_BAD_UPSTREAM)
		err->kind = ERR_MISMATCH;
	return -1;
}

/* ---- every question ---- */

static bool has_alarm(const struct question *q, struct err *err)
{
	const struct sumdb_ops *ops = &q->db->ops;
	struct str where;

	if (!ops->has_alarm(ops->context, q->pool, &where))
		return false;
	err_set(err, ERR_MISMATCH,
		"the checksum database %.*s has signed two histories: nothing is taken from it "
		"until an administrator has looked at '%.*s' and removed it",
		STR_ARG(sumdb_name(q->db)), STR_ARG(where));
	return true;
}

/* The first try, or the next one, without what was in the way of the last. */
bool question_begin(struct question *q, struct err *err)
{
	q->is_waiting = q->must_retry = false;
	q->has_refreshed = false;
	return !has_alarm(q, err);
}

/* What the question found out may have raised an alarm. */
enum sumdb_status question_end(const struct question *q, enum sumdb_status status, struct err *err)
{
	return status != SUMDB_FAILED && has_alarm(q, err) ? SUMDB_FAILED : status;
}

/* ---- heads ---- */

static enum sumdb_status ask_latest(struct question *q, struct err *err)
{
	struct tlog_tree tree;
	const char *file = "latest";
	struct str message;
	enum sumdb_status status = question_read(q, file, &message, err);

	if (status == SUMDB_ABSENT) {
		err_set(err, ERR_MISMATCH, "the source has no tree head");
		return question_reject_file(q, file, err);
	}
	if (status != SUMDB_DONE)
		return status;
	if (head_merge(q, message, &tree, err) == 0)
		return SUMDB_DONE;
	question_fail(err);
	return question_reject_file(q, file, err);
}

enum sumdb_status sumdb_latest(struct sumdb *db, void *asker, struct pool *pool,
			       struct str *head, struct err *err)
{
	struct question q = { .db = db, .asker = asker, .pool = pool };
	enum sumdb_status status = SUMDB_FAILED;

	pthread_mutex_lock(&db->mutex);
	for (int i = 0; i < QUESTION_TRIES_MAX && question_begin(&q, err); i++) {
		head_refresh(&q);
		if (asker)
			status = question_end(&q, ask_latest(&q, err), err);
		else
			status = question_end(&q, db->latest.message.n > 0 ? SUMDB_DONE : SUMDB_WAIT, err);
		if (status == SUMDB_DONE || !q.must_retry)
			break;
	}
	if (status == SUMDB_DONE)
		*head = pool_str(pool, db->latest.message);
	pthread_mutex_unlock(&db->mutex);
	return status;
}

/* ---- tiles ---- */

static int read_hashes(struct question *q, const struct tlog_tile *tile, struct str *data,
		       struct err *err)
{
	struct tlog_tile_reader reader = question_reader(q);
	size_t n = (size_t)tile->width * TLOG_HASH_SIZE;
	char *bytes = pool_alloc(q->pool, n);

	if (tlog_read_tile(&reader, &q->db->latest.tree, tile, (struct tlog_hash *)bytes, err) != 0)
		return question_fail(err);
	*data = (struct str){ bytes, n };
	return 0;
}

/*
 * A tile of records: their texts, an empty line behind each (server.go of
 * golang.org/x/mod/sumdb).
 */
static int check_records(struct question *q, const struct tlog_tile *tile, struct str data,
			 struct err *err)
{
	struct tlog_tile hashes = *tile;
	struct str leaves = STR("");

	hashes.level = 0;
	if (read_hashes(q, &hashes, &leaves, err) != 0)
		return -1;
	for (int i = 0; i < tile->width; i++) {
		long end = str_find_str(data, STR("\n\n"));
		struct tlog_hash hash = tlog_record_hash(str_head(data, (size_t)(end + 1)));

		if (end < 0 || memcmp(hash.bytes, leaves.p + (size_t)i * TLOG_HASH_SIZE, TLOG_HASH_SIZE) != 0)
			return err_set(err, ERR_MISMATCH, "its record %d isn't the tree's", i);
		data = str_skip(data, (size_t)end + 2);
	}
	return data.n == 0 ? 0 : err_set(err, ERR_MISMATCH, "bytes behind its records");
}

static enum sumdb_status read_records(struct question *q, const struct tlog_tile *tile,
				      struct str *data, struct str *absent, struct err *err)
{
	const struct sumdb_ops *ops = &q->db->ops;
	char path[TLOG_TILE_PATH_SIZE];
	enum sumdb_status status;

	tlog_tile_path(tile, path);
	if (ops->read_cache(ops->context, path, q->pool, data)) {
		if (check_records(q, tile, *data, err) == 0)
			return SUMDB_DONE;
		if (q->is_waiting || q->must_retry || err->kind != ERR_MISMATCH)
			return question_status(q, -1);
		ops->drop_cache(ops->context, path, err);
	}
	status = question_read(q, path, data, err);
	if (status == SUMDB_ABSENT)
		*absent = *data;
	if (status != SUMDB_DONE)
		return status;
	if (check_records(q, tile, *data, err) == 0) {
		*data = pool_str(q->pool, *data);
		ops->write_cache(ops->context, path, *data);
		return SUMDB_DONE;
	}
	return question_reject_file(q, path, err);
}

static enum sumdb_status read_tile(struct question *q, const struct tlog_tile *tile,
				   struct str *data, struct str *absent, struct err *err)
{
	bool is_data = tile->level == TLOG_TILE_DATA_LEVEL;
	int64_t n;

	if (!tlog_tile_is_in_tree(tile, q->db->latest.tree.n))
		head_refresh(q);
	if (!tlog_tile_is_in_tree(tile, q->db->latest.tree.n)) {
		enum sumdb_status status = ask_latest(q, err);

		if (status != SUMDB_DONE)
			return status;
	}
	n = q->db->latest.tree.n;
	if (!tlog_tile_is_in_tree(tile, n) || tile->height > TLOG_READ_HEIGHT_MAX ||
	    (is_data && tile->height != SUMDB_TILE_HEIGHT)) {
		*absent = pool_printf(q->pool, "not found: no such tile of a tree of %lld records\n",
				      (long long)n);
		return SUMDB_ABSENT;
	}
	if (is_data)
		return read_records(q, tile, data, absent, err);
	return question_status(q, read_hashes(q, tile, data, err));
}

enum sumdb_status sumdb_read_tile(struct sumdb *db, void *asker, struct pool *pool,
				  const struct tlog_tile *tile, struct str *data,
				  struct str *absent, struct err *err)
{
	struct question q = { .db = db, .asker = asker, .pool = pool };
	enum sumdb_status status = SUMDB_FAILED;

	pthread_mutex_lock(&db->mutex);
	for (int i = 0; i < QUESTION_TRIES_MAX && question_begin(&q, err); i++) {
		status = question_end(&q, read_tile(&q, tile, data, absent, err), err);
		if (status == SUMDB_DONE || !q.must_retry)
			break;
	}
	pthread_mutex_unlock(&db->mutex);
	return status;
}

/* ---- proofs for people ---- */

enum sumdb_status sumdb_prove(struct sumdb *db, void *asker, struct pool *pool,
			      const struct sumdb_record *record, struct tlog_proof *proof,
			      struct err *err)
{
	struct question q = { .db = db, .asker = asker, .pool = pool };
	struct tlog_tile_reader reader = question_reader(&q);
	struct tlog_hash hashes[TLOG_INDEXES_MAX], hash = tlog_record_hash(record->text);
	uint64_t indexes[TLOG_INDEXES_MAX];
	size_t n;
	int rc;

	pthread_mutex_lock(&db->mutex);
	rc = tlog_record_indexes(record->tree.n, record->id, indexes, &n, err);
	if (rc == 0)
		rc = tlog_read_hashes(&reader, &record->tree, indexes, n, hashes, err);
	pthread_mutex_unlock(&db->mutex);
	if (rc != 0)
		return question_status(&q, question_fail(err));
	tlog_record_prove(record->tree.n, record->id, hashes, proof);
	return question_status(&q, tlog_record_check(proof, &record->tree, record->id, &hash, err));
}
