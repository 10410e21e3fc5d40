/*
 * access.h: who somebody is, and what that one may. The two values of
 * Authorization with base64 were made by: printf %s USER:PASSWORD | base64
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/access.h"

#define HEX   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TOKEN "goproxy_" HEX
#define HASH  "bd4d007275e38f933bcee379c582eb00eeace1181a1095431fabe24ba45546a0"
/* x:TOKEN; alice:secret */
#define BASIC_TOKEN "eDpnb3Byb3h5XzAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define BASIC_OTHER "YWxpY2U6c2VjcmV0"

static const struct {
	const char *what;
	const char *authorization, *remote_user, *auth_type, *cert_verify, *cert_cn;
	const char *user; /* NULL: nobody */
} senders[] = {
	{ "nobody", "", "", "", "", "", NULL },
	{ "an account", "", "alice", "Basic", "", "", "alice" },
	{ "nginx without auth_basic", "Basic " BASIC_OTHER, "alice", "", "", "", NULL },
	{ "a type without a name", "", "", "Basic", "", "", NULL },
	{ "a token by itself", "Bearer " TOKEN, "", "", "", "", "tom" },
	{ "in any case, with blanks", "bearer   " TOKEN " ", "", "", "", "", "tom" },
	{ "as a password", "Basic " BASIC_TOKEN, "", "", "", "", "tom" },
	{ "a token is stronger", "Bearer " TOKEN, "alice", "Basic", "SUCCESS", "carol", "tom" },
	{ "a wrong one is nobody's", "Bearer goproxy_00", "alice", "Basic", "SUCCESS", "carol", NULL },
	{ "another's bearer is no token", "Bearer eyJhbGciOi", "alice", "Bearer", "", "", "alice" },
	{ "of another scheme", "Digest " TOKEN, "", "", "", "", NULL },
	{ "cut", "Bearer goproxy_" , "", "", "", "", NULL },
	{ "no base64", "Basic !!!", "", "", "", "", NULL },
	{ "no colon", "Basic Z29wcm94eQ==", "", "", "", "", NULL },
	{ "no scheme", TOKEN, "", "", "", "", NULL },
	{ "a certificate", "", "", "", "SUCCESS", "carol", "carol" },
	{ "not verified", "", "", "", "NONE", "carol", NULL },
	{ "failed", "", "", "", "FAILED:expired", "carol", NULL },
	{ "without a name", "", "", "", "SUCCESS", "", NULL },
	{ "an account is stronger", "", "alice", "Basic", "SUCCESS", "carol", "alice" },
};

#define RULES                                                                                       \
	"corp.example/secret/* = @sec bob, corp.example/all = anonymous, corp.example/Case = bob, " \
	"corp.example/nobody = nobody, corp.example = *"

static const struct {
	const char *module, *user; /* user NULL: nobody */
	enum err_kind kind;
} asked[] = {
	{ "corp.example/x", "alice", ERR_NONE },
	{ "corp.example/x", NULL, ERR_UNKNOWN_USER },
	{ "corp.example/secret/x", "bob", ERR_NONE },
	{ "corp.example/secret/x", "sam", ERR_NONE }, /* of the group */
	{ "corp.example/secret/x", "alice", ERR_FORBIDDEN },
	{ "corp.example/secret/x", "@sec", ERR_FORBIDDEN },
	{ "corp.example/secret/x", NULL, ERR_UNKNOWN_USER },
	{ "corp.example/Secret/x", "alice", ERR_FORBIDDEN },
	{ "corp.example/SECRET/x/v2", "sam", ERR_NONE },
	{ "corp.example/secret", "alice", ERR_NONE }, /* another module */
	{ "corp.example/all", NULL, ERR_NONE },
	{ "corp.example/all", "alice", ERR_NONE },
	{ "corp.example/case", "alice", ERR_FORBIDDEN },
	{ "corp.example/nobody", "alice", ERR_FORBIDDEN },
	{ "corp.example/nobody", "*", ERR_FORBIDDEN },
	{ "other.example/x", "alice", ERR_FORBIDDEN }, /* no rule */
	{ "other.example/x", NULL, ERR_UNKNOWN_USER },
};

struct place {
	char groups[64], tokens[64];
	struct config config;
	struct access *access;
};

static void write_file(char path[64], const char *text)
{
	int fd;

	snprintf(path, 64, "/tmp/goproxy-unit-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	struct place *place = mem_alloc(sizeof(*place));
	struct buf problems;

	write_file(place->groups, "sec: sam\n");
	write_file(place->tokens, "tom " HASH "\n");
	setenv("GOPROXY_PRIVATE_GROUPS_FILE", place->groups, 1);
	setenv("GOPROXY_PRIVATE_TOKENS_FILE", place->tokens, 1);
	setenv("GOPROXY_PRIVATE_CLIENT_CERT", "cn", 1);
	setenv("GOPROXY_PRIVATE_READ", RULES, 1);
	setenv("GOPROXY_PRIVATE_WRITE", "corp.example/secret/x = bob", 1);
	buf_init(&problems, CONFIG_PROBLEMS_BYTES);
	assert_int_equal(config_load(&place->config, "/dev/null", "./x", &problems), 0);
	place->access = access_new(&place->config);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	access_free(place->access);
	config_clear(&place->config);
	unlink(place->groups);
	unlink(place->tokens);
	free(place);
	return 0;
}

static void test_senders(void **state)
{
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		struct http_request r = {
			.pool = pool_new(),
			.authorization = str_of(senders[i].authorization),
			.remote_user = str_of(senders[i].remote_user),
			.auth_type = str_of(senders[i].auth_type),
			.cert_verify = str_of(senders[i].cert_verify),
			.cert_cn = str_of(senders[i].cert_cn),
		};
		struct str user = STR("");
		bool is_known = access_user(place->access, &r, &user);

		print_message("%s\n", senders[i].what);
		assert_int_equal(is_known, senders[i].user != NULL);
		if (is_known)
			assert_true(str_is_equal(user, str_of(senders[i].user)));
		pool_free(r.pool);
	}
	place->config.private_.client_cert = CONFIG_CERT_OFF;
	struct http_request r = { .cert_verify = STR("SUCCESS"), .cert_cn = STR("carol") };
	struct str user;
	assert_false(access_user(place->access, &r, &user));
}

static void test_rights(void **state)
{
	struct place *place = *state;

	for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
		struct http_request r = { .auth_type = STR("Basic"), .remote_user = str_of(asked[i].user) };
		struct err err = { 0 };
		int rc = access_check(place->access, &r, str_of(asked[i].module), ACCESS_READ, &err);

		print_message("%s %s: %s\n", asked[i].module, asked[i].user ? asked[i].user : "", err.text);
		assert_int_equal(err.kind, asked[i].kind);
		assert_int_equal(rc, asked[i].kind == ERR_NONE ? 0 : -1);
		/* Other rules, so that who may read may not write by that. */
		rc = access_check(place->access, &r, str_of(asked[i].module), ACCESS_WRITE, &err);
		assert_int_equal(rc, strcasecmp(asked[i].module, "corp.example/secret/x") == 0 && asked[i].user &&
					     strcmp(asked[i].user, "bob") == 0 ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_senders, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
