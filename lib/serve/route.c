#include "serve/route.h"

#include <string.h>

#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/mod.h"
#include "gomod/module.h"
#include "gomod/modzip.h"
#include "gomod/version.h"

/* Longest raw path that is looked at: an escaped module and version fit thrice. */
#define RAW_PATH_MAX 8192

static const char text_type[] = "text/plain; charset=utf-8";

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent-decode once; refuse what could be a second spelling of a path. */
static int decode(struct pool *pool, struct str raw, struct str *path, struct err *err)
{
	char *out = pool_alloc(pool, raw.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		int c = (unsigned char)raw.p[i];
		bool is_encoded = c == '%';

		if (is_encoded) {
			int high = i + 1 < raw.n ? hex_value(raw.p[i + 1]) : -1;
			int low = i + 2 < raw.n ? hex_value(raw.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(err, ERR_BAD_REQUEST,
					       "bad request: malformed %%-escape at byte %zu of the path", i);
			c = high * 16 + low;
			i += 2;
		}
		if (c < 0x20 || c == 0x7f || c == '\\' || (is_encoded && c == '/') || (!is_encoded && c == '#'))
			return err_set(err, ERR_BAD_REQUEST,
				       "bad request: byte %zu of the path is %s", i,
				       c == '/' ? "an escaped '/'" : c == '\\' ? "a '\\'"
				       : c == '#' ? "a '#'" : "a control character");
		out[n++] = (char)c;
	}
	*path = (struct str){ out, n };
	return 0;
}

static int check_segments(struct str path, struct err *err)
{
	struct str rest = str_skip(path, 1), segment = { 0 };

	if (path.n == 0 || path.p[0] != '/')
		return err_set(err, ERR_BAD_REQUEST, "bad request: the path doesn't begin with '/'");
	while (str_cut(&rest, '/', &segment)) {
		if (segment.n == 0 && rest.p)
			return err_set(err, ERR_BAD_REQUEST, "bad request: '//' in the path");
		if (str_is_equal(segment, STR(".")) || str_is_equal(segment, STR("..")))
			return err_set(err, ERR_BAD_REQUEST, "bad request: '%.*s' in the path",
				       STR_ARG(segment));
	}
	return 0;
}

/* The path of the raw target, which may be in absolute form (RFC 9112, 3.2.2). */
static struct str target_path(struct str uri)
{
	long at = str_find(uri, '?');

	if (at >= 0)
		uri = str_head(uri, (size_t)at);
	if (uri.n > 0 && uri.p[0] == '/')
		return uri;
	at = str_find_str(uri, STR("://"));
	if (at >= 0) {
		uri = str_skip(uri, (size_t)at + 3);
		at = str_find(uri, '/');
		uri = at >= 0 ? str_skip(uri, (size_t)at) : STR("/");
	}
	return uri;
}

/* "/goproxy.fcgi", "/~user/goproxy.cgi": a script that lies in a directory. */
static bool is_script(struct str name)
{
	return str_has_suffix(name, STR(".fcgi")) || str_has_suffix(name, STR(".cgi"));
}

/*
 * May the program be mounted at this path? A mount without a dot can't be
 * the beginning of a module path that was cut off, since the first element
 * of a module path has one.
 */
static bool is_mount(struct str mount, const struct http_request *r, const struct config *config)
{
	struct str script = r->script_name;
	struct str directory = { script.p, 0 };

	if (mount.n == 0)
		return true;
	if (*config->server.prefix)
		return str_is_equal(mount, str_of(config->server.prefix));
	if (is_script(script)) {
		directory.n = (size_t)(str_find_last(script, '/') < 0 ? 0 : str_find_last(script, '/'));
		if (str_is_equal(mount, script) || str_is_equal(mount, directory))
			return true;
	}
	return !str_has_char(mount, '.') && !str_has_prefix(mount, STR("/sumdb")) &&
	       !str_has_prefix(mount, STR("/cached-only"));
}

static int disagree(struct str uri, const struct http_request *r, const struct config *config,
		    struct err *err)
{
	return err_set(err, ERR_CONFIG,
		       "the web server's PATH_INFO '%.*s' and SCRIPT_NAME '%.*s' don't fit the request "
		       "for '%.*s' under [server] prefix '%s': set [server] prefix to the path that the "
		       "proxy is mounted at, or PATH_INFO as in the example for this web server",
		       STR_ARG(str_head(r->path_info, 200)), STR_ARG(str_head(r->script_name, 200)),
		       STR_ARG(str_head(uri, 200)), config->server.prefix);
}

static bool is_below(struct str path, struct str prefix)
{
	return str_has_prefix(path, prefix) &&
	       (path.n == prefix.n || str_has_prefix(str_skip(path, prefix.n), STR("/")));
}

/* The object's path, "/..." below the mount, out of what the server gave. */
static int find_path(struct http_request *r, const struct config *config, struct str *path,
		     struct err *err)
{
	struct str prefix = str_of(config->server.prefix), uri = { 0 };

	if (r->uri.n > RAW_PATH_MAX)
		return err_set(err, ERR_BAD_REQUEST, "bad request: the path is longer than %d bytes",
			       RAW_PATH_MAX);
	if (r->uri.n == 0)
		return err_set(err, ERR_CONFIG,
			       "the web server sends no REQUEST_URI: pass it as in the examples");
	if (decode(r->pool, target_path(r->uri), &uri, err) != 0 || check_segments(uri, err) != 0)
		return -1;
	/* Who is asked by the way sees how far another handler's path goes. */
	if (r->path_info.n > 0 && !http_is_authorizer(r)) {
		struct str mount = str_head(uri, uri.n - r->path_info.n);

		if (!str_has_suffix(uri, r->path_info) || !is_mount(mount, r, config) ||
		    (prefix.n > 0 && mount.n == 0))
			return disagree(uri, r, config, err);
		*path = r->path_info;
	} else if (prefix.n > 0) {
		if (!is_below(uri, prefix))
			return disagree(uri, r, config, err);
		*path = str_skip(uri, prefix.n);
	} else if (!http_is_authorizer(r) && r->script_name.n > 0 && is_below(uri, r->script_name) &&
		   (is_script(r->script_name) || uri.n == r->script_name.n ||
		    uri.n == r->script_name.n + 1) &&
		   !str_has_char(uri, '@') && is_mount(r->script_name, r, config)) {
		*path = str_skip(uri, r->script_name.n);
	} else {
		*path = uri;
	}
	return 0;
}

static int no_endpoint(struct err *err)
{
	return err_set(err, ERR_NOT_FOUND,
		       "not found: no such endpoint of a module proxy; see go.dev/ref/mod#goproxy-protocol");
}

static void set_object(struct route *route, struct pool *pool, struct str escaped,
		       const char *store_part)
{
	route->path = pool_cstr(pool, escaped);
	route->key = pool_printf(pool, "%s/%s", store_part, route->path).p;
	route->is_mutable = strcmp(store_part, "mutable") == 0;
}

static int parse_latest(struct pool *pool, struct str path, struct route *route, struct err *err)
{
	struct str module = str_head(path, path.n - strlen("/@latest"));

	route->kind = ROUTE_LATEST;
	route->type = "application/json";
	route->body_max_bytes = INFO_BODY_MAX;
	set_object(route, pool, path, "mutable");
	return module_unescape_path(pool, module, &route->module, err);
}

static int parse_list(struct pool *pool, struct str path, struct route *route)
{
	route->kind = ROUTE_LIST;
	route->type = text_type;
	route->body_max_bytes = LIST_BODY_MAX;
	set_object(route, pool, path, "mutable");
	return 0;
}

/* Which of .info, .mod and .zip, and what it means for this version. */
static int set_kind(struct route *route, struct str extension, struct err *err)
{
	bool is_canonical = version_is_canonical(route->version);

	if (str_is_equal(extension, STR("info"))) {
		route->kind = is_canonical ? ROUTE_INFO : ROUTE_QUERY;
		route->type = "application/json";
		route->body_max_bytes = INFO_BODY_MAX;
		if (!is_canonical && !version_is_query(route->version))
			return err_set(err, ERR_BAD_REQUEST, "bad request: '%.*s' can't be a version query",
				       STR_ARG(route->version));
		return 0;
	}
	if (str_is_equal(extension, STR("mod"))) {
		route->kind = ROUTE_MOD;
		route->type = text_type;
		route->body_max_bytes = MOD_BODY_MAX;
	} else if (str_is_equal(extension, STR("zip"))) {
		route->kind = ROUTE_ZIP;
		route->type = "application/zip";
		route->body_max_bytes = MODZIP_FILE_MAX;
	} else {
		return no_endpoint(err);
	}
	if (!is_canonical)
		return err_set(err, ERR_BAD_REQUEST,
			       "bad request: '%.*s' is not a canonical version, and .%.*s exists for those "
			       "only; ask for its .info first",
			       STR_ARG(route->version), STR_ARG(extension));
	return 0;
}

/*
 * Can this version of this module exist? module_check() is golang.org/x/mod's
 * answer; it lets "+incompatible" stand where go.dev/ref/mod
 * #incompatible-versions has no room for it.
 */
static int check_possible(const struct route *route, struct err *err)
{
	struct str prefix, path_major, major = version_major(route->version);

	if (module_check(route->module, route->version, err) != 0) {
		err->kind = ERR_NOT_FOUND; /* well formed, but it can't exist */
		return err_wrap(err, "not found");
	}
	if (!str_is_equal(version_build(route->version), STR("+incompatible")) ||
	    !module_has_valid_major(route->module, &prefix, &path_major))
		return 0;
	if (path_major.n > 0 || str_is_equal(major, STR("v0")) || str_is_equal(major, STR("v1")))
		return err_set(err, ERR_NOT_FOUND,
			       "not found: '%.*s' can't be a version of '%.*s': +incompatible is for v2 and "
			       "later of paths without a major version",
			       STR_ARG(route->version), STR_ARG(route->module));
	return 0;
}

/*
 * "v2.0.0" of a path without a major version exists as v2.0.0+incompatible
 * alone, but the go command may ask for it by the tag's name, as a query.
 */
static bool may_be_incompatible(const struct route *route)
{
	struct str prefix, path_major, major = version_major(route->version);

	return module_has_valid_major(route->module, &prefix, &path_major) && path_major.n == 0 &&
	       version_build(route->version).n == 0 && !str_is_equal(major, STR("v0")) &&
	       !str_is_equal(major, STR("v1"));
}

static int parse_version(struct pool *pool, struct str path, struct str file, struct route *route,
			 struct err *err)
{
	long dot = str_find_last(file, '.');

	if (dot <= 0 || str_has_char(file, '/'))
		return no_endpoint(err);
	if (version_unescape(pool, str_head(file, (size_t)dot), &route->version, err) != 0 ||
	    set_kind(route, str_skip(file, (size_t)dot + 1), err) != 0)
		return -1;
	if (route->kind == ROUTE_INFO && may_be_incompatible(route))
		route->kind = ROUTE_QUERY;
	set_object(route, pool, path, route->kind == ROUTE_QUERY ? "mutable" : "download");
	return route->kind == ROUTE_QUERY ? 0 : check_possible(route, err);
}

static int parse_object(struct pool *pool, struct str path, struct route *route, struct err *err)
{
	long at = str_find_last_str(path, STR("/@v/"));
	struct str file;

	if (str_has_suffix(path, STR("/@latest")))
		return parse_latest(pool, path, route, err);
	if (at < 0)
		return no_endpoint(err);
	file = str_skip(path, (size_t)at + 4);
	if (module_unescape_path(pool, str_head(path, (size_t)at), &route->module, err) != 0)
		return -1;
	if (str_is_equal(file, STR("list")))
		return parse_list(pool, path, route);
	return parse_version(pool, path, file, route, err);
}

/*
 * A client that is told of a script where there is none, such as GOPROXY=https://host/goproxy.fcgi
 * where the proxy is mounted at "/", must not send private names out as another host's.
 */
static int check_host(struct str module, struct err *err)
{
	long slash = str_find(module, '/');
	struct str host = slash < 0 ? module : str_head(module, (size_t)slash);

	if (!is_script(host))
		return 0;
	return err_set(err, ERR_BAD_REQUEST, "bad request: no host is called '%.*s': leave it out of GOPROXY",
		       STR_ARG(host));
}

int route_parse_path(struct pool *pool, const struct config *config, struct str path,
		     struct route *route, struct err *err)
{
	int rc = parse_object(pool, path, route, err);

	if (rc == 0 && route->module.n > 0)
		rc = check_host(route->module, err);
	/* Of what can't exist, too: no answer may depend on it. */
	route->is_private = route->module.n > 0 && config_is_private(config, route->module);
	if (rc == 0 && route->is_private)
		route->key = pool_printf(pool, "private/%s", route->key).p;
	return rc;
}

struct str route_escaped_module(const struct route *route)
{
	struct str mark = route->kind == ROUTE_LATEST ? STR("/@latest") : STR("/@v/");
	struct str path = str_of(route->path);

	return str_head(path, (size_t)str_find_last_str(path, mark));
}

/* lookup/MODULE@VERSION */
static int parse_lookup(struct pool *pool, struct str text, struct route *route, struct err *err)
{
	long at = str_find_last(text, '@');

	if (at < 0)
		return err_set(err, ERR_BAD_REQUEST, "bad request: a lookup needs MODULE@VERSION");
	if (module_unescape_path(pool, str_head(text, (size_t)at), &route->module, err) != 0 ||
	    version_unescape(pool, str_skip(text, (size_t)at + 1), &route->version, err) != 0)
		return -1;
	if (!version_is_canonical(route->version))
		return err_set(err, ERR_BAD_REQUEST, "bad request: '%.*s' is not a canonical version",
			       STR_ARG(route->version));
	return 0;
}

static int set_sumdb_kind(struct pool *pool, struct str file, struct route *route, struct err *err)
{
	route->type = text_type;
	if (str_is_equal(file, STR("supported"))) {
		route->kind = ROUTE_SUMDB_SUPPORTED;
	} else if (str_is_equal(file, STR("latest"))) {
		route->kind = ROUTE_SUMDB_LATEST;
	} else if (str_has_prefix(file, STR("lookup/"))) {
		route->kind = ROUTE_SUMDB_LOOKUP;
		return parse_lookup(pool, str_skip(file, 7), route, err);
	} else if (str_has_prefix(file, STR("tile/"))) {
		route->kind = ROUTE_SUMDB_TILE;
		if (tlog_tile_parse_path(file, &route->tile, err) != 0)
			return -1;
		if (route->tile.level != TLOG_TILE_DATA_LEVEL)
			route->type = "application/octet-stream";
	} else {
		return no_endpoint(err);
	}
	return 0;
}

static int parse_sumdb(struct pool *pool, const struct config *config, struct str rest,
		       struct route *route, struct err *err)
{
	for (size_t i = 0; i < config->sumdb.n; i++) {
		const struct config_sumdb *db = &config->sumdb.databases[i];
		struct str name = str_of(db->name);
		struct str file = str_skip(rest, name.n + 1);

		if (!db->is_served || !is_below(rest, name) || rest.n <= name.n + 1)
			continue;
		if (set_sumdb_kind(pool, file, route, err) != 0)
			return -1;
		route->is_private = route->module.n > 0 && config_is_private(config, route->module);
		route->sumdb = db;
		set_object(route, pool, file,
			   route->kind == ROUTE_SUMDB_LATEST ? "mutable" : "download");
		route->key = pool_printf(pool, "%s/sumdb/%s/%.*s",
					 route->is_mutable ? "mutable" : "download", db->name,
					 STR_ARG(file)).p;
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND,
		       "not found: no checksum database of that name is served here; see [sumdb] gosumdb and "
		       "databases");
}

/* Another method than GET and HEAD: PUT of a private module's zip is the one that is known. */
static int parse_upload(struct http_request *r, const struct config *config, struct str path,
			struct route *route, struct err *err)
{
	bool is_put = str_is_equal(r->method, STR("PUT"));

	if (*config->private_.modules && str_has_suffix(path, STR(".zip")) &&
	    !str_has_prefix(path, STR("/sumdb/")) && !str_has_prefix(path, STR("/cached-only/"))) {
		if (route_parse_path(r->pool, config, str_skip(path, 1), route, err) != 0)
			return -1;
		route->is_upload = is_put && route->is_private;
		if (route->is_upload)
			return 0;
		if (is_put)
			return err_set(err, ERR_FORBIDDEN, "only private modules can be uploaded, and '%.*s' isn't "
				       "among [private] modules", STR_ARG(route->module));
		r->allow = route->is_private ? "GET, HEAD, PUT" : NULL;
	}
	return err_set(err, ERR_METHOD, "method not allowed: '%.*s'; only %s are",
		       STR_ARG(str_head(r->method, 40)), r->allow ? r->allow : "GET and HEAD");
}

int route_parse(struct http_request *r, const struct config *config, struct route *route,
		struct err *err)
{
	struct str path = { 0 };

	*route = (struct route){ .kind = ROUTE_HOME };
	if (find_path(r, config, &path, err) != 0)
		return -1;
	if (!str_is_equal(r->method, STR("GET")) && !str_is_equal(r->method, STR("HEAD")))
		return parse_upload(r, config, path, route, err);
	if (path.n <= 1)
		return 0;
	path = str_skip(path, 1);
	route->is_cached_only = str_is_equal_nocase(r->disable_fetch, STR("true"));
	if (str_has_prefix(path, STR("cached-only/"))) {
		route->is_cached_only = true;
		path = str_skip(path, strlen("cached-only/"));
	}
	if (str_has_prefix(path, STR("sumdb/")))
		return parse_sumdb(r->pool, config, str_skip(path, 6), route, err);
	return route_parse_path(r->pool, config, path, route, err);
}
