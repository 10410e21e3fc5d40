#include "program/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "gomod/module.h"
#include "gomod/note.h"
#include "gomod/version.h"
#include "program/responder.h"
#include "program/wait.h"
#include "state/audit.h"
#include "state/check.h"

static void print_event(void *arg, const struct json *line)
{
	static const char *const names[] = { "from", "proof", "sumdb", "why", "file" };

	struct pool *pool = arg;

	printf("    %.*s %.*s", STR_ARG(json_str(line, "time")), STR_ARG(json_str(line, "event")));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (json_str(line, names[i]).n > 0)
			printf(", %s %.*s", names[i], STR_ARG(pool_clean(pool, json_str(line, names[i]))));
	if (json_int(line, "record") >= 0)
		printf(", record %lld of %lld", (long long)json_int(line, "record"),
		       (long long)json_int(line, "tree"));
	printf("\n");
}

/* A file, its hash as it is now, and what the audit log knows of it. */
static void print_file(struct store *store, const char *part, const char *object, enum check_kind kind,
		       const struct sumdb_call *proof)
{
	struct pool *pool = pool_new();
	const char *key = pool_printf(pool, "%s/%s", part, object).p;
	struct str version = sumdb_line_version(pool, proof->version, kind == CHECK_MOD);
	char h1[MODZIP_H1_SIZE] = "";
	struct str expected = STR("");
	struct err err = { 0 };
	int64_t bytes = 0;
	int rc = check_object(store, key, kind, proof->module, proof->version, false, h1, &bytes, &err);
	bool is_known = proof->status == SUMDB_DONE && kind != CHECK_INFO &&
			tlog_record_find(proof->record.text, proof->module, version, &expected);

	printf("  %s: ", object);
	if (rc == -1)
		printf("WRONG, %s\n", pool_clean(pool, str_of(err.text)).p);
	else if (rc != 0)
		printf("not here\n");
	else if (kind == CHECK_INFO)
		printf("%lld bytes; no database speaks of it\n", (long long)bytes);
	else
		printf("%lld bytes, %s%s\n", (long long)bytes, h1,
		       !is_known ? ", unproven" : str_is_equal(expected, str_of(h1)) ? ", as in the record"
										    : ", NOT as in the record");
	audit_find(store_dirfd(store), str_of(object), print_event, pool);
	pool_free(pool);
}

static void print_proof(struct sumdbs *sumdbs, struct sumdb_call *call)
{
	const struct sumdb_record *record = &call->record;
	struct tlog_hash hash = tlog_record_hash(record->text);
	char text[TLOG_HASH_TEXT_SIZE];
	struct tlog_proof proof;
	struct err err = { 0 };
	struct str lines = record->text, line, head;

	printf("Record %lld of the checksum database %s says:\n", (long long)record->id, call->sumdb->name);
	while (lines.n > 0 && str_cut(&lines, '\n', &line))
		printf("    %.*s\n", STR_ARG(line));
	tlog_hash_text(&record->tree.hash, text);
	printf("It is in the tree of %lld records with the hash %s,\nwhose head is signed by the key %s:\n",
	       (long long)record->tree.n, text, call->sumdb->key);
	if (sumdb_latest(sumdbs_find(sumdbs, call->sumdb), NULL, call->pool, &head, &err) == SUMDB_DONE)
		while (head.n > 0 && str_cut(&head, '\n', &line))
			printf("    %.*s\n", STR_ARG(line));
	if (sumdb_prove(sumdbs_find(sumdbs, call->sumdb), NULL, call->pool, record, &proof, &err) != SUMDB_DONE) {
		printf("The path of hashes can't be shown: %s\n", err.text);
		return;
	}
	tlog_hash_text(&hash, text);
	printf("The record's hash is %s; with these %zu on the way up (RFC 6962, 2.1.1)\n"
	       "it gives the tree's:\n", text, proof.n);
	for (size_t i = 0; i < proof.n; i++) {
		tlog_hash_text(&proof.hashes[i], text);
		printf("    %s\n", text);
	}
}

static int explain(struct responder *rooms, struct sumdb_call *call, const char *stem)
{
	static const struct {
		const char *extension;
		enum check_kind kind;
	} kinds[] = { { "info", CHECK_INFO }, { "mod", CHECK_MOD }, { "zip", CHECK_ZIP } };
	enum sumdbs_rule rule = sumdbs_rule_of(rooms->config, call->module, &call->sumdb);
	bool is_private = config_is_private(rooms->config, call->module);

	responder_unblock_signals();
	call->status = SUMDB_WAIT;
	if (rule == SUMDBS_CHECK)
		wait_for_sumdb(rooms->sumdbs, call, true);
	if (rule == SUMDBS_DENY)
		printf("It is denied by [sumdb] policy.\n");
	else if (is_private)
		printf("It is private: no checksum database is asked about it.\n");
	else if (rule == SUMDBS_SKIP)
		printf("No checksum database is asked about it, by [sumdb] gosumdb or nosumdb.\n");
	else if (call->status == SUMDB_DONE)
		print_proof(rooms->sumdbs, call);
	else if (call->status == SUMDB_ABSENT)
		printf("The checksum database %s doesn't know it: %.*s\n", call->sumdb->name,
		       STR_ARG(pool_clean(call->pool, str_trim(call->absent))));
	else
		printf("It can't be proven: %s\n", pool_clean(call->pool, str_of(call->err.text)).p);
	printf("\nThe files here:\n");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct str object = pool_printf(call->pool, "%s.%s", stem, kinds[i].extension);

		print_file(rooms->store, is_private ? "private/download" : "download", object.p, kinds[i].kind,
			   call);
	}
	return call->status == SUMDB_DONE || rule == SUMDBS_SKIP ? EXIT_SUCCESS : EXIT_FAILURE;
}

int explain_run(const struct config *config, const char *text)
{
	struct str all = str_of(text), module, version;
	long at = str_find_last(all, '@');
	struct sumdb_call call = { .id = "explain", .question = SUMDB_ASK_LOOKUP, .pool = pool_new() };
	struct responder rooms = { 0 };
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	call.module = str_head(all, at < 0 ? 0 : (size_t)at);
	call.version = str_skip(all, (size_t)(at + 1));
	if (at <= 0 || !version_is_canonical(call.version) ||
	    module_escape_path(call.pool, call.module, &module, &err) != 0 ||
	    version_escape(call.pool, call.version, &version, &err) != 0)
		fprintf(stderr, "goproxy.fcgi: explain needs MODULE@VERSION, such as "
			"golang.org/x/text@v0.14.0, not '%s'\n", text);
	else if (access(config->cache.dir, X_OK) != 0)
		fprintf(stderr, "goproxy.fcgi: there is no cache at '%s': %s\n", config->cache.dir, strerror(errno));
	else if (responder_open(&rooms, config, -1, 2, &err) != 0)
		fprintf(stderr, "goproxy.fcgi: %s\n", err.text);
	else
		status = explain(&rooms, &call,
				 pool_printf(call.pool, "%.*s/@v/%.*s", STR_ARG(module), STR_ARG(version)).p);
	if (rooms.config)
		responder_close(&rooms);
	sumdb_call_end(&call);
	return status;
}
