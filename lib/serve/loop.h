/*
 * loop.h - how a process spends its time: threads that accept, and an event
 * loop for what takes a while.
 *
 * A thread that accepts a connection answers it by itself if the request is
 * there, as it nearly always is: no hand-over. As many of them accept as there
 * are processors for this process: more would only wake each other (1.07 of
 * ten lines of libfcgi with one, 0.9 with eight). One that is about to wait for
 * a disk steps aside for another. Everything else costs a descriptor, not a
 * thread: a request that isn't complete yet, one that waits for an upstream, a
 * body whose reader is slow.
 */
#ifndef SERVE_LOOP_H
#define SERVE_LOOP_H

#include "serve/http.h"
#include "base/work.h"
#include "state/config.h"

struct loop;

struct loop_hooks {
	/* A complete request waits on this connection; from an accepting thread, or a worker. */
	void (*on_connection)(void *arg, int fd, size_t whole_bytes);
	/*
	 * Called in the loop, four times a second. Returns in how many ms it
	 * wants to be called before that; -1: not at all.
	 */
	int (*on_tick)(void *arg);
	void *arg;
};

/* listen_fd: blocking; -1: there is one request, already read (CGI). */
struct loop *loop_new(const struct config *config, struct work *work, int listen_fd,
		      const struct loop_hooks *hooks, struct err *err);
void loop_free(struct loop *loop);

/*
 * Run until a signal ends it (SIGTERM, SIGINT, SIGHUP, SIGUSR1: blocked by the caller
 * beforehand) and nothing is held any more, or stop_timeout_s is over. With
 * listen_fd -1, until nothing is held. True if it ended cleanly.
 */
bool loop_run(struct loop *loop);

/* Things that must end before the loop does: requests, fetches. Any thread. */
void loop_hold(struct loop *loop);
void loop_release(struct loop *loop);

/*
 * What http_send() or http_step() said: closes the request, and releases
 * what holds it, or goes on sending. Any thread; the request is gone then.
 */
void loop_settle(struct loop *loop, struct http_request *request, enum http_step step);

/* The source has grown, is done or has failed. Any thread. */
void loop_poke(struct loop *loop, struct http_source *source);

/*
 * The calling thread may have to wait for a disk: if it is one that accepts, and
 * a disk was slow lately, another takes its place until its request is answered.
 * loop_waited() tells how long it took in the end. Any thread.
 */
void loop_step_aside(struct loop *loop);
void loop_waited(struct loop *loop, int64_t since_us);

/* Call on_tick at once. Any thread. */
void loop_tick_soon(struct loop *loop);

/* Is there an afterwards? Not where a process answers one request, or is about to end. */
bool loop_goes_on(const struct loop *loop);

/* Did a request break off (for the exit status of CGI)? */
bool loop_has_broken(const struct loop *loop);

#endif
