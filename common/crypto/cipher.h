// common/crypto/cipher.h - block ciphers in CBC mode, without padding.
// From:   common/ike (phase 1 and PULL), ks and gm (PUSH under the KEK).
// Spec:   RFC 3602 (AES-CBC), RFC 2451 (3DES-CBC, three keys).
// Always: whole blocks; the caller pads, and takes the last ciphertext block as the next IV.
#pragma once
#include "common/base/err.h"
#include "common/crypto/secret.h"

#define CIPHER_BLOCK_MAX 16

enum cipher_alg {
	CIPHER_NONE,
	CIPHER_3DES_CBC, // weak: for old peers and old traces
	CIPHER_AES128_CBC,
	CIPHER_AES192_CBC,
	CIPHER_AES256_CBC,
	CIPHER_COUNT,
};

size_t cipher_key_len(enum cipher_alg alg); // octets; 0 for none
size_t cipher_block_len(enum cipher_alg alg);
const char *cipher_name(enum cipher_alg alg); // "AES-128-CBC"
bool cipher_is_weak(enum cipher_alg alg);

// in and out may be the same buffer. -EINVAL when len is no multiple of the block or the key has
// another length than the algorithm's.
MUST_CHECK int cipher_encrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			      const uint8_t *in, size_t len, uint8_t *out);
MUST_CHECK int cipher_decrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			      const uint8_t *in, size_t len, uint8_t *out);
