#include "serve/http.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* What libfcgi reads at once. */
#define FCGI_READ_BYTES 8192

/* Set once, before threads start; asking the system for each request costs a call each. */
static struct {
	unsigned int pid; /* 0: a CGI process */
	bool has_stderr;
} process;

void http_init(void)
{
	process.pid = (unsigned int)getpid();
	process.has_stderr = log_has_stderr();

	/* How long libfcgi waits for a byte after accepting, and at closing. */
	setenv("LIBFCGI_IS_AF_UNIX_KEEPER_POLL_TIMEOUT", "100", 0);
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "100", 0);
	FCGX_Init();
}

struct http_source *http_source_new(int fd, int64_t size_bytes,
				    enum http_source_state state)
{
	struct http_source *source = mem_alloc(sizeof(*source));

	atomic_init(&source->refs, 1);
	source->fd = fd;
	source->size_bytes = size_bytes;
	atomic_init(&source->limit_bytes, state == SOURCE_DONE ? size_bytes : 0);
	atomic_init(&source->state, state);
	return source;
}

struct http_source *http_source_ref(struct http_source *source)
{
	atomic_fetch_add(&source->refs, 1);
	return source;
}

void http_source_unref(struct http_source *source)
{
	if (!source || atomic_fetch_sub(&source->refs, 1) != 1)
		return;
	if (source->fd >= 0)
		close(source->fd);
	free(source);
}

static struct http_request *request_new(int fd)
{
	static atomic_uint counter;
	struct pool *pool = pool_new();
	struct http_request *request = pool_alloc(pool, sizeof(*request));

	request->pool = pool;
	request->fd = fd;
	request->started_us = clock_now_us();
	snprintf(request->id, sizeof(request->id), "%x-%x", process.pid ?: (unsigned int)getpid(),
		 atomic_fetch_add(&counter, 1));
	buf_init(&request->out, 1 << 20);
	buf_init(&request->log_lines, 16384);
	return request;
}

/*
 * Take what we need out of "NAME=value" strings. The first of two that bear
 * the same name counts, as FCGX_GetParam() has it.
 */
static void take_params(struct http_request *r, char **params)
{
	const struct {
		struct str name;
		struct str *value;
	} wanted[] = {
		{ STR("REQUEST_METHOD"), &r->method },
		{ STR("REQUEST_URI"), &r->uri },
		{ STR("QUERY_STRING"), &r->query },
		{ STR("PATH_INFO"), &r->path_info },
		{ STR("SCRIPT_NAME"), &r->script_name },
		{ STR("HTTP_IF_NONE_MATCH"), &r->if_none_match },
		{ STR("HTTP_IF_MODIFIED_SINCE"), &r->if_modified_since },
		{ STR("HTTP_IF_RANGE"), &r->if_range },
		{ STR("HTTP_RANGE"), &r->range },
		{ STR("HTTP_DISABLE_MODULE_FETCH"), &r->disable_fetch },
		{ STR("REQUEST_SCHEME"), &r->scheme },
		{ STR("HTTP_HOST"), &r->host },
		{ STR("REMOTE_USER"), &r->remote_user },
		{ STR("AUTH_TYPE"), &r->auth_type },
		{ STR("HTTP_AUTHORIZATION"), &r->authorization },
		{ STR("SSL_CLIENT_VERIFY"), &r->cert_verify },
		{ STR("SSL_CLIENT_S_DN_CN"), &r->cert_cn },
		{ STR("FCGI_ROLE"), &r->fcgi_role },
		{ STR("GOPROXY_ROLE"), &r->role },
		{ STR("CONTENT_LENGTH"), &r->content_length },
	};

	for (; *params; params++) {
		struct str value = str_of(*params), name;

		if (!str_cut(&value, '=', &name) || !value.p)
			continue;
		/* The lengths first: they tell nearly all that are another. */
		for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
			if (name.n == wanted[i].name.n && !wanted[i].value->p &&
			    str_is_equal(name, wanted[i].name))
				*wanted[i].value = pool_str(r->pool, value);
	}
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!wanted[i].value->p)
			*wanted[i].value = STR("");
}

static size_t params_bytes(char **params)
{
	size_t n = 0;

	for (; *params; params++)
		n += strlen(*params) + 1;
	return n;
}

static void set_blocking(int fd, bool is_blocking)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

static void free_fcgx(FCGX_Request *fcgx)
{
	if (!fcgx)
		return;
	fcgx->ipcFd = -1; /* the request's, or closed */
	FCGX_Free(fcgx, 0);
	free(fcgx);
}

struct http_request *http_read_fcgi(int fd, size_t whole_bytes, struct err *err)
{
	bool is_one_read = whole_bytes > 0 && whole_bytes <= FCGI_READ_BYTES;
	struct http_request *request = NULL;
	FCGX_Request *fcgx = mem_alloc(sizeof(*fcgx));

