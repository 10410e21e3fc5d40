/*
 * work.h - a few threads for what may block for a moment: checking, flushing,
 * answering those who waited. What takes long is cut into jobs.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include "base/err.h"

struct work;

/*
 * niceness is that of setpriority(2), 0 for none: threads that write what
 * was answered already leave the processor to those who answer.
 */
struct work *work_new(int threads, int niceness, struct err *err);

/* Runs all that was posted, ends the threads. NULL is nothing. */
void work_free(struct work *work);

/* From any thread. */
void work_post(struct work *work, void (*run)(void *arg), void *arg);

#endif
