#include <string.h>

#include "serve/flight_internal.h"

/* Flights that nobody asked for, at once; more are left until somebody asks. */
#define AHEAD_MAX 64

/* What will be wanted next, or NULL. */
static const char *next_kind(const struct flight *f)
{
	enum config_read_ahead wanted = f->home->answer->config->upstream.read_ahead;

	if (f->route.kind == ROUTE_INFO && wanted != CONFIG_AHEAD_OFF)
		return "mod";
	if (f->route.kind == ROUTE_MOD && wanted == CONFIG_AHEAD_ZIP && f->is_ahead)
		return "zip";
	return NULL;
}

static bool take_place(struct flights *flights)
{
	bool has_place;

	pthread_mutex_lock(&flights->mutex);
	has_place = flights->ahead < AHEAD_MAX;
	if (has_place)
		flights->ahead++;
	pthread_mutex_unlock(&flights->mutex);
	return has_place;
}

static void give_place(struct flights *flights, int64_t bytes)
{
	pthread_mutex_lock(&flights->mutex);
	flights->ahead--;
	flights->ahead_bytes -= bytes;
	pthread_mutex_unlock(&flights->mutex);
}

void flight_read_ahead(struct flight *f)
{
	const char *kind = next_kind(f);
	struct str path = str_of(f->route.path);
	struct err ignored = { 0 };
	struct flight *next;
	struct route route = { 0 };

	if (!kind || !loop_goes_on(f->home->answer->loop))
		return;
	path = str_head(path, (size_t)str_find_last(path, '.') + 1);
	path = pool_printf(f->pool, "%.*s%s", STR_ARG(path), kind);
	if (route_parse_path(f->pool, f->home->answer->config, path, &route, &ignored) != 0 || !take_place(f->home))
		return;
	next = flight_alone(f->home, &route, f->id);
	if (!next) {
		give_place(f->home, 0);
		return;
	}
	next->is_ahead = true;
	flight_start(next);
}

int flight_ahead_admit(struct flight *f, int64_t length_bytes, struct err *err)
{
	struct flights *flights = f->home;
	int64_t budget = (int64_t)flights->answer->config->upstream.read_ahead_mb << 20;
	int64_t more = length_bytes - f->ahead_bytes; /* a second try is no second zip */
	bool is_wanted, has_room;

	if (!f->is_ahead || f->route.kind != ROUTE_ZIP)
		return 0;
	pthread_mutex_lock(&flights->mutex);
	is_wanted = f->waiters != NULL || f->is_streaming;
	has_room = length_bytes >= 0 && flights->ahead_bytes + more <= budget;
	if (has_room) {
		flights->ahead_bytes += more;
		f->ahead_bytes = length_bytes;
	}
	pthread_mutex_unlock(&flights->mutex);
	if (is_wanted || has_room)
		return 0;
	f->is_refused_ahead = true;
	return err_set(err, ERR_OVERLOAD, "not read ahead: %lld bytes are beyond [upstream] read_ahead_mb",
		       (long long)length_bytes);
}

void flight_ahead_end(struct flight *f)
{
	if (f->is_ahead)
		give_place(f->home, f->ahead_bytes);
}
