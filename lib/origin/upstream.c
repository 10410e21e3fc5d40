#include "origin/upstream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_FACTOR	 4

struct upstream {
	const struct config *config;
	struct fetch *fetch;
	struct direct *direct;
};

struct upstream_state {
	struct upstream *upstream;
	struct upstream_call *call;
	struct pool *pool;
	size_t at;	/* the chain's element that is asked; n: the database itself */
	int tries;	/* of this element, so far */
	bool is_direct;	/* the repository itself is asked */
	struct str commit; /* of which it gave a file */
	bool is_probing; /* asks whether this proxy supports the database */
	int64_t started_ms;
	_Atomic(const char *) shown; /* lives in the config */
	struct fetch_call fetch_call;
	struct upstream_result absent; /* status 0: nobody said so yet */
	struct err failure;	       /* the last one that isn't "not found" */
	struct err failure_before;     /* as it was before this element was asked */
	struct err mismatch;	       /* somebody lied: nothing outranks that */
	struct upstream_result result;
};

static void ask(struct upstream_state *s);
static void go_on(struct upstream_state *s, bool is_absent);

static const char text_type[] = "text/plain; charset=utf-8";

/* The go command sends '!' as %21; some servers know no other spelling. */
static struct str url_path(struct pool *pool, const char *path)
{
	struct buf buf;
	struct str url;

	buf_init(&buf, 3 * strlen(path));
	for (const char *p = path; *p; p++)
		if (*p == '!')
			buf_add(&buf, STR("%21"));
		else
			buf_add_char(&buf, *p);
	url = pool_str(pool, buf_str(&buf));
	buf_clear(&buf);
	return url;
}

static void finish(struct upstream_state *s, enum upstream_outcome outcome)
{
	s->result = outcome == UPSTREAM_ABSENT ? s->absent : (struct upstream_result){ 0 };
	s->result.outcome = outcome;
	s->result.shown = s->shown;
	if (outcome == UPSTREAM_FAILED)
		s->result.err = s->failure;
	s->call->on_done(s->call->arg, &s->result);
}

/* Nobody has it. What to tell depends on who said what. */
static void give_up(struct upstream_state *s)
{
	/* A database that was found at last, and doesn't know it, has said so. */
	if (s->call->sumdb && s->absent.is_final) {
		finish(s, UPSTREAM_ABSENT);
		return;
	}
	if (s->mismatch.kind != ERR_NONE)
		s->failure = s->mismatch;
	if (s->failure.kind != ERR_NONE)
		finish(s, UPSTREAM_FAILED);
	else
		finish(s, UPSTREAM_ABSENT);
}

static void set_absent(struct upstream_state *s, int status, const char *type, struct str text)
{
	s->absent.status = status;
	s->absent.type = pool_cstr(s->pool, str_of(*type ? type : text_type));
	s->absent.text = pool_str(s->pool, text);
}

/* off ends the chain; a proxy's own "not found" says more than it. */
static void end_of_chain(struct upstream_state *s)
{
	if (s->absent.status == 0)
		set_absent(s, 404, text_type,
			   STR("not found: module lookup disabled by 'off' in the chain of upstreams\n"));
	give_up(s);
}

/* ---- from the repository itself ---- */

static int on_direct_start(void *arg, int64_t length_bytes, struct err *err)
{
	struct upstream_state *s = arg;

	return s->call->on_start(s->call->arg, length_bytes, err);
}

static int on_direct_bytes(void *arg, struct str bytes, struct err *err)
{
	struct upstream_state *s = arg;

	return s->call->on_bytes(s->call->arg, bytes, err);
}

static void on_direct_done(void *arg, const struct direct_answer *answer)
{
	struct upstream_state *s = arg;

	s->shown = pool_cstr(s->pool, str_of(answer->shown));
	s->commit = pool_str(s->pool, answer->commit);
	if (answer->err.kind == ERR_NONE && answer->status == 200) {
		finish(s, UPSTREAM_GOT);
	} else if (answer->err.kind == ERR_NONE) {
		set_absent(s, answer->status, text_type, answer->text);
		s->absent.is_final = true;
		go_on(s, true);
	} else {
		s->failure = answer->err;
		err_wrap(&s->failure, "%s", s->shown);
		log_write(LOG_WARN, "%s: upstream failed, %s, %s", s->call->id, s->call->path, s->failure.text);
		go_on(s, false);
	}
}

static void ask_direct(struct upstream_state *s)
{
	const struct upstream_call *call = s->call;
	struct direct_call direct = {
		.id = call->id,
		.kind = call->kind,
		.module = call->module,
		.version = call->version,
		.path = call->path,
		.is_proven = call->is_proven,
		.timeout_s = s->upstream->config->upstream.total_timeout_s,
		.body_max_bytes = call->body_max_bytes,
		.on_start = on_direct_start,
		.on_bytes = on_direct_bytes,
		.on_done = on_direct_done,
		.arg = s,
	};
	struct err err;

	s->shown = "direct";
	s->is_direct = true;
	/* Without git, a proxy's "not found" is all there is to say. */
	if (s->absent.is_final && !direct_is_usable(s->upstream->direct, &err)) {
		log_write(LOG_DEBUG, "%s: %s", call->id, err.text);
		give_up(s);
		return;
	}
	direct_start(s->upstream->direct, &direct);
}

