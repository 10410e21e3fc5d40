/*
 * responder.h - one process that answers requests: FastCGI on a listening
 * descriptor, or one CGI request.
 */
#ifndef PROGRAM_RESPONDER_H
#define PROGRAM_RESPONDER_H

#include "serve/proxy.h"
#include "serve/recheck.h"

/* Until a signal ends it. Returns an exit status. */
int responder_run_fcgi(const struct config *config, int listen_fd);

/*
 * All that a request passes through, for whoever needs it without one: the
 * administrator's commands. listen_fd -1: nobody is listened to, and
 * loop_run() ends when all that was begun is done. err: why it can't start.
 */
struct responder {
	const struct config *config;
	struct store *store;
	struct fetch *fetch;
	struct direct *direct;
	struct upstream *upstream;
	struct work *work;
	struct work *disk;
	struct sumdbs *sumdbs;
	struct loop *loop;
	struct answer answer;
	struct proxy proxy;
	struct recheck *recheck;
	int64_t sweep_at_ms, fresh_sweep_at_ms, direct_sweep_at_ms;
};
int responder_open(struct responder *responder, const struct config *config, int listen_fd,
		   int threads, struct err *err);
/* For commands: a signal ends them at once. */
void responder_unblock_signals(void);
void responder_close(struct responder *responder);

/* The request in the environment. Returns an exit status. */
int responder_run_cgi(const struct config *config);

#endif
