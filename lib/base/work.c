#include "base/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/str.h"

struct job {
	struct job *next;
	void (*run)(void *arg);
	void *arg;
};

struct work {
	pthread_mutex_t mutex;
	pthread_cond_t has_jobs;
	struct job *first;
	struct job **end;
	int niceness;
	bool must_stop;
	int threads_n;
	pthread_t threads[];
};

static struct job *take_job(struct work *work)
{
	struct job *job = work->first;

	if (!job)
		return NULL;
	work->first = job->next;
	if (!work->first)
		work->end = &work->first;
	return job;
}

static void *run(void *arg)
{
	struct work *work = arg;
	struct job *job;

	/* On Linux this is the thread's own (setpriority(2), "C library/kernel differences"). */
	setpriority(PRIO_PROCESS, (id_t)gettid(), work->niceness);
	pthread_mutex_lock(&work->mutex);
	for (;;) {
		job = take_job(work);
		if (job) {
			pthread_mutex_unlock(&work->mutex);
			job->run(job->arg);
			free(job);
			pthread_mutex_lock(&work->mutex);
		} else if (work->must_stop) {
			break;
		} else {
			pthread_cond_wait(&work->has_jobs, &work->mutex);
		}
	}
	pthread_mutex_unlock(&work->mutex);
	return NULL;
}

struct work *work_new(int threads, int niceness, struct err *err)
{
	struct work *work = mem_alloc(sizeof(*work) + (size_t)threads * sizeof(pthread_t));

	pthread_mutex_init(&work->mutex, NULL);
	pthread_cond_init(&work->has_jobs, NULL);
	work->end = &work->first;
	work->niceness = niceness;
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

void work_post(struct work *work, void (*run_fn)(void *arg), void *arg)
{
	struct job *job = mem_alloc(sizeof(*job));

	job->run = run_fn;
	job->arg = arg;
	pthread_mutex_lock(&work->mutex);
	*work->end = job;
	work->end = &job->next;
	pthread_mutex_unlock(&work->mutex);
	/* Now: who wakes would only wait for the mutex. */
	pthread_cond_signal(&work->has_jobs);
}
