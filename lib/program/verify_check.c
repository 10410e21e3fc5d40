#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "program/verify_internal.h"
#include "program/wait.h"
#include "state/check.h"
#include "state/pin.h"

/* Longest file of a database that is read: a tile of records. */
#define DATABASE_FILE_MAX (16U << 20)

/* A version of a module, and what the database says of it. */
struct version {
	struct verify *v;
	struct pool *pool;
	struct str module, version;
	const char *stem; /* "download/MODULE/@v/VERSION" */
	enum sumdbs_rule rule;
	struct sumdb_call proof;
	bool is_asked;
};

static void ask_about(struct version *of)
{
	if (of->is_asked || of->rule != SUMDBS_CHECK)
		return;
	of->is_asked = true;
	of->proof.id = "verify";
	of->proof.question = SUMDB_ASK_LOOKUP;
	of->proof.module = of->module;
	of->proof.version = of->version;
	wait_for_sumdb(of->v->rooms.sumdbs, &of->proof, of->v->options->must_repair);
}

static bool read_ziphash(struct version *of, struct str *h1)
{
	struct err err = { 0 };
	const char *key = pool_printf(of->pool, "%s.ziphash", of->stem).p;

	if (file_read_all(of->v->dirfd, key, 256, of->pool, h1, &err) != 0)
		return false;
	*h1 = str_trim(*h1);
	return true;
}

/* What the signed tree says; a file that it can't speak of is only hashed. */
static void judge(struct version *of, const char *key, enum check_kind kind, const char *h1,
		  int64_t bytes)
{
	struct verify *v = of->v;
	struct str version = sumdb_line_version(of->pool, of->version, kind == CHECK_MOD);
	struct str expected, pinned;

	ask_about(of);
	if (of->rule != SUMDBS_CHECK) {
		verify_count(v, &v->unchecked, bytes);
	} else if (of->proof.status == SUMDB_DONE &&
		   tlog_record_find(of->proof.record.text, of->module, version, &expected)) {
		if (str_is_equal(expected, str_of(h1))) {
			verify_count(v, &v->proven, bytes);
			if (pin_find(v->rooms.store, key, of->pool, &pinned))
				pin_remove(v->rooms.store, key);
			return;
		}
		verify_note_wrong(v, key, bytes, pool_printf(of->pool, "checksum mismatch: it is %s, %s says %.*s",
						      h1, of->proof.sumdb->name, STR_ARG(expected)).p);
	} else {
		verify_note_unproven(v, key, bytes,
			      of->proof.status == SUMDB_ABSENT ? "the checksum database doesn't know it"
			      : of->proof.status == SUMDB_WAIT ? "no record of it is kept here"
			      : of->proof.status == SUMDB_DONE ? "the record doesn't speak of it"
							       : of->proof.err.text);
	}
}

static void verify_zip(struct version *of, const char *key, const char *h1, int64_t bytes)
{
	const char *hash_key = pool_printf(of->pool, "%s.ziphash", of->stem).p;
	struct verify *v = of->v;
	struct str kept, expected;
	struct err err = { 0 };

	if (!read_ziphash(of, &kept) || str_is_equal(kept, str_of(h1))) {
		judge(of, key, CHECK_ZIP, h1, bytes);
		return;
	}
	/* One of both is wrong; the database knows which. */
	ask_about(of);
	if (of->rule == SUMDBS_CHECK && of->proof.status == SUMDB_DONE &&
	    tlog_record_find(of->proof.record.text, of->module, of->version, &expected) &&
	    str_is_equal(expected, str_of(h1))) {
		verify_note_wrong(v, hash_key, 0, "it isn't the hash of the zip, which is right");
		if (store_put(v->rooms.store, hash_key, str_of(h1), true, &err) == 0)
			verify_note_repaired(v, hash_key, "written again");
		verify_count(v, &v->proven, bytes);
		return;
	}
	verify_note_wrong(v, key, bytes, pool_printf(of->pool, "its hash is %s, .ziphash says %.*s", h1,
					      STR_ARG(str_head(kept, 100))).p);
	store_remove(v->rooms.store, hash_key);
}

