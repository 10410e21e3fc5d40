#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "serve/flight_internal.h"

void flight_free(struct flight *f)
{
	struct loop *loop = f->home->answer->loop;
	bool is_running;

	pthread_mutex_lock(&f->home->mutex);
	is_running = f->is_proof_running;
	f->is_over = true;
	pthread_mutex_unlock(&f->home->mutex);
	if (is_running)
		return;
	flight_ahead_end(f);
	upstream_end(&f->call);
	sumdb_call_end(&f->proof);
	modzip_stream_free(f->zip);
	if (!f->owns_part_fd)
		f->part.fd = -1; /* the source's */
	part_close(&f->part);
	http_source_unref(f->source);
	pool_free(f->pool);
	loop_release(loop);
}

/* A body can leave before the whole is proven if nothing must be known of it. */
bool flight_is_streamable(const struct want *want)
{
	return !http_has_condition(want->request);
}

static void answer_all(struct flight *f, struct want *wants)
{
	while (wants) {
		struct want *next = wants->next;

		answer_object(f->home->answer, wants, http_source_ref(f->source), f->mtime);
		wants = next;
	}
}

/* The source holds all there is, and all of it is good. */
void flight_set_proven(struct flight *f, int fd, int64_t size_bytes)
{
	struct flights *flights = f->home;
	struct want *wants;

	pthread_mutex_lock(&flights->mutex);
	if (f->source) {
		atomic_store(&f->source->limit_bytes, size_bytes);
		atomic_store(&f->source->state, SOURCE_DONE);
	} else {
		f->source = http_source_new(fd, size_bytes, SOURCE_DONE);
	}
	f->state = FLIGHT_PROVEN;
	wants = flight_take_waiters(f);
	pthread_mutex_unlock(&flights->mutex);
	if (f->is_streaming)
		loop_poke(flights->answer->loop, f->source);
	answer_all(f, wants);
}

void flight_end_proven(struct flight *f)
{
	answer_all(f, flight_remove(f)); /* nobody waits on what is proven */
	flight_free(f);
}

void flight_publish(struct flight *f, enum part_state state, const struct err *err)
{
	struct part_record record = { .state = (int32_t)state };

	record.length_bytes = f->length_bytes;
	record.mtime = f->mtime;
	if (err) {
		record.kind = (int32_t)err->kind;
		memcpy(record.text, err->text, sizeof(record.text));
	}
	part_publish(&f->part, &record);
}

static void cut_streams(struct flight *f)
{
	if (!f->source)
		return;
	atomic_store(&f->source->state, SOURCE_FAILED);
	loop_poke(f->home->answer->loop, f->source);
}

void flight_end_failed(struct flight *f, const struct err *err)
{
	const struct answer *answer = f->home->answer;
	struct want *wants;

	flight_publish(f, PART_FAILED, err);
	part_discard(f->home->store, &f->part);
	wants = flight_remove(f);
	cut_streams(f);
	while (wants) {
		struct want *next = wants->next;

		if (f->is_refused_ahead && flight_join(f->home, wants) == FLIGHT_TAKEN)
			; /* for somebody, at last */
		else if (wants->stale)
			answer_stale(answer, wants);
		else
			answer_err(answer, wants, err);
		wants = next;
	}
	if (f->is_mixed)
		flight_begin_careful(f->home, &f->route, f->id);
	flight_free(f);
}

static void answer_absence_to_all(const struct answer *answer, struct want *wants,
				  const struct store_absence *absence)
{
	while (wants) {
		struct want *next = wants->next;

		answer_absence(answer, wants, absence);
		wants = next;
	}
}

void flight_end_absent(struct flight *f, const struct store_absence *absence, bool is_news)
{
	struct flights *flights = f->home;
	struct want *wants;

	pthread_mutex_lock(&flights->mutex);
	wants = flight_take_waiters(f);
	pthread_mutex_unlock(&flights->mutex);
	cut_streams(f);
	answer_absence_to_all(flights->answer, wants, absence);
	/* Before the lock goes, so that the next in line finds it. */
	if (is_news && flights->answer->config->cache.negative_ttl_s > 0 &&
	    f->part.role == PART_HOLDER)
		store_absence_put(flights->store, f->route.key, absence);
	if (is_news && f->route.is_mutable)
		store_remove(flights->store, f->route.key);
	part_discard(flights->store, &f->part);
	answer_absence_to_all(flights->answer, flight_remove(f), absence);
	flight_free(f);
}

static void depart(void *arg)
{
	struct departure *d = arg;
	struct want *want = d->wants;

	while (want) {
		struct want *next = want->next;

		answer_object(d->flights->answer, want, http_source_ref(d->source), d->mtime);
		want = next;
	}
	http_source_unref(d->source);
	free(d);
}

void flight_begin_streaming(struct flight *f)
{
	struct departure *d = mem_alloc(sizeof(*d));
	struct want **link = &f->waiters;

	d->flights = f->home;
	d->mtime = f->mtime;
	pthread_mutex_lock(&f->home->mutex);
	f->source = http_source_new(f->part.fd, f->length_bytes, SOURCE_GROWING);
	f->owns_part_fd = false;
	f->is_streaming = true;
	d->source = http_source_ref(f->source);
	while (*link) {
		struct want *want = *link;

		if (!flight_is_streamable(want)) {
			link = &want->next;
			continue;
		}
		*link = want->next;
		want->next = d->wants;
		d->wants = want;
		f->home->parked--;
	}
	pthread_mutex_unlock(&f->home->mutex);
	work_post(f->home->work, depart, d);
}

bool flight_can_stream(const struct flight *f)
{
	return f->route.kind == ROUTE_ZIP && f->length_bytes > FLIGHT_STREAM_MIN_BYTES &&
	       !f->is_careful;
}

void flight_set_limit(struct flight *f, int64_t valid_bytes)
{
	int64_t limit = f->length_bytes - FLIGHT_HOLDBACK_BYTES;

	if (limit > valid_bytes)
		limit = valid_bytes;
	if (limit <= atomic_load(&f->source->limit_bytes))
		return;
	atomic_store(&f->source->limit_bytes, limit);
	loop_poke(f->home->answer->loop, f->source);
}
