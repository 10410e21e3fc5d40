/*
 * fetch_internal.h - what fetch.c (who drives curl, and when) and fetch_transfer.c
 * (one call on its way through it) have between them.
 */
#ifndef ORIGIN_FETCH_INTERNAL_H
#define ORIGIN_FETCH_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>

#include "origin/fetch.h"

#define FETCH_IDLE_EASY_MAX 32

/* A call on its way through curl. */
struct fetch_transfer {
	struct fetch *fetch;
	struct fetch_call *call;
	CURL *easy;
	struct fetch_answer answer;
	struct err failure; /* of a callback of ours */
	bool has_started;
	bool is_sent; /* the request is out: silence counts from here */
	int64_t deadline_ms;
	int redirects;
	int64_t body_bytes;
	int64_t heard_ms; /* when the last byte came */
	struct fetch_transfer *next, *prev;
	char error[CURL_ERROR_SIZE];
	char *hop; /* the URL that a redirect named */
	struct curl_slist *headers;
};

/*
 * Whoever holds `driving` calls curl. That is the thread of ours, or, for the
 * moment that sending a request takes, the thread that wants it sent: a hand-over
 * from thread to thread costs as much as a fifth of a small miss.
 */
struct fetch {
	const struct config *config;
	pthread_t thread;
	int epoll_fd;
	int wake_fd;

	pthread_mutex_t driving; /* guards all of these */
	CURLM *multi;
	CURLSH *share; /* TLS sessions; a multi handle has but names and connections in common */
	int64_t timer_ms; /* when curl wants to be called; -1: not at all */
	CURL *idle[FETCH_IDLE_EASY_MAX];
	size_t idle_n;
	struct fetch_call *delayed;
	struct fetch_transfer *transfers;
	int transfers_n;
	int64_t silence_at_ms; /* when to look for silent ones */
	int64_t sleeps_until_ms; /* our thread, unless it is woken */
	int64_t busy_ms;	 /* when there was a transfer lately */

	pthread_mutex_t mutex; /* guards the two below */
	struct fetch_call *queue;
	bool must_stop;
};

/* Both by whoever holds `driving`. The call is handed to curl, */
void fetch_transfer_start(struct fetch *fetch, struct fetch_call *call);
/* and is done with, or goes on where a redirect leads. */
void fetch_transfer_finish(struct fetch_transfer *t, CURLcode code);

#endif
