// tests/unit/unit.h - what every cmocka test includes.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Hex text to bytes; aborts the test on anything else. Returns the number of bytes.
static inline size_t unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2, n++) {
		unsigned v;

		assert_true(n < max);
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[n] = (uint8_t)v;
	}
	assert_true(hex[0] == '\0');
	return n;
}
