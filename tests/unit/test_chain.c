/*
 * Expected values: go.dev/ref/mod, "GOPROXY", and what cmd/go (1.26) does with
 * the same text; where we are stricter, state/chain.h says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/chain.h"

static const struct {
	const char *what, *text;
	const char *urls; /* elements' urls, each followed by its ',' or '|'; NULL: refused */
	const char *problem; /* a part of the error's text */
} cases[] = {
	{ "one URL", "https://proxy.example.com", "https://proxy.example.com,", NULL },
	{ "the usual chain", "https://a.example,direct", "https://a.example,direct,", NULL },
	{ "'|' is any error", "https://a.example|https://b.example,off",
	  "https://a.example|https://b.example,off,", NULL },
	{ "'|' at the end stands", "https://a.example|", "https://a.example|", NULL },
	{ "blanks are trimmed", "  https://a.example ,\t direct  ", "https://a.example,direct,",
	  NULL },
	{ "empty elements don't count", ",, |https://a.example,|,", "https://a.example,", NULL },
	{ "behind direct nothing counts", "direct,file:///x,%%%", "direct,", NULL },
	{ "behind off nothing counts", "off|nonsense", "off,", NULL },
	{ "direct has no '|'", "direct|https://a.example", "direct,", NULL },
	{ "a bare host is https", "proxy.example.com", "https://proxy.example.com,", NULL },
	{ "a bare host with a port", "localhost:3000", "https://localhost:3000,", NULL },
	{ "a bare host with a path", "example/go", "https://example/go,", NULL },
	{ "slashes at the end are cut", "https://a.example/go///", "https://a.example/go,", NULL },
	{ "a lone slash, too", "http://a.example/", "http://a.example,", NULL },
	{ "scheme and host in lower case, not the path", "HTTPS://A.Example:8443/Go",
	  "https://a.example:8443/Go,", NULL },
	{ "user and password stay", "https://u:p%40w@a.example/x", "https://u:p%40w@a.example/x,",
	  NULL },
	{ "a user alone", "https://token@a.example", "https://token@a.example,", NULL },
	{ "IPv4", "http://127.0.0.1:8080", "http://127.0.0.1:8080,", NULL },
	{ "IPv6", "http://[::1]:8080/p", "http://[::1]:8080/p,", NULL },
	{ "IPv6 without port", "http://[2001:db8::1]", "http://[2001:db8::1],", NULL },
	{ "'~' and '%7E' in a path", "https://a.example/~x/%7Ey", "https://a.example/~x/%7Ey,",
	  NULL },

	{ "empty", "", NULL, "no element" },
	{ "separators alone", " , | ", NULL, "no element" },
	{ "file", "file:///srv/mirror", NULL, "file:// is not supported" },
	{ "another scheme", "ftp://a.example", NULL, "only https and http" },
	{ "a word", "noproxy", NULL, "not a URL" },
	{ "direct in upper case is a word", "DIRECT", NULL, "not a URL" },
	{ "a path", "/srv/mirror", NULL, "not a URL" },
	{ "one slash", "https:/a.example", NULL, "not a URL" },
	{ "a bad one behind a good one", "https://a.example,ftp://b.example", NULL,
	  "'ftp://b.example'" },
	{ "no host", "https://", NULL, "its host" },
	{ "no host but a path", "https:///x", NULL, "its host" },
	{ "no host but a port", "https://:80", NULL, "its host" },
	{ "port 0", "https://a.example:0", NULL, "its host" },
	{ "port 65536", "https://a.example:65536", NULL, "its host" },
	{ "no port behind ':'", "https://a.example:", NULL, "its host" },
	{ "port of letters", "https://a.example:http", NULL, "its host" },
	{ "blank in the host", "https://a b.example", NULL, "its host" },
	{ "two dots in the host", "https://a..example", NULL, "its host" },
	{ "not ASCII", "https://b\xc3\xbc" "cher.example", NULL, "its host" },
	{ "IPv6 without brackets", "http://::1", NULL, "its host" },
	{ "IPv6 without end", "http://[::1", NULL, "its host" },
	{ "text behind the bracket", "http://[::1]x", NULL, "its host" },
	{ "query", "https://a.example/?token=secret", NULL, "query" },
	{ "fragment", "https://a.example/#x", NULL, "fragment" },
	{ "blank in the path", "https://a.example/a b", NULL, "its path" },
	{ "half a triplet", "https://a.example/%4", NULL, "its path" },
	{ "'..'", "https://a.example/x/../y", NULL, "'/..'" },
	{ "'//' in the path", "https://a.example//x", NULL, "'//'" },
	{ "'@' in the path", "https://u:80/pw@a.example", NULL, "its path" },
	{ "control byte", "https://a.example/\x01", NULL, "its path" },
	{ "line feed within", "https://a.example/x\ny", NULL, "its path" },
	{ "'@' in the password", "https://u:p@w@a.example", NULL, "%40" },
	{ "no user before '@'", "https://@a.example", NULL, "its user" },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { 0 };
		struct chain chain;
		struct buf got;
		int rc = chain_parse(str_of(cases[i].text), &chain, &err);

		print_message("%s\n", cases[i].what);
		assert_int_equal(rc, cases[i].urls ? 0 : -1);
		if (rc != 0) {
			assert_int_equal(err.kind, ERR_CONFIG);
			assert_int_equal(chain.n, 0);
			if (!strstr(err.text, cases[i].problem))
				fail_msg("'%s' isn't in '%s'", cases[i].problem, err.text);
			continue;
		}
		buf_init(&got, 4096);
		for (size_t k = 0; k < chain.n; k++)
			buf_printf(&got, "%s%c", chain.elements[k].url,
				   chain.elements[k].any_error ? '|' : ',');
		assert_string_equal(got.p, cases[i].urls);
		buf_clear(&got);
		chain_clear(&chain);
	}
}

