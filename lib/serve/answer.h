/*
 * answer.h - what is said to a request once it is known: an object, that it
 * isn't there, or why there is no telling. The request is gone afterwards.
 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include "serve/loop.h"
#include "serve/route.h"
#include "state/store.h"

/* A request, what it wants, and the old answer it can fall back on. */
struct want {
	struct http_request *request; /* its pool owns this struct */
	struct route route;
	struct http_source *stale; /* NULL: there is none */
	time_t stale_mtime;
	struct want *next;   /* in whoever's list it waits */
	int64_t deadline_ms;
	const char *waits_for; /* whose answer it waited for, when the time was over */

	/* How the answer came about, in the words of RFC 9211; NULL: neither. */
	const char *cache_status; /* "; hit", "; fwd=uri-miss", "; fwd=stale" */
	bool is_collapsed;	  /* it shares the fetch of another request */
	bool is_file;		  /* the source is the store's file under its key */
};

struct answer {
	const struct config *config;
	struct loop *loop;
};

/* A reference to the source passes. mtime: when it was made or confirmed. */
void answer_object(const struct answer *answer, struct want *want,
		   struct http_source *source, time_t mtime);

/* Bytes in memory: of a checksum database, or made up here. max_age_s -1: they never change. */
void answer_bytes(const struct answer *answer, struct want *want, struct str bytes, int64_t max_age_s);

/* The old answer, since nothing newer can be had; there must be one. */
void answer_stale(const struct answer *answer, struct want *want);

/* "Not found", in the words of whoever said so. */
void answer_absence(const struct answer *answer, struct want *want,
		    const struct store_absence *absence);

/* A failure; what was wanted is named before the error's text. */
void answer_err(const struct answer *answer, struct want *want, const struct err *err);

/* A short text of our own. */
void answer_text(const struct answer *answer, struct want *want, int status,
		 const char *type, struct str text, struct str cache_control);

#endif
