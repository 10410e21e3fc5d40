#include "program/wait.h"

#include <pthread.h>

#include "gomod/list.h"

struct waiting {
	pthread_mutex_t mutex;
	pthread_cond_t is_there;
	bool is_done;
};

static void on_done(void *arg)
{
	struct waiting *waiting = arg;

	pthread_mutex_lock(&waiting->mutex);
	waiting->is_done = true;
	pthread_cond_signal(&waiting->is_there);
	pthread_mutex_unlock(&waiting->mutex);
}

static void wait_until_done(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	while (!waiting->is_done)
		pthread_cond_wait(&waiting->is_there, &waiting->mutex);
	pthread_mutex_unlock(&waiting->mutex);
}

void wait_for_sumdb(struct sumdbs *sumdbs, struct sumdb_call *call, bool may_ask)
{
	struct waiting waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	if (sumdb_call_try(sumdbs, call) || !may_ask)
		return;
	call->on_done = on_done;
	call->arg = &waiting;
	sumdb_call_start(sumdbs, call);
	wait_until_done(&waiting);
}

struct listening {
	struct waiting waiting;
	struct buf body;
	struct upstream_result result;
};

static int on_start(void *arg, int64_t length_bytes, struct err *err)
{
	struct listening *l = arg;

	buf_clear(&l->body);
	return 0;
}

static int on_bytes(void *arg, struct str bytes, struct err *err)
{
	struct listening *l = arg;

	buf_add(&l->body, bytes);
	return 0;
}

static void on_result(void *arg, const struct upstream_result *result)
{
	struct listening *l = arg;

	l->result = *result;
	on_done(&l->waiting);
}

void wait_for_upstream(struct upstream *upstream, struct pool *pool, const char *path, enum direct_kind kind,
		       struct str module, struct str *body, struct upstream_result *result)
{
	struct listening l = { .waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false } };
	struct upstream_call call = {
		.id = "command",
		.path = path,
		.kind = kind,
		.module = module,
		.body_max_bytes = LIST_BODY_MAX,
		.on_start = on_start,
		.on_bytes = on_bytes,
		.on_done = on_result,
		.arg = &l,
	};

	buf_init(&l.body, LIST_BODY_MAX);
	upstream_start(upstream, &call);
	wait_until_done(&l.waiting);
	*result = l.result;
	result->shown = pool_cstr(pool, str_of(result->shown));
	result->text = pool_str(pool, result->text);
	*body = pool_str(pool, buf_str(&l.body));
	buf_clear(&l.body);
	upstream_end(&call);
}
