/*
 * audit.h - DIR/audit.log: what was kept, from where and by which proof, and
 * what was refused.
 *
 * One JSON object a line, with "time" (RFC 3339, UTC) and "event":
 *   kept        an object is in the store now
 *   mismatch    bytes were refused, since they aren't what the database says
 *   unknown     the database doesn't know the module: served, or refused
 *   pinned      kept without proof, since the database couldn't be asked
 *   proven      what was pinned turned out to be right
 *   published   somebody has uploaded a version of a private module
 *   quarantined a file was wrong and lies under DIR/quarantine now
 *   alarm       a database has signed two histories
 * Others are "object" (the file below DIR/download), "from" (the upstream),
 * "h1", "expected", "sumdb", "record", "tree", "file" and "why".
 *
 * Lines of all processes are appended whole; the file may be moved away at
 * any time (logrotate), a new one is made. That a line can't be written is no
 * failure: it is logged, too.
 */
#ifndef STATE_AUDIT_H
#define STATE_AUDIT_H

#include <stdbool.h>

#include "base/json.h"

/*
 * Begin a line, to be ended by audit_end(), which frees it. dirfd is the
 * cache directory's; -1: there is none, and nothing is written.
 */
struct json *audit_begin(const char *event);
void audit_end(int dirfd, struct json *line);

/*
 * Call found for each line about an object, the oldest first. Returns false
 * if there is no audit log.
 */
bool audit_find(int dirfd, struct str object,
		void (*found)(void *arg, const struct json *line), void *arg);

#endif
