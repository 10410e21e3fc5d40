#include "origin/sumdbs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "gomod/module.h"
#include "origin/sumdbs_internal.h"

/* Rounds of one question: a few, and one more for each source that lies. */
#define ROUNDS_MAX 100

struct database *sumdbs_database_of(struct sumdbs *sumdbs, const struct config_sumdb *sumdb)
{
	return &sumdbs->databases[sumdb - sumdbs->config->sumdb.databases];
}

struct sumdb *sumdbs_find(struct sumdbs *sumdbs, const struct config_sumdb *sumdb)
{
	return sumdbs_database_of(sumdbs, sumdb)->sumdb;
}

enum sumdbs_rule sumdbs_rule_of(const struct config *config, struct str module,
				const struct config_sumdb **sumdb)
{
	*sumdb = config->sumdb.gosumdb;
	if (config_policy_of(config, module) == CONFIG_DENY)
		return SUMDBS_DENY;
	if (str_is_equal(module, STR("golang.org/toolchain"))) {
		*sumdb = config->sumdb.toolchain;
		return SUMDBS_CHECK;
	}
	/* A private module's name is no database's business. */
	if (!*sumdb || config_is_private(config, module) ||
	    module_matches_patterns(str_of(config->sumdb.nosumdb), module))
		return SUMDBS_SKIP;
	return SUMDBS_CHECK;
}

/* ---- questions ---- */

static void ask(struct sumdbs *sumdbs, struct sumdb_call *call, void *asker)
{
	struct sumdb *db = sumdbs_find(sumdbs, call->sumdb);

	call->err = (struct err){ 0 };
	switch (call->question) {
	case SUMDB_ASK_LOOKUP:
		call->status = sumdb_lookup(db, asker, call->pool, call->module, call->version,
					    &call->record, &call->absent, &call->err);
		break;
	case SUMDB_ASK_TILE:
		call->status = sumdb_read_tile(db, asker, call->pool, &call->tile, &call->data,
					       &call->absent, &call->err);
		break;
	case SUMDB_ASK_LATEST:
		call->status = sumdb_latest(db, asker, call->pool, &call->data, &call->err);
		break;
	}
}

static void asker_free(struct sumdb_asker *asker)
{
	struct sumdbs *sumdbs = asker->home;

	for (struct use *use = asker->uses; use; use = use->next) {
		struct use **link = &use->remote->waiting;

		pthread_mutex_lock(&sumdbs->mutex);
		while (use->is_waiting && *link != use)
			link = &(*link)->next_waiting;
		if (use->is_waiting)
			*link = use->next_waiting;
		pthread_mutex_unlock(&sumdbs->mutex);
		remote_unuse(use->remote);
	}
	free(asker);
}

static void finish(struct sumdb_asker *asker)
{
	struct sumdb_call *call = asker->call;

	if (call->question == SUMDB_ASK_LATEST && call->status == SUMDB_DONE)
		sumdbs_confirm(asker->home, call->sumdb);
	asker_free(asker);
	if (call->status == SUMDB_FAILED)
		log_write(LOG_WARN, "%s: %s: %s", call->id, call->sumdb->name, call->err.text);
	call->on_done(call->arg);
}

/*
 * In the thread that the answer came by: handing it over would take longer
 * than a proof of which all but the record is in memory.
 */
bool sumdbs_finish_quickly(struct sumdb_asker *asker, const struct remote *remote)
{
	struct sumdb_call *call = asker->call;
	struct str message = { remote->body.p, remote->body.n };

	if (call->question != SUMDB_ASK_LOOKUP || asker->uses->remote != remote || asker->uses->next)
		return false;
	message = pool_str(call->pool, message);
	if (!sumdb_lookup_quickly(remote->db->sumdb, call->pool, message, call->module, call->version,
				  &call->record))
		return false;
	call->status = SUMDB_DONE;
	finish(asker);
	return true;
}

/* Has what the last round asked for come meanwhile? Else on_done() posts the next one. */
static bool is_there(struct sumdb_asker *asker)
{
	bool is_there;

	pthread_mutex_lock(&asker->home->mutex);
	is_there = --asker->pending == 0;
	pthread_mutex_unlock(&asker->home->mutex);
	return is_there;
}

void sumdbs_run(void *arg)
{
	struct sumdb_asker *asker = arg;
	struct sumdb_call *call = asker->call;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		pthread_mutex_lock(&asker->home->mutex);
		asker->pending++;
		pthread_mutex_unlock(&asker->home->mutex);
		ask(asker->home, call, asker);
		remote_go_on(asker);
		if (call->status != SUMDB_WAIT) {
			finish(asker);
			return;
		}
		if (!is_there(asker))
			return;
	}
	call->status = SUMDB_FAILED;
	err_set(&call->err, ERR_MISMATCH, "%s gives no proof in %d rounds", call->sumdb->shown, ROUNDS_MAX);
	finish(asker);
}

static struct pool *pool_of(struct sumdb_call *call)
{
	if (!call->pool)
		call->pool = pool_new();
	return call->pool;
}

bool sumdb_call_try(struct sumdbs *sumdbs, struct sumdb_call *call)
{
	pool_of(call);
	ask(sumdbs, call, NULL);
	return call->status != SUMDB_WAIT;
}

void sumdb_call_start(struct sumdbs *sumdbs, struct sumdb_call *call)
{
	struct sumdb_asker *asker = mem_alloc(sizeof(*asker));

	pool_of(call);
	asker->home = sumdbs;
	asker->call = call;
	sumdbs_run(asker);
}

void sumdb_call_end(struct sumdb_call *call)
{
	if (call->pool)
		pool_free(call->pool);
	call->pool = NULL;
}

struct sumdbs *sumdbs_new(const struct config *config, struct store *store,
			  struct upstream *upstream, struct work *work, struct work *disk)
{
	struct sumdbs *sumdbs = mem_alloc(sizeof(*sumdbs));
	struct sumdb_ops ops = { .read_remote = remote_read, .reject_remote = remote_reject };

	sumdbs->config = config;
	sumdbs->store = store;
	sumdbs->upstream = upstream;
	sumdbs->work = work;
	sumdbs->disk = disk;
	pthread_mutex_init(&sumdbs->flushing, NULL);
	pthread_mutex_init(&sumdbs->mutex, NULL);
	sumdbs->databases = mem_alloc((config->sumdb.n + 1) * sizeof(*sumdbs->databases));
	sumdbs_store_ops(&ops);
	for (size_t i = 0; i < config->sumdb.n; i++) {
		struct database *db = &sumdbs->databases[i];

		db->home = sumdbs;
		db->config = &config->sumdb.databases[i];
		ops.context = db;
		db->sumdb = sumdb_new(db->config->key, &ops);
	}
	return sumdbs;
}

void sumdbs_free(struct sumdbs *sumdbs)
{
	if (!sumdbs)
		return;
	for (size_t i = 0; i < sumdbs->config->sumdb.n; i++)
		sumdb_free(sumdbs->databases[i].sumdb);
	free(sumdbs->databases);
	pthread_mutex_destroy(&sumdbs->flushing);
	pthread_mutex_destroy(&sumdbs->mutex);
	free(sumdbs);
}
