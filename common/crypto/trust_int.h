// common/crypto/trust_int.h - what trust.c, trust_crl.c and trust_ocsp.c share.
#pragma once
#include <pthread.h>

#include <openssl/ocsp.h>

#include "common/crypto/cert_int.h"
#include "common/crypto/trust.h"

#define TRUST_KEY_LEN 32 // SHA-256 of what an entry is about

struct trust_ocsp_entry {
	uint8_t key[TRUST_KEY_LEN]; // of the OCSP CertID
	int64_t until;		    // 0: unused
	enum cert_reason status;    // OK, REVOKED, OCSP_UNKNOWN
};

struct trust_asked { // an address that was asked: not again before until
	uint8_t key[TRUST_KEY_LEN];
	int64_t until;
	enum cert_reason why; // how it went
};
#define TRUST_MAX_ASKED 64
#define TRUST_AGAIN_S	5 // even after a good answer, so that a useless one makes no loop

struct trust {
	unsigned refs;
	struct trust_conf conf;
	STACK_OF(X509) * ca, *known;
	X509_STORE *store;
	pthread_mutex_t lock; // of everything below
	X509_CRL *crl[TRUST_MAX_CRL];
	size_t n_crl;
	struct trust_ocsp_entry ocsp[TRUST_MAX_OCSP];
	struct trust_asked asked[TRUST_MAX_ASKED];
};

struct trust_path {
	STACK_OF(X509) * chain; // peer, issuers.., CA
};

struct trust_need_own {
	uint8_t key[TRUST_KEY_LEN]; // of what was asked whom
	X509 *cert, *issuer;
	OCSP_REQUEST *req; // OCSP only
	uint8_t *der;
};

enum cert_reason trust_reason_of(int x509_err);
// A context that judges cert at time now. NULL when out of memory.
X509_STORE_CTX *trust_ctx(const struct trust *t, int64_t now, X509 *cert, STACK_OF(X509) * helpers);
void trust_key(const char *what, struct bytes b, uint8_t key[TRUST_KEY_LEN]);
struct trust_need *trust_need_new(enum trust_method m, const char *url,
				  const uint8_t key[TRUST_KEY_LEN], X509 *cert, X509 *issuer);

// One certificate of a path and its issuer: OK, REVOKED, STATUS_WANTED with *need, or why not.
enum cert_reason trust_crl_status(struct trust *t, int64_t now, const struct trust_path *p, int i,
				  struct trust_need **need);
enum cert_reason trust_ocsp_status(struct trust *t, int64_t now, const struct trust_path *p, int i,
				   struct trust_need **need);
enum cert_reason trust_crl_answer(struct trust *t, int64_t now, const struct trust_need *need,
				  struct bytes body);
enum cert_reason trust_ocsp_answer(struct trust *t, int64_t now, const struct trust_need *need,
				   struct bytes body);

// Was this asked just now? Then *why says how it went.
bool trust_asked(struct trust *t, int64_t now, const uint8_t key[TRUST_KEY_LEN],
		 enum cert_reason *why);
bool trust_url_ok(struct bytes url);
