/*
 * sumdb.h - a checksum database: what it says of a module, proven.
 *
 * The rules are those of golang.org/x/mod/sumdb (client.go) and of
 * go.dev/ref/mod#checksum-database: a record counts once its hash is found in
 * the newest tree whose head the database has signed; a head counts once it
 * continues the newest one known, or lies on its way. Two signed heads that
 * don't fit together are an alarm: nothing is taken from that database any
 * more until a person has looked at the evidence.
 *
 * No I/O: the world is reached by struct sumdb_ops, after ClientOps there. A
 * question that needs an answer from the network says SUMDB_WAIT and is asked
 * again, from its beginning, when the answer is there; so nothing ever waits
 * here. Safe for threads: a database is locked while a question is asked.
 */
#ifndef ORIGIN_SUMDB_H
#define ORIGIN_SUMDB_H

#include "base/err.h"
#include "base/str.h"
#include "gomod/tlog_tile.h"

/* Height of the tiles that databases publish; cmd/go reads no others. */
#define SUMDB_TILE_HEIGHT 8

enum sumdb_status {
	SUMDB_DONE,
	SUMDB_WAIT,   /* ask again when what read_remote() was asked for is there */
	SUMDB_ABSENT, /* the database says that there is no such thing */
	SUMDB_FAILED, /* see err */
};

struct sumdb_ops {
	/*
	 * The newest signed tree head that any process has proven; empty if there
	 * is none. What can't be read counts as none.
	 */
	struct str (*read_latest)(void *context, struct pool *pool);

	/*
	 * Put a proven head in place of the old one. True if something else than
	 * old is there by now; that it can't be written is no reason to stop.
	 */
	bool (*write_latest)(void *context, struct str old, struct str head);

	/* The head in place can't be right: keep it where it is of no harm. */
	void (*drop_latest)(void *context, const struct err *why);

	/* A file that was kept, such as "tile/8/0/000" or "lookup/M@V"; false: none. */
	bool (*read_cache)(void *context, const char *file, struct pool *pool, struct str *data);
	void (*write_cache)(void *context, const char *file, struct str data);
	void (*drop_cache)(void *context, const char *file, const struct err *why);

	/*
	 * What the database answers, on behalf of asker (sumdb_lookup()'s).
	 *
	 * data  out, SUMDB_DONE: the bytes, unproven; SUMDB_ABSENT: the text of
	 *       whoever said so. They live as long as the asker.
	 * err   SUMDB_FAILED: ERR_MISMATCH if all that came was wrong, else why
	 *       nothing came
	 */
	enum sumdb_status (*read_remote)(void *context, void *asker, const char *file,
					 struct str *data, struct err *err);

	/*
	 * What read_remote() gave is wrong in at least one of these files: another
	 * source is to be asked, for those that come from the source that was
	 * asked first. The question says SUMDB_WAIT then.
	 */
	void (*reject_remote)(void *context, void *asker, const char *const *files, size_t n,
			      const struct err *why);

	/* Keep the evidence that the database has two histories, and raise the alarm. */
	void (*raise_alarm)(void *context, struct str evidence);
	/* Does an alarm stand? where: what to tell people. */
	bool (*has_alarm)(void *context, struct pool *pool, struct str *where);
	void *context;
};

struct sumdb;

/*
 * key: for note_verifier_parse(), which must have taken it. Key and ops are
 * copied but for what the key's text is.
 */
struct sumdb *sumdb_new(const char *key, const struct sumdb_ops *ops);
void sumdb_free(struct sumdb *db);
struct str sumdb_name(const struct sumdb *db);

/* A record, with what proves it; all of it lives as long as the pool. */
struct sumdb_record {
	int64_t id;
	struct str text;       /* the lines of go.sum: what is proven */
	struct str message;    /* the whole answer to the lookup: text and a signed head */
	struct tlog_tree tree; /* in which it was proven */
};

/* The VERSION of tlog_record_find(): of a zip, or with is_mod of its go.mod. */
struct str sumdb_line_version(struct pool *pool, struct str version, bool is_mod);

/*
 * What the database knows of module@version. The text has a line of it; which
 * hash it names is tlog_record_find()'s business.
 *
 * asker    passed on to read_remote(); NULL: nobody is asked, only what is kept
 *          counts, and SUMDB_WAIT means that it doesn't suffice
 * version  canonical, without "/go.mod"
 * record   out, SUMDB_DONE
 * absent   out, SUMDB_ABSENT: the text of whoever said so
 * err      SUMDB_FAILED: ERR_MISMATCH: all that came is wrong, or an alarm
 *          stands; ERR_UNAVAILABLE: nothing came
 */
enum sumdb_status sumdb_lookup(struct sumdb *db, void *asker, struct pool *pool,
			       struct str module, struct str version,
			       struct sumdb_record *record, struct str *absent,
			       struct err *err);

/*
 * The same for an answer that has just come, if what is in memory proves it: a
 * few microseconds, without a signature, and of the disk only the look for an
 * alarm. False: sumdb_lookup() has to.
 */
bool sumdb_lookup_quickly(struct sumdb *db, struct pool *pool, struct str message,
			  struct str module, struct str version,
			  struct sumdb_record *record);

/* From memory alone, what was proven lately; false: it isn't there. */
bool sumdb_recall(struct sumdb *db, struct pool *pool, struct str module, struct str version,
		  struct sumdb_record *record);

/*
 * The bytes of a tile: hashes of any height up to TLOG_READ_HEIGHT_MAX, or
 * with level TLOG_TILE_DATA_LEVEL records of height SUMDB_TILE_HEIGHT.
 * Other arguments and results as above.
 */
enum sumdb_status sumdb_read_tile(struct sumdb *db, void *asker, struct pool *pool,
				  const struct tlog_tile *tile, struct str *data,
				  struct str *absent, struct err *err);

/*
 * The newest signed head. With an asker the database is asked for a newer one
 * first; without, SUMDB_WAIT means that none is known yet.
 */
enum sumdb_status sumdb_latest(struct sumdb *db, void *asker, struct pool *pool,
			       struct str *head, struct err *err);

/* The proof that the record is in its tree, from what is kept; as sumdb_lookup(). */
enum sumdb_status sumdb_prove(struct sumdb *db, void *asker, struct pool *pool,
			      const struct sumdb_record *record, struct tlog_proof *proof,
			      struct err *err);

#endif
