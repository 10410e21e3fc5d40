#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/loop_internal.h"

#define EVENTS_MAX	128
#define HOUSEKEEPING_MS 250

/* What an epoll event belongs to is told by the low bits of its data. */
enum { TAG_STREAM, TAG_CONNECTION, TAG_WAKE, TAG_SIGNAL };
#define TAG_MASK 7ULL

static int watch(struct loop *loop, int op, int fd, uint32_t events, const void *p, unsigned int tag)
{
	struct epoll_event event = { .events = events };

	event.data.u64 = (uint64_t)(uintptr_t)p | tag;
	return epoll_ctl(loop->epoll_fd, op, fd, &event);
}

void loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return; /* full: it is awake anyway */
}

void loop_tick_soon(struct loop *loop)
{
	if (!atomic_exchange(&loop->must_tick, true))
		loop_wake(loop);
}

void loop_hold(struct loop *loop)
{
	atomic_fetch_add(&loop->held, 1);
}

void loop_release(struct loop *loop)
{
	/* Only who waits for the end wants to know. */
	if (atomic_fetch_sub(&loop->held, 1) == 1 &&
	    (loop->listen_fd < 0 || atomic_load(&loop->is_stopping)))
		loop_wake(loop);
}

bool loop_goes_on(const struct loop *loop)
{
	return loop->listen_fd >= 0 && !atomic_load(&loop->is_stopping);
}

bool loop_has_broken(const struct loop *loop)
{
	return atomic_load(&loop->has_broken);
}

static void end_request(struct loop *loop, struct http_request *request, enum http_step step)
{
	if (step == HTTP_BROKEN) {
		atomic_store(&loop->has_broken, true);
		log_write(LOG_INFO, "%s: the answer broke off after %lld bytes", request->id,
			  (long long)request->body_bytes);
	}
	http_close(request);
	loop_release(loop);
}

void loop_settle(struct loop *loop, struct http_request *request, enum http_step step)
{
	if (step == HTTP_DONE || step == HTTP_BROKEN) {
		end_request(loop, request, step);
		return;
	}
	request->is_starved = step == HTTP_STARVED;
	pthread_mutex_lock(&loop->mutex);
	request->next = loop->incoming;
	loop->incoming = request;
	pthread_mutex_unlock(&loop->mutex);
	loop_wake(loop);
}

void loop_poke(struct loop *loop, struct http_source *source)
{
	if (atomic_exchange(&source->is_poked, true))
		return;
	http_source_ref(source);
	pthread_mutex_lock(&loop->mutex);
	source->next_poked = loop->poked;
	loop->poked = source;
	pthread_mutex_unlock(&loop->mutex);
	loop_wake(loop);
}

/* Streams hang on the loop, and on their source, so that its news reach them. */
static void stream_add(struct loop *loop, struct http_request *r)
{
	r->prev_all = NULL;
	r->next_all = loop->streams;
	if (r->next_all)
		r->next_all->prev_all = r;
	loop->streams = r;
	r->prev = NULL;
	r->next = r->source ? r->source->streams : NULL;
	if (r->next)
		r->next->prev = r;
	if (r->source)
		r->source->streams = r;
}

static void stream_end(struct loop *loop, struct http_request *r, enum http_step step)
{
	if (r->prev_all)
		r->prev_all->next_all = r->next_all;
	else
		loop->streams = r->next_all;
	if (r->next_all)
		r->next_all->prev_all = r->prev_all;
	if (r->prev)
		r->prev->next = r->next;
	else if (r->source)
		r->source->streams = r->next;
	if (r->next)
		r->next->prev = r->prev;
	if (r->is_polled)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, r->fd, NULL);
	end_request(loop, r, step);
}

/* Have the kernel tell when the reader takes more, or is gone. */
static bool poll_stream(struct loop *loop, struct http_request *r)
{
	int op = r->is_polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (r->is_unpollable)
		return true;
	if (watch(loop, op, r->fd, r->is_starved ? 0 : EPOLLOUT, r, TAG_STREAM) == 0) {
		r->is_polled = true;
		return true;
	}
	/* Standard output of a CGI process may be a file: always writable. */
	r->is_unpollable = errno == EPERM;
	return r->is_unpollable;
}

