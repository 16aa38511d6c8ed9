// common/crypto/cert.h - one X.509 certificate: what it says, and whom it names.
// Paths, trust and revocation are trust.h's; the text forms of names are dn.h's.
// Owns:   the decoded certificate and a copy of its octets.
// From:   common/ike (CERT payloads, identities), trust.h, common/pki (files).
// Spec:   RFC 5280; RFC 4945 3.1 (which field an identity has to match) and 5.1.3 (key usage).
// Always: what is wrong has a name, shown by logs and counters.
// Never:  takes an identity out of the Subject that is not the whole Subject (RFC 4945 3.1.9).
#pragma once
#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/crypto/sign.h"

#define CERT_DER_MAX 16384
#define CERT_PEM_MAX 32 // certificates of one PEM file

// Why a certificate, or the path above it, was refused.
#define CERT_REASONS(X)                                                                            \
	X(OK, "ok")                                                                                \
	X(MALFORMED, "certificate-malformed")                                                      \
	X(MISSING, "no-certificate-received")                                                      \
	X(TOO_MANY, "too-many-certificates")                                                       \
	X(ISSUER_UNKNOWN, "issuer-unknown") /* no path to a CA of the trustpoint */                \
	X(BAD_SIGNATURE, "certificate-signature-wrong")                                            \
	X(EXPIRED, "certificate-expired")                                                          \
	X(NOT_YET_VALID, "certificate-not-yet-valid")                                              \
	X(NOT_A_CA, "issuer-is-no-ca")                                                             \
	X(PATH_TOO_LONG, "path-too-long")                                                          \
	X(NAME_CONSTRAINT, "name-not-permitted-by-ca")                                             \
	X(KEY_USAGE, "key-usage-forbids-signature")                                                \
	X(EXT_KEY_USAGE, "extended-key-usage-without-ike")                                         \
	X(WEAK_KEY, "key-too-weak")                                                                \
	X(WEAK_DIGEST, "digest-too-weak")                                                          \
	X(CRITICAL_EXTENSION, "unknown-critical-extension")                                        \
	X(KEY_KIND, "key-of-another-kind") /* than the negotiated method wants */                  \
	X(ID_MISMATCH, "identity-not-in-certificate")                                              \
	X(REVOKED, "certificate-revoked")                                                          \
	X(STATUS_UNAVAILABLE, "revocation-status-unavailable")                                     \
	X(CRL_EXPIRED, "crl-expired")                                                              \
	X(CRL_BAD, "crl-invalid")                                                                  \
	X(OCSP_BAD, "ocsp-answer-invalid")                                                         \
	X(OCSP_UNKNOWN, "ocsp-certificate-unknown")                                                \
	X(STATUS_WANTED, "revocation-status-wanted") /* not refused: to be fetched first */        \
	X(INVALID, "certificate-invalid")                                                          \
	X(NO_MEMORY, "no-memory")

enum cert_reason {
#define X(sym, text) CERT_R_##sym,
	CERT_REASONS(X)
#undef X
		CERT_R_COUNT
};
const char *cert_reason_name(enum cert_reason r);

struct cert; // opaque, heap

// One DER certificate, all of it. -EBADMSG when it is none, or its key is of a kind or size that
// sign.h refuses; -EMSGSIZE above CERT_DER_MAX.
MUST_CHECK int cert_decode(struct bytes der, struct cert **out);
struct cert *cert_get(struct cert *c); // one more cert_free is due: it never changes
void cert_free(struct cert *c);	       // NULL is fine

// Every certificate of a PEM file (keys and other blocks are skipped). -ENOENT when there is none,
// -ENOSPC above max, -EBADMSG for a block that does not decode. Nothing is left in out then.
MUST_CHECK int cert_from_pem(struct bytes pem, struct cert **out, size_t max, size_t *n);
// PEM text, terminated, to be freed by the caller. NULL when out of memory.
char *cert_to_pem(const struct cert *const *c, size_t n);

// Views live as long as the certificate.
struct bytes cert_der(const struct cert *c);
struct bytes cert_subject(const struct cert *c); // Name, DER
struct bytes cert_issuer(const struct cert *c);
const struct pubkey *cert_key(const struct cert *c);
bool cert_is_ca(const struct cert *c);		// basicConstraints says so (RFC 4945 5.1.3.9)
bool cert_is_self_issued(const struct cert *c); // subject and issuer are the same name
int64_t cert_not_before(const struct cert *c);	// seconds since 1970
int64_t cert_not_after(const struct cert *c);
// "5A:01": the serial number as people compare it. Terminated, cut to fit.
const char *cert_serial(const struct cert *c, char *buf, size_t size);
// OK, KEY_USAGE or EXT_KEY_USAGE: may this certificate's key sign for IKE?
enum cert_reason cert_usage(const struct cert *c);

// Phase 1 identity types that a certificate can prove (numbers of RFC 2407 4.6.2.1).
enum cert_id_type {
	CERT_ID_IPV4 = 1,
	CERT_ID_FQDN = 2,
	CERT_ID_USER_FQDN = 3,
	CERT_ID_IPV6 = 5,
	CERT_ID_DN = 9,
};

// Does the certificate name this identity? Addresses and the whole Subject octet by octet; names
// exactly but for the case of ASCII letters (RFC 5280 7.2, 7.5: of a mail address only the host
// part). Wildcards in a certificate match nothing. False for other types.
bool cert_has_id(const struct cert *c, uint8_t type, struct bytes id);
// The certificate's first identity of that type, copied. -ENOENT none, -EMSGSIZE.
MUST_CHECK int cert_id(const struct cert *c, uint8_t type, uint8_t *out, size_t max, size_t *len);
