#include "serve/page.h"

/* A Host header may hold anything; what isn't a plain host isn't shown. */
static bool is_plain_host(struct str host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == ':' || c == '[' || c == ']'))
			return false;
	}
	return host.n > 0 && host.n < 256;
}

static bool is_plain_path(struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_' || c == '~' || c == '/'))
			return false;
	}
	return true;
}

/* Where the browser found us, without the last '/'. */
static struct str base_url(const struct http_request *r)
{
	struct str path = r->uri;
	long query = str_find(path, '?');

	if (query >= 0)
		path = str_head(path, (size_t)query);
	while (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (!is_plain_host(r->host) || !is_plain_path(path))
		return STR("https://THIS-HOST");
	return pool_printf(r->pool, "%s://%.*s%.*s",
			   str_is_equal(r->scheme, STR("https")) ? "https" : "http", STR_ARG(r->host),
			   STR_ARG(path));
}

struct str page_home(const struct http_request *r)
{
	struct str url = base_url(r);

	return pool_printf(r->pool,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<title>Go module proxy</title>\n<style>\n"
		":root { color-scheme: light dark; }\n"
		"body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; "
		"padding: 0 1rem; }\n"
		"pre { padding: .8rem 1rem; border: 1px solid #8886; border-radius: .4rem; "
		"overflow-x: auto; }\n</style>\n</head>\n<body>\n"
		"<h1>Go module proxy</h1>\n"
		"<p>It works. This server keeps Go modules for everybody near it. To build with it, "
		"set in your shell:</p>\n"
		"<pre><code>export GOPROXY=%.*s</code></pre>\n"
		"<p>or, for all your projects:</p>\n"
		"<pre><code>go env -w GOPROXY=%.*s</code></pre>\n"
		"<p>What it speaks is described at <a href=\"https://go.dev/ref/mod#goproxy-protocol\">"
		"go.dev/ref/mod</a>; the program is goproxy.fcgi.</p>\n</body>\n</html>\n",
		STR_ARG(url), STR_ARG(url));
}