/* ---- the chain ---- */

/* Ask the element at s->at, from its first try. */
static void ask_element(struct upstream_state *s)
{
	const struct chain *chain = &s->upstream->config->upstream.chain;
	const struct upstream_call *call = s->call;
	const char *base;

	s->tries = 0;
	s->is_probing = s->is_direct = false;
	s->failure_before = s->failure;
	if (call->sumdb) {
		if (s->at < chain->n && chain->elements[s->at].kind == CHAIN_OFF) {
			end_of_chain(s);
			return;
		}
		if (s->at < chain->n && chain->elements[s->at].kind == CHAIN_DIRECT)
			s->at = chain->n; /* the database's own URL */
	} else if (s->at == chain->n) {
		give_up(s);
		return;
	} else if (chain->elements[s->at].kind == CHAIN_DIRECT) {
		ask_direct(s);
		return;
	} else if (chain->elements[s->at].kind == CHAIN_OFF) {
		end_of_chain(s);
		return;
	}
	base = s->at < chain->n ? chain->elements[s->at].url : call->sumdb_url;
	s->shown = s->at < chain->n ? chain->elements[s->at].shown : call->sumdb_shown;
	if (call->sumdb && s->at < chain->n)
		base = pool_printf(s->pool, "%s/sumdb/%s", base, call->sumdb).p;
	s->fetch_call.url =
		pool_printf(s->pool, "%s/%s", base, url_path(s->pool, call->path).p).p;
	ask(s);
}

/* The element at s->at has failed, or hasn't got it. Who is next? */
static void go_on(struct upstream_state *s, bool is_absent)
{
	const struct chain *chain = &s->upstream->config->upstream.chain;

	if (s->at == chain->n) { /* the database itself */
		give_up(s);
		return;
	}
	if (!is_absent && !chain->elements[s->at].any_error) {
		give_up(s);
		return;
	}
	s->at++;
	ask_element(s);
}

static bool is_worth_another_try(const struct fetch_answer *answer)
{
	if (answer->err.kind != ERR_NONE)
		return answer->err.kind == ERR_BAD_UPSTREAM && answer->status < 300;
	return answer->status == 429 || (answer->status >= 502 && answer->status <= 504);
}

static struct str first_line(struct str text)
{
	struct str line = { "", 0 };

	while (str_cut(&text, '\n', &line) && str_trim(line).n == 0)
		;
	return str_head(str_trim(line), 200);
}

