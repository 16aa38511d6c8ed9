// ks/chain.h - keys that follow from a secret that key servers of a set share.
// Who knows the secret of a generation makes its keys, its KEK and the secret of the one after it,
// always the same ones: two sides of a split that have to rekey need not meet to agree. What is to
// be unknown to somebody who may know the secret is made of a new one.
//
//	secret ──┬── "id"    name of the generation
//	         ├── "teks"  SPIs and keys of its TEKs
//	         ├── "kek"   SPI, IV and key of a KEK made with it
//	         └── "next"  secret of the generation after it
//
// From:   rekey.c, for a group in a set.     To: keys.c, as the generator that keys are drawn from.
// Spec:   RFC 5869 2.3 (expansion, HMAC-SHA-256).
// Owns:   the secret it was given, until chain_fini.
#pragma once
#include "common/base/rng.h"
#include "common/crypto/secret.h"

#define CHAIN_SECRET_LEN 32

// A generator: what is drawn depends on secret and label alone.
struct chain {
	struct rng rng;
	struct secret key;
	uint32_t n; // blocks drawn
};

void chain_begin(struct chain *c, const struct secret *from, const char *label);
void chain_fini(struct chain *c);
void chain_next(const struct secret *from, struct secret *out);
// A secret that nobody can know who does not know what rng gives.
void chain_mix(const struct secret *from, struct rng *rng, struct secret *out);
