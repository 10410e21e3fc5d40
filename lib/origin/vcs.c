#include "origin/vcs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "origin/vcs_internal.h"

#define ENV_MAX	      96
#define READ_BYTES    65536
#define COMPLAINT_MAX 2048
#define MEMORY_MB_MIN 1024 /* what git may have of it, or repository_mb if that is more */

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

struct vcs {
	const struct config *config;
	struct pool *pool;
	const char *path; /* PATH */
	const char *git;  /* NULL: there is none */
};

struct vcs_process {
	pid_t pid;
	const char *dir; /* it runs there */
	int out_fd, complaint_fd;
	int64_t deadline_ms;
	int64_t left_bytes;
	bool has_failed; /* by our own will; *err was set */
	size_t complaint_n;
	char complaint[COMPLAINT_MAX];
	char bytes[READ_BYTES];
};

/* ---- what is there ---- */

struct vcs *vcs_new(const struct config *config)
{
	struct vcs *vcs = mem_alloc(sizeof(*vcs));
	const char *path = getenv("PATH");

	vcs->config = config;
	vcs->pool = pool_new();
	vcs->path = pool_cstr(vcs->pool, str_of(path && *path ? path : default_path));
	vcs->git = *config->direct.git ? config->direct.git : vcs_find_program(vcs->pool, vcs->path, "git");
	return vcs;
}

void vcs_free(struct vcs *vcs)
{
	if (!vcs)
		return;
	pool_free(vcs->pool);
	free(vcs);
}

bool vcs_is_usable(const struct vcs *vcs, struct err *err)
{
	if (!vcs->git)
		err_set(err, ERR_BAD_UPSTREAM,
			"there is no git to fetch from repositories with: install it, or name it by "
			"[direct] git");
	return vcs->git != NULL;
}

/* ---- the environment ---- */

struct environment {
	struct pool *pool;
	const char *vars[ENV_MAX];
	size_t n;
	int settings;
};

static void set(struct environment *env, const char *name, const char *value)
{
	if (env->n + 1 < ENV_MAX)
		env->vars[env->n++] = pool_printf(env->pool, "%s=%s", name, value).p;
}

/* A setting of git's own, as by -c, but not to be seen in a list of processes. */
static void set_git(struct environment *env, const char *key, const char *value)
{
	set(env, pool_printf(env->pool, "GIT_CONFIG_KEY_%d", env->settings).p, key);
	set(env, pool_printf(env->pool, "GIT_CONFIG_VALUE_%d", env->settings).p, value);
	env->settings++;
}

static void keep(struct environment *env, const char *name)
{
	const char *value = getenv(name);

	if (value && *value)
		set(env, name, value);
}

/* What no repository and no server may set going. */
static void set_closed(struct environment *env)
{
	static const char *const settings[][2] = {
		{ "core.hooksPath", "/dev/null" },   { "core.fsmonitor", "false" },
		{ "core.attributesFile", "/dev/null" }, { "core.askPass", "" },
		{ "core.autocrlf", "input" },	     { "core.eol", "lf" },
		{ "core.pager", "cat" },	     { "credential.helper", "" },
		{ "fetch.recurseSubmodules", "false" }, { "submodule.recurse", "false" },
		/* One pack, and so one file, has all that is fetched: its size has a limit. */
		{ "fetch.unpackLimit", "1" },	     { "log.mailmap", "false" },
		{ "gc.auto", "0" },		     { "maintenance.auto", "false" },
		{ "fetch.writeCommitGraph", "false" }, { "log.showSignature", "false" },
		{ "http.followRedirects", "false" }, { "protocol.version", "2" },
		{ "safe.directory", "*" },	     { "advice.detachedHead", "false" },
	};
	static const char *const vars[][2] = {
		{ "GIT_CONFIG_NOSYSTEM", "1" },	  { "GIT_CONFIG_GLOBAL", "/dev/null" },
		{ "GIT_ATTR_NOSYSTEM", "1" },	  { "GIT_TERMINAL_PROMPT", "0" },
		{ "GIT_PROTOCOL_FROM_USER", "0" }, { "GIT_NO_REPLACE_OBJECTS", "1" },
		{ "GIT_NO_LAZY_FETCH", "1" },	  { "GIT_OPTIONAL_LOCKS", "0" },
		{ "GIT_LITERAL_PATHSPECS", "1" }, { "LC_ALL", "C" },
		{ "SSH_ASKPASS", "" },		  { "TZ", "UTC" },
	};

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		set_git(env, settings[i][0], settings[i][1]);
	for (size_t i = 0; i < ARRAY_LEN(vars); i++)
		set(env, vars[i][0], vars[i][1]);
}