static void stream_step(struct loop *loop, struct http_request *r)
{
	bool was_starved = r->is_starved;
	enum http_step step = http_step(r);

	while (r->is_unpollable && step == HTTP_BLOCKED)
		step = http_step(r);
	if (step == HTTP_DONE || step == HTTP_BROKEN) {
		stream_end(loop, r, step);
		return;
	}
	r->is_starved = step == HTTP_STARVED;
	if (was_starved) /* the reader wasn't the one who kept it waiting */
		r->moved_ms = clock_now_ms();
	if (r->is_starved != was_starved && !poll_stream(loop, r))
		stream_end(loop, r, HTTP_BROKEN);
}

static void connection_remove(struct loop *loop, struct connection *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		loop->connections = c->next;
	if (c->next)
		c->next->prev = c->prev;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
}

static void connection_close(struct loop *loop, struct connection *c)
{
	connection_remove(loop, c);
	close(c->fd);
	free(c);
	loop_release(loop);
}

static void read_connection(void *arg)
{
	struct connection *c = arg;
	const struct loop_hooks *hooks = &c->loop->hooks;
	size_t whole_bytes = c->whole_bytes;
	int fd = c->fd;

	free(c);
	hooks->on_connection(hooks->arg, fd, whole_bytes);
}

static void on_readable(struct loop *loop, struct connection *c)
{
	bool is_closed;

	if (loop_is_complete(c->fd, &c->whole_bytes, &is_closed)) {
		connection_remove(loop, c);
		work_post(loop->work, read_connection, c);
	} else if (is_closed) {
		connection_close(loop, c);
	}
}

static void connection_add(struct loop *loop, struct connection *c)
{
	c->prev = NULL;
	c->next = loop->connections;
	if (c->next)
		c->next->prev = c;
	loop->connections = c;
	/* Edge-triggered: asked again only when more of the request has come. */
	if (watch(loop, EPOLL_CTL_ADD, c->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, c, TAG_CONNECTION) != 0)
		connection_close(loop, c);
}

static void take_incoming(struct loop *loop)
{
	struct http_request *r;
	struct http_source *source;
	struct connection *c;

	pthread_mutex_lock(&loop->mutex);
	c = loop->incomplete;
	loop->incomplete = NULL;
	r = loop->incoming;
	loop->incoming = NULL;
	source = loop->poked;
	loop->poked = NULL;
	pthread_mutex_unlock(&loop->mutex);
	while (c) {
		struct connection *next = c->next;

		connection_add(loop, c);
		c = next;
	}
	while (r) {
		struct http_request *next = r->next;

		stream_add(loop, r);
		if (!poll_stream(loop, r))
			stream_end(loop, r, HTTP_BROKEN);
		else /* the source may have grown before it was here */
			stream_step(loop, r);
		r = next;
	}
	while (source) {
		struct http_source *next = source->next_poked;
		struct http_request *next_stream;

		atomic_store(&source->is_poked, false);
		for (r = source->streams; r; r = next_stream) {
			next_stream = r->next;
			if (r->is_starved || atomic_load(&source->state) == SOURCE_FAILED)
				stream_step(loop, r);
		}
		http_source_unref(source);
		source = next;
	}
}

static void begin_stop(struct loop *loop)
{
	struct signalfd_siginfo info;
	int null_fd;

	if (read(loop->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (atomic_exchange(&loop->is_stopping, true))
		return;
	loop_end_accepting(loop);
	/* The number stays taken; the socket is the others', if there are any. */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0 && loop->listen_fd >= 0)
		dup3(null_fd, loop->listen_fd, O_CLOEXEC);
	close(null_fd);
	loop->stop_at_ms = clock_now_ms() + loop->config->server.stop_timeout_s * 1000LL;
	log_write(LOG_INFO, "stopping; %d under way", atomic_load(&loop->held));
}

static void check_timeouts(struct loop *loop, int64_t now)
{
	int64_t wait_ms = loop->config->server.request_timeout_s * 1000LL;
	struct connection *next;

	for (struct connection *c = loop->connections; c; c = next) {
		next = c->next;
		/* While stopping, who has sent nothing for a second loses nothing. */
		if (now - c->since_ms > (loop->is_stopping ? 1000 : wait_ms))
			connection_close(loop, c);
	}
}

/* Readers that take nothing. */
static void check_streams(struct loop *loop, int64_t now)
{
	int64_t wait_ms = loop->config->server.send_timeout_s * 1000LL;
	struct http_request *next;

	for (struct http_request *r = loop->streams; r; r = next) {
		next = r->next_all;
		if (!r->is_starved && now - r->moved_ms > wait_ms)
			stream_end(loop, r, HTTP_BROKEN);
	}
}

static void housekeeping(struct loop *loop)
{
	int64_t now = clock_now_ms();

	if (now < loop->housekeeping_ms)
		return;
	loop->housekeeping_ms = now + HOUSEKEEPING_MS;
	check_timeouts(loop, now);
	check_streams(loop, now);
	atomic_store(&loop->must_tick, true); /* so deadlines need no wake-up of their own */
}

static void on_stream_event(struct loop *loop, struct http_request *r, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR))
		stream_end(loop, r, HTTP_BROKEN);
	else
		stream_step(loop, r);
}

