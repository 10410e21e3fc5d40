/*
 * modzip_unpack.h - for modzip alone: one entry's bytes in, SHA-256, CRC and
 * length out. Pushed, so that both ways of modzip.h share it.
 */
#ifndef GOMOD_MODZIP_UNPACK_H
#define GOMOD_MODZIP_UNPACK_H

#include "base/str.h"
#include "gomod/modzip_dir.h"

enum modzip_unpack_state {
	MODZIP_UNPACK_MORE, /* all input used; a stored entry is always here */
	MODZIP_UNPACK_END,  /* the deflate stream has ended */
	MODZIP_UNPACK_BAD,  /* not a deflate stream */
	MODZIP_UNPACK_LONG, /* more than max_bytes come out */
};

struct modzip_unpack;
struct modzip_unpack *modzip_unpack_new(void);
void modzip_unpack_free(struct modzip_unpack *unpack); /* NULL is nothing */

/* Start the next entry, MODZIP_STORED or MODZIP_DEFLATED. */
void modzip_unpack_begin(struct modzip_unpack *unpack, uint16_t method,
			 uint64_t max_bytes);

/* Take input; *used is how much of it belonged to the entry. */
enum modzip_unpack_state modzip_unpack_push(struct modzip_unpack *unpack,
					    struct str input, size_t *used);

/* What came out: sha, crc and unpacked_bytes of *entry. */
void modzip_unpack_end(struct modzip_unpack *unpack,
		       struct modzip_entry *entry);

/* SHA-256 at once, by the same context. */
void modzip_unpack_sha(struct modzip_unpack *unpack, struct str bytes,
		       unsigned char sha[MODZIP_SHA_SIZE]);

#endif
