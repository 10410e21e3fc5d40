#include "serve/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "serve/page.h"
#include "state/publish.h"

/* In this part of the time to live, its last, a list is renewed before it expires. */
#define RENEW_PART 4

static const char hit[] = "; hit";
static const char text_type[] = "text/plain; charset=utf-8";

static void answer_not_cached(const struct proxy *proxy, struct want *want)
{
	answer_text(proxy->answer, want, 404, text_type,
		    STR("not found: it is not in this cache, and the request forbids to fetch it\n"),
		    STR("no-store"));
}

struct publication {
	struct fresh *fresh;
	char key[];
};

static void publish(void *arg)
{
	struct publication *p = arg;

	fresh_publish(p->fresh, p->key);
	free(p);
}

/*
 * What is asked for often is put where the web server finds it by itself; what
 * is about to expire is renewed in the background, so that nobody will wait.
 */
static void keep_fresh(const struct proxy *proxy, const struct want *want, time_t mtime)
{
	const char *key = want->route.key;
	int ttl_s = proxy->answer->config->cache.list_ttl_s;

	if (want->route.kind != ROUTE_QUERY && !want->route.is_private &&
	    fresh_is_wanted(proxy->fresh, key, mtime)) {
		struct publication *p = mem_alloc(sizeof(*p) + strlen(key) + 1);

		p->fresh = proxy->fresh;
		memcpy(p->key, key, strlen(key) + 1);
		work_post(proxy->disk, publish, p);
	}
	if (!want->route.is_cached_only && !store_is_fresh(mtime, ttl_s - ttl_s / RENEW_PART))
		flight_renew(proxy->flights, &want->route, want->request->id, mtime);
}

/*
 * From the store, if it is there and fresh. What is there but old is kept
 * in the want. True if the request is answered.
 */
static bool answer_from_store(const struct proxy *proxy, struct want *want)
{
	struct store_file file;
	struct err err = { 0 };
	struct http_source *source;
	int rc = store_find_now(proxy->store, want->route.key, &file);

	if (rc == FILE_NOT_NOW) {
		int64_t since_us = clock_now_us();

		loop_step_aside(proxy->answer->loop);
		rc = store_find(proxy->store, want->route.key, &file, &err);
		loop_waited(proxy->answer->loop, since_us);
	}
	if (rc == -1)
		log_write(LOG_WARN, "%s: cannot use the cache: %s", want->request->id, err.text);
	if (rc != 0)
		return false;
	source = http_source_new(file.fd, file.size_bytes, SOURCE_DONE);
	if (want->route.is_mutable &&
	    !store_is_fresh(file.mtime, proxy->answer->config->cache.list_ttl_s)) {
		want->stale = source;
		want->stale_mtime = file.mtime;
		return false;
	}
	if (want->route.is_mutable && proxy->fresh)
		keep_fresh(proxy, want, file.mtime);
	want->cache_status = hit;
	want->is_file = true;
	answer_object(proxy->answer, want, source, file.mtime);
	return true;
}

