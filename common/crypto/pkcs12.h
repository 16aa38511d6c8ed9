// common/crypto/pkcs12.h - a key and its certificates as files carry them: PEM, PKCS#12.
// For the operator's import and export and for enrolment; a running daemon's keys stay in
// signer.h.
// Always: private key text is wiped by its _fini; passphrases are borrowed and not kept.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/cert.h"
#include "common/crypto/sign.h"

#define PKI_CHAIN_MAX 8
#define PKI_FILE_MAX  (1024 * 1024)

struct pki_bundle {
	char *key_pem; // PKCS#8, not encrypted; wiped by fini
	size_t key_len;
	struct cert *own; // belongs to the key
	size_t n_chain;
	struct cert *chain[PKI_CHAIN_MAX]; // intermediates and CA, as they came
};
void pki_bundle_fini(struct pki_bundle *b);

// -EACCES the passphrase is wrong, -EBADMSG not such a file, -ENOENT no key or no certificate in
// it, -EKEYREJECTED the certificate is another key's. pass may be NULL: none.
MUST_CHECK int pki_from_pkcs12(struct bytes der, const char *pass, struct pki_bundle *out);
// key and certs are PEM and may be the same file; the first certificate of the key is its own.
MUST_CHECK int pki_from_pem(struct bytes key, const char *pass, struct bytes certs,
			    struct pki_bundle *out);
// AES-256, PBKDF2-HMAC-SHA-256, to be wiped and freed by the caller. name: shown by importers.
MUST_CHECK int pki_to_pkcs12(const struct pki_bundle *b, const char *name, const char *pass,
			     uint8_t **der, size_t *len);

// The key encrypted likewise, then the certificates. Terminated; to be wiped and freed.
MUST_CHECK int pki_to_pem(const struct pki_bundle *b, const char *pass, uint8_t **pem, size_t *len);

// A fresh private key as PEM: bits is used for RSA only.
MUST_CHECK int pki_key_new(enum sign_alg a, unsigned bits, char **pem, size_t *len);
bool pki_key_is(struct bytes pem, enum sign_alg a, unsigned bits); // one that _new would make
bool pki_key_same(struct bytes pem, struct bytes other);	   // both private keys, and equal
