/*
 * goproxy.fcgi - a Go module proxy as a FastCGI responder and CGI program.
 *
 * Reads the command line and hands over to lib/program.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "origin/vcs.h"
#include "program/admin.h"
#include "program/doctor.h"
#include "program/explain.h"
#include "program/publisher.h"
#include "program/responder.h"
#include "program/server.h"
#include "program/verify.h"

static const char usage_text[] =
	"goproxy.fcgi " GOPROXY_VERSION " - a Go module proxy for the web server you have\n"
	"\n"
	"usage:\n"
	"  goproxy.fcgi                  answer FastCGI on descriptor 0, or one CGI request\n"
	"  goproxy.fcgi serve            manage a pool of responders\n"
	"      --listen unix:PATH        on this socket,\n"
	"      --listen ADDRESS:PORT     or this one; [server] listen and systemd's do as well\n"
	"  goproxy.fcgi verify [PATTERN] hash every file in the cache again, and hold it against the\n"
	"                                checksum database's signed tree; needs no network\n"
	"      --repair                  fetch again what is wrong, and proofs that are missing\n"
	"      --quick                   don't unpack zips that lie as they did when they were proven\n"
	"      --json                    an object a line for each fault, and one for all\n"
	"                                exit status: 0 all right, 1 repaired, 4 wrong, 8 trouble\n"
	"  goproxy.fcgi explain MODULE@VERSION\n"
	"                                the proof in words, and where the files came from\n"
	"  goproxy.fcgi doctor MODULE    step by step: who has it, where its repository is, and what\n"
	"                                is wrong\n"
	"  goproxy.fcgi publish DIR|ZIP --as MODULE@VERSION\n"
	"                                put a version of a private module into the store\n"
	"  goproxy.fcgi token USER       make a token that stands for a user of private modules\n"
	"  goproxy.fcgi check-config     print the settings in effect, or what is wrong\n"
	"  goproxy.fcgi sample-config    print the documented settings\n"
	"\n"
	"  --config FILE                 read the settings here; else $GOPROXY_CONFIG,\n"
	"                                goproxy.ini beside the program, /etc/goproxy/goproxy.ini\n"
	"  --version, --help\n";

struct command_line {
	const char *config;
	const char *listen;
	const char *command;  /* NULL: none */
	const char *argument; /* of verify, explain, doctor, publish, token; NULL: none */
	const char *as;
	bool must_repair, is_quick, is_json;
};

/* Commands that need the settings, and may have an argument; and others that have one. */
static bool has_settings(const char *command)
{
	static const char *const names[] = { "serve", "verify", "explain", "doctor", "publish" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(command, names[i]) == 0)
			return true;
	return false;
}

static int usage(FILE *stream, int status)
{
	fputs(usage_text, stream);
	return status;
}

static bool is_command(const struct command_line *line, const char *name)
{
	return strcmp(line->command, name) == 0;
}

/* Returns -1 to go on, else an exit status. */
static int parse(int argc, char **argv, struct command_line *line)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "as", required_argument, NULL, 'a' },
		{ "repair", no_argument, NULL, 'r' },
		{ "quick", no_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			line->config = optarg;
			break;
		case 'l':
			line->listen = optarg;
			break;
		case 'a':
			line->as = optarg;
			break;
		case 'r':
			line->must_repair = true;
			break;
		case 'q':
			line->is_quick = true;
			break;
		case 'j':
			line->is_json = true;
			break;
		case 'v':
			puts("goproxy.fcgi " GOPROXY_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout, EXIT_SUCCESS);
		default:
			return usage(stderr, EXIT_FAILURE);
		}
	}
	line->command = argv[optind];
	if (line->command && !is_command(line, "serve") &&
	    (has_settings(line->command) || is_command(line, "token")))
		line->argument = argv[++optind];
	return argc - optind > 1 ? usage(stderr, EXIT_FAILURE) : -1;
}

static bool is_listening(int fd)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &n) == 0 && value != 0;
}

static int run_command(struct config *config, const struct command_line *line,
		       const char *program_path)
{
	const struct verify_options options = { line->must_repair, line->is_quick, line->is_json, line->argument };
	const char *argument = line->argument ? line->argument : "";

	if (is_command(line, "serve"))
		return server_run(config, program_path, line->config, line->listen);
	/* A person or cron reads it: what goes on by itself is no news. */
	if (config->log.level == LOG_INFO)
		log_set_level(LOG_WARN);
	if (is_command(line, "verify"))
		return verify_run(config, &options);
	if (is_command(line, "doctor"))
		return doctor_run(config, argument);
	if (is_command(line, "publish"))
		return publisher_run(config, argument, line->as ? line->as : "");
	return explain_run(config, argument);
}

static int run(const struct command_line *line, const char *program_path)
{
	struct config config;
	struct buf problems;
	int status;

	buf_init(&problems, CONFIG_PROBLEMS_BYTES);
	if (config_load(&config, line->config, program_path, &problems) != 0) {
		fprintf(stderr, "goproxy.fcgi: cannot start, the settings are wrong:\n%s", problems.p);
		if (getenv("REQUEST_METHOD"))
			puts("Status: 500\r\nContent-Type: text/plain\r\n\r\n"
			     "goproxy.fcgi: the settings are wrong; see the web server's error log\r");
		status = EXIT_FAILURE;
	} else {
		log_set_level(config.log.level);
		if (line->command)
			status = run_command(&config, line, program_path);
		else if (is_listening(STDIN_FILENO))
			status = responder_run_fcgi(&config, STDIN_FILENO);
		else
			status = responder_run_cgi(&config);
	}
	buf_clear(&problems);
	config_clear(&config);
	return status;
}

int main(int argc, char **argv)
{
	struct command_line line = { 0 };
	int fd;
	bool is_cgi = getenv("REQUEST_METHOD") != NULL;
	int status = -1;

	if (vcs_is_ssh())
		return vcs_ssh(argc, argv);
	/* What is closed here would be taken by a file of ours. */
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
		;
	close(fd);
	/* A CGI process' arguments come from the query: never ours to read (RFC 3875, 4.4). */
	if (!is_cgi || is_listening(STDIN_FILENO))
		status = parse(argc, argv, &line);
	if (status >= 0)
		return status;
	if (!line.command) {
		if (!is_cgi && !is_listening(STDIN_FILENO))
			return usage(stderr, EXIT_FAILURE);
		return run(&line, argv[0]);
	}
	if (has_settings(line.command))
		return run(&line, argv[0]);
	if (strcmp(line.command, "check-config") == 0)
		return admin_check_config(line.config, argv[0]);
	if (is_command(&line, "token"))
		return admin_token(line.argument ? line.argument : "");
	if (strcmp(line.command, "sample-config") == 0)
		return admin_sample_config();
	fprintf(stderr, "goproxy.fcgi: unknown command '%s'\n", line.command);
	return usage(stderr, EXIT_FAILURE);
}
