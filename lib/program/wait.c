#include "program/wait.h"

#include <pthread.h>

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

void wait_for_sumdb(struct sumdbs *sumdbs, struct sumdb_call *call, bool may_ask)
{
	struct waiting waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false };

	if (sumdb_call_try(sumdbs, call) || !may_ask)
		return;
	call->on_done = on_done;
	call->arg = &waiting;
	sumdb_call_start(sumdbs, call);
	pthread_mutex_lock(&waiting.mutex);
	while (!waiting.is_done)
		pthread_cond_wait(&waiting.is_there, &waiting.mutex);
	pthread_mutex_unlock(&waiting.mutex);
}