static void set_ssh(struct environment *env, const struct config *config, const struct vcs_remote *remote)
{
	set(env, "GIT_SSH", pool_printf(env->pool, "/proc/%d/exe", (int)getpid()).p);
	set(env, "GIT_SSH_VARIANT", "ssh");
	set(env, SSH_HOST_ENV, remote->ssh_host);
	set(env, SSH_ADDRESS_ENV, remote->ssh_address);
	set(env, SSH_KEY_ENV, remote->ssh_key);
	set(env, SSH_HOSTS_ENV, config->direct.ssh_known_hosts);
	set(env, SSH_CONNECT_ENV, pool_printf(env->pool, "%d", config->upstream.connect_timeout_s).p);
}

static void set_remote(struct environment *env, const struct config *config, const struct vcs_remote *remote)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
					       "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR" };
	static const char *const exceptions[] = { "no_proxy", "NO_PROXY" };

	set(env, "GIT_ALLOW_PROTOCOL", remote->protocol);
	set_git(env, "http.lowSpeedLimit", "1");
	set_git(env, "http.lowSpeedTime",
		pool_printf(env->pool, "%d", config->upstream.silence_timeout_s).p);
	if (remote->resolve)
		set_git(env, "http.curloptResolve", remote->resolve);
	if (remote->token)
		set_git(env, "http.extraHeader",
			pool_printf(env->pool, "Authorization: Bearer %s", remote->token).p);
	if (*config->upstream.ca_file)
		set_git(env, "http.sslCAInfo", config->upstream.ca_file);
	for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
		keep(env, proxies[i]);
	for (size_t i = 0; i < ARRAY_LEN(exceptions) && !remote->must_use_proxy; i++)
		keep(env, exceptions[i]);
	if (strcmp(remote->protocol, "ssh") == 0)
		set_ssh(env, config, remote);
}

static void set_environment(struct environment *env, const struct vcs *vcs,
			    const struct vcs_command *command)
{
	set_closed(env);
	set(env, "PATH", vcs->path);
	set(env, "HOME", command->home);
	set(env, "GIT_CEILING_DIRECTORIES", command->dir);
	if (command->git_dir)
		set(env, "GIT_DIR", command->git_dir);
	if (command->remote)
		set_remote(env, vcs->config, command->remote);
	else
		set(env, "GIT_ALLOW_PROTOCOL", "");
	set(env, "GIT_CONFIG_COUNT", pool_printf(env->pool, "%d", env->settings).p);
	env->vars[env->n] = NULL;
}

/* ---- the child ---- */

struct child {
	const char *program, *dir;
	const char *const *argv;
	const char *const *env;
	int out_fd, complaint_fd, lock_fd;
	rlim_t file_bytes, memory_bytes;
};

/* Between fork() and exec() nothing but system calls: other threads may hold any lock. */
static void become(const struct child *child)
{
	struct rlimit limit = { child->file_bytes, child->file_bytes };
	/* A list of refs, a delta or a tree of trees takes as much as its server likes. */
	struct rlimit memory = { child->memory_bytes, child->memory_bytes };
	struct rlimit no_core = { 0, 0 };
	struct sigaction standard = { .sa_handler = SIG_DFL };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	int null_fd = open("/dev/null", O_RDONLY);

	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGPIPE, &standard, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* so that git can say why, and tidy up */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setrlimit(RLIMIT_FSIZE, &limit);
	setrlimit(RLIMIT_DATA, &memory);
	setrlimit(RLIMIT_CORE, &no_core);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(child->out_fd, 1) < 0 ||
	    dup2(child->complaint_fd, 2) < 0 || chdir(child->dir) != 0)
		_exit(126);
	/* curl's sockets among them: not all libraries close theirs. Without this call: no harm. */
	close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
	/* As long as any of them lives, nobody else is let in. */
	if (child->lock_fd >= 0)
		fcntl(child->lock_fd, F_SETFD, 0);
	execve(child->program, (char *const *)child->argv, (char *const *)child->env);
	_exit(127);
}

