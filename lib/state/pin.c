#include "state/pin.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define PIN_MAX_BYTES 256
#define DEPTH_MAX     128

static void pin_key(const char *key, char pin[STORE_KEY_MAX])
{
	snprintf(pin, STORE_KEY_MAX, "pins/%s", key + strlen("download/"));
}

int pin_put(struct store *store, const char *key, struct str h1, struct err *err)
{
	char pin[STORE_KEY_MAX];

	pin_key(key, pin);
	return store_put(store, pin, h1, true, err);
}

bool pin_find(struct store *store, const char *key, struct pool *pool, struct str *h1)
{
	struct err err = { 0 };
	char pin[STORE_KEY_MAX];

	pin_key(key, pin);
	return store_dirfd(store) >= 0 &&
	       file_read_all(store_dirfd(store), pin, PIN_MAX_BYTES, pool, h1, &err) == 0;
}

void pin_remove(struct store *store, const char *key)
{
	char pin[STORE_KEY_MAX];

	pin_key(key, pin);
	store_remove(store, pin);
}

struct list {
	int dirfd;
	struct pool *pool;
	const char **keys;
	size_t skip, max, n;
};

static void list_below(struct list *list, const char *path, int depth)
{
	struct err err = { 0 };
	DIR *dir;
	int fd = file_dir_list(list->dirfd, path, &dir, &err);
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return;
	while (list->n < list->max && (entry = readdir(dir)) != NULL) {
		const char *below = pool_printf(list->pool, "%s/%s", path, entry->d_name).p;

		/* Not every file system fills in d_type. */
		if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			list_below(list, below, depth + 1);
		else if (S_ISREG(st.st_mode) && list->skip > 0)
			list->skip--;
		else if (S_ISREG(st.st_mode))
			list->keys[list->n++] =
				pool_printf(list->pool, "download/%s", below + strlen("pins/")).p;
	}
	closedir(dir);
}

size_t pin_list(struct store *store, struct pool *pool, const char **keys, size_t skip, size_t max)
{
	struct list list = { store_dirfd(store), pool, keys, skip, max, 0 };

	if (list.dirfd >= 0)
		list_below(&list, "pins", 0);
	return list.n;
}
