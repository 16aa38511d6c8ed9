// common/crypto/sign_int.h - private keys, shared by the files of this folder; no other room
// includes it.
#pragma once
#include <openssl/evp.h>

#include "common/base/bytes.h"
#include "common/crypto/sign.h"

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 4096

// SIGN_NONE when the key is of a kind or size we refuse. *bits may be NULL.
enum sign_alg sign_key_kind(const EVP_PKEY *key, unsigned *bits);
// The key as sign.h verifies with it; takes it, also when it fails. -EBADMSG: refused, or NULL.
MUST_CHECK int pubkey_take(EVP_PKEY *key, struct pubkey **out);
size_t sign_coord_len(enum sign_alg a); // of r and s; 0 for RSA

// The block of block type 1 that a right RSA signature opens to: 00 01 ff.. 00 | [DigestInfo] |
// hash, exactly len octets. False when it does not fit.
bool rsa_block(enum hash_alg h, const uint8_t *digest, enum rsa_form form, uint8_t *out,
	       size_t len);

// pkcs12.c: never asks on a terminal. -EACCES the passphrase, -ENOENT no key in it, -EBADMSG.
MUST_CHECK int pki_key_from_pem(struct bytes pem, const char *pass, EVP_PKEY **key);

// signer.c: for tls.c, which needs the key itself. Borrowed; NULL: no such label.
struct signer;
EVP_PKEY *signer_pkey(const struct signer *s, const char *label);
// For signer_wrap.c. Takes the key, also when it fails; -EBADMSG: NULL, or refused.
MUST_CHECK int signer_add(struct signer *s, const char *label, EVP_PKEY *key);
