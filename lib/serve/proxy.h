/*
 * proxy.h - one request through all rooms: from the store if it is there,
 * else by way of the flight that fetches it.
 */
#ifndef SERVE_PROXY_H
#define SERVE_PROXY_H

#include "base/work.h"
#include "serve/access.h"
#include "serve/flight.h"
#include "serve/upload.h"
#include "state/fresh.h"

struct proxy {
	const struct answer *answer;
	struct access *access;
	struct store *store;
	struct sumdbs *sumdbs;
	struct flights *flights;
	struct uploads *uploads; /* NULL: [private] write names nobody */
	struct fresh *fresh; /* NULL: one request only, there is no afterwards */
	struct work *disk;   /* what no request waits for */
};

/* Answer it, or have it answered later. The loop holds it already. */
void proxy_handle(const struct proxy *proxy, struct http_request *request);

/* Read the request on an accepted connection, and handle it. */
void proxy_handle_connection(const struct proxy *proxy, int fd, size_t whole_bytes);

#endif
