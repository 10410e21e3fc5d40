#include "gomod/modzip.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "gomod/modzip_dir.h"
#include "gomod/modzip_unpack.h"
#include "gomod/module.h"
#include "gomod/path.h"
#include "gomod/version.h"

#define BLOCK_BYTES 65536U
#define SHA_HEX_BYTES (2 * (size_t)MODZIP_SHA_SIZE)

static void hex_of(const unsigned char *sha, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < MODZIP_SHA_SIZE; i++) {
		*hex++ = digits[sha[i] >> 4];
		*hex++ = digits[sha[i] & 15];
	}
}

/* dirhash.Hash1: a line of sha256sum(1) for each file, hashed again. */
struct summary {
	EVP_MD_CTX *sha;
};

static void summary_begin(struct summary *summary)
{
	summary->sha = EVP_MD_CTX_new();
	if (!summary->sha ||
	    EVP_DigestInit_ex2(summary->sha, EVP_sha256(), NULL) != 1)
		abort();
}

static void summary_add(struct summary *summary, const unsigned char *sha,
			struct str name)
{
	char hex[SHA_HEX_BYTES + 2];

	hex_of(sha, hex);
	hex[SHA_HEX_BYTES] = hex[SHA_HEX_BYTES + 1] = ' ';
	if (EVP_DigestUpdate(summary->sha, hex, sizeof(hex)) != 1 ||
	    EVP_DigestUpdate(summary->sha, name.p, name.n) != 1 ||
	    EVP_DigestUpdate(summary->sha, "\n", 1) != 1)
		abort();
}

static void summary_end(struct summary *summary, char h1[MODZIP_H1_SIZE])
{
	unsigned char sha[EVP_MAX_MD_SIZE];

	if (EVP_DigestFinal_ex(summary->sha, sha, NULL) != 1)
		abort();
	EVP_MD_CTX_free(summary->sha);
	h1[0] = 'h';
	h1[1] = '1';
	h1[2] = ':';
	EVP_EncodeBlock((unsigned char *)h1 + 3, sha, MODZIP_SHA_SIZE);
}

static bool is_same_name(const struct modzip_dir *dir,
			 const struct modzip_entry *a,
			 const struct modzip_entry *b)
{
	return str_is_equal(modzip_dir_name(dir, a), modzip_dir_name(dir, b));
}

void modzip_dir_result(const struct modzip_dir *dir,
		       struct modzip_result *result)
{
	struct modzip_entry **sorted = modzip_dir_sorted(dir);
	struct summary summary;

	*result = (struct modzip_result){ 0 };
	summary_begin(&summary);
	for (size_t i = 0; i < dir->n; i++) {
		summary_add(&summary, sorted[i]->sha,
			    modzip_dir_name(dir, sorted[i]));
		if (modzip_dir_is_folder(dir, sorted[i]))
			continue;
		result->files++;
		result->unpacked_bytes += sorted[i]->unpacked_bytes;
	}
	summary_end(&summary, result->h1);
	free(sorted);
}

/* Reading one zip from a file. */
struct check {
	int fd;
	off_t size;
	struct modzip_dir dir;
	struct modzip_unpack *unpack;
	struct err *err;
	unsigned char block[BLOCK_BYTES];
};

static int bad_entry(const struct check *check,
		     const struct modzip_entry *entry, const char *reason)
{
	return err_set(check->err, ERR_BAD_UPSTREAM, "bad zip: '%s': %s",
		       path_quote(modzip_dir_name(&check->dir, entry)).text,
		       reason);
}

/* Read up to n bytes of the file, fewer at its end; offsets may be senseless. */
static ssize_t read_at(const struct check *check, void *bytes, size_t n,
		       int64_t at)
{
	if (at < 0 || at >= check->size)
		return 0;
	if ((int64_t)n > check->size - at)
		n = (size_t)(check->size - at);
	return file_read_at(check->fd, bytes, n, at, check->err);
}

/* Where the bytes of an entry begin: behind its local header. */
static int find_body(const struct check *check,
		     const struct modzip_entry *entry, int64_t *at)
{
	unsigned char p[MODZIP_LOCAL_SIZE];
	ssize_t got = read_at(check, p, sizeof(p), entry->header_at);

	if (got < 0)
		return -1;
	if (got < (ssize_t)sizeof(p) || modzip_u32(p) != MODZIP_SIG_LOCAL)
		return bad_entry(check, entry, "no header where it should be");
	*at = entry->header_at + (int64_t)sizeof(p) + modzip_u16(p + 26) +
	      modzip_u16(p + 28);
	return 0;
}

/*
 * archive/zip asks the descriptor for the checksum alone, as the width of
 * the lengths behind it can't be known.
 */
static int check_descriptor(const struct check *check,
			    const struct modzip_entry *entry, int64_t at)
{
	unsigned char p[16];
	ssize_t got = read_at(check, p, sizeof(p), at);
	ssize_t skip = got >= 4 && modzip_u32(p) == MODZIP_SIG_DESCRIPTOR ? 4 : 0;

	if (got < 0)
		return -1;
	if (got < 12 + skip)
		return bad_entry(check, entry, "its descriptor is cut off");
	if (modzip_u32(p + skip) != entry->crc)
		return bad_entry(check, entry, "its descriptor contradicts");
	return 0;
}

