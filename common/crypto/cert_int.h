// common/crypto/cert_int.h - what the certificate files of this folder share; nobody else includes
// it.
#pragma once
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/crypto/cert.h"

struct cert {
	unsigned refs;
	X509 *x;
	uint8_t *der;
	size_t der_len;
	struct pubkey *key;
};

MUST_CHECK int cert_from_x509(X509 *x, struct cert **out); // copies
bool cert_time_to_unix(const ASN1_TIME *t, int64_t *out);
