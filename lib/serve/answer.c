#include "serve/answer.h"

#include <string.h>

#include "base/log.h"

/* Less goes out in one write of ours, quicker than another can open the file. */
#define SENDFILE_MIN_BYTES 60000

static const struct str immutable = STR("public, max-age=31536000, immutable");
static const struct str no_store = STR("no-store");

/*
 * RFC 9111, 3.5 keeps shared caches from what was asked for with Authorization,
 * but says nothing of certificates and accounts of other kinds; so nobody is to
 * keep what is private.
 */
static const struct str only_once = STR("private, no-store");

static void send_answer(const struct answer *answer, struct want *want,
			const struct http_response *response)
{
	struct http_request *request = want->request;

	http_source_unref(want->stale);
	want->stale = NULL;
	loop_settle(answer->loop, request, http_send(request, response));
}

/* ttl_s NULL: it never changes. */
static struct str cache_status(const struct want *want, const int64_t *ttl_s)
{
	struct str status = str_of(want->cache_status ? want->cache_status : "");

	if (want->is_collapsed)
		status = pool_printf(want->request->pool, "%.*s; collapsed", STR_ARG(status));
	if (ttl_s)
		status = pool_printf(want->request->pool, "%.*s; ttl=%lld", STR_ARG(status), (long long)*ttl_s);
	return status;
}

/* Have the web server send the file. What it makes of conditions differs: those are ours. */
static void hand_over(const struct answer *answer, const struct want *want, struct http_response *response)
{
	const struct config *config = answer->config;
	const char *way = config->server.sendfile;
	struct pool *pool = want->request->pool;

	if (!*way || !want->is_file || response->source->size_bytes <= SENDFILE_MIN_BYTES ||
	    http_has_condition(want->request))
		return;
	if (strcmp(way, "x-sendfile") == 0)
		response->extra = pool_printf(pool, "X-Sendfile: %s/%s\r\n", config->cache.dir, want->route.key);
	else
		response->extra = pool_printf(pool, "X-Accel-Redirect: %s/%s\r\n", way + strlen("x-accel:"),
					      want->route.key);
	http_source_unref(response->source);
	response->source = NULL;
}

void answer_object(const struct answer *answer, struct want *want,
		   struct http_source *source, time_t mtime)
{
	struct pool *pool = want->request->pool;
	struct http_response response = {
		.status = 200,
		.type = str_of(want->route.type),
		.etag = http_etag(pool, mtime, source->size_bytes),
		.modified = mtime,
		.cache_control = immutable,
		.age_s = -1,
		.source = source,
	};

	if (want->route.is_mutable) {
		int64_t age = time(NULL) - mtime, left = answer->config->cache.list_ttl_s - (age < 0 ? 0 : age);

		response.cache_control =
			pool_printf(pool, "public, max-age=%lld", (long long)(left > 0 ? left : 0));
		response.cache_status = cache_status(want, &left);
		if (left <= 0)
			response.age_s = age < 0 ? 0 : age;
	} else {
		response.cache_status = cache_status(want, NULL);
		hand_over(answer, want, &response);
	}
	if (want->route.is_private)
		response.cache_control = only_once;
	send_answer(answer, want, &response);
}

void answer_bytes(const struct answer *answer, struct want *want, struct str bytes, int64_t max_age_s)
{
	struct pool *pool = want->request->pool;
	struct tlog_hash hash = tlog_record_hash(bytes);
	char text[TLOG_HASH_TEXT_SIZE];
	struct http_response response = {
		.status = 200,
		.type = str_of(want->route.type),
		.cache_control = immutable,
		.age_s = -1,
		.body = bytes,
	};

	response.cache_status = cache_status(want, max_age_s < 0 ? NULL : &max_age_s);
	tlog_hash_text(&hash, text);
	response.etag = pool_printf(pool, "\"%.22s\"", text);
	if (max_age_s >= 0)
		response.cache_control = pool_printf(pool, "public, max-age=%lld", (long long)max_age_s);
	if (want->route.is_private)
		response.cache_control = only_once;
	send_answer(answer, want, &response);
}

void answer_stale(const struct answer *answer, struct want *want)
{
	http_log_begin(want->request);
	log_write(LOG_WARN, "%s: stale, %lld s old: %s", want->request->id,
		  (long long)(time(NULL) - want->stale_mtime), want->route.key);
	http_log_end();
	answer_object(answer, want, http_source_ref(want->stale), want->stale_mtime);
}

void answer_absence(const struct answer *answer, struct want *want,
		    const struct store_absence *absence)
{
	struct http_response response = {
		.status = absence->status,
		.type = absence->type,
		.age_s = -1,
		.body = absence->text,
	};
	int64_t left = answer->config->cache.negative_ttl_s - (time(NULL) - absence->mtime);

	response.cache_control = left > 0 ? pool_printf(want->request->pool, "public, max-age=%lld",
							(long long)left)
					  : no_store;
	if (want->route.is_private)
		response.cache_control = only_once;
	response.cache_status = cache_status(want, &left);
	send_answer(answer, want, &response);
}

void answer_text(const struct answer *answer, struct want *want, int status,
		 const char *type, struct str text, struct str cache_control)
{
	struct http_response response = {
		.status = status,
		.type = str_of(type),
		.cache_control = cache_control,
		.age_s = -1,
		.cache_status = cache_status(want, NULL),
		.body = text,
	};

	send_answer(answer, want, &response);
}

void answer_err(const struct answer *answer, struct want *want, const struct err *err)
{
	struct http_request *request = want->request;
	struct err whole = *err;

	if (want->route.path)
		err_wrap(&whole, "cannot %s '%s'", want->route.is_upload ? "publish" : "get", want->route.path);
	http_log_begin(request);
	log_write(LOG_WARN, "%s: %d, %s", request->id, http_status_of(whole.kind), whole.text);
	http_log_end();
	http_source_unref(want->stale);
	want->stale = NULL;
	loop_settle(answer->loop, request, http_send_err(request, &whole, cache_status(want, NULL)));
}
