/*
 * publisher.h - the command "publish DIR|ZIP --as MODULE@VERSION": put a version of
 * a private module into the store, out of a directory or a module zip.
 */
#ifndef PROGRAM_PUBLISHER_H
#define PROGRAM_PUBLISHER_H

#include "state/config.h"

/*
 * path  a directory, of which zip.CreateFromDir of golang.org/x/mod would take
 *       the same files; or a module zip
 * as    "MODULE@VERSION"
 *
 * Returns an exit status: 0 if it is there now, or was.
 */
int publisher_run(const struct config *config, const char *path, const char *as);

#endif
