/*
 * seal.h - what a zip was when it was checked, so that it needn't be unpacked
 * to see that it still is.
 *
 * An extended attribute of the file, "user.goproxy.seal", holds the SHA-256 of
 * its bytes and the h1 that was found then: "sha256:HEX h1:...". It goes
 * where the file goes, and is gone with it. Whoever can change the file can
 * change its seal, too: it tells of a disk that forgets, not of an intruder,
 * for whom the whole check is there. Where the file system has no such
 * attributes files have no seal.
 */
#ifndef STATE_SEAL_H
#define STATE_SEAL_H

#include "base/err.h"
#include "base/str.h"

/* Hash the open file and seal it; that it can't be done is no failure. */
void seal_put(int fd, struct str h1);

/*
 * Is the file what it was when it was sealed? Then its h1.
 *
 * h1     out, h1_size bytes with the NUL; untouched on false
 *
 * Returns false, too, if there is no seal.
 */
bool seal_holds(int fd, char *h1, size_t h1_size);

/* Is there one at all? */
bool seal_is_there(int fd);

#endif
