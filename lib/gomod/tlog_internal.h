/*
 * tlog_internal.h - hashing, for tlog*.c only.
 *
 * Many nodes by one context: asking OpenSSL for SHA-256 anew costs more than
 * hashing 65 bytes with it.
 */
#ifndef GOMOD_TLOG_INTERNAL_H
#define GOMOD_TLOG_INTERNAL_H

#include <openssl/evp.h>

#include "gomod/tlog.h"

struct tlog_hasher {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

void tlog_hasher_init(struct tlog_hasher *hasher);
void tlog_hasher_clear(struct tlog_hasher *hasher);
/* Out may be one of the inputs. */
void tlog_hasher_node(struct tlog_hasher *hasher, const struct tlog_hash *left,
		      const struct tlog_hash *right, struct tlog_hash *out);

/* The largest l with 2^l <= n; n > 0. */
int tlog_log2(int64_t n);

#endif