static const char *reason_of(enum modzip_unpack_state state)
{
	return state == MODZIP_UNPACK_BAD ? "its bytes are damaged"
					  : "longer than declared";
}

/* Feed the packed bytes, until the stream, they or the file end. */
static int unpack_body(struct check *check, const struct modzip_entry *entry,
		       int64_t at)
{
	uint64_t left = entry->packed_bytes; /* or what the file has of it */
	enum modzip_unpack_state state = MODZIP_UNPACK_MORE;

	while (left > 0 && state == MODZIP_UNPACK_MORE) {
		size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
		ssize_t got = read_at(check, check->block, n, at);
		struct str input = { (char *)check->block, (size_t)got };

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		state = modzip_unpack_push(check->unpack, input, &n);
		at += got;
		left -= (uint64_t)got;
	}
	if (state == MODZIP_UNPACK_BAD || state == MODZIP_UNPACK_LONG)
		return bad_entry(check, entry, reason_of(state));
	if (state == MODZIP_UNPACK_MORE && entry->method == MODZIP_DEFLATED)
		return bad_entry(check, entry, "its bytes are cut off");
	return 0;
}

static int check_file(struct check *check, struct modzip_entry *entry,
		      int64_t at)
{
	struct modzip_entry found = *entry;
	bool has_descriptor = entry->flags & MODZIP_HAS_DESCRIPTOR;

	if (entry->method != MODZIP_STORED && entry->method != MODZIP_DEFLATED)
		return bad_entry(check, entry, "unknown compression method");
	modzip_unpack_begin(check->unpack, entry->method,
			    entry->unpacked_bytes);
	if (unpack_body(check, entry, at) != 0)
		return -1;
	modzip_unpack_end(check->unpack, &found);
	if (found.unpacked_bytes != entry->unpacked_bytes)
		return bad_entry(check, entry, "shorter than declared");
	/* By what is declared, not by where the stream ended; may wrap round. */
	at = (int64_t)((uint64_t)at + entry->packed_bytes);
	if (has_descriptor && check_descriptor(check, entry, at) != 0)
		return -1;
	/* Without a descriptor, archive/zip takes 0 for "not set". */
	if (found.crc != entry->crc && (has_descriptor || entry->crc != 0))
		return bad_entry(check, entry, "wrong checksum");
	memcpy(entry->sha, found.sha, sizeof(entry->sha));
	return 0;
}

static int check_entry(struct check *check, struct modzip_entry *entry)
{
	int64_t at = 0;

	if (find_body(check, entry, &at) != 0)
		return -1;
	if (!modzip_dir_is_folder(&check->dir, entry))
		return check_file(check, entry, at);
	if (entry->unpacked_bytes != 0)
		return bad_entry(check, entry, "a directory with bytes");
	modzip_unpack_sha(check->unpack, STR(""), entry->sha);
	return 0;
}

/*
 * Every file, and every directory; of a directory listed more than once, which
 * is allowed, dirhash hashes the last for each.
 */
static int check_bodies(struct check *check)
{
	struct modzip_entry **sorted = modzip_dir_sorted(&check->dir);
	size_t n = check->dir.n;
	int rc = 0;

	for (size_t i = n; i-- > 0 && rc == 0;) {
		if (i + 1 < n &&
		    is_same_name(&check->dir, sorted[i], sorted[i + 1]))
			memcpy(sorted[i]->sha, sorted[i + 1]->sha,
			       sizeof(sorted[i]->sha));
		else
			rc = check_entry(check, sorted[i]);
	}
	free(sorted);
	return rc;
}

int modzip_check_pair(off_t size, struct str module, struct str version,
		      struct err *err)
{
	if (module_check(module, version, err) != 0)
		return -1;
	if (!version_is_canonical(version))
		return err_set(err, ERR_BAD_REQUEST,
			       "invalid version '%s': not canonical",
			       path_quote(version).text);
	if ((uint64_t)size > MODZIP_FILE_MAX)
		return err_set(err, ERR_BAD_UPSTREAM,
			       "bad zip: %lld bytes, more than 500 MiB",
			       (long long)size);
	return 0;
}

int modzip_check_file(int fd, off_t size, struct str module,
		      struct str version, struct modzip_result *result,
		      struct err *err)
{
	struct check *check;
	int rc = -1;

	if (modzip_check_pair(size, module, version, err) != 0)
		return -1;
	check = mem_alloc(sizeof(*check));
	check->fd = fd;
	check->size = size;
	check->err = err;
	check->unpack = modzip_unpack_new();
	modzip_dir_init(&check->dir);
	if (modzip_dir_read(&check->dir, fd, size, err) == 0 &&
	    modzip_dir_check(&check->dir, module, version, err) == 0 &&
	    check_bodies(check) == 0) {
		modzip_dir_result(&check->dir, result);
		rc = 0;
	}
	modzip_dir_clear(&check->dir);
	modzip_unpack_free(check->unpack);
	free(check);
	return rc;
}

void modzip_h1_of_mod(struct str gomod, char h1[MODZIP_H1_SIZE])
{
	unsigned char sha[EVP_MAX_MD_SIZE];
	struct summary summary;

	if (EVP_Digest(gomod.p, gomod.n, sha, NULL, EVP_sha256(), NULL) != 1)
		abort();
	summary_begin(&summary);
	summary_add(&summary, sha, STR("go.mod"));
	memset(h1, 0, MODZIP_H1_SIZE);
	summary_end(&summary, h1);
}
