/*
 * vcs.h - git as a subprocess.
 *
 * A child gets an argument vector, an environment of its own (no user's or
 * system's settings, an empty home, no prompts, no hooks, no filters), the
 * protocols that its remote needs and no others, a deadline, a cap on what it
 * prints and on the files that it writes. Never a shell. It is the leader of a
 * session, and at its end, good or bad, the whole group is killed.
 *
 * ssh is run by way of this program itself (GIT_SSH; vcs_is_ssh()), so that no
 * setting of the user's counts and no command line has to be quoted.
 */
#ifndef ORIGIN_VCS_H
#define ORIGIN_VCS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "state/config.h"

struct vcs;

/* NULL is never returned; whether there is a git, vcs_is_usable() tells. */
struct vcs *vcs_new(const struct config *config);
void vcs_free(struct vcs *vcs);

/* Is there a git to run? If not, *err says what to do (ERR_BAD_UPSTREAM). */
bool vcs_is_usable(const struct vcs *vcs, struct err *err);

/* Where a child may connect to. What stands in it was checked before: remote.h. */
struct vcs_remote {
	const char *url;
	const char *protocol; /* "https", "http" or "ssh" */
	const char *resolve;  /* HOST:PORT:ADDRESS,... for http.curloptResolve; NULL: through a proxy */
	bool must_use_proxy;  /* that of the environment, also for what no_proxy names */
	const char *token;    /* for an Authorization: Bearer header; NULL: none */
	const char *ssh_key;  /* with ssh: the file of the private key, */
	const char *ssh_host; /* the name whose key is looked for, */
	const char *ssh_address; /* and where it is */
};

struct vcs_command {
	const char *const *args; /* behind "git", NULL at the end */
	const char *dir;	 /* to run in; absolute; lives as long as the process */
	const char *home;	 /* absolute; nothing is in it but perhaps a .netrc */
	const char *git_dir;	 /* absolute; NULL: no repository's */
	const struct vcs_remote *remote; /* NULL: no network at all */
	int lock_fd;		 /* stays open in the child; -1: none */
	int64_t deadline_ms;	 /* by clock_now_ms() */
	int64_t output_max_bytes;
};

/* A running child. Its output is read by vcs_read() until that returns 0. */
struct vcs_process;

/* NULL with *err set if it can't be started. */
struct vcs_process *vcs_start(struct vcs *vcs, const struct vcs_command *command, struct err *err);

/*
 * The next piece of its standard output; valid until the next call. Returns its
 * length, 0 at the end, -1 with *err set: ERR_TIMEOUT, ERR_BAD_UPSTREAM (too much).
 */
ssize_t vcs_read(struct vcs_process *process, const void **bytes, struct err *err);

/*
 * End it, if it hasn't ended. Returns its exit status, or -1 with *err set if a
 * signal or we ended it. With a status above 0 *err holds what it complained of
 * (ERR_BAD_UPSTREAM).
 */
int vcs_finish(struct vcs_process *process, struct err *err);

/* The three above at once: its whole output in the pool. As vcs_finish(). */
int vcs_output(struct vcs *vcs, const struct vcs_command *command, struct pool *pool,
	       struct str *output, struct err *err);

/* Has git called this program as its ssh? Then vcs_ssh() becomes ssh, or returns a status. */
bool vcs_is_ssh(void);
int vcs_ssh(int argc, char **argv);

#endif
