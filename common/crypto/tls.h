// common/crypto/tls.h - one TLS 1.3 session as an object: octets of the network in, octets out.
// Both sides prove themselves, either by certificates of one trustpoint, or by a key that only
// these two roles have. A shared key is never used as it is: each session's is derived from it and
// from the names of both sides in their roles, so that what one side says cannot be sent back to
// it, nor used between two others.
//
//	tls_new -> tls_take (send it) … tls_feed (what came) … -> TLS_OPEN -> tls_status
//	-> tls_write, tls_read -> tls_close
//
// Owns:   a session, its keys, the path of the peer's certificate.
// From:   coop/link_io.c.   Spec: RFC 8446, RFC 5705 (exporter).
// Always: TLS 1.3, TLS_AES_256_GCM_SHA384, a fresh (EC)DH; what failed stays failed, with a reason.
// Never:  a socket, a clock; tickets, resumption, early data, renegotiation, compression.
#pragma once
#include "common/crypto/secret.h"
#include "common/crypto/signer.h"
#include "common/crypto/trust.h"

#define TLS_KEY_MIN  16 // octets of a shared key
#define TLS_NAME_MAX 64

enum tls_state {
	TLS_SHAKING,
	TLS_OPEN,
	TLS_CLOSED, // the peer ended it as one should
	TLS_FAILED,
};

struct tls_creds; // counted, by one thread: sessions keep what they began with
struct tls;

// -EINVAL: the key is shorter than TLS_KEY_MIN. It is copied.
MUST_CHECK int tls_creds_key(const struct secret *key, struct tls_creds **out);
// own[0] is our certificate, the others its issuers; the key behind it is label's of s. Whoever has
// a path to trust is let through the handshake: tls_status and the caller's own list of names say
// whether that is enough. -ENOENT no such key, -EINVAL it is not the certificate's.
MUST_CHECK int tls_creds_cert(const struct signer *s, const char *label, struct cert *const *own,
			      size_t n_own, struct trust *trust, struct tls_creds **out);
struct tls_creds *tls_creds_get(struct tls_creds *c);
void tls_creds_put(struct tls_creds *c); // wipes with the last; NULL is fine

// caller, listener: names of both sides, the same at both. now: wall clock, seconds since 1970.
MUST_CHECK int tls_new(struct tls_creds *creds, bool calls, const char *caller,
		       const char *listener, int64_t now, struct tls **out);
void tls_free(struct tls *t); // NULL is fine

enum tls_state tls_state(const struct tls *t);
const char *tls_why(const struct tls *t); // of TLS_FAILED

// What came from the network. True: goes on; false: TLS_CLOSED or TLS_FAILED.
bool tls_feed(struct tls *t, struct bytes in);
// What is to be sent; 0: nothing now. Also after a failure, for the alert.
size_t tls_take(struct tls *t, uint8_t *out, size_t max);
// Plain octets of the peer; 0: none now, or the state has changed.
size_t tls_read(struct tls *t, uint8_t *out, size_t max);
bool tls_write(struct tls *t, struct bytes plain); // TLS_OPEN; all of it, or TLS_FAILED
void tls_close(struct tls *t);			   // says good-bye

// The peer's certificate, verified. NULL with a shared key. Borrowed.
const struct cert *tls_peer(const struct tls *t);
// As trust_status: revoked by now, or past its end? OK with a shared key.
enum cert_reason tls_status(const struct tls *t, int64_t now, struct trust_need **need);
struct trust *tls_trust(const struct tls *t); // that answers the need

// A secret of len octets that both sides of this session have and nobody else (RFC 8446 7.5).
MUST_CHECK int tls_export(const struct tls *t, const char *label, size_t len, struct secret *out);
