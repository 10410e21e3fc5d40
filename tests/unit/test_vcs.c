/* git as a child, played by scripts: what it is given, and how it ends. Expected values: vcs.h. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "origin/vcs.h"

static char dir[] = "/tmp/goproxy-unit-vcs-XXXXXX";
static int dirfd_;

/* A script in git's place. */
static struct vcs *with_script(const char *script, struct config *config, struct pool *pool)
{
	struct err err = { 0 };

	unlinkat(dirfd_, "git", 0);
	assert_int_equal(file_create(dirfd_, ".", "git", pool_printf(pool, "#!/bin/sh\n%s\n", script), false, &err), 0);
	assert_int_equal(fchmodat(dirfd_, "git", 0755, 0), 0);
	*config = (struct config){ .cache.dir = dir, .upstream.netrc = "" };
	config->direct.git = pool_printf(pool, "%s/git", dir).p;
	config->direct.repository_mb = 1;
	return vcs_new(config);
}

/* Run it; "long" patience unless the case says otherwise. */
static int run(const char *script, const char *arg, int64_t patience_ms, int64_t output_max, int lock_fd,
	       struct pool *pool, struct str *output, struct err *err)
{
	const char *args[] = { arg, NULL };
	struct vcs_command command = {
		.args = args,
		.dir = dir,
		.home = "/nonexistent/home",
		.lock_fd = lock_fd,
		.deadline_ms = clock_now_ms() + patience_ms,
		.output_max_bytes = output_max,
	};
	struct config config;
	struct vcs *vcs = with_script(script, &config, pool);
	int rc;

	rc = vcs_output(vcs, &command, pool, output, err);
	vcs_free(vcs);
	return rc;
}

static const struct {
	const char *what, *script;
	int64_t patience_ms, output_max;
	int rc;
	enum err_kind kind;
	const char *output; /* NULL: of no interest */
	const char *text;   /* a part of the error's */
} ends[] = {
	{ "it prints, and ends well", "echo one; echo \"$1\"", 20000, 100, 0, ERR_NONE, "one\nan argument\n", NULL },
	{ "nothing is something", ":", 20000, 100, 0, ERR_NONE, "", NULL },
	{ "just as much as is allowed", "printf 12345", 20000, 5, 0, ERR_NONE, "12345", NULL },
	{ "a byte too much", "printf 123456", 20000, 5, -1, ERR_BAD_UPSTREAM, NULL, "more than is allowed" },
	{ "its status, and why", "echo hint: x >&2; echo 'fatal: no such thing' >&2; echo bye >&2; exit 3", 20000, 100, 3,
	  ERR_BAD_UPSTREAM, NULL, "fatal: no such thing" },
	{ "without a word", "exit 1", 20000, 100, 1, ERR_BAD_UPSTREAM, NULL, "doesn't say why" },
	{ "what ssh says is why", "echo 'Host key verification failed.' >&2; echo 'fatal: Could not read from remote repository.' >&2; exit 128",
	  20000, 100, 128, ERR_BAD_UPSTREAM, NULL, "Host key verification failed." },
	{ "where the store lies isn't shown", "echo \"fatal: cannot open '$PWD/main/x'\" >&2; exit 1", 20000, 100, 1,
	  ERR_BAD_UPSTREAM, NULL, "git: fatal: cannot open '/main/x'|" },
	{ "much complaint is no block", "i=0; while [ $i -lt 3000 ]; do echo 'a line of complaint, and one more' >&2; i=$((i+1)); done; echo ok",
	  20000, 100, 0, ERR_NONE, "ok\n", NULL },
	{ "ended by a signal", "kill -9 $$", 20000, 100, -1, ERR_BAD_UPSTREAM, NULL, "signal 9" },
	{ "it hangs", "sleep 1000", 200, 100, -1, ERR_TIMEOUT, NULL, "took too long" },
	{ "it has closed its output, and hangs", "exec >&- 2>&-; sleep 1000", 200, 100, -1, ERR_TIMEOUT, NULL, "" },
	{ "a child of its own has the output, and hangs", "sleep 1000 & exit 0", 200, 100, -1, ERR_TIMEOUT, NULL, "took too long" },
	{ "it never stops talking", "while :; do echo x; done", 20000, 1000, -1, ERR_BAD_UPSTREAM, NULL, "more than is allowed" },
	{ "files have a limit", "head -c 2000000 /dev/zero >big", 20000, 100, 1, ERR_BAD_UPSTREAM, NULL, "" },
};

