/*
 * flight_internal.h - what the parts of flight share; nobody else's business.
 *
 * flight.c: the table, requests, deadlines. flight_fetch.c: the holder, who
 * fetches, checks and commits. flight_ahead.c: before anybody asks.
 * flight_prove.c: what checksum databases say. flight_follow.c: who follows
 * another process. flight_end.c: how requests leave a flight, and how it ends.
 */
#ifndef SERVE_FLIGHT_INTERNAL_H
#define SERVE_FLIGHT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "gomod/modzip.h"
#include "serve/flight.h"
#include "state/part.h"

#define FLIGHT_TABLE_SIZE 1024 /* a power of two */

enum flight_state { FLIGHT_WORKING, FLIGHT_FOLLOWING, FLIGHT_PROVEN };

/*
 * At any time one thread drives a flight: a worker, the fetch thread, or
 * for a follower the worker that polls. What others touch is guarded by
 * flights.mutex and marked with (m).
 */
struct flight {
	struct flight *next, *prev; /* (m) all of them */
	struct flight *next_same;   /* (m) in the table's row */
	struct flights *home;
	struct pool *pool;
	char id[24]; /* of the request that began it, for log lines */
	struct route route;
	enum flight_state state; /* (m) */
	struct want *waiters;	 /* (m) */
	bool is_streaming;	 /* (m) requests may be on the source */
	bool is_polled;		 /* (m) a worker is at it */
	int64_t poll_at_ms;	 /* (m) */
	int poll_ms;
	struct http_source *source; /* (m) while waiters may look at it */
	struct part part;
	bool owns_part_fd; /* not the source */
	bool is_mixed;	   /* another try gave other bytes than those that are out */
	bool is_careful;   /* so this one, after such a flight, sends nothing unproven */
	bool is_ahead;	   /* fetched before anybody asked for it */
	bool is_refused_ahead; /* and then not: who asked meanwhile begins anew */
	int64_t ahead_bytes;   /* of the budget */
	time_t renews;	   /* what was confirmed then is fresh, but not for long */
	int64_t length_bytes;
	time_t mtime;
	int64_t started_ms, published_ms;
	struct upstream_call call;
	struct modzip_stream *zip;
	const struct upstream_result *result;
	struct sumdb_call proof;  /* or, for /sumdb/, the answer itself */
	bool is_proof_running;	  /* (m) */
	bool is_proof_awaited;	  /* (m) the body is there, and checked */
	bool is_pinned;
	bool is_over;		  /* (m) but for the proof, which nobody needs any more */
	const char *from;	  /* the upstream whose bytes these are, for people */
	const char *proven_how;	  /* for the audit log; NULL: by the database's record */
	char h1[MODZIP_H1_SIZE];  /* of the body */
};

struct flights {
	const struct answer *answer;
	struct store *store;
	struct upstream *upstream;
	struct sumdbs *sumdbs;
	struct work *work;
	struct work *disk; /* what nobody waits for any more */
	pthread_mutex_t mutex;
	struct flight *all;		      /* (m) */
	struct flight *table[FLIGHT_TABLE_SIZE];     /* (m) */
	atomic_int commits;		      /* that wait for the disk, or are at it */
	int parked;			      /* (m) */
	int ahead;			      /* (m) flights */
	int64_t ahead_bytes;		      /* (m) of zips that are read ahead */
};

/* Requests that leave a flight together; handed to a worker. */
struct departure {
	struct flights *flights;
	struct http_source *source;
	time_t mtime;
	struct want *wants;
};

/* The first thing that happens to a flight, and again if its file is gone. */
void flight_start(struct flight *f);

/* The holder's part: from the chain of upstreams to the store. */
void flight_fetch(struct flight *f);

/* The body makes sense: is it the one that the checksum database knows? */
enum flight_verdict {
	FLIGHT_WAITS,	 /* flight_conclude() follows when the proof is there */
	FLIGHT_GOOD,
	FLIGHT_WRONG,	 /* the next upstream may have the right one */
	FLIGHT_REFUSED,
};
/*
 * Before the body is asked for: true if flight_prove_ask() must follow, which
 * holds the flight until then. Afterwards it may be gone.
 */
bool flight_prove_begin(struct flight *f);
void flight_prove_ask(struct flight *f);

/* Between the two: a zip that will be refused anyway needn't be fetched. */
bool flight_is_hopeless(struct flight *f, struct err *err);
enum flight_verdict flight_prove(struct flight *f, struct err *err);
/* The proof is there, and speaks of it or isn't needed. */
bool flight_may_be_good(struct flight *f);
void flight_conclude(struct flight *f);

/* A flight that no request waits for, yet; NULL if there is one already. To be started. */
struct flight *flight_alone(struct flights *flights, const struct route *route, const char *id);

/* Behind an object: fetch what will be wanted next, if the settings say so. */
void flight_read_ahead(struct flight *f);
/* A body of that length begins: ERR_OVERLOAD if that is too much for what nobody asked for. */
int flight_ahead_admit(struct flight *f, int64_t length_bytes, struct err *err);
void flight_ahead_end(struct flight *f);

/* Behind the answer: whatever has to be on the disk before the object is. */
bool flight_may_keep(struct flight *f);

/* Free it now, or once the proof that it waits for is there. */
void flight_free(struct flight *f);

/* Ask a checksum database on behalf of clients. */
void flight_ask_sumdb(struct flight *f);

/* The follower's part: look again soon. */
void flight_follow(struct flight *f, bool has_moved);
void flight_poll(void *arg); /* a job */

/* Can a body of this length leave before the whole is proven? */
bool flight_can_stream(const struct flight *f);
bool flight_is_streamable(const struct want *want);

/* From here on the bytes that come in go out, to all who can take them so. */
void flight_begin_streaming(struct flight *f);

/* How far the bytes may go out before the whole is proven. */
void flight_set_limit(struct flight *f, int64_t valid_bytes);

/* Tell those who follow in other processes; err may be NULL. */
void flight_publish(struct flight *f, enum part_state state, const struct err *err);

/* The source holds all there is, and all of it is good: answers who waits. */
void flight_set_proven(struct flight *f, int fd, int64_t size_bytes);

/* The end: answers who still waits, frees the flight. */
void flight_end_proven(struct flight *f);
void flight_end_failed(struct flight *f, const struct err *err);
/* is_news: the store is to remember it. */
void flight_end_absent(struct flight *f, const struct store_absence *absence, bool is_news);

/* Takes the flight out of the table; whoever asks from now on looks in the store. */
struct want *flight_remove(struct flight *f);

/* All who wait; the mutex is held. */
struct want *flight_take_waiters(struct flight *f);

#endif
