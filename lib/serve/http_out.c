#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/http.h"

/* FastCGI specification 1.0, section 8 */
#define FCGI_HEADER_BYTES 8
#define FCGI_CONTENT_MAX  61440 /* 15 whole pages: sendfile(2) moves them without splitting one */
#define FCGI_END_REQUEST  3
#define FCGI_STDOUT	  6
#define FCGI_STDERR	  7

#define HEAD_BYTES_MAX 65536

/* What one request may send before the others have their turn. */
#define TURN_BYTES (512 << 10)

/* A part of the object, both ends included; first -1: all of it. */
struct range {
	int64_t first, last;
};

static void record_header(unsigned char h[FCGI_HEADER_BYTES], int type, uint16_t id, size_t n)
{
	h[0] = 1;
	h[1] = (unsigned char)type;
	h[2] = (unsigned char)(id >> 8);
	h[3] = (unsigned char)id;
	h[4] = (unsigned char)(n >> 8);
	h[5] = (unsigned char)n;
	h[6] = 0;
	h[7] = 0;
}

/* A CGI process has none. */
static void add_record_header(struct http_request *r, int type, size_t n)
{
	unsigned char h[FCGI_HEADER_BYTES];

	if (r->is_cgi)
		return;
	record_header(h, type, r->fcgi_id, n);
	buf_add(&r->out, (struct str){ (const char *)h, sizeof(h) });
}

static void add_record(struct http_request *r, int type, struct str data)
{
	add_record_header(r, type, data.n);
	buf_add(&r->out, data);
}

static void add_out(struct http_request *r, struct str data)
{
	if (r->is_cgi) {
		buf_add(&r->out, data);
		return;
	}
	while (data.n > 0) {
		struct str piece = str_head(data, FCGI_CONTENT_MAX);

		add_record(r, FCGI_STDOUT, piece);
		data = str_skip(data, piece.n);
	}
}

static void add_end(struct http_request *r)
{
	static const char status[8];

	r->is_ended = true;
	if (r->is_cgi)
		return;
	if (r->log_lines.n > 0) {
		add_record(r, FCGI_STDERR, str_head(buf_str(&r->log_lines), FCGI_CONTENT_MAX));
		add_record(r, FCGI_STDERR, STR(""));
	}
	add_record(r, FCGI_STDOUT, STR(""));
	add_record(r, FCGI_END_REQUEST, (struct str){ status, sizeof(status) });
}

/* How far a write came; *step says what to do if it came nowhere. */
static ssize_t wrote(ssize_t n, enum http_step *step)
{
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		*step = HTTP_BLOCKED;
	else if (n == 0 || errno != EINTR)
		*step = HTTP_BROKEN;
	else
		*step = HTTP_STARVED; /* EINTR: not an end, ask again */
	return 0;
}

static enum http_step write_out(struct http_request *r, bool more_follows)
{
	while (r->out_at < r->out.n) {
		struct str left = str_skip(buf_str(&r->out), r->out_at);
		enum http_step step = HTTP_DONE;
		ssize_t n = r->is_cgi ? write(r->fd, left.p, left.n)
				      : send(r->fd, left.p, left.n,
					     MSG_NOSIGNAL | (more_follows ? MSG_MORE : 0));

		r->out_at += (size_t)wrote(n, &step);
		if (step == HTTP_BLOCKED || step == HTTP_BROKEN)
			return step;
	}
	r->out.n = 0;
	r->out_at = 0;
	return HTTP_DONE;
}

/* sendfile(2), or by way of memory where the descriptor doesn't take it. */
static ssize_t copy_some(struct http_request *r, size_t n)
{
	off_t at = r->at_bytes;
	ssize_t got = sendfile(r->fd, r->source->fd, &at, n);
	char bytes[16384];

	if (got >= 0 || errno != EINVAL)
		return got;
	got = pread(r->source->fd, bytes, n < sizeof(bytes) ? n : sizeof(bytes), r->at_bytes);
	return got <= 0 ? got : write(r->fd, bytes, (size_t)got);
}

