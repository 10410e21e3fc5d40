/*
 * direct_internal.h - what direct.c and direct_examine.c share.
 */
#ifndef ORIGIN_DIRECT_INTERNAL_H
#define ORIGIN_DIRECT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "origin/direct.h"
#include "origin/repo.h"

struct direct {
	const struct config *config;
	struct store *store;
	struct fetch *fetch;
	struct repos *repos;
	pthread_mutex_t mutex;
	struct work *work; /* (m) made when it is needed */
	atomic_int queued;
};

#endif
