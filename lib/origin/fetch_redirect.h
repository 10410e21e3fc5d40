/*
 * fetch_redirect.h - where a redirect of an upstream may lead.
 */
#ifndef ORIGIN_FETCH_REDIRECT_H
#define ORIGIN_FETCH_REDIRECT_H

#include "state/config.h"

/*
 * May it be followed? Only to http and https, and never back from https.
 *
 * is_untrusted  as in struct fetch_call
 * from_scheme  of the URL that redirects; NULL: not known
 * is_trusted   out: the host may lie at a private address, since the settings
 *              name it ([upstream] redirect_private, the chain, databases)
 *
 * Returns 0, or -1 with *err set (ERR_BAD_UPSTREAM).
 */
int fetch_redirect_check(const struct config *config, bool is_untrusted, const char *from_scheme,
			 const char *url, bool *is_trusted, struct err *err);

#endif
