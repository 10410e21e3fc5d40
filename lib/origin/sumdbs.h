/*
 * sumdbs.h - the checksum databases of the settings, asked over the network.
 *
 * sumdb.h says what counts as proven; here is where its bytes come from: the
 * store (download/sumdb/NAME in Go's layout, sumdb/NAME/latest), the chain's
 * proxies where they offer the database, else the database itself. What one
 * source answers and is wrong, the next one is asked for. Files that several
 * questions need at once are fetched once. Nothing waits: who asks is called
 * when the answer is there.
 */
#ifndef ORIGIN_SUMDBS_H
#define ORIGIN_SUMDBS_H

#include "base/work.h"
#include "origin/sumdb.h"
#include "origin/upstream.h"
#include "state/store.h"

struct sumdbs;

/*
 * All of them must outlive it. work: proofs that somebody waits for; disk:
 * what is written behind the answer.
 */
struct sumdbs *sumdbs_new(const struct config *config, struct store *store,
			  struct upstream *upstream, struct work *work, struct work *disk);
void sumdbs_free(struct sumdbs *sumdbs); /* no question is under way */

/* Must a module be checked, and by which database? */
enum sumdbs_rule {
	SUMDBS_CHECK,
	SUMDBS_SKIP, /* by [sumdb] gosumdb or nosumdb, or since it is private */
	SUMDBS_DENY, /* by [sumdb] policy */
};
enum sumdbs_rule sumdbs_rule_of(const struct config *config, struct str module,
				const struct config_sumdb **sumdb);

enum sumdb_question { SUMDB_ASK_LOOKUP, SUMDB_ASK_TILE, SUMDB_ASK_LATEST };

/*
 * One question. The caller fills in the first part and owns the struct until
 * sumdb_call_end(); the strings live as long as pool, which is the call's.
 */
struct sumdb_call {
	const char *id; /* of the request, for log lines */
	const struct config_sumdb *sumdb;
	enum sumdb_question question;
	struct str module, version; /* SUMDB_ASK_LOOKUP */
	struct tlog_tile tile;	    /* SUMDB_ASK_TILE */
	/*
	 * The answer is there; from a worker or the fetch thread, so it must not block,
	 * perhaps before sumdb_call_start() returns.
	 */
	void (*on_done)(void *arg);
	void *arg;

	struct pool *pool;
	enum sumdb_status status; /* never SUMDB_WAIT in on_done */
	struct sumdb_record record;
	struct str data;   /* of a tile, or the newest head */
	struct str absent; /* SUMDB_ABSENT: the text of whoever said so */
	int absent_status; /* and its status: 404 or 410 */
	struct err err;	   /* SUMDB_FAILED: ERR_MISMATCH or ERR_UNAVAILABLE */
};

/*
 * Answer from what is kept, asking nobody: true if that is enough. Not for
 * SUMDB_ASK_LATEST where what is kept may be too old.
 */
bool sumdb_call_try(struct sumdbs *sumdbs, struct sumdb_call *call);

/* Ask; on_done follows. */
void sumdb_call_start(struct sumdbs *sumdbs, struct sumdb_call *call);

/* Free what the call holds; before the start or after on_done. */
void sumdb_call_end(struct sumdb_call *call);

/*
 * Lookups that were proven are written by whoever writes next what they are
 * about: sumdbs_flush(), from a thread that may wait for the disk. What nobody
 * has written is at the next tick.
 */
void sumdbs_flush(struct sumdbs *sumdbs);
void sumdbs_tick(struct sumdbs *sumdbs);

/* The database itself, for sumdb_prove(). */
struct sumdb *sumdbs_find(struct sumdbs *sumdbs, const struct config_sumdb *sumdb);

/* When a database's newest head was confirmed last; 0: never. */
time_t sumdbs_confirmed(struct sumdbs *sumdbs, const struct config_sumdb *sumdb);

#endif
