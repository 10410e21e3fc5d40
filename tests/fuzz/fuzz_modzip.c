#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gomod/modzip.h"

#define MODULE STR("example.com/m")
#define VERSION STR("v1.2.3")

static struct modzip_stream *push_all(struct str bytes, size_t piece)
{
	struct modzip_stream *stream = modzip_stream_new(MODULE, VERSION);

	while (bytes.n > 0) {
		modzip_stream_push(stream, str_head(bytes, piece));
		bytes = str_skip(bytes, piece);
	}
	return stream;
}

/* Both ways, and the second in pieces of any size, must say the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size > 0 ? data[size - 1] % 61 + 1U : 1;
	struct str bytes = { (const char *)data, size };
	struct modzip_result result, other;
	struct modzip_stream *stream;
	struct err err;
	int fd = memfd_create("zip", MFD_CLOEXEC);
	int rc;

	FUZZ_MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	rc = modzip_check_file(fd, (off_t)size, MODULE, VERSION, &result, &err);
	if (rc != 0)
		FUZZ_MUST(err.kind == ERR_BAD_UPSTREAM);
	stream = push_all(bytes, piece);
	FUZZ_MUST(modzip_stream_finish(stream, fd, (off_t)size, &other, &err) == rc);
	if (rc == 0)
		FUZZ_MUST(strcmp(result.h1, other.h1) == 0 &&
			  result.files == other.files &&
			  result.unpacked_bytes == other.unpacked_bytes);
	modzip_stream_free(stream);
	close(fd);
	return 0;
}
