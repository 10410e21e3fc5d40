#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "origin/repo_internal.h"

#define DAY_S	    86400
#define HOUR_S	    3600
#define SOUND_S	    60 /* as long a copy that was looked at passes for sound */
#define REPOS_MAX   100000
#define NESTING_MAX 16

struct copy {
	char name[65]; /* below vcs/ */
	time_t used;
	int64_t bytes;
};

static int64_t bytes_below(int dirfd, const char *path, int nesting)
{
	struct err err = { 0 };
	struct dirent *entry;
	int64_t bytes = 0;
	DIR *dir;
	int fd = file_dir_list(dirfd, path, &dir, &err);

	if (fd < 0)
		return 0;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		bytes += st.st_blocks * 512LL;
		if (S_ISDIR(st.st_mode) && nesting < NESTING_MAX)
			bytes += bytes_below(fd, entry->d_name, nesting + 1);
	}
	closedir(dir);
	return bytes;
}

/* Out of the way by one rename, so that no half of it is ever seen; then at leisure. */
static bool move_away(int dirfd, const char *path)
{
	static atomic_uint serial;
	char away[REPO_PATH_MAX];
	struct err err = { 0 };

	snprintf(away, sizeof(away), "tmp/vcs-%d-%u", (int)getpid(), atomic_fetch_add(&serial, 1));
	if (file_rename(dirfd, path, away, &err) != 0) {
		log_write(LOG_WARN, "cannot remove the copy of a repository: %s", err.text);
		return false;
	}
	if (file_remove_tree(dirfd, away, &err) != 0)
		log_write(LOG_WARN, "cannot remove what was a copy of a repository: %s", err.text);
	return true;
}

static bool remove_copy(int dirfd, const struct copy *copy)
{
	char path[REPO_PATH_MAX], use[REPO_PATH_MAX + 8];
	struct err err = { 0 };
	bool is_gone;
	int fd;

	snprintf(path, sizeof(path), REPO_VCS_DIR "/%s", copy->name);
	snprintf(use, sizeof(use), "%s/use", path);
	fd = file_open(dirfd, use, O_RDWR | O_CREAT, 0644, &err);
	is_gone = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && move_away(dirfd, path);
	if (fd >= 0)
		close(fd);
	return is_gone;
}

static int by_use(const void *a, const void *b)
{
	time_t x = ((const struct copy *)a)->used, y = ((const struct copy *)b)->used;

	return (x > y) - (x < y);
}

static size_t list_copies(int dirfd, struct copy **copies)
{
	struct err err = { 0 };
	struct dirent *entry;
	size_t n = 0, room = 0;
	DIR *dir;
	int fd = file_dir_list(dirfd, REPO_VCS_DIR, &dir, &err);

	*copies = NULL;
	if (fd < 0)
		return 0;
	while (n < REPOS_MAX && (entry = readdir(dir)) != NULL) {
		char use[sizeof((*copies)->name) + 8];
		struct copy *copy;
		struct stat st;

		if (strlen(entry->d_name) != sizeof(copy->name) - 1)
			continue;
		if (n == room) {
			room = 2 * room + 64;
			*copies = mem_realloc(*copies, room * sizeof(**copies));
		}
		copy = &(*copies)[n];
		memcpy(copy->name, entry->d_name, sizeof(copy->name));
		snprintf(use, sizeof(use), "%s/use", copy->name);
		copy->used = fstatat(fd, use, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime : 0;
		copy->bytes = bytes_below(fd, copy->name, 0);
		n++;
	}
	closedir(dir);
	return n;
}

/* What a crash has left between the rename and the end. */
static void remove_leftovers(int dirfd)
{
	struct err err = { 0 };
	struct dirent *entry;
	DIR *dir;
	int fd = file_dir_list(dirfd, "tmp", &dir, &err);

	if (fd < 0)
		return;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		if (str_has_prefix(str_of(entry->d_name), STR("vcs-")) &&
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !store_is_fresh(st.st_ctime, HOUR_S))
			file_remove_tree(fd, entry->d_name, &err);
	}
	closedir(dir);
}