/* Each holds "secret", which must show nowhere. */
static const char *const secrets[] = {
	"https://user:secret@a.example/go",
	"https://secret@a.example",
	"user:secret@a.example",
	"https://user:secret@a.example:99999/",
	"https://user:secret@",
	"https://user:secret/@a.example",
	"https://user:secret@x@a.example",
	"https://user:secret?y@a.example",
	"https://user:secret#y@a.example",
	"https://user:secret,y@a.example",
	"https://user:x,secret@a.example",
	"https://user:secret|y@a.example,direct",
	"https://a.example/?token=secret",
	"ftp://user:secret@a.example",
	"https//user:secret@a.example",
	"secret@",
};

static void test_no_secret_shows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		struct err err = { 0 };
		struct chain chain;
		struct buf got;

		print_message("%s\n", secrets[i]);
		if (chain_parse(str_of(secrets[i]), &chain, &err) != 0) {
			assert_null(strstr(err.text, "secret"));
			continue;
		}
		buf_init(&got, 4096);
		chain_print(&chain, &got);
		assert_null(strstr(got.p, "secret"));
		assert_non_null(strstr(chain.elements[0].url, "secret"));
		buf_clear(&got);
		chain_clear(&chain);
	}
}

static void test_limits(void **state)
{
	struct err err;
	struct chain chain;
	struct buf text;

	(void)state;
	buf_init(&text, 2 * CHAIN_TEXT_MAX);
	for (int i = 0; i < CHAIN_ELEMENTS_MAX; i++)
		buf_printf(&text, "h%d.example,", i);
	assert_int_equal(chain_parse(buf_str(&text), &chain, &err), 0);
	assert_int_equal(chain.n, CHAIN_ELEMENTS_MAX);
	assert_string_equal(chain.elements[63].url, "https://h63.example");
	chain_clear(&chain);
	buf_add(&text, STR("one.example"));
	assert_int_equal(chain_parse(buf_str(&text), &chain, &err), -1);
	buf_clear(&text);

	while (text.n <= CHAIN_TEXT_MAX)
		buf_add_char(&text, ',');
	assert_int_equal(chain_parse(buf_str(&text), &chain, &err), -1);
	chain_clear(&chain);
	buf_clear(&text);
}

static void test_print(void **state)
{
	struct err err;
	struct chain chain;
	struct buf got;

	(void)state;
	buf_init(&got, 4096);
	assert_int_equal(chain_parse(STR("a.example/|https://u:p@b.example , direct,x"), &chain,
				     &err), 0);
	chain_print(&chain, &got);
	assert_string_equal(got.p, "https://a.example|https://b.example,direct");
	buf_clear(&got);
	chain_clear(&chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_no_secret_shows),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
