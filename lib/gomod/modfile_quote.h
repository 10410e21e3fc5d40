/*
 * modfile_quote.h - for modfile alone: strings as Go writes them.
 *
 * strconv.Unquote, strconv.Quote and modfile.AutoQuote, for any bytes.
 */
#ifndef GOMOD_MODFILE_QUOTE_H
#define GOMOD_MODFILE_QUOTE_H

#include "base/str.h"

/*
 * Undo "..." or `...`, quotes included. false, and *text untouched, if quoted is not
 * well-formed. A byte that isn't UTF-8 becomes U+FFFD in a "..." that has
 * any such byte or a backslash, as in Go.
 */
bool modfile_unquote(struct pool *pool, struct str quoted, struct str *text);

/* text itself, or "..." if it can't stand in a go.mod as it is. */
struct str modfile_auto_quote(struct pool *pool, struct str text);

#endif
