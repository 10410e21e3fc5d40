#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/version.h"
#include "state/publish.h"

bool publish_is_below_home(struct store *store, struct str escaped)
{
	struct err ignored = { 0 };
	long slash;

	while ((slash = str_find_last(escaped, '/')) > 0) {
		escaped = str_head(escaped, (size_t)slash);
		if (publish_is_home(store, escaped, &ignored) == 1)
			return true;
	}
	return false;
}

int publish_list(struct store *store, struct pool *pool, struct str escaped, struct str *list,
		 struct err *err)
{
	const char *path = pool_printf(pool, "private/download/%.*s/@v/list", STR_ARG(escaped)).p;
	struct str text = STR("");

	/* There is none where all versions are pseudo-versions. */
	if (file_read_all(store_dirfd(store), path, LIST_BODY_MAX, pool, &text, err) == -1)
		return -1;
	return list_normalize(pool, text, list, err);
}

int publish_info(struct store *store, struct pool *pool, struct str escaped, struct str version,
		 struct str *info, struct err *err)
{
	struct str name;

	if (version_escape(pool, version, &name, err) != 0)
		return -1;
	return file_read_all(store_dirfd(store),
			     pool_printf(pool, "private/download/%.*s/@v/%.*s.info", STR_ARG(escaped),
					 STR_ARG(name)).p,
			     INFO_BODY_MAX, pool, info, err);
}

/* No list has those; best stays empty if there are none. */
static int latest_pseudo(struct store *store, struct pool *pool, struct str escaped, struct str *best,
			 struct err *err)
{
	const char *dir = pool_printf(pool, "private/download/%.*s/@v", STR_ARG(escaped)).p;
	struct dirent *entry;
	struct str version;
	DIR *files;

	if (file_dir_list(store_dirfd(store), dir, &files, err) < 0)
		return -1;
	while ((entry = readdir(files)) != NULL) {
		struct str name = str_of(entry->d_name);

		if (str_has_suffix(name, STR(".info")) &&
		    version_unescape(pool, str_head(name, name.n - strlen(".info")), &version, err) == 0 &&
		    version_is_pseudo(version) && (!best->p || version_compare(version, *best) > 0))
			*best = version;
	}
	closedir(files);
	return 0;
}

int publish_latest(struct store *store, struct pool *pool, struct str escaped, struct str *info,
		   struct err *err)
{
	struct str list, version, best = { 0 };

	if (publish_list(store, pool, escaped, &list, err) != 0)
		return -1;
	/* In the order of semver already: the last release, or the last of all. */
	while (list.n > 0 && str_cut(&list, '\n', &version))
		if (version.n > 0 &&
		    (!best.p || version_prerelease(version).n == 0 || version_prerelease(best).n > 0))
			best = version;
	if (!best.p && latest_pseudo(store, pool, escaped, &best, err) != 0)
		return -1;
	return best.p ? publish_info(store, pool, escaped, best, info, err) : FILE_ABSENT;
}
