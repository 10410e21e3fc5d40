#include "gomod/note.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "gomod/path.h"

#define SIGNATURE_SIZE 64
#define HASH_SIZE 4
#define ALGORITHM_ED25519 1

/* An em dash and a blank. */
#define SIGNATURE_PREFIX STR("\xe2\x80\x94 ")

/* Keys are facts: this one is published in cmd/go/internal/modfetch/key.go. */
static const struct {
	const char *name, *key;
} known_keys[] = {
	{ "sum.golang.org",
	  "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8" },
};

bool note_known_key(struct str name, struct str *key)
{
	for (size_t i = 0; i < ARRAY_LEN(known_keys); i++) {
		if (str_is_equal(name, str_of(known_keys[i].name))) {
			*key = str_of(known_keys[i].key);
			return true;
		}
	}
	return false;
}

/* Take the character at offset *at; false if it isn't UTF-8. */
static bool next_char(struct str text, size_t *at, int32_t *c)
{
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)text.p;
	utf8proc_ssize_t n =
		utf8proc_iterate(p + *at, (utf8proc_ssize_t)(text.n - *at), c);

	*at += n > 0 ? (size_t)n : 0;
	return n > 0;
}

bool note_is_text(struct str text)
{
	int32_t c;

	for (size_t at = 0; at < text.n;)
		if (!next_char(text, &at, &c) || (c < ' ' && c != '\n'))
			return false;
	return true;
}

/* unicode.IsSpace: the property White_Space. */
static bool is_space(int32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

static bool is_name(struct str name)
{
	int32_t c;

	for (size_t at = 0; at < name.n;)
		if (!next_char(name, &at, &c) || is_space(c) || c == '+')
			return false;
	return name.n > 0;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool note_base64_decode(struct str text, unsigned char *bytes, size_t max, size_t *n)
{
	uint32_t bits = 0;
	unsigned int digits = 0, padding = 0;

	*n = 0;
	for (size_t i = 0; i < text.n; i++) {
		int value = base64_value(text.p[i]);

		if (text.p[i] == '\r' || text.p[i] == '\n')
			continue;
		if (text.p[i] == '=') {
			padding++;
			continue;
		}
		if (value < 0 || padding > 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if (++digits % 4 == 1)
			continue;
		if (*n < max)
			bytes[*n] = (unsigned char)(bits >> (2 * (3 - (digits - 1) % 4)));
		++*n;
	}
	return digits % 4 == 0 ? padding == 0 : digits % 4 != 1 && padding == 4 - digits % 4;
}

static void must(bool condition)
{
	if (!condition) /* out of memory, as in str.c */
		abort();
}

/* The first bytes of SHA-256 of name, newline and the key with its type. */
static uint32_t key_hash(struct str name, const unsigned char *key, size_t n)
{
	unsigned char sha[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, name.p, name.n) == 1 && EVP_DigestUpdate(ctx, "\n", 1) == 1 &&
	     EVP_DigestUpdate(ctx, key, n) == 1 && EVP_DigestFinal_ex(ctx, sha, NULL) == 1);
	EVP_MD_CTX_free(ctx);
	return (uint32_t)sha[0] << 24 | (uint32_t)sha[1] << 16 | (uint32_t)sha[2] << 8 | sha[3];
}

static bool parse_hash(struct str text, uint32_t *hash)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return false;
		sum = sum << 4 | (uint32_t)digit;
	}
	*hash = sum;
	return text.n == 8;
}

static int bad_key(struct err *err, struct str text, const char *why)
{
	return err_set(err, ERR_CONFIG, "bad verifier key '%s': %s", path_quote(text).text, why);
}

int note_verifier_parse(struct str text, struct note_verifier *verifier, struct err *err)
{
	unsigned char key[1 + NOTE_KEY_SIZE];
	struct str rest = text;
	struct str name = STR(""), hex = STR("");
	uint32_t hash;
	size_t n = 0;

	if (!str_cut(&rest, '+', &name) || !is_name(name))
		return bad_key(err, text, "it doesn't begin with a name");
	if (!str_cut(&rest, '+', &hex) || !parse_hash(hex, &hash))
		return bad_key(err, text, "no hash of 8 hexadecimal digits behind the name");
	if (!rest.p || !note_base64_decode(rest, key, sizeof(key), &n) || n == 0)
		return bad_key(err, text, "the key isn't base64");
	if (key[0] != ALGORITHM_ED25519 || n != sizeof(key))
		return bad_key(err, text, "not a key of Ed25519");
	if (key_hash(name, key, n) != hash)
		return bad_key(err, text, "the hash isn't that of name and key");
	*verifier = (struct note_verifier){ .name = name, .hash = hash };
	memcpy(verifier->key, key + 1, sizeof(verifier->key));
	return 0;
}

static bool is_signed(const struct note_verifier *verifier, struct str text,
		      const unsigned char signature[SIGNATURE_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, verifier->key,
						    sizeof(verifier->key));
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good = false;

	must(key && ctx);
	if (EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1)
		is_good = EVP_DigestVerify(ctx, signature, SIGNATURE_SIZE,
					   (const unsigned char *)text.p, text.n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	/* Whoever asks OpenSSL next must not find our failure in its queue. */
	ERR_clear_error();
	return is_good;
}

static int bad_note(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_UPSTREAM, "bad signed note: %s", why);
}

