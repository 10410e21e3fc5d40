/*
 * route.h: what each web server sends, as measured of their
 * PATH_INFO and SCRIPT_NAME; endpoints after go.dev/ref/mod#goproxy-protocol.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "serve/route.h"

struct sent {
	const char *what, *uri, *script_name, *path_info, *prefix;
	enum err_kind kind;
	const char *key; /* NULL: home */
};

#define HELLO "/example.com/hello/@v/list"
#define KEY   "mutable/example.com/hello/@v/list"

static const struct sent cases[] = {
	{ "nginx, whole site", HELLO, "", HELLO, "", ERR_NONE, KEY },
	{ "below a path", "/goproxy" HELLO, "/goproxy", HELLO, "", ERR_NONE, KEY },
	{ "below a path, prefix set", "/goproxy" HELLO, "/goproxy", HELLO, "/goproxy", ERR_NONE, KEY },
	{ "rewritten to a script", HELLO, "/goproxy.cgi", HELLO, "", ERR_NONE, KEY },
	{ "rewritten below a path", "/goproxy" HELLO, "/goproxy.cgi", HELLO, "", ERR_NONE, KEY },
	{ ".htaccess of a user", "/~a.b" HELLO, "/~a.b/goproxy.fcgi", HELLO, "", ERR_NONE, KEY },
	{ "script named in the URL", "/goproxy.fcgi" HELLO, "/goproxy.fcgi", HELLO, "", ERR_NONE, KEY },
	{ "ProxyPass: no PATH_INFO", HELLO, HELLO, "", "", ERR_NONE, KEY },
	{ "ProxyPass below a path", "/goproxy" HELLO, "/goproxy" HELLO, "", "/goproxy", ERR_NONE, KEY },
	{ "FallbackResource", HELLO, "/goproxy.fcgi", "", "", ERR_NONE, KEY },
	{ "home below a path", "/goproxy/", "/goproxy", "/", "", ERR_NONE, NULL },
	{ "home below a path, no slash", "/goproxy", "/goproxy", "", "", ERR_NONE, NULL },
	{ "home with a query", "/?x=1", "", "/", "", ERR_NONE, NULL },
	{ "absolute form", "http://h" HELLO, "", HELLO, "", ERR_NONE, KEY },
	{ "escaped", "/example.com%2Fhello/@v/list", "", HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "'%21' is '!'", "/example.com/%21u/@v/list", "", "/example.com/!u/@v/list", "", ERR_NONE,
	  "mutable/example.com/!u/@v/list" },
	{ "SetHandler loses an element", "/a.com/b.com/@v/list", "/a.com", "/b.com/@v/list", "",
	  ERR_CONFIG, NULL },
	{ "and sumdb", "/sumdb/sum.golang.org/latest", "/sumdb", "/sum.golang.org/latest", "",
	  ERR_CONFIG, NULL },
	{ "other PATH_INFO", HELLO, "", "/example.com/other/@v/list", "", ERR_CONFIG, NULL },
	{ "outside the prefix", HELLO, "", "", "/goproxy", ERR_CONFIG, NULL },
	{ "prefix set, not sent", HELLO, "", HELLO, "/goproxy", ERR_CONFIG, NULL },
	{ "no REQUEST_URI", "", "", HELLO, "", ERR_CONFIG, NULL },
	{ "'..'", "/example.com/../x/@v/list", "", "/x/@v/list", "", ERR_BAD_REQUEST, NULL },
	{ "escaped '..'", "/example.com/%2e%2E/x/@v/list", "", "/x/@v/list", "", ERR_BAD_REQUEST, NULL },
	{ "'//'", "/example.com//hello/@v/list", "", HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "NUL", "/example.com/h%00/@v/list", "", HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "backslash", "/example.com/h%5C/@v/list", "", HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "a script that isn't here", "/goproxy.fcgi" HELLO, "", "/goproxy.fcgi" HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "raw '#'", "/example.com/h#/@v/list", "", "/example.com/h", "", ERR_BAD_REQUEST, NULL },
	{ "'%23'", "/example.com/h%23/@v/list", "", "/example.com/h#/@v/list", "", ERR_BAD_REQUEST, NULL },
	{ "cut escape", "/example.com/h/@v/list%2", "", HELLO, "", ERR_BAD_REQUEST, NULL },
	{ "upper case", "/example.com/Hello/@v/list", "", "/example.com/Hello/@v/list", "",
	  ERR_BAD_REQUEST, NULL },
	{ "mod of a query", "/example.com/h/@v/master.mod", "", "", "", ERR_BAD_REQUEST, NULL },
	{ "zip of v1", "/example.com/h/@v/v1.zip", "", "", "", ERR_BAD_REQUEST, NULL },
	{ "impossible major", "/example.com/h/v2/@v/v1.0.0.zip", "", "", "", ERR_NOT_FOUND, NULL },
	{ "impossible incompatible", "/example.com/h/v2/@v/v2.0.0+incompatible.zip", "", "", "",
	  ERR_NOT_FOUND, NULL },
	{ "tag without +incompatible", "/example.com/h/@v/v2.0.0.info", "", "", "", ERR_NONE,
	  "mutable/example.com/h/@v/v2.0.0.info" },
	{ "but not its mod", "/example.com/h/@v/v2.0.0.mod", "", "", "", ERR_NOT_FOUND, NULL },
	{ "nor with another major", "/example.com/h/v2/@v/v3.0.0.info", "", "", "", ERR_NOT_FOUND, NULL },
	{ "lock", "/example.com/h/@v/v1.0.0.lock", "", "", "", ERR_NOT_FOUND, NULL },
	{ "ziphash", "/example.com/h/@v/v1.0.0.ziphash", "", "", "", ERR_NOT_FOUND, NULL },
	{ "query", "/example.com/h/@v/master.info", "", "", "", ERR_NONE,
	  "mutable/example.com/h/@v/master.info" },
	{ "info", "/example.com/h/@v/v1.0.0.info", "", "", "", ERR_NONE,
	  "download/example.com/h/@v/v1.0.0.info" },
	{ "incompatible", "/example.com/h/@v/v2.0.0+incompatible.zip", "", "", "", ERR_NONE,
	  "download/example.com/h/@v/v2.0.0+incompatible.zip" },
	{ "'%2B' is '+'", "/example.com/h/@v/v2.0.0%2Bincompatible.zip", "", "", "", ERR_NONE,
	  "download/example.com/h/@v/v2.0.0+incompatible.zip" },
	{ "cached-only", "/cached-only/example.com/h/@latest", "", "", "", ERR_NONE,
	  "mutable/example.com/h/@latest" },
	{ "sumdb latest", "/sumdb/sum.golang.org/latest", "", "", "", ERR_NONE,
	  "mutable/sumdb/sum.golang.org/latest" },
	{ "sumdb with a slash", "/sumdb/a.dev/b/tile/8/0/x001/234.p/5", "", "", "", ERR_NONE,
	  "download/sumdb/a.dev/b/tile/8/0/x001/234.p/5" },
	{ "data tile", "/sumdb/a.dev/b/tile/8/data/000", "", "", "", ERR_NONE,
	  "download/sumdb/a.dev/b/tile/8/data/000" },
	{ "lookup", "/sumdb/sum.golang.org/lookup/example.com/!h@v1.0.0", "", "", "", ERR_NONE,
	  "download/sumdb/sum.golang.org/lookup/example.com/!h@v1.0.0" },
	{ "lookup of a branch", "/sumdb/sum.golang.org/lookup/example.com/h@master", "", "", "",
	  ERR_BAD_REQUEST, NULL },
	{ "no tile", "/sumdb/sum.golang.org/tile/8/0/1", "", "", "", ERR_BAD_REQUEST, NULL },
	{ "tile with a leading zero", "/sumdb/sum.golang.org/tile/08/0/001", "", "", "",
	  ERR_BAD_REQUEST, NULL },
	{ "tile of width 256", "/sumdb/sum.golang.org/tile/8/0/001.p/256", "", "", "",
	  ERR_BAD_REQUEST, NULL },
	{ "private", "/corp.example/x/@v/v1.0.0.zip", "", "", "", ERR_NONE,
	  "private/download/corp.example/x/@v/v1.0.0.zip" },
	{ "private list", "/cached-only/corp.example/x/@v/list", "", "", "", ERR_NONE,
	  "private/mutable/corp.example/x/@v/list" },
	{ "private, in capitals", "/corp.example/%21x/@latest", "", "", "", ERR_NONE,
	  "private/mutable/corp.example/!x/@latest" },
	{ "private, whatever the case", "/host.example/!t!e!a!m/x/@v/main.info", "", "", "", ERR_NONE,
	  "private/mutable/host.example/!t!e!a!m/x/@v/main.info" },
	{ "not private: above it", "/host.example/!team/@v/list", "", "", "", ERR_NONE,
	  "mutable/host.example/!team/@v/list" },
	{ "not private: a name that begins so", "/corp.example.org/x/@v/list", "", "", "", ERR_NONE,
	  "mutable/corp.example.org/x/@v/list" },
	{ "unknown database", "/sumdb/other.dev/latest", "", "", "", ERR_NOT_FOUND, NULL },
	{ "database's name only", "/sumdb/sum.golang.org", "", "", "", ERR_NOT_FOUND, NULL },
};

