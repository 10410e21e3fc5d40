#include "state/fresh.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define ASKED_SIZE 1024 /* a power of two */

/* Above the bits that choose the place: a key keeps its place from slot to slot. */
#define SLOT_STRIDE (2ULL * ASKED_SIZE)

static const struct str mutable_part = STR("mutable/");

struct fresh {
	struct store *store;
	int ttl_s;
	/* By hash of key and slot: asked for once, or published. Collisions cost a link. */
	atomic_ullong asked[ASKED_SIZE];
};

struct fresh *fresh_new(struct store *store, int ttl_s)
{
	struct fresh *fresh = mem_alloc(sizeof(*fresh));

	fresh->store = store;
	fresh->ttl_s = ttl_s;
	return fresh;
}

void fresh_free(struct fresh *fresh)
{
	free(fresh);
}

static int64_t slot_of(time_t when)
{
	return (int64_t)when / FRESH_SLOT_S;
}

/* Is it fresh until the slot is over? */
static bool outlives_slot(const struct fresh *fresh, time_t mtime, int64_t slot)
{
	return mtime + fresh->ttl_s >= (slot + 1) * FRESH_SLOT_S;
}

bool fresh_is_wanted(struct fresh *fresh, const char *key, time_t mtime)
{
	int64_t slot = slot_of(time(NULL));
	uint64_t once, was;
	atomic_ullong *asked;

	/* What is private lies elsewhere, and web servers send these to everybody. */
	if (!str_has_prefix(str_of(key), mutable_part) || !outlives_slot(fresh, mtime, slot))
		return false;
	/* The lowest bit says that it is published. */
	once = (str_hash(str_of(key)) ^ (uint64_t)slot * SLOT_STRIDE) & ~1ULL;
	asked = &fresh->asked[(once >> 1) & (ASKED_SIZE - 1)];
	was = atomic_load_explicit(asked, memory_order_relaxed);
	if (was == (once | 1))
		return false;
	atomic_store_explicit(asked, was == once ? once | 1 : once, memory_order_relaxed);
	return was == once;
}

void fresh_publish(struct fresh *fresh, const char *key)
{
	int dirfd = store_dirfd(fresh->store);
	int64_t slot = slot_of(time(NULL));
	struct err err = { 0 };
	char path[STORE_KEY_MAX + 32];
	struct stat st;

	/* As it is now: who asked may have waited in a queue. */
	if (dirfd < 0 || !str_has_prefix(str_of(key), mutable_part) || fstatat(dirfd, key, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !outlives_slot(fresh, st.st_mtime, slot))
		return;
	snprintf(path, sizeof(path), "fresh/%lld/%s", (long long)slot, key + mutable_part.n);
	if (file_link(dirfd, key, path, &err) != 0)
		log_write(LOG_DEBUG, "the responder goes on sending it: %s", err.text);
}

/* Slots beyond the next one were made while the clock was wrong. */
static bool is_over(const char *name, int64_t now)
{
	uint64_t slot;

	return !str_to_u64(str_of(name), &slot) || (int64_t)slot < now || (int64_t)slot > now + 1;
}

void fresh_sweep(struct fresh *fresh)
{
	int dirfd = store_dirfd(fresh->store);
	struct err err = { 0 };
	DIR *dir = NULL;
	struct dirent *entry;
	char path[NAME_MAX + 8];

	if (dirfd >= 0)
		file_dir_list(dirfd, "fresh", &dir, &err);
	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || !is_over(entry->d_name, slot_of(time(NULL))))
			continue;
		snprintf(path, sizeof(path), "fresh/%s", entry->d_name);
		if (file_remove_tree(dirfd, path, &err) != 0)
			log_write(LOG_DEBUG, "another process is at it: %s", err.text);
	}
	if (dir)
		closedir(dir);
}