static void sweep(const struct config *config, int dirfd)
{
	int64_t quota_bytes = (int64_t)config->direct.quota_mb << 20, bytes = 0;
	int age_s = config->direct.keep_days > 0 ? config->direct.keep_days * DAY_S : HOUR_S;
	struct copy *copies;
	size_t n = list_copies(dirfd, &copies);

	remove_leftovers(dirfd);
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes += copies[i].bytes;
	qsort(copies, n, sizeof(*copies), by_use);
	for (size_t i = 0; i < n && (bytes > quota_bytes || !store_is_fresh(copies[i].used, age_s)); i++)
		if (remove_copy(dirfd, &copies[i]))
			bytes -= copies[i].bytes;
	free(copies);
}

void repos_sweep(struct repos *repos)
{
	int spare_fd;

	if (store_dirfd(repos->store) >= 0)
		sweep(repos->config, store_dirfd(repos->store));
	pthread_mutex_lock(&repos->mutex);
	spare_fd = repos->spare.dirfd;
	pthread_mutex_unlock(&repos->mutex);
	if (spare_fd >= 0)
		sweep(repos->config, spare_fd);
}

/* ---- damage ---- */

/* Is git content with these arguments? Where memory or time ran out nobody knows: then it is. */
static bool passes(struct repo *repo, const char *git_dir, const char *const *args)
{
	struct err err = { 0 };

	return repo_git(repo, git_dir, NULL, -1, args, REPO_FSCK_MAX, NULL, &err) == 0 ||
	       err.kind == ERR_TIMEOUT || strstr(err.text, "Out of memory");
}

/* All objects that refs lead to are there; what is in them doesn't matter. */
static bool is_complete(struct repo *repo, const char *git_dir)
{
	static const char *const args[] = { "fsck", "--connectivity-only", "--no-dangling", "--no-progress", NULL };

	return access(git_dir, F_OK) != 0 || passes(repo, git_dir, args);
}

/* The bytes of files, too: whatever is fetched comes in packs, which hold the hash of each object. */
static bool are_packs_sound(struct repo *repo)
{
	const char *path = pool_printf(repo->pool, "%s/main/objects/pack", repo->path).p;
	const char *args[] = { "verify-pack", NULL, NULL };
	struct err err = { 0 };
	struct dirent *entry;
	bool are_sound = true;
	DIR *dir;

	if (file_dir_list(repo->place.dirfd, path, &dir, &err) < 0)
		return true;
	while (are_sound && (entry = readdir(dir)) != NULL) {
		if (!str_has_suffix(str_of(entry->d_name), STR(".idx")))
			continue;
		args[1] = pool_printf(repo->pool, "%s/objects/pack/%s", repo->main, entry->d_name).p;
		are_sound = passes(repo, repo->main, args);
	}
	closedir(dir);
	return are_sound;
}

/* Looked at closely, but not for each request of a repository that is odd. */
static bool is_sound(struct repo *repo)
{
	const char *path = pool_printf(repo->pool, "%s/sound", repo->path).p;
	struct err ignored = { 0 };
	struct str text;

	if (store_read_fresh(repo->place.dirfd, path, SOUND_S, 1, repo->pool, &text))
		return true;
	if (!is_complete(repo, repo->main) || !is_complete(repo, repo->graph) || !are_packs_sound(repo))
		return false;
	file_replace(repo->place.dirfd, "tmp", path, STR(""), false, &ignored);
	return true;
}

bool repo_forget_broken(struct repo *repo)
{
	struct err err = { 0 };
	int lock_fd = repo->is_broken ? repo_lock(repo, &err) : -1;

	/* What git complains of may have been pushed so: then others go on with the copy. */
	if (lock_fd >= 0 && !is_sound(repo)) {
		log_write(LOG_WARN, "the copy of %s is broken: it is made anew", repo->url);
		repo->is_gone = move_away(repo->place.dirfd, repo->path);
	}
	if (lock_fd >= 0)
		close(lock_fd);
	/* Where another did so, what git said to us may have been of that. */
	return repo->is_gone || !repo_is_current(repo);
}
