#include "vectors.h"

#include <openssl/evp.h>

#include "base/err.h"
#include "gomod/modzip_tar.h"

/* A stream given in pieces; it fails at an offset, if that isn't 0. */
struct source {
	char *bytes;
	size_t n, at, piece, fails_at;
};

static struct err no_err; /* libarchive is there */

static ssize_t give_bytes(void *arg, const void **bytes, struct err *err)
{
	struct source *source = arg;
	size_t n = source->n - source->at;

	if (source->fails_at > 0 && source->at >= source->fails_at)
		return err_set(err, ERR_TIMEOUT, "too slow");
	n = n < source->piece ? n : source->piece;
	*bytes = source->bytes + source->at;
	source->at += n;
	return (ssize_t)n;
}

static void source_open(struct source *source, struct str name, size_t piece)
{
	char path[128];
	FILE *in;

	snprintf(path, sizeof(path), VECTORS_DIR "tar/%.*s.tar", STR_ARG(name));
	in = fopen(path, "rb");
	assert_non_null(in);
	*source = (struct source){ .bytes = test_malloc(1 << 20), .piece = piece };
	source->n = fread(source->bytes, 1, 1 << 20, in);
	fclose(in);
}

static ssize_t digest_of(struct modzip_tar *tar, char hex[65], struct err *err)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sha[EVP_MAX_MD_SIZE];
	const void *bytes;
	ssize_t n, sum = 0;

	EVP_DigestInit_ex2(md, EVP_sha256(), NULL);
	while ((n = modzip_tar_data(tar, &bytes, err)) > 0) {
		EVP_DigestUpdate(md, bytes, (size_t)n);
		sum += n;
	}
	EVP_DigestFinal_ex(md, sha, NULL);
	EVP_MD_CTX_free(md);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sha[i]);
	return n == 0 ? sum : -1;
}

/* The stream whose entries are being compared. */
static struct source source;
static struct modzip_tar *tar;
static struct str tar_name;
static size_t tar_piece;

static void tar_begin(struct str name)
{
	if (tar && str_is_equal(name, tar_name))
		return;
	assert_null(tar);
	source_open(&source, name, tar_piece);
	tar = modzip_tar_new(give_bytes, &source, &no_err);
	tar_name = str_of(mem_strdup(name));
}

static void tar_end(void)
{
	modzip_tar_free(tar);
	tar = NULL;
	test_free(source.bytes);
	free((char *)(uintptr_t)tar_name.p);
}