/* An old tree head, to fall back on; it lives in memory. */
static struct http_source *source_of(struct str bytes)
{
	struct err err = { 0 };
	int fd = memfd_create("goproxy-head", MFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	if (file_write_all(fd, bytes, &err) == 0)
		return http_source_new(fd, (int64_t)bytes.n, SOURCE_DONE);
	close(fd);
	return NULL;
}

/* From what the verified mirror holds; it is verified again. As answer_from_store(). */
static bool answer_from_sumdb(const struct proxy *proxy, struct want *want)
{
	int ttl_s = proxy->answer->config->cache.list_ttl_s;
	struct sumdb_call call;
	bool is_answered = true;
	time_t confirmed = 0;

	sumdb_call_of_route(&want->route, want->request->id, &call);
	if (!sumdb_call_try(proxy->sumdbs, &call)) {
		sumdb_call_end(&call);
		return false;
	}
	if (want->route.is_mutable)
		confirmed = sumdbs_confirmed(proxy->sumdbs, want->route.sumdb);
	want->cache_status = hit;
	if (call.status == SUMDB_FAILED) {
		answer_err(proxy->answer, want, &call.err);
	} else if (call.status == SUMDB_ABSENT) {
		answer_text(proxy->answer, want, 404, text_type, call.absent, STR("no-store"));
	} else if (want->route.is_mutable && !store_is_fresh(confirmed, ttl_s)) {
		want->stale = source_of(call.data);
		want->stale_mtime = confirmed;
		want->cache_status = NULL;
		is_answered = false;
	} else {
		answer_bytes(proxy->answer, want,
			     want->route.kind == ROUTE_SUMDB_LOOKUP ? call.record.message : call.data,
			     want->route.is_mutable ? confirmed + ttl_s - time(NULL) : -1);
	}
	sumdb_call_end(&call);
	return is_answered;
}

static bool answer_from_absence(const struct proxy *proxy, struct want *want)
{
	struct store_absence absence;

	if (!store_absence_find(proxy->store, want->route.key,
				proxy->answer->config->cache.negative_ttl_s, want->request->pool,
				&absence))
		return false;
	want->cache_status = hit;
	answer_absence(proxy->answer, want, &absence);
	return true;
}

static void answer_miss(const struct proxy *proxy, struct want *want)
{
	struct err err;

	if (want->route.is_cached_only) {
		if (want->stale)
			answer_stale(proxy->answer, want);
		else
			answer_not_cached(proxy, want);
		return;
	}
	want->cache_status = want->stale ? "; fwd=stale" : "; fwd=uri-miss";
	/* From here on the request may be answered, and gone, at any moment. */
	http_log_end();
	switch (flight_join(proxy->flights, want)) {
	case FLIGHT_TAKEN:
		break;
	case FLIGHT_BUSY:
		answer_stale(proxy->answer, want);
		break;
	case FLIGHT_FULL:
		err_set(&err, ERR_OVERLOAD, "too many requests wait for an upstream; see [server] parked_max");
		answer_err(proxy->answer, want, &err);
		break;
	}
}

/*
 * Names that no public service is to hear, and those that the settings deny:
 * 403 at once. True if the request is answered.
 */
static bool answer_refusal(const struct proxy *proxy, struct want *want)
{
	const struct config *config = proxy->answer->config;
	const struct route *route = &want->route;
	const struct config_sumdb *sumdb;
	enum sumdbs_rule rule;
	struct err err;

	if (route->module.n == 0)
		return false;
	rule = sumdbs_rule_of(config, route->module, &sumdb);
	if (rule == SUMDBS_DENY)
		err_set(&err, ERR_FORBIDDEN, "'%.*s' is denied by [sumdb] policy; nobody was asked",
			STR_ARG(route->module));
	else if (route->sumdb && route->is_private)
		err_set(&err, ERR_FORBIDDEN,
			"'%.*s' is private, so no checksum database is asked; set GONOSUMDB or GOPRIVATE to do "
			"without", STR_ARG(route->module));
	else if (route->sumdb && module_matches_patterns(str_of(config->sumdb.nosumdb), route->module))
		err_set(&err, ERR_FORBIDDEN,
			"'%.*s' is among [sumdb] nosumdb, so no checksum database is asked; set GONOSUMDB "
			"or GOPRIVATE to do without",
			STR_ARG(route->module));
	else
		return false;
	answer_err(proxy->answer, want, &err);
	return true;
}

static void answer_not_for_you(const struct proxy *proxy, struct want *want)
{
	answer_text(proxy->answer, want, 404, text_type,
		    STR("not found: there is no such module, or not for who asks\n"), STR("no-store"));
}

/*
 * Who may not have a private module hears so before anything is looked for, so
 * that it makes no difference whether it is there. True if the request is answered.
 */
static bool answer_to_stranger(const struct proxy *proxy, struct want *want)
{
	struct http_request *request = want->request;
	enum access_right right = want->route.is_upload ? ACCESS_WRITE : ACCESS_READ;
	struct err err = { 0 };

	/* The lookup of a checksum database is refused to everybody, in other words. */
	if (!want->route.is_private || want->route.sumdb ||
	    access_check(proxy->access, request, want->route.module, right, &err) == 0)
		return false;
	if (proxy->answer->config->private_.refuse == CONFIG_REFUSE_403) {
		answer_err(proxy->answer, want, &err);
		return true;
	}
	log_write(LOG_WARN, "%s: 404, %s", request->id, err.text);
	answer_not_for_you(proxy, want);
	return true;
}

/*
 * Whether the request may go on is all that is asked: 200, 401 or 403, the three
 * that nginx's auth_request knows; a FastCGI authorizer's answer is the client's,
 * and may look like absence. What is no object of ours at all may not.
 */
static void answer_authorizer(const struct proxy *proxy, struct want *want, const struct err *parse_err)
{
	struct err err = *parse_err;
	bool is_stranger = false;

	if (err.kind != ERR_NONE)
		err.kind = ERR_FORBIDDEN;
	else if (want->route.kind == ROUTE_HOME)
		err_set(&err, ERR_FORBIDDEN, "a directory is no object: what lies in it is not to be listed");
	else if (want->route.is_private)
		is_stranger = access_check(proxy->access, want->request, want->route.module,
					   want->route.is_upload ? ACCESS_WRITE : ACCESS_READ, &err) != 0;
	if (err.kind == ERR_NONE) {
		answer_text(proxy->answer, want, 200, text_type, STR(""), STR("no-store"));
		return;
	}
	log_write(LOG_WARN, "%s: %d, %s", want->request->id, http_status_of(err.kind), err.text);
	if (is_stranger && want->request->role.n == 0 &&
	    proxy->answer->config->private_.refuse == CONFIG_REFUSE_404)
		answer_not_for_you(proxy, want);
	else
		loop_settle(proxy->answer->loop, want->request, http_send_err(want->request, &err, STR("")));
}

/* The answers that may change, made of what was published. 0, FILE_ABSENT or -1. */
static int make_at_home(const struct proxy *proxy, const struct want *want, struct str module,
			struct str *body, struct err *err)
{
	struct pool *pool = want->request->pool;
	struct str version;

