/*
 * fuzz.h - the entry point of libFuzzer, which each fuzz_NAME.c defines and
 * run_corpus.c calls where there is no libFuzzer.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(3), never left out. */
#define FUZZ_MUST(condition)              \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#endif
