#include "origin/direct.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/work.h"
#include "gomod/list.h"
#include "gomod/module.h"
#include "gomod/version.h"
#include "origin/direct_code.h"
#include "origin/direct_internal.h"

/* Who asks for a list or a branch anew sees what ls-remote said this long ago at most. */
#define REFS_AGE_S 5

struct job {
	struct direct *direct;
	struct direct_call call;
	struct pool *pool;
	int64_t deadline_ms;
	bool has_begun;		      /* bytes were given out */
	struct str commit;	      /* whose they are, if a file's */
	struct fetch_call fetch_call; /* where a page names a module proxy */
};

struct direct *direct_new(const struct config *config, struct store *store, struct fetch *fetch)
{
	struct direct *direct = mem_alloc(sizeof(*direct));

	direct->config = config;
	direct->store = store;
	direct->fetch = fetch;
	direct->repos = repos_new(config, store, fetch);
	pthread_mutex_init(&direct->mutex, NULL);
	return direct;
}

void direct_free(struct direct *direct)
{
	if (!direct)
		return;
	work_free(direct->work);
	repos_free(direct->repos);
	pthread_mutex_destroy(&direct->mutex);
	free(direct);
}

bool direct_is_forced(const struct config *config, struct str module)
{
	return remote_rules_of(config, module).has_credentials;
}

bool direct_is_usable(const struct direct *direct, struct err *err)
{
	return repos_are_usable(direct->repos, err);
}

void direct_sweep(struct direct *direct)
{
	repos_sweep(direct->repos);
}

/* ---- the end of a job ---- */

static void end(struct job *job, const struct direct_answer *answer)
{
	struct direct_call call = job->call;

	log_write(LOG_DEBUG, "%s: direct: %s: %d %s in %lld ms", call.id, call.path, answer->status,
		  answer->err.text,
		  (long long)(clock_now_ms() - job->deadline_ms + call.timeout_s * 1000LL));
	call.on_done(call.arg, answer);
	atomic_fetch_sub(&job->direct->queued, 1);
	pool_free(job->pool);
	free(job);
}

static void end_failed(struct job *job, const char *shown, const struct err *err)
{
	struct direct_answer answer = { .err = *err, .shown = shown };

	if (err->kind == ERR_NOT_FOUND) {
		answer.err = (struct err){ 0 };
		answer.status = 404;
		answer.text = pool_printf(job->pool, "not found: %s\n", err->text);
	}
	end(job, &answer);
}

static int begin(struct job *job, int64_t length_bytes, struct err *err)
{
	job->has_begun = true;
	return job->call.on_start(job->call.arg, length_bytes, err);
}

static int send_body(struct job *job, struct str body, struct err *err)
{
	if (begin(job, (int64_t)body.n, err) != 0)
		return -1;
	return body.n == 0 ? 0 : job->call.on_bytes(job->call.arg, body, err);
}

static int send_bytes(void *arg, struct str bytes, struct err *err)
{
	struct job *job = arg;

	if (!job->has_begun && begin(job, -1, err) != 0)
		return -1;
	return job->call.on_bytes(job->call.arg, bytes, err);
}

/* ---- what is asked for ---- */

static int send_list(struct job *job, struct code *code, struct err *err)
{
	struct str *list;
	struct buf buf;
	size_t n;
	int rc = code_versions(code, STR(""), &list, &n, err);

	if (rc != 0)
		return -1;
	buf_init(&buf, LIST_BODY_MAX);
	for (size_t i = 0; i < n; i++)
		buf_printf(&buf, "%.*s\n", STR_ARG(list[i]));
	rc = buf.overflow ? err_set(err, ERR_BAD_UPSTREAM, "it has too many versions")
			  : send_body(job, buf_str(&buf), err);
	buf_clear(&buf);
	return rc;
}

static int send_info(struct job *job, struct code *code, struct err *err)
{
	struct str text;
	struct repo_rev rev;
	struct info info;
	int rc;

	if (job->call.kind == DIRECT_INFO && version_is_canonical(job->call.version))
		return direct_settle(job->direct, &job->call, code, &rev, &text, err) != 0
			       ? -1 : send_body(job, text, err);
	rc = job->call.kind == DIRECT_LATEST ? code_latest(code, &rev, &info, err)
						 : code_stat(code, job->call.version, &rev, &info, err);

	return rc != 0 ? -1 : send_body(job, info_make(job->pool, &info), err);
}

static int send_files(struct job *job, struct code *code, struct err *err)
{
	struct str version = job->call.version, info, gomod;
	struct repo_rev rev;

	if (direct_settle(job->direct, &job->call, code, &rev, &info, err) != 0)
		return -1;
	job->commit = pool_str(job->pool, rev.hash);
	if (job->call.kind == DIRECT_ZIP)
		return code_zip(code, &rev, version, send_bytes, job, err);
	return code_gomod(code, &rev, version, &gomod, err) != 0 ? -1 : send_body(job, gomod, err);
}

/* ---- by the module proxy that a page names ---- */

static int on_proxy_start(void *arg, const struct fetch_answer *answer, struct err *err)
{
	struct job *job = arg;

	return job->call.on_start(job->call.arg, answer->length_bytes, err);
}

static int on_proxy_bytes(void *arg, struct str bytes, struct err *err)
{
	struct job *job = arg;

	return job->call.on_bytes(job->call.arg, bytes, err);
}

