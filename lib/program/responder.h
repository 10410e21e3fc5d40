/*
 * responder.h - one process that answers requests: FastCGI on a listening
 * descriptor, or one CGI request.
 */
#ifndef PROGRAM_RESPONDER_H
#define PROGRAM_RESPONDER_H

#include "state/config.h"

/* Until a signal ends it. Returns an exit status. */
int responder_run_fcgi(const struct config *config, int listen_fd);

/* The request in the environment. Returns an exit status. */
int responder_run_cgi(const struct config *config);

#endif
