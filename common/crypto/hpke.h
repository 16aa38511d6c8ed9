// common/crypto/hpke.h - a message that the holder of one private key alone can open.
//
//	sealed = the sender's one-time public value (65) | ciphertext | tag (16)
//
// Says nothing about who sealed it: whoever takes such a message has to know that from elsewhere.
// Spec:   RFC 9180, base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message.
// From:   signer_wrap.c; ks/share.c.
// Always: a fresh one-time key for each message.
// Never:  hands out plaintext whose tag was wrong.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/secret.h"

#define HPKE_PUBLIC_LEN	 65 // an uncompressed point: 4 | x | y
#define HPKE_PRIVATE_LEN 32
#define HPKE_OVERHEAD	 (HPKE_PUBLIC_LEN + 16)

struct hpke_key {
	uint8_t public[HPKE_PUBLIC_LEN];
	struct secret private;
};

MUST_CHECK int hpke_key_new(struct hpke_key *k);
void hpke_key_fini(struct hpke_key *k);

// info and aad have to be the same on both sides. out: plain.len + HPKE_OVERHEAD octets.
// -EBADMSG: `to` is no public key; -ENOMEM.
MUST_CHECK int hpke_seal(const uint8_t to[HPKE_PUBLIC_LEN], struct bytes info, struct bytes aad,
			 struct bytes plain, uint8_t *out);
// out: sealed.len - HPKE_OVERHEAD octets, wiped on error. -EBADMSG: not sealed so, or not to us.
MUST_CHECK int hpke_open(const struct hpke_key *k, struct bytes info, struct bytes aad,
			 struct bytes sealed, uint8_t *out);
