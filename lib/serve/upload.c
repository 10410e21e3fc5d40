#include "serve/upload.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "state/publish.h"

#define READ_BYTES  65536
#define PASSING_MAX 16

struct uploads {
	const struct answer *answer;
	struct store *store;
	pthread_mutex_t mutex; /* guards these two, while there are none yet */
	struct work *work;
	struct work *passing; /* those that are refused */
	atomic_int under_way;
	atomic_int passing_by;
};

struct upload {
	struct uploads *home;
	struct want *want;
	const char *from; /* "upload by USER" */
};

/* A refused request, until its body has passed. */
struct passer {
	struct uploads *home;
	struct http_request *request;
	void (*go_on)(void *arg);
	void *arg;
};

static int too_long(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "more than %llu MiB: no module's zip may have that",
		       MODZIP_FILE_MAX >> 20);
}

static int receive(struct http_request *request, struct publish *publish, char *bytes, struct err *err)
{
	int64_t deadline_ms = clock_now_ms() + UPLOAD_TOTAL_S * 1000LL;
	uint64_t length;
	ssize_t got;

	if (str_to_u64(request->content_length, &length) && length > MODZIP_FILE_MAX)
		return too_long(err);
	while ((got = http_read_body(request, bytes, READ_BYTES, err)) > 0) {
		if ((uint64_t)request->read_bytes > MODZIP_FILE_MAX)
			return too_long(err);
		if (clock_now_ms() > deadline_ms)
			return err_set(err, ERR_TIMEOUT, "it took more than %d s", UPLOAD_TOTAL_S);
		if (file_write_all(publish->fd, (struct str){ bytes, (size_t)got }, err) != 0)
			return -1;
	}
	return got < 0 ? -1 : 0;
}

/* What nobody wants is read all the same: see upload.h. For no longer than a request may take to arrive. */
static void drain(const struct uploads *uploads, struct http_request *request, char *bytes)
{
	int64_t deadline_ms = clock_now_ms() + uploads->answer->config->server.request_timeout_s * 1000LL;
	struct err ignored;

	while (clock_now_ms() < deadline_ms && http_read_body(request, bytes, READ_BYTES, &ignored) > 0)
		;
}

static void answer_published(const struct upload *u, int there, const char *h1)
{
	const struct route *route = &u->want->route;
	struct str text = pool_printf(u->want->request->pool, "%s %.*s@%.*s %s\n",
				      there ? "is there already:" : "published", STR_ARG(route->module),
				      STR_ARG(route->version), h1);

	http_log_begin(u->want->request);
	log_write(LOG_INFO, "%s: %s, %.*s", u->want->request->id, u->from, STR_ARG(str_trim(text)));
	http_log_end();
	answer_text(u->home->answer, u->want, there ? 200 : 201, "text/plain; charset=utf-8", text,
		    STR("private, no-store"));
}

static void run(void *arg)
{
	struct upload *u = arg;
	struct uploads *home = u->home;
	const struct route *route = &u->want->route;
	struct publish publish;
	char h1[MODZIP_H1_SIZE] = "";
	char *bytes = mem_alloc(READ_BYTES);
	struct err err = { 0 };
	int rc = publish_begin(home->store, &publish, &err);

	if (rc == 0)
		rc = receive(u->want->request, &publish, bytes, &err);
	if (rc != 0) {
		publish_end(home->store, &publish); /* first: the disk may be full */
		drain(home, u->want->request, bytes);
	} else {
		rc = publish_commit(home->store, &publish, route->module, route->version, time(NULL), u->from,
				    h1, &err);
		publish_end(home->store, &publish);
	}
	free(bytes);
	atomic_fetch_sub(&home->under_way, 1);
	/* The request, and with it this upload, is gone then. */
	if (rc < 0)
		answer_err(home->answer, u->want, &err);
	else
		answer_published(u, rc, h1);
}

/* NULL, with *err set, if no thread can be had. */
static struct work *start(struct uploads *uploads, struct work **work, struct err *err)
{
	struct work *started;

	pthread_mutex_lock(&uploads->mutex);
	if (!*work)
		*work = work_new(UPLOAD_THREADS, 0, err);
	started = *work;
	pthread_mutex_unlock(&uploads->mutex);
	return started;
}

static void pass(void *arg)
{
	struct passer *p = arg;
	struct passer passer = *p; /* it is the request's */
	char *bytes = mem_alloc(READ_BYTES);

	drain(p->home, p->request, bytes);
	free(bytes);
	passer.go_on(passer.arg);
	atomic_fetch_sub(&passer.home->passing_by, 1);
}

bool upload_let_pass(struct uploads *uploads, struct http_request *request, void (*go_on)(void *arg),
		     void *arg)
{
	struct passer *p;
	struct work *work;
	struct err ignored;

	/* What has arrived whole is read with the rest of the request. */
	if (!request->is_cgi && !request->must_drain)
		return false;
	work = start(uploads, &uploads->passing, &ignored);
	if (atomic_fetch_add(&uploads->passing_by, 1) >= PASSING_MAX || !work) {
		atomic_fetch_sub(&uploads->passing_by, 1);
		return false;
	}
	p = pool_alloc(request->pool, sizeof(*p));
	*p = (struct passer){ uploads, request, go_on, arg };
	work_post(work, pass, p);
	return true;
}

static void answer_overload(void *arg)
{
	struct upload *u = arg;
	struct err err;

	err_set(&err, ERR_OVERLOAD, "%d others are being uploaded: try again", UPLOADS_MAX);
	answer_err(u->home->answer, u->want, &err);
}

void upload_begin(struct uploads *uploads, struct want *want, struct str user)
{
	struct pool *pool = want->request->pool;
	struct upload *u = pool_alloc(pool, sizeof(*u));
	struct err err = { 0 };
	struct work *work = start(uploads, &uploads->work, &err);

	*u = (struct upload){ uploads, want, NULL };
	if (!work) {
		answer_err(uploads->answer, want, &err);
		return;
	}
	if (atomic_fetch_add(&uploads->under_way, 1) >= UPLOADS_MAX) {
		atomic_fetch_sub(&uploads->under_way, 1);
		if (!upload_let_pass(uploads, want->request, answer_overload, u))
			answer_overload(u);
		return;
	}
	u->from = pool_printf(pool, "upload by %.*s", STR_ARG(str_head(user, 256))).p;
	work_post(work, run, u);
}

struct uploads *uploads_new(const struct answer *answer, struct store *store)
{
	struct uploads *uploads = mem_alloc(sizeof(*uploads));

	uploads->answer = answer;
	uploads->store = store;
	pthread_mutex_init(&uploads->mutex, NULL);
	return uploads;
}

void uploads_end(struct uploads *uploads)
{
	if (!uploads)
		return;
	work_free(uploads->passing); /* first: what has passed goes on to the others */
	work_free(uploads->work);
}

void uploads_free(struct uploads *uploads)
{
	if (!uploads)
		return;
	pthread_mutex_destroy(&uploads->mutex);
	free(uploads);
}
