/*
 * loop_internal.h - what the parts of loop share; nobody else's business.
 *
 * loop.c: the events. loop_accept.c: the threads that accept connections.
 */
#ifndef SERVE_LOOP_INTERNAL_H
#define SERVE_LOOP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "serve/loop.h"

/* An accepted connection whose request isn't complete yet. */
struct connection {
	int fd;
	int64_t since_ms;
	size_t whole_bytes; /* see loop_is_complete() */
	struct connection *next, *prev;
	struct loop *loop; /* once handed to a worker */
};

struct loop {
	const struct config *config;
	struct work *work;
	struct loop_hooks hooks;
	int listen_fd;
	int epoll_fd, wake_fd, signal_fd;
	struct connection *connections;
	struct http_request *streams;
	atomic_int held;
	atomic_bool has_broken;
	atomic_bool must_tick;
	atomic_bool is_stopping;
	int threads_n;
	pthread_t *threads; /* those that accept, in turn */
	int64_t stop_at_ms, tick_at_ms, housekeeping_ms;

	atomic_llong disk_slow_until_ms; /* nobody steps aside for one that is quick */

	pthread_mutex_t turn_mutex; /* guards accepting */
	pthread_cond_t turn_is_free;
	int accepting, accepting_max; /* threads */

	pthread_mutex_t mutex; /* guards the three below */
	struct connection *incomplete;
	struct http_request *incoming;
	struct http_source *poked;
};

void loop_wake(struct loop *loop);

void loop_start_accepting(struct loop *loop);
void loop_end_accepting(struct loop *loop);

/*
 * Is the whole FastCGI request here? Then reading it blocks nobody. Up to
 * the end of its body, though nobody reads that: mod_proxy_fcgi answers
 * 503 if it is answered before it has sent the empty FCGI_STDIN record. An
 * authorizer has no body (6.3 of the specification): its parameters are all.
 * Longer requests than we look at are taken for complete. *whole_bytes: how
 * long it is if all of it is known to be here and nothing behind it, else 0.
 */
bool loop_is_complete(int fd, size_t *whole_bytes, bool *is_closed);

#endif
