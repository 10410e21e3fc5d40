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
	const char *url;      /* the last one, behind all redirects */
	char address[64];     /* that it was connected to; of the proxy, if one was asked */
	struct buf text;      /* the body where status isn't 200 */
};

/*
 * One GET. The caller owns the struct and the strings until on_done was
 * called. All callbacks come one at a time, mostly from the fetch thread, the
 * first ones perhaps from within fetch_start(); they must not block.
 */
struct fetch_call {
	const char *url;
	/*
	 * The URL comes from outside, not from the settings: not the redirects alone,
	 * but it as well must not lead to a private address.
	 */
	bool is_untrusted;
	bool is_anonymous; /* no netrc */
	const char *header;  /* "Name: value", or NULL; no other host's that a redirect names */
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

/*
 * Parts of a URL of any scheme, in the pool; user, port and path may be "". host is
 * in lower case, an IPv6 address in brackets. False if it isn't a URL with a host.
 */
struct fetch_url {
	const char *scheme, *user, *password, *host, *port, *path, *query;
};
bool fetch_url_parse(struct pool *pool, const char *url, struct fetch_url *parts);

/*
 * May a host be connected to at a private address, as far as the settings tell? Where an
 * untrusted URL leads only [direct] private_hosts counts; else upstreams and databases, too.
 */
bool fetch_host_is_trusted(const struct config *config, bool is_untrusted, const char *host,
			   const char *port);

/*
 * Does the environment name a proxy for this scheme? Then it is asked, and decides, also
 * about hosts in no_proxy, unless they are trusted.
 */
bool fetch_has_proxy(const char *scheme);

/* An address that is private as it is written, or localhost: no proxy should have to decide. */
bool fetch_host_is_private(const char *host);

/* From any thread, callbacks included. */
void fetch_start(struct fetch *fetch, struct fetch_call *call);

#endif