static void verify_object(struct version *of, enum check_kind kind, const char *extension)
{
	struct verify *v = of->v;
	const char *key = pool_printf(of->pool, "%s.%s", of->stem, extension).p;
	char h1[MODZIP_H1_SIZE] = "";
	struct err err = { 0 };
	int64_t bytes = 0;
	int rc = check_object(v->rooms.store, key, kind, of->module, of->version, v->options->is_quick, h1,
			      &bytes, &err);

	if (rc == -1 && err.kind == ERR_BAD_UPSTREAM) {
		verify_note_wrong(v, key, bytes, err.text);
		if (kind == CHECK_ZIP)
			store_remove(v->rooms.store, pool_printf(of->pool, "%shash", key).p);
	} else if (rc == -1) {
		verify_note_unproven(v, key, bytes, err.text);
	} else if (rc == 0 && kind == CHECK_INFO) {
		verify_count(v, &v->unchecked, bytes);
	} else if (rc == 0 && kind == CHECK_ZIP) {
		verify_zip(of, key, h1, bytes);
	} else if (rc == 0) {
		judge(of, key, kind, h1, bytes);
	}
}

/* All files of one version, so that its record is looked up once. */
static void verify_version(struct verify *v, struct str module, const char *dir, struct str escaped)
{
	struct version of = { .v = v, .pool = pool_new(), .module = module };
	struct err err = { 0 };

	of.stem = pool_printf(of.pool, "%s/%.*s", dir, STR_ARG(escaped)).p;
	if (version_unescape(of.pool, escaped, &of.version, &err) == 0 &&
	    version_is_canonical(of.version)) {
		/* Whatever the settings say now: its name was told to nobody so far. */
		of.rule = store_key_is_private(dir) ? SUMDBS_SKIP
						    : sumdbs_rule_of(v->config, module, &of.proof.sumdb);
		verify_object(&of, CHECK_INFO, "info");
		verify_object(&of, CHECK_MOD, "mod");
		verify_object(&of, CHECK_ZIP, "zip");
	}
	sumdb_call_end(&of.proof);
	pool_free(of.pool);
}

bool verify_is_object(const char *name)
{
	struct str text = str_of(name);

	return str_has_suffix(text, STR(".info")) || str_has_suffix(text, STR(".mod")) ||
	       str_has_suffix(text, STR(".zip"));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The versions of which a .info, .mod or .zip is there, each once. */
static size_t list_versions(struct verify *v, struct pool *pool, const char *path, const char ***names)
{
	struct err err = { 0 };
	DIR *dir;
	size_t n = 0, room = 0, unique = 0;
	struct dirent *entry;

	*names = NULL;
	file_dir_list(v->dirfd, path, &dir, &err);
	while (dir && (entry = readdir(dir)) != NULL) {
		struct str name = str_of(entry->d_name);

		if (!verify_is_object(entry->d_name))
			continue;
		if (n == room)
			*names = mem_realloc(*names, (room = room * 2 + 64) * sizeof(**names));
		(*names)[n++] = pool_cstr(pool, str_head(name, (size_t)str_find_last(name, '.')));
	}
	if (dir)
		closedir(dir);
	if (n > 0)
		qsort(*names, n, sizeof(**names), compare_names);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp((*names)[i], (*names)[unique - 1]) != 0)
			(*names)[unique++] = (*names)[i];
	return unique;
}

void verify_module(struct verify *v, const char *path)
{
	struct str escaped = str_of(store_object(path)), module;
	struct pool *pool = pool_new();
	struct err err = { 0 };
	const char **names;
	size_t n;

	escaped = str_head(escaped, escaped.n - strlen("/@v"));
	if (module_unescape_path(pool, escaped, &module, &err) == 0 &&
	    (!v->options->patterns ||
	     module_matches_patterns(str_of(v->options->patterns), module))) {
		n = list_versions(v, pool, path, &names);
		if (n > 0 && !store_key_is_private(path) && config_is_private(v->config, module))
			verify_note_exposed(v, path);
		for (size_t i = 0; i < n; i++)
			verify_version(v, module, path, str_of(names[i]));
		free(names);
		sumdbs_flush(v->rooms.sumdbs); /* else they pile up, and are lost at Ctrl-C */
	}
	pool_free(pool);
}

