#include "state/check.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "gomod/info.h"
#include "gomod/mod.h"
#include "state/seal.h"

#define ZIPHASH_MAX 256

/* The file that was hashed, not the one that may have its name by now. */
static void seal(struct store *store, const char *key, int fd, const char *h1)
{
	struct pool *pool = pool_new();
	struct str ziphash = STR("");
	struct err ignored;

	if (file_read_all(store_dirfd(store), pool_printf(pool, "%shash", key).p, ZIPHASH_MAX, pool, &ziphash,
			  &ignored) == 0 &&
	    str_is_equal(str_trim(ziphash), str_of(h1)) && !seal_is_there(fd))
		seal_put(fd, str_of(h1));
	pool_free(pool);
}

static int check_zip(struct store *store, const char *key, const struct store_file *file,
		     struct str module, struct str version, bool is_quick,
		     char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct modzip_result result;

	if (is_quick && seal_holds(file->fd, h1, MODZIP_H1_SIZE))
		return 0;
	if (modzip_check_file(file->fd, file->size_bytes, module, version, &result, err) != 0)
		return -1;
	memcpy(h1, result.h1, MODZIP_H1_SIZE);
	seal(store, key, file->fd, h1);
	return 0;
}

static int check_text(const struct store_file *file, enum check_kind kind, struct str version,
		      char h1[MODZIP_H1_SIZE], struct err *err)
{
	struct pool *pool = pool_new();
	struct str body = STR("");
	ssize_t n;
	int rc = -1;

	if (file->size_bytes > MOD_BODY_MAX) {
		err_set(err, ERR_BAD_UPSTREAM, "%lld bytes, more than %u", (long long)file->size_bytes,
			MOD_BODY_MAX);
		goto out;
	}
	body.p = pool_alloc(pool, (size_t)file->size_bytes + 1);
	n = file_read_at(file->fd, (char *)body.p, (size_t)file->size_bytes, 0, err);
	if (n < 0)
		goto out;
	body.n = (size_t)n;
	if (kind == CHECK_INFO) {
		rc = info_check(pool, body, version, NULL, err);
	} else {
		rc = mod_check(body, err);
		modzip_h1_of_mod(body, h1);
	}
out:
	pool_free(pool);
	return rc;
}

int check_object(struct store *store, const char *key, enum check_kind kind, struct str module,
		 struct str version, bool is_quick, char h1[MODZIP_H1_SIZE],
		 int64_t *size_bytes, struct err *err)
{
	struct store_file file;
	int rc = store_find(store, key, &file, err);

	if (rc != 0)
		return rc;
	*size_bytes = file.size_bytes;
	rc = kind == CHECK_ZIP ? check_zip(store, key, &file, module, version, is_quick, h1, err)
			       : check_text(&file, kind, version, h1, err);
	close(file.fd);
	return rc;
}
