#include "program/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "gomod/module.h"
#include "program/owner.h"
#include "program/verify_internal.h"

#define PROGRESS_MS    200
#define THREADS_MAX    64
#define REPAIR_THREADS 8

/* A directory of a module's versions, or a file of a database. */
struct task {
	struct verify *v;
	char path[STORE_KEY_MAX]; /* "download/...", "private/download/..." */
};

/* ---- what is said ---- */

static void clear_progress(const struct verify *v)
{
	if (v->is_terminal)
		fputs("\r\033[K", stderr);
}

static void show_progress(struct verify *v)
{
	int64_t now = clock_now_ms();
	double part = v->bytes_all > 0 ? (double)v->bytes / (double)v->bytes_all : 0;
	double seconds = (double)(now - v->started_ms) / 1000;
	char bar[31];

	if (!v->is_terminal || now - v->shown_ms < PROGRESS_MS)
		return;
	v->shown_ms = now;
	for (int i = 0; i < 30; i++)
		bar[i] = i < (int)(part * 30) ? '#' : '.';
	bar[30] = '\0';
	fprintf(stderr, "\r[%s] %3.0f %%  %lld of %lld files, %.0f MB/s, %lld wrong\033[K", bar, part * 100,
		(long long)v->files, (long long)v->files_all,
		seconds > 0 ? (double)v->bytes / 1e6 / seconds : 0, (long long)v->wrong);
	fflush(stderr);
}

static void print_json(struct json *line)
{
	struct buf buf;

	buf_init(&buf, 16384);
	json_print(line, &buf);
	fwrite(buf.p, 1, buf.n, stdout);
	buf_clear(&buf);
	json_free(line);
}

/* The mutex is held. */
void verify_say(struct verify *v, const char *verdict, const char *key, const char *why)
{
	const char *object = store_object(key);
	struct json *line;

	clear_progress(v);
	if (!v->options->is_json) {
		struct pool *pool = pool_new();

		printf("%-9s %s: %s\n", verdict, pool_clean(pool, str_of(object)).p,
		       pool_clean(pool, str_of(why)).p);
		pool_free(pool);
		return;
	}
	line = json_new();
	json_add_str(line, "verdict", str_of(verdict));
	json_add_str(line, "object", str_of(object));
	json_add_str(line, "why", str_of(why));
	print_json(line);
}

void verify_count(struct verify *v, int64_t *counter, int64_t bytes)
{
	pthread_mutex_lock(&v->mutex);
	if (counter)
		++*counter;
	v->files++;
	v->bytes += bytes;
	show_progress(v);
	pthread_mutex_unlock(&v->mutex);
}

void verify_note_unproven(struct verify *v, const char *key, int64_t bytes, const char *why)
{
	verify_count(v, &v->unproven, bytes);
	pthread_mutex_lock(&v->mutex);
	verify_say(v, "unproven", key, why);
	pthread_mutex_unlock(&v->mutex);
}

void verify_note_wrong(struct verify *v, const char *key, int64_t bytes, const char *why)
{
	verify_count(v, NULL, bytes);
	store_quarantine(v->rooms.store, key, why);
}

static void hear_quarantined(void *arg, const char *key, const char *why)
{
	bool is_database = str_has_prefix(str_of(key), STR("download/sumdb/"));
	struct verify *v = arg;

	pthread_mutex_lock(&v->mutex);
	v->wrong++;
	verify_say(v, "wrong", key, why);
	/* The others verify_repair() finds in quarantine. */
	if (is_database && v->repairs_n < VERIFY_REPAIRS_MAX)
		v->repairs[v->repairs_n++] = mem_strdup(str_of(key));
	else if (is_database)
		v->left++;
	pthread_mutex_unlock(&v->mutex);
}

void verify_note_exposed(struct verify *v, const char *path)
{
	pthread_mutex_lock(&v->mutex);
	v->exposed++;
	verify_say(v, "exposed", path, "it is private, but lies where web servers send files to everybody: move it "
		   "below private/download, or remove it");
	pthread_mutex_unlock(&v->mutex);
}

void verify_note_repaired(struct verify *v, const char *key, const char *how)
{
	pthread_mutex_lock(&v->mutex);
	v->repaired++;
	verify_say(v, "repaired", key, how);
	pthread_mutex_unlock(&v->mutex);
}

