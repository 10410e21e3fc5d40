/*
 * Expected values: go.dev/ref/mod#vcs-find and the cases of cmd/go's
 * vcs/discovery_test.go and vcs_test.go (1.26), told anew, and what its
 * parseMetaGoImports says of the other pages; where ours is another, the text says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gomod/goimport.h"

#define YES META("a.b git https://x.example/y")
#define META(content) "<meta name=\"go-import\" content=\"" content "\">"

static const struct {
	const char *what, *html;
	const char *tags; /* PREFIX VCS REPO [SUBDIR];... */
} pages[] = {
	{ "one tag", META("foo/bar git https://github.com/rsc/foo/bar"),
	  "foo/bar git https://github.com/rsc/foo/bar;" },
	{ "two tags",
	  META("foo/bar git https://github.com/rsc/foo/bar") META("baz/quux git http://github.com/rsc/baz/quux"),
	  "foo/bar git https://github.com/rsc/foo/bar;baz/quux git http://github.com/rsc/baz/quux;" },
	{ "four fields: a directory", META("foo/bar git https://github.com/rsc/foo/bar sub/dir"),
	  "foo/bar git https://github.com/rsc/foo/bar sub/dir;" },
	{ "five fields are no tag", META("foo/bar git https://github.com/rsc/foo/bar sub/dir x"), "" },
	{ "two fields are no tag", META("foo/bar git"), "" },
	{ "blanks of any kind between", META("foo/bar\n\tgit   https://x.example/y"), "foo/bar git https://x.example/y;" },
	{ "another name", "<meta name=\"go-source\" content=\"foo/bar git https://x.example/y\">", "" },
	{ "attributes and tags in any case", "<HEAD><META NAME=\"go-import\" CONTENT=\"a.b git https://x.example/y\">",
	  "a.b git https://x.example/y;" },
	{ "no quotes, no end tags, no head", "<!DOCTYPE html><title>x<meta name=go-import content='a.b git https://x.example/y'>",
	  "" /* within the title: text */ },
	{ "single quotes", "<meta name='go-import' content='a.b git https://x.example/y'/>", "a.b git https://x.example/y;" },
	{ "entities are decoded", META("a.b git https://x.example/y?a=1&amp;b=2"), "a.b git https://x.example/y?a=1&b=2;" },
	{ "a tag in a comment", "<!-- " META("a.b git https://x.example/y") " -->", "" },
	{ "a tag in a script's text", "<script>" META("a.b git https://x.example/y") "</script>", "" },
	{ "behind a script with '<'", "<script>if (a<b) {}</script>" META("a.b git https://x.example/y"),
	  "a.b git https://x.example/y;" },
	{ "in the body", "<head></head><body>" META("a.b git https://x.example/y") "</body>", "" },
	{ "behind the head's end", "<head><title>x</title></head>" YES "<body>", "" },
	{ "behind a paragraph", "<head><p>" YES, "a.b git https://x.example/y;" },
	{ "behind text, without head and body", "<!DOCTYPE html>\nHello " YES, "a.b git https://x.example/y;" },
	{ "in a noscript", "<html><head><noscript>" YES "</noscript></head></html>", "a.b git https://x.example/y;" },
	{ "in a div", "<head><title>x</title><div>" YES "</div></head>", "a.b git https://x.example/y;" },
	{ "in a template", "<head><template>" YES "</template></head>", "a.b git https://x.example/y;" },
	{ "behind an svg", "<head><svg><title>x</title></svg>" YES "</head>", "a.b git https://x.example/y;" },
	{ "in a table, in the page's order",
	  "<table><tr><td>" META("a.a git https://x.example/1") "</td></tr>" META("a.b git https://x.example/2") "</table>",
	  "a.a git https://x.example/1;a.b git https://x.example/2;" },
	{ "behind a head that a div has ended, and its end", "<head><div></div></head>" YES, "" },
	{ "behind a body that a div has begun, and its tag", "<head><div></div><BODY\nclass=x>" YES, "" },
	{ "behind a body in a comment", "<head><!-- <body> </head> -->" YES, "a.b git https://x.example/y;" },
	{ "behind a body that isn't in the comment", "<!--> <body> -->" YES, "" },
	{ "behind a body in a script", "<script>x = '<body>'</script>" YES, "" /* as for encoding/xml */ },
	{ "behind a bodyguard", "<bodyguard>" YES, "a.b git https://x.example/y;" },
	{ "blanks of Unicode between",
	  META("a.b\xc2\xa0git\xe2\x80\x8a\xe3\x80\x80https://x.example/y\xe2\x80\xa8") META("a.\xc2\xa1 git\xe2\x80\x8b x"),
	  "a.b git https://x.example/y;a.\xc2\xa1 git\xe2\x80\x8b x;" },
	{ "a mod tag supersedes the other of its prefix",
	  META("foo/bar git https://x.example/g") META("foo/bar mod https://x.example/m"), "foo/bar mod https://x.example/m;" },
	{ "and stands before the others",
	  META("foo/baz git https://x.example/g") META("foo/bar mod https://x.example/m"),
	  "foo/bar mod https://x.example/m;foo/baz git https://x.example/g;" },
	{ "nothing", "", "" },
	{ "no HTML", "{\"go-import\": 1}", "" },
	{ "broken markup", "<meta <meta name=\"go-import\" content=\"a.b git https://x.example/y\" <", "" },
};

