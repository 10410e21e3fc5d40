/*
 * note.h - signed notes: text that a checksum database has signed.
 *
 * Pure functions: no I/O, no state. Format and rules are those of
 * golang.org/x/mod/sumdb/note; tests/vectors/note.txt was made by it.
 * Signatures are Ed25519, verified by OpenSSL.
 *
 * A note is text that ends in a newline, an empty line, and one line for
 * each signature: an em dash, a blank, the signer's name, a blank, and the
 * base64 of the key's hash (4 bytes) and the signature.
 */
#ifndef GOMOD_NOTE_H
#define GOMOD_NOTE_H

#include "base/err.h"
#include "base/str.h"

/* Longest note that is looked at, in bytes. Our limit; Go's for a tree. */
#define NOTE_MAX 1000000U

/* Most signature lines in a note, those that count for nothing included. */
#define NOTE_SIGNATURES_MAX 100

#define NOTE_KEY_SIZE 32

/* A public key and whose it is. */
struct note_verifier {
	struct str name; /* points into the text that was parsed */
	uint32_t hash;
	unsigned char key[NOTE_KEY_SIZE];
};

struct note_signature {
	struct str name;
	struct str base64;
	uint32_t hash;
	bool is_verified;
};

/* About 5 KB; its strings point into the message. */
struct note {
	struct str text; /* what is signed, the last newline included */
	/* In the note's order, each once: see note_open(). */
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
	size_t n;
};

/*
 * The verifier key of a database that cmd/go knows by name ("sum.golang.org").
 * Returns false, with *key untouched, for any other name.
 */
bool note_known_key(struct str name, struct str *key);

/*
 * Parse a verifier key: "NAME+HASH+BASE64", the name without white space and
 * plus, the hash (8 hexadecimal digits) that of name and key, the key one of
 * Ed25519.
 *
 * text      without white space around it; must live as long as *verifier
 * verifier  out; left as it was on error
 * err       ERR_CONFIG: such keys come from the settings
 *
 * Returns 0, or -1 with *err set.
 */
int note_verifier_parse(struct str text, struct note_verifier *verifier,
			struct err *err);

/*
 * Open a signed note. It must be signed by at least one of the verifiers. A
 * signature by a key that isn't among them is listed as not verified, equal
 * lines once; of several by one verifier only the first counts. A known key
 * with a signature that doesn't match refuses the whole note, and so does one
 * to which two verifiers (the same name and hash) would fit.
 *
 * message    the bytes as they came; must live as long as *note
 * verifiers  the n known ones
 * note       out; undefined on error
 * err        ERR_BAD_UPSTREAM with what is wrong
 *
 * Returns 0, or -1 with *err set.
 */
int note_open(struct str message, const struct note_verifier *verifiers,
	      size_t n, struct note *note, struct err *err);

/* UTF-8 without control characters below U+0020 but the newline? */
bool note_is_text(struct str text);

/*
 * Decode base64 just as Go's base64.StdEncoding does: padding is a must, CR
 * and LF anywhere are skipped, unused bits at the end may be set.
 *
 * bytes  out: the first max bytes, or all
 * n      out: how many there are, also where that is more than max
 *
 * Returns false if text isn't base64; *n and *bytes are then undefined.
 */
bool note_base64_decode(struct str text, unsigned char *bytes, size_t max,
			size_t *n);

#endif
