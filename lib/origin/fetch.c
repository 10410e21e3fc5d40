#include "origin/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "origin/fetch_internal.h"

#define EVENTS_MAX	 64
#define CONNECTIONS_KEPT 256L
#define SILENCE_LOOK_MS	 250
#define LINGER_MS	 2000 /* after the last transfer: the next one needs no wake-up */

static void read_messages(struct fetch *fetch)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
		struct fetch_transfer *t = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		fetch_transfer_finish(t, code);
	}
}

/*
 * End what has sent nothing for silence_timeout_s. curl's own low speed
 * limit averages over five seconds, and so comes that much too late.
 */
static void end_silent(struct fetch *fetch)
{
	int64_t now = clock_now_ms(), limit_ms = fetch->config->upstream.silence_timeout_s * 1000LL;
	struct fetch_transfer *next;

	if (!fetch->transfers || now < fetch->silence_at_ms)
		return;
	fetch->silence_at_ms = now + SILENCE_LOOK_MS;
	for (struct fetch_transfer *t = fetch->transfers; t; t = next) {
		next = t->next;
		/* Connecting has its own limit, and waiting for a connection isn't silence. */
		if (!t->is_sent || now - t->heard_ms < limit_ms)
			continue;
		err_set(&t->failure, ERR_TIMEOUT, "silent for %d s",
			fetch->config->upstream.silence_timeout_s);
		fetch_transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
	}
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct fetch *fetch = arg;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(fetch->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(fetch->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0 &&
	    errno == EEXIST)
		epoll_ctl(fetch->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	curl_multi_assign(fetch->multi, fd, fetch);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct fetch *fetch = arg;

	(void)multi;
	fetch->timer_ms = timeout_ms < 0 ? -1 : clock_now_ms() + timeout_ms;
	return 0;
}

/* Start what is due; what isn't waits in the list of delayed calls. */
static void start_due(struct fetch *fetch)
{
	struct fetch_call **link = &fetch->delayed;
	int64_t now = clock_now_ms();

	while (*link) {
		struct fetch_call *call = *link;

		if (call->due_ms > now) {
			link = &call->next;
			continue;
		}
		*link = call->next;
		fetch_transfer_start(fetch, call);
	}
}

/* Move what other threads queued; false when it is time to stop. */
static bool take_queue(struct fetch *fetch)
{
	struct fetch_call *call;
	bool must_stop;

	pthread_mutex_lock(&fetch->mutex);
	call = fetch->queue;
	fetch->queue = NULL;
	must_stop = fetch->must_stop;
	pthread_mutex_unlock(&fetch->mutex);
	while (call) {
		struct fetch_call *next = call->next;

		call->next = fetch->delayed;
		fetch->delayed = call;
		call = next;
	}
	return !must_stop;
}

static int wait_ms(const struct fetch *fetch)
{
	int64_t due = fetch->timer_ms, left;

	for (struct fetch_call *call = fetch->delayed; call; call = call->next)
		if (due < 0 || call->due_ms < due)
			due = call->due_ms;
	if (fetch->transfers && (due < 0 || fetch->silence_at_ms < due))
		due = fetch->silence_at_ms;
	if (due < 0)
		return -1;
	left = due - clock_now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void act(struct fetch *fetch, const struct epoll_event *events, int n)
{
	int running;

	for (int i = 0; i < n; i++) {
		int flags = 0;

		if (events[i].data.fd == fetch->wake_fd) {
			uint64_t count;

			if (read(fetch->wake_fd, &count, sizeof(count)) < 0)
				continue;
			continue;
		}
		if (events[i].events & EPOLLIN)
			flags |= CURL_CSELECT_IN;
		if (events[i].events & EPOLLOUT)
			flags |= CURL_CSELECT_OUT;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			flags |= CURL_CSELECT_ERR;
		curl_multi_socket_action(fetch->multi, events[i].data.fd, flags, &running);
	}
	if (fetch->timer_ms >= 0 && clock_now_ms() >= fetch->timer_ms) {
		fetch->timer_ms = -1;
		curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

/* How long our thread may sleep. */
static int nap_ms(struct fetch *fetch)
{
	int64_t now = clock_now_ms();
	int ms = wait_ms(fetch);

	if (ms < 0 && now - fetch->busy_ms < LINGER_MS)
		ms = SILENCE_LOOK_MS;
	fetch->sleeps_until_ms = ms < 0 ? INT64_MAX : now + ms;
	return ms;
}

static void *run(void *arg)
{
	struct fetch *fetch = arg;
	struct epoll_event events[EVENTS_MAX];

	pthread_mutex_lock(&fetch->driving);
	while (take_queue(fetch)) {
		int n, ms;

		start_due(fetch);
		ms = nap_ms(fetch);
		pthread_mutex_unlock(&fetch->driving);
		n = epoll_wait(fetch->epoll_fd, events, EVENTS_MAX, ms);
		pthread_mutex_lock(&fetch->driving);
		act(fetch, events, n < 0 ? 0 : n);
		read_messages(fetch);
		end_silent(fetch);
	}
	pthread_mutex_unlock(&fetch->driving);
	return NULL;
}

static void set_multi_options(struct fetch *fetch)
{
	CURLM *multi = fetch->multi;

	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, fetch);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, fetch);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
	curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS,
			  (long)fetch->config->upstream.connections_max);
}

struct fetch *fetch_new(const struct config *config, struct err *err)
{
	struct fetch *fetch = mem_alloc(sizeof(*fetch));
	struct epoll_event event = { .events = EPOLLIN };
	int rc;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	fetch->config = config;
	fetch->timer_ms = -1;
	pthread_mutex_init(&fetch->mutex, NULL);
	pthread_mutex_init(&fetch->driving, NULL);
	fetch->multi = curl_multi_init();
	fetch->share = curl_share_init(); /* needs no locks of its own: see `driving` */
	curl_share_setopt(fetch->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	fetch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	fetch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = fetch->wake_fd;
	if (!fetch->multi || !fetch->share || fetch->epoll_fd < 0 || fetch->wake_fd < 0 ||
	    epoll_ctl(fetch->epoll_fd, EPOLL_CTL_ADD, fetch->wake_fd, &event) != 0) {
		err_errno(err, "cannot set up fetching");
		return NULL; /* at start only, and the process ends */
	}
	set_multi_options(fetch);
	rc = pthread_create(&fetch->thread, NULL, run, fetch);
	if (rc != 0) {
		errno = rc;
		err_errno(err, "cannot start the fetch thread");
		return NULL;
	}
	return fetch;
}

static void wake(struct fetch *fetch)
{
	uint64_t one = 1;

	if (write(fetch->wake_fd, &one, sizeof(one)) < 0)
		return; /* full: it is awake anyway */
}

/*
 * Send it from here, if nobody drives and it is due; whatever comes of it is for
 * our thread. False if it has to be queued.
 */
static bool start_here(struct fetch *fetch, struct fetch_call *call)
{
	int running = 0;
	bool must_wake;

	if (call->delay_ms > 0 || pthread_mutex_trylock(&fetch->driving) != 0)
		return false;
	if (!fetch->transfers)
		fetch->silence_at_ms = clock_now_ms() + SILENCE_LOOK_MS;
	fetch_transfer_start(fetch, call);
	fetch->timer_ms = -1;
	curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	must_wake = running < fetch->transfers_n ||
		    clock_now_ms() + wait_ms(fetch) < fetch->sleeps_until_ms;
	pthread_mutex_unlock(&fetch->driving);
	if (must_wake)
		wake(fetch);
	return true;
}

void fetch_start(struct fetch *fetch, struct fetch_call *call)
{
	call->due_ms = clock_now_ms() + call->delay_ms;
	if (start_here(fetch, call))
		return;
	pthread_mutex_lock(&fetch->mutex);
	call->next = fetch->queue;
	fetch->queue = call;
	pthread_mutex_unlock(&fetch->mutex);
	wake(fetch);
}

void fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	pthread_mutex_lock(&fetch->mutex);
	fetch->must_stop = true;
	pthread_mutex_unlock(&fetch->mutex);
	wake(fetch);
	pthread_join(fetch->thread, NULL);
	while (fetch->idle_n > 0)
		curl_easy_cleanup(fetch->idle[--fetch->idle_n]);
	curl_multi_cleanup(fetch->multi);
	curl_share_cleanup(fetch->share);
	close(fetch->epoll_fd);
	close(fetch->wake_fd);
	pthread_mutex_destroy(&fetch->mutex);
	pthread_mutex_destroy(&fetch->driving);
	free(fetch);
}
