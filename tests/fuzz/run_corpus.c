/*
 * Run a fuzz target over files: "fuzz_NAME [FILE|DIRECTORY...]", its
 * corpus if none is named. A crash or a
 * sanitizer's report is the failure.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t files;

static int run_file(const char *path, const struct stat *st, int type,
		    struct FTW *ftw)
{
	uint8_t *data;
	size_t n;
	FILE *file;

	(void)ftw;
	if (type != FTW_F)
		return type == FTW_NS || type == FTW_DNR ? -1 : 0;
	file = fopen(path, "rb");
	/* Of exactly its size, so that reading past the end is noticed. */
	data = malloc(st->st_size > 0 ? (size_t)st->st_size : 1);
	if (!file || !data)
		return -1;
	n = fread(data, 1, (size_t)st->st_size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	files++;
	return 0;
}

/* "build/VARIANT/fuzz/fuzz_NAME" goes with tests/fuzz/corpus/NAME. */
static int run_own_corpus(const char *program)
{
	const char *name = strrchr(program, '/');
	char path[256];

	name = name ? name + 1 : program;
	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name + strlen("fuzz_"));
	return nftw(path, run_file, 8, FTW_PHYS);
}

int main(int argc, char **argv)
{
	if (argc == 1 && run_own_corpus(argv[0]) != 0) {
		fprintf(stderr, "cannot run the corpus of '%s'\n", argv[0]);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		if (nftw(argv[i], run_file, 8, FTW_PHYS) != 0) {
			fprintf(stderr, "cannot run '%s'\n", argv[i]);
			return 1;
		}
	}
	printf("ok 1 - %zu files run\n1..1\n", files);
	return 0;
}
