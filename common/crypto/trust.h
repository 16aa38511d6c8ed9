// common/crypto/trust.h - what a trustpoint believes: its CAs, and who has been revoked.
// Verification of a peer goes in three steps, so that a stranger pays before we do: the path to a
// CA (trust_path), then, by the caller, the peer's signature, and only for a peer that proved its
// key the revocation (trust_status). What that needs from the network is described (struct
// trust_need), fetched by somebody else, and handed back as bytes (trust_answer): this room does
// no I/O, and asks only for addresses that the configuration or a CA of ours named.
// Owns:   CA certificates, intermediates from files, CRLs, OCSP results: bounded, until they age.
// Spec:   RFC 5280 (paths, name constraints, CRLs with their distribution points), RFC 6960
//         (OCSP), RFC 4945 (what of it holds for IKE).
// Always: wall clock comes as a parameter (seconds since 1970). SHA-1, MD5 and RSA below 2048 bits
//         in a path are refused. Every CA says so in basicConstraints.
// Threads: one lock inside; every call but the trust_add ones from any thread.
#pragma once
#include "common/crypto/cert.h"

#define TRUST_MAX_PATH	  8   // certificates between the peer's own and the CA, both counted
#define TRUST_MAX_CRL	  32  // CRLs kept
#define TRUST_MAX_OCSP	  512 // OCSP results kept
#define TRUST_CRL_MAX	  (4 * 1024 * 1024)
#define TRUST_OCSP_MAX	  65536
#define TRUST_URL_MAX	  256
#define TRUST_MAX_METHODS 3
#define TRUST_RETRY_S	  60 // an address that did not answer is left alone for so long

// How to learn whether a certificate was revoked. In the order configured; the next is asked when
// one cannot tell. Without NONE at the end such a certificate is refused.
enum trust_method { TRUST_NONE, TRUST_CRL, TRUST_OCSP };

struct trust_conf {
	size_t n_methods; // 0: as if it were NONE alone
	enum trust_method methods[TRUST_MAX_METHODS];
	// Where to ask. Empty: the addresses in the certificate (CRL distribution points, authority
	// information access). Only http.
	char crl_url[TRUST_URL_MAX], ocsp_url[TRUST_URL_MAX];
};

struct trust;
struct trust_path; // a verified path, the peer's certificate first

MUST_CHECK int trust_new(const struct trust_conf *conf, struct trust **out);
struct trust *trust_get(struct trust *t); // shared: one more trust_free is due
void trust_free(struct trust *t);	  // NULL is fine

const struct trust_conf *trust_conf(const struct trust *t);

// ---- from files, before the trust is shared ----

// CA certificates (PEM): each is believed as it is, self-signed or not. -EINVAL, and *why, when
// one is no CA; otherwise as cert_from_pem.
MUST_CHECK int trust_add_ca(struct trust *t, struct bytes pem, enum cert_reason *why);
// Intermediates that peers may not send.
MUST_CHECK int trust_add_known(struct trust *t, struct bytes pem);
// A CRL, PEM or DER, of any CA in the trust. -EBADMSG not signed by one, or no CRL at all.
MUST_CHECK int trust_add_crl(struct trust *t, struct bytes crl);

size_t trust_n_ca(const struct trust *t);
struct cert *trust_ca(const struct trust *t, size_t i); // a copy, for cert_free; NULL: no memory
struct bytes trust_ca_subject(const struct trust *t, size_t i); // for certificate requests
// Would a certificate that this CA (a DER name) issued, directly or not, be of this trust?
bool trust_has_ca(const struct trust *t, struct bytes name);

// ---- a peer ----

// A path from certs[peer] to one of our CAs; the others may help. OK: *out is to be freed by
// trust_path_free. Otherwise *depth, if not NULL, says which certificate (0: the peer's own).
enum cert_reason trust_path(const struct trust *t, int64_t now, struct cert *const *certs, size_t n,
			    size_t peer, struct trust_path **out, int *depth);
void trust_path_free(struct trust_path *p);

// What has to be fetched before the status is known.
struct trust_need {
	enum trust_method method;
	char url[TRUST_URL_MAX];
	const uint8_t *body; // OCSP: POST it as application/ocsp-request; CRL: NULL, GET
	size_t body_len;
	struct trust_need_own *own; // trust*.c
};
void trust_need_free(struct trust_need *n); // also the struct; NULL is fine

// OK, REVOKED, a reason why nobody could tell, or STATUS_WANTED with *need, to be answered, freed
// and followed by another call. *detail, if not NULL: which certificate, counted from the peer's.
enum cert_reason trust_status(struct trust *t, int64_t now, const struct trust_path *p,
			      struct trust_need **need, int *depth);
// What came back; no bytes at all when nothing did. Keeps it if it is authentic, and the failure
// if it is not, so that trust_status goes on either way.
enum cert_reason trust_answer(struct trust *t, int64_t now, const struct trust_need *need,
			      struct bytes body);

// ---- for show ----

struct trust_crl_info {
	char issuer[256];
	int64_t this_update, next_update;
	size_t n_revoked;
};
size_t trust_crls(struct trust *t, struct trust_crl_info *out, size_t max);
