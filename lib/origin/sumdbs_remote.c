#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "origin/sumdbs_internal.h"

/* A lookup has below 2 KB, a full tile 8, one of records some 50. */
#define REMOTE_BODY_MAX (1 << 20)
#define LOOKUP_BODY_MAX (64 << 10)

static int64_t body_max(const char *file)
{
	struct tlog_tile tile;
	struct err ignored;

	if (tlog_tile_parse_path(str_of(file), &tile, &ignored) != 0)
		return LOOKUP_BODY_MAX;
	return tile.level == TLOG_TILE_DATA_LEVEL ? REMOTE_BODY_MAX : (int64_t)tile.width * TLOG_HASH_SIZE;
}

static int on_start(void *arg, int64_t length_bytes, struct err *err)
{
	struct remote *remote = arg;

	buf_clear(&remote->body);
	buf_init(&remote->body, REMOTE_BODY_MAX);
	return 0;
}

static int on_bytes(void *arg, struct str bytes, struct err *err)
{
	struct remote *remote = arg;

	buf_add(&remote->body, bytes);
	return remote->body.overflow ? err_set(err, ERR_BAD_UPSTREAM, "more than %d bytes", REMOTE_BODY_MAX)
				     : 0;
}

static void remote_free(struct remote *remote)
{
	upstream_end(&remote->call);
	buf_clear(&remote->body);
	free(remote->file);
	free(remote);
}

/* Takes it out of the list if nobody needs it and nothing is under way. */
static bool remote_is_over(struct remote *remote)
{
	struct remote **link = &remote->db->home->remotes;

	if (remote->users > 0 || remote->state == REMOTE_PENDING)
		return false;
	while (*link != remote)
		link = &(*link)->next;
	*link = remote->next;
	return true;
}

static void set_result(struct remote *remote, const struct upstream_result *result)
{
	switch (result->outcome) {
	case UPSTREAM_GOT:
		remote->state = REMOTE_GOT;
		break;
	case UPSTREAM_ABSENT:
		/* 'off' in the chain, or no proxy offers it: nobody who knows was asked. */
		if (!result->is_final) {
			remote->state = REMOTE_FAILED;
			err_set(&remote->err, ERR_UNAVAILABLE, "%s can't be asked: %.*s", remote->db->config->name,
				STR_ARG(str_head(str_trim(result->text), 200)));
			break;
		}
		remote->state = REMOTE_ABSENT;
		remote->absent = result->text;
		remote->absent_status = result->status;
		break;
	case UPSTREAM_FAILED:
		remote->state = REMOTE_FAILED;
		remote->err = result->err;
		if (remote->err.kind != ERR_MISMATCH)
			remote->err.kind = ERR_UNAVAILABLE;
		break;
	}
}

void remote_unuse(struct remote *remote)
{
	struct sumdbs *sumdbs = remote->db->home;
	bool is_over;

	pthread_mutex_lock(&sumdbs->mutex);
	remote->users--;
	is_over = remote_is_over(remote);
	pthread_mutex_unlock(&sumdbs->mutex);
	if (is_over)
		remote_free(remote);
}

static void on_done(void *arg, const struct upstream_result *result)
{
	struct remote *remote = arg;
	struct sumdbs *sumdbs = remote->db->home;
	struct use *use;

	struct sumdb_asker *ready = NULL;
	/*
	 * The body stays as it is until this returns, since the next one comes by
	 * this thread; state and result may be another's by then.
	 */
	bool is_body = result->outcome == UPSTREAM_GOT;

	pthread_mutex_lock(&sumdbs->mutex);
	set_result(remote, result);
	while ((use = remote->waiting) != NULL) {
		remote->waiting = use->next_waiting;
		use->is_waiting = false;
		if (--use->asker->pending > 0)
			continue;
		use->asker->next_ready = ready;
		ready = use->asker;
	}
	remote->users++; /* while its body is looked at */
	pthread_mutex_unlock(&sumdbs->mutex);
	while (ready) {
		struct sumdb_asker *next = ready->next_ready;

		if (!is_body || !sumdbs_finish_quickly(ready, remote))
			work_post(sumdbs->work, sumdbs_run, ready);
		ready = next;
	}
	remote_unuse(remote);
}

static struct remote *remote_find(struct database *db, const char *file)
{
	struct remote *remote = db->home->remotes;

	while (remote && (remote->db != db || strcmp(remote->file, file) != 0))
		remote = remote->next;
	return remote;
}

static struct remote *remote_new(struct database *db, const char *file, const char *id)
{
	struct remote *remote = mem_alloc(sizeof(*remote));

