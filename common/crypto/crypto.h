// common/crypto/crypto.h - the room's start and its generator of randomness.
// Owns:   algorithm objects fetched once, so that no packet pays for a lookup.
// Always: only the default provider; openssl.cnf and its environment variables are not read.
// Never:  hands an OpenSSL type outside this folder.
#pragma once
#include "common/base/err.h"
#include "common/base/rng.h"

// Once, first in main(), before any thread. -ENOTSUP when this OpenSSL lacks what we need.
MUST_CHECK int crypto_init(void);

// The process-wide generator for cookies, nonces, SPIs and keys (OpenSSL's private DRBG). Aborts
// rather than return bytes that are not random.
void crypto_rng_init(struct rng *r);