/* ---- walking ---- */

static void run_task(void *arg)
{
	struct task *task = arg;
	struct verify *v = task->v;

	if (str_has_suffix(str_of(task->path), STR("/@v")))
		verify_module(v, task->path);
	else
		verify_database_file(v, task->path);
	free(task);
	pthread_mutex_lock(&v->mutex);
	v->queued--;
	pthread_cond_signal(&v->has_room);
	pthread_mutex_unlock(&v->mutex);
}

/* Waits for room: the list of what is to be done must not grow with the store. */
static void post(struct verify *v, const char *path)
{
	struct task *task = mem_alloc(sizeof(*task));

	task->v = v;
	snprintf(task->path, sizeof(task->path), "%s", path);
	pthread_mutex_lock(&v->mutex);
	while (v->queued >= v->queue_max)
		pthread_cond_wait(&v->has_room, &v->mutex);
	v->queued++;
	pthread_mutex_unlock(&v->mutex);
	work_post(v->work, run_task, task);
}

static void wait_for_all(struct verify *v)
{
	pthread_mutex_lock(&v->mutex);
	while (v->queued > 0)
		pthread_cond_wait(&v->has_room, &v->mutex);
	pthread_mutex_unlock(&v->mutex);
}

/* Below path: each directory of versions, or for a database each file. */
static void walk(struct verify *v, const char *path, bool is_sumdb, bool is_counting, int depth)
{
	struct err err = { 0 };
	DIR *dir;
	int fd = file_dir_list(v->dirfd, path, &dir, &err);
	bool is_versions = str_has_suffix(str_of(path), STR("/@v"));
	struct dirent *entry;
	struct stat st;

	if (!dir || depth > VERIFY_DEPTH_MAX) {
		if (fd != FILE_ABSENT && !is_counting) {
			log_write(LOG_ERROR, "cannot look into '%s': %s", path, err.kind ? err.text : "too deep");
			v->has_unread = true;
		}
		if (dir)
			closedir(dir);
		return;
	}
	if (is_versions && !is_counting)
		post(v, path);
	while ((!is_versions || is_counting) && (entry = readdir(dir)) != NULL) {
		char below[STORE_KEY_MAX];

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int)sizeof(below) ||
		    (!is_sumdb && strcmp(below, "download/sumdb") == 0))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(st.st_mode)) { /* not every file system fills in d_type */
			walk(v, below, is_sumdb, is_counting, depth + 1);
		} else if (is_counting && (is_sumdb || verify_is_object(entry->d_name))) {
			v->files_all++;
			v->bytes_all += st.st_size;
		} else if (is_sumdb && !is_counting) {
			post(v, below);
		}
	}
	closedir(dir);
}

/* ---- the command ---- */

static void say_summary(const struct verify *v)
{
	double seconds = (double)(clock_now_ms() - v->started_ms) / 1000;
	struct json *line;

	clear_progress(v);
	if (!v->options->is_json) {
		printf("%lld files, %.1f MB in %.1f s: %lld proven by the signed tree, %lld not to be checked, "
		       "%lld unproven, %lld wrong, %lld of them repaired\n",
		       (long long)v->files, (double)v->bytes / 1e6, seconds, (long long)v->proven,
		       (long long)v->unchecked, (long long)v->unproven, (long long)v->wrong,
		       (long long)v->repaired);
		return;
	}
	line = json_new();
	json_add_str(line, "verdict", STR("summary"));
	json_add_int(line, "files", v->files);
	json_add_int(line, "bytes", v->bytes);
	json_add_int(line, "duration_ms", clock_now_ms() - v->started_ms);
	json_add_int(line, "proven", v->proven);
	json_add_int(line, "unchecked", v->unchecked);
	json_add_int(line, "unproven", v->unproven);
	json_add_int(line, "wrong", v->wrong);
	json_add_int(line, "repaired", v->repaired);
	json_add_int(line, "exposed", v->exposed);
	print_json(line);
}