	if (!is_one_read)
		set_blocking(fd, true);
	FCGX_InitRequest(fcgx, -1, 0);
	/*
	 * Hand in a connection that we accepted: with keepConnection set,
	 * FCGX_Accept_r() goes on reading from it; a listening socket of -1
	 * makes a failure return.
	 */
	fcgx->ipcFd = fd;
	fcgx->keepConnection = 1;
	if (FCGX_Accept_r(fcgx) != 0) {
		err_set(err, ERR_BAD_REQUEST, "no whole FastCGI request came");
		if (fcgx->ipcFd >= 0)
			close(fcgx->ipcFd);
		fcgx->ipcFd = -1;
	} else if (params_bytes(fcgx->envp) > HTTP_PARAMS_MAX) {
		err_set(err, ERR_BAD_REQUEST, "more than %d bytes of parameters",
			HTTP_PARAMS_MAX);
		close(fcgx->ipcFd);
	} else {
		request = request_new(fcgx->ipcFd);
		request->fcgi_id = (uint16_t)fcgx->requestId;
		take_params(request, fcgx->envp);
		request->must_drain = !is_one_read;
		if (!is_one_read)
			set_blocking(request->fd, false);
	}
	if (request && http_has_body(request))
		request->body = fcgx;
	else
		free_fcgx(fcgx);
	return request;
}

static ssize_t read_fcgx(struct http_request *r, void *bytes, size_t n, struct err *err)
{
	FCGX_Request *fcgx = r->body;
	ptrdiff_t held = fcgx->in->stop - fcgx->in->rdNext;
	int got;

	/* It returns only with all that is asked for: no more than what is there, or the next byte. */
	if ((ptrdiff_t)n > held)
		n = held > 0 ? (size_t)held : 1;

	/* What libfcgi holds already is read without asking the socket. */
	if (r->must_drain)
		set_blocking(r->fd, true);
	got = FCGX_GetStr(bytes, (int)n, fcgx->in);
	if (r->must_drain)
		set_blocking(r->fd, false);
	if (got < (int)n && FCGX_GetError(fcgx->in) != 0)
		return err_set(err, ERR_BAD_REQUEST, "the upload broke off after %lld bytes",
			       (long long)r->read_bytes + got);
	return got;
}

static ssize_t read_cgi(struct http_request *r, void *bytes, size_t n, struct err *err)
{
	uint64_t length;
	ssize_t got;

	/* RFC 3875, 4.2: a script reads no further than that. Of chunks Apache tells no length. */
	if (str_to_u64(r->content_length, &length) && n > length - (uint64_t)r->read_bytes)
		n = (size_t)(length - (uint64_t)r->read_bytes);
	do {
		got = n > 0 ? read(STDIN_FILENO, bytes, n) : 0;
	} while (got < 0 && errno == EINTR);
	return got < 0 ? err_errno(err, "cannot read the upload") : got;
}

ssize_t http_read_body(struct http_request *r, void *bytes, size_t n, struct err *err)
{
	ssize_t got = r->is_cgi ? read_cgi(r, bytes, n, err) : read_fcgx(r, bytes, n, err);
	uint64_t length;

	if (got > 0)
		r->read_bytes += got;
	if (got == 0 && str_to_u64(r->content_length, &length) && length != (uint64_t)r->read_bytes)
		return err_set(err, ERR_BAD_REQUEST, "%lld bytes of the upload came, %llu were promised",
			       (long long)r->read_bytes, (unsigned long long)length);
	return got;
}

struct http_request *http_read_cgi(void)
{
	extern char **environ;
	struct http_request *request = request_new(STDOUT_FILENO);

	request->is_cgi = true;
	take_params(request, environ);
	return request;
}

bool http_has_body(const struct http_request *r)
{
	uint64_t length;

	/* Of an upload in chunks Apache tells no length. */
	return (str_is_equal(r->method, STR("PUT")) || (str_to_u64(r->content_length, &length) && length > 0)) &&
	       !http_is_authorizer(r);
}

bool http_is_authorizer(const struct http_request *r)
{
	return str_is_equal(r->fcgi_role, STR("AUTHORIZER")) || str_is_equal(r->role, STR("authorizer"));
}

static void on_log_line(void *arg, struct str line)
{
	struct http_request *request = arg;

	buf_add(&request->log_lines, line);
}

void http_log_begin(struct http_request *request)
{
	if (!request->is_cgi && !process.has_stderr)
		log_set_sink(on_log_line, request);
}

void http_log_end(void)
{
	log_set_sink(NULL, NULL);
}

/* Take what the server still sends, so that close(2) doesn't reset the rest. */
static void drain(int fd)
{
	char scratch[4096];

	for (int i = 0; i < 16; i++)
		if (recv(fd, scratch, sizeof(scratch), MSG_DONTWAIT) <= 0)
			return;
}

void http_close(struct http_request *request)
{
	log_write(LOG_DEBUG, "%s %.*s %.*s: %d, %lld bytes, %lld us", request->id,
		  STR_ARG(request->method), STR_ARG(str_head(request->uri, 500)), request->status,
		  (long long)request->body_bytes, (long long)(clock_now_us() - request->started_us));
	if (request->must_drain) {
		if (request->is_ended)
			shutdown(request->fd, SHUT_WR);
		drain(request->fd);
	}
	free_fcgx(request->body);
	close(request->fd);
	http_source_unref(request->source);
	buf_clear(&request->out);
	buf_clear(&request->log_lines);
	pool_free(request->pool);
}
