/*
 * http.h - one request: read from FastCGI or CGI, answered as RFC 9110 says.
 *
 * This is the home of libfcgi. It parses what the web server sends; answers
 * are written by our own code as FastCGI records on a non-blocking socket,
 * since libfcgi's writing blocks a thread for as long as the reader is slow,
 * and can't break an answer off without making it look whole.
 *
 * A body comes from memory or from a source: an open file whose good bytes
 * may still grow. Once a body has begun it ends whole or the connection is
 * closed without FCGI_END_REQUEST, which every web server shows to its
 * client as a broken transfer.
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "base/str.h"

/* Most bytes of parameters that a request may have. */
#define HTTP_PARAMS_MAX 65536

enum http_source_state { SOURCE_GROWING, SOURCE_DONE, SOURCE_FAILED };

/* An open file that bodies are sent from; shared, counted. */
struct http_source {
	atomic_int refs;
	int fd; /* closed with the last reference */
	int64_t size_bytes; /* of the whole object */
	atomic_llong limit_bytes; /* how far it may be sent */
	atomic_int state;
	atomic_bool is_poked;		 /* the loop's own from here */
	struct http_source *next_poked;
	struct http_request *streams;
};

struct http_source *http_source_new(int fd, int64_t size_bytes,
				    enum http_source_state state);
struct http_source *http_source_ref(struct http_source *source);
void http_source_unref(struct http_source *source); /* NULL is nothing */

struct http_request {
	struct pool *pool;
	char id[24]; /* for log lines */
	int64_t started_us; /* CLOCK_MONOTONIC */

	/* As the web server gave them; "" if it didn't. */
	struct str method, uri, query, path_info, script_name;
	struct str if_none_match, if_modified_since, if_range, range;
	struct str disable_fetch, scheme, host;
	struct str authorization;	       /* a secret: in no log, in no text */
	struct str remote_user, auth_type;     /* of the server's own accounts */
	struct str cert_verify, cert_cn;       /* of the client's certificate */
	struct str fcgi_role, role;
	struct str content_length;
	const char *allow; /* methods, if another is refused */
	void *body;	   /* until it is read; http.c's own */

	/* Writing; http_out.c's own. */
	int fd;
	bool is_cgi;
	bool must_drain; /* the server may still send something */
	uint16_t fcgi_id;
	struct buf out; /* framed bytes to go out before the source's */
	size_t out_at;
	struct http_source *source;
	int64_t at_bytes, end_bytes; /* of the source */
	size_t record_left;
	bool is_ended; /* the closing records are in out */
	struct buf log_lines;
	int status;
	int64_t body_bytes;
	int64_t read_bytes; /* of the request's body */

	int64_t moved_ms; /* when bytes last went out */

	/* The loop's own, while it sends the body. */
	struct http_request *next, *prev;	  /* on the same source */
	struct http_request *next_all, *prev_all; /* of the loop */
	bool is_polled, is_unpollable, is_starved;
};

struct http_response {
	int status;
	struct str type;
	struct str etag; /* with its quotes; empty: none */
	time_t modified; /* 0: none */
	struct str cache_control;
	int64_t age_s;	  /* -1: no Age */
	struct str cache_status; /* parameters for Cache-Status (RFC 9211), each with "; " */
	struct str extra; /* whole header lines, each with "\r\n" */
	struct str body;  /* if source is NULL */
	struct http_source *source; /* a reference passes to the request */
};

/* Once per process, before threads start. */
void http_init(void);

/*
 * Read one request from an accepted, non-blocking connection. whole_bytes: the
 * whole request lies in the socket's buffer, and nothing behind it; 0: it may
 * not, so reading blocks as long as the socket's SO_RCVTIMEO allows. The
 * descriptor passes to the request, or is closed. Returns NULL, with *err set,
 * if nothing sensible came.
 */
struct http_request *http_read_fcgi(int fd, size_t whole_bytes, struct err *err);

/* The request in a CGI process' environment; the answer goes to descriptor 1. */
struct http_request *http_read_cgi(void);

/* An upload, or what nobody wants to know, but the web server wants to be rid of. */
bool http_has_body(const struct http_request *request);

/*
 * The next bytes of the body; blocks, as long as the socket's SO_RCVTIMEO allows: not for
 * a thread that has hits to answer.
 * Returns how many, 0 at its end, or -1 with *err set (ERR_BAD_REQUEST) if it was
 * cut off or is shorter or longer than CONTENT_LENGTH promised.
 */
ssize_t http_read_body(struct http_request *request, void *bytes, size_t n, struct err *err);

/*
 * Is it the question whether a request may go on, rather than the request? By
 * FastCGI's role of that name, or by the parameter GOPROXY_ROLE (for nginx,
 * which knows responders only).
 */
bool http_is_authorizer(const struct http_request *request);

/* "ETAG" as nginx makes it, so that files that it sends itself agree. */
struct str http_etag(struct pool *pool, time_t mtime, int64_t size_bytes);

/* Does the request ask for a part of the body, or put a condition? */
bool http_has_condition(const struct http_request *request);

enum http_step {
	HTTP_DONE,    /* all is written: http_close() */
	HTTP_BLOCKED, /* call again when the descriptor takes more */
	HTTP_STARVED, /* call again when the source has grown */
	HTTP_BROKEN,  /* the reader or the source failed: http_close() */
};

/*
 * Answer: evaluates conditions and ranges of a 200 (RFC 9110, 13 and 14),
 * writes what can be written. Results as http_step().
 */
enum http_step http_send(struct http_request *request,
			 const struct http_response *response);

/* Plain text that explains a failure; the status comes from the kind. cache_status: as above. */
enum http_step http_send_err(struct http_request *request, const struct err *err, struct str cache_status);

/* Go on writing, at most a turn's worth, so that others have theirs. */
enum http_step http_step(struct http_request *request);

/* Log what was done, close the connection, free everything. */
void http_close(struct http_request *request);

int http_status_of(enum err_kind kind);

/* Lines for the server's error log go out with the answer (FCGI_STDERR). */
void http_log_begin(struct http_request *request);
void http_log_end(void);


#endif
