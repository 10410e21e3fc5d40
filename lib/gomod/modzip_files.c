#include "gomod/modzip_files.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/modzip.h"
#include "gomod/modzip_rules.h"

/* The directories of other modules, with the slash behind, sorted. */
struct folders {
	struct str *all;
	size_t n;
};

static int order_of_folders(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static struct str folder_of(struct str path)
{
	return str_head(path, (size_t)(str_find_last(path, '/') + 1));
}

static void find_modules(struct folders *folders, const struct modzip_file *files, size_t n)
{
	folders->all = mem_alloc((n + 1) * sizeof(*folders->all));
	folders->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct str folder = folder_of(files[i].path);
		struct str base = str_skip(files[i].path, folder.n);

		if (folder.n > 0 && files[i].kind == MODZIP_FILE_REGULAR &&
		    str_is_equal_nocase(base, STR("go.mod")))
			folders->all[folders->n++] = folder;
	}
	qsort(folders->all, folders->n, sizeof(*folders->all), order_of_folders);
}

static bool is_in_module(const struct folders *folders, struct str path)
{
	struct str folder = folder_of(path);

	while (folder.n > 0) {
		if (bsearch(&folder, folders->all, folders->n, sizeof(folder), order_of_folders))
			return true;
		folder.n--;
		folder = folder_of(folder);
	}
	return false;
}

static bool is_below(struct str number, struct str limit)
{
	return number.n != limit.n ? number.n < limit.n : str_compare(number, limit) < 0;
}

/* version.Compare(go_lang, "go1.24") >= 0. */
static bool is_from_124_on(struct str go_lang)
{
	struct str minor = str_skip(go_lang, strlen("go")), major = STR("");

	if (!str_has_prefix(go_lang, STR("go")))
		return false;
	str_cut(&minor, '.', &major);
	if (!str_is_equal(major, STR("1")))
		return !is_below(major, STR("2"));
	return minor.p && !is_below(minor, STR("24"));
}

/*
 * isVendoredPackage. Up to go1.23 it begins to look at a fixed offset in what
 * has "/vendor/" inside (golang.org/issue/37397); the checksums of old
 * versions need that it stays so.
 */
static bool is_vendored(struct str path, bool is_new)
{
	long at = str_find_str(path, STR("/vendor/"));

	if (is_new && str_is_equal(path, STR("vendor/modules.txt")))
		return true;
	if (str_has_prefix(path, STR("vendor/")))
		path = str_skip(path, strlen("vendor/"));
	else if (at >= 0)
		path = str_skip(path, (is_new ? (size_t)at : 0) + strlen("/vendor/"));
	else
		return false;
	return str_has_char(path, '/');
}

/* path.Clean(path) == path, and relative; but "." is refused as well. */
static bool is_clean(struct str path)
{
	struct str rest = path, element;
	bool has_name = false;

	while (str_cut(&rest, '/', &element)) {
		bool is_up = str_is_equal(element, STR(".."));

		if (element.n == 0 || str_is_equal(element, STR(".")) || (is_up && has_name))
			return false;
		has_name = has_name || !is_up;
	}
	return true;
}

static const char *reason_to_omit(const struct folders *modules, struct str path, bool is_new)
{
	if (is_vendored(path, is_new))
		return "in a vendor directory";
	if (is_in_module(modules, path))
		return "in another module";
	if (str_is_equal(path, STR(".hg_archival.txt")))
		return "made by 'hg archive'";
	return NULL;
}

static const char *reason_of_kind(enum modzip_file_kind kind)
{
	if (kind == MODZIP_FILE_REGULAR)
		return NULL;
	return kind == MODZIP_FILE_SYMLINK ? "a symbolic link" : "not a regular file";
}

/* What is left of a module while its files are looked at one after another. */
struct check {
	struct folders modules;
	bool is_new; /* from go1.24 on */
	struct modzip_paths paths;
	size_t names_bytes;
	uint64_t sum_bytes;
};

static int check_file(struct check *check, struct modzip_file *file, struct err *err)
{
	struct str path = file->path;

	file->is_kept = false;
	if (!is_clean(path))
		return modzip_refuse(path, "not a clean relative path", err);
	file->omitted = reason_to_omit(&check->modules, path, check->is_new);
	if (file->omitted)
		return 0;
	check->names_bytes += path.n;
	if (check->paths.n == MODZIP_ENTRIES_MAX || check->names_bytes > MODZIP_NAMES_MAX)
		return modzip_refuse(path, "too many files", err);
	if (modzip_paths_add(&check->paths, path, false, err) != 0)
		return -1;
	if (str_is_equal_nocase(path, STR("go.mod")) && !str_is_equal(path, STR("go.mod")))
		return modzip_refuse(path, "go.mod must be in small letters", err);
	file->omitted = reason_of_kind(file->kind);
	if (file->omitted)
		return 0;
	file->is_kept = true;
	return modzip_size_check(path, file->size_bytes, &check->sum_bytes, err);
}

int modzip_files_check(struct modzip_file *files, size_t n, struct str go_lang,
		       struct err *err)
{
	struct check check = { .is_new = is_from_124_on(go_lang) };
	int rc = 0;

	modzip_paths_init(&check.paths, n);
	find_modules(&check.modules, files, n);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_file(&check, &files[i], err);
	if (rc == 0)
		rc = modzip_paths_check(&check.paths, err);
	modzip_paths_clear(&check.paths);
	free(check.modules.all);
	return rc == 0 ? 0 : err_wrap(err, "bad module");
}
