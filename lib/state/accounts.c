#include "state/accounts.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#define LOOK_INTERVAL_MS 1000
#define FILE_MAX_BYTES	 (4U << 20)
#define SECRET_BYTES	 32
#define HASH_BYTES	 32

struct member {
	struct str group, user;
};

struct token {
	struct str user;
	unsigned char hash[HASH_BYTES];
	time_t ends; /* 0: never */
};

/* A file, and what it said when it last made sense. */
struct file {
	const char *path; /* NULL: none */
	struct stat seen; /* as it was read last, well or not */
	bool was_seen;
	struct pool *pool;
	struct member *members; /* sorted */
	struct token *tokens;
	size_t n;
	struct err err; /* why it makes no sense now; ERR_NONE if it does */
};

struct accounts {
	struct pool *pool;
	pthread_mutex_t mutex;
	int64_t look_at_ms;
	struct file groups, tokens;
};

/* ---- reading ---- */

static bool cut_word(struct str *text, struct str *word)
{
	size_t end = 0;

	*text = str_trim(*text);
	while (end < text->n && text->p[end] != ' ' && text->p[end] != '\t')
		end++;
	*word = str_head(*text, end);
	*text = str_skip(*text, end);
	return word->n > 0;
}

static size_t count_words(struct str text)
{
	size_t n = 0;
	struct str word, line;

	while (str_cut(&text, '\n', &line))
		while (cut_word(&line, &word))
			n++;
	return n;
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int order = str_compare(x->group, y->group);

	return order ? order : str_compare(x->user, y->user);
}

static int read_groups(struct file *file, struct str text, struct err *err)
{
	struct member *members = pool_alloc(file->pool, (count_words(text) + 1) * sizeof(*members));
	struct str line, group, user;
	int number = 0;

	while (str_cut(&text, '\n', &line)) {
		number++;
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!str_has_char(line, ':') || !str_cut(&line, ':', &group) || str_trim(group).n == 0)
			return err_set(err, ERR_CONFIG, "line %d isn't \"GROUP: USER USER\"", number);
		while (cut_word(&line, &user))
			members[file->n++] = (struct member){ str_trim(group), user };
	}
	qsort(members, file->n, sizeof(*members), compare_members);
	file->members = members;
	return 0;
}

static bool read_hash(struct str text, unsigned char hash[HASH_BYTES])
{
	if (text.n != 2 * (size_t)HASH_BYTES)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
					   : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (value < 0)
			return false;
		hash[i / 2] = (unsigned char)(i % 2 ? hash[i / 2] | value : value << 4);
	}
	return true;
}

/* The end of a day in UTC. */
static bool read_day(struct pool *pool, struct str text, time_t *ends)
{
	struct tm tm = { 0 };
	const char *rest = strptime(pool_cstr(pool, text), "%Y-%m-%d", &tm);

	if (text.n != strlen("2027-12-31") || !rest || *rest)
		return false;
	*ends = timegm(&tm) + 86400;
	return true;
}

static int read_tokens(struct file *file, struct str text, struct err *err)
{
	struct token *tokens = pool_alloc(file->pool, (count_words(text) / 2 + 1) * sizeof(*tokens));
	struct str line, user, hash, day;
	int number = 0;

	while (str_cut(&text, '\n', &line)) {
		struct token *token = &tokens[file->n];

		number++;
		line = str_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (!cut_word(&line, &user) || !accounts_is_name(user) || !cut_word(&line, &hash) ||
		    !read_hash(hash, token->hash) ||
		    (cut_word(&line, &day) && !read_day(file->pool, day, &token->ends)) || str_trim(line).n > 0)
			return err_set(err, ERR_CONFIG, "line %d isn't \"USER SHA256\", or with a day like "
				       "2027-12-31 behind it", number);
		token->user = user;
		file->n++;
	}
	file->tokens = tokens;
	return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_mode == b->st_mode;
}

static void warn_of_mode(const struct file *file, bool is_secret)
{
	if (file->seen.st_mode & 022)
		log_write(LOG_WARN, "'%s' can be changed by others than its owner: chmod go-w", file->path);
	else if (is_secret && (file->seen.st_mode & 04))
		log_write(LOG_WARN, "'%s' can be read by every user of this machine: chmod o-r", file->path);
}

static int parse(struct file *file, struct str text,
		 int (*read)(struct file *file, struct str text, struct err *err), struct err *err)
{
	if (str_has_prefix(text, STR("\xef\xbb\xbf")))
		return err_set(err, ERR_CONFIG, "it begins with a byte order mark: save it as UTF-8 without one");
	return read(file, text, err);
}

/* Who removes the file takes back all that it gave. Any other trouble is no one's wish. */
static void forget(struct file *file)
{
	if (file->pool)
		pool_free(file->pool);
	*file = (struct file){ .path = file->path };
}

/* Read it if it isn't what was read last. */
static void look(struct file *file, bool is_secret,
		 int (*read)(struct file *file, struct str text, struct err *err))
{
	struct file got = { .path = file->path, .was_seen = true };
	struct err err = { 0 };
	struct str text;
	int trouble;

	if (!file->path)
		return;
	trouble = stat(file->path, &got.seen) == 0 ? 0 : errno;
	if (trouble == 0 && file->was_seen && is_same(&got.seen, &file->seen))
		return;
	got.pool = pool_new();
	if (file_read_setting(file->path, FILE_MAX_BYTES, got.pool, &text, &got.seen, &err) == 0 &&
	    parse(&got, text, read, &err) == 0) {
		forget(file);
		*file = got;
		warn_of_mode(file, is_secret);
		return;
	}
	if (trouble == ENOENT && file->pool)
		forget(file);
	/* Of one that isn't there all is zero: no news the second time. */
	if (!file->was_seen || !is_same(&got.seen, &file->seen))
		log_write(LOG_ERROR, "cannot take over '%s': %s; %s", file->path, err.text,
			  file->pool ? "what it said before goes on counting" : "so it gives nobody anything");
	file->seen = got.seen;
	file->was_seen = true;
	file->err = err;
	pool_free(got.pool);
}

