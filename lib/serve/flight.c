#include "serve/flight.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/flight_internal.h"
#include "state/publish.h"

#define TICK_FOLLOWING_MS 2

/* How long a request that has a stale answer waits for a better one. */
#define STALE_PATIENCE_MS 3000

static size_t row_of(const char *key)
{
	return (size_t)str_hash(str_of(key)) & (FLIGHT_TABLE_SIZE - 1);
}

static struct flight *find_flight(struct flights *flights, const char *key)
{
	struct flight *f = flights->table[row_of(key)];

	while (f && strcmp(f->route.key, key) != 0)
		f = f->next_same;
	return f;
}

static struct flight *flight_new(struct flights *flights, const struct route *route,
				 const char *id)
{
	struct flight **row = &flights->table[row_of(route->key)];
	struct pool *pool = pool_new();
	struct flight *f = pool_alloc(pool, sizeof(*f));

	f->pool = pool;
	f->home = flights;
	snprintf(f->id, sizeof(f->id), "%s", id);
	f->route = *route;
	f->route.module = pool_str(pool, route->module);
	f->route.version = pool_str(pool, route->version);
	f->route.path = pool_cstr(pool, str_of(route->path));
	f->route.key = pool_cstr(pool, str_of(route->key));
	f->part.fd = -1;
	f->length_bytes = -1;
	f->started_ms = clock_now_ms();
	f->next_same = *row;
	*row = f;
	f->next = flights->all;
	if (f->next)
		f->next->prev = f;
	flights->all = f;
	return f;
}

struct want *flight_take_waiters(struct flight *f)
{
	struct want *wants = f->waiters;

	for (struct want *want = wants; want; want = want->next)
		f->home->parked--;
	f->waiters = NULL;
	return wants;
}

struct want *flight_remove(struct flight *f)
{
	struct flights *flights = f->home;
	struct flight **link = &flights->table[row_of(f->route.key)];
	struct want *wants;

	pthread_mutex_lock(&flights->mutex);
	while (*link != f)
		link = &(*link)->next_same;
	*link = f->next_same;
	if (f->prev)
		f->prev->next = f->next;
	else
		flights->all = f->next;
	if (f->next)
		f->next->prev = f->prev;
	wants = flight_take_waiters(f);
	pthread_mutex_unlock(&flights->mutex);
	return wants;
}

static bool find_in_store(struct flight *f, struct store_file *file)
{
	struct err err = { 0 };

	if (store_find(f->home->store, f->route.key, file, &err) != 0)
		return false;
	if (!f->route.is_mutable ||
	    (file->mtime != f->renews &&
	     store_is_fresh(file->mtime, f->home->answer->config->cache.list_ttl_s)))
		return true;
	close(file->fd);
	return false;
}

/* Another was quicker: between our look into the store and our lock. */
static bool use_store(struct flight *f)
{
	int ttl_s = f->home->answer->config->cache.negative_ttl_s;
	struct store_absence absence;
	struct store_file file;

	if (f->route.sumdb) /* is verified when it is read, too */
		return false;
	if (find_in_store(f, &file)) {
		part_discard(f->home->store, &f->part);
		f->mtime = file.mtime;
		flight_set_proven(f, file.fd, file.size_bytes);
		flight_read_ahead(f);
		flight_end_proven(f);
		return true;
	}
	if (store_absence_find(f->home->store, f->route.key, ttl_s, f->pool, &absence)) {
		flight_end_absent(f, &absence, false);
		return true;
	}
	return false;
}

/* Another process refreshes it already: who has an old answer needn't wait. */
static void let_stale_go(struct flight *f)
{
	struct want **link = &f->waiters;
	struct want *stale = NULL;

	pthread_mutex_lock(&f->home->mutex);
	while (*link) {
		struct want *want = *link;

		if (!want->stale) {
			link = &want->next;
			continue;
		}
		*link = want->next;
		want->next = stale;
		stale = want;
		f->home->parked--;
	}
	pthread_mutex_unlock(&f->home->mutex);
	while (stale) {
		struct want *next = stale->next;

		answer_stale(f->home->answer, stale);
		stale = next;
	}
}

void flight_start(struct flight *f)
{
	struct err err = { 0 };

	pthread_mutex_lock(&f->home->mutex);
	f->state = FLIGHT_WORKING;
	pthread_mutex_unlock(&f->home->mutex);
	if (part_begin(f->home->store, f->route.key, &f->part, &err) != 0) {
		flight_end_failed(f, &err);
		return;
	}
	f->owns_part_fd = true;
	if (f->part.role == PART_SPOOL)
		store_complain(f->home->store, &err);
	if (f->part.role == PART_FOLLOWER) {
		let_stale_go(f);
		flight_follow(f, true);
		return;
	}
	if (!use_store(f))
		flight_fetch(f);
}

static void park(struct flight *f, struct want *want)
{
	const struct config *config = f->home->answer->config;
	int64_t patience_ms = want->stale ? STALE_PATIENCE_MS
					  : config->server.answer_timeout_s * 1000LL;

	want->deadline_ms = clock_now_ms() + patience_ms;
	want->next = f->waiters;
	f->waiters = want;
	f->home->parked++;
}