static void test_ends(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct pool *pool = pool_new();
		struct str output = STR("");
		struct err err = { 0 };
		int64_t began_ms = clock_now_ms();
		int rc = run(ends[i].script, "an argument", ends[i].patience_ms, ends[i].output_max, -1, pool, &output,
			     &err);

		print_message("%s: %d %s\n", ends[i].what, rc, err.text);
		assert_int_equal(rc, ends[i].rc);
		assert_int_equal(err.kind, ends[i].kind);
		if (ends[i].output)
			assert_true(str_is_equal(output, str_of(ends[i].output)));
		if (ends[i].text && str_has_suffix(str_of(ends[i].text), STR("|"))) /* the whole of it */
			assert_true(str_is_equal(str_of(err.text),
						 str_head(str_of(ends[i].text), strlen(ends[i].text) - 1)));
		else if (ends[i].text)
			assert_non_null(strstr(err.text, ends[i].text));
		assert_true(clock_now_ms() - began_ms < 20000); /* no thousand seconds of sleep */
		pool_free(pool);
	}
}

/* Who reads no further, because of a trouble of his own, doesn't wait for it to be rid of the rest. */
static void test_half_read(void **state)
{
	struct pool *pool = pool_new();
	struct config config;
	struct vcs *vcs = with_script("while :; do echo x; done", &config, pool);
	const char *args[] = { "x", NULL };
	struct vcs_command command = {
		.args = args, .dir = dir, .home = "/nonexistent/home", .lock_fd = -1,
		.deadline_ms = clock_now_ms() + 20000, .output_max_bytes = 1 << 30,
	};
	struct err err = { 0 };
	struct vcs_process *process = vcs_start(vcs, &command, &err);
	const void *bytes;

	assert_non_null(process);
	assert_true(vcs_read(process, &bytes, &err) > 0);
	vcs_finish(process, &err);
	assert_true(clock_now_ms() < command.deadline_ms - 5000);
	vcs_free(vcs);
	pool_free(pool);
}

/* Whatever a script has started ends with it. */
static void test_nobody_is_left(void **state)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct str pid, first;
	uint64_t number;

	assert_int_equal(run("sleep 1000 >/dev/null 2>&1 & echo $!", "", 20000, 100, -1, pool, &pid, &err), 0);
	assert_true(str_cut(&pid, '\n', &first) && str_to_u64(first, &number));
	/* Killed before we came back; its new parent may not have reaped it yet. */
	for (int i = 0; i < 1000 && kill((pid_t)number, 0) == 0; i++) {
		char stat[256] = "", path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)number);
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0 || strstr(stat, ") Z ")) {
			if (fd >= 0)
				close(fd);
			break;
		}
		close(fd);
		usleep(1000);
		assert_true(i < 999);
	}
	pool_free(pool);
}

/* Nothing of ours but the lock: no variable, no descriptor. */
static void test_what_it_is_given(void **state)
{
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct str env, fds;
	int ours = open("/dev/null", O_RDONLY), lock_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	static const char *const ours_only[] = { "GIT_DIR=", "GIT_SSH_COMMAND=", "MY_SECRET=", "XDG_CONFIG_HOME=" };
	static const char *const given[] = { "HOME=/nonexistent/home\n", "GIT_CONFIG_NOSYSTEM=1\n",
					     "GIT_TERMINAL_PROMPT=0\n", "GIT_ALLOW_PROTOCOL=\n", "LC_ALL=C\n" };

	setenv("GIT_DIR", "/tmp", 1);
	setenv("GIT_SSH_COMMAND", "touch x", 1);
	setenv("MY_SECRET", "x", 1);
	setenv("XDG_CONFIG_HOME", "/tmp", 1);
	assert_int_equal(run("env", "", 20000, 65536, -1, pool, &env, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(ours_only); i++)
		assert_true(str_find_str(env, str_of(ours_only[i])) < 0);
	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		assert_true(str_find_str(env, str_of(given[i])) >= 0);
	assert_int_equal(run("for f in /proc/$$/fd/*; do echo \"${f##*/}\"; done", "", 20000, 4096, lock_fd, pool, &fds,
			     &err), 0);
	assert_true(str_find_str(fds, pool_printf(pool, "\n%d\n", lock_fd)) >= 0);
	assert_true(str_find_str(fds, pool_printf(pool, "\n%d\n", ours)) < 0);
	close(ours);
	close(lock_fd);
	pool_free(pool);
}

static int make_dir(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int remove_dir(void **state)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	int rc = file_remove_tree(tmp, strrchr(dir, '/') + 1, &(struct err){ 0 });

	close(tmp);
	close(dirfd_);
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends), cmocka_unit_test(test_half_read),
		cmocka_unit_test(test_nobody_is_left),
		cmocka_unit_test(test_what_it_is_given),
	};

	return cmocka_run_group_tests_name("vcs", tests, make_dir, remove_dir);
}
