/*
 * vcs_internal.h - what vcs.c and vcs_ssh.c share.
 */
#ifndef ORIGIN_VCS_INTERNAL_H
#define ORIGIN_VCS_INTERNAL_H

#include "base/str.h"

#define VCS_ARGS_MAX 64

/* How vcs_ssh() is told what to do. */
#define SSH_HOST_ENV	"GOPROXY_VCS_SSH_HOST"
#define SSH_ADDRESS_ENV "GOPROXY_VCS_SSH_ADDRESS"
#define SSH_KEY_ENV	"GOPROXY_VCS_SSH_KEY"
#define SSH_HOSTS_ENV	"GOPROXY_VCS_SSH_KNOWN_HOSTS"
#define SSH_CONNECT_ENV "GOPROXY_VCS_SSH_TIMEOUT_S"

/* The first file of that name that may be run in the directories of path; NULL: none. */
const char *vcs_find_program(struct pool *pool, const char *path, const char *name);

#endif