/* The mutex is held. */
static void look_at_both(struct accounts *accounts)
{
	int64_t now = clock_now_ms();

	if (now < accounts->look_at_ms)
		return;
	accounts->look_at_ms = now + LOOK_INTERVAL_MS;
	look(&accounts->groups, false, read_groups);
	look(&accounts->tokens, true, read_tokens);
}

void accounts_look_again(struct accounts *accounts)
{
	pthread_mutex_lock(&accounts->mutex);
	accounts->look_at_ms = 0;
	pthread_mutex_unlock(&accounts->mutex);
}

/* ---- asking ---- */

bool accounts_has_member(struct accounts *accounts, struct str group, struct str user)
{
	struct member wanted = { group, user };
	bool has;

	pthread_mutex_lock(&accounts->mutex);
	look_at_both(accounts);
	has = accounts->groups.n > 0 && bsearch(&wanted, accounts->groups.members, accounts->groups.n,
						sizeof(wanted), compare_members);
	pthread_mutex_unlock(&accounts->mutex);
	return has;
}

size_t accounts_group_size(struct accounts *accounts, struct str group)
{
	const struct member *before = NULL;
	size_t n = 0;

	pthread_mutex_lock(&accounts->mutex);
	look_at_both(accounts);
	for (size_t i = 0; i < accounts->groups.n; i++) {
		const struct member *member = &accounts->groups.members[i];

		if (!str_is_equal(member->group, group))
			continue;
		n += !before || !str_is_equal(member->user, before->user);
		before = member;
	}
	pthread_mutex_unlock(&accounts->mutex);
	return n;
}

int accounts_check(struct accounts *accounts, enum accounts_file which, struct err *err)
{
	const struct file *file = which == ACCOUNTS_GROUPS ? &accounts->groups : &accounts->tokens;

	pthread_mutex_lock(&accounts->mutex);
	look_at_both(accounts);
	if (file->err.kind != ERR_NONE)
		*err = file->err;
	pthread_mutex_unlock(&accounts->mutex);
	return err->kind == ERR_NONE ? 0 : -1;
}

bool accounts_is_token(struct str text)
{
	return str_has_prefix(text, STR(ACCOUNTS_TOKEN_PREFIX));
}

static void hash_of(struct str token, unsigned char hash[EVP_MAX_MD_SIZE])
{
	unsigned int n = 0;

	EVP_Digest(token.p, token.n, hash, &n, EVP_sha256(), NULL);
}

enum accounts_found accounts_find_token(struct accounts *accounts, struct pool *pool, struct str token,
					struct str *user)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	enum accounts_found found = ACCOUNTS_UNKNOWN;

	hash_of(token, hash);
	pthread_mutex_lock(&accounts->mutex);
	look_at_both(accounts);
	/* All of them, and each to its end: how long it takes says nothing. */
	for (size_t i = 0; i < accounts->tokens.n; i++) {
		const struct token *known = &accounts->tokens.tokens[i];

		if (CRYPTO_memcmp(hash, known->hash, HASH_BYTES) != 0)
			continue;
		found = known->ends && time(NULL) >= known->ends ? ACCOUNTS_EXPIRED : ACCOUNTS_GOOD;
		*user = pool_str(pool, known->user);
	}
	pthread_mutex_unlock(&accounts->mutex);
	return found;
}

bool accounts_is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f || strchr(",=:#", name.p[i]))
			return false;
	return name.n > 0 && name.n <= 256 && name.p[0] != '@' && !str_is_equal(name, STR("*")) &&
	       !str_is_equal(name, STR("anonymous"));
}

static void print_hex(char *text, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int accounts_make_token(char token[ACCOUNTS_TOKEN_SIZE], char hash[ACCOUNTS_HASH_SIZE], struct err *err)
{
	unsigned char secret[SECRET_BYTES], digest[EVP_MAX_MD_SIZE];

	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return err_errno(err, "cannot get random bytes");
	memcpy(token, ACCOUNTS_TOKEN_PREFIX, sizeof(ACCOUNTS_TOKEN_PREFIX));
	print_hex(token + strlen(ACCOUNTS_TOKEN_PREFIX), secret, sizeof(secret));
	hash_of(str_of(token), digest);
	print_hex(hash, digest, HASH_BYTES);
	return 0;
}

struct accounts *accounts_new(const char *groups_file, const char *tokens_file)
{
	struct accounts *accounts = mem_alloc(sizeof(*accounts));

	accounts->pool = pool_new();
	pthread_mutex_init(&accounts->mutex, NULL);
	accounts->groups.path = *groups_file ? pool_cstr(accounts->pool, str_of(groups_file)) : NULL;
	accounts->tokens.path = *tokens_file ? pool_cstr(accounts->pool, str_of(tokens_file)) : NULL;
	return accounts;
}

void accounts_free(struct accounts *accounts)
{
	if (!accounts)
		return;
	forget(&accounts->groups);
	forget(&accounts->tokens);
	pthread_mutex_destroy(&accounts->mutex);
	pool_free(accounts->pool);
	free(accounts);
}
