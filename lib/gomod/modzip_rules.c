#include "gomod/modzip_rules.h"

#include <stdlib.h>

#include "gomod/modzip_dir.h"
#include "gomod/path.h"

/* A file or directory below "MODULE@VERSION/". */
struct modzip_path {
	struct str name;
	struct str key; /* the name case-folded */
	bool is_folder;
};

int modzip_refuse(struct str name, const char *reason, struct err *err)
{
	return err_set(err, ERR_BAD_UPSTREAM, "'%s': %s", path_quote(name).text, reason);
}

/* Fold only what isn't folded already, which is most. */
static void fold(struct modzip_paths *paths, struct modzip_path *path)
{
	size_t at = paths->folded.n;
	size_t i = 0;

	path->key = path->name;
	while (i < path->name.n && (unsigned char)path->name.p[i] < 0x80 &&
	       !(path->name.p[i] >= 'A' && path->name.p[i] <= 'Z'))
		i++;
	if (i == path->name.n)
		return;
	path_fold(path->name, &paths->folded);
	/* An offset until all are there, as the buffer moves when it grows. */
	path->key = (struct str){ NULL, paths->folded.n - at };
}

static void resolve_keys(struct modzip_paths *paths)
{
	size_t at = 0;

	for (size_t i = 0; i < paths->n; i++) {
		struct modzip_path *path = &paths->all[i];

		if (path->key.p)
			continue;
		path->key.p = paths->folded.p + at;
		at += path->key.n;
	}
}

/*
 * Bytewise, but a slash before all else: so what lies in a directory
 * follows it at once. (No name has a character below the blank.)
 */
static int tree_order(const void *a, const void *b)
{
	struct str x = ((const struct modzip_path *)a)->key;
	struct str y = ((const struct modzip_path *)b)->key;
	size_t n = x.n < y.n ? x.n : y.n;

	for (size_t i = 0; i < n; i++) {
		if (x.p[i] == y.p[i])
			continue;
		if (x.p[i] == '/' || y.p[i] == '/')
			return x.p[i] == '/' ? -1 : 1;
		return (unsigned char)x.p[i] - (unsigned char)y.p[i];
	}
	return (x.n > y.n) - (x.n < y.n);
}

/*
 * Two neighbours in tree order: what they have in common when folded must be
 * spelled the same, and only a directory may stand twice or have others below.
 */
static int check_pair(const struct modzip_path *a, const struct modzip_path *b,
		      struct err *err)
{
	struct str keys[2] = { a->key, b->key };
	struct str names[2] = { a->name, b->name };
	struct str key[2], name[2];
	bool has[2];

	for (;;) {
		for (size_t i = 0; i < 2; i++) {
			has[i] = str_cut(&keys[i], '/', &key[i]);
			str_cut(&names[i], '/', &name[i]);
		}
		if (!has[0] || !has[1])
			break;
		if (!str_is_equal(key[0], key[1]))
			return 0;
		if (!str_is_equal(name[0], name[1]))
			return err_set(err, ERR_BAD_UPSTREAM,
				       "'%s' and '%s' differ by case only",
				       path_quote(a->name).text,
				       path_quote(b->name).text);
	}
	if (has[1] ? !a->is_folder : a->is_folder != b->is_folder)
		return modzip_refuse(a->name, "both a file and a directory", err);
	return a->is_folder ? 0 : modzip_refuse(a->name, "there twice", err);
}

void modzip_paths_init(struct modzip_paths *paths, size_t max)
{
	*paths = (struct modzip_paths){ .all = mem_alloc((max + 1) * sizeof(*paths->all)) };
	/* Folding makes a name longer by half at most (2 bytes to 3). */
	buf_init(&paths->folded, 2UL * MODZIP_NAMES_MAX);
}

void modzip_paths_clear(struct modzip_paths *paths)
{
	buf_clear(&paths->folded);
	free(paths->all);
}

int modzip_paths_add(struct modzip_paths *paths, struct str name, bool is_folder,
		     struct err *err)
{
	struct modzip_path *path = &paths->all[paths->n];

	if (path_check(name, PATH_FILE, err) != 0) {
		err->kind = ERR_BAD_UPSTREAM;
		return err_wrap(err, "'%s'", path_quote(name).text);
	}
	*path = (struct modzip_path){ .name = name, .is_folder = is_folder };
	fold(paths, path);
	paths->n++;
	return 0;
}

