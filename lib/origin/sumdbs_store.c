#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "gomod/note.h"
#include "origin/sumdbs_internal.h"
#include "state/audit.h"

#define CACHE_FILE_MAX (16U << 20) /* a tile of records */

static void state_key(const struct database *db, const char *file, char key[STORE_KEY_MAX])
{
	snprintf(key, STORE_KEY_MAX, "sumdb/%s/%s", db->config->name, file);
}

static void cache_key(const struct database *db, const char *file, char key[STORE_KEY_MAX])
{
	snprintf(key, STORE_KEY_MAX, "download/sumdb/%s/%s", db->config->name, file);
}

static struct str read_latest(void *context, struct pool *pool)
{
	const struct database *db = context;
	int dirfd = store_dirfd(db->home->store);
	struct str head = STR("");
	struct err err = { 0 };
	char key[STORE_KEY_MAX];

	state_key(db, "latest", key);
	if (dirfd >= 0 && file_read_all(dirfd, key, NOTE_MAX, pool, &head, &err) == -1)
		log_write(LOG_WARN, "%s", err.text);
	return head;
}

static bool write_latest(void *context, struct str old, struct str head)
{
	const struct database *db = context;
	struct err err = { 0 };
	char key[STORE_KEY_MAX];

	state_key(db, "latest", key);
	return store_swap(db->home->store, key, old, head, &err) == 1;
}

static void drop_latest(void *context, const struct err *why)
{
	const struct database *db = context;
	char key[STORE_KEY_MAX];

	state_key(db, "latest", key);
	store_quarantine(db->home->store, key, why->text);
}

/* As cmd/go's ReadCache: an empty file is one that is being written. */
static bool read_cache(void *context, const char *file, struct pool *pool, struct str *data)
{
	const struct database *db = context;
	int dirfd = store_dirfd(db->home->store);
	struct err err = { 0 };
	char key[STORE_KEY_MAX];

	cache_key(db, file, key);
	return dirfd >= 0 && file_read_all(dirfd, key, CACHE_FILE_MAX, pool, data, &err) == 0 &&
	       data->n > 0;
}

struct write {
	struct write *next;
	char *key;
	char *bytes;
	size_t n;
};

/*
 * Lookups are written behind the answer, together with the object that they
 * are about: waking a thread for each of them, and making the file meanwhile,
 * would be half of what a proof costs. Tiles are written at once, since the
 * next head must not be there before the tiles that lead on to it.
 */
static void write_cache(void *context, const char *file, struct str data)
{
	const struct database *db = context;
	struct sumdbs *sumdbs = db->home;
	struct err err = { 0 };
	char key[STORE_KEY_MAX];
	struct write *w;

	cache_key(db, file, key);
	if (!str_has_prefix(str_of(file), STR("lookup/"))) {
		store_put(sumdbs->store, key, data, false, &err);
		return;
	}
	w = mem_alloc(sizeof(*w));
	w->key = mem_strdup(str_of(key));
	w->bytes = mem_strdup(data);
	w->n = data.n;
	pthread_mutex_lock(&sumdbs->mutex);
	w->next = sumdbs->writes;
	sumdbs->writes = w;
	pthread_mutex_unlock(&sumdbs->mutex);
}

void sumdbs_flush(struct sumdbs *sumdbs)
{
	struct err err = { 0 };
	struct write *w, *next;

	/* What another thread is writing is written, too, when this returns. */
	pthread_mutex_lock(&sumdbs->flushing);
	pthread_mutex_lock(&sumdbs->mutex);
	w = sumdbs->writes;
	sumdbs->writes = NULL;
	pthread_mutex_unlock(&sumdbs->mutex);
	for (; w; w = next) {
		next = w->next;
		store_put(sumdbs->store, w->key, (struct str){ w->bytes, w->n }, false, &err);
		free(w->key);
		free(w->bytes);
		free(w);
	}
	pthread_mutex_unlock(&sumdbs->flushing);
}

static bool has_writes(struct sumdbs *sumdbs)
{
	bool has;

	pthread_mutex_lock(&sumdbs->mutex);
	has = sumdbs->writes != NULL;
	pthread_mutex_unlock(&sumdbs->mutex);
	return has;
}

static void run_flush(void *arg)
{
	sumdbs_flush(arg);
}

void sumdbs_tick(struct sumdbs *sumdbs)
{
	if (has_writes(sumdbs))
		work_post(sumdbs->disk, run_flush, sumdbs);
}

static void drop_cache(void *context, const char *file, const struct err *why)
{
	const struct database *db = context;
	char key[STORE_KEY_MAX];

	cache_key(db, file, key);
	store_quarantine(db->home->store, key, why->text);
}

static void raise_alarm(void *context, struct str evidence)
{
	struct database *db = context;
	struct err err = { 0 };
	struct json *line;
	char key[STORE_KEY_MAX];
	struct str text;

	state_key(db, "alarm", key);
	if (store_put(db->home->store, key, evidence, true, &err) != 0)
		atomic_store(&db->has_alarm, true); /* at least here */
	while (evidence.n > 0 && str_cut(&evidence, '\n', &text))
		log_write(LOG_ERROR, "%.*s", STR_ARG(text));
	line = audit_begin("alarm");
	json_add_str(line, "sumdb", str_of(db->config->name));
	json_add_str(line, "file", str_of(key));
	audit_end(store_dirfd(db->home->store), line);
}

static bool has_alarm(void *context, struct pool *pool, struct str *where)
{
	struct database *db = context;
	struct store_file file;
	struct err err = { 0 };
	char key[STORE_KEY_MAX];

	state_key(db, "alarm", key);
	switch (store_find(db->home->store, key, &file, &err)) {
	case 0:
		close(file.fd);
		atomic_store(&db->was_seen, true);
		break;
	case FILE_ABSENT:
		atomic_store(&db->was_seen, false);
		break;
	default: /* out of descriptors, say: what was seen last counts */
		break;
	}
	if (!atomic_load(&db->was_seen) && !atomic_load(&db->has_alarm))
		return false;
	*where = pool_str(pool, str_of(key));
	return true;
}

void sumdbs_store_ops(struct sumdb_ops *ops)
{
	ops->read_latest = read_latest;
	ops->write_latest = write_latest;
	ops->drop_latest = drop_latest;
	ops->read_cache = read_cache;
	ops->write_cache = write_cache;
	ops->drop_cache = drop_cache;
	ops->raise_alarm = raise_alarm;
	ops->has_alarm = has_alarm;
}

time_t sumdbs_confirmed(struct sumdbs *sumdbs, const struct config_sumdb *sumdb)
{
	const struct database *db = sumdbs_database_of(sumdbs, sumdb);
	struct store_file file;
	struct err err = { 0 };
	char key[STORE_KEY_MAX];

	state_key(db, "latest", key);
	if (store_find(sumdbs->store, key, &file, &err) != 0)
		return 0;
	close(file.fd);
	return file.mtime;
}

void sumdbs_confirm(struct sumdbs *sumdbs, const struct config_sumdb *sumdb)
{
	char key[STORE_KEY_MAX];

	state_key(sumdbs_database_of(sumdbs, sumdb), "latest", key);
	store_touch(sumdbs->store, key);
}
