#include <stdlib.h>
#include <string.h>

#include "gomod/module.h"
#include "gomod/version.h"
#include "origin/sumdb_internal.h"

static int check_record(struct question *q, const struct tlog_tree *tree,
			const struct tlog_record *record, struct err *err)
{
	struct tlog_tile_reader reader = question_reader(q);
	struct tlog_hash expected = tlog_record_hash(record->text), hash;
	uint64_t index;

	if (record->id >= tree->n)
		return err_set(err, ERR_MISMATCH,
			       "record %lld can't be proven in a tree of %lld records",
			       (long long)record->id, (long long)tree->n);
	index = tlog_stored_hash_index(0, record->id);
	if (tlog_read_hashes(&reader, tree, &index, 1, &hash, err) != 0)
		return question_fail(err);
	if (!tlog_hash_is_equal(&hash, &expected))
		return err_set(err, ERR_MISMATCH, "record %lld of the tree has another text",
			       (long long)record->id);
	return 0;
}

/* Ask for what the proof will need, in the same round as what the head needs. */
static void ask_ahead(struct question *q, const struct tlog_tree *tree,
		      const struct tlog_record *record)
{
	struct question ahead = { .db = q->db, .asker = q->asker, .pool = q->pool };
	struct err ignored;

	ahead.is_strict = ahead.must_not_save = true;
	check_record(&ahead, tree, record, &ignored);
	q->is_waiting |= ahead.is_waiting;
}

struct str sumdb_line_version(struct pool *pool, struct str version, bool is_mod)
{
	return is_mod ? pool_printf(pool, "%.*s/go.mod", STR_ARG(version)) : version;
}

/* Does the record speak of this version? See CVE-2026-42501. */
static bool has_line(struct pool *pool, struct str text, struct str module, struct str version)
{
	struct str h1;

	return tlog_record_find(text, module, version, &h1) ||
	       tlog_record_find(text, module, sumdb_line_version(pool, version, true), &h1);
}

/* Prove an answer to a lookup, wherever it comes from. */
static int check_lookup(struct question *q, struct str message, struct str module,
			struct str version, struct sumdb_record *out, struct err *err)
{
	struct sumdb *db = q->db;
	struct tlog_tree tree = { 0 };
	struct tlog_record record;
	struct str note;

	if (tlog_record_parse(message, &record, &note, err) != 0)
		return question_fail(err);
	if (!has_line(q->pool, record.text, module, version))
		return err_set(err, ERR_MISMATCH, "record %lld is another module's", (long long)record.id);
	if (head_merge(q, note, &tree, err) != 0) {
		if (q->is_waiting && tree.n > db->latest.tree.n)
			ask_ahead(q, &tree, &record);
		return question_fail(err);
	}
	if (check_record(q, &db->latest.tree, &record, err) != 0)
		return -1;
	*out = (struct sumdb_record){ record.id, record.text, message, db->latest.tree };
	return 0;
}

static struct kept_lookup *place_of(struct sumdb *db, const char *file)
{
	return &db->lookups[str_hash(str_of(file)) % LOOKUPS_KEPT];
}

static void keep_lookup(struct sumdb *db, const char *file, struct str message)
{
	struct kept_lookup *kept = place_of(db, file);

	free(kept->file);
	free(kept->message);
	*kept = (struct kept_lookup){ mem_strdup(str_of(file)), mem_strdup(message), message.n };
}

/* Proven in a tree that ours has continued since. */
static bool find_kept(struct question *q, const char *file, struct sumdb_record *out)
{
	const struct kept_lookup *kept = place_of(q->db, file);
	struct tlog_record record;
	struct err ignored;
	struct str note;

	if (!kept->file || strcmp(kept->file, file) != 0)
		return false;
	out->message = pool_str(q->pool, (struct str){ kept->message, kept->n });
	if (tlog_record_parse(out->message, &record, &note, &ignored) != 0)
		return false;
	out->id = record.id;
	out->text = record.text;
	out->tree = q->db->latest.tree;
	return true;
}

static enum sumdb_status lookup(struct question *q, const char *file, struct str module,
				struct str version, struct sumdb_record *record,
				struct str *absent, struct err *err)
{
	const struct sumdb_ops *ops = &q->db->ops;
	enum sumdb_status status;
	struct str message;