	switch (want->route.kind) {
	case ROUTE_LIST:
		return publish_list(proxy->store, pool, module, body, err);
	case ROUTE_LATEST:
		return publish_latest(proxy->store, pool, module, body, err);
	case ROUTE_QUERY:
		/* v2.0.0 of a module without a go.mod, as its repository would have it. */
		version = pool_printf(pool, "%.*s+incompatible", STR_ARG(want->route.version));
		return version_is_canonical(version)
		       ? publish_info(proxy->store, pool, module, version, body, err) : FILE_ABSENT;
	default:
		return FILE_ABSENT;
	}
}

/* What isn't here of a module that was published here is nowhere. True if the request is answered. */
static bool answer_at_home(const struct proxy *proxy, struct want *want)
{
	struct str module = route_escaped_module(&want->route), body = STR("");
	struct err err = { 0 };
	int rc = want->route.is_private ? publish_is_home(proxy->store, module, &err) : 0;

	if (rc == 0)
		return false;
	if (rc > 0)
		rc = make_at_home(proxy, want, module, &body, &err);
	want->cache_status = hit;
	if (rc == -1)
		answer_err(proxy->answer, want, &err);
	else if (rc == 0)
		answer_bytes(proxy->answer, want, body, 0);
	else
		answer_text(proxy->answer, want, 404, text_type,
			    STR("not found: the module was uploaded here, and this version of it wasn't\n"),
			    STR("no-store"));
	return true;
}

static void take_upload(const struct proxy *proxy, struct want *want)
{
	struct str user = STR("nobody in particular");

	access_user(proxy->access, want->request, &user);
	http_log_end(); /* it may be gone at any moment */
	upload_begin(proxy->uploads, want, user);
}

/* From what is here; true if the request is answered. */
static bool answer_hit(const struct proxy *proxy, struct want *want)
{
	if (want->route.is_private && !want->route.sumdb)
		return (want->route.is_mutable && answer_at_home(proxy, want)) || answer_from_store(proxy, want) ||
		       answer_at_home(proxy, want) || answer_from_absence(proxy, want);
	if (want->route.sumdb)
		return answer_from_sumdb(proxy, want) || answer_from_absence(proxy, want);
	return answer_from_store(proxy, want) || answer_from_absence(proxy, want);
}

/* A request whose route is known, or why there is none. */
struct parsed {
	const struct proxy *proxy;
	struct want *want;
	struct err err;
};

static void answer_parsed(void *arg)
{
	struct parsed *p = arg;
	const struct proxy *proxy = p->proxy;
	struct want *want = p->want;
	struct http_request *request = want->request;

	http_log_begin(request);
	if (http_is_authorizer(request)) {
		answer_authorizer(proxy, want, &p->err);
	} else if (p->err.kind != ERR_NONE) {
		want->route.path = NULL;
		if (p->err.kind == ERR_CONFIG)
			log_write(LOG_ERROR, "%s: %s", request->id, p->err.text);
		loop_settle(proxy->answer->loop, request, http_send_err(request, &p->err, STR("")));
	} else if (want->route.kind == ROUTE_HOME) {
		answer_text(proxy->answer, want, 200, "text/html; charset=utf-8", page_home(request),
			    STR("no-cache"));
	} else if (want->route.kind == ROUTE_SUMDB_SUPPORTED) {
		answer_text(proxy->answer, want, 200, text_type, STR(""), STR("no-cache"));
	} else if (answer_to_stranger(proxy, want) || answer_refusal(proxy, want)) {
		;
	} else if (want->route.is_upload) {
		take_upload(proxy, want);
	} else if (!answer_hit(proxy, want)) {
		answer_miss(proxy, want);
	}
	http_log_end();
}

/* A body that nobody takes is read all the same: see upload.h. */
static bool must_pass(const struct proxy *proxy, const struct want *want)
{
	struct err ignored;

	return http_has_body(want->request) &&
	       (!want->route.is_upload || access_check(proxy->access, want->request, want->route.module,
						       ACCESS_WRITE, &ignored) != 0);
}

void proxy_handle(const struct proxy *proxy, struct http_request *request)
{
	struct want *want = pool_alloc(request->pool, sizeof(*want));
	struct parsed parsed = { .proxy = proxy, .want = want }, *copy;

	want->request = request;
	route_parse(request, proxy->answer->config, &want->route, &parsed.err);
	if (must_pass(proxy, want)) {
		copy = pool_alloc(request->pool, sizeof(*copy));
		*copy = parsed;
		if (upload_let_pass(proxy->uploads, request, answer_parsed, copy))
			return;
	}
	answer_parsed(&parsed);
}

void proxy_handle_connection(const struct proxy *proxy, int fd, size_t whole_bytes)
{
	struct err err = { 0 };
	struct http_request *request = http_read_fcgi(fd, whole_bytes, &err);

	if (request) {
		proxy_handle(proxy, request);
		return;
	}
	log_write(LOG_INFO, "a connection without a request: %s", err.text);
	loop_release(proxy->answer->loop);
}
