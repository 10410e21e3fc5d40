#include "gomod/tlog.h"

#include <stdlib.h>
#include <string.h>

#include "gomod/note.h"
#include "gomod/path.h"
#include "gomod/tlog_internal.h"

#define TREE_PREFIX STR("go.sum database tree\n")

/* golang.org/x/mod/sumdb/tlog, ParseTree. */
#define TREE_TEXT_MAX 1000000U

bool tlog_hash_is_equal(const struct tlog_hash *a, const struct tlog_hash *b)
{
	return memcmp(a->bytes, b->bytes, TLOG_HASH_SIZE) == 0;
}

void tlog_hash_text(const struct tlog_hash *hash, char text[TLOG_HASH_TEXT_SIZE])
{
	EVP_EncodeBlock((unsigned char *)text, hash->bytes, TLOG_HASH_SIZE);
}

static bool parse_hash(struct str text, struct tlog_hash *hash)
{
	struct tlog_hash got;
	size_t n;

	if (!note_base64_decode(text, got.bytes, TLOG_HASH_SIZE, &n) || n != TLOG_HASH_SIZE)
		return false;
	*hash = got;
	return true;
}

int tlog_hash_parse(struct str text, struct tlog_hash *hash, struct err *err)
{
	if (!parse_hash(text, hash))
		return err_set(err, ERR_BAD_UPSTREAM, "not a hash of the log: '%s'",
			       path_quote(text).text);
	return 0;
}

static void must(bool condition)
{
	if (!condition) /* out of memory, as in str.c */
		abort();
}

void tlog_hasher_init(struct tlog_hasher *hasher)
{
	hasher->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	hasher->ctx = EVP_MD_CTX_new();
	must(hasher->md && hasher->ctx);
}

void tlog_hasher_clear(struct tlog_hasher *hasher)
{
	EVP_MD_CTX_free(hasher->ctx);
	EVP_MD_free(hasher->md);
}

/* RFC 6962, 2.1: leaves and nodes can't be taken for one another. */
static void hash_prefixed(struct tlog_hasher *hasher, char prefix, struct str bytes,
			  struct tlog_hash *out)
{
	must(EVP_DigestInit_ex2(hasher->ctx, hasher->md, NULL) == 1 &&
	     EVP_DigestUpdate(hasher->ctx, &prefix, 1) == 1 &&
	     EVP_DigestUpdate(hasher->ctx, bytes.p, bytes.n) == 1 &&
	     EVP_DigestFinal_ex(hasher->ctx, out->bytes, NULL) == 1);
}

void tlog_hasher_node(struct tlog_hasher *hasher, const struct tlog_hash *left,
		      const struct tlog_hash *right, struct tlog_hash *out)
{
	char bytes[2 * TLOG_HASH_SIZE];

	memcpy(bytes, left->bytes, TLOG_HASH_SIZE);
	memcpy(bytes + TLOG_HASH_SIZE, right->bytes, TLOG_HASH_SIZE);
	hash_prefixed(hasher, 1, (struct str){ bytes, sizeof(bytes) }, out);
}

struct tlog_hash tlog_record_hash(struct str text)
{
	struct tlog_hasher hasher;
	struct tlog_hash hash;

	tlog_hasher_init(&hasher);
	hash_prefixed(&hasher, 0, text, &hash);
	tlog_hasher_clear(&hasher);
	return hash;
}

struct tlog_hash tlog_node_hash(const struct tlog_hash *left, const struct tlog_hash *right)
{
	struct tlog_hasher hasher;
	struct tlog_hash hash;

	tlog_hasher_init(&hasher);
	tlog_hasher_node(&hasher, left, right, &hash);
	tlog_hasher_clear(&hasher);
	return hash;
}

/* As strconv.FormatInt writes it, and not negative. */
static bool parse_size(struct str text, int64_t *n)
{
	uint64_t value;

	if (!str_to_u64(text, &value) || value > INT64_MAX || (text.n > 1 && text.p[0] == '0'))
		return false;
	*n = (int64_t)value;
	return true;
}

static int bad_tree(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_UPSTREAM, "bad tree note: %s", why);
}

int tlog_tree_parse(struct str text, struct tlog_tree *tree, struct err *err)
{
	struct str rest = str_skip(text, TREE_PREFIX.n);
	struct str size = STR(""), hash = STR("");
	struct tlog_tree got;

	if (text.n > TREE_TEXT_MAX)
		return bad_tree(err, "more than a million bytes");
	if (!str_has_prefix(text, TREE_PREFIX))
		return bad_tree(err, "its first line isn't 'go.sum database tree'");
	if (!str_cut(&rest, '\n', &size) || !parse_size(size, &got.n))
		return bad_tree(err, "its second line isn't the number of records");
	if (!str_cut(&rest, '\n', &hash) || !rest.p || !parse_hash(hash, &got.hash))
		return bad_tree(err, "its third line isn't a hash");
	*tree = got;
	return 0;
}

struct str tlog_tree_format(struct pool *pool, const struct tlog_tree *tree)
{
	char hash[TLOG_HASH_TEXT_SIZE];

	tlog_hash_text(&tree->hash, hash);
	return pool_printf(pool, "%s%lld\n%s\n", TREE_PREFIX.p, (long long)tree->n, hash);
}

/* Lines, the last with its newline, and no empty one but maybe the first. */
static bool is_record_text(struct str text)
{
	return text.n > 0 && text.p[text.n - 1] == '\n' && note_is_text(text) &&
	       str_find_str(text, STR("\n\n")) < 0;
}

static int bad_record(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_UPSTREAM, "bad record of the checksum database: %s", why);
}

/* What strconv.ParseInt takes, less the negative ones. */
static bool parse_id(struct str text, int64_t *id)
{
	uint64_t value;

	if (str_has_prefix(text, STR("+")))
		text = str_skip(text, 1);
	if (!str_to_u64(text, &value) || value > INT64_MAX)
		return false;
	*id = (int64_t)value;
	return true;
}

int tlog_record_parse(struct str message, struct tlog_record *record, struct str *rest,
		      struct err *err)
{
	struct str body = message;
	struct str line = STR("");
	struct tlog_record got;
	long end;

	if (!str_cut(&body, '\n', &line) || !body.p || !parse_id(line, &got.id))
		return bad_record(err, "its first line isn't a number");
	end = str_find_str(body, STR("\n\n"));
	if (end < 0)
		return bad_record(err, "no empty line behind the text");
	got.text = str_head(body, (size_t)end + 1);
	if (!is_record_text(got.text))
		return bad_record(err, "not UTF-8, or with control characters");
	*record = got;
	*rest = str_skip(body, (size_t)end + 2);
	return 0;
}

int tlog_record_format(struct pool *pool, const struct tlog_record *record, struct str *message,
		       struct err *err)
{
	if (!is_record_text(record->text))
		return bad_record(err, "not lines of UTF-8 without control characters");
	*message = pool_printf(pool, "%lld\n%.*s\n", (long long)record->id,
			       STR_ARG(record->text));
	return 0;
}

static bool cut_word(struct str *line, struct str word)
{
	if (!str_has_prefix(*line, word))
		return false;
	*line = str_skip(*line, word.n);
	return true;
}

bool tlog_record_find(struct str text, struct str module, struct str version, struct str *h1)
{
	struct str line;

	while (str_cut(&text, '\n', &line)) {
		if (cut_word(&line, module) && cut_word(&line, STR(" ")) &&
		    cut_word(&line, version) && cut_word(&line, STR(" ")) &&
		    str_has_prefix(line, STR("h1:"))) {
			*h1 = line;
			return true;
		}
	}
	return false;
}
