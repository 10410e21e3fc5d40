#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "origin/repo_internal.h"

#define REFS_BYTES_MAX (64 << 20)
#define LOCK_NAP_US    5000

static const char refs_tags[] = "refs/tags/";

struct repos *repos_new(const struct config *config, struct store *store, struct fetch *fetch)
{
	struct repos *repos = mem_alloc(sizeof(*repos));

	repos->config = config;
	repos->store = store;
	repos->vcs = vcs_new(config);
	repos->remotes = remotes_new(config, fetch);
	repos->spare.dirfd = -1;
	pthread_mutex_init(&repos->mutex, NULL);
	return repos;
}

void repos_free(struct repos *repos)
{
	if (!repos)
		return;
	repo_place_end(repos);
	pthread_mutex_destroy(&repos->mutex);
	remotes_free(repos->remotes);
	vcs_free(repos->vcs);
	free(repos);
}

struct remotes *repos_remotes(struct repos *repos)
{
	return repos->remotes;
}

bool repos_are_usable(const struct repos *repos, struct err *err)
{
	return vcs_is_usable(repos->vcs, err);
}

int repos_git_version(struct repos *repos, struct pool *pool, struct str *text, struct err *err)
{
	const char *args[] = { "version", NULL };
	struct vcs_command command = { .args = args,
				       .dir = "/",
				       .home = "/nonexistent",
				       .lock_fd = -1,
				       .deadline_ms = clock_now_ms() + 10000,
				       .output_max_bytes = 4096 };

	if (vcs_output(repos->vcs, &command, pool, text, err) != 0)
		return -1;
	*text = str_trim(*text);
	return 0;
}

const char *repo_url(const struct repo *repo)
{
	return repo->url;
}

/* ---- locks ---- */

/* flock(2) that waits no longer than the deadline. */
static int lock(struct repo *repo, int fd, int how, struct err *err)
{
	while (flock(fd, how | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, "cannot lock the copy of %s", repo->url);
		if (clock_now_ms() >= repo->deadline_ms)
			return err_set(err, ERR_TIMEOUT, "another fetch from %s takes too long", repo->url);
		usleep(LOCK_NAP_US);
	}
	return 0;
}

