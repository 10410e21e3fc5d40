#include "program/admin.h"

#include <stdio.h>
#include <stdlib.h>

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
