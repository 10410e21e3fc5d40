#include <string.h>

#include "base/log.h"
#include "serve/flight_internal.h"
#include "state/audit.h"
#include "state/pin.h"

static bool is_checked(const struct route *route)
{
	return route->kind == ROUTE_ZIP || route->kind == ROUTE_MOD;
}

/* ---- asking, beside the fetch ---- */

/* The proof is there. If the body was there before, the flight goes on here. */
static void on_proof(void *arg)
{
	struct flight *f = arg;
	bool is_awaited, is_over;

	pthread_mutex_lock(&f->home->mutex);
	f->is_proof_running = false;
	is_awaited = f->is_proof_awaited;
	f->is_proof_awaited = false;
	is_over = f->is_over;
	pthread_mutex_unlock(&f->home->mutex);
	if (is_over)
		flight_free(f);
	else if (is_awaited)
		flight_conclude(f);
}

static const char *lookup_key(struct pool *pool, const struct flight *f)
{
	struct str path = str_of(f->route.path);
	long at = str_find_last_str(path, STR("/@v/"));
	struct str version = str_skip(path, (size_t)at + 4);

	version = str_head(version, version.n - 4); /* .mod, .zip */
	return pool_printf(pool, "download/sumdb/%s/lookup/%.*s@%.*s", f->proof.sumdb->name, (int)at, path.p,
			   STR_ARG(version)).p;
}

/* The database said lately that it doesn't know it. */
static bool is_known_absent(struct flight *f)
{
	struct pool *pool = f->proof.pool;
	struct store_absence absence;

	if (!store_absence_find(f->home->store, lookup_key(pool, f),
				f->home->answer->config->cache.negative_ttl_s, pool, &absence))
		return false;
	f->proof.status = SUMDB_ABSENT;
	f->proof.absent = absence.text;
	return true;
}

static void set_running(struct flight *f, bool is_running)
{
	pthread_mutex_lock(&f->home->mutex);
	f->is_proof_running = is_running;
	pthread_mutex_unlock(&f->home->mutex);
}

bool flight_prove_begin(struct flight *f)
{
	const struct config_sumdb *sumdb;
	enum sumdbs_rule rule;

	/* A second fetch, after a take-over, has its proof under way. */
	if (!is_checked(&f->route) || f->proof.sumdb || f->proven_how)
		return false;
	rule = sumdbs_rule_of(f->home->answer->config, f->route.module, &sumdb);
	if (rule != SUMDBS_CHECK) {
		f->proven_how = f->route.is_private ? "none: it is private" : "none: by [sumdb] gosumdb or nosumdb";
		return false;
	}
	f->proof = (struct sumdb_call){
		.id = f->id,
		.sumdb = sumdb,
		.question = SUMDB_ASK_LOOKUP,
		.module = f->route.module,
		.version = f->route.version,
		.on_done = on_proof,
		.arg = f,
		.pool = pool_new(), /* the flight's is used by whoever has the body */
	};
	/* The .zip comes soon after the .mod. */
	if (sumdb_recall(sumdbs_find(f->home->sumdbs, sumdb), f->proof.pool, f->route.module,
			 f->route.version, &f->proof.record))
		return false; /* SUMDB_DONE already */
	set_running(f, true);
	return true;
}

void flight_prove_ask(struct flight *f)
{
	/* From here on the flight may be gone at any moment. */
	if (is_known_absent(f))
		on_proof(f);
	else
		sumdb_call_start(f->home->sumdbs, &f->proof);
}

/* ---- judging ---- */

static void audit(const struct flight *f, const char *event, struct str expected, const char *why)
{
	struct json *line = audit_begin(event);

	json_add_str(line, "object", str_of(store_object(f->route.key)));
	if (f->result) {
		json_add_str(line, "from", str_of(f->result->shown));
		json_add_str(line, "h1", str_of(f->h1));
	}
	json_add_str(line, "expected", expected);
	json_add_str(line, "sumdb", str_of(f->proof.sumdb->name));
	json_add_str(line, "why", str_of(why));
	audit_end(store_dirfd(f->home->store), line);
}