	remote->db = db;
	remote->file = mem_strdup(str_of(file));
	buf_init(&remote->body, REMOTE_BODY_MAX);
	remote->call = (struct upstream_call){
		.id = "sumdb",
		.path = remote->file,
		.sumdb = db->config->name,
		.sumdb_url = db->config->url,
		.sumdb_shown = db->config->shown,
		.is_sumdb_direct = db->config->has_url,
		.body_max_bytes = body_max(file),
		.on_start = on_start,
		.on_bytes = on_bytes,
		.on_done = on_done,
		.arg = remote,
	};
	remote->next = db->home->remotes;
	db->home->remotes = remote;
	log_write(LOG_DEBUG, "%s: needs %s of %s", id, file, db->config->name);
	return remote;
}

static struct use *use_of(struct sumdb_asker *asker, struct database *db, const char *file)
{
	struct use *use = asker->uses;

	while (use && (use->remote->db != db || strcmp(use->remote->file, file) != 0))
		use = use->next;
	return use;
}

static struct use *use_new(struct sumdb_asker *asker, struct database *db, const char *file)
{
	struct use *use = pool_alloc(asker->call->pool, sizeof(*use));

	use->asker = asker;
	use->remote = remote_find(db, file);
	if (!use->remote) {
		use->remote = remote_new(db, file, asker->call->id);
		use->must_start = true;
	}
	use->remote->users++;
	use->seen = -1;
	use->next = asker->uses;
	asker->uses = use;
	return use;
}

static void wait_for(struct use *use)
{
	if (use->is_waiting)
		return;
	use->is_waiting = true;
	use->next_waiting = use->remote->waiting;
	use->remote->waiting = use;
	use->asker->pending++;
}

enum sumdb_status remote_read(void *context, void *arg, const char *file, struct str *data,
				     struct err *err)
{
	struct database *db = context;
	struct sumdb_asker *asker = arg;
	enum sumdb_status status = SUMDB_WAIT;
	struct remote *remote;
	struct use *use;

	pthread_mutex_lock(&db->home->mutex);
	use = use_of(asker, db, file);
	if (!use)
		use = use_new(asker, db, file);
	remote = use->remote;
	use->seen = remote->generation;
	switch (remote->state) {
	case REMOTE_PENDING:
		wait_for(use);
		break;
	case REMOTE_GOT:
		*data = pool_str(asker->call->pool, buf_str(&remote->body));
		status = SUMDB_DONE;
		break;
	case REMOTE_ABSENT:
		*data = pool_str(asker->call->pool, remote->absent);
		asker->call->absent_status = remote->absent_status;
		status = SUMDB_ABSENT;
		break;
	case REMOTE_FAILED:
		*err = remote->err;
		status = SUMDB_FAILED;
		break;
	}
	pthread_mutex_unlock(&db->home->mutex);
	return status;
}

/* What this asker was given, and nobody has rejected since; NULL: there is nothing. */
static struct use *rejectable(struct sumdb_asker *asker, struct database *db, const char *file)
{
	struct use *use = use_of(asker, db, file);

	if (!use || use->seen != use->remote->generation ||
	    (use->remote->state != REMOTE_GOT && use->remote->state != REMOTE_ABSENT))
		return NULL;
	return use;
}

/*
 * Where nobody knows which of several files is wrong, those of the source
 * that was asked first go; else one that lies in one file would have the
 * right ones of the next source rejected along with it.
 */
void remote_reject(void *context, void *asker, const char *const *files, size_t n,
			  const struct err *why)
{
	struct database *db = context;
	size_t first = SIZE_MAX;

	pthread_mutex_lock(&db->home->mutex);
	for (size_t i = 0; i < n; i++) {
		struct use *use = rejectable(asker, db, files[i]);

		if (use && upstream_source(&use->remote->call) < first)
			first = upstream_source(&use->remote->call);
	}
	for (size_t i = 0; i < n; i++) {
		struct use *use = rejectable(asker, db, files[i]);

		if (!use || upstream_source(&use->remote->call) != first)
			continue;
		use->remote->state = REMOTE_PENDING;
		use->remote->generation++;
		use->must_reject = true;
		use->why = *why;
		wait_for(use);
	}
	pthread_mutex_unlock(&db->home->mutex);
}

/* Start and reject what the last round wanted; upstream may call back at once. */
void remote_go_on(struct sumdb_asker *asker)
{
	struct upstream *upstream = asker->home->upstream;

	for (struct use *use = asker->uses; use; use = use->next) {
		bool must_start = use->must_start, must_reject = use->must_reject;

		use->must_start = use->must_reject = false;
		if (must_start)
			upstream_start(upstream, &use->remote->call);
		else if (must_reject)
			upstream_reject(upstream, &use->remote->call, &use->why);
	}
}
