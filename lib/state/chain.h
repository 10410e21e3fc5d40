/*
 * chain.h - GOPROXY's syntax: which upstreams are asked, in which order.
 *
 * Pure functions: no I/O, no state. The rules are those of go.dev/ref/mod,
 * "GOPROXY", as cmd/go reads them: elements end in ',' or '|'; blanks around
 * them and empty ones don't count; what follows "direct" or "off" is ignored;
 * "proxy.example.com" stands for "https://proxy.example.com". Stricter than
 * cmd/go: no file:// URL, no query, no fragment, no byte that a URL can't have.
 */
#ifndef STATE_CHAIN_H
#define STATE_CHAIN_H

#include "base/err.h"
#include "base/str.h"

/* Bounds of our own: Go sets none. The text's length is in bytes. */
#define CHAIN_ELEMENTS_MAX 64
#define CHAIN_TEXT_MAX 8192

enum chain_kind {
	CHAIN_URL,    /* an upstream that speaks the GOPROXY protocol */
	CHAIN_DIRECT, /* the module's own repository */
	CHAIN_OFF,    /* nothing: the answer is "not found" */
};

struct chain_element {
	enum chain_kind kind;
	/*
	 * For curl: http:// or https://, scheme and host in lower case, user and
	 * password if given, never a '/' at the end. "direct", "off" otherwise.
	 */
	const char *url;
	const char *shown; /* url without user and password, for people */
	/* Go on at any error ('|' follows), not at 404 and 410 only. */
	bool any_error;
};

struct chain {
	struct chain_element *elements;
	size_t n;
	struct pool *pool; /* owns all of it */
};

/*
 * Read a chain. *chain is written anew (an old one: chain_clear() it before);
 * it is empty after an error.
 *
 * err  ERR_CONFIG; names the element, without its password, and what is allowed
 *
 * Returns 0 with at least one element, or -1 with *err set.
 */
int chain_parse(struct str text, struct chain *chain, struct err *err);

void chain_clear(struct chain *chain);

/* The chain as text for people: separators kept, passwords left out. */
void chain_print(const struct chain *chain, struct buf *buf);

/*
 * One URL by the rules of an element, but with a scheme of its own.
 *
 * url, shown  out, owned by the pool: as in struct chain_element
 *
 * Returns 0, or -1 with *err set (ERR_CONFIG).
 */
int chain_url_parse(struct pool *pool, struct str text, const char **url,
		    const char **shown, struct err *err);

/*
 * HOST or HOST:PORT by the same rules: a name, an IPv4 address or an IPv6
 * address in brackets. False if it isn't one.
 */
bool chain_is_host(struct str text);

/*
 * text with all that could be a secret (before the last '@', after a '?')
 * replaced by "...", whether it is a URL or not: for error messages.
 */
struct str chain_redact(struct pool *pool, struct str text);

#endif
