#include "gomod/modzip_unpack.h"

#include <libdeflate.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <zlib.h>

#define OUT_BYTES 65536U

struct modzip_unpack {
	z_stream z;
	EVP_MD *md; /* fetched once: that costs more than a small file */
	EVP_MD_CTX *sha;
	uint32_t crc;
	uint16_t method;
	uint64_t unpacked_bytes;
	uint64_t max_bytes;
	unsigned char out[OUT_BYTES];
};

/* These fail for want of memory only. */
static void must(bool is_done)
{
	if (!is_done)
		abort();
}

struct modzip_unpack *modzip_unpack_new(void)
{
	struct modzip_unpack *unpack = mem_alloc(sizeof(*unpack));

	unpack->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	unpack->sha = EVP_MD_CTX_new();
	must(unpack->md && unpack->sha);
	must(inflateInit2(&unpack->z, -MAX_WBITS) == Z_OK);
	return unpack;
}

void modzip_unpack_free(struct modzip_unpack *unpack)
{
	if (!unpack)
		return;
	inflateEnd(&unpack->z);
	EVP_MD_CTX_free(unpack->sha);
	EVP_MD_free(unpack->md);
	free(unpack);
}

void modzip_unpack_begin(struct modzip_unpack *unpack, uint16_t method,
			 uint64_t max_bytes)
{
	must(EVP_DigestInit_ex2(unpack->sha, unpack->md, NULL) == 1);
	must(inflateReset(&unpack->z) == Z_OK);
	unpack->crc = 0;
	unpack->method = method;
	unpack->unpacked_bytes = 0;
	unpack->max_bytes = max_bytes;
}

static bool has_taken(struct modzip_unpack *unpack, const void *bytes, size_t n)
{
	unpack->unpacked_bytes += n;
	if (unpack->unpacked_bytes > unpack->max_bytes)
		return false;
	/* Three times as quick as zlib's, which took 12 % of a check. */
	unpack->crc = libdeflate_crc32(unpack->crc, bytes, n);
	must(EVP_DigestUpdate(unpack->sha, bytes, n) == 1);
	return true;
}

/* At most 4 GiB at once, as zlib counts in unsigned int. */
static enum modzip_unpack_state push_deflated(struct modzip_unpack *unpack,
					      struct str input, size_t *used)
{
	z_stream *z = &unpack->z;
	int rc;

	z->next_in = (unsigned char *)(uintptr_t)input.p;
	z->avail_in = (unsigned int)input.n;
	do {
		z->next_out = unpack->out;
		z->avail_out = OUT_BYTES;
		rc = inflate(z, Z_NO_FLUSH);
		*used = input.n - z->avail_in;
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return MODZIP_UNPACK_BAD;
		if (!has_taken(unpack, unpack->out, OUT_BYTES - z->avail_out))
			return MODZIP_UNPACK_LONG;
		/* Full output may mean that more waits inside zlib. */
	} while (rc == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
	return rc == Z_STREAM_END ? MODZIP_UNPACK_END : MODZIP_UNPACK_MORE;
}

enum modzip_unpack_state modzip_unpack_push(struct modzip_unpack *unpack,
					    struct str input, size_t *used)
{
	input = str_head(input, 1U << 30);
	if (unpack->method == MODZIP_DEFLATED)
		return push_deflated(unpack, input, used);
	*used = input.n;
	return has_taken(unpack, input.p, input.n) ? MODZIP_UNPACK_MORE
						   : MODZIP_UNPACK_LONG;
}

void modzip_unpack_end(struct modzip_unpack *unpack, struct modzip_entry *entry)
{
	must(EVP_DigestFinal_ex(unpack->sha, entry->sha, NULL) == 1);
	entry->crc = unpack->crc;
	entry->unpacked_bytes = unpack->unpacked_bytes;
}

void modzip_unpack_sha(struct modzip_unpack *unpack, struct str bytes,
		       unsigned char sha[MODZIP_SHA_SIZE])
{
	must(EVP_DigestInit_ex2(unpack->sha, unpack->md, NULL) == 1);
	must(EVP_DigestUpdate(unpack->sha, bytes.p, bytes.n) == 1);
	must(EVP_DigestFinal_ex(unpack->sha, sha, NULL) == 1);
}