/* With a blank before it; HTTP/2 sends none (RFC 9110, 15). */
static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 400, " Bad Request" }, { 401, " Unauthorized" }, { 403, " Forbidden" },
		{ 429, " Too Many Requests" }, { 500, " Internal Server Error" },
		{ 502, " Bad Gateway" }, { 503, " Service Unavailable" }, { 504, " Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static void note_failure(struct upstream_state *s, const struct fetch_answer *answer)
{
	if (answer->err.kind != ERR_NONE) {
		s->failure = answer->err;
		err_wrap(&s->failure, "%s", s->shown);
	} else {
		struct str line = first_line(buf_str(&answer->text));

		if (str_has_prefix(line, STR("<")))
			line.n = 0; /* markup says nothing to a person at a terminal */
		err_set(&s->failure, answer->status == 504 ? ERR_TIMEOUT : ERR_BAD_UPSTREAM,
			"%s: answered %d%s%s%.*s", s->shown, answer->status,
			reason_of(answer->status), line.n > 0 ? ": " : "", STR_ARG(line));
	}
	log_write(LOG_WARN, "%s: upstream failed, %s, try %d, %s", s->call->id,
		  s->call->path, s->tries, s->failure.text);
}

/* Does the proxy know the database at all? Only then its 404 is an answer. */
static void probe(struct upstream_state *s)
{
	const char *base = s->upstream->config->upstream.chain.elements[s->at].url;

	s->is_probing = true;
	s->fetch_call.url =
		pool_printf(s->pool, "%s/sumdb/%s/supported", base, s->call->sumdb).p;
	ask(s);
}

/* 404 and 410 mean: ask elsewhere. Anything else but 200 is this proxy's failure. */
static void finish_probe(struct upstream_state *s, const struct fetch_answer *answer)
{
	bool is_whole = answer->err.kind == ERR_NONE;

	if (is_whole && answer->status == 200) {
		give_up(s);
		return;
	}
	s->absent = (struct upstream_result){ 0 };
	if (is_whole && (answer->status == 404 || answer->status == 410)) {
		go_on(s, true);
		return;
	}
	note_failure(s, answer);
	go_on(s, false);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct upstream_state *s = arg;
	const struct chain *chain = &s->upstream->config->upstream.chain;
	bool is_whole = answer->err.kind == ERR_NONE;

	log_write(LOG_DEBUG, "%s: asked %s for %s: %d %s in %lld ms", s->call->id, s->shown,
		  s->call->path, answer->status, answer->err.text, (long long)(clock_now_ms() - s->started_ms));
	if (s->is_probing) {
		finish_probe(s, answer);
	} else if (is_whole && answer->status == 200) {
		finish(s, UPSTREAM_GOT);
	} else if (is_whole && (answer->status == 404 || answer->status == 410)) {
		set_absent(s, answer->status, answer->type, buf_str(&answer->text));
		s->absent.is_final = true;
		s->failure = s->failure_before; /* an earlier try's doesn't count any more */
		if (s->call->sumdb && s->at < chain->n)
			probe(s);
		else
			go_on(s, true);
	} else if (answer->err.kind == ERR_OVERLOAD) { /* the caller doesn't want it */
		s->failure = answer->err;
		give_up(s);
	} else {
		note_failure(s, answer);
		if (is_worth_another_try(answer) && s->tries <= s->upstream->config->upstream.retries)
			ask(s);
		else
			go_on(s, false);
	}
}

static int on_start(void *arg, const struct fetch_answer *answer, struct err *err)
{
	struct upstream_state *s = arg;

	if (s->is_probing)
		return 0;
	return s->call->on_start(s->call->arg, answer->length_bytes, err);
}

static int on_bytes(void *arg, struct str bytes, struct err *err)
{
	struct upstream_state *s = arg;

	if (s->is_probing)
		return 0;
	return s->call->on_bytes(s->call->arg, bytes, err);
}

static int backoff_ms(int tries)
{
	int ms = BACKOFF_FIRST_MS;

	if (tries == 0)
		return 0;
	while (--tries > 0 && ms < 10000)
		ms *= BACKOFF_FACTOR;
	return ms + (int)(clock_now_ms() % ms) / 2; /* so that many don't come back at once */
}

static void ask(struct upstream_state *s)
{
	const struct config *config = s->upstream->config;
	int total_s = config->upstream.total_timeout_s;

	if (!s->call->is_big && config->upstream.small_total_timeout_s < total_s)
		total_s = config->upstream.small_total_timeout_s;
	s->fetch_call.delay_ms = backoff_ms(s->tries++);
	s->fetch_call.total_timeout_s = total_s;
	s->fetch_call.body_max_bytes = s->is_probing ? FETCH_TEXT_MAX : s->call->body_max_bytes;
	s->fetch_call.on_start = on_start;
	s->fetch_call.on_bytes = on_bytes;
	s->fetch_call.on_done = on_done;
	s->fetch_call.arg = s;
	fetch_start(s->upstream->fetch, &s->fetch_call);
}

void upstream_start(struct upstream *upstream, struct upstream_call *call)
{
	struct upstream_state *s = mem_alloc(sizeof(*s));

	s->upstream = upstream;
	s->call = call;
	s->pool = pool_new();
	s->shown = "";
	s->started_ms = clock_now_ms();
	call->state = s;
	if (call->is_sumdb_direct)
		s->at = upstream->config->upstream.chain.n;
	if (call->module.n > 0 && direct_is_forced(upstream->config, call->module)) {
		s->at = upstream->config->upstream.chain.n; /* nobody else hears of it */
		ask_direct(s);
	} else {
		ask_element(s);
	}
}

void upstream_reject(struct upstream *upstream, struct upstream_call *call,
		     const struct err *err)
{
	struct upstream_state *s = call->state;

	s->failure = *err;
	err_wrap(&s->failure, "%s", s->shown);
	if (err->kind == ERR_MISMATCH)
		s->mismatch = s->failure;
	if (err->kind == ERR_MISMATCH && s->is_direct)
		direct_reject(upstream->direct, call->id, call->module, call->path, s->commit, err->text);
	log_write(LOG_WARN, "%s: upstream is wrong, %s, %s", call->id, call->path,
		  s->failure.text);
	go_on(s, err->kind == ERR_MISMATCH || err->kind == ERR_UNAVAILABLE);
}

size_t upstream_source(const struct upstream_call *call)
{
	return call->state->at;
}

const char *upstream_asks(const struct upstream_call *call)
{
	return call->state ? atomic_load(&call->state->shown) : "";
}

void upstream_end(struct upstream_call *call)
{
	if (!call->state)
		return;
	pool_free(call->state->pool);
	free(call->state);
	call->state = NULL;
}

struct upstream *upstream_new(const struct config *config, struct fetch *fetch, struct direct *direct)
{
	struct upstream *upstream = mem_alloc(sizeof(*upstream));

	upstream->config = config;
	upstream->fetch = fetch;
	upstream->direct = direct;
	return upstream;
}

void upstream_free(struct upstream *upstream)
{
	free(upstream);
}
