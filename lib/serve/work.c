#include "serve/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/str.h"

struct job {
	struct job *next;
	void (*run)(void *arg);
	void *arg;
};

struct queue {
	struct job *first;
	struct job **end;
};

struct work {
	pthread_mutex_t mutex;
	pthread_cond_t has_jobs;
	struct queue front, back;
	int back_running, back_max;
	bool must_stop;
	int threads_n;
	pthread_t threads[];
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static struct job *queue_take(struct queue *queue)
{
	struct job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static void run_job(struct job *job)
{
	job->run(job->arg);
	free(job);
}

static void *run(void *arg)
{
	struct work *work = arg;
	struct job *job;

	pthread_mutex_lock(&work->mutex);
	for (;;) {
		job = queue_take(&work->front);
		if (job) {
			pthread_mutex_unlock(&work->mutex);
			run_job(job);
			pthread_mutex_lock(&work->mutex);
		} else if (work->back.first && work->back_running < work->back_max) {
			job = queue_take(&work->back);
			work->back_running++;
			pthread_mutex_unlock(&work->mutex);
			run_job(job);
			pthread_mutex_lock(&work->mutex);
			work->back_running--;
		} else if (work->must_stop) {
			break;
		} else {
			pthread_cond_wait(&work->has_jobs, &work->mutex);
		}
	}
	pthread_mutex_unlock(&work->mutex);
	return NULL;
}

struct work *work_new(int threads, struct err *err)
{
	struct work *work = mem_alloc(sizeof(*work) + (size_t)threads * sizeof(pthread_t));

	pthread_mutex_init(&work->mutex, NULL);
	pthread_cond_init(&work->has_jobs, NULL);
	queue_init(&work->front);
	queue_init(&work->back);
	work->back_max = threads > 1 ? threads / 2 : 1;
	for (; work->threads_n < threads; work->threads_n++) {
		errno = pthread_create(&work->threads[work->threads_n], NULL, run, work);
		if (errno == 0)
			continue;
		err_errno(err, "cannot start a worker thread");
		work_free(work);
		return NULL;
	}
	return work;
}

void work_free(struct work *work)
{
	if (!work)
		return;
	pthread_mutex_lock(&work->mutex);
	work->must_stop = true;
	pthread_cond_broadcast(&work->has_jobs);
	pthread_mutex_unlock(&work->mutex);
	for (int i = 0; i < work->threads_n; i++)
		pthread_join(work->threads[i], NULL);
	pthread_cond_destroy(&work->has_jobs);
	pthread_mutex_destroy(&work->mutex);
	free(work);
}

void work_post(struct work *work, enum work_queue which, void (*run_fn)(void *arg), void *arg)
{
	struct queue *queue = which == WORK_FRONT ? &work->front : &work->back;
	struct job *job = mem_alloc(sizeof(*job));

	job->run = run_fn;
	job->arg = arg;
	pthread_mutex_lock(&work->mutex);
	*queue->end = job;
	queue->end = &job->next;
	pthread_cond_signal(&work->has_jobs);
	pthread_mutex_unlock(&work->mutex);
}
