// tests/sim/cheap_crypto.h - arithmetic in the place of cryptography, for simulations only.
// Linked into a simulation, cheap_crypto.c answers the calls that cost most in common/crypto: hash
// and HMAC, cipher, Diffie-Hellman, signatures; a thousand times cheaper, and drawn from a seed, so
// that a world is the same each time. Whoever does not break them on purpose sees the same answers: a wrong key
// decrypts to noise, a changed octet changes a hash, two sides agree on a secret.
// Never:  in a daemon: no target but those of tests/sim names the file.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Where private Diffie-Hellman values and signing keys come from.
void cheap_seed(uint64_t seed);
uint64_t cheap_hash(const void *p, size_t len);
