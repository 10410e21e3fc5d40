/*
 * flight.h - single flight: an object that is missing is fetched once,
 * however many requests, threads, processes and hosts ask for it.
 *
 * A flight is the one fetch of a key in this process. It either holds the
 * key's partial file, fetches, checks and commits; or it follows the process
 * that does, and takes over should that one die. Requests wait on the flight
 * without a thread. As soon as a big zip's length is known they stream what is
 * there, but for the last FLIGHT_HOLDBACK_BYTES, which leave once the whole
 * is proven: by the zip rules, and, for .zip and .mod of public modules, by the
 * checksum database, which is asked meanwhile. A flight goes on when its
 * clients are gone.
 */
#ifndef SERVE_FLIGHT_H
#define SERVE_FLIGHT_H

#include "origin/sumdbs.h"
#include "serve/answer.h"

#define FLIGHT_HOLDBACK_BYTES 65536

/* Smaller objects are sent whole, so that a bad one is a 502, not a cut. */
#define FLIGHT_STREAM_MIN_BYTES 262144

struct flights;

/* All of them must outlive it. work: what clients wait for; disk: the rest. */
struct flights *flights_new(const struct answer *answer, struct store *store,
			    struct upstream *upstream, struct sumdbs *sumdbs,
			    struct work *work, struct work *disk);
void flights_free(struct flights *flights);

enum flight_joined {
	FLIGHT_TAKEN, /* the request is answered, or will be */
	FLIGHT_BUSY,  /* another request refreshes it; there is a stale answer */
	FLIGHT_FULL,  /* [server] parked_max is reached */
};

/* From a worker. */
enum flight_joined flight_join(struct flights *flights, struct want *want);

/* Fetch for nobody in particular; no byte is sent to anybody before it is proven. */
void flight_begin_careful(struct flights *flights, const struct route *route, const char *id);

/* Fetch in the background what was confirmed at `seen` and is about to expire. */
void flight_renew(struct flights *flights, const struct route *route, const char *id, time_t seen);

/* What a client asks of a checksum database, as a question. */
void sumdb_call_of_route(const struct route *route, const char *id, struct sumdb_call *call);

/* Deadlines and followers; in the loop. Returns ms until the next, or -1. */
int flights_tick(struct flights *flights);

#endif
