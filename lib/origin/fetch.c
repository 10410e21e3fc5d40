#include "origin/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "origin/address.h"
#include "origin/fetch_redirect.h"

#define USER_AGENT	"goproxy.fcgi"
#define EVENTS_MAX	64
#define IDLE_EASY_MAX	32
#define READ_BYTES	65536
#define CONNECTIONS_KEPT 256L
#define SILENCE_LOOK_MS	 250
#define LINGER_MS	 2000 /* after the last transfer: the next one needs no wake-up */

/* A call on its way through curl. */
struct fetch_transfer {
	struct fetch *fetch;
	struct fetch_call *call;
	CURL *easy;
	struct fetch_answer answer;
	struct err failure; /* of a callback of ours */
	bool has_started;
	bool is_sent; /* the request is out: silence counts from here */
	int64_t deadline_ms;
	int redirects;
	int64_t body_bytes;
	int64_t heard_ms; /* when the last byte came */
	struct fetch_transfer *next, *prev;
	char error[CURL_ERROR_SIZE];
	char *hop; /* the URL that a redirect named */
	struct curl_slist *headers;
};

/*
 * Whoever holds `driving` calls curl. That is the thread of ours, or, for the
 * moment that sending a request takes, the thread that wants it sent: a hand-over
 * from thread to thread costs as much as a fifth of a small miss.
 */
struct fetch {
	const struct config *config;
	pthread_t thread;
	int epoll_fd;
	int wake_fd;

	pthread_mutex_t driving; /* guards all of these */
	CURLM *multi;
	CURLSH *share; /* TLS sessions; a multi handle has but names and connections in common */
	int64_t timer_ms; /* when curl wants to be called; -1: not at all */
	CURL *idle[IDLE_EASY_MAX];
	size_t idle_n;
	struct fetch_call *delayed;
	struct fetch_transfer *transfers;
	int transfers_n;
	int64_t silence_at_ms; /* when to look for silent ones */
	int64_t sleeps_until_ms; /* our thread, unless it is woken */
	int64_t busy_ms;	 /* when there was a transfer lately */

	pthread_mutex_t mutex; /* guards the two below */
	struct fetch_call *queue;
	bool must_stop;
};

static void fill_answer(struct fetch_transfer *t)
{
	curl_off_t length = -1;
	long status = 0;
	char *type = NULL, *address = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	t->answer.status = (int)status;
	t->answer.length_bytes = length;
	curl_easy_getinfo(t->easy, CURLINFO_PRIMARY_IP, &address);
	snprintf(t->answer.address, sizeof(t->answer.address), "%s", address ? address : "");
	t->answer.url = t->hop ? t->hop : t->call->url;
	snprintf(t->answer.type, sizeof(t->answer.type), "%s", type ? type : "");
}

static int start_body(struct fetch_transfer *t)
{
	const struct fetch_call *call = t->call;

	t->has_started = true;
	fill_answer(t);
	if (t->answer.status != 200)
		return 0;
	if (t->answer.length_bytes > call->body_max_bytes)
		return err_set(&t->failure, ERR_BAD_UPSTREAM,
			       "promises %lld bytes, more than the %lld that this may have",
			       (long long)t->answer.length_bytes,
			       (long long)call->body_max_bytes);
	return call->on_start(call->arg, &t->answer, &t->failure);
}

static int take_bytes(struct fetch_transfer *t, struct str bytes)
{
	const struct fetch_call *call = t->call;

	if (!t->has_started && start_body(t) != 0)
		return -1;
	if (t->answer.status != 200) {
		size_t room = FETCH_TEXT_MAX - t->answer.text.n;

		buf_add(&t->answer.text, str_head(bytes, room));
		return 0;
	}
	t->body_bytes += (int64_t)bytes.n;
	if (t->body_bytes > call->body_max_bytes)
		return err_set(&t->failure, ERR_BAD_UPSTREAM,
			       "sends more than the %lld bytes that this may have",
			       (long long)call->body_max_bytes);
	return call->on_bytes(call->arg, bytes, &t->failure);
}

