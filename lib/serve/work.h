/*
 * work.h - a few threads for what may block for a moment: reading requests
 * and files, checking, flushing. What takes long is cut into jobs.
 *
 * Two queues, so that flushing and checking never hold up hits: WORK_FRONT
 * comes first, WORK_BACK has at most half of the threads.
 */
#ifndef SERVE_WORK_H
#define SERVE_WORK_H

#include "base/err.h"

enum work_queue { WORK_FRONT, WORK_BACK };

struct work;

struct work *work_new(int threads, struct err *err);

/* Runs all that was posted, ends the threads. NULL is nothing. */
void work_free(struct work *work);

/* From any thread. */
void work_post(struct work *work, enum work_queue queue, void (*run)(void *arg),
	       void *arg);

#endif