/* The read end; our own is never one of the three that the child replaces. */
static int open_pipe(int fds[2], struct err *err)
{
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(err, "cannot make a pipe");
	for (int i = 0; i < 2; i++) {
		int fd = fds[i] > 2 ? fds[i] : fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (fd != fds[i]) {
			close(fds[i]);
			fds[i] = fd;
		}
	}
	return fcntl(fds[0], F_SETFL, O_NONBLOCK);
}

static struct vcs_process *launch(const struct child *wanted, struct err *err)
{
	struct child child = *wanted;
	struct vcs_process *process;
	int out[2], complaint[2];
	pid_t pid;

	if (open_pipe(out, err) != 0)
		return NULL;
	if (open_pipe(complaint, err) != 0) {
		close(out[0]);
		close(out[1]);
		return NULL;
	}
	child.out_fd = out[1];
	child.complaint_fd = complaint[1];
	pid = fork();
	if (pid == 0)
		become(&child);
	close(out[1]);
	close(complaint[1]);
	if (pid < 0) {
		err_errno(err, "cannot start git");
		close(out[0]);
		close(complaint[0]);
		return NULL;
	}
	process = mem_alloc(sizeof(*process));
	process->pid = pid;
	process->out_fd = out[0];
	process->complaint_fd = complaint[0];
	return process;
}

struct vcs_process *vcs_start(struct vcs *vcs, const struct vcs_command *command, struct err *err)
{
	struct environment env = { .pool = pool_new() };
	const char *argv[VCS_ARGS_MAX] = { "git" };
	struct vcs_process *process = NULL;
	struct child child = {
		.program = vcs->git,
		.dir = command->dir,
		.argv = argv,
		.env = env.vars,
		.lock_fd = command->lock_fd,
		.file_bytes = (rlim_t)vcs->config->direct.repository_mb << 20,
		.memory_bytes = MEMORY_MB_MIN << 20,
	};
	size_t n = 1;

	if (child.memory_bytes < child.file_bytes)
		child.memory_bytes = child.file_bytes;
#ifdef __SANITIZE_ADDRESS__ /* as git's ssh we couldn't start: its shadow counts */
	child.memory_bytes = RLIM_INFINITY;
#endif
	for (const char *const *arg = command->args; *arg && n + 1 < VCS_ARGS_MAX; arg++)
		argv[n++] = *arg;
	set_environment(&env, vcs, command);
	if (vcs_is_usable(vcs, err))
		process = launch(&child, err);
	if (process) {
		process->dir = command->dir;
		process->deadline_ms = command->deadline_ms;
		process->left_bytes = command->output_max_bytes;
	}
	pool_free(env.pool);
	return process;
}

/* The end of what it says counts: that is where git puts the reason. */
static void hear_complaint(struct vcs_process *p)
{
	char bytes[COMPLAINT_MAX / 2];
	ssize_t n = read(p->complaint_fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(p->complaint_fd);
		p->complaint_fd = -1;
		return;
	}
	if (p->complaint_n + (size_t)n > COMPLAINT_MAX) {
		size_t drop = p->complaint_n + (size_t)n - COMPLAINT_MAX;

		memmove(p->complaint, p->complaint + drop, p->complaint_n - drop);
		p->complaint_n -= drop;
	}
	memcpy(p->complaint + p->complaint_n, bytes, (size_t)n);
	p->complaint_n += (size_t)n;
}

static int give_up(struct vcs_process *p, enum err_kind kind, const char *why, struct err *err)
{
	p->has_failed = true;
	return err_set(err, kind, "git %s", why);
}

ssize_t vcs_read(struct vcs_process *p, const void **bytes, struct err *err)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = p->out_fd, .events = POLLIN },
					 { .fd = p->complaint_fd, .events = POLLIN } };
		int64_t left_ms = p->deadline_ms - clock_now_ms();
		ssize_t n;

		if (left_ms <= 0)
			return give_up(p, ERR_TIMEOUT, "took too long", err);
		if (poll(fds, 2, left_ms > 60000 ? 60000 : (int)left_ms) <= 0)
			continue;
		if (fds[1].revents)
			hear_complaint(p);
		if (!fds[0].revents)
			continue;
		n = read(p->out_fd, p->bytes, sizeof(p->bytes));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return give_up(p, ERR_IO, "can't be read from", err);
		p->left_bytes -= n;
		if (p->left_bytes < 0)
			return give_up(p, ERR_BAD_UPSTREAM, "prints more than is allowed here", err);
		*bytes = p->bytes;
		return n;
	}
}

