/*
 * accounts.h: two files that change while they are asked. The lines for groups
 * are those of httpd's documentation of AuthGroupFile; the hash of the token was
 * made by: printf %s TOKEN | sha256sum
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state/accounts.h"

#define TOKEN "goproxy_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH  "bd4d007275e38f933bcee379c582eb00eeace1181a1095431fabe24ba45546a0"

static char path[64];

static void write_file(const char *text, mode_t mode)
{
	char new_path[80];
	FILE *file;

	/* As an editor does: another inode each time, so that no clock is too coarse. */
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	file = fopen(new_path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(new_path, mode);
	assert_int_equal(rename(new_path, path), 0);
}

static int setup(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/goproxy-unit-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

static bool has(struct accounts *accounts, const char *group, const char *user)
{
	return accounts_has_member(accounts, str_of(group), str_of(user));
}

static void test_groups(void **state)
{
	struct accounts *accounts;

	write_file("# people\n\nanne: joe  bob\tandrew\r\nsec:\nanne: zoe\n", 0600);
	accounts = accounts_new(path, "");
	assert_true(has(accounts, "anne", "joe"));
	assert_true(has(accounts, "anne", "andrew"));
	assert_true(has(accounts, "anne", "zoe"));
	assert_false(has(accounts, "anne", "jo"));
	assert_false(has(accounts, "sec", "joe"));
	assert_false(has(accounts, "", "joe"));
	assert_false(has(accounts, "people", ""));
	accounts_free(accounts);
	accounts = accounts_new("", "");
	assert_false(has(accounts, "anne", "joe"));
	accounts_free(accounts);
}

static void test_change(void **state)
{
	struct accounts *accounts;

	write_file("g: a\n", 0600);
	accounts = accounts_new(path, "");
	assert_true(has(accounts, "g", "a"));
	write_file("g: b\n", 0600);
	assert_true(has(accounts, "g", "a")); /* once a second */
	accounts_look_again(accounts);
	assert_false(has(accounts, "g", "a"));
	assert_true(has(accounts, "g", "b"));
	write_file("g b\n", 0600); /* broken: the last good one counts */
	accounts_look_again(accounts);
	assert_true(has(accounts, "g", "b"));
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0); /* there, but not to be read */
	accounts_look_again(accounts);
	assert_true(has(accounts, "g", "b"));
	assert_int_equal(rmdir(path), 0); /* gone: that is meant */
	accounts_look_again(accounts);
	assert_false(has(accounts, "g", "b"));
	write_file("g: b\n", 0600);
	accounts_look_again(accounts);
	assert_true(has(accounts, "g", "b"));
	write_file("", 0600);
	accounts_look_again(accounts);
	assert_false(has(accounts, "g", "b"));
	accounts_free(accounts);
}

/* What an administrator is told of them. */
static void test_check(void **state)
{
	struct accounts *accounts;
	struct err err = { 0 };

	write_file("g: a b\nh: a\ng: b c\nempty:\n", 0600);
	accounts = accounts_new(path, "");
	assert_int_equal(accounts_group_size(accounts, STR("g")), 3);
	assert_int_equal(accounts_group_size(accounts, STR("h")), 1);
	assert_int_equal(accounts_group_size(accounts, STR("empty")), 0);
	assert_int_equal(accounts_group_size(accounts, STR("other")), 0);
	assert_int_equal(accounts_check(accounts, ACCOUNTS_GROUPS, &err), 0);
	assert_int_equal(accounts_check(accounts, ACCOUNTS_TOKENS, &err), 0);
	write_file("g: a\nnonsense\n", 0600);
	accounts_look_again(accounts);
	assert_int_equal(accounts_check(accounts, ACCOUNTS_GROUPS, &err), -1);
	assert_string_equal(err.text, "line 2 isn't \"GROUP: USER USER\"");
	/* As an editor elsewhere may begin it: else the first group is none that anybody means. */
	write_file("\xef\xbb\xbfg: a\n", 0600);
	accounts_look_again(accounts);
	assert_int_equal(accounts_check(accounts, ACCOUNTS_GROUPS, &err), -1);
	assert_string_equal(err.text, "it begins with a byte order mark: save it as UTF-8 without one");
	write_file("g: a\n", 0600);
	accounts_look_again(accounts);
	err = (struct err){ 0 };
	assert_int_equal(accounts_check(accounts, ACCOUNTS_GROUPS, &err), 0);
	accounts_free(accounts);
}

static void test_tokens(void **state)
{
	static const struct {
		const char *what, *text;
		enum accounts_found found;
	} cases[] = {
		{ "a token", "# a\nalice %s\n", ACCOUNTS_GOOD },
		{ "capitals, no newline", "alice\t%s", ACCOUNTS_GOOD },
		{ "until the end of days", "alice %s 2099-12-31\n", ACCOUNTS_GOOD },
		{ "over", "alice %s 2020-02-29\n", ACCOUNTS_EXPIRED },
		{ "no such day", "alice %s 2099-12-32\n", ACCOUNTS_UNKNOWN },
		{ "a word too many", "alice %s 2099-12-31 x\n", ACCOUNTS_UNKNOWN },
		{ "another's", "alice 00%.62s\n", ACCOUNTS_UNKNOWN },
		{ "cut", "alice %.62s\n", ACCOUNTS_UNKNOWN },
		{ "a byte order mark before it", "\xef\xbb\xbf" "alice %s\n", ACCOUNTS_UNKNOWN },
		{ "no name", "%s\n", ACCOUNTS_UNKNOWN },
		{ "a group's name", "@alice %s\n", ACCOUNTS_UNKNOWN },
		{ "everybody's", "* %s\n", ACCOUNTS_UNKNOWN },
		{ "one line is broken", "alice %s\nbob\n", ACCOUNTS_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char token[ACCOUNTS_TOKEN_SIZE], hash[ACCOUNTS_HASH_SIZE], text[256];
		struct pool *pool = pool_new();
		struct str user = STR("");
		struct err err = { 0 };
		struct accounts *accounts;

		print_message("%s\n", cases[i].what);
		assert_int_equal(accounts_make_token(token, hash, &err), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), cases[i].text, hash);
#pragma GCC diagnostic pop
		write_file(text, 0600);
		accounts = accounts_new("", path);
		assert_int_equal(accounts_find_token(accounts, pool, str_of(token), &user), cases[i].found);
		assert_true(str_is_equal(user, cases[i].found == ACCOUNTS_UNKNOWN ? STR("") : STR("alice")));
		assert_int_equal(accounts_find_token(accounts, pool, str_of(hash), &user), ACCOUNTS_UNKNOWN);
		assert_int_equal(accounts_find_token(accounts, pool, STR(""), &user), ACCOUNTS_UNKNOWN);
		accounts_free(accounts);
		pool_free(pool);
	}
}

static void test_hash(void **state)
{
	struct pool *pool = pool_new();
	struct accounts *accounts;
	struct str user = STR("");

	write_file("bob " HASH "\n", 0600);
	accounts = accounts_new("", path);
	assert_true(accounts_is_token(STR(TOKEN)));
	assert_false(accounts_is_token(STR("secret")));
	assert_int_equal(accounts_find_token(accounts, pool, STR(TOKEN), &user), ACCOUNTS_GOOD);
	accounts_free(accounts);
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
