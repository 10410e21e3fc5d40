/*
 * zips.c - how fast are module zips checked from their files?
 *
 *	find DIR/cache/download -name '*.zip' | build/bench/zips
 *
 * Calls modzip_check_file() in one thread for each file that stands on a line
 * of standard input, .../cache/download/MODULE/@v/VERSION.zip as in the module
 * cache of the go command. Prints
 *
 *	FILES BYTES UNPACKED_BYTES SECONDS MB_S
 *
 * BYTES and MB_S, in millions, are of the zips, as they are for sha256sum over
 * the same files, which is the measure. SECONDS is processor time, so that what
 * else runs counts for little; read the files once before, let runs of both
 * alternate, and take medians. The exit status is 1 if a zip is refused.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gomod/module.h"
#include "gomod/modzip.h"
#include "gomod/version.h"

#define ROOT "cache/download/"

struct sums {
	size_t files;
	uint64_t bytes, unpacked_bytes;
};

/* Processor time since the program started. */
static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* "MODULE/@v/VERSION.zip" behind ROOT. */
static int names_of(struct pool *pool, struct str path, struct str *module,
		    struct str *version, struct err *err)
{
	long at = str_find_last_str(path, STR(ROOT));

	path = at < 0 ? STR("") : str_skip(path, (size_t)at + strlen(ROOT));
	at = str_find_last_str(path, STR("/@v/"));
	if (at < 0 || !str_has_suffix(path, STR(".zip")))
		return err_set(err, ERR_BAD_REQUEST, "not in " ROOT);
	*version = str_skip(path, (size_t)at + strlen("/@v/"));
	*version = str_head(*version, version->n - strlen(".zip"));
	if (version_unescape(pool, *version, version, err) != 0)
		return -1;
	return module_unescape_path(pool, str_head(path, (size_t)at), module, err);
}

static int check(const char *path, struct sums *sums, struct err *err)
{
	struct pool *pool = pool_new();
	struct str module, version;
	struct modzip_result result;
	struct stat st = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fstat(fd, &st) != 0
			 ? err_errno(err, "cannot open")
			 : names_of(pool, str_of(path), &module, &version, err);

	if (rc == 0)
		rc = modzip_check_file(fd, st.st_size, module, version, &result, err);
	if (rc == 0) {
		sums->files++;
		sums->bytes += (uint64_t)st.st_size;
		sums->unpacked_bytes += result.unpacked_bytes;
	}
	if (fd >= 0)
		close(fd);
	pool_free(pool);
	return rc;
}

int main(void)
{
	struct sums sums = { 0 };
	struct err err = { 0 };
	char path[PATH_MAX + 1];
	int status = 0;
	double seconds;

	while (fgets(path, sizeof(path), stdin)) {
		path[strcspn(path, "\n")] = '\0';
		if (check(path, &sums, &err) == 0)
			continue;
		fprintf(stderr, "%s: %s\n", path, err.text);
		status = 1;
	}
	seconds = now_s();
	printf("%zu %llu %llu %.3f %.1f\n", sums.files,
	       (unsigned long long)sums.bytes,
	       (unsigned long long)sums.unpacked_bytes, seconds,
	       (double)sums.bytes / 1e6 / seconds);
	return status;
}
