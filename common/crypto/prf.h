// common/crypto/prf.h - hash, and HMAC as the prf of IKEv1, over a list of parts.
// From:   common/ike (keys, HASH payloads), ks and gm (PUSH digests, RFC 8263 acks).
// Spec:   RFC 2104, RFC 4868; RFC 2409 section 4 (prf is the HMAC of the negotiated hash).
// Always: the parts are hashed in order, without separators.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/secret.h"

#define HASH_MAX 64 // octets of the longest digest

enum hash_alg {
	HASH_ALG_NONE,
	HASH_ALG_MD5,	 // weak: only for peers that know nothing better
	HASH_ALG_SHA1,	 // weak
	HASH_ALG_SHA224, // no number in IKEv1; NIST's vectors use it
	HASH_ALG_SHA256,
	HASH_ALG_SHA384,
	HASH_ALG_SHA512,
	HASH_ALG_COUNT,
};

size_t hash_len(enum hash_alg alg);	  // 0 for none
const char *hash_name(enum hash_alg alg); // "SHA256"
bool hash_is_weak(enum hash_alg alg);

// out receives hash_len(alg) octets. -EINVAL for an unknown algorithm, -ENOMEM.
MUST_CHECK int hash_parts(enum hash_alg alg, const struct bytes *parts, size_t n, uint8_t *out);
MUST_CHECK int prf_parts(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
			 uint8_t *out);

// The same into a secret.
MUST_CHECK int prf_secret(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
			  struct secret *out);
