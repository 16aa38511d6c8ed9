// common/ike/keymat.h - the keys and IVs of IKEv1.
// From:   phase1 (all of it), protect (IV of an exchange).    To: crypto/prf.
// Spec:   RFC 2409 section 5 and appendix B.
// Always: prf is the HMAC of the negotiated hash. Every function returns 0 or -errno.
#pragma once
#include "common/crypto/cipher.h"
#include "common/crypto/prf.h"

#define IKE_COOKIE_LEN 8

struct ike_skeyid {
	struct secret skeyid, d, a, e;
};

// SKEYID = prf(psk, Ni_b | Nr_b): authentication by pre-shared key.
MUST_CHECK int keymat_skeyid_psk(enum hash_alg h, const struct secret *psk, struct bytes ni,
				 struct bytes nr, struct secret *skeyid);
// SKEYID = prf(Ni_b | Nr_b, g^xy): authentication by signatures. -EMSGSIZE for nonces over 256.
MUST_CHECK int keymat_skeyid_sig(enum hash_alg h, struct bytes gxy, struct bytes ni,
				 struct bytes nr, struct secret *skeyid);
// SKEYID_d, _a, _e from k->skeyid, which is already there.
MUST_CHECK int keymat_derive(enum hash_alg h, struct bytes gxy, const uint8_t cky_i[IKE_COOKIE_LEN],
			     const uint8_t cky_r[IKE_COOKIE_LEN], struct ike_skeyid *k);
// The phase 1 cipher's key out of SKEYID_e, expanded when that is too short.
MUST_CHECK int keymat_cipher_key(enum hash_alg h, enum cipher_alg c, const struct secret *skeyid_e,
				 struct secret *key);

// HASH_I and HASH_R: the prover's own values first.
struct keymat_proof {
	struct bytes ke_own, ke_peer; // g^x as in the KE payloads
	const uint8_t *cky_own, *cky_peer;
	struct bytes sai; // SAi_b
	struct bytes id;  // the prover's ID payload, without its generic header
};
MUST_CHECK int keymat_proof(enum hash_alg h, const struct secret *skeyid,
			    const struct keymat_proof *p, uint8_t out[HASH_MAX]);

// IV of main mode message 5, and of the first message of a later exchange.
MUST_CHECK int keymat_iv_phase1(enum hash_alg h, enum cipher_alg c, struct bytes ke_i,
				struct bytes ke_r, uint8_t iv[CIPHER_BLOCK_MAX]);
MUST_CHECK int keymat_iv_exchange(enum hash_alg h, enum cipher_alg c, const uint8_t *last_block,
				  uint32_t msgid, uint8_t iv[CIPHER_BLOCK_MAX]);