/*
 * Its exit, within the deadline. What is left of its group is killed before the
 * child is reaped: afterwards the number may be another's.
 */
static int reap(struct vcs_process *p)
{
	int64_t until_ms = p->has_failed ? 0 : p->deadline_ms;
	useconds_t nap_us = 200;
	siginfo_t info = { 0 };
	int status = 0;

	while (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0) {
		if (clock_now_ms() >= until_ms) {
			p->has_failed = true;
			break;
		}
		if (p->complaint_fd >= 0)
			hear_complaint(p);
		usleep(nap_us);
		nap_us = nap_us < 10000 ? nap_us * 2 : nap_us;
	}
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL); /* it may not lead a group yet */
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* Where the store lies is nobody's business to whom this is shown. */
static struct str without_place(const struct vcs_process *p, struct str line)
{
	struct str place = str_of(p->dir);
	long at;

	while ((at = str_find_str(line, place)) >= 0) {
		char *here = (char *)line.p + at;

		line.n -= place.n;
		memmove(here, here + place.n, line.n - (size_t)at);
	}
	return line;
}

/*
 * The line that says why: the first "fatal:" or "ERROR:", or the last of all. That
 * git got no answer doesn't say why: then what ssh said before it.
 */
static struct str reason(struct vcs_process *p)
{
	struct str rest = { p->complaint, p->complaint_n }, line, last = { 0 };

	while (rest.n > 0 && str_cut(&rest, '\n', &line)) {
		line = str_trim(line);
		if (str_has_prefix(line, STR("fatal: Could not read from remote")))
			break;
		if (line.n > 0)
			last = line;
		if (str_has_prefix(line, STR("fatal: ")) || str_has_prefix(line, STR("ERROR: ")))
			break;
	}
	return last.n == 0 ? STR("it doesn't say why") : without_place(p, str_head(last, 400));
}

int vcs_finish(struct vcs_process *p, struct err *err)
{
	bool had_failed = p->has_failed;
	struct str said, why;
	int status, rc;

	/* What nobody reads any more mustn't hold it up. */
	close(p->out_fd);
	status = reap(p);
	if (p->complaint_fd >= 0)
		hear_complaint(p);
	said = (struct str){ p->complaint, p->complaint_n };
	why = reason(p);
	if (!had_failed && WIFEXITED(status)) {
		rc = WEXITSTATUS(status);
		if (rc != 0 && str_find_str(said, str_of(strerror(EFBIG))) >= 0)
			err_set(err, ERR_BAD_UPSTREAM, "git fetches more than [direct] repository_mb allows");
		else if (rc != 0)
			err_set(err, ERR_BAD_UPSTREAM, "git: %.*s", STR_ARG(why));
	} else {
		rc = -1;
		if (!had_failed && p->has_failed)
			give_up(p, ERR_TIMEOUT, "took too long", err);
		else if (!had_failed)
			err_set(err, ERR_BAD_UPSTREAM, "git was ended by signal %d: %.*s", WTERMSIG(status),
				STR_ARG(why));
	}
	if (p->complaint_fd >= 0)
		close(p->complaint_fd);
	free(p);
	return rc;
}

int vcs_output(struct vcs *vcs, const struct vcs_command *command, struct pool *pool, struct str *output,
	       struct err *err)
{
	struct vcs_process *process = vcs_start(vcs, command, err);
	struct err late = { 0 };
	const void *bytes = NULL;
	struct buf buf;
	ssize_t n;
	int rc;

	if (!process)
		return -1;
	buf_init(&buf, (size_t)command->output_max_bytes + 1);
	while ((n = vcs_read(process, &bytes, err)) > 0)
		buf_add(&buf, (struct str){ bytes, (size_t)n });
	rc = vcs_finish(process, n < 0 ? &late : err);
	if (rc == 0 && output)
		*output = pool_str(pool, buf_str(&buf));
	buf_clear(&buf);
	return n < 0 ? -1 : rc;
}