static void on_proxy_done(void *arg, const struct fetch_answer *answer)
{
	struct job *job = arg;
	struct direct_answer ours = { .err = answer->err,
				      .status = answer->status,
				      .shown = "the module's own proxy" };
	bool is_whole = answer->err.kind == ERR_NONE;

	if (is_whole && (answer->status == 404 || answer->status == 410))
		ours.text = pool_str(job->pool, buf_str(&answer->text));
	else if (is_whole && answer->status != 200)
		err_set(&ours.err, ERR_BAD_UPSTREAM, "%s answers %d", job->fetch_call.url, answer->status);
	end(job, &ours);
}

static void ask_proxy(struct job *job, const struct discovery *found)
{
	struct str url = str_of(found->url);
	struct err err = { 0 };

	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	if (remote_check_proxy(job->direct->config, job->pool, found->url, &found->rules, &err) != 0) {
		err_wrap(&err, "the module proxy that the page of '%.*s' names", STR_ARG(job->call.module));
		end_failed(job, "direct", &err);
		return;
	}
	job->fetch_call = (struct fetch_call){
		.url = pool_printf(job->pool, "%.*s/%s", STR_ARG(url), job->call.path).p,
		.is_untrusted = true,
		.is_anonymous = !found->rules.has_credentials || !str_has_prefix(url, STR("https:")),
		.total_timeout_s = clock_seconds_until(job->deadline_ms),
		.body_max_bytes = job->call.body_max_bytes,
		.on_start = on_proxy_start,
		.on_bytes = on_proxy_bytes,
		.on_done = on_proxy_done,
		.arg = job,
	};
	fetch_start(job->direct->fetch, &job->fetch_call);
}

/* ---- running ---- */

static int send_answer(struct job *job, struct repo *repo, const struct discovery *found, struct err *err)
{
	struct code code;

	if (code_open(&code, job->pool, repo, job->call.module, found, err) != 0)
		return -1;
	switch (job->call.kind) {
	case DIRECT_LIST:
		return send_list(job, &code, err);
	case DIRECT_MOD:
	case DIRECT_ZIP:
		return send_files(job, &code, err);
	default:
		return send_info(job, &code, err);
	}
}

/* A version may have come since, or what it is based on. */
static int send_newer(struct job *job, struct repo *repo, const struct discovery *found, struct err *err)
{
	struct err why = { 0 };
	bool have_changed;
	int rc = repo_refs_renew(repo, &have_changed, &why);

	if (rc == 0 && !have_changed)
		return -1;
	*err = why;
	return rc != 0 ? -1 : send_answer(job, repo, found, err);
}

/* *is_renewed: it failed by a broken copy, which is gone now. */
static int run_code(struct job *job, const struct discovery *found, bool *is_renewed, struct err *err)
{
	bool is_immutable = job->call.kind == DIRECT_MOD || job->call.kind == DIRECT_ZIP;
	bool is_fixed = is_immutable || (job->call.kind == DIRECT_INFO && version_is_canonical(job->call.version));
	int age_s = is_fixed ? job->direct->config->cache.list_ttl_s : REFS_AGE_S;
	struct repo *repo = repo_open(job->direct->repos, job->pool, found->url, &found->rules, age_s,
				      job->deadline_ms, err);
	int rc;

	*is_renewed = false;
	if (!repo)
		return -1;
	rc = send_answer(job, repo, found, err);
	if (rc != 0 && is_fixed && err->kind == ERR_NOT_FOUND && !job->has_begun)
		rc = send_newer(job, repo, found, err);
	*is_renewed = rc != 0 && repo_forget_broken(repo);
	repo_close(repo);
	return rc;
}

static void run(void *arg)
{
	struct job *job = arg;
	struct direct *direct = job->direct;
	struct discovery found;
	struct direct_answer answer = { .status = 200 };
	struct err err = { 0 };
	int age_s = direct->config->cache.list_ttl_s;
	bool is_renewed;
	int rc;

	if (!direct_is_usable(direct, &err) ||
	    discovery_find(direct->repos, direct->config, direct->store, job->pool, job->call.module, age_s,
			   job->deadline_ms, &found, &err) != 0) {
		end_failed(job, "direct", &err);
		return;
	}
	if (str_is_equal(found.system, STR("mod"))) {
		ask_proxy(job, &found);
		return;
	}
	answer.shown = pool_printf(job->pool, "git %s", found.url).p;
	rc = run_code(job, &found, &is_renewed, &err);
	if (is_renewed && !job->has_begun) {
		err = (struct err){ 0 };
		rc = run_code(job, &found, &is_renewed, &err);
	}
	answer.commit = job->commit;
	if (rc != 0)
		end_failed(job, answer.shown, &err);
	else
		end(job, &answer);
}

/* The threads are made when the first repository is asked: most processes never ask any. */
static struct work *threads_of(struct direct *direct, struct err *err)
{
	struct work *work;

	pthread_mutex_lock(&direct->mutex);
	if (!direct->work)
		direct->work = work_new(direct->config->direct.parallel, 0, err);
	work = direct->work;
	pthread_mutex_unlock(&direct->mutex);
	return work;
}

void direct_start(struct direct *direct, const struct direct_call *call)
{
	struct job *job = mem_alloc(sizeof(*job));
	struct err err = { 0 };
	struct work *work = NULL;

	job->direct = direct;
	job->call = *call;
	job->pool = pool_new();
	job->deadline_ms = clock_now_ms() + call->timeout_s * 1000LL;
	if (atomic_fetch_add(&direct->queued, 1) >= DIRECT_QUEUE_MAX)
		err_set(&err, ERR_OVERLOAD, "too many requests wait for repositories; see [direct] parallel");
	else
		work = threads_of(direct, &err);
	if (work)
		work_post(work, run, job);
	else
		end_failed(job, "direct", &err);
}
