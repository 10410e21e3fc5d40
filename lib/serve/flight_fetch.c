#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/mod.h"
#include "gomod/tlog_tile.h"
#include "serve/flight_internal.h"

#define RESERVE_MIN_BYTES   262144
#define PUBLISH_INTERVAL_MS 10

/* A body begins: the first one, or another try's. */
static int on_start(void *arg, int64_t length_bytes, struct err *err)
{
	struct flight *f = arg;

	if (f->is_streaming && length_bytes != f->length_bytes) {
		f->is_mixed = true;
		return err_set(err, ERR_BAD_UPSTREAM,
			       "a second try promises %lld bytes, the first promised %lld",
			       (long long)length_bytes, (long long)f->length_bytes);
	}
	if (f->is_streaming)
		part_rewind(&f->part);
	else if (part_forget(&f->part, err) != 0)
		return -1;
	f->length_bytes = length_bytes;
	if (f->mtime == 0)
		f->mtime = time(NULL);
	if (f->route.kind == ROUTE_ZIP) {
		modzip_stream_free(f->zip);
		f->zip = modzip_stream_new(f->route.module, f->route.version);
	}
	if (f->is_streaming)
		return 0;
	if (length_bytes >= RESERVE_MIN_BYTES &&
	    part_reserve(f->home->store, &f->part, length_bytes, err) != 0)
		return -1;
	if (flight_can_stream(f)) {
		flight_begin_streaming(f);
		flight_publish(f, PART_GROWING, NULL);
	}
	return 0;
}

static int on_bytes(void *arg, struct str bytes, struct err *err)
{
	struct flight *f = arg;
	int64_t now;

	if (f->zip)
		modzip_stream_push(f->zip, bytes);
	if (part_append(f->home->store, &f->part, bytes, err) != 0) {
		f->is_mixed = f->is_streaming && err->kind == ERR_BAD_UPSTREAM;
		return -1;
	}
	if (!f->is_streaming)
		return 0;
	flight_set_limit(f, f->part.valid_bytes);
	now = clock_now_ms();
	if (now - f->published_ms >= PUBLISH_INTERVAL_MS) {
		f->published_ms = now;
		flight_publish(f, PART_GROWING, NULL);
	}
	return 0;
}

static int read_body(struct flight *f, struct str *body, struct err *err)
{
	char *bytes = pool_alloc(f->pool, (size_t)f->part.write_bytes + 1);
	ssize_t n = file_read_at(f->part.fd, bytes, (size_t)f->part.write_bytes, 0, err);

	if (n < 0)
		return -1;
	*body = (struct str){ bytes, (size_t)n };
	return 0;
}

static int replace_body(struct flight *f, struct str body, struct err *err)
{
	if (part_forget(&f->part, err) != 0)
		return -1;
	return part_append(f->home->store, &f->part, body, err);
}

static int check_list(struct flight *f, struct str body, struct err *err)
{
	struct str list;

	if (list_normalize(f->pool, body, &list, err) != 0)
		return -1;
	return str_is_equal(list, body) ? 0 : replace_body(f, list, err);
}

/*
 * A signed note, or a record before one: text whose last lines are
 * signatures. Whether they are right is checked by the client.
 */
static int check_note(struct str body, struct err *err)
{
	if (str_find_str(body, STR("\n\n\xe2\x80\x94 ")) >= 0)
		return 0;
	return err_set(err, ERR_BAD_UPSTREAM, "the answer is not a signed note of a checksum database");
}

/* A tile's bytes are hashes, so nothing but their number can be told. */
static int check_tile(const struct flight *f, struct str body, struct err *err)
{
	struct tlog_tile tile;

	if (tlog_tile_parse_path(str_of(f->route.path), &tile, err) != 0)
		return -1;
	if (tile.level == TLOG_TILE_DATA_LEVEL ? str_has_prefix(str_trim(body), STR("<"))
					       : body.n != (size_t)tile.width * TLOG_HASH_SIZE)
		return err_set(err, ERR_BAD_UPSTREAM, "%zu bytes that are no tile of width %d",
			       body.n, tile.width);
	return 0;
}

