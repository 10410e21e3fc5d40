/*
 * upstream.h - the chain of upstream proxies: who is asked, in which order,
 * and what their answers amount to.
 *
 * The order and the meaning of ',' '|' direct and off are GOPROXY's
 * (go.dev/ref/mod#environment-variables; TryProxies of cmd/go): ',' goes on
 * at 404 and 410 only, '|' at any error; an error outranks "not found" in
 * what the caller is told. Checksum databases are asked through each proxy
 * that says it supports them, then directly (go.dev/ref/mod#checksum-database).
 *
 * What can be tried again safely (no connection, a cut one, 429, 502, 503,
 * 504) is tried [upstream] retries times with a growing pause.
 */
#ifndef ORIGIN_UPSTREAM_H
#define ORIGIN_UPSTREAM_H

#include "origin/direct.h"

struct upstream;

enum upstream_outcome {
	UPSTREAM_GOT,	 /* a 200 came whole; its sense is the caller's to check */
	UPSTREAM_ABSENT, /* an authority says that it isn't there */
	UPSTREAM_FAILED, /* err: ERR_BAD_UPSTREAM, ERR_TIMEOUT or the caller's own */
};

struct upstream_result {
	enum upstream_outcome outcome;
	const char *shown; /* who gave the answer, for people */
	struct err err;
	bool is_final;	   /* UPSTREAM_ABSENT: an upstream said so, not our settings */
	int status;	   /* UPSTREAM_ABSENT: 404 or 410, */
	const char *type;  /* the text's Content-Type, */
	struct str text;   /* and the text as the authority wrote it */
};

/*
 * One object that is wanted. The caller fills in the first part and owns the
 * struct until the result is final. Callbacks come from the fetch thread.
 */
struct upstream_call {
	const char *id;	   /* of the request, for log lines */
	const char *path;  /* below the upstream's URL, without first '/', '!' as is */
	const char *sumdb; /* name of the database if path is one of its; else NULL */
	const char *sumdb_url;
	const char *sumdb_shown;
	/* What it is, for repositories; module empty: it is in none. */
	enum direct_kind kind;
	struct str module, version;
	bool is_proven; /* a checksum database decides, for certain */
	bool is_sumdb_direct; /* at sumdb_url only, through no proxy of the chain */
	bool is_big; /* total_timeout_s counts, not small_total_timeout_s */
	int64_t body_max_bytes;
	/* A body begins at offset 0; may come more than once, after failures. */
	int (*on_start)(void *arg, int64_t length_bytes, struct err *err);
	int (*on_bytes)(void *arg, struct str bytes, struct err *err);
	/* The result lives until upstream_reject() or the call's end. */
	void (*on_done)(void *arg, const struct upstream_result *result);
	void *arg;

	struct upstream_state *state; /* upstream.c's own */
};

struct upstream *upstream_new(const struct config *config, struct fetch *fetch, struct direct *direct);
void upstream_free(struct upstream *upstream);

/* Begin; on_done follows, perhaps before this returns. */
void upstream_start(struct upstream *upstream, struct upstream_call *call);

/*
 * The body of UPSTREAM_GOT makes no sense: the chain goes on as after any
 * error. What is proven to be wrong (ERR_MISMATCH, ERR_UNAVAILABLE) goes on behind
 * ',' as well: who knows the truth may safely look for it elsewhere. on_done is
 * called again, perhaps before this returns.
 */
void upstream_reject(struct upstream *upstream, struct upstream_call *call,
		     const struct err *err);

/* How far along the chain its last answer comes from; after on_done. */
size_t upstream_source(const struct upstream_call *call);

/* Whom it asks now, for people; from any thread while the call goes on. */
const char *upstream_asks(const struct upstream_call *call);

/* Free what the call holds; after on_done, never between. */
void upstream_end(struct upstream_call *call);

#endif
