#include "fuzz.h"

#include <string.h>

#include "gomod/note.h"

static const char key_text[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/* What a note says of itself holds, and only what is signed was verified. */
static void check_note(struct str message, const struct note *note)
{
	bool is_verified = false;

	FUZZ_MUST(note->n > 0 && note->n <= NOTE_SIGNATURES_MAX);
	FUZZ_MUST(str_has_prefix(message, note->text) && str_has_suffix(note->text, STR("\n")));
	FUZZ_MUST(note_is_text(message));
	for (size_t i = 0; i < note->n; i++) {
		FUZZ_MUST(note->signatures[i].name.n > 0 && note->signatures[i].base64.n > 0);
		is_verified |= note->signatures[i].is_verified;
	}
	FUZZ_MUST(is_verified);
}

/* The whole as a note; its first line as a verifier key, and as base64. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = { (const char *)data, size };
	struct str rest = message, line = STR("");
	struct note_verifier verifiers[2];
	unsigned char bytes[16];
	struct note note;
	struct err err;
	size_t n;

	FUZZ_MUST(note_verifier_parse(str_of(key_text), &verifiers[0], &err) == 0);
	if (note_open(message, verifiers, 1, &note, &err) == 0)
		check_note(message, &note);
	else
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
	str_cut(&rest, '\n', &line);
	if (note_verifier_parse(line, &verifiers[1], &err) == 0)
		note_open(rest, verifiers, 2, &note, &err);
	else
		FUZZ_MUST(err.kind == ERR_CONFIG);
	if (note_base64_decode(line, bytes, sizeof(bytes), &n))
		FUZZ_MUST(n <= line.n / 4 * 3);
	return 0;
}
