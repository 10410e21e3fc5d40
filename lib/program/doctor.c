#include "program/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gomod/info.h"
#include "gomod/list.h"
#include "gomod/module.h"
#include "origin/direct.h"
#include "program/owner.h"
#include "program/responder.h"
#include "program/wait.h"
#include "state/accounts.h"
#include "state/publish.h"

/* Versions that are named; of more the newest. */
#define LISTED_MAX 10

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

/* ---- the store ---- */

/* False if a directory can't be written to, and that is told. */
static bool check_place(struct examined *examined, const char *path)
{
	struct pool *pool = examined->pool;
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
	text = pool_printf(pool, "'%s' can't be written: %s", path, strerror(why));
	if (why == EACCES && st.st_mode != 0)
		text = pool_printf(pool, "%.*s; it belongs to %s, and this is %s", STR_ARG(text),
				   owner_name(pool, st.st_uid), owner_name(pool, geteuid()));
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

/* ---- who may have it ---- */

static void tell_file(struct examined *examined, struct accounts *accounts, enum accounts_file file,
		      const char *key, const char *path)
{
	struct err err = { 0 };

	if (accounts_check(accounts, file, &err) != 0)
		tell(examined, false, key, pool_printf(examined->pool, "'%s': %s", path, err.text).p);
}

/* "@sec (2)" for a group, and false if nobody is in it. */
static bool describe_group(struct pool *pool, const struct config *config, struct accounts *accounts,
			   struct str *word)
{
	size_t n = accounts_group_size(accounts, str_skip(*word, 1));

	if (n > 0)
		*word = pool_printf(pool, "%.*s (%zu)", STR_ARG(*word), n);
	else
		*word = pool_printf(pool, "%.*s (nobody%s)", STR_ARG(*word),
				    *config->private_.groups_file ? "" : ": [private] groups_file isn't set");
	return n > 0;
}

/* Those whom the rule names, and how many are in each group. */
static void tell_readers(struct examined *examined, const struct config *config)
{
	struct accounts *accounts = accounts_new(config->private_.groups_file, config->private_.tokens_file);
	struct str words = str_of(config_may(&config->private_.read, examined->module)), word;
	struct str text = STR("private; [private] read lets these have it:");
	bool is_good = words.n > 0;

	if (words.n == 0)
		text = STR("private, and [private] read lets nobody have it");
	while (words.n > 0 && str_cut(&words, ' ', &word)) {
		if (word.p[0] == '@' && !describe_group(examined->pool, config, accounts, &word))
			is_good = false;
		text = pool_printf(examined->pool, "%.*s %.*s", STR_ARG(text), STR_ARG(word));
	}
	tell(examined, is_good, "who may have it", text.p);
	tell_file(examined, accounts, ACCOUNTS_GROUPS, "groups_file", config->private_.groups_file);
	tell_file(examined, accounts, ACCOUNTS_TOKENS, "tokens_file", config->private_.tokens_file);
	accounts_free(accounts);
}

/* ---- a module that was uploaded ---- */

/* Its versions in words. Returns 0, FILE_ABSENT or -1. */
static int find_uploads(struct examined *examined, struct store *store, struct str *text, struct err *err)
{
	struct pool *pool = examined->pool;
	struct str list, version, info;
	size_t n;
	int rc;

	if (publish_list(store, pool, examined->escaped, &list, err) != 0)
		return -1;
	n = str_count(list, '\n');
	for (size_t i = LISTED_MAX; i < n; i++)
		str_cut(&list, '\n', &version);
	if (n > 0) {
		*text = pool_printf(pool, "%zu version%s%s", n, n > 1 ? "s" : "",
				    n > LISTED_MAX ? ", the newest:" : ":");
		while (list.n > 0 && str_cut(&list, '\n', &version))
			*text = pool_printf(pool, "%.*s %.*s", STR_ARG(*text), STR_ARG(version));
		return 0;
	}
	rc = publish_latest(store, pool, examined->escaped, &info, err);
	if (rc == 0 && info_check(pool, info, STR(""), &version, err) != 0)
		return -1;
	if (rc == 0)
		*text = pool_printf(pool, "pseudo-versions alone, the latest: %.*s", STR_ARG(version));
	return rc;
}

/* True if it lives here alone, so that nobody else is to be asked for it. */
static bool tell_home(struct examined *examined, struct responder *rooms)
{
	struct err err = { 0 };
	struct str text;
	int rc;

	if (!config_is_private(rooms->config, examined->module))
		return false;
	rc = publish_is_home(rooms->store, examined->escaped, &err);
	if (rc == 0)
		return false;
	if (rc > 0)
		rc = find_uploads(examined, rooms->store, &text, &err);
	if (rc == 0)
		tell(examined, true, "uploaded here",
		     pool_printf(examined->pool, "%.*s; nobody else is asked for it", STR_ARG(text)).p);
	else
		tell(examined, false, "uploaded here",
		     rc == -1 ? err.text : "but no version of it is whole: publish it again");
	return true;
}

/* ---- the chain ---- */

/* By the whole chain, as a request would; true with its answer. */
static bool ask_chain(struct examined *examined, struct responder *rooms, enum direct_kind kind,
		      struct str *body, const char **shown)
{
	const char *what = kind == DIRECT_LIST ? "@v/list" : "@latest";
	struct pool *pool = examined->pool;
	struct upstream_result result;

	wait_for_upstream(rooms->upstream, pool, pool_printf(pool, "%.*s/%s", STR_ARG(examined->escaped), what).p,
			  kind, examined->module, body, &result);
	*shown = result.shown;
	if (result.outcome == UPSTREAM_ABSENT)
		tell(examined, false, "the chain",
		     pool_printf(pool, "%s%s%d: %.*s", result.shown, *result.shown ? ": " : "", result.status,
				 STR_ARG(str_trim(result.text))).p);
	else if (result.outcome == UPSTREAM_FAILED)
		tell(examined, false, "the chain", result.err.text);
	return result.outcome == UPSTREAM_GOT;
}

static bool refuse(struct examined *examined, const char *shown, const struct err *err)
{
	tell(examined, false, "the chain", pool_printf(examined->pool, "%s: %s", shown, err->text).p);
	return false;
}

/* True with the newest version. */
static bool tell_chain(struct examined *examined, struct responder *rooms, struct str *newest)
{
	struct pool *pool = examined->pool;
	struct err err = { 0 };
	const char *shown;
	struct str body, list;
	size_t n;

	if (!ask_chain(examined, rooms, DIRECT_LIST, &body, &shown))
		return false;
	if (list_normalize(pool, body, &list, &err) != 0)
		return refuse(examined, shown, &err);
	n = str_count(list, '\n');
	if (n > 0)
		*newest = str_trim(str_skip(list, (size_t)(str_find_last(str_trim(list), '\n') + 1)));
	else if (!ask_chain(examined, rooms, DIRECT_LATEST, &body, &shown))
		return false;
	else if (info_check(pool, body, STR(""), newest, &err) != 0)
		return refuse(examined, shown, &err);
	tell(examined, true, "the chain",
	     pool_printf(pool, "%s has %zu version%s; %s is %.*s", shown, n, n == 1 ? "" : "s",
			 n > 0 ? "the newest" : "@latest", STR_ARG(*newest)).p);
	return true;
}

/* ---- the checksum database ---- */

/* As for a request for that version's zip. */
static void tell_proof(struct examined *examined, struct responder *rooms, const struct config_sumdb *sumdb,
		       struct str version)
{
	struct sumdb_call call = {
		.id = "doctor",
		.sumdb = sumdb,
		.question = SUMDB_ASK_LOOKUP,
		.module = examined->module,
		.version = version,
		.pool = pool_new(),
	};
	const struct config *config = rooms->config;
	bool is_good = false;
	struct str text, h1 = STR("");

	wait_for_sumdb(rooms->sumdbs, &call, true);
	if (call.status == SUMDB_DONE) {
		is_good = tlog_record_find(call.record.text, call.module, version, &h1);
		text = pool_printf(call.pool, "%s: record %lld, %.*s %.*s", sumdb->name,
				   (long long)call.record.id, STR_ARG(version),
				   STR_ARG(is_good ? h1 : STR("has no checksum")));
	} else if (call.status == SUMDB_ABSENT) {
		is_good = config_policy_of(config, call.module) == CONFIG_ALLOW;
		text = pool_printf(call.pool, "%s doesn't know %.*s, and [sumdb] policy %s: %.*s", sumdb->name,
				   STR_ARG(version), is_good ? "allows that" : "requires it",
				   STR_ARG(str_trim(call.absent)));
	} else {
		is_good = call.err.kind == ERR_UNAVAILABLE && config->sumdb.unreachable == CONFIG_PIN;
		text = pool_printf(call.pool, "%s; %s", call.err.text,
				   is_good ? "what comes is pinned" : "nothing is served unproven");
	}
	tell(examined, is_good, "checksum database", text.p);
	sumdb_call_end(&call);
}

/* ---- all of it ---- */

/* Does the chain come to repositories for this module at all? */
static bool can_be_direct(const struct config *config, struct str module)
{
	const struct chain *chain = &config->upstream.chain;

	return direct_is_forced(config, module) ||
	       (chain->n > 0 && chain->elements[chain->n - 1].kind == CHAIN_DIRECT);
}

static void tell_repository(struct examined *examined, struct responder *rooms)
{
	const struct config *config = rooms->config;

	if (can_be_direct(config, examined->module)) {
		printf("      straight from its repository, %s:\n",
		       direct_is_forced(config, examined->module) ? "by [direct] modules or [private] modules"
								  : "where the chain comes to direct");
		direct_examine(rooms->direct, examined->module, tell, examined);
	} else {
		tell(examined, true, "its repository",
		     "isn't asked: the chain has no direct, and [direct] modules doesn't name it");
	}
}

static void examine(struct examined *examined, struct responder *rooms)
{
	const struct config_sumdb *sumdb;
	enum sumdbs_rule rule = sumdbs_rule_of(rooms->config, examined->module, &sumdb);
	struct str newest;
	bool has_newest;

	tell_store(examined, rooms->config);
	if (config_is_private(rooms->config, examined->module))
		tell_readers(examined, rooms->config);
	else
		tell(examined, true, "who may have it", "everybody: [private] modules doesn't name it");
	if (rule == SUMDBS_DENY) {
		tell(examined, false, "checksum database", "[sumdb] policy denies it, and so nobody is asked");
		return;
	}
	if (rule == SUMDBS_SKIP)
		tell(examined, true, "checksum database", "none is asked about it");
	if (tell_home(examined, rooms))
		return;
	has_newest = tell_chain(examined, rooms, &newest);
	if (rule == SUMDBS_CHECK && has_newest)
		tell_proof(examined, rooms, sumdb, newest);
	else if (rule == SUMDBS_CHECK)
		tell(examined, true, "checksum database",
		     pool_printf(examined->pool, "%s, which is asked about versions", sumdb->name).p);
	tell_repository(examined, rooms);
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
		examine(&examined, &rooms);
		status = examined.is_good ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (rooms.config)
		responder_close(&rooms);
	pool_free(examined.pool);
	return status;
}
