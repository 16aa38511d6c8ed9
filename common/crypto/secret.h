// common/crypto/secret.h - key bytes live here and nowhere else.
// Fixed size, so it embeds and needs no heap; wiped on fini; compared in constant time; there is
// no way to print one. Everything is inline: espd includes this header and links no OpenSSL.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/err.h"

#define SECRET_MAX 128

struct secret {
	uint16_t len;
	uint8_t b[SECRET_MAX];
};

static inline void secret_fini(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

// -EMSGSIZE (and an empty secret) when len > SECRET_MAX.
MUST_CHECK static inline int secret_set(struct secret *s, const void *b, size_t len)
{
	secret_fini(s);
	if (len > SECRET_MAX)
		return -EMSGSIZE;
	if (len > 0)
		memcpy(s->b, b, len);
	s->len = (uint16_t)len;
	return 0;
}

// Time depends on the length only.
static inline bool bytes_eq_ct(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= (uint8_t)(x[i] ^ y[i]);
	return diff == 0;
}

static inline bool secret_eq(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && bytes_eq_ct(a->b, b->b, a->len);
}
