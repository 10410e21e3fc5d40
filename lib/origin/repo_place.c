#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "origin/repo_internal.h"

/* Two empty homes; in one the netrc file that the settings name. */
static int make_home(struct repos *repos, const struct repo_place *place, struct err *err)
{
	struct pool *pool = pool_new();
	const char *netrc = repos->config->upstream.netrc;
	const char *name = pool_printf(pool, "%s/" REPO_VCS_DIR "/home/.netrc", place->dir).p;
	int rc = file_dir_make(place->dirfd, REPO_VCS_DIR "/home-of-nobody", err);
	char now[4096];
	ssize_t n;

	/* Nobody else's business: private repositories lie here, too. */
	if (rc == 0 && fchmodat(place->dirfd, REPO_VCS_DIR, 0700, 0) != 0)
		rc = err_errno(err, "cannot close '%s/" REPO_VCS_DIR "' to others", place->dir);
	if (rc == 0)
		rc = file_dir_make(place->dirfd, REPO_VCS_DIR "/home", err);
	if (rc == 0) {
		n = readlink(name, now, sizeof(now));
		if (!str_is_equal((struct str){ now, n < 0 ? 0 : (size_t)n }, str_of(netrc))) {
			unlink(name);
			if (*netrc && symlink(netrc, name) != 0)
				log_write(LOG_WARN, "cannot link '%s': %s", name, strerror(errno));
		}
	}
	pool_free(pool);
	return rc;
}

/* Made once for the process; removed with it. */
static int make_spare(struct repos *repos, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	struct buf name;

	buf_init(&name, REPO_SPARE_MAX);
	buf_printf(&name, "%s/goproxy-vcs-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	snprintf(repos->spare_dir, sizeof(repos->spare_dir), "%s", name.p);
	buf_clear(&name);
	if (!mkdtemp(repos->spare_dir))
		return err_errno(err, "cannot make a directory for repositories in '%s'", tmp ? tmp : "/tmp");
	repos->spare.dir = repos->spare_dir;
	repos->spare.dirfd = file_dir_open(repos->spare_dir, err);
	if (repos->spare.dirfd < 0 || file_dir_make(repos->spare.dirfd, "tmp", err) != 0 ||
	    make_home(repos, &repos->spare, err) != 0)
		return -1;
	return 0;
}

int repo_place_find(struct repos *repos, struct repo_place *place, struct err *err)
{
	struct err why = { 0 };
	int rc = 0;

	*place = (struct repo_place){ store_dirfd(repos->store), repos->config->cache.dir };
	if (place->dirfd >= 0 && make_home(repos, place, &why) == 0) {
		if (faccessat(place->dirfd, REPO_VCS_DIR, W_OK, 0) == 0)
			return 0;
		err_errno(&why, "'%s/" REPO_VCS_DIR "'", place->dir);
	}
	pthread_mutex_lock(&repos->mutex);
	if (repos->spare.dirfd < 0) {
		rc = make_spare(repos, err);
		if (rc == 0)
			log_write(LOG_WARN, "the store can't be used (%s): repositories are fetched to '%s'",
				  why.text, repos->spare_dir);
	}
	*place = repos->spare;
	pthread_mutex_unlock(&repos->mutex);
	return rc;
}

void repo_place_end(struct repos *repos)
{
	struct err err = { 0 };

	if (repos->spare.dirfd < 0)
		return;
	file_remove_tree(repos->spare.dirfd, REPO_VCS_DIR, &err);
	file_remove_tree(repos->spare.dirfd, "tmp", &err);
	close(repos->spare.dirfd);
	rmdir(repos->spare_dir);
}
