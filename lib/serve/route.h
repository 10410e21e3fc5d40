/*
 * route.h - what a request asks for: the URL, parsed once.
 *
 * Endpoints are those of go.dev/ref/mod#goproxy-protocol and
 * #checksum-database. PATH_INFO names the object; REQUEST_URI, the raw
 * target, is the arbiter: hostile spellings are refused by it, and it stands
 * in where a server leaves PATH_INFO out. Where both can't be right the
 * answer is a 500 that names the setting to change, never another module.
 */
#ifndef SERVE_ROUTE_H
#define SERVE_ROUTE_H

#include <stdint.h>

#include "gomod/tlog_tile.h"
#include "serve/http.h"
#include "state/config.h"

enum route_kind {
	ROUTE_HOME,
	ROUTE_LIST,
	ROUTE_LATEST,
	ROUTE_QUERY, /* .info of a branch, a commit, "v1" ... */
	ROUTE_INFO,  /* of a canonical version, as are the next two */
	ROUTE_MOD,
	ROUTE_ZIP,
	ROUTE_SUMDB_SUPPORTED,
	ROUTE_SUMDB_LATEST,
	ROUTE_SUMDB_LOOKUP,
	ROUTE_SUMDB_TILE,
};

struct route {
	enum route_kind kind;
	struct str module;  /* unescaped; of a lookup, too; empty if there is none */
	struct str version; /* unescaped; or the query; empty if there is none */
	struct tlog_tile tile; /* of ROUTE_SUMDB_TILE */
	const char *path;   /* below an upstream's URL */
	const char *key;    /* in the store */
	const struct config_sumdb *sumdb;
	bool is_cached_only; /* "/cached-only/" or Disable-Module-Fetch: true */
	bool is_mutable;     /* the answer may change */
	bool is_private;     /* the module is; of a lookup, too */
	bool is_upload;	     /* PUT of a private module's zip */
	const char *type;    /* Content-Type */
	int64_t body_max_bytes;
};

/*
 * Parse the request into *route, zeroed by the caller. All lives in the request's pool.
 *
 * err  ERR_METHOD, ERR_BAD_REQUEST (malformed), ERR_NOT_FOUND (well formed,
 *      but no such thing can exist), ERR_CONFIG (the web server's and our
 *      settings disagree)
 *
 * Returns 0, or -1 with *err set.
 */
int route_parse(struct http_request *request, const struct config *config,
		struct route *route, struct err *err);

/* The module's path as it stands in the URL, of an object of a module. */
struct str route_escaped_module(const struct route *route);

/*
 * The route, zeroed by the caller, to an object that a module's path names: "MODULE/@v/VERSION.zip"
 * and the like, escaped. Here alone is decided what a private module's key is. Results as above.
 */
int route_parse_path(struct pool *pool, const struct config *config, struct str path,
		     struct route *route, struct err *err);

#endif
