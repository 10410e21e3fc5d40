#include "vectors.h"

#include "gomod/note.h"

static const char file[] = "note.txt";

static void check_verifier(const struct vector *v)
{
	struct note_verifier got = { .name = STR("untouched") };
	struct err err = { 0 };
	int rc = note_verifier_parse(v->field[1], &got, &err);
	bool is_ok = vectors_has(v, 2, "ok");
	char hash[9];

	if (rc != (is_ok ? 0 : -1))
		fail_msg("'%.*s': %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, is_ok ? ERR_NONE : ERR_CONFIG);
	assert_str(got.name, is_ok ? v->field[3] : STR("untouched"));
	snprintf(hash, sizeof(hash), "%08x", got.hash);
	if (is_ok)
		assert_str(str_of(hash), v->field[4]);
}

static void test_verifier(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "verifier", check_verifier) > 50);
}

/* "NAME+HASH BASE64", a line each, as the oracle writes them. */
static void list_signatures(const struct note *note, bool is_verified, struct buf *out)
{
	for (size_t i = 0; i < note->n; i++) {
		const struct note_signature *s = &note->signatures[i];

		if (s->is_verified == is_verified)
			buf_printf(out, "%.*s+%08x %.*s\n", STR_ARG(s->name), s->hash,
				   STR_ARG(s->base64));
	}
}

static void check_open(const struct vector *v)
{
	struct note_verifier verifiers[4];
	struct str keys = v->field[2].n > 0 ? v->field[2] : (struct str){ NULL, 0 };
	struct err err = { 0 };
	struct buf verified, unverified;
	struct note note;
	struct str key;
	size_t n = 0;
	int rc;

	while (str_cut(&keys, ' ', &key))
		assert_int_equal(note_verifier_parse(key, &verifiers[n++], &err), 0);
	rc = note_open(v->field[1], verifiers, n, &note, &err);
	if (rc != (vectors_has(v, 3, "ok") ? 0 : -1))
		fail_msg("'%.*s': %s", STR_ARG(v->field[1]), err.text);
	assert_int_equal(err.kind, rc == 0 ? ERR_NONE : ERR_BAD_UPSTREAM);
	if (rc != 0)
		return;
	assert_str(note.text, v->field[4]);
	buf_init(&verified, 1 << 20);
	buf_init(&unverified, 1 << 20);
	list_signatures(&note, true, &verified);
	list_signatures(&note, false, &unverified);
	assert_str(buf_str(&verified), v->field[5]);
	assert_str(buf_str(&unverified), v->field[6]);
	buf_clear(&verified);
	buf_clear(&unverified);
}

static void test_open(void **state)
{
	(void)state;
	assert_true(vectors_each(file, "open", check_open) > 150);
}

/* The documentation of golang.org/x/mod/sumdb/note has this key. */
static const char neumann_key[] =
	"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

static void test_open_errors(void **state)
{
	static const struct {
		const char *what, *message, *text;
	} cases[] = {
		{ "no known key", "x\n\n\xe2\x80\x94 a AAAAAAA=\n", "not signed by any known key" },
		{ "another text",
		  "x\n\n\xe2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuG"
		  "UgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
		  "invalid signature by the key 'PeterNeumann+c74f20a3'" },
		{ "text only", "x\n", "no empty line before the signatures" },
	};
	struct note_verifier verifier;
	struct err err = { 0 };
	struct note note;

	(void)state;
	assert_int_equal(note_verifier_parse(str_of(neumann_key), &verifier, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].what);
		assert_int_equal(note_open(str_of(cases[i].message), &verifier, 1, &note, &err),
				 -1);
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

static void test_open_length(void **state)
{
	char *message = test_malloc(NOTE_MAX + 1);
	struct str long_one = { message, NOTE_MAX + 1 };
	struct err err = { 0 };
	struct note note;

	(void)state;
	memset(message, 'x', NOTE_MAX + 1);
	memcpy(message + NOTE_MAX - 17, "\n\n\xe2\x80\x94 ab AAAAAAA=\n", 18);
	assert_int_equal(note_open(long_one, NULL, 0, &note, &err), -1);
	assert_non_null(strstr(err.text, "1000001 bytes"));
	assert_int_equal(note_open(str_skip(long_one, 1), NULL, 0, &note, &err), -1);
	assert_non_null(strstr(err.text, "not signed by any known key"));
	assert_int_equal(note_open((struct str){ NULL, 0 }, NULL, 0, &note, &err), -1);
	test_free(message);
}

static void test_known_key(void **state)
{
	struct note_verifier verifier;
	struct str key = STR("untouched");
	struct err err = { 0 };

	(void)state;
	assert_false(note_known_key(STR("sum.golang.or"), &key));
	assert_false(note_known_key(STR(""), &key));
	assert_str(key, STR("untouched"));
	assert_true(note_known_key(STR("sum.golang.org"), &key));
	assert_int_equal(note_verifier_parse(key, &verifier, &err), 0);
	assert_str(verifier.name, STR("sum.golang.org"));
	assert_int_equal(verifier.hash, 0x033de0ae);
}

/* RFC 4648, 10, and where Go is more lenient: see the "hash" vectors of tlog. */
static void test_base64(void **state)
{
	static const struct {
		const char *text, *bytes; /* bytes NULL: refused */
	} cases[] = {
		{ "", "" },	    { "Zg==", "f" },	     { "Zm8=", "fo" },
		{ "Zm9v", "foo" },  { "Zm9vYg==", "foob" },  { "Zm9vYmE=", "fooba" },
		{ "Zg=", NULL },    { "Zg", NULL },	     { "Z", NULL },
		{ "Zg===", NULL },  { "Zm9v=", NULL },	     { "Zm9v====", NULL },
		{ "====", NULL },   { "Z===", NULL },	     { "Zg==Zg==", NULL },
		{ "Zh==", "f" },    { "\nZ\r\ng=\n=\r", "f" }, { "Zg =", NULL },
		{ "Zm-v", NULL },   { "Zm_v", NULL },
	};
	unsigned char bytes[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool is_good = note_base64_decode(str_of(cases[i].text), bytes, sizeof(bytes), &n);

		print_message("'%s'\n", cases[i].text);
		assert_int_equal(is_good, cases[i].bytes != NULL);
		if (is_good)
			assert_str(((struct str){ (char *)bytes, n }), str_of(cases[i].bytes));
	}
	memset(bytes, 0, sizeof(bytes));
	assert_true(note_base64_decode(STR("Zm9vYmE="), bytes, 2, &n));
	assert_int_equal(n, 5);
	assert_memory_equal(bytes, "fo\0\0", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verifier),    cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_errors), cmocka_unit_test(test_open_length),
		cmocka_unit_test(test_known_key),   cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