static void check_entry(const struct vector *v)
{
	char kind = v->field[3].p[0], hex[65];
	struct modzip_tar_entry entry;
	struct err err = { 0 };
	uint64_t size;

	tar_begin(v->field[1]);
	if (modzip_tar_next(tar, &entry, &err) != (kind != 'e'))
		fail_msg("%.*s: %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, ERR_NONE);
	if (kind == 'e') {
		tar_end();
		return;
	}
	assert_str(entry.path, v->field[5]);
	assert_true(str_to_u64(v->field[4], &size));
	assert_int_equal(entry.size_bytes, size);
	assert_int_equal(entry.is_folder, kind == 'd');
	assert_int_equal(entry.kind, kind == 'r'   ? MODZIP_FILE_REGULAR
				     : kind == 's' ? MODZIP_FILE_SYMLINK
						   : MODZIP_FILE_IRREGULAR);
	assert_int_equal(digest_of(tar, hex, &err), size);
	assert_str(str_of(hex), v->field[6]);
	assert_int_equal(err.kind, ERR_NONE);
}

static void test_git(void **state)
{
	static const size_t pieces[] = { 65536, 1, 100, 512 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		tar_piece = pieces[i];
		assert_true(vectors_each("tar.txt", "entry", check_entry) > 100);
		assert_null(tar);
	}
}

/* Entries passed over unread. Returns how many, or -1. */
static int count_entries(struct source *from, struct err *err)
{
	struct modzip_tar *t = modzip_tar_new(give_bytes, from, &no_err);
	struct modzip_tar_entry entry;
	int n = 0, rc;

	while ((rc = modzip_tar_next(t, &entry, err)) > 0)
		n++;
	modzip_tar_free(t);
	return rc == 0 ? n : -1;
}

static void test_skip(void **state)
{
	struct source from;
	struct err err = { 0 };

	(void)state;
	source_open(&from, STR("sizes"), 1000);
	assert_int_equal(count_entries(&from, &err), 5);
	test_free(from.bytes);
}

/* Cut anywhere: refused, or fewer entries, as the header says. */
static void test_cut(void **state)
{
	struct source from;
	size_t whole, refused = 0;

	(void)state;
	source_open(&from, STR("simple"), 4096);
	whole = from.n;
	for (size_t n = 0; n < whole; n += 64) {
		struct err err = { 0 };
		int entries;

		from.n = n;
		from.at = 0;
		entries = count_entries(&from, &err);
		refused += entries < 0;
		assert_int_equal(err.kind, entries < 0 ? ERR_BAD_UPSTREAM : ERR_NONE);
		assert_true(entries <= 6);
	}
	assert_true(refused > 10);
	test_free(from.bytes);
}

/* The body of the one large file is cut. */
static void test_cut_body(void **state)
{
	struct source from;
	struct modzip_tar *t;
	struct modzip_tar_entry entry;
	struct err err = { 0 };
	char hex[65];

	(void)state;
	source_open(&from, STR("sizes"), 4096);
	from.n = 50000;
	t = modzip_tar_new(give_bytes, &from, &no_err);
	do
		assert_int_equal(modzip_tar_next(t, &entry, &err), 1);
	while (entry.size_bytes < 70000);
	assert_int_equal(digest_of(t, hex, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	print_message("%s\n", err.text);
	modzip_tar_free(t);
	test_free(from.bytes);
}

static void test_read_fails(void **state)
{
	struct source from;

	(void)state;
	source_open(&from, STR("sizes"), 512);
	for (size_t at = 1; at < 72000; at += 3000) {
		struct err err = { 0 };

		from.at = 0;
		from.fails_at = at;
		assert_int_equal(count_entries(&from, &err), -1);
		assert_int_equal(err.kind, ERR_TIMEOUT);
		assert_string_equal(err.text, "too slow");
	}
	test_free(from.bytes);
}

/* Damage anywhere must not do any: the sanitizers look on. */
static void test_damage(void **state)
{
	struct source from;
	uint32_t x = 1;

	(void)state;
	source_open(&from, STR("long-letters"), 4096);
	for (size_t i = 0; i < 2000; i++) {
		struct err err = { 0 };
		char *byte, old;

		x = x * 1103515245U + 12345U;
		byte = from.bytes + (x >> 8) % from.n;
		old = *byte;
		*byte = (char)(old ^ (char)(1 << (x >> 5) % 8));
		from.at = 0;
		if (count_entries(&from, &err) < 0)
			assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
		*byte = old;
	}
	test_free(from.bytes);
}

static void test_no_tar(void **state)
{
	static char text[] = "<html>not found</html>\n";
	struct source from = { .bytes = text, .n = sizeof(text) - 1, .piece = 100 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(count_entries(&from, &err), -1);
	assert_int_equal(err.kind, ERR_BAD_UPSTREAM);
	print_message("%s\n", err.text);
	from.n = from.at = 0;
	assert_int_equal(count_entries(&from, &err), -1);
	modzip_tar_free(modzip_tar_new(give_bytes, &from, &no_err));
	modzip_tar_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git),	   cmocka_unit_test(test_skip),
		cmocka_unit_test(test_cut),	   cmocka_unit_test(test_cut_body),
		cmocka_unit_test(test_read_fails), cmocka_unit_test(test_damage),
		cmocka_unit_test(test_no_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
