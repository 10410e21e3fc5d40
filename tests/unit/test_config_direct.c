/* Expected values: go help vcs (GOVCS), git-config(1) (url.*.insteadOf), conf/goproxy.ini. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "state/config.h"

static const struct {
	const char *what, *rules, *root, *system;
	bool is_allowed;
} vcs_cases[] = {
	{ "git by default", "", "example.com/a", "git", true },
	{ "hg by default", "", "example.com/a", "hg", true },
	{ "svn not of the public", "", "example.com/a", "svn", false },
	{ "svn of the private", "", "corp.example/a", "svn", true },
	{ "public: off", "public:off", "example.com/a", "git", false },
	{ "which isn't for the private", "public:off", "corp.example/a", "git", true },
	{ "private: hg alone", "private:hg", "corp.example/a", "git", false },
	{ "the first pattern counts", "example.com/a:off,example.com:git", "example.com/a", "git", false },
	{ "the second for others", "example.com/a:off,example.com:git", "example.com/b", "git", true },
	{ "several systems", "*.com : hg | git", "example.com/b", "git", true },
	{ "all", "example.com:all", "example.com/b", "fossil", true },
};

static void test_vcs(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vcs_cases); i++) {
		struct config config = { 0 };

		config.direct.vcs = vcs_cases[i].rules;
		config.private_.modules = "corp.example";
		print_message("%s\n", vcs_cases[i].what);
		assert_int_equal(config_vcs_is_allowed(&config, str_of(vcs_cases[i].root), str_of(vcs_cases[i].system)),
				 vcs_cases[i].is_allowed);
	}
}

static const struct {
	const char *what, *rules, *url, *rewritten;
} rewrites[] = {
	{ "none", "", "https://git.example/a", "https://git.example/a" },
	{ "a host", "git.example/=ssh://git@git.example/", "https://git.example/a", "ssh://git@git.example/a" },
	{ "another host", "git.example/=ssh://git@git.example/", "https://git.example.com/a", "https://git.example.com/a" },
	{ "the longest counts", "git.example/=https://a.example/, git.example/b/=https://b.example/",
	  "https://git.example/b/c", "https://b.example/c" },
	{ "whole names only", "git.example/b/=https://b.example/", "https://git.example/bc", "https://git.example/bc" },
	{ "not of an http URL", "git.example/=https://b.example/", "http://git.example/a", "http://git.example/a" },
};

static void test_rewrite(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rewrites); i++) {
		struct pool *pool = pool_new();
		struct config config = { 0 };
		struct str url;

		config.direct.rewrite = rewrites[i].rules;
		url = config_rewrite(&config, pool, str_of(rewrites[i].url));
		print_message("%s\n", rewrites[i].what);
		assert_true(str_is_equal(url, str_of(rewrites[i].rewritten)));
		pool_free(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vcs),
		cmocka_unit_test(test_rewrite),
	};

	return cmocka_run_group_tests_name("config_direct", tests, NULL, NULL);
}
