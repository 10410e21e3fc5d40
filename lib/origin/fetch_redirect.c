#include "origin/fetch_redirect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "origin/address.h"
#include "origin/fetch.h"

/* Does text, comma separated, name HOST or HOST:PORT? */
static bool is_listed(const char *text, const char *host, const char *port)
{
	struct str rest = str_of(text), item;
	char both[512];

	snprintf(both, sizeof(both), "%s:%s", host, port);
	while (str_cut(&rest, ',', &item)) {
		item = str_trim(item);
		if (str_is_equal_nocase(item, str_of(host)) ||
		    str_is_equal_nocase(item, str_of(both)))
			return true;
	}
	return false;
}

/* A part of a URL in the pool, "" if it isn't there. */
static const char *part(struct pool *pool, CURLU *u, CURLUPart what, unsigned flags)
{
	char *text = NULL;
	const char *copy = "";

	if (curl_url_get(u, what, &text, flags) == CURLUE_OK && text)
		copy = pool_cstr(pool, str_of(text));
	curl_free(text);
	return copy;
}

bool fetch_url_parse(struct pool *pool, const char *url, struct fetch_url *parts)
{
	CURLU *u = curl_url();
	bool is_url = u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;

	if (is_url) {
		char *host = (char *)part(pool, u, CURLUPART_HOST, 0);

		for (char *c = host; *c; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c - 'A' + 'a');
		parts->scheme = part(pool, u, CURLUPART_SCHEME, 0);
		parts->user = part(pool, u, CURLUPART_USER, 0);
		parts->password = part(pool, u, CURLUPART_PASSWORD, 0);
		parts->host = host;
		parts->port = part(pool, u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
		parts->path = part(pool, u, CURLUPART_PATH, 0);
		parts->query = part(pool, u, CURLUPART_QUERY, 0);
		is_url = *host != '\0';
	}
	curl_url_cleanup(u);
	return is_url;
}

static bool is_url_at(const char *url, const char *host, const char *port)
{
	struct pool *pool = pool_new();
	struct fetch_url parts;
	bool is_same = fetch_url_parse(pool, url, &parts) && strcmp(parts.host, host) == 0 &&
		       strcmp(parts.port, port) == 0;

	pool_free(pool);
	return is_same;
}

bool fetch_host_is_trusted(const struct config *config, bool is_untrusted, const char *host,
			   const char *port)
{
	bool is_trusted = is_listed(config->direct.private_hosts, host, port);

	if (is_untrusted)
		return is_trusted;
	is_trusted = is_trusted || is_listed(config->upstream.redirect_private, host, port);
	for (size_t i = 0; !is_trusted && i < config->upstream.chain.n; i++)
		is_trusted = is_url_at(config->upstream.chain.elements[i].url, host, port);
	for (size_t i = 0; !is_trusted && i < config->sumdb.n; i++)
		is_trusted = is_url_at(config->sumdb.databases[i].url, host, port);
	return is_trusted;
}

bool fetch_host_is_private(const char *host)
{
	struct sockaddr_storage address;
	struct str name = str_of(host);

	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	return (address_is_literal(host, &address) && address_is_private((struct sockaddr *)&address)) ||
	       str_is_equal(name, STR("localhost")) || str_has_suffix(name, STR(".localhost"));
}

int fetch_redirect_check(const struct config *config, bool is_untrusted, const char *from_scheme,
			 const char *url, bool *is_trusted, struct err *err)
{
	struct pool *pool = pool_new();
	struct fetch_url parts;
	int rc = -1;

	if (!fetch_url_parse(pool, url, &parts))
		err_set(err, ERR_BAD_UPSTREAM, "redirects to what isn't an http or https URL");
	else if (strcmp(parts.scheme, "http") != 0 && strcmp(parts.scheme, "https") != 0)
		err_set(err, ERR_BAD_UPSTREAM,
			"redirects to the scheme '%s', only http and https are followed", parts.scheme);
	else if (from_scheme && strcasecmp(from_scheme, "https") == 0 && strcmp(parts.scheme, "http") == 0)
		err_set(err, ERR_BAD_UPSTREAM, "redirects from https to http, which is refused");
	else
		rc = 0;
	*is_trusted = rc == 0 && fetch_host_is_trusted(config, is_untrusted, parts.host, parts.port);
	if (rc == 0 && !*is_trusted && fetch_host_is_private(parts.host))
		rc = err_set(err, ERR_BAD_UPSTREAM,
			     "redirects to a private address, which [upstream] redirect_private doesn't name");
	pool_free(pool);
	return rc;
}