static struct config_sumdb databases[] = {
	{ .name = "sum.golang.org", .is_served = true },
	{ .name = "a.dev/b", .is_served = true },
};

static int parse(struct pool *pool, const struct sent *sent, const char *method,
		 struct route *route, struct err *err)
{
	struct http_request *r = pool_alloc(pool, sizeof(*r));
	struct config *config = pool_alloc(pool, sizeof(*config));

	config->server.prefix = sent->prefix;
	config->private_.modules = "corp.example,host.example/Team/*";
	config->private_.folded = "corp.example,host.example/team/*";
	config->sumdb.databases = databases;
	config->sumdb.n = ARRAY_LEN(databases);
	r->pool = pool;
	r->method = str_of(method);
	r->uri = str_of(sent->uri);
	r->script_name = str_of(sent->script_name);
	r->path_info = str_of(sent->path_info);
	r->disable_fetch = STR("");
	return route_parse(r, config, route, err);
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pool *pool = pool_new();
		struct err err = { 0 };
		struct route route;
		int rc = parse(pool, &cases[i], "GET", &route, &err);

		print_message("%s: %s\n", cases[i].what, err.text);
		assert_int_equal(rc, cases[i].kind == ERR_NONE ? 0 : -1);
		assert_int_equal(err.kind, cases[i].kind);
		if (rc == 0 && cases[i].key)
			assert_string_equal(route.key, cases[i].key);
		else if (rc == 0)
			assert_int_equal(route.kind, ROUTE_HOME);
		pool_free(pool);
	}
}

static void test_methods(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "get", "" };
	struct pool *pool = pool_new();
	struct err err = { 0 };
	struct route route;

	(void)state;
	assert_int_equal(parse(pool, &cases[0], "HEAD", &route, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		assert_int_equal(parse(pool, &cases[0], methods[i], &route, &err), -1);
		assert_int_equal(err.kind, ERR_METHOD);
	}
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
