#include "state/seal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/file.h"

#define SEAL_NAME  "user.goproxy.seal"
#define SEAL_MAX   256
#define READ_BYTES (256 << 10)

/* "sha256:HEX" of all bytes; false if they can't be read. */
static bool hash_file(int fd, char text[80])
{
	unsigned char sha[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct stat st;
	size_t size = fstat(fd, &st) == 0 && st.st_size < READ_BYTES ? (size_t)st.st_size + 1 : READ_BYTES;
	char *bytes = mem_alloc(size);
	struct err ignored;
	unsigned int n = 0;
	int64_t at = 0;
	ssize_t got;
	size_t end;

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory */
	while ((got = file_read_at(fd, bytes, size, at, &ignored)) > 0) {
		EVP_DigestUpdate(ctx, bytes, (size_t)got);
		at += got;
	}
	EVP_DigestFinal_ex(ctx, sha, &n);
	EVP_MD_CTX_free(ctx);
	free(bytes);
	end = (size_t)snprintf(text, 80, "sha256:");
	for (unsigned int i = 0; i < n; i++)
		end += (size_t)snprintf(text + end, 80 - end, "%02x", sha[i]);
	return got == 0;
}

void seal_put(int fd, struct str h1)
{
	char sha[80], seal[SEAL_MAX];
	int n;

	if (!hash_file(fd, sha))
		return;
	n = snprintf(seal, sizeof(seal), "%s %.*s", sha, STR_ARG(h1));
	if (fsetxattr(fd, SEAL_NAME, seal, (size_t)n, 0) != 0)
		return; /* no such thing here: the whole check will do */
}

static struct str read_seal(int fd, char text[SEAL_MAX])
{
	ssize_t n = fgetxattr(fd, SEAL_NAME, text, SEAL_MAX);

	return (struct str){ text, n > 0 ? (size_t)n : 0 };
}

bool seal_is_there(int fd)
{
	char text[SEAL_MAX];

	return read_seal(fd, text).n > 0;
}

bool seal_holds(int fd, char *h1, size_t h1_size)
{
	char text[SEAL_MAX], sha[80];
	struct str seal = read_seal(fd, text), sum = STR("");

	if (seal.n == 0 || !str_cut(&seal, ' ', &sum) || !seal.p || seal.n >= h1_size ||
	    !hash_file(fd, sha) || !str_is_equal(sum, str_of(sha)))
		return false;
	memcpy(h1, seal.p, seal.n);
	h1[seal.n] = '\0';
	return true;
}
