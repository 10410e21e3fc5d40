/*
 * access.h - may whoever sent a request have a private module?
 *
 * Who it is, strongest first:
 *   a token       in Authorization, as Basic's password or as Bearer. One that
 *                 is unknown or has expired makes the sender nobody, whatever
 *                 else is there.
 *   REMOTE_USER   beside AUTH_TYPE alone: by RFC 3875, 4.1.1, a server that has
 *                 checked an account says so there, while nginx fills REMOTE_USER
 *                 with whatever name the client sends.
 *   a certificate SSL_CLIENT_S_DN_CN if SSL_CLIENT_VERIFY is SUCCESS, and
 *                 [private] client_cert says so.
 * None of these can be forged by a header: those arrive as HTTP_... .
 *
 * Then [private] read or write says whether that user may. It is asked before
 * anything is looked for in the store, so neither the answer nor the time that it
 * takes tells whether there is such a module.
 */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

#include "serve/route.h"

struct access;

/* The settings must outlive it. */
struct access *access_new(const struct config *config);
void access_free(struct access *access);

enum access_right { ACCESS_READ, ACCESS_WRITE };

/*
 * May it have that module, which is private?
 *
 * err  ERR_UNKNOWN_USER: nobody in particular asks, and that isn't enough;
 *      ERR_FORBIDDEN: this user may not. The text is for that user.
 *
 * Returns 0, or -1 with *err set.
 */
int access_check(struct access *access, const struct http_request *request, struct str module,
		 enum access_right right, struct err *err);

/* Who it is; false: nobody in particular. The name lives as long as the request. */
bool access_user(struct access *access, const struct http_request *request, struct str *user);

#endif
