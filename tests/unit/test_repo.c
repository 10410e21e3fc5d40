/* What is swept of DIR/vcs: expected values are what conf/goproxy.ini says of quota_mb and keep_days. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "origin/repo.h"

#define COPIES 4
#define DAY_S  86400

static char dir[] = "/tmp/goproxy-unit-repo-XXXXXX";
static int dirfd_;

static void path_of(char path[256], int i, const char *name)
{
	snprintf(path, 256, "vcs/%064d%s%s", i, *name ? "/" : "", name);
}

/* A copy of a megabyte that was used `age_s` ago. */
static void make_copy(int i, int age_s)
{
	static char bytes[1 << 20];
	struct timespec times[2] = { { .tv_sec = time(NULL) - age_s }, { .tv_sec = time(NULL) - age_s } };
	struct err err = { 0 };
	char path[256];

	memset(bytes, 'x', sizeof(bytes));
	path_of(path, i, "main/objects/pack");
	assert_int_equal(file_create(dirfd_, "tmp", path, (struct str){ bytes, sizeof(bytes) }, false, &err), 0);
	path_of(path, i, "use");
	assert_int_equal(file_create(dirfd_, "tmp", path, STR(""), false, &err), 0);
	assert_int_equal(utimensat(dirfd_, path, times, 0), 0);
}

static const struct {
	const char *what;
	int quota_mb, keep_days;
	int age_s[COPIES];   /* -1: there is none */
	int locked;	     /* is in use; -1: none is */
	const char *expected; /* which are left */
} cases[] = {
	{ "all are young, and have room", 100, 7, { 1, 2, 3, 4 }, -1, "0123" },
	{ "the old ones go", 100, 7, { 1, 8 * DAY_S, 3, 9 * DAY_S }, -1, "02" },
	{ "0 days: within the hour", 100, 0, { 1, 3601, 3, 7200 }, -1, "02" },
	{ "over the quota, those unused for the longest time go first", 2, 7, { 40, 20, 30, 10 }, -1, "3" },
	{ "quota 0: none stays", 0, 7, { 1, 2, 3, 4 }, -1, "" },
	{ "what is in use stays", 0, 7, { 1, 2, 3, 4 }, 2, "2" },
	{ "there is nothing", 1, 7, { -1, -1, -1, -1 }, -1, "" },
};

static void test_sweep(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config config = { .cache.dir = dir, .direct.git = "", .upstream.netrc = "" };
		struct store *store = store_open(dir);
		struct repos *repos = repos_new(&config, store, NULL);
		struct err err = { 0 };
		char left[COPIES + 1] = { 0 }, path[256];
		int lock_fd = -1;

		print_message("%s\n", cases[i].what);
		config.direct.quota_mb = cases[i].quota_mb;
		config.direct.keep_days = cases[i].keep_days;
		for (int k = 0; k < COPIES; k++)
			if (cases[i].age_s[k] >= 0)
				make_copy(k, cases[i].age_s[k]);
		if (cases[i].locked >= 0) {
			path_of(path, cases[i].locked, "use");
			lock_fd = openat(dirfd_, path, O_RDWR);
			assert_int_equal(flock(lock_fd, LOCK_SH), 0);
		}
		repos_sweep(repos);
		for (int k = 0; k < COPIES; k++) {
			path_of(path, k, "");
			if (faccessat(dirfd_, path, F_OK, 0) == 0)
				left[strlen(left)] = (char)('0' + k);
		}
		assert_string_equal(left, cases[i].expected);
		if (lock_fd >= 0)
			close(lock_fd);
		assert_int_equal(file_remove_tree(dirfd_, "vcs", &err), 0);
		repos_free(repos);
		store_close(store);
	}
}

static int make_dir(void **state)
{
	struct err err = { 0 };

	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	return file_dir_make(dirfd_, "tmp", &err);
}

static int remove_dir(void **state)
{
	close(dirfd_);
	dirfd_ = open("/tmp", O_RDONLY | O_DIRECTORY);
	return file_remove_tree(dirfd_, strrchr(dir, '/') + 1, &(struct err){ 0 });
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests_name("repo", tests, make_dir, remove_dir);
}