static int open_file(struct repo *repo, const char *name, struct err *err)
{
	char path[REPO_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", repo->path, name);
	return file_open(repo->place.dirfd, path, O_RDWR | O_CREAT, 0644, err);
}

bool repo_is_current(struct repo *repo)
{
	char path[REPO_PATH_MAX + 16];
	struct stat mine, theirs;

	snprintf(path, sizeof(path), "%s/use", repo->path);
	return fstat(repo->use_fd, &mine) == 0 &&
	       fstatat(repo->place.dirfd, path, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_ino == theirs.st_ino && mine.st_dev == theirs.st_dev;
}

static int begin_use(struct repo *repo, struct err *err)
{
	int dirfd = repo->place.dirfd;

	for (int tries = 0; tries < 3; tries++) {
		if (file_dir_make(dirfd, repo->path, err) != 0)
			return -1;
		repo->use_fd = open_file(repo, "use", err);
		if (repo->use_fd < 0)
			continue;
		if (lock(repo, repo->use_fd, LOCK_SH, err) == 0 && repo_is_current(repo)) {
			futimens(repo->use_fd, NULL);
			return 0;
		}
		close(repo->use_fd);
		repo->use_fd = -1;
	}
	return err_set(err, ERR_IO, "cannot use '%s'", repo->path);
}

int repo_lock(struct repo *repo, struct err *err)
{
	int fd = open_file(repo, "lock", err);

	if (fd == -1)
		return -1;
	if (fd >= 0 && lock(repo, fd, LOCK_EX, err) != 0) {
		close(fd);
		return -1;
	}
	if (fd >= 0 && repo_is_current(repo))
		return fd;
	if (fd >= 0)
		close(fd);
	repo->is_gone = true;
	return err_set(err, ERR_IO, "the copy of %s was removed", repo->url);
}

/* ---- opening ---- */

static void set_path(struct repo *repo)
{
	unsigned char sha[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	struct str key;
	size_t at;

	/* What was fetched by our name is apart from what anybody could fetch. */
	key = pool_printf(repo->pool, "%s%s", repo->url, repo->rules.has_credentials ? "\nby name" : "");
	if (EVP_Digest(key.p, key.n, sha, &n, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	at = (size_t)snprintf(repo->path, sizeof(repo->path), REPO_VCS_DIR "/");
	for (unsigned int i = 0; i < n; i++)
		at += (size_t)snprintf(repo->path + at, sizeof(repo->path) - at, "%02x", sha[i]);
	repo->dir = pool_printf(repo->pool, "%s/%s", repo->place.dir, repo->path).p;
	repo->main = pool_printf(repo->pool, "%s/main", repo->dir).p;
	repo->graph = pool_printf(repo->pool, "%s/graph", repo->dir).p;
}

static void note_url(struct repo *repo)
{
	struct err err = { 0 };

	file_create(repo->place.dirfd, "tmp",
		    pool_printf(repo->pool, "%s/url", repo->path).p, str_of(repo->url), false, &err);
}

struct repo *repo_open(struct repos *repos, struct pool *pool, const char *url,
		       const struct remote_rules *rules, int refs_age_s, int64_t deadline_ms, struct err *err)
{
	struct repo *repo = pool_alloc(pool, sizeof(*repo));

	repo->repos = repos;
	repo->pool = pool;
	repo->url = pool_cstr(pool, str_of(url));
	repo->rules = *rules;
	repo->refs_age_s = refs_age_s;
	repo->deadline_ms = deadline_ms;
	repo->use_fd = -1;
	if (repo_place_find(repos, &repo->place, err) != 0)
		return NULL;
	set_path(repo);
	if (begin_use(repo, err) != 0)
		return NULL;
	note_url(repo);
	return repo;
}

void repo_close(struct repo *repo)
{
	if (repo && repo->use_fd >= 0)
		close(repo->use_fd);
}

const char *repo_home(struct repo *repo)
{
	return pool_printf(repo->pool, "%s/" REPO_VCS_DIR "/%s", repo->place.dir,
			   repo->rules.has_credentials ? "home" : "home-of-nobody").p;
}

int repo_git(struct repo *repo, const char *git_dir, const struct vcs_remote *remote, int lock_fd,
	     const char *const *args, size_t output_max, struct str *output, struct err *err)
{
	struct vcs_command command = {
		.args = args,
		.dir = repo->dir,
		.home = repo_home(repo),
		.git_dir = git_dir,
		.remote = remote,
		.lock_fd = lock_fd,
		.deadline_ms = repo->deadline_ms,
		.output_max_bytes = (int64_t)output_max,
	};

	return vcs_output(repo->repos->vcs, &command, repo->pool, output, err);
}

int repo_git_here(struct repo *repo, const char *git_dir, const char *const *args, size_t output_max,
		  struct str *output, struct err *err)
{
	int rc = repo_git(repo, git_dir, NULL, -1, args, output_max, output, err);

	if (rc > 0)
		repo->is_broken = true;
	return rc;
}

int repo_reach(struct repo *repo, struct err *err)
{
	if (repo->is_reached)
		return 0;
	if (remote_open(repo->repos->remotes, repo->pool, repo->url, &repo->rules, repo->deadline_ms,
			&repo->remote, err) != 0)
		return -1;
	repo->is_reached = true;
	return 0;
}

int repo_where(struct repo *repo, struct str *text, struct err *err)
{
	const struct vcs_remote *vcs = &repo->remote.vcs;

	if (repo_reach(repo, err) != 0)
		return -1;
	*text = pool_printf(repo->pool, "%s, by %s%s%s", vcs->url, vcs->protocol,
			    vcs->ssh_address ? " at " : vcs->resolve ? ", " : "",
			    vcs->ssh_address ? vcs->ssh_address : vcs->resolve ? vcs->resolve : "");
	return 0;
}

/* ---- refs ---- */

bool repo_is_hex(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!((text.p[i] >= '0' && text.p[i] <= '9') || (text.p[i] >= 'a' && text.p[i] <= 'f')))
			return false;
	return true;
}

bool repo_is_hash(struct str text)
{
	return (text.n == 40 || text.n == 64) && repo_is_hex(text);
}

/* A name as git check-ref-format(1) allows it, and of those that count. */
static bool is_wanted(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f || strchr("~^:?*[\\", name.p[i]))
			return false;
	if (str_find_str(name, STR("..")) >= 0 || str_find_str(name, STR("@{")) >= 0)
		return false;
	return str_is_equal(name, STR("HEAD")) || str_has_prefix(name, STR("refs/heads/")) ||
	       str_has_prefix(name, str_of(refs_tags));
}

static int compare_refs(const void *a, const void *b)
{
	return str_compare(((const struct repo_ref *)a)->name, ((const struct repo_ref *)b)->name);
}

/* "HASH\tNAME" a line; "NAME^{}" behind an annotated tag says which commit it means. */
static void parse_refs(struct repo *repo, struct str text)
{
	struct str line;

	repo->refs_text = text;
	repo->refs = pool_alloc(repo->pool, (str_count(text, '\n') + 1) * sizeof(*repo->refs));
	repo->refs_n = 0;
	while (text.n > 0 && str_cut(&text, '\n', &line)) {
		long tab = str_find(line, '\t');
		struct str hash = str_head(line, tab < 0 ? 0 : (size_t)tab);
		struct str name = str_skip(line, (size_t)(tab + 1));
		bool is_peeled = str_has_suffix(name, STR("^{}"));

		if (!repo_is_hash(hash))
			continue;
		if (is_peeled)
			name.n -= 3;
		if (!is_wanted(name))
			continue;
		if (is_peeled && repo->refs_n > 0 && str_is_equal(repo->refs[repo->refs_n - 1].name, name))
			repo->refs[repo->refs_n - 1].hash = hash;
		else if (!is_peeled)
			repo->refs[repo->refs_n++] = (struct repo_ref){ name, hash };
	}
	if (repo->refs_n > 1)
		qsort(repo->refs, repo->refs_n, sizeof(*repo->refs), compare_refs);
	repo->has_refs = true;
}

static const char *refs_path(struct repo *repo)
{
	return pool_printf(repo->pool, "%s/refs", repo->path).p;
}

int repo_refs_reload(struct repo *repo, struct err *err)
{
	const char *args[] = { "ls-remote", "-q", "--end-of-options", NULL, NULL };
	struct err ignored = { 0 };
	struct str text;

	if (repo_reach(repo, err) != 0)
		return -1;
	args[3] = repo->remote.vcs.url;
	if (repo_git(repo, NULL, &repo->remote.vcs, -1, args, REFS_BYTES_MAX, &text, err) != 0)
		return err_wrap(err, "%s", repo->url);
	parse_refs(repo, text);
	repo->are_refs_new = true;
	repo->has_graph = false; /* it may be that of the old ones */
	file_replace(repo->place.dirfd, "tmp", refs_path(repo), text, false, &ignored);
	return 0;
}

static bool use_kept_refs(struct repo *repo)
{
	struct str text;

	if (!store_read_fresh(repo->place.dirfd, refs_path(repo), repo->refs_age_s, REFS_BYTES_MAX, repo->pool,
			      &text))
		return false;
	parse_refs(repo, text);
	return true;
}

int repo_refs(struct repo *repo, const struct repo_ref **refs, size_t *n, struct err *err)
{
	if (!repo->has_refs && !use_kept_refs(repo) && repo_refs_reload(repo, err) != 0)
		return -1;
	*refs = repo->refs;
	*n = repo->refs_n;
	return 0;
}

int repo_refs_renew(struct repo *repo, bool *have_changed, struct err *err)
{
	struct str before = repo->refs_text;

	*have_changed = false;
	if (!repo->has_refs || repo->are_refs_new)
		return 0;
	if (repo_refs_reload(repo, err) != 0)
		return -1;
	*have_changed = !str_is_equal(before, repo->refs_text);
	return 0;
}
