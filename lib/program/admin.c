#include "program/admin.h"

#include <stdio.h>
#include <stdlib.h>

#include "state/accounts.h"
#include "state/config.h"

#define TEXT_MAX 65536

static int print(struct buf *buf, FILE *stream)
{
	bool is_written = fwrite(buf->p ? buf->p : "", 1, buf->n, stream) == buf->n &&
			  fflush(stream) == 0;

	buf_clear(buf);
	return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int admin_check_config(const char *config_option, const char *program_path)
{
	struct config config;
	struct buf problems, text;
	int rc;

	buf_init(&problems, CONFIG_PROBLEMS_BYTES);
	buf_init(&text, TEXT_MAX);
	if (config_load(&config, config_option, program_path, &problems) != 0) {
		print(&problems, stderr);
		rc = EXIT_FAILURE;
	} else {
		config_print(&config, &text);
		rc = print(&text, stdout);
	}
	buf_clear(&problems);
	config_clear(&config);
	return rc;
}

int admin_sample_config(void)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	config_sample(&text);
	return print(&text, stdout);
}

int admin_token(const char *user)
{
	char token[ACCOUNTS_TOKEN_SIZE], hash[ACCOUNTS_HASH_SIZE];
	struct err err = { 0 };

	if (!accounts_is_name(str_of(user))) {
		fprintf(stderr, "goproxy.fcgi: token needs a user's name, without blanks , = : # or a '@' "
			"before it\n");
		return EXIT_FAILURE;
	}
	if (accounts_make_token(token, hash, &err) != 0) {
		fprintf(stderr, "goproxy.fcgi: %s\n", err.text);
		return EXIT_FAILURE;
	}
	printf("# The token, for ~/.netrc: machine THIS-HOST login %s password ...; it is kept nowhere.\n%s\n"
	       "# The line for [private] tokens_file; a last day, like 2027-12-31, may stand behind it.\n%s %s\n",
	       user, token, user, hash);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