/* Send from the source up to limit; opens records as needed. */
static enum http_step write_source(struct http_request *r, int64_t limit)
{
	int64_t turn = r->is_cgi ? INT64_MAX : TURN_BYTES;

	while (r->at_bytes < limit && turn > 0) {
		int64_t left = limit - r->at_bytes;
		enum http_step step = HTTP_DONE;
		ssize_t n;

		if (r->record_left == 0) {
			r->record_left = left < FCGI_CONTENT_MAX ? (size_t)left : FCGI_CONTENT_MAX;
			add_record_header(r, FCGI_STDOUT, r->record_left);
		}
		step = write_out(r, true);
		if (step != HTTP_DONE)
			return step;
		n = wrote(copy_some(r, r->record_left), &step);
		r->at_bytes += n;
		r->record_left -= (size_t)n;
		turn -= n;
		if (step == HTTP_BLOCKED || step == HTTP_BROKEN)
			return step;
	}
	return r->at_bytes < limit ? HTTP_BLOCKED : HTTP_DONE;
}

static enum http_step step_source(struct http_request *r)
{
	/* The state first: what is done or failed doesn't grow any more. */
	int state = atomic_load(&r->source->state);
	int64_t limit = atomic_load(&r->source->limit_bytes);
	enum http_step step;

	if (state == SOURCE_FAILED)
		return HTTP_BROKEN;
	step = write_source(r, limit < r->end_bytes ? limit : r->end_bytes);
	if (step == HTTP_DONE && r->at_bytes < r->end_bytes)
		return state == SOURCE_DONE ? HTTP_BROKEN : HTTP_STARVED;
	return step;
}

enum http_step http_step(struct http_request *r)
{
	int64_t before = r->at_bytes;
	enum http_step step = HTTP_DONE;

	if (r->out_at < r->out.n)
		step = write_out(r, r->source != NULL && !r->is_ended);
	if (step == HTTP_DONE && r->source && !r->is_ended) {
		step = step_source(r);
		if (r->at_bytes != before)
			r->moved_ms = clock_now_ms();
		r->body_bytes += r->at_bytes - before;
	}
	if (step != HTTP_DONE)
		return step;
	if (!r->is_ended)
		add_end(r);
	return write_out(r, false);
}

int http_status_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_BAD_REQUEST:
		return 400;
	case ERR_UNKNOWN_USER:
		return 401;
	case ERR_FORBIDDEN:
		return 403;
	case ERR_NOT_FOUND:
		return 404;
	case ERR_METHOD:
		return 405;
	case ERR_CONFLICT:
		return 409;
	case ERR_GONE:
		return 410;
	case ERR_BAD_UPSTREAM:
	case ERR_MISMATCH:
		return 502;
	case ERR_UNAVAILABLE:
	case ERR_OVERLOAD:
		return 503;
	case ERR_TIMEOUT:
		return 504;
	default:
		return 500;
	}
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" }, { 201, "Created" }, { 206, "Partial Content" }, { 304, "Not Modified" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 409, "Conflict" }, { 410, "Gone" },
		{ 416, "Range Not Satisfiable" }, { 500, "Internal Server Error" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

struct str http_etag(struct pool *pool, time_t mtime, int64_t size_bytes)
{
	return pool_printf(pool, "\"%llx-%llx\"", (unsigned long long)mtime,
			   (unsigned long long)size_bytes);
}

bool http_has_condition(const struct http_request *r)
{
	return r->if_none_match.n > 0 || r->if_modified_since.n > 0 || r->range.n > 0;
}

static struct str http_date(struct pool *pool, time_t when)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	gmtime_r(&when, &tm);
	return pool_printf(pool, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + 3L * tm.tm_wday,
			   tm.tm_mday, months + 3L * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
			   tm.tm_min, tm.tm_sec);
}

