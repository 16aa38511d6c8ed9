// tests/fuzz/fuzz.h - what every fuzz target shares.
// A target is one file fuzz_<decoder>.c that defines fuzz_one; its inputs are corpus/<decoder>/.
// With -Dfuzz=true (clang) it is a libFuzzer program; otherwise replay.c runs every file of the
// corpus through it, as a test of suite 'fuzz'.
// A target does not only look for crashes: what decodes has to encode, and decode and encode to
// the same octets again; every view handed out is read to its last octet.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

// One input. The octets are a heap copy of exactly this length.
void fuzz_one(struct bytes input);

// Reads every octet of a view, so that the sanitizer sees one that reaches too far.
static inline void fuzz_touch(struct bytes b)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < b.len; i++)
		sum ^= b.p[i];
	__asm__ volatile("" : : "r"(sum)); // the reads are wanted, their result is not
}
