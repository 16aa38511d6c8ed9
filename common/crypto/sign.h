// common/crypto/sign.h - public keys and the verification of signatures.
// RSA is PKCS#1 v1.5 (block type 1) in two forms: with a DigestInfo around the hash, as RFC 6407
// cites it, and around the bare hash, as IKEv1 and the deployed GDOI daemons do it. Verification
// opens the block with the public key and compares all of it with both forms that could be
// right, so no trailing garbage, short padding or odd encoding can pass.
// Spec:   RFC 8017 9.2, RFC 2409 5.1, RFC 4754 (ECDSA as r | s of the curve's size).
// From:   gm/rekey (PUSH), ks through signer.h.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/prf.h"

#define SIG_MAX	   512 // RSA-4096
#define PUBKEY_MAX 600 // SubjectPublicKeyInfo of RSA-4096

enum sign_alg {
	SIGN_NONE,
	SIGN_RSA,
	SIGN_ECDSA_P256, // with SHA-256
	SIGN_ECDSA_P384, // with SHA-384
	SIGN_ECDSA_P521, // with SHA-512
};

enum rsa_form { RSA_FORM_DIGESTINFO, RSA_FORM_BARE };

struct pubkey; // opaque, heap

const char *sign_alg_name(enum sign_alg a);   // "RSA", "ECDSA-256"
enum hash_alg sign_alg_hash(enum sign_alg a); // the hash an ECDSA algorithm implies; none for RSA

// A DER SubjectPublicKeyInfo, or a bare PKCS#1 RSAPublicKey. RSA below 1024 or above 4096 bits,
// an even or tiny exponent, another curve, trailing octets: -EBADMSG. Freed by pubkey_free.
MUST_CHECK int pubkey_decode(struct bytes der, struct pubkey **out);
void pubkey_free(struct pubkey *k);
// SubjectPublicKeyInfo. -EMSGSIZE when max is too small.
MUST_CHECK int pubkey_encode(const struct pubkey *k, uint8_t *out, size_t max, size_t *len);
// The PKCS#1 RSAPublicKey inside a SubjectPublicKeyInfo, a view into it; other keys, and what is no
// SubjectPublicKeyInfo, come back whole.
struct bytes pubkey_pkcs1(struct bytes spki);
enum sign_alg pubkey_alg(const struct pubkey *k);
unsigned pubkey_bits(const struct pubkey *k);  // modulus or curve
size_t pubkey_sig_len(const struct pubkey *k); // octets of every signature under this key

// digest is hash_len(h) octets. 0 when the signature is right, -EBADMSG when it is not. form, if
// not NULL, tells how an RSA signer wrapped the hash.
MUST_CHECK int sign_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *digest,
			   struct bytes sig, enum rsa_form *form);
