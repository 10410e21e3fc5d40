#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "gomod/module.h"
#include "program/verify_internal.h"

/* Each needs descriptors, and an upstream's patience. */
#define REPAIRS_AT_ONCE 64

/* Is "MODULE/@v/VERSION.zip" where it belongs? */
static bool is_kept(struct verify *v, const char *object)
{
	struct pool *pool = pool_new();
	long at = str_find_last_str(str_of(object), STR("/@v/"));
	struct str module;
	struct store_file file;
	struct err err = { 0 };
	bool is_private = at > 0 &&
			  module_unescape_path(pool, str_head(str_of(object), (size_t)at), &module, &err) == 0 &&
			  config_is_private(v->config, module);
	const char *key = pool_printf(pool, "%sdownload/%s", is_private ? "private/" : "", object).p;
	bool is = store_find(v->rooms.store, key, &file, &err) == 0;

	if (is)
		close(file.fd);
	pool_free(pool);
	return is;
}

void verify_repair_databases(struct verify *v)
{
	for (size_t i = 0; i < v->repairs_n; i++) {
		if (v->options->must_repair)
			verify_repair_database_file(v, v->repairs[i]);
		free(v->repairs[i]);
	}
	v->repairs_n = 0;
}

/* What an earlier run has put away, and nobody has fetched since. */
static void add_quarantined(struct verify *v, const char *path, int depth)
{
	struct err err = { 0 };
	DIR *dir;
	int fd = file_dir_list(v->dirfd, path, &dir, &err);
	struct dirent *entry;
	struct stat st;

	while (dir && depth < VERIFY_DEPTH_MAX && (entry = readdir(dir)) != NULL) {
		char below[STORE_KEY_MAX];
		const char *object;
		char *end;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >= (int)sizeof(below))
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
			add_quarantined(v, below, depth + 1);
			continue;
		}
		for (int dots = 0; dots < 2 && (end = strrchr(below, '.')); dots++)
			*end = '\0'; /* the time */
		/* A database's file comes again with the next question that needs it. */
		if (str_has_prefix(str_of(below), STR("quarantine/download/sumdb/")))
			continue;
		object = store_object(strstr(below, "quarantine/") + strlen("quarantine/"));
		if (v->repairs_n < VERIFY_REPAIRS_MAX && !is_kept(v, object))
			v->repairs[v->repairs_n++] = mem_strdup(str_of(object));
	}
	if (dir)
		closedir(dir);
}

static int compare_repairs(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each once, though it may have been put away several times. */
static void sort_repairs(struct verify *v)
{
	size_t n = 0;

	if (v->repairs_n > 0)
		qsort(v->repairs, v->repairs_n, sizeof(*v->repairs), compare_repairs);
	for (size_t i = 0; i < v->repairs_n; i++) {
		if (n > 0 && strcmp(v->repairs[i], v->repairs[n - 1]) == 0)
			free(v->repairs[i]);
		else
			v->repairs[n++] = v->repairs[i];
	}
	v->repairs_n = n;
}

void verify_repair(struct verify *v)
{
	struct pool *pool = pool_new();
	int begun = 0;

	verify_repair_databases(v); /* those that the modules' proofs came across */
	add_quarantined(v, "quarantine/download", 0);
	add_quarantined(v, "private/quarantine/download", 0);
	sort_repairs(v);
	for (size_t i = 0; i < v->repairs_n; i++) {
		struct route route = { 0 };
		struct err err = { 0 };

		if (route_parse_path(pool, v->config, str_of(v->repairs[i]), &route, &err) != 0)
			continue;
		flight_begin_careful(v->rooms.proxy.flights, &route, "repair");
		if (++begun % REPAIRS_AT_ONCE == 0)
			loop_run(v->rooms.loop);
	}
	loop_run(v->rooms.loop);
	for (size_t i = 0; i < v->repairs_n; i++) {
		if (is_kept(v, v->repairs[i]))
			verify_note_repaired(v, v->repairs[i], "fetched again");
		else
			v->left++;
	}
	pool_free(pool);
}
