#include "origin/fetch_redirect.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static bool is_url_at(const char *url, const char *host, const char *port)
{
	CURLU *u = curl_url();
	char *name = NULL, *number = NULL;
	bool is_same = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		       curl_url_get(u, CURLUPART_HOST, &name, 0) == CURLUE_OK &&
		       curl_url_get(u, CURLUPART_PORT, &number, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       strcasecmp(name, host) == 0 && strcmp(number, port) == 0;

	curl_free(name);
	curl_free(number);
	curl_url_cleanup(u);
	return is_same;
}

/* May this host lie at a private address? Those that the settings name may. */
static bool is_host_trusted(const struct config *config, CURLU *u)
{
	char *host = NULL, *port = NULL;
	bool is_trusted = false;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK) {
		is_trusted = is_listed(config->upstream.redirect_private, host, port);
		for (size_t i = 0; !is_trusted && i < config->upstream.chain.n; i++)
			is_trusted = is_url_at(config->upstream.chain.elements[i].url, host, port);
		for (size_t i = 0; !is_trusted && i < config->sumdb.n; i++)
			is_trusted = is_url_at(config->sumdb.databases[i].url, host, port);
	}
	curl_free(host);
	curl_free(port);
	return is_trusted;
}

int fetch_redirect_check(const struct config *config, const char *from_scheme, const char *url,
			 bool *is_trusted, struct err *err)
{
	char *scheme = NULL;
	CURLU *u = curl_url();
	int rc = -1;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		err_set(err, ERR_BAD_UPSTREAM, "redirects to what isn't an http or https URL");
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		err_set(err, ERR_BAD_UPSTREAM,
			"redirects to the scheme '%s', only http and https are followed", scheme);
	else if (from_scheme && strcasecmp(from_scheme, "https") == 0 && strcmp(scheme, "http") == 0)
		err_set(err, ERR_BAD_UPSTREAM, "redirects from https to http, which is refused");
	else
		rc = 0;
	*is_trusted = rc == 0 && is_host_trusted(config, u);
	curl_free(scheme);
	curl_url_cleanup(u);
	return rc;
}