int modzip_paths_check(struct modzip_paths *paths, struct err *err)
{
	resolve_keys(paths);
	qsort(paths->all, paths->n, sizeof(*paths->all), tree_order);
	for (size_t i = 1; i < paths->n; i++)
		if (check_pair(&paths->all[i - 1], &paths->all[i], err) != 0)
			return -1;
	return 0;
}

static int check_gomod_name(struct str name, struct err *err)
{
	struct str base = str_skip(name, (size_t)(str_find_last(name, '/') + 1));

	if (!str_is_equal_nocase(base, STR("go.mod")))
		return 0;
	if (base.n != name.n)
		return modzip_refuse(name, "go.mod not in the root directory", err);
	if (!str_is_equal(name, STR("go.mod")))
		return modzip_refuse(name, "go.mod must be in small letters", err);
	return 0;
}

int modzip_size_check(struct str name, uint64_t bytes, uint64_t *sum,
		      struct err *err)
{
	if (bytes > MODZIP_UNPACKED_MAX - *sum)
		return modzip_refuse(name, "more than 500 MiB unpacked", err);
	*sum += bytes;
	if (bytes > MODZIP_GOMOD_MAX && (str_is_equal(name, STR("go.mod")) ||
					 str_is_equal(name, STR("LICENSE"))))
		return modzip_refuse(name, "more than 16 MiB", err);
	return 0;
}

/* All rules but collisions, for which the path is kept. */
static int check_entry(const struct modzip_entry *entry, struct str name,
		       struct modzip_paths *paths, uint64_t *sum, struct err *err)
{
	bool is_folder = str_has_suffix(name, STR("/"));

	if (name.n == 0)
		return 0;
	name.n -= is_folder;
	if (modzip_paths_add(paths, name, is_folder, err) != 0)
		return -1;
	if (is_folder)
		return 0;
	if (check_gomod_name(name, err) != 0)
		return -1;
	return modzip_size_check(name, entry->unpacked_bytes, sum, err);
}

static int check_entries(const struct modzip_dir *dir, struct str prefix,
			 struct modzip_paths *paths, struct err *err)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < dir->n; i++) {
		struct str name = modzip_dir_name(dir, &dir->entries[i]);

		if (!str_has_prefix(name, prefix))
			return err_set(err, ERR_BAD_UPSTREAM,
				       "'%s': not below '%s'",
				       path_quote(name).text,
				       path_quote(prefix).text);
		if (check_entry(&dir->entries[i], str_skip(name, prefix.n),
				paths, &sum, err) != 0)
			return -1;
	}
	return modzip_paths_check(paths, err);
}

int modzip_dir_check(const struct modzip_dir *dir, struct str module,
		     struct str version, struct err *err)
{
	struct modzip_paths paths;
	struct buf prefix;
	int rc;

	buf_init(&prefix, module.n + version.n + 2);
	buf_add(&prefix, module);
	buf_add_char(&prefix, '@');
	buf_add(&prefix, version);
	buf_add_char(&prefix, '/');
	modzip_paths_init(&paths, dir->n);
	rc = check_entries(dir, buf_str(&prefix), &paths, err);
	buf_clear(&prefix);
	modzip_paths_clear(&paths);
	return rc == 0 ? 0 : err_wrap(err, "bad zip");
}

static int order_of_names(const void *a, const void *b, void *arg)
{
	const struct modzip_entry *x = *(struct modzip_entry *const *)a;
	const struct modzip_entry *y = *(struct modzip_entry *const *)b;
	int order = str_compare(modzip_dir_name(arg, x), modzip_dir_name(arg, y));

	return order != 0 ? order : (x > y) - (x < y);
}

struct modzip_entry **modzip_dir_sorted(const struct modzip_dir *dir)
{
	struct modzip_entry **sorted = mem_alloc((dir->n + 1) * sizeof(void *));

	for (size_t i = 0; i < dir->n; i++)
		sorted[i] = &dir->entries[i];
	qsort_r(sorted, dir->n, sizeof(void *), order_of_names,
		(void *)(uintptr_t)dir);
	return sorted;
}
