#include "program/responder.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/proxy.h"
#include "state/part.h"

#define SWEEP_INTERVAL_MS 60000
#define DIRECT_SWEEP_INTERVAL_MS 600000
#define SWEEP_AGE_S	  3600

/* Files that wait behind a slow upstream: two descriptors each, and some. */
#define DESCRIPTORS 65536

/* Files are made and flushed when those who wait have been served. */
#define DISK_NICENESS 10

#define CGI_THREADS	 2
#define CGI_SWEEP_ONE_IN 256

static void sweep(void *arg)
{
	struct responder *r = arg;

	part_sweep(r->store, SWEEP_AGE_S);
	store_absence_sweep(r->store, r->config->cache.negative_ttl_s + 1);
}

static void sweep_fresh(void *arg)
{
	struct responder *r = arg;

	fresh_sweep(r->proxy.fresh);
}

static void sweep_direct(void *arg)
{
	struct responder *r = arg;

	direct_sweep(r->direct);
}

static int on_tick(void *arg)
{
	struct responder *r = arg;
	int64_t now = clock_now_ms();

	if (r->proxy.fresh && now >= r->fresh_sweep_at_ms) {
		r->fresh_sweep_at_ms = now + FRESH_SLOT_S * 1000LL;
		work_post(r->disk, sweep_fresh, r);
	}
	if (now >= r->sweep_at_ms) {
		r->sweep_at_ms = now + SWEEP_INTERVAL_MS;
		work_post(r->disk, sweep, r);
	}
	if (now >= r->direct_sweep_at_ms) {
		r->direct_sweep_at_ms = now + DIRECT_SWEEP_INTERVAL_MS;
		work_post(r->disk, sweep_direct, r);
	}
	recheck_tick(r->recheck);
	sumdbs_tick(r->sumdbs);
	return flights_tick(r->proxy.flights);
}

static void on_connection(void *arg, int fd, size_t whole_bytes)
{
	struct responder *r = arg;

	proxy_handle_connection(&r->proxy, fd, whole_bytes);
}

static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS ? limit.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Before any thread starts, so that all inherit it. */
static void block_signals(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

void responder_unblock_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int responder_open(struct responder *r, const struct config *config, int listen_fd, int threads,
		   struct err *err)
{
	struct loop_hooks hooks = { on_connection, on_tick, r };

	*r = (struct responder){ .config = config };
	raise_limits();
	block_signals();
	/* Freed memory goes back to the system; few arenas for few threads. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (config_cache_dir_make(config, err) != 0)
		log_write(LOG_WARN, "%s", err->text); /* a cache is not a must */
	r->store = store_open(config->cache.dir);
	r->fetch = fetch_new(config, err);
	if (!r->fetch)
		return -1;
	r->direct = direct_new(config, r->store, r->fetch);
	r->upstream = upstream_new(config, r->fetch, r->direct);
	r->work = work_new((threads + 1) / 2, 0, err);
	r->disk = r->work ? work_new((threads + 1) / 2, DISK_NICENESS, err) : NULL;
	if (!r->disk)
		return -1;
	r->loop = loop_new(config, r->work, listen_fd, &hooks, err);
	if (!r->loop)
		return -1;
	r->sumdbs = sumdbs_new(config, r->store, r->upstream, r->work, r->disk);
	r->answer = (struct answer){ config, r->loop };
	r->proxy.answer = &r->answer;
	r->proxy.access = access_new(config);
	r->proxy.store = r->store;
	r->proxy.sumdbs = r->sumdbs;
	r->proxy.flights = flights_new(&r->answer, r->store, r->upstream, r->sumdbs, r->work,
				       r->disk);
	r->proxy.disk = r->disk;
	r->proxy.uploads = uploads_new(&r->answer, r->store);
	if (listen_fd >= 0) {
		r->proxy.fresh = fresh_new(r->store, config->cache.list_ttl_s);
		r->recheck = recheck_new(&r->answer, r->store, r->sumdbs, r->proxy.flights, r->disk);
	}
	r->direct_sweep_at_ms = clock_now_ms() + SWEEP_INTERVAL_MS;
	r->sweep_at_ms = clock_now_ms() + (listen_fd < 0 ? SWEEP_INTERVAL_MS : 1000);
	return 0;
}

void responder_close(struct responder *r)
{
	fetch_free(r->fetch);
	work_free(r->work);
	work_free(r->disk);
	uploads_end(r->proxy.uploads);
	if (r->sumdbs)
		sumdbs_flush(r->sumdbs);
	recheck_free(r->recheck);
	fresh_free(r->proxy.fresh);
	flights_free(r->proxy.flights);
	access_free(r->proxy.access);
	uploads_free(r->proxy.uploads);
	loop_free(r->loop);
	sumdbs_free(r->sumdbs);
	upstream_free(r->upstream);
	direct_free(r->direct);
	store_close(r->store);
}

static int refuse(const struct err *err)
{
	log_write(LOG_ERROR, "cannot start: %s", err->text);
	return EXIT_FAILURE;
}

int responder_run_fcgi(const struct config *config, int listen_fd)
{
	struct responder r;
	struct err err = { 0 };
	bool is_clean;

	http_init();
	fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) & ~O_NONBLOCK);
	if (responder_open(&r, config, listen_fd, config->server.threads, &err) != 0)
		return refuse(&err);
	log_write(LOG_INFO, "ready; the cache is '%s'", config->cache.dir);
	is_clean = loop_run(r.loop);
	if (!is_clean) {
		/* Something hangs beyond stop_timeout_s; the store stands it. */
		log_write(LOG_WARN, "stopping with requests under way");
		_exit(EXIT_SUCCESS);
	}
	if (recheck_is_busy(r.recheck)) {
		sumdbs_flush(r.sumdbs);
		_exit(EXIT_SUCCESS);
	}
	responder_close(&r);
	return EXIT_SUCCESS;
}

static int run_request(const struct config *config)
{
	struct responder r;
	struct err err = { 0 };
	bool has_broken;

	if (responder_open(&r, config, -1, CGI_THREADS, &err) != 0)
		return refuse(&err);
	loop_hold(r.loop);
	proxy_handle(&r.proxy, http_read_cgi());
	loop_run(r.loop);
	has_broken = loop_has_broken(r.loop);
	/* No process lives long enough to do it by the clock. */
	if (getpid() % CGI_SWEEP_ONE_IN == 0)
		sweep(&r);
	if (getpid() % CGI_SWEEP_ONE_IN == 1)
		direct_sweep(r.direct);
	responder_close(&r);
	return has_broken ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * A fetch outlives its client, but a web server kills a CGI process whose
 * client has left. So a child in a session of its own does the work, and
 * the process that the server knows waits for it.
 */
int responder_run_cgi(const struct config *config)
{
	int status = 0;
	pid_t child = fork();

	if (child <= 0) {
		if (child == 0)
			setsid();
		_exit(run_request(config));
	}
	/* The answer ends when nobody holds standard output open any more. */
	close(STDOUT_FILENO);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