static enum flight_verdict judge_record(struct flight *f, struct err *err)
{
	struct str version = sumdb_line_version(f->pool, f->route.version, f->route.kind == ROUTE_MOD);
	const char *name = f->proof.sumdb->name;
	struct str expected = { 0 };

	if (!tlog_record_find(f->proof.record.text, f->route.module, version, &expected)) {
		err_set(err, ERR_MISMATCH, "verifying %.*s@%.*s: no checksum in record %lld of %s",
			STR_ARG(f->route.module), STR_ARG(version), (long long)f->proof.record.id, name);
		audit(f, "mismatch", expected, err->text);
		return FLIGHT_REFUSED;
	}
	if (str_is_equal(expected, str_of(f->h1)))
		return FLIGHT_GOOD;
	err_set(err, ERR_MISMATCH, "verifying %.*s@%.*s: checksum mismatch: downloaded %s, %s says %.*s",
		STR_ARG(f->route.module), STR_ARG(version), f->h1, name, STR_ARG(expected));
	log_write(LOG_ERROR, "%s: SECURITY: %s: %s", f->id, f->result->shown, err->text);
	audit(f, "mismatch", expected, err->text);
	return FLIGHT_WRONG;
}

static struct str first_line(struct str text)
{
	struct str line = STR("");

	str_cut(&text, '\n', &line);
	return str_head(str_trim(line), 200);
}

static enum flight_verdict judge_unknown(struct flight *f, struct err *err)
{
	struct str said = first_line(f->proof.absent);

	err_set(err, ERR_FORBIDDEN,
		"verifying %.*s@%.*s: the checksum database %s doesn't know it, and [sumdb] policy "
		"requires that; it said: '%.*s'",
		STR_ARG(f->route.module), STR_ARG(f->route.version), f->proof.sumdb->name, STR_ARG(said));
	if (config_policy_of(f->home->answer->config, f->route.module) != CONFIG_ALLOW) {
		audit(f, "unknown", (struct str){ 0 }, err->text);
		return FLIGHT_REFUSED;
	}
	f->proven_how = "none: the database doesn't know it, [sumdb] policy allows that";
	audit(f, "unknown", (struct str){ 0 }, f->proven_how);
	return FLIGHT_GOOD;
}

/* What is seen first counts until the database can be asked again. */
static enum flight_verdict judge_unreachable(struct flight *f, struct err *err)
{
	struct str pinned;

	*err = f->proof.err;
	err_wrap(err, "verifying %.*s@%.*s", STR_ARG(f->route.module), STR_ARG(f->route.version));
	if (err->kind != ERR_UNAVAILABLE || f->home->answer->config->sumdb.unreachable != CONFIG_PIN)
		return FLIGHT_REFUSED;
	if (pin_find(f->home->store, f->route.key, f->pool, &pinned) &&
	    !str_is_equal(pinned, str_of(f->h1))) {
		err_set(err, ERR_MISMATCH,
			"verifying %.*s@%.*s: checksum mismatch: downloaded %s, seen first was %.*s",
			STR_ARG(f->route.module), STR_ARG(f->route.version), f->h1, STR_ARG(pinned));
		audit(f, "mismatch", pinned, err->text);
		return FLIGHT_WRONG;
	}
	log_write(LOG_WARN, "%s: PINNED without proof: %s", f->id, err->text);
	audit(f, "pinned", (struct str){ 0 }, f->proof.err.text);
	f->is_pinned = true;
	f->proven_how = "pinned: to be proven later";
	return FLIGHT_GOOD;
}

bool flight_is_hopeless(struct flight *f, struct err *err)
{
	if (f->route.kind != ROUTE_ZIP ||
	    config_policy_of(f->home->answer->config, f->route.module) == CONFIG_ALLOW || !is_known_absent(f))
		return false;
	set_running(f, false);
	judge_unknown(f, err);
	return true;
}