/* Does the body make sense as what was asked for? ERR_BAD_UPSTREAM if not. */
static int check_body(struct flight *f, struct err *err)
{
	struct str body, version, none = STR("");

	if (f->route.kind == ROUTE_ZIP)
		return modzip_stream_finish(f->zip, f->part.fd, f->part.write_bytes, &f->zip_result, err);
	if (read_body(f, &body, err) != 0)
		return -1;
	switch (f->route.kind) {
	case ROUTE_SUMDB_TILE:
		return check_tile(f, body, err);
	case ROUTE_LIST:
		return check_list(f, body, err);
	case ROUTE_INFO:
		return info_check(f->pool, body, f->route.version, &version, err);
	case ROUTE_LATEST:
	case ROUTE_QUERY:
		return info_check(f->pool, body, none, &version, err);
	case ROUTE_MOD:
		return mod_check(body, err);
	default:
		return check_note(body, err);
	}
}

static void commit(void *arg)
{
	struct flight *f = arg;
	struct str ziphash = str_of(f->route.kind == ROUTE_ZIP ? f->zip_result.h1 : "");
	struct err err = { 0 };

	if (part_commit(f->home->store, &f->part, f->route.key, f->part.write_bytes, f->mtime,
			ziphash, &err) == 0 &&
	    f->route.kind == ROUTE_INFO && f->part.role == PART_HOLDER)
		store_list_add(f->home->store, f->route.key);
	flight_end_proven(f);
}

/* Check the body, and answer; what the disk has to do for it comes after that. */
static void verify(void *arg)
{
	struct flight *f = arg;
	struct err err = { 0 };

	if (check_body(f, &err) != 0) {
		if (err.kind == ERR_BAD_UPSTREAM)
			upstream_reject(f->home->upstream, &f->call, &err);
		else
			flight_end_failed(f, &err);
		return;
	}
	log_write(LOG_INFO, "%s: fetched %s from %s: %lld bytes in %lld ms", f->id, f->route.path,
		  f->result->shown, (long long)f->part.write_bytes,
		  (long long)(clock_now_ms() - f->started_ms));
	if (f->is_streaming)
		flight_publish(f, PART_PROVEN, NULL);
	f->owns_part_fd = false; /* the source's from here */
	flight_set_proven(f, f->part.fd, f->part.write_bytes);
	work_post(f->home->disk, commit, f);
}

static void finish_without_body(void *arg)
{
	struct flight *f = arg;
	struct store_absence absence;

	if (f->result->outcome == UPSTREAM_FAILED) {
		struct err err = f->result->err;

		flight_end_failed(f, &err);
		return;
	}
	absence = (struct store_absence){ f->result->status, str_of(f->result->type), f->result->text,
					  f->result->is_final ? time(NULL) : 0 };
	flight_end_absent(f, &absence, f->result->is_final);
}

static void on_done(void *arg, const struct upstream_result *result)
{
	struct flight *f = arg;

	f->result = result;
	/* What lies in memory is checked in no time: handing it over would take longer. */
	if (result->outcome == UPSTREAM_GOT && f->part.is_in_memory)
		verify(f);
	else
		work_post(f->home->work, result->outcome == UPSTREAM_GOT ? verify : finish_without_body, f);
}

void flight_fetch(struct flight *f)
{
	const struct route *route = &f->route;

	f->call = (struct upstream_call){
		.id = f->id,
		.path = route->path,
		.is_big = route->kind == ROUTE_ZIP,
		.body_max_bytes = route->body_max_bytes,
		.on_start = on_start,
		.on_bytes = on_bytes,
		.on_done = on_done,
		.arg = f,
	};
	if (route->sumdb) {
		f->call.sumdb = route->sumdb->name;
		f->call.sumdb_url = route->sumdb->url;
		f->call.sumdb_shown = route->sumdb->shown;
	}
	upstream_start(f->home->upstream, &f->call);
}
