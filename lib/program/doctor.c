#include "program/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gomod/module.h"
#include "origin/direct.h"
#include "program/owner.h"
#include "program/responder.h"
#include "program/wait.h"

struct examined {
	struct pool *pool;
	struct str module, escaped;
	bool is_good;
};

static void tell(void *arg, bool is_good, const char *what, const char *text)
{
	struct examined *examined = arg;

	examined->is_good = examined->is_good && is_good;
	printf("%-5s %-24s %s\n", is_good ? "ok" : "WRONG", what, pool_clean(examined->pool, str_of(text)).p);
	fflush(stdout);
}

/* False if a directory can't be written to, and that is told. */
static bool check_place(struct examined *examined, const char *path)
{
	struct stat st = { 0 };
	int why = 0;
	struct str text;

	if (stat(path, &st) != 0)
		why = errno;
	else if (!S_ISDIR(st.st_mode))
		why = ENOTDIR;
	else if (access(path, R_OK | W_OK | X_OK) != 0)
		why = errno;
	if (why == 0)
		return true;
	text = pool_printf(examined->pool, "'%s' can't be written: %s", path, strerror(why));
	if (why == EACCES && st.st_mode != 0)
		text = pool_printf(examined->pool, "%.*s; it belongs to %s, and this is %s", STR_ARG(text),
				   owner_name(examined->pool, st.st_uid), owner_name(examined->pool, geteuid()));
	tell(examined, false, "store", text.p);
	return false;
}

/* The cache, what is made in it first, and the module's own place. */
static void tell_store(struct examined *examined, const struct config *config)
{
	const char *part = config_is_private(config, examined->module) ? "private/" : "";
	const char *const below[] = {
		"tmp", "private", "download", "mutable", "private/download", "private/mutable",
		pool_printf(examined->pool, "%sdownload/%.*s/@v", part, STR_ARG(examined->escaped)).p,
	};
	bool is_good = check_place(examined, config->cache.dir);

	for (size_t i = 0; i < ARRAY_LEN(below) && is_good; i++) {
		const char *path = pool_printf(examined->pool, "%s/%s", config->cache.dir, below[i]).p;

		is_good = access(path, F_OK) != 0 || check_place(examined, path);
	}
	if (is_good)
		tell(examined, true, "store", config->cache.dir);
}

static const char *access_text(const struct config *config, struct pool *pool, struct str module)
{
	const char *readers = config_may(&config->private_.read, module);

	if (!*readers)
		return "private, and [private] read lets nobody have it";
	return pool_printf(pool, "private; [private] read lets these have it: %s", readers).p;
}

static void tell_rules(struct examined *examined, const struct config *config, struct str module)
{
	const struct config_sumdb *sumdb;

	if (config_is_private(config, module))
		tell(examined, *config_may(&config->private_.read, module) != '\0', "who may have it",
		     access_text(config, examined->pool, module));
	else
		tell(examined, true, "who may have it", "everybody: [private] modules doesn't name it");
	switch (sumdbs_rule_of(config, module, &sumdb)) {
	case SUMDBS_CHECK:
		tell(examined, true, "checksum database", sumdb->name);
		break;
	case SUMDBS_SKIP:
		tell(examined, true, "checksum database", "none is asked about it");
		break;
	case SUMDBS_DENY:
		tell(examined, false, "checksum database", "[sumdb] policy denies it");
		break;
	}
}

/* By the whole chain, as a request for its list would. */
static void tell_chain(struct examined *examined, struct responder *rooms, struct str module)
{
	struct upstream_result result;
	struct str body;

	wait_for_upstream(rooms->upstream, examined->pool,
			  pool_printf(examined->pool, "%.*s/@v/list", STR_ARG(examined->escaped)).p, module, &body, &result);
	if (result.outcome == UPSTREAM_GOT)
		tell(examined, true, "the chain",
		     pool_printf(examined->pool, "%s has a list of %zu bytes", result.shown, body.n).p);
	else if (result.outcome == UPSTREAM_ABSENT)
		tell(examined, false, "the chain",
		     pool_printf(examined->pool, "%s: %d: %.*s", result.shown, result.status,
				 STR_ARG(str_trim(result.text))).p);
	else
		tell(examined, false, "the chain", result.err.text);
}

/* Does the chain come to repositories for this module at all? */
static bool can_be_direct(const struct config *config, struct str module)
{
	const struct chain *chain = &config->upstream.chain;

	return direct_is_forced(config, module) ||
	       (chain->n > 0 && chain->elements[chain->n - 1].kind == CHAIN_DIRECT);
}

static int examine(struct examined *examined, struct responder *rooms, struct str module)
{
	const struct config *config = rooms->config;

	tell_store(examined, config);
	tell_rules(examined, config, module);
	tell_chain(examined, rooms, module);
	if (can_be_direct(config, module)) {
		printf("      straight from its repository, %s:\n",
		       direct_is_forced(config, module) ? "by [direct] modules or [private] modules"
							: "where the chain comes to direct");
		direct_examine(rooms->direct, module, tell, examined);
	} else {
		tell(examined, true, "its repository",
		     "isn't asked: the chain has no direct, and [direct] modules doesn't name it");
	}
	return examined->is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int doctor_run(const struct config *config, const char *text)
{
	struct examined examined = { .pool = pool_new(), .module = str_of(text), .is_good = true };
	struct responder rooms = { 0 };
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	if (module_path_check(examined.module, &err) != 0 ||
	    module_escape_path(examined.pool, examined.module, &examined.escaped, &err) != 0) {
		tell(&examined, false, "its path", err.text);
	} else if (owner_check(config->cache.dir, "doctor", &err) != 0) {
		tell(&examined, false, "store", err.text);
	} else if (responder_open(&rooms, config, -1, 2, &err) != 0) {
		fprintf(stderr, "goproxy.fcgi: %s\n", err.text);
	} else {
		responder_unblock_signals();
		status = examine(&examined, &rooms, examined.module);
	}
	if (rooms.config)
		responder_close(&rooms);
	pool_free(examined.pool);
	return status;
}
