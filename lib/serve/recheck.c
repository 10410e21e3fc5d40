#include "serve/recheck.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "state/audit.h"
#include "state/check.h"
#include "state/pin.h"

#define INTERVAL_MS  10000
#define FIRST_MS     500
#define OBJECTS_MAX  64 /* of one round */

struct recheck {
	const struct answer *answer;
	struct store *store;
	struct sumdbs *sumdbs;
	struct flights *flights;
	struct work *disk;
	int64_t due_ms;
	size_t from; /* so that those that can't be proven don't keep the others from their turn */
	atomic_int running; /* questions, and 1 while a round begins */
};

/* One pinned object. */
struct pinned {
	struct recheck *home;
	struct pool *pool;
	struct route route;
	struct sumdb_call proof;
};

static void finish(struct pinned *p)
{
	struct recheck *home = p->home;

	sumdb_call_end(&p->proof);
	pool_free(p->pool);
	atomic_fetch_sub(&home->running, 1);
}

static void audit_proven(const struct pinned *p, const char *h1)
{
	struct json *line = audit_begin("proven");

	json_add_str(line, "object", str_of(store_object(p->route.key)));
	json_add_str(line, "h1", str_of(h1));
	json_add_str(line, "sumdb", str_of(p->proof.sumdb->name));
	json_add_int(line, "record", p->proof.record.id);
	json_add_int(line, "tree", p->proof.record.tree.n);
	audit_end(store_dirfd(p->home->store), line);
}

/* Out of the way, and another one is fetched, which will be checked. */
static void replace(struct pinned *p, const char *why)
{
	struct recheck *home = p->home;

	store_quarantine(home->store, p->route.key, why);
	if (p->route.kind == ROUTE_ZIP)
		store_remove(home->store, pool_printf(p->pool, "%shash", p->route.key).p);
	pin_remove(home->store, p->route.key);
	flight_begin_careful(home->flights, &p->route, "recheck");
}

/* What the object is, against what the record says. */
static void judge(struct pinned *p)
{
	struct str version = sumdb_line_version(p->pool, p->route.version, p->route.kind == ROUTE_MOD);
	struct str expected = STR("nothing");
	char h1[MODZIP_H1_SIZE] = "";
	struct err err = { 0 };
	int64_t size_bytes;
	int rc = check_object(p->home->store, p->route.key,
			      p->route.kind == ROUTE_ZIP ? CHECK_ZIP : CHECK_MOD, p->route.module,
			      p->route.version, false, h1, &size_bytes, &err);

	if (rc != 0 && err.kind == ERR_NONE) { /* absent: it was never kept */
		pin_remove(p->home->store, p->route.key);
		return;
	}
	tlog_record_find(p->proof.record.text, p->route.module, version, &expected);
	if (rc == 0 && str_is_equal(expected, str_of(h1))) {
		log_write(LOG_WARN, "PROVEN what was pinned: %s", p->route.path);
		audit_proven(p, h1);
		pin_remove(p->home->store, p->route.key);
		return;
	}
	if (rc == 0)
		err_set(&err, ERR_MISMATCH, "pinned as %s, but %s says %.*s", h1, p->proof.sumdb->name,
			STR_ARG(expected));
	replace(p, err.text);
}

/* A job, since a zip is hashed: not in the thread that the proof came by. */
static void conclude(void *arg)
{
	struct pinned *p = arg;

	switch (p->proof.status) {
	case SUMDB_DONE:
		judge(p);
		break;
	case SUMDB_ABSENT:
		if (config_policy_of(p->home->answer->config, p->route.module) == CONFIG_ALLOW)
			pin_remove(p->home->store, p->route.key);
		else
			replace(p, "pinned, but the checksum database doesn't know it");
		break;
	default:
		break; /* later, perhaps */
	}
	finish(p);
}

static void on_proof(void *arg)
{
	struct pinned *p = arg;

	work_post(p->home->disk, conclude, p);
}

static void begin(struct recheck *home, const char *key)
{
	struct pool *pool = pool_new();
	struct pinned *p = pool_alloc(pool, sizeof(*p));
	const struct config_sumdb *sumdb = NULL;
	struct err err = { 0 };

	atomic_fetch_add(&home->running, 1);
	p->home = home;
	p->pool = pool;
	/* While the settings say that nobody needs a proof the mark stays: they may change again. */
	if (route_parse_path(pool, home->answer->config, str_of(store_object(key)), &p->route, &err) != 0 ||
	    sumdbs_rule_of(home->answer->config, p->route.module, &sumdb) != SUMDBS_CHECK) {
		finish(p);
		return;
	}
	p->proof = (struct sumdb_call){
		.id = "recheck",
		.sumdb = sumdb,
		.question = SUMDB_ASK_LOOKUP,
		.module = p->route.module,
		.version = p->route.version,
		.on_done = on_proof,
		.arg = p,
	};
	sumdb_call_start(home->sumdbs, &p->proof);
}

static void run(void *arg)
{
	struct recheck *home = arg;
	const char *keys[OBJECTS_MAX];
	struct pool *pool = pool_new();
	size_t n = pin_list(home->store, pool, keys, home->from, OBJECTS_MAX);

	home->from = n == OBJECTS_MAX ? home->from + n : 0;
	for (size_t i = 0; i < n; i++)
		begin(home, keys[i]);
	pool_free(pool);
	atomic_fetch_sub(&home->running, 1);
}

void recheck_tick(struct recheck *home)
{
	int64_t now = clock_now_ms();

	if (!home || now < home->due_ms || atomic_load(&home->running) > 0)
		return;
	home->due_ms = now + INTERVAL_MS;
	atomic_store(&home->running, 1);
	work_post(home->disk, run, home);
}

struct recheck *recheck_new(const struct answer *answer, struct store *store,
			    struct sumdbs *sumdbs, struct flights *flights, struct work *disk)
{
	struct recheck *home = mem_alloc(sizeof(*home));

	home->answer = answer;
	home->store = store;
	home->sumdbs = sumdbs;
	home->flights = flights;
	home->disk = disk;
	home->due_ms = clock_now_ms() + FIRST_MS;
	return home;
}

bool recheck_is_busy(const struct recheck *recheck)
{
	return recheck && atomic_load(&recheck->running) > 0;
}

void recheck_free(struct recheck *recheck)
{
	free(recheck);
}
