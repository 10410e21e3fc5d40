#include "program/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define WORKERS_MAX 256
#define BACKLOG	    4096

/* sd_listen_fds(3): the first descriptor that is handed over. */
#define ACTIVATION_FD 3

/* A worker that dies sooner than this is replaced only after a pause. */
#define QUICK_DEATH_S 1

struct worker {
	pid_t pid; /* 0: a free place */
	bool is_old; /* told to stop */
	int64_t started_s;
};

struct server {
	struct config *config;
	const char *program_path, *config_option, *listen_option;
	char executable[PATH_MAX];
	int settings_fd; /* a copy of the file that was right */
	int listen_fd;
	bool owns_socket_path;
	struct sockaddr_un socket_address;
	struct worker workers[WORKERS_MAX];
	sigset_t signals;
	bool is_stopping;
	int64_t stop_at_s;
};

/* A socket that nobody listens on any more is in the way; another isn't ours to take. */
static int clear_path(const struct sockaddr_un *address, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	rc = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	close(fd);
	if (rc == 0)
		return err_set(err, ERR_CONFIG, "cannot listen on '%s': another process does",
			       address->sun_path);
	unlink(address->sun_path);
	return 0;
}

static int listen_on(struct server *server, const struct config_listen *listen_address,
		     struct err *err)
{
	const struct sockaddr *address = (const struct sockaddr *)&listen_address->address;
	bool is_unix = address->sa_family == AF_UNIX;
	int one = 1;
	mode_t mask;
	int fd, rc;

	if (is_unix) {
		memcpy(&server->socket_address, address, sizeof(server->socket_address));
		if (clear_path(&server->socket_address, err) != 0)
			return -1;
	}
	fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* The web server is another user; who may reach the directory may connect. */
	mask = umask(0);
	rc = bind(fd, address, listen_address->size);
	umask(mask);
	if (rc != 0 || listen(fd, BACKLOG) != 0) {
		err_errno(err, "cannot listen on '%s'",
			  server->listen_option ? server->listen_option : server->config->server.listen);
		close(fd);
		return -1;
	}
	server->owns_socket_path = is_unix;
	server->listen_fd = fd;
	return 0;
}

/* The descriptor that systemd hands over (sd_listen_fds(3)), or -1. */
static int activation_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	uint64_t number;

	if (!pid || !n || !str_to_u64(str_of(pid), &number) || number != (uint64_t)getpid())
		return -1;
	if (!str_to_u64(str_of(n), &number) || number < 1)
		return -1;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return ACTIVATION_FD;
}

static int open_socket(struct server *server, struct err *err)
{
	struct config_listen address = server->config->server.listen_address;

	server->listen_fd = activation_fd();
	if (server->listen_fd >= 0)
		return 0;
	if (server->listen_option &&
	    config_listen_parse(str_of(server->listen_option), &address, err) != 0)
		return err_wrap(err, "--listen");
	if (address.size == 0)
		return err_set(err, ERR_CONFIG,
			       "no address to listen on: give --listen unix:PATH or ADDRESS:PORT, or set "
			       "[server] listen");
	return listen_on(server, &address, err);
}

/* For whoever watches the pool: a line a worker. */
static void write_workers_file(const struct server *server)
{
	const char *path = server->config->server.workers_file;
	struct buf buf;
	char tmp[4096];
	FILE *file;

	if (!*path)
		return;
	buf_init(&buf, 16384);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (server->workers[i].pid > 0)
			buf_printf(&buf, "%d\n", (int)server->workers[i].pid);
	snprintf(tmp, sizeof(tmp), "%s.%d", path, (int)getpid());
	file = fopen(tmp, "we");
	if (!file || fwrite(buf.p ? buf.p : "", 1, buf.n, file) != buf.n || fclose(file) != 0 ||
	    rename(tmp, path) != 0)
		log_write(LOG_ERROR, "cannot write [server] workers_file '%s': %s", path,
			  strerror(errno));
	buf_clear(&buf);
}

