#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "state/config_option.h"

/* For Apache and those who read its files; 2.2 and before: mod_access_compat. */
#define HTACCESS                                \
	"<IfModule mod_authz_core.c>\n"         \
	"Require all denied\n"                  \
	"</IfModule>\n"                         \
	"<IfModule !mod_authz_core.c>\n"        \
	"Deny from all\n"                       \
	"</IfModule>\n"

/* True if path is dir or lies below it, by their names. */
static bool is_below(struct str path, const char *dir)
{
	struct str top = str_of(dir);

	while (top.n > 0 && top.p[top.n - 1] == '/')
		top.n--;
	return str_has_prefix(path, top) && (path.n == top.n || path.p[top.n] == '/');
}

/* The same where links lead to. */
static bool is_really_below(const char *path, const char *dir)
{
	char real_path[PATH_MAX], real_dir[PATH_MAX];

	if (!realpath(path, real_path) || !realpath(dir, real_dir))
		return false;
	return is_below(str_of(real_path), real_dir);
}

/*
 * Of the part of path that is there already, the last directory must belong to
 * the user: not "/", nor /tmp, nor the /var/www that root made. A web server
 * must not serve it by the way.
 */
static bool is_usable(struct pool *pool, const char *path, const struct config_place *place)
{
	const char *root = place->document_root && *place->document_root ?
				   place->document_root : NULL;
	char *there = pool_cstr(pool, str_of(path));
	struct stat st;

	if (root && is_below(str_of(path), root))
		return false;
	while (stat(there, &st) != 0) {
		char *slash = strrchr(there, '/');

		if (errno != ENOENT || slash == there)
			return false;
		*slash = '\0';
	}
	if (!S_ISDIR(st.st_mode) || st.st_uid != place->uid || (st.st_mode & S_IWUSR) == 0)
		return false;
	return !root || !is_really_below(there, root);
}

const char *config_default_cache_dir(struct pool *pool, const struct config_place *place)
{
	const char *dir;

	if (place->uid == 0)
		return "/var/cache/goproxy";
	if (place->xdg_cache_home && place->xdg_cache_home[0] == '/') {
		dir = pool_printf(pool, "%s/goproxy.fcgi", place->xdg_cache_home).p;
		if (is_usable(pool, dir, place))
			return dir;
	}
	if (place->home && place->home[0] == '/') {
		dir = pool_printf(pool, "%s/.cache/goproxy.fcgi", place->home).p;
		if (is_usable(pool, dir, place))
			return dir;
	}
	return pool_printf(pool, "%s/.goproxy-cache", place->program_dir ?: "").p;
}

/* 0700 keeps a web server of another user out; .htaccess one of the same. */
static int close_to_browsers(const char *dir, struct err *err)
{
	struct stat st;
	int rc = 0;
	int fd = file_dir_open(dir, err);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0)
		rc = err_errno(err, "cannot look at '%s'", dir);
	else if (st.st_uid != geteuid())
		rc = err_set(err, ERR_CONFIG, "'%s' belongs to another user", dir);
	else if (faccessat(fd, ".htaccess", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		rc = file_replace(fd, ".", ".htaccess", STR(HTACCESS), false, err);
	close(fd);
	return rc;
}

int config_cache_dir_make(const struct config *config, struct err *err)
{
	const char *dir = config->cache.dir;
	bool is_private = config->cache.dir_is_default && geteuid() != 0;

	if (file_dir_make_all(dir, is_private ? 0700 : 0755, err) != 0)
		return err_wrap(err, "[cache] dir should name a directory that can be written");
	if (is_private && close_to_browsers(dir, err) != 0)
		return err_wrap(err, "[cache] dir should name a directory of one's own");
	return 0;
}
