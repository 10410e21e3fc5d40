#include "program/owner.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

const char *owner_name(struct pool *pool, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? pool_printf(pool, "%s (%u)", user->pw_name, (unsigned int)uid).p
		    : pool_printf(pool, "user %u", (unsigned int)uid).p;
}

/* As sudo -u takes it. */
static const char *account(struct pool *pool, uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? pool_cstr(pool, str_of(user->pw_name)) : pool_printf(pool, "'#%u'", (unsigned int)uid).p;
}

/* 0 if nothing tells. */
static uid_t find(struct pool *pool, const char *cache_dir)
{
	struct stat st;

	if (stat(pool_printf(pool, "%s/tmp", cache_dir).p, &st) == 0 && st.st_uid != 0)
		return st.st_uid;
	return stat(cache_dir, &st) == 0 ? st.st_uid : 0;
}

int owner_check(const char *cache_dir, const char *command, struct err *err)
{
	struct pool *pool = pool_new();
	uid_t owner = find(pool, cache_dir);
	int rc = 0;

	if (owner != 0 && owner != geteuid())
		rc = err_set(err, ERR_CONFIG,
			     "the cache '%s' is of %s, and this is %s, whose files the pool couldn't write to: "
			     "sudo -u %s goproxy.fcgi %s ...",
			     cache_dir, owner_name(pool, owner), owner_name(pool, geteuid()), account(pool, owner),
			     command);
	pool_free(pool);
	return rc;
}
