#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/mod.h"
#include "serve/flight_internal.h"
#include "state/audit.h"
#include "state/publish.h"

#define RESERVE_MIN_BYTES   262144
#define PUBLISH_INTERVAL_MS 10

/* Objects that may wait for the disk: some 18 KB and a descriptor each. */
#define COMMITS_MAX 256

/* What will be refused isn't begun: its client is to read why. */
static void stream_if_proven(struct flight *f)
{
	if (!flight_can_stream(f) || !flight_may_be_good(f))
		return;
	flight_begin_streaming(f);
	flight_publish(f, PART_GROWING, NULL);
}

/* A body begins: the first one, or another try's. */
static int on_start(void *arg, int64_t length_bytes, struct err *err)
{
	struct flight *f = arg;

	if (flight_ahead_admit(f, length_bytes, err) != 0)
		return -1;
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
	stream_if_proven(f);
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
		stream_if_proven(f);
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

/* Does the body make sense as what was asked for? ERR_BAD_UPSTREAM if not. */
static int check_body(struct flight *f, struct err *err)
{
	struct str body, version, none = STR("");
	struct modzip_result result;

	if (f->route.kind == ROUTE_ZIP) {
		if (modzip_stream_finish(f->zip, f->part.fd, f->part.write_bytes, &result, err) != 0)
			return -1;
		memcpy(f->h1, result.h1, sizeof(f->h1));
		return 0;
	}
	if (read_body(f, &body, err) != 0)
		return -1;
	switch (f->route.kind) {
	case ROUTE_LIST:
		return check_list(f, body, err);
	case ROUTE_INFO:
		return info_check(f->pool, body, f->route.version, &version, err);
	case ROUTE_MOD:
		modzip_h1_of_mod(body, f->h1);
		return mod_check(body, err);
	default:
		return info_check(f->pool, body, none, &version, err);
	}
}

/* What explains later where the object came from. */
static void audit_kept(const struct flight *f)
{
	struct json *line = audit_begin("kept");
	const struct sumdb_record *record = &f->proof.record;

	json_add_str(line, "object", str_of(store_object(f->route.key)));
	json_add_str(line, "from", str_of(f->from));
	if (*f->h1)
		json_add_str(line, "h1", str_of(f->h1));
	if (f->proven_how)
		json_add_str(line, "proof", str_of(f->proven_how));
	else if (*f->h1) {
		json_add_str(line, "sumdb", str_of(f->proof.sumdb->name));
		json_add_int(line, "record", record->id);
		json_add_int(line, "tree", record->tree.n);
	}
	audit_end(store_dirfd(f->home->store), line);
}

/* Meanwhile: what was accepted never changes, and the list is made of that. */
static bool was_published(const struct flight *f)
{
	struct err ignored = { 0 };

	return f->route.is_private &&
	       publish_is_home(f->home->store, route_escaped_module(&f->route), &ignored) != 0;
}

static void commit(void *arg)
{
	struct flight *f = arg;
	struct str ziphash = str_of(f->route.kind == ROUTE_ZIP ? f->h1 : "");
	struct err err = { 0 };
	bool may_commit;

	sumdbs_flush(f->home->sumdbs);
	may_commit = !was_published(f) &&
		     (f->route.is_mutable || (f->part.role == PART_HOLDER && flight_may_keep(f)));
	if (may_commit &&
	    part_commit(f->home->store, &f->part, f->route.key, f->part.write_bytes, f->mtime,
			ziphash, &err) == 0 &&
	    !f->route.is_mutable) {
		flight_may_keep(f); /* again: a recheck may have found no object yet, and forgotten it */
		if (f->route.kind == ROUTE_INFO && store_list_add(f->home->store, f->route.key, &err) != 0)
			log_write(LOG_WARN, "%s: %s", f->id, err.text);
		audit_kept(f);
	}
	part_discard(f->home->store, &f->part);
	atomic_fetch_sub(&f->home->commits, 1);
	flight_read_ahead(f);
	flight_end_proven(f);
}

/* The body is good: answer; what the disk has to do for it comes after that. */
static void take_body(struct flight *f)
{
	int64_t took_ms = clock_now_ms() - f->started_ms;

	f->from = f->result->shown;
	if (f->is_streaming)
		flight_publish(f, PART_PROVEN, NULL);
	f->owns_part_fd = false; /* the source's from here */
	flight_set_proven(f, f->part.fd, f->part.write_bytes);
	log_write(LOG_INFO, "%s: fetched %s from %s: %lld bytes in %lld ms", f->id, f->route.path,
		  f->from, (long long)f->part.write_bytes, (long long)took_ms);
	if (atomic_fetch_add(&f->home->commits, 1) < COMMITS_MAX)
		work_post(f->home->disk, commit, f);
	else
		commit(f); /* so that fetching is no quicker than the disk */
}

void flight_conclude(struct flight *f)
{
	struct err err = { 0 };

	switch (flight_prove(f, &err)) {
	case FLIGHT_WAITS:
		break;
	case FLIGHT_GOOD:
		take_body(f);
		break;
	case FLIGHT_WRONG:
		upstream_reject(f->home->upstream, &f->call, &err);
		break;
	case FLIGHT_REFUSED:
		flight_end_failed(f, &err);
		break;
	}
}

static void verify(void *arg)
{
	struct flight *f = arg;
	struct err err = { 0 };

	if (check_body(f, &err) == 0) {
		flight_conclude(f);
	} else if (err.kind == ERR_BAD_UPSTREAM) {
		/* Where the truth is known it may be looked for behind ',' as well. */
		if (f->proof.sumdb)
			err.kind = ERR_MISMATCH;
		upstream_reject(f->home->upstream, &f->call, &err);
	} else {
		flight_end_failed(f, &err);
	}
}

/* Something of the private module is here: it is one, though nobody can be asked at the moment. */
static bool is_known(struct store *store, struct str escaped)
{
	static const char *const kinds[] = { "download", "mutable" };
	char path[STORE_KEY_MAX];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		snprintf(path, sizeof(path), "private/%s/%.*s/@v", kinds[i], STR_ARG(escaped));
		if (store_dirfd(store) >= 0 && faccessat(store_dirfd(store), path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/*
 * A package of a module that was published here is no module, and the go command, which has
 * to ask, gives up where it hears of anything but absence. It is forgotten at once.
 */
static bool end_below_home(struct flight *f, const struct err *err)
{
	struct store_absence absence = { 404, STR("text/plain; charset=utf-8"), STR(""), 0 };
	struct str module = route_escaped_module(&f->route);
	bool is_question = f->route.is_mutable || f->route.kind == ROUTE_INFO;

	if (!f->route.is_private || f->route.sumdb || !is_question ||
	    (err->kind != ERR_BAD_UPSTREAM && err->kind != ERR_FORBIDDEN) || is_known(f->home->store, module) ||
	    !publish_is_below_home(f->home->store, module))
		return false;
	absence.text = pool_printf(f->pool, "not found: '%.*s' lies below a module that was uploaded here, and no "
				   "repository has it: %s\n", STR_ARG(f->route.module), err->text);
	flight_end_absent(f, &absence, false);
	return true;
}

static void finish_without_body(void *arg)
{
	struct flight *f = arg;
	struct store_absence absence;

	if (f->result->outcome == UPSTREAM_FAILED) {
		struct err err = f->result->err;

		if (end_below_home(f, &err))
			return;
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

static enum direct_kind direct_kind_of(const struct route *route)
{
	switch (route->kind) {
	case ROUTE_LIST:
		return DIRECT_LIST;
	case ROUTE_LATEST:
		return DIRECT_LATEST;
	case ROUTE_MOD:
		return DIRECT_MOD;
	case ROUTE_ZIP:
		return DIRECT_ZIP;
	default:
		return DIRECT_INFO;
	}
}

void flight_fetch(struct flight *f)
{
	const struct route *route = &f->route;
	struct err err = { 0 };
	bool must_ask;

	if (route->sumdb) {
		flight_ask_sumdb(f);
		return;
	}
	f->call = (struct upstream_call){
		.id = f->id,
		.path = route->path,
		.kind = direct_kind_of(route),
		.module = route->module,
		.version = route->version,
		.is_big = route->kind == ROUTE_ZIP,
		.body_max_bytes = route->body_max_bytes,
		.on_start = on_start,
		.on_bytes = on_bytes,
		.on_done = on_done,
		.arg = f,
	};
	must_ask = flight_prove_begin(f);
	f->call.is_proven = f->proof.sumdb &&
			    config_policy_of(f->home->answer->config, route->module) != CONFIG_ALLOW;
	if (must_ask && flight_is_hopeless(f, &err)) {
		flight_end_failed(f, &err);
		return;
	}
	upstream_start(f->home->upstream, &f->call);
	if (must_ask)
		flight_prove_ask(f);
}