static void test_parse(void **state)
{
	static struct goimport tags[GOIMPORT_TAGS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct pool *pool = pool_new();
		size_t n = goimport_parse(pool, str_of(pages[i].html), tags);
		struct buf got;

		buf_init(&got, 4096);
		for (size_t k = 0; k < n; k++)
			buf_printf(&got, "%.*s %.*s %.*s%s%.*s;", STR_ARG(tags[k].prefix), STR_ARG(tags[k].vcs),
				   STR_ARG(tags[k].repo), tags[k].subdir.n > 0 ? " " : "", STR_ARG(tags[k].subdir));
		print_message("%s\n", pages[i].what);
		assert_string_equal(got.p ? got.p : "", pages[i].tags);
		buf_clear(&got);
		pool_free(pool);
	}
}

static const struct {
	const char *what, *html, *path;
	const char *repo; /* NULL: none */
} matches[] = {
	{ "the path itself", META("foo/bar git https://x.example/1"), "foo/bar", "https://x.example/1" },
	{ "something below it", META("foo/bar git https://x.example/1"), "foo/bar/baz", "https://x.example/1" },
	{ "not a longer name", META("foo/bar git https://x.example/1"), "foo/barbaz", NULL },
	{ "not what is above", META("foo/bar git https://x.example/1"), "foo", NULL },
	{ "the one that matches", META("a.b git https://x.example/1") META("foo git https://x.example/2"), "foo/x",
	  "https://x.example/2" },
	{ "two that match", META("foo git https://x.example/1") META("foo/x git https://x.example/2"), "foo/x", NULL },
	{ "mod before git", META("foo git https://x.example/1") META("foo/x mod https://x.example/2"), "foo/x",
	  "https://x.example/2" },
	{ "two for mod", META("foo mod https://x.example/1") META("foo/x mod https://x.example/2"), "foo/x", NULL },
};

static void test_match(void **state)
{
	static struct goimport tags[GOIMPORT_TAGS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(matches); i++) {
		struct pool *pool = pool_new();
		size_t n = goimport_parse(pool, str_of(matches[i].html), tags);
		const struct goimport *match = NULL;
		struct err err = { 0 };
		int rc = goimport_match(tags, n, str_of(matches[i].path), &match, &err);

		print_message("%s\n", matches[i].what);
		assert_int_equal(rc, matches[i].repo ? 0 : -1);
		assert_int_equal(err.kind, matches[i].repo ? ERR_NONE : ERR_NOT_FOUND);
		if (rc == 0)
			assert_true(str_is_equal(match->repo, str_of(matches[i].repo)));
		pool_free(pool);
	}
}

/* A page may be as long as it likes, but is looked at so far and no further. */
static void test_limits(void **state)
{
	static const struct {
		const char *before;
		size_t times, n;
	} cases[] = { { "<p>", 1000, 1 }, { "<p>", 1024, 0 }, { "<div>", 50000, 0 }, { "          ", 6000, 1 }, { "          ", 7000, 0 } };
	static struct goimport tags[GOIMPORT_TAGS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pool *pool = pool_new();
		struct buf page;

		buf_init(&page, 1 << 20);
		for (size_t k = 0; k < cases[i].times; k++)
			buf_add(&page, str_of(cases[i].before));
		buf_add(&page, STR(META("a.b git https://x.example/y")));
		assert_int_equal(goimport_parse(pool, buf_str(&page), tags), cases[i].n);
		buf_clear(&page);
		pool_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("goimport", tests, NULL, NULL);
}
