/*
 * direct_internal.h - what the files direct*.c share of it.
 */
#ifndef ORIGIN_DIRECT_INTERNAL_H
#define ORIGIN_DIRECT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "origin/direct.h"
#include "origin/direct_code.h"
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

/*
 * The commit of a canonical version, for good: the one that the .info beside it names. If
 * there is none yet, that is made and kept first, before any file of the version leaves; so all
 * of them are of one commit, in all processes, wherever its tag moves to.
 *
 * rev   out; its hash is empty if call wants the .info alone, and it is here
 * info  out: the text of the .info
 *
 * Returns 0, or -1 with *err set. A commit that can't be had any more is an error; of a proven
 * call, the .info is removed then, and the tag counts.
 */
int direct_settle(struct direct *direct, const struct direct_call *call, struct code *code,
		  struct repo_rev *rev, struct str *info, struct err *err);

#endif
