/*
 * explain.h - the administrator's question: why is this version believed?
 *
 * Prints the record of the checksum database, the tree that holds it and who
 * has signed that, the path of hashes between them, and for each file here
 * its hash and what the audit log knows of it.
 */
#ifndef PROGRAM_EXPLAIN_H
#define PROGRAM_EXPLAIN_H

#include "state/config.h"

/* text: MODULE@VERSION. Returns an exit status: success if it is proven. */
int explain_run(const struct config *config, const char *text);

#endif
