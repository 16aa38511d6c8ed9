// common/crypto/signer.h - "sign this digest with key LABEL".
// A plain call today; the interface names keys by label and passes digests only, so that the
// private keys can move into a process of their own without a caller changing.
// Owns:   private keys, from PEM files.
// Always: labels are unique; a key stays until signer_fini.
// Never:  a private key leaves but wrapped to another signer's key.
// Threads: signing is safe from any thread while no key is being added.
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/hpke.h"
#include "common/crypto/sign.h"

#define SIGNER_MAX_KEYS	 64
#define SIGNER_LABEL_MAX 64

struct signer_key;

struct signer {
	size_t n;
	struct signer_key *keys[SIGNER_MAX_KEYS];
};

void signer_init(struct signer *s);
void signer_fini(struct signer *s);

// PEM, unencrypted. -EEXIST label taken, -ENOSPC, -EBADMSG not a private key we can use (kind,
// size), -EACCES and kin from opening the file.
MUST_CHECK int signer_load(struct signer *s, const char *label, const char *pem_path);
// The same from memory. The caller wipes pem.
MUST_CHECK int signer_add_pem(struct signer *s, const char *label, struct bytes pem);
// A fresh key: bits is used for RSA only. What ksd does when the operator names no file.
MUST_CHECK int signer_generate(struct signer *s, const char *label, enum sign_alg a, unsigned bits);

// The key that another signer has under a label of its own.
MUST_CHECK int signer_share(struct signer *s, const char *label, const struct signer *from,
			    const char *its_label);

// To another machine's signer: the private key sealed to its public value, bound to aad (which
// says from whom, to whom, what for). -ENOENT, -EMSGSIZE, -EBADMSG: `to` is no public value.
#define SIGNER_WRAPPED_MAX 4096
#define SIGNER_WRAP_INFO   "conclave signing key"
MUST_CHECK int signer_wrap(const struct signer *s, const char *label,
			   const uint8_t to[HPKE_PUBLIC_LEN], struct bytes aad, uint8_t *out,
			   size_t max, size_t *len);
// -EBADMSG: not sealed so, not to this key, or no key that we can use; -EEXIST, -ENOSPC: label.
MUST_CHECK int signer_unwrap(struct signer *s, const char *label, const struct hpke_key *with,
			     struct bytes aad, struct bytes sealed);

// The public half as SubjectPublicKeyInfo DER. -ENOENT no such label.
MUST_CHECK int signer_public(const struct signer *s, const char *label, uint8_t *out, size_t max,
			     size_t *len);
// SIGN_NONE when there is no such label. sig_len may be NULL.
enum sign_alg signer_alg(const struct signer *s, const char *label, size_t *sig_len);

// Signature of an already computed digest of hash_len(h) octets. form matters for RSA only. For
// ECDSA h must be the one the curve implies (-EINVAL).
MUST_CHECK int signer_sign(const struct signer *s, const char *label, enum hash_alg h,
			   const uint8_t *digest, enum rsa_form form, uint8_t sig[SIG_MAX],
			   size_t *sig_len);
