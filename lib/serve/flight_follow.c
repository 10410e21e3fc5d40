#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/flight_internal.h"

#define POLL_MIN_MS 2
#define POLL_MAX_MS 100

void flight_follow(struct flight *f, bool has_moved)
{
	f->poll_ms = has_moved ? POLL_MIN_MS : f->poll_ms * 3 / 2 + 1;
	if (f->poll_ms > POLL_MAX_MS)
		f->poll_ms = POLL_MAX_MS;
	pthread_mutex_lock(&f->home->mutex);
	f->state = FLIGHT_FOLLOWING;
	f->poll_at_ms = clock_now_ms() + f->poll_ms;
	f->is_polled = false;
	pthread_mutex_unlock(&f->home->mutex);
	loop_tick_soon(f->home->answer->loop);
}

static void begin_work(struct flight *f)
{
	pthread_mutex_lock(&f->home->mutex);
	f->state = FLIGHT_WORKING;
	pthread_mutex_unlock(&f->home->mutex);
	flight_fetch(f);
}

/* The holder is lost, and our clients have bytes of its file: fetch for them. */
static void go_on_alone(struct flight *f)
{
	struct err err = { 0 };

	log_write(LOG_WARN, "%s: going on alone with %s", f->id, f->route.path);
	if (part_detach(&f->part, atomic_load(&f->source->limit_bytes), &err) != 0)
		flight_end_failed(f, &err);
	else
		begin_work(f);
}

/*
 * The file that we follow is no longer in tmp/. Either it is the object
 * now, or the holder gave it up.
 */
static void follow_gone(struct flight *f)
{
	struct stat ours, theirs;
	struct store_file file;
	struct err err = { 0 };

	if (!f->is_streaming) {
		/* Whatever is in the store now is right; else it is our turn. */
		part_close(&f->part);
		flight_start(f);
		return;
	}
	if (store_find(f->home->store, f->route.key, &file, &err) == 0) {
		bool is_same = fstat(f->part.fd, &ours) == 0 && fstat(file.fd, &theirs) == 0 &&
			       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;

		close(file.fd);
		if (is_same) {
			flight_set_proven(f, f->part.fd, f->length_bytes);
			flight_end_proven(f);
			return;
		}
	}
	go_on_alone(f);
}

/* What the holder told. Returns true if that was the end of the flight. */
static bool follow_record(struct flight *f, const struct part_record *record, bool *has_moved)
{
	struct err err = { 0 };

	switch (record->state) {
	case PART_FAILED:
		err_set(&err, (enum err_kind)record->kind, "%.*s", (int)sizeof(record->text) - 1,
			record->text);
		flight_end_failed(f, &err);
		return true;
	case PART_GROWING:
	case PART_PROVEN:
		if (f->is_streaming)
			break;
		pthread_mutex_lock(&f->home->mutex);
		f->length_bytes = record->length_bytes;
		f->mtime = record->mtime;
		pthread_mutex_unlock(&f->home->mutex);
		if (flight_can_stream(f))
			flight_begin_streaming(f);
		break;
	default:
		return false;
	}
	if (f->is_streaming && record->state == PART_PROVEN) {
		flight_set_proven(f, f->part.fd, f->length_bytes);
		flight_end_proven(f);
		return true;
	}
	if (f->is_streaming) {
		*has_moved = record->valid_bytes > atomic_load(&f->source->limit_bytes);
		flight_set_limit(f, record->valid_bytes);
	}
	return false;
}

static void take_over(struct flight *f)
{
	log_write(LOG_WARN, "%s: taking over %s from a process that died", f->id, f->route.path);
	if (!f->is_streaming) {
		/* Nobody here has seen a byte; others may, so the file stays as it is. */
		part_discard(f->home->store, &f->part);
		part_close(&f->part);
		flight_start(f);
		return;
	}
	/* What our clients may have must come again alike, whatever the record says. */
	if (f->part.valid_bytes < atomic_load(&f->source->limit_bytes))
		f->part.valid_bytes = atomic_load(&f->source->limit_bytes);
	begin_work(f);
}

void flight_poll(void *arg)
{
	struct flight *f = arg;
	struct part_record record;
	bool has_moved = false, is_gone;

	if (part_watch(f->home->store, &f->part, &record) && follow_record(f, &record, &has_moved))
		return;
	if (part_take_over(f->home->store, &f->part, &is_gone)) {
		take_over(f);
	} else if (is_gone) {
		follow_gone(f);
	} else if (f->is_streaming && part_is_replaced(f->home->store, &f->part)) {
		go_on_alone(f);
	} else {
		flight_follow(f, has_moved);
	}
}
