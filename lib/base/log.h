/*
 * log.h - lines for the server's error log.
 *
 * A line is "goproxy.fcgi[PID] LEVEL TEXT". It goes to standard error, or,
 * where the process has none worth the name (spawned by a web server that
 * closed it), to the sink of the thread's current request (FCGI_STDERR).
 * Control bytes in the text are replaced by '?', so that no line can be
 * forged. Callers keep secrets out: URLs are logged as state/chain shows them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Lines above this level are dropped. Before threads start; default INFO. */
void log_set_level(enum log_level level);

/* True if standard error is open and not /dev/null. */
bool log_has_stderr(void);

/*
 * Where this thread's lines go while it works for a request, if standard
 * error is of no use; NULL ends it. The sink may be called at any log call.
 */
void log_set_sink(void (*sink)(void *arg, struct str line), void *arg);

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