static size_t on_write(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch_transfer *t = arg;

	t->heard_ms = clock_now_ms();
	/* Anything but the count makes curl end the transfer. */
	return take_bytes(t, (struct str){ bytes, size * n }) == 0 ? size * n : 0;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose,
				    struct curl_sockaddr *address)
{
	struct fetch_transfer *t = arg;

	if (purpose == CURLSOCKTYPE_IPCXN && address_is_private(&address->addr)) {
		err_set(&t->failure, ERR_BAD_UPSTREAM,
			"%s", t->redirects > 0 || !t->call->is_untrusted
			? "redirects to a private address, which [upstream] redirect_private doesn't name"
			: "lies at a private address, and [direct] private_hosts doesn't name it");
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_limits(struct fetch_transfer *t)
{
	const struct config *config = t->fetch->config;
	int64_t left_ms = t->deadline_ms - clock_now_ms();
	CURL *e = t->easy;

	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, config->upstream.connect_timeout_s * 1000L);
	/* One deadline for all redirects; 0 would mean none. */
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1));
}

static void set_identity(CURL *e, const struct config *config, bool is_anonymous)
{
	curl_easy_setopt(e, CURLOPT_USERAGENT, USER_AGENT);
	if (*config->upstream.netrc && !is_anonymous) {
		curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
		curl_easy_setopt(e, CURLOPT_NETRC_FILE, config->upstream.netrc);
	}
	if (*config->upstream.ca_file)
		curl_easy_setopt(e, CURLOPT_CAINFO, config->upstream.ca_file);
}

static int on_request(void *arg, char *from, char *to, int from_port, int to_port)
{
	struct fetch_transfer *t = arg;

	t->is_sent = true;
	t->heard_ms = clock_now_ms();
	return CURL_PREREQFUNC_OK;
}

static void set_options(struct fetch_transfer *t, const char *url)
{
	CURL *e = t->easy;

	t->is_sent = false;
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(e, CURLOPT_URL, url);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, strncmp(url, "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)READ_BYTES);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	if (t->headers)
		curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	set_identity(e, t->fetch->config, t->call->is_anonymous);
	set_limits(t);
}

static CURL *easy_take(struct fetch *fetch)
{
	CURL *easy = fetch->idle_n > 0 ? fetch->idle[--fetch->idle_n] : curl_easy_init();

	if (!easy)
		abort(); /* out of memory */
	curl_easy_setopt(easy, CURLOPT_SHARE, fetch->share);
	return easy;
}

static void easy_give_back(struct fetch *fetch, CURL *easy)
{
	if (fetch->idle_n == IDLE_EASY_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	fetch->idle[fetch->idle_n++] = easy;
}

static void transfer_end(struct fetch_transfer *t)
{
	struct fetch_call *call = t->call;

	if (t->prev)
		t->prev->next = t->next;
	else
		t->fetch->transfers = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->fetch->transfers_n--;
	call->on_done(call->arg, &t->answer);
	easy_give_back(t->fetch, t->easy);
	buf_clear(&t->answer.text);
	curl_free(t->hop);
	curl_slist_free_all(t->headers);
	free(t);
}

bool fetch_has_proxy(const char *scheme)
{
	static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY", "https_proxy",
					     "HTTPS_PROXY" };
	bool is_https = strcasecmp(scheme, "https") == 0;

	/* As curl looks for them: all_proxy is for both. */
	for (size_t i = is_https ? 1 : 0; i < (is_https ? ARRAY_LEN(names) : 3); i++)
		if (str_of(getenv(names[i])).n > 0)
			return true;
	return false;
}

/*
 * Through a proxy of the environment no address is seen but the proxy's own; then
 * nothing may go past it by no_proxy, where nobody would decide.
 */
static void forbid_private(struct fetch_transfer *t, const char *url)
{
	if (fetch_has_proxy(strncasecmp(url, "https:", 6) == 0 ? "https" : "http")) {
		curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "");
		return;
	}
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
}

static bool is_url_trusted(const struct config *config, const char *url)
{
	struct pool *pool = pool_new();
	struct fetch_url parts;
	bool is_trusted = fetch_url_parse(pool, url, &parts) &&
			  fetch_host_is_trusted(config, true, parts.host, parts.port);

	pool_free(pool);
	return is_trusted;
}