/* The one form that anybody sends (RFC 9110, 5.6.7); -1 for any other. */
static time_t parse_date(struct pool *pool, struct str text)
{
	struct tm tm = { 0 };
	const char *end = strptime(pool_cstr(pool, text), "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && *end == '\0' ? timegm(&tm) : (time_t)-1;
}

/* Weak comparison with a list of tags (RFC 9110, 13.1.2). */
static bool is_tag_listed(struct str list, struct str etag)
{
	struct str item;

	if (str_is_equal(str_trim(list), STR("*")))
		return true;
	while (str_cut(&list, ',', &item)) {
		item = str_trim(item);
		if (str_has_prefix(item, STR("W/")))
			item = str_skip(item, 2);
		if (str_is_equal(item, etag))
			return true;
	}
	return false;
}

static bool is_not_modified(struct http_request *r, const struct http_response *a)
{
	time_t since;

	if (r->if_none_match.n > 0)
		return a->etag.n > 0 && is_tag_listed(r->if_none_match, a->etag);
	if (r->if_modified_since.n == 0 || a->modified == 0)
		return false;
	since = parse_date(r->pool, r->if_modified_since);
	return since != (time_t)-1 && a->modified <= since;
}

/* May the range be honoured? (RFC 9110, 13.1.5: strong comparison.) */
static bool is_range_valid(struct http_request *r, const struct http_response *a)
{
	if (r->if_range.n == 0)
		return true;
	if (r->if_range.p[0] == '"')
		return str_is_equal(r->if_range, a->etag);
	return a->modified != 0 && parse_date(r->pool, r->if_range) == a->modified;
}

/*
 * One range of bytes (RFC 9110, 14.1.2). Returns 206 with *range set, 416,
 * or 200 for what may be ignored: other units, several ranges, bad syntax.
 */
static int parse_range(struct str text, int64_t size, struct range *range)
{
	struct str first;
	uint64_t a = 0, b = 0;

	if (!str_has_prefix(text, STR("bytes=")) || str_has_char(text, ','))
		return 200;
	text = str_skip(text, 6);
	if (!str_has_char(text, '-') || !str_cut(&text, '-', &first))
		return 200;
	first = str_trim(first);
	text = str_trim(text);
	if ((first.n > 0 && !str_to_u64(first, &a)) || (text.n > 0 && !str_to_u64(text, &b)))
		return 200;
	if (first.n == 0 && text.n == 0)
		return 200;
	if (first.n == 0) { /* the last b bytes */
		if (b == 0 || size == 0)
			return 416;
		range->first = b < (uint64_t)size ? size - (int64_t)b : 0;
		range->last = size - 1;
		return 206;
	}
	if (text.n > 0 && b < a)
		return 200;
	if (a >= (uint64_t)size)
		return 416;
	range->first = (int64_t)a;
	range->last = text.n > 0 && b < (uint64_t)size ? (int64_t)b : size - 1;
	return 206;
}

static int64_t body_size(const struct http_response *a)
{
	return a->source ? a->source->size_bytes : (int64_t)a->body.n;
}

/* Which status does a 200 become, and which part is sent? */
static int evaluate(struct http_request *r, const struct http_response *a, struct range *range)
{
	bool is_get = str_is_equal(r->method, STR("GET"));

	/* An authorizer sees the conditions of what it is asked about. */
	if (a->status != 200 || http_is_authorizer(r))
		return a->status;
	if (is_not_modified(r, a))
		return 304;
	if (is_get && r->range.n > 0 && is_range_valid(r, a))
		return parse_range(r->range, body_size(a), range);
	return 200;
}

static void add_validators(struct http_request *r, struct buf *head, const struct http_response *a)
{
	if (a->etag.n > 0)
		buf_printf(head, "ETag: %.*s\r\n", STR_ARG(a->etag));
	if (a->modified != 0)
		buf_printf(head, "Last-Modified: %.*s\r\n", STR_ARG(http_date(r->pool, a->modified)));
	if (a->cache_control.n > 0)
		buf_printf(head, "Cache-Control: %.*s\r\n", STR_ARG(a->cache_control));
	if (a->age_s >= 0)
		buf_printf(head, "Age: %lld\r\n", (long long)a->age_s);
	buf_printf(head, "Cache-Status: goproxy.fcgi%.*s\r\n", STR_ARG(a->cache_status));
	buf_add(head, a->extra);
}

static void add_head(struct http_request *r, const struct http_response *a, int status,
		     const struct range *range, struct buf *head)
{
	int64_t size = body_size(a);

	buf_printf(head, "Status: %d %s\r\n", status, reason_of(status));
	add_validators(r, head, a);
	if (status == 200 || status == 206)
		buf_add(head, STR("Accept-Ranges: bytes\r\n"));
	if (status == 206)
		buf_printf(head, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)range->first,
			   (long long)range->last, (long long)size);
	if (status == 416)
		buf_printf(head, "Content-Range: bytes */%lld\r\n", (long long)size);
	if (status != 304) {
		int64_t n = status == 416 ? 0 : range->last - range->first + 1;

		buf_printf(head, "Content-Type: %.*s\r\nContent-Length: %lld\r\n",
			   STR_ARG(a->type), (long long)n);
		buf_add(head, STR("X-Content-Type-Options: nosniff\r\n"));
	}
	buf_add(head, STR("\r\n"));
}