static void on_event(struct loop *loop, const struct epoll_event *event)
{
	unsigned int tag = (unsigned int)(event->data.u64 & TAG_MASK);
	void *p = (void *)(uintptr_t)(event->data.u64 & ~TAG_MASK);
	uint64_t count;

	switch (tag) {
	case TAG_STREAM:
		on_stream_event(loop, p, event->events);
		break;
	case TAG_CONNECTION:
		on_readable(loop, p);
		break;
	case TAG_SIGNAL:
		begin_stop(loop);
		break;
	default:
		if (read(loop->wake_fd, &count, sizeof(count)) < 0)
			return;
	}
}

static int wait_ms(const struct loop *loop)
{
	int64_t now = clock_now_ms(), at = loop->housekeeping_ms;

	if (loop->tick_at_ms >= 0 && loop->tick_at_ms < at)
		at = loop->tick_at_ms;
	return at <= now ? 0 : (int)(at - now);
}

static void tick(struct loop *loop)
{
	int next_ms;

	if (!atomic_exchange(&loop->must_tick, false) &&
	    (loop->tick_at_ms < 0 || clock_now_ms() < loop->tick_at_ms))
		return;
	next_ms = loop->hooks.on_tick(loop->hooks.arg);
	loop->tick_at_ms = next_ms < 0 ? -1 : clock_now_ms() + next_ms;
}

static bool is_over(const struct loop *loop, bool *is_clean)
{
	if (loop->listen_fd >= 0 && !loop->is_stopping)
		return false;
	*is_clean = atomic_load(&loop->held) == 0;
	return *is_clean || (loop->is_stopping && clock_now_ms() > loop->stop_at_ms);
}

bool loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	bool is_clean = true;

	loop_start_accepting(loop);
	while (!is_over(loop, &is_clean)) {
		int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, wait_ms(loop));

		for (int i = 0; i < n; i++)
			on_event(loop, &events[i]);
		take_incoming(loop);
		housekeeping(loop);
		tick(loop);
	}
	return is_clean;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

struct loop *loop_new(const struct config *config, struct work *work, int listen_fd,
		      const struct loop_hooks *hooks, struct err *err)
{
	struct loop *loop = mem_alloc(sizeof(*loop));

	loop->config = config;
	loop->work = work;
	loop->hooks = *hooks;
	loop->listen_fd = listen_fd;
	pthread_mutex_init(&loop->mutex, NULL);
	pthread_mutex_init(&loop->turn_mutex, NULL);
	pthread_cond_init(&loop->turn_is_free, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop->signal_fd = open_signals();
	if (loop->epoll_fd < 0 || loop->wake_fd < 0 || loop->signal_fd < 0 ||
	    watch(loop, EPOLL_CTL_ADD, loop->wake_fd, EPOLLIN, NULL, TAG_WAKE) != 0 ||
	    watch(loop, EPOLL_CTL_ADD, loop->signal_fd, EPOLLIN, NULL, TAG_SIGNAL) != 0) {
		err_errno(err, "cannot set up the event loop");
		loop_free(loop);
		return NULL;
	}
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free(loop->threads);
	close(loop->epoll_fd);
	close(loop->wake_fd);
	close(loop->signal_fd);
	pthread_mutex_destroy(&loop->mutex);
	pthread_mutex_destroy(&loop->turn_mutex);
	pthread_cond_destroy(&loop->turn_is_free);
	free(loop);
}
