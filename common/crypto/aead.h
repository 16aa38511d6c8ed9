// common/crypto/aead.h - AES-256-GCM over a whole buffer: what is kept on disk is sealed with it.
// From:   ks/store_io.
// Spec:   NIST SP 800-38D.
// Always: a nonce is used once under a key; the caller counts.
// Never:  hands out plaintext whose tag was wrong.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/secret.h"

#define AEAD_KEY_LEN   32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN   16

// out: plain.len + AEAD_TAG_LEN octets. -EINVAL: key of another length. -ENOMEM.
MUST_CHECK int aead_seal(const struct secret *key, const uint8_t nonce[AEAD_NONCE_LEN],
			 struct bytes aad, struct bytes plain, uint8_t *out);
// out: sealed.len - AEAD_TAG_LEN octets, wiped on error. -EBADMSG: not sealed so; -EINVAL, -ENOMEM.
MUST_CHECK int aead_open(const struct secret *key, const uint8_t nonce[AEAD_NONCE_LEN],
			 struct bytes aad, struct bytes sealed, uint8_t *out);