/* A signature line in parts. */
struct signature_line {
	struct note_signature signature;
	unsigned char bytes[HASH_SIZE + SIGNATURE_SIZE];
	size_t n; /* may be more than there is room for */
};

static int parse_line(struct str text, struct signature_line *line, struct err *err)
{
	struct note_signature *signature = &line->signature;
	struct str rest = str_skip(text, SIGNATURE_PREFIX.n);
	const unsigned char *hash = line->bytes;

	*line = (struct signature_line){ 0 };
	if (!str_has_prefix(text, SIGNATURE_PREFIX))
		return bad_note(err, "a signature line doesn't begin with a dash");
	if (!str_cut(&rest, ' ', &signature->name) || !is_name(signature->name))
		return bad_note(err, "a signature line without a valid name");
	signature->base64 = rest.p ? rest : STR("");
	if (!note_base64_decode(signature->base64, line->bytes, sizeof(line->bytes), &line->n) ||
	    line->n <= HASH_SIZE)
		return bad_note(err, "a signature isn't base64");
	signature->hash = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 |
			  (uint32_t)hash[2] << 8 | hash[3];
	return 0;
}

static bool is_same_key(const struct note_signature *a, const struct note_signature *b)
{
	return a->hash == b->hash && str_is_equal(a->name, b->name);
}

/* Is there nothing new in this signature? */
static bool is_repeated(const struct note *note, const struct note_signature *signature,
			bool is_known)
{
	for (size_t i = 0; i < note->n; i++) {
		const struct note_signature *old = &note->signatures[i];

		if (is_same_key(old, signature) &&
		    (is_known || str_is_equal(old->base64, signature->base64)))
			return true;
	}
	return false;
}

/* The verifier with this name and hash; *found says how many there are. */
static const struct note_verifier *find_verifier(const struct note_verifier *verifiers, size_t n,
						 const struct note_signature *signature,
						 size_t *found)
{
	const struct note_verifier *verifier = NULL;

	*found = 0;
	for (size_t i = 0; i < n; i++) {
		if (verifiers[i].hash != signature->hash ||
		    !str_is_equal(verifiers[i].name, signature->name))
			continue;
		verifier = &verifiers[i];
		++*found;
	}
	return verifier;
}

static int take_line(struct note *note, struct signature_line *line,
		     const struct note_verifier *verifiers, size_t n, struct err *err)
{
	struct note_signature *signature = &line->signature;
	size_t found;
	const struct note_verifier *verifier = find_verifier(verifiers, n, signature, &found);

	if (found > 1)
		return err_set(err, ERR_BAD_UPSTREAM, "ambiguous key '%s+%08x'",
			       path_quote(signature->name).text, signature->hash);
	if (is_repeated(note, signature, found == 1))
		return 0;
	if (verifier && (line->n != sizeof(line->bytes) ||
			 !is_signed(verifier, note->text, line->bytes + HASH_SIZE)))
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad signed note: invalid signature by the key '%s+%08x'",
			       path_quote(signature->name).text, signature->hash);
	signature->is_verified = verifier != NULL;
	note->signatures[note->n++] = *signature;
	return 0;
}

static int check_signatures(struct note *note, struct str lines,
			    const struct note_verifier *verifiers, size_t n, struct err *err)
{
	struct signature_line line;
	bool is_verified = false;
	struct str text;
	size_t count = 0;

	while (lines.n > 0 && str_cut(&lines, '\n', &text)) {
		if (parse_line(text, &line, err) != 0)
			return -1;
		if (++count > NOTE_SIGNATURES_MAX)
			return bad_note(err, "more than 100 signatures");
		if (take_line(note, &line, verifiers, n, err) != 0)
			return -1;
	}
	for (size_t i = 0; i < note->n; i++)
		is_verified |= note->signatures[i].is_verified;
	if (!is_verified)
		return bad_note(err, "not signed by any known key");
	return 0;
}

int note_open(struct str message, const struct note_verifier *verifiers, size_t n,
	      struct note *note, struct err *err)
{
	long split;
	struct str lines;

	if (message.n > NOTE_MAX)
		return err_set(err, ERR_BAD_UPSTREAM, "bad signed note: %zu bytes, more than %u",
			       message.n, NOTE_MAX);
	if (!note_is_text(message))
		return bad_note(err, "not UTF-8, or with control characters");
	split = str_find_last_str(message, STR("\n\n"));
	if (split < 0)
		return bad_note(err, "no empty line before the signatures");
	lines = str_skip(message, (size_t)split + 2);
	if (lines.n == 0 || lines.p[lines.n - 1] != '\n')
		return bad_note(err, "it doesn't end in a signature line");
	note->text = str_head(message, (size_t)split + 1);
	note->n = 0;
	return check_signatures(note, lines, verifiers, n, err);
}