/* ---- the databases' files ---- */

static struct str bytes_of(const struct sumdb_call *call)
{
	return call->question == SUMDB_ASK_LOOKUP ? call->record.message : call->data;
}

/* Again from the source, for good. */
static void repair_file(struct verify *v, const char *path, struct sumdb_call *call)
{
	struct err err = { 0 };

	wait_for_sumdb(v->rooms.sumdbs, call, true);
	if (call->status != SUMDB_DONE || store_put(v->rooms.store, path, bytes_of(call), false, &err) != 0) {
		pthread_mutex_lock(&v->mutex);
		v->left++;
		pthread_mutex_unlock(&v->mutex);
		return;
	}
	verify_note_repaired(v, path, "from the checksum database");
}

/* What is proven, against what lies there; the proof may have come out of memory. */
static void judge_file(struct verify *v, const char *path, struct sumdb_call *call)
{
	struct pool *pool = pool_new();
	struct str there = STR("");
	struct err err = { 0 };
	int rc;

	wait_for_sumdb(v->rooms.sumdbs, call, false);
	rc = file_read_all(v->dirfd, path, DATABASE_FILE_MAX, pool, &there, &err);
	if (rc == -1) {
		verify_note_unproven(v, path, 0, err.text);
	} else if (rc == 0 && call->status == SUMDB_DONE && str_is_equal(there, bytes_of(call))) {
		verify_count(v, &v->proven, (int64_t)there.n);
	} else if (rc == 0 && call->status != SUMDB_DONE) {
		verify_note_unproven(v, path, (int64_t)there.n,
			      call->status == SUMDB_WAIT ? "what would prove it isn't kept here" : call->err.text);
	} else {
		/* It isn't there any more where it was in the way of the proof. */
		verify_note_wrong(v, path, (int64_t)there.n, "it isn't what the signed tree has");
	}
	pool_free(pool);
}

/* What to ask for a file; false if no question leads to it. */
static bool question_of(struct verify *v, struct pool *pool, const char *path, struct sumdb_call *call)
{
	struct str rest = str_skip(str_of(path), strlen("download/sumdb/"));
	struct err err = { 0 };
	long at;

	*call = (struct sumdb_call){ .id = "verify" };
	for (size_t i = 0; i < v->config->sumdb.n && !call->sumdb; i++) {
		struct str name = str_of(v->config->sumdb.databases[i].name);

		if (!str_has_prefix(rest, name) || !str_has_prefix(str_skip(rest, name.n), STR("/")))
			continue;
		call->sumdb = &v->config->sumdb.databases[i];
		rest = str_skip(rest, name.n + 1);
	}
	if (!call->sumdb)
		return false;
	if (str_has_prefix(rest, STR("tile/"))) {
		call->question = SUMDB_ASK_TILE;
		return tlog_tile_parse_path(rest, &call->tile, &err) == 0;
	}
	if (!str_has_prefix(rest, STR("lookup/")))
		return false;
	rest = str_skip(rest, strlen("lookup/"));
	at = str_find_last(rest, '@');
	call->question = SUMDB_ASK_LOOKUP;
	return at > 0 && module_unescape_path(pool, str_head(rest, (size_t)at), &call->module, &err) == 0 &&
	       version_unescape(pool, str_skip(rest, (size_t)at + 1), &call->version, &err) == 0;
}

void verify_database_file(struct verify *v, const char *path)
{
	struct pool *pool = pool_new();
	struct sumdb_call call;

	if (question_of(v, pool, path, &call) && v->is_for_tiles == (call.question == SUMDB_ASK_TILE))
		judge_file(v, path, &call);
	sumdb_call_end(&call);
	pool_free(pool);
}

void verify_repair_database_file(struct verify *v, const char *path)
{
	struct pool *pool = pool_new();
	struct sumdb_call call;

	if (question_of(v, pool, path, &call))
		repair_file(v, path, &call);
	sumdb_call_end(&call);
	pool_free(pool);
}