static int read_file(const char *path, struct pool *pool, struct str *text)
{
	struct err err = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;
	char *bytes;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_size <= CONFIG_FILE_BYTES_MAX) {
		bytes = pool_alloc(pool, (size_t)st.st_size + 1);
		n = file_read_at(fd, bytes, (size_t)st.st_size, 0, &err);
		*text = (struct str){ bytes, n > 0 ? (size_t)n : 0 };
	}
	close(fd);
	return n < 0 ? -1 : 0;
}

static void run_worker(const struct server *server)
{
	char settings[64];
	const char *arguments[] = { server->program_path, "--config", settings, NULL };

	snprintf(settings, sizeof(settings), "/proc/self/fd/%d", server->settings_fd);
	fcntl(server->settings_fd, F_SETFD, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &server->signals, NULL);
	if (dup2(server->listen_fd, STDIN_FILENO) >= 0) {
		/* By its path, where a new binary may lie by now. */
		execv(server->executable, (char *const *)(uintptr_t)arguments);
		execv("/proc/self/exe", (char *const *)(uintptr_t)arguments);
	}
	_exit(127);
}

static void start_worker(struct server *server)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *worker = &server->workers[i];
		pid_t pid;

		if (worker->pid > 0)
			continue;
		pid = fork();
		if (pid == 0)
			run_worker(server);
		if (pid < 0)
			log_write(LOG_ERROR, "cannot start a worker: %s", strerror(errno));
		else
			*worker = (struct worker){ .pid = pid, .started_s = clock_now_ms() / 1000 };
		return;
	}
}

static int count_workers(const struct server *server, bool old_ones_too)
{
	int n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += server->workers[i].pid > 0 && (old_ones_too || !server->workers[i].is_old);
	return n;
}

static void start_missing(struct server *server)
{
	bool has_changed = false;

	while (!server->is_stopping &&
	       count_workers(server, false) < server->config->server.processes) {
		int before = count_workers(server, false);

		start_worker(server);
		if (count_workers(server, false) == before)
			break; /* the next turn tries again */
		has_changed = true;
	}
	if (has_changed)
		write_workers_file(server);
}

/* Returns true if one died so quickly that a pause is in order. */
static bool reap(struct server *server)
{
	bool was_quick = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < WORKERS_MAX; i++) {
			struct worker *worker = &server->workers[i];

			if (worker->pid != pid)
				continue;
			if (!worker->is_old) {
				log_write(LOG_ERROR, "worker %d ended (%s %d), replacing it", (int)pid,
					  WIFSIGNALED(status) ? "signal" : "status",
					  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
				/* kill -9 is somebody's wish; anything else may come again. */
				was_quick = was_quick ||
					    (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) &&
					     clock_now_ms() / 1000 - worker->started_s <= QUICK_DEATH_S);
			}
			worker->pid = 0;
		}
	}
	return was_quick;
}

static void stop_workers(struct server *server, int signal_number)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (server->workers[i].pid <= 0)
			continue;
		server->workers[i].is_old = true;
		kill(server->workers[i].pid, signal_number);
	}
}

static void begin_stop(struct server *server)
{
	server->is_stopping = true;
	/* Nobody accepts any more: clients shall not wait in the backlog. */
	close(server->listen_fd);
	server->stop_at_s = clock_now_ms() / 1000 + server->config->server.stop_timeout_s + 2;
	stop_workers(server, SIGTERM);
}

/*
 * Keep a copy of the settings' file for the workers, and load the copy: what
 * they read is what was found right. Without a file the copy is empty.
 */
