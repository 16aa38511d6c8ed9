// dataplane/crypto.h - seal and open ESP payloads in batches; the backend stands behind this.
// crypto_imb.c calls libipsec-mb directly. Another backend (cryptodev, for accelerators) is
// another file that defines the same functions, chosen when building.
// Owns:   expanded keys (struct crypto_key), one context per worker.
// From:   sadb.c makes and forgets keys; esp_out.c and esp_in.c fill operations.
// Always: an operation works in place; keys are wiped when freed.
// Never:  counts, parses or chooses IVs of counter suites.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

struct crypto_key; // one SA's keys, expanded; shared by all workers, never written by them
struct crypto_ctx; // one worker's state

// One packet. text .. text + text_len is encrypted in place and follows the IV, which follows the
// 8 octet ESP header; the ICV is 16 octets right behind the text.
struct crypto_op {
	const struct crypto_key *key;
	uint8_t *esp; // SPI, where authentication starts
	uint8_t *text;
	uint32_t text_len;
	bool ok; // crypto_open: the ICV was right and the text is decrypted
};

#define CRYPTO_BURST 64

// key and auth as in struct dp_sa. NULL when out of memory or the lengths are not the suite's.
struct crypto_key *crypto_key_new(unsigned suite, const uint8_t *key, const uint8_t *auth);
void crypto_key_free(struct crypto_key *k); // wipes; no worker may hold it any more

struct crypto_ctx *crypto_ctx_new(void);
void crypto_ctx_free(struct crypto_ctx *c);

// n <= CRYPTO_BURST operations, of any mix of keys and suites.
void crypto_seal(struct crypto_ctx *c, struct crypto_op *ops, size_t n);
void crypto_open(struct crypto_ctx *c, struct crypto_op *ops, size_t n);

// 16 octets that nobody can predict: the IV of a CBC packet (RFC 3602 3).
void crypto_random_iv(struct crypto_ctx *c, uint8_t iv[16]);

const char *crypto_backend(void); // "imb 1.3.0 vaes_avx512"
