/*
 * verify.h - the administrator's command that proves the whole store again.
 *
 * Each file is hashed and held against .ziphash and the checksum database's
 * signed tree, as it is kept; no network is needed. What is wrong goes to
 * DIR/quarantine; with --repair it is fetched again, and proofs that are
 * missing are asked for. --quick takes the word of what was proven before for
 * a zip whose bytes are still the same.
 */
#ifndef PROGRAM_VERIFY_H
#define PROGRAM_VERIFY_H

#include "state/config.h"

/* Exit statuses, as fsck(8) has them. */
#define VERIFY_RIGHT	0 /* nothing is wrong */
#define VERIFY_REPAIRED 1 /* something was, and was fetched again */
#define VERIFY_WRONG	4 /* something was, and is in quarantine */
#define VERIFY_TROUBLE	8 /* could not run */

struct verify_options {
	bool must_repair;
	bool is_quick; /* zips as they lie, if they are sealed: state/seal.h */
	bool is_json;
	const char *patterns; /* as GOPRIVATE; NULL: every module, and the databases */
};

/* Returns an exit status. */
int verify_run(const struct config *config, const struct verify_options *options);

#endif
