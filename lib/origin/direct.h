/*
 * direct.h - modules straight from their repositories, as GOPROXY=direct gets
 * them: the same versions, .info, go.mod files and module zips as cmd/go makes
 * (modfetch/coderepo.go), by git alone.
 *
 * A call is a job for a few threads of ours, since git is waited for; more calls
 * than threads wait in line. Repositories: repo.h; where they are: discovery.h.
 */
#ifndef ORIGIN_DIRECT_H
#define ORIGIN_DIRECT_H

#include "origin/fetch.h"
#include "state/store.h"

/* Calls that may wait in line; more are refused. */
#define DIRECT_QUEUE_MAX 10000

enum direct_kind { DIRECT_LIST, DIRECT_LATEST, DIRECT_INFO, DIRECT_MOD, DIRECT_ZIP };

struct direct_answer {
	struct err err; /* ERR_NONE: status counts */
	int status;	/* 200: the body came whole. 404: text says why; it is certain */
	struct str text;
	const char *shown; /* who was asked, for people */
	struct str commit; /* whose file it is: for direct_reject(). Empty if a query's, or a proxy's */
};

/*
 * One object. The caller owns the struct and the strings until on_done was
 * called. Callbacks come one at a time, from a thread of ours or the fetch
 * thread; on_start tells the length, or -1.
 */
struct direct_call {
	const char *id; /* of the request, for log lines */
	enum direct_kind kind;
	struct str module;
	struct str version; /* canonical, or a query (DIRECT_INFO alone), or empty */
	const char *path;   /* "MODULE/@v/VERSION.zip", escaped */
	bool is_proven;	    /* a checksum database decides about the answer, for certain */
	int timeout_s;
	int64_t body_max_bytes;
	int (*on_start)(void *arg, int64_t length_bytes, struct err *err);
	int (*on_bytes)(void *arg, struct str bytes, struct err *err);
	void (*on_done)(void *arg, const struct direct_answer *answer);
	void *arg;
};

struct direct;
struct direct *direct_new(const struct config *config, struct store *store, struct fetch *fetch);
void direct_free(struct direct *direct);

/* Must this module be fetched from its repository, whatever the chain says? */
bool direct_is_forced(const struct config *config, struct str module);

/* Can repositories be asked at all? If not, *err says what is missing. */
bool direct_is_usable(const struct direct *direct, struct err *err);

/* Begin; on_done follows, perhaps before this returns. From any thread. */
void direct_start(struct direct *direct, const struct direct_call *call);

/*
 * What was given out of a version turned out to be wrong: the .info that leads to its commit
 * goes, unless it leads to another by now, so that the next call looks where the tag is then.
 *
 * path    as in the call
 * commit  as in the answer
 */
void direct_reject(struct direct *direct, const char *id, struct str module, const char *path,
		   struct str commit, const char *why);

/*
 * Go all the way to a module's repository, newest version and zip, and tell about
 * each step: for people who ask why it doesn't work. Stops at the first bad one.
 *
 * tell  is_good: it went well; what: which step; text: what came of it
 *
 * Returns true if all went well.
 */
typedef void direct_tell(void *arg, bool is_good, const char *what, const char *text);
bool direct_examine(struct direct *direct, struct str module, direct_tell *tell, void *arg);

/* Now and then: remove what is old or too much. It may take a while. */
void direct_sweep(struct direct *direct);

#endif