	if (find_kept(q, file, record))
		return SUMDB_DONE;
	if (ops->read_cache(ops->context, file, q->pool, &message)) {
		if (check_lookup(q, message, module, version, record, err) == 0) {
			keep_lookup(q->db, file, message);
			return SUMDB_DONE;
		}
		/* What only can't be proven now stays. */
		if (q->is_waiting || q->must_retry || err->kind != ERR_MISMATCH)
			return question_status(q, -1);
		ops->drop_cache(ops->context, file, err);
	}
	status = question_read(q, file, &message, err);
	if (status == SUMDB_ABSENT)
		*absent = message;
	if (status != SUMDB_DONE)
		return status;
	message = pool_str(q->pool, message);
	if (check_lookup(q, message, module, version, record, err) == 0) {
		keep_lookup(q->db, file, message);
		ops->write_cache(ops->context, file, message);
		return SUMDB_DONE;
	}
	return question_reject_file(q, file, err);
}

void sumdb_forget_lookups(struct sumdb *db)
{
	for (size_t i = 0; i < LOOKUPS_KEPT; i++) {
		free(db->lookups[i].file);
		free(db->lookups[i].message);
		db->lookups[i] = (struct kept_lookup){ 0 };
	}
}

/* Where it is, in the database and where it is kept; NULL with *err set: nowhere. */
static const char *lookup_file(struct pool *pool, struct str module, struct str version, struct err *err)
{
	struct str escaped, escaped_version;

	if (module_escape_path(pool, module, &escaped, err) != 0 ||
	    version_escape(pool, version, &escaped_version, err) != 0)
		return NULL;
	return pool_printf(pool, "lookup/%.*s@%.*s", STR_ARG(escaped), STR_ARG(escaped_version)).p;
}

enum sumdb_status sumdb_lookup(struct sumdb *db, void *asker, struct pool *pool,
			       struct str module, struct str version,
			       struct sumdb_record *record, struct str *absent,
			       struct err *err)
{
	struct question q = { .db = db, .asker = asker, .pool = pool };
	enum sumdb_status status = SUMDB_FAILED;
	const char *file = lookup_file(pool, module, version, err);

	if (!file)
		return SUMDB_FAILED;
	pthread_mutex_lock(&db->mutex);
	for (int i = 0; i < QUESTION_TRIES_MAX && question_begin(&q, err); i++) {
		status = question_end(&q, lookup(&q, file, module, version, record, absent, err), err);
		if (status == SUMDB_DONE || !q.must_retry)
			break;
	}
	pthread_mutex_unlock(&db->mutex);
	return status;
}

bool sumdb_recall(struct sumdb *db, struct pool *pool, struct str module, struct str version,
		  struct sumdb_record *record)
{
	struct question q = { .db = db, .pool = pool };
	struct err ignored;
	const char *file = lookup_file(pool, module, version, &ignored);
	bool is_there;

	if (!file)
		return false;
	pthread_mutex_lock(&db->mutex);
	is_there = question_begin(&q, &ignored) && find_kept(&q, file, record);
	pthread_mutex_unlock(&db->mutex);
	return is_there;
}

bool sumdb_lookup_quickly(struct sumdb *db, struct pool *pool, struct str message,
			  struct str module, struct str version, struct sumdb_record *record)
{
	struct question q = { .db = db, .pool = pool, .is_quick = true };
	struct tlog_record parsed = { 0 };
	struct err err;
	struct str note;
	bool is_proven;

	if (tlog_record_parse(message, &parsed, &note, &err) != 0 || pthread_mutex_trylock(&db->mutex) != 0)
		return false;
	is_proven = question_begin(&q, &err) && head_is_known(db, note) && has_line(pool, parsed.text, module, version) &&
		    check_record(&q, &db->latest.tree, &parsed, &err) == 0;
	if (is_proven) {
		const char *file = lookup_file(pool, module, version, &err);

		*record = (struct sumdb_record){ parsed.id, parsed.text, message, db->latest.tree };
		keep_lookup(db, file, message);
		db->ops.write_cache(db->ops.context, file, message);
	}
	pthread_mutex_unlock(&db->mutex);
	return is_proven;
}