static int load_settings(struct server *server, struct config *config, struct buf *problems)
{
	struct pool *pool = pool_new();
	struct str text = STR("");
	struct err err = { 0 };
	char path[64];
	int rc = config_load(config, server->config_option, server->program_path, problems);
	int fd = memfd_create("goproxy.ini", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (rc == 0 && config_file_used(config) && read_file(config_file_used(config), pool, &text) != 0)
		rc = err_set(&err, ERR_CONFIG, "cannot read it again");
	if (rc == 0 && (fd < 0 || file_write_all(fd, text, &err) != 0))
		rc = -1;
	if (err.kind != ERR_NONE)
		buf_printf(problems, "%s\n", err.text);
	if (rc == 0) {
		config_clear(config);
		rc = config_load(config, path, server->program_path, problems);
	}
	if (rc == 0 && server->settings_fd > 0)
		close(server->settings_fd);
	if (rc == 0)
		server->settings_fd = fd;
	else if (fd >= 0)
		close(fd);
	pool_free(pool);
	return rc;
}

/* New settings, if they are right; the old workers end what they have begun. */
static void reload(struct server *server)
{
	struct config config;
	struct buf problems;

	buf_init(&problems, CONFIG_PROBLEMS_BYTES);
	if (load_settings(server, &config, &problems) != 0) {
		log_write(LOG_ERROR, "not reloaded, the settings are wrong: %.*s",
			  STR_ARG(buf_str(&problems)));
		config_clear(&config);
	} else {
		config_clear(server->config);
		*server->config = config;
		log_set_level(config.log.level);
		log_write(LOG_INFO, "reloading");
		stop_workers(server, SIGTERM);
		start_missing(server);
	}
	buf_clear(&problems);
}

static int first_settings(struct server *server)
{
	struct buf problems;
	int rc;

	buf_init(&problems, CONFIG_PROBLEMS_BYTES);
	config_clear(server->config);
	rc = load_settings(server, server->config, &problems);
	if (rc != 0)
		log_write(LOG_ERROR, "cannot start: %.*s", STR_ARG(buf_str(&problems)));
	buf_clear(&problems);
	return rc;
}

static void on_signal(struct server *server, int signal_number)
{
	switch (signal_number) {
	case SIGTERM:
	case SIGINT:
		if (!server->is_stopping)
			begin_stop(server);
		break;
	case SIGHUP:
		if (!server->is_stopping)
			reload(server);
		break;
	default:
		break; /* SIGCHLD: reap() looks anyway */
	}
}

static void run(struct server *server)
{
	struct timespec pause = { .tv_sec = 1 };
	int signal_number;

	start_missing(server);
	while (!server->is_stopping || count_workers(server, true) > 0) {
		bool was_quick;

		signal_number = sigtimedwait(&server->signals, NULL, &pause);
		if (signal_number > 0)
			on_signal(server, signal_number);
		was_quick = reap(server);
		write_workers_file(server);
		if (was_quick) /* it can't start: not a thousand times a second */
			continue;
		start_missing(server);
		if (server->is_stopping && clock_now_ms() / 1000 > server->stop_at_s)
			stop_workers(server, SIGKILL);
	}
}

int server_run(struct config *config, const char *program_path, const char *config_option,
	       const char *listen_option)
{
	static struct server server; /* large; there is one */
	struct err err = { 0 };

	server.config = config;
	server.program_path = program_path;
	server.config_option = config_option;
	server.listen_option = listen_option;
	sigemptyset(&server.signals);
	sigaddset(&server.signals, SIGTERM);
	sigaddset(&server.signals, SIGINT);
	sigaddset(&server.signals, SIGHUP);
	sigaddset(&server.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &server.signals, NULL);
	if (readlink("/proc/self/exe", server.executable, sizeof(server.executable) - 1) < 0)
		server.executable[0] = '\0';
	if (first_settings(&server) != 0)
		return EXIT_FAILURE;
	if (open_socket(&server, &err) != 0) {
		log_write(LOG_ERROR, "cannot start: %s", err.text);
		return EXIT_FAILURE;
	}
	run(&server);
	if (server.owns_socket_path)
		unlink(server.socket_address.sun_path);
	return EXIT_SUCCESS;
}