static void transfer_start(struct fetch *fetch, struct fetch_call *call)
{
	struct fetch_transfer *t = mem_alloc(sizeof(*t));

	t->fetch = fetch;
	t->call = call;
	t->easy = easy_take(fetch);
	t->answer.length_bytes = -1;
	buf_init(&t->answer.text, FETCH_TEXT_MAX);
	t->heard_ms = clock_now_ms();
	t->deadline_ms = t->heard_ms + call->total_timeout_s * 1000LL;
	t->next = fetch->transfers;
	if (t->next)
		t->next->prev = t;
	fetch->transfers = t;
	fetch->transfers_n++;
	fetch->busy_ms = t->heard_ms;
	if (call->header)
		t->headers = curl_slist_append(NULL, call->header);
	set_options(t, call->url);
	if (call->is_untrusted && !is_url_trusted(fetch->config, call->url))
		forbid_private(t, call->url);
	curl_multi_add_handle(fetch->multi, t->easy);
}

/* A header may hold a secret: it is for whom the call is for, and for nobody whom a redirect names. */
static void drop_headers(struct fetch_transfer *t, const char *to)
{
	struct pool *pool = pool_new();
	struct fetch_url a, b;

	if (t->headers && !(fetch_url_parse(pool, t->call->url, &a) && fetch_url_parse(pool, to, &b) &&
			    strcmp(a.scheme, b.scheme) == 0 && strcmp(a.host, b.host) == 0 &&
			    strcmp(a.port, b.port) == 0)) {
		curl_slist_free_all(t->headers);
		t->headers = NULL;
	}
	pool_free(pool);
}

/* Follow a redirect: true if the transfer goes on. */
static bool follow(struct fetch_transfer *t)
{
	char *url = NULL, *scheme = NULL, *hop;
	bool is_trusted;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url);
	if (!url)
		return false;
	curl_easy_getinfo(t->easy, CURLINFO_SCHEME, &scheme);
	if (fetch_redirect_check(t->fetch->config, t->call->is_untrusted, scheme, url, &is_trusted, &t->answer.err) != 0)
		return false;
	if (++t->redirects > FETCH_REDIRECTS_MAX) {
		err_set(&t->answer.err, ERR_BAD_UPSTREAM, "stopped after %d redirects", FETCH_REDIRECTS_MAX);
		return false;
	}
	hop = strdup(url);
	curl_free(t->hop);
	t->hop = hop;
	t->has_started = false;
	buf_clear(&t->answer.text);
	curl_easy_reset(t->easy);
	drop_headers(t, hop);
	set_options(t, hop);
	if (!is_trusted)
		forbid_private(t, hop);
	curl_multi_add_handle(t->fetch->multi, t->easy);
	return true;
}

static void set_curl_error(struct fetch_transfer *t, CURLcode code)
{
	struct err *err = &t->answer.err;
	const char *text = *t->error ? t->error : curl_easy_strerror(code);

	if (t->failure.kind != ERR_NONE)
		*err = t->failure;
	else if (code == CURLE_OPERATION_TIMEDOUT)
		err_set(err, ERR_TIMEOUT, "%s", text);
	else
		err_set(err, ERR_BAD_UPSTREAM, "%s", text);
}

static void transfer_finish(struct fetch_transfer *t, CURLcode code)
{
	curl_multi_remove_handle(t->fetch->multi, t->easy);
	fill_answer(t);
	if (code == CURLE_OK && t->answer.status >= 300 && t->answer.status < 400 && follow(t))
		return;
	/* A 200 without a body has started nothing yet. */
	if (code == CURLE_OK && t->answer.err.kind == ERR_NONE && !t->has_started &&
	    start_body(t) != 0)
		t->answer.err = t->failure;
	if (code != CURLE_OK)
		set_curl_error(t, code);
	transfer_end(t);
}

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
		transfer_finish(t, code);
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
		transfer_finish(t, CURLE_OPERATION_TIMEDOUT);
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
		transfer_start(fetch, call);
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
	transfer_start(fetch, call);
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