/* Join a flight that is there. The mutex is held, and released here. */
static enum flight_joined join_flight(struct flights *flights, struct flight *f, struct want *want)
{
	bool can_leave = f->state == FLIGHT_PROVEN || (f->is_streaming && flight_is_streamable(want));
	struct http_source *source = can_leave ? http_source_ref(f->source) : NULL;
	enum flight_joined joined = FLIGHT_TAKEN;
	time_t mtime = f->mtime;

	want->is_collapsed = true;

	if (!can_leave && want->stale)
		joined = FLIGHT_BUSY;
	else if (!can_leave && flights->parked >= flights->answer->config->server.parked_max)
		joined = FLIGHT_FULL;
	else if (!can_leave)
		park(f, want);
	pthread_mutex_unlock(&flights->mutex);
	if (can_leave)
		answer_object(flights->answer, want, source, mtime);
	return joined;
}

enum flight_joined flight_join(struct flights *flights, struct want *want)
{
	struct flight *f;

	pthread_mutex_lock(&flights->mutex);
	f = find_flight(flights, want->route.key);
	if (f)
		return join_flight(flights, f, want);
	if (flights->parked >= flights->answer->config->server.parked_max) {
		pthread_mutex_unlock(&flights->mutex);
		return FLIGHT_FULL;
	}
	f = flight_new(flights, &want->route, want->request->id);
	park(f, want);
	pthread_mutex_unlock(&flights->mutex);
	loop_hold(flights->answer->loop);
	flight_start(f);
	return FLIGHT_TAKEN;
}

struct flight *flight_alone(struct flights *flights, const struct route *route, const char *id)
{
	const struct config_sumdb *sumdb;
	struct err ignored = { 0 };
	struct flight *f = NULL;

	/* Nobody is asked for it, and nothing of it would be proven. */
	if (sumdbs_rule_of(flights->answer->config, route->module, &sumdb) == SUMDBS_DENY)
		return NULL;
	/* Who published it may do so again. */
	if (route->is_private && publish_is_home(flights->store, route_escaped_module(route), &ignored) != 0)
		return NULL;
	pthread_mutex_lock(&flights->mutex);
	if (!find_flight(flights, route->key))
		f = flight_new(flights, route, id);
	pthread_mutex_unlock(&flights->mutex);
	if (f)
		loop_hold(flights->answer->loop);
	return f;
}

void flight_begin_careful(struct flights *flights, const struct route *route, const char *id)
{
	struct flight *f = flight_alone(flights, route, id);

	if (!f)
		return;
	f->is_careful = true;
	flight_start(f);
}

static void start(void *arg)
{
	flight_start(arg);
}

void flight_renew(struct flights *flights, const struct route *route, const char *id, time_t seen)
{
	struct flight *f = flight_alone(flights, route, id);

	if (!f)
		return;
	f->renews = seen;
	work_post(flights->work, start, f);
}

static void expire(void *arg)
{
	struct departure *d = arg;
	const struct answer *answer = d->flights->answer;
	struct want *want = d->wants;
	struct err err;

	while (want) {
		struct want *next = want->next;

		err_set(&err, ERR_TIMEOUT,
			"no answer from %s within %d s; the fetch goes on, so try again later",
			want->waits_for, answer->config->server.answer_timeout_s);
		if (want->stale)
			answer_stale(answer, want);
		else
			answer_err(answer, want, &err);
		want = next;
	}
	free(d);
}

static struct want *take_expired(struct flight *f, struct want *expired, int64_t now)
{
	struct want **link = &f->waiters;

	while (*link) {
		struct want *want = *link;

		if (want->deadline_ms > now) {
			link = &want->next;
			continue;
		}
		*link = want->next;
		want->waits_for = f->state == FLIGHT_FOLLOWING ? "the process that fetches it"
				  : f->route.sumdb	       ? f->route.sumdb->name
				  : f->is_proof_awaited ? f->proof.sumdb->name
							: upstream_asks(&f->call);
		want->next = expired;
		expired = want;
		f->home->parked--;
	}
	return expired;
}

int flights_tick(struct flights *flights)
{
	int64_t now = clock_now_ms();
	struct want *expired = NULL;
	int next_ms = -1;

	pthread_mutex_lock(&flights->mutex);
	for (struct flight *f = flights->all; f; f = f->next) {
		expired = take_expired(f, expired, now);
		if (f->state != FLIGHT_FOLLOWING)
			continue;
		next_ms = TICK_FOLLOWING_MS;
		if (f->is_polled || f->poll_at_ms > now)
			continue;
		f->is_polled = true;
		work_post(flights->work, flight_poll, f);
	}
	pthread_mutex_unlock(&flights->mutex);
	if (expired) {
		struct departure *d = mem_alloc(sizeof(*d));

		d->flights = flights;
		d->wants = expired;
		work_post(flights->work, expire, d);
	}
	return next_ms;
}

struct flights *flights_new(const struct answer *answer, struct store *store,
			    struct upstream *upstream, struct sumdbs *sumdbs,
			    struct work *work, struct work *disk)
{
	struct flights *flights = mem_alloc(sizeof(*flights));

	flights->answer = answer;
	flights->store = store;
	flights->upstream = upstream;
	flights->sumdbs = sumdbs;
	flights->work = work;
	flights->disk = disk;
	pthread_mutex_init(&flights->mutex, NULL);
	return flights;
}

void flights_free(struct flights *flights)
{
	if (!flights)
		return;
	pthread_mutex_destroy(&flights->mutex);
	free(flights);
}