static void remember_absence(struct flight *f)
{
	struct store_absence absence = { f->proof.absent_status, STR("text/plain; charset=utf-8"),
					 f->proof.absent, time(NULL) };

	if (absence.status > 0 && f->home->answer->config->cache.negative_ttl_s > 0)
		store_absence_put(f->home->store, lookup_key(f->pool, f), &absence);
}

enum flight_verdict flight_prove(struct flight *f, struct err *err)
{
	if (!f->proof.sumdb || f->proven_how)
		return FLIGHT_GOOD;
	pthread_mutex_lock(&f->home->mutex);
	f->is_proof_awaited = f->is_proof_running;
	if (f->is_proof_awaited) {
		pthread_mutex_unlock(&f->home->mutex);
		return FLIGHT_WAITS;
	}
	pthread_mutex_unlock(&f->home->mutex);
	switch (f->proof.status) {
	case SUMDB_DONE:
		return judge_record(f, err);
	case SUMDB_ABSENT:
		remember_absence(f);
		return judge_unknown(f, err);
	default:
		return judge_unreachable(f, err);
	}
}

bool flight_may_be_good(struct flight *f)
{
	const struct config *config = f->home->answer->config;
	bool is_running;

	if (!f->proof.sumdb || f->proven_how)
		return true;
	pthread_mutex_lock(&f->home->mutex);
	is_running = f->is_proof_running;
	pthread_mutex_unlock(&f->home->mutex);
	if (is_running)
		return false;
	if (f->proof.status == SUMDB_ABSENT)
		return config_policy_of(config, f->route.module) == CONFIG_ALLOW;
	return f->proof.status == SUMDB_DONE || (f->proof.err.kind == ERR_UNAVAILABLE &&
						 config->sumdb.unreachable == CONFIG_PIN);
}

bool flight_may_keep(struct flight *f)
{
	struct err err = { 0 };

	return !f->is_pinned || pin_put(f->home->store, f->route.key, str_of(f->h1), &err) == 0;
}

/* ---- for clients ---- */

static void answer_all(struct flight *f, struct str bytes)
{
	const struct answer *answer = f->home->answer;
	int64_t max_age_s = f->route.is_mutable ? answer->config->cache.list_ttl_s : -1;
	struct want *wants = flight_remove(f);

	while (wants) {
		struct want *next = wants->next;

		answer_bytes(answer, wants, bytes, max_age_s);
		wants = next;
	}
}

/* Followers in other processes look for the file as soon as the lock is free. */
static void release(void *arg)
{
	struct flight *f = arg;

	sumdbs_flush(f->home->sumdbs);
	part_discard(f->home->store, &f->part);
	flight_free(f);
}

static void on_sumdb(void *arg)
{
	struct flight *f = arg;
	struct store_absence absence = { f->proof.absent_status ? f->proof.absent_status : 404,
					 STR("text/plain; charset=utf-8"), f->proof.absent, time(NULL) };

	set_running(f, false);
	switch (f->proof.status) {
	case SUMDB_DONE:
		answer_all(f, f->route.kind == ROUTE_SUMDB_LOOKUP ? f->proof.record.message : f->proof.data);
		work_post(f->home->disk, release, f);
		break;
	case SUMDB_ABSENT:
		flight_end_absent(f, &absence, f->proof.absent_status > 0);
		break;
	default:
		flight_end_failed(f, &f->proof.err);
		break;
	}
}

void sumdb_call_of_route(const struct route *route, const char *id, struct sumdb_call *call)
{
	*call = (struct sumdb_call){
		.id = id,
		.sumdb = route->sumdb,
		.question = route->kind == ROUTE_SUMDB_LOOKUP ? SUMDB_ASK_LOOKUP
			    : route->kind == ROUTE_SUMDB_TILE ? SUMDB_ASK_TILE
							      : SUMDB_ASK_LATEST,
		.module = route->module,
		.version = route->version,
		.tile = route->tile,
	};
}

void flight_ask_sumdb(struct flight *f)
{
	sumdb_call_of_route(&f->route, f->id, &f->proof);
	f->proof.on_done = on_sumdb;
	f->proof.arg = f;
	set_running(f, true);
	sumdb_call_start(f->home->sumdbs, &f->proof);
}
