#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "origin/address.h"
#include "origin/fetch_internal.h"
#include "origin/fetch_redirect.h"

#define USER_AGENT "goproxy.fcgi"
#define READ_BYTES 65536

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
	if (fetch->idle_n == FETCH_IDLE_EASY_MAX) {
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

void fetch_transfer_start(struct fetch *fetch, struct fetch_call *call)
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

void fetch_transfer_finish(struct fetch_transfer *t, CURLcode code)
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
