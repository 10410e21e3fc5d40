/*
 * fetch.h - HTTP GET for everybody: one thread around one libcurl multi
 * handle, so that all requests of a process share connections, HTTP/2
 * streams, TLS sessions and DNS answers.
 *
 * http and https only; at most FETCH_REDIRECTS_MAX redirects, never from
 * https to http, and never to a private, loopback or link-local address
 * unless the configuration names that host; where the environment names a
 * proxy, the proxy is asked, and decides. Certificates are checked.
 * Credentials per host come from the URL or a netrc file.
 */
#ifndef ORIGIN_FETCH_H
#define ORIGIN_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "state/config.h"

/* As net/http's default client, which the go command uses. */
#define FETCH_REDIRECTS_MAX 10

/* What is kept of the body of an answer that isn't 200, in bytes. */
#define FETCH_TEXT_MAX 16384

struct fetch;

struct fetch_answer {
	struct err err; /* ERR_NONE: a whole answer came; else see the kind */
	int status;	/* 0: none came */
	int64_t length_bytes; /* promised by the header; -1: not known */
	char type[128];	      /* Content-Type */
	struct buf text;      /* the body where status isn't 200 */
};

/*
 * One GET. The caller owns the struct and the strings until on_done was
 * called. All callbacks come one at a time, mostly from the fetch thread, the
 * first ones perhaps from within fetch_start(); they must not block.
 */
struct fetch_call {
	const char *url;
	int delay_ms;	   /* to wait before it starts */
	int total_timeout_s;
	int64_t body_max_bytes;
	/* A 200's header is here; -1 with *err set ends the call. */
	int (*on_start)(void *arg, const struct fetch_answer *answer,
			struct err *err);
	/* The 200's next bytes; -1 with *err set ends the call. */
	int (*on_bytes)(void *arg, struct str bytes, struct err *err);
	/* The end. The answer dies with this call. */
	void (*on_done)(void *arg, const struct fetch_answer *answer);
	void *arg;

	struct fetch_call *next; /* fetch.c's own from here */
	int64_t due_ms;
};

/* Starts the thread. config must outlive it. NULL with *err set on failure. */
struct fetch *fetch_new(const struct config *config, struct err *err);

/* Ends the thread at once; calls under way get no on_done. NULL is nothing. */
void fetch_free(struct fetch *fetch);

/* From any thread, callbacks included. */
void fetch_start(struct fetch *fetch, struct fetch_call *call);

#endif
