/*
 * upload.h - PUT /MODULE/@v/VERSION.zip: a version of a private module comes in.
 *
 * It is asked beforehand whether who sends it may; only then its body is read, in
 * pieces, into a file below DIR/tmp. That blocks, where the web server doesn't
 * collect uploads by itself (Apache), for as long as the sender is slow: so it is
 * done by a few threads that have nothing else to do, each for UPLOAD_TOTAL_S at
 * most, and what is more than UPLOADS_MAX waits for nobody.
 *
 * Who may not upload, or sends a body with anything else, is answered once the body
 * has passed: of an answer that comes before, Apache makes a 503, 500 or, with
 * mod_cgid, none at all. By threads of their own, and for no longer than a request
 * may take to arrive.
 */
#ifndef SERVE_UPLOAD_H
#define SERVE_UPLOAD_H

#include "base/work.h"
#include "serve/answer.h"

#define UPLOAD_THREADS 16
#define UPLOADS_MAX    32
#define UPLOAD_TOTAL_S 900

struct uploads;

/* They must outlive it. Its threads start when the first upload comes. */
struct uploads *uploads_new(const struct answer *answer, struct store *store);
/* Waits for those under way. */
void uploads_end(struct uploads *uploads); /* NULL is nothing */
void uploads_free(struct uploads *uploads);

/*
 * Let a body pass, then go on. False if too many are at it, or there is nothing
 * that could still come: go on at once.
 */
bool upload_let_pass(struct uploads *uploads, struct http_request *request, void (*go_on)(void *arg),
		     void *arg);

/* Take the request of somebody who may; user: who it is, for the audit log. */
void upload_begin(struct uploads *uploads, struct want *want, struct str user);

#endif