/*
 * A body that is small and there goes out with its header, in one record: read
 * to where it is sent from. False if it must go another way.
 */
static bool add_small(struct http_request *r, struct str head, struct http_source *source,
		      const struct range *range)
{
	size_t n = (size_t)(range->last - range->first + 1), before = r->out.n;
	struct err err = { 0 };
	char *bytes;

	if (head.n + n > FCGI_CONTENT_MAX || atomic_load(&source->state) != SOURCE_DONE)
		return false;
	add_record_header(r, FCGI_STDOUT, head.n + n);
	buf_add(&r->out, head);
	bytes = buf_extend(&r->out, n);
	if (bytes && file_read_at(source->fd, bytes, n, range->first, &err) == (ssize_t)n) {
		r->body_bytes = (int64_t)n;
		return true;
	}
	log_write(LOG_ERROR, "%s: an object is shorter than it was: %s", r->id, err.text);
	r->out.n = before;
	return false; /* makes the answer break */
}

/* From the header on: what is small at once, the rest from its source. */
static void add_answer(struct http_request *r, struct str head, const struct http_response *a,
		       const struct range *range)
{
	int64_t n = range->last - range->first + 1;

	if (a->source && add_small(r, head, a->source, range))
		return;
	add_out(r, head);
	if (a->source) {
		r->source = http_source_ref(a->source);
		r->at_bytes = range->first;
		r->end_bytes = range->last + 1;
	} else {
		add_out(r, str_head(str_skip(a->body, (size_t)range->first), (size_t)n));
		r->body_bytes = n;
	}
}

enum http_step http_send(struct http_request *r, const struct http_response *a)
{
	struct range range = { 0, body_size(a) - 1 };
	int status = evaluate(r, a, &range);
	struct buf head;

	r->status = status;
	r->moved_ms = clock_now_ms();
	buf_init(&head, HEAD_BYTES_MAX);
	add_head(r, a, status, &range, &head);
	if (status != 304 && status != 416 && !str_is_equal(r->method, STR("HEAD")))
		add_answer(r, buf_str(&head), a, &range);
	else
		add_out(r, buf_str(&head));
	buf_clear(&head);
	http_source_unref(a->source);
	if (!r->source)
		add_end(r);
	return http_step(r);
}

enum http_step http_send_err(struct http_request *r, const struct err *err, struct str cache_status)
{
	struct http_response a = {
		.status = http_status_of(err->kind),
		.type = STR("text/plain; charset=utf-8"),
		.cache_control = STR("no-store"),
		.age_s = -1,
		.cache_status = cache_status,
		.body = pool_printf(r->pool, "%s\n", err->text),
	};

	if (err->kind == ERR_METHOD)
		a.extra = pool_printf(r->pool, "Allow: %s\r\n", r->allow ? r->allow : "GET, HEAD");
	else if (err->kind == ERR_UNKNOWN_USER)
		a.extra = STR("WWW-Authenticate: Basic realm=\"private Go modules\", charset=\"UTF-8\"\r\n");
	return http_send(r, &a);
}