/* An alarm makes every proof worthless: that is no "unproven", but trouble. */
static bool has_alarm(struct verify *v)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	bool has = false;
	struct str head;

	for (size_t i = 0; i < v->config->sumdb.n && !has; i++)
		has = sumdb_latest(sumdbs_find(v->rooms.sumdbs, &v->config->sumdb.databases[i]), NULL, pool, &head,
				   &err) == SUMDB_FAILED;
	if (has)
		log_write(LOG_ERROR, "%s", err.text);
	pool_free(pool);
	return has;
}

static int run(struct verify *v)
{
	bool is_doubtful = has_alarm(v);

	if (v->is_terminal) {
		walk(v, "download", false, true, 0);
		walk(v, "private/download", false, true, 0);
		if (!v->options->patterns)
			walk(v, "download/sumdb", true, true, 0);
	}
	/* The databases first: the modules' proofs are made of their files; lookups' of tiles. */
	for (int i = 0; i < 2 && !v->options->patterns; i++) {
		v->is_for_tiles = i == 0;
		walk(v, "download/sumdb", true, false, 0);
		wait_for_all(v);
		verify_repair_databases(v);
	}
	walk(v, "download", false, false, 0);
	walk(v, "private/download", false, false, 0);
	wait_for_all(v);
	if (v->options->must_repair)
		verify_repair(v);
	say_summary(v);
	if (v->options->patterns && v->files == 0)
		log_write(LOG_ERROR, "no module here matches '%s'", v->options->patterns);
	if (v->has_unread || is_doubtful || (v->options->patterns && v->files == 0))
		return VERIFY_TROUBLE;
	if (v->left > 0 || v->exposed > 0 || (!v->options->must_repair && v->repaired < v->wrong))
		return VERIFY_WRONG;
	return v->repaired > 0 || v->wrong > 0 ? VERIFY_REPAIRED : VERIFY_RIGHT;
}

/* Reading is for everybody, but opening the store makes what isn't there yet. */
static bool may_open(const struct config *config)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	bool is_ours = owner_check(config->cache.dir, "verify", &err) == 0;
	bool may = is_ours || access(pool_printf(pool, "%s/tmp", config->cache.dir).p, F_OK) == 0;

	if (!is_ours)
		log_write(may ? LOG_WARN : LOG_ERROR, "%s", err.text);
	pool_free(pool);
	return may;
}

int verify_run(const struct config *config, const struct verify_options *options)
{
	struct verify *v = mem_alloc(sizeof(*v));
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int threads = processors < 1 ? 1 : processors > THREADS_MAX ? THREADS_MAX : (int)processors;
	int status = VERIFY_TROUBLE;
	struct err err = { 0 };

	v->config = config;
	v->options = options;
	v->started_ms = clock_now_ms();
	v->is_terminal = isatty(STDERR_FILENO) && !options->is_json;
	pthread_mutex_init(&v->mutex, NULL);
	pthread_cond_init(&v->has_room, NULL);
	v->queue_max = 4 * threads;
	if (access(config->cache.dir, X_OK) != 0 ||
	    (options->patterns && !module_is_pattern(str_of(options->patterns)))) {
		log_write(LOG_ERROR, "cannot verify: no cache at '%s', or '%s' is no pattern of modules",
			  config->cache.dir, options->patterns ? options->patterns : "");
		free(v);
		return VERIFY_TROUBLE;
	}
	if (!may_open(config)) {
		free(v);
		return VERIFY_TROUBLE;
	}
	if (responder_open(&v->rooms, config, -1, REPAIR_THREADS, &err) != 0 ||
	    !(v->work = work_new(threads, 0, &err))) {
		log_write(LOG_ERROR, "cannot verify: %s", err.text);
	} else if ((v->dirfd = store_dirfd(v->rooms.store)) < 0) {
		log_write(LOG_ERROR, "cannot verify: there is no cache at '%s'", config->cache.dir);
	} else {
		store_on_quarantine(v->rooms.store, hear_quarantined, v);
		responder_unblock_signals(); /* Ctrl-C ends it; the store stands that */
		status = run(v);
	}
	work_free(v->work);
	responder_close(&v->rooms);
	for (size_t i = 0; i < v->repairs_n; i++)
		free(v->repairs[i]);
	pthread_cond_destroy(&v->has_room);
	pthread_mutex_destroy(&v->mutex);
	free(v);
	return status;
}
