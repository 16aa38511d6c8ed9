// common/crypto/crypto_int.h - what the files of this folder share; nobody else includes it.
// Owns: the algorithm objects, filled by crypto_init and constant afterwards, so threads share
//       them freely.
#pragma once
#include <openssl/evp.h>

#include "common/crypto/cipher.h"
#include "common/crypto/dh.h"
#include "common/crypto/prf.h"

struct crypto_algs {
	bool ready;
	EVP_MD *md[HASH_ALG_COUNT];
	EVP_MAC_CTX *hmac[HASH_ALG_COUNT]; // templates: digest set, no key
	EVP_CIPHER *cipher[CIPHER_COUNT];
};

extern struct crypto_algs crypto_algs;

MUST_CHECK int prf_init(void);
MUST_CHECK int aead_init(void);
MUST_CHECK int cipher_init(void);
MUST_CHECK int dh_init(void);
