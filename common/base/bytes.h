// common/base/bytes.h - a view of bytes somebody else owns.
// It dies with what it looks at (a datagram, a buffer): whatever outlives that is copied.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *p;
	size_t len;
};

#define BYTES(ptr, n)	 ((struct bytes){ (const uint8_t *)(ptr), (n) })
#define BYTES_OF(object) BYTES(&(object), sizeof(object))
#define BYTES_LIT(text)	 BYTES(text, sizeof(text) - 1) // a string literal without its NUL

// For public data; secrets are compared with secret_eq or bytes_eq_ct.
static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}
