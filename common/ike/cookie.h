// common/ike/cookie.h - the responder's cookie: checkable without having kept anything.
// CKY-R = first 8 octets of HMAC-SHA-256(secret, peer address | port | CKY-I). The secret changes
// every minute; the one before stays valid, so a handshake in progress survives the change.
// Spec:   RFC 2408 2.5.3.
#pragma once
#include "common/base/addr.h"
#include "common/base/mono.h"
#include "common/base/rng.h"
#include "common/crypto/secret.h"

struct ike_cookie_jar {
	struct rng *rng;
	struct secret now, before;
	mono_t rotate;
};

void ike_cookie_init(struct ike_cookie_jar *j, struct rng *rng, mono_t now);
void ike_cookie_fini(struct ike_cookie_jar *j);
MUST_CHECK int ike_cookie_make(struct ike_cookie_jar *j, mono_t now, const struct endpoint *peer,
			       const uint8_t cky_i[8], uint8_t cky_r[8]);
bool ike_cookie_check(struct ike_cookie_jar *j, mono_t now, const struct endpoint *peer,
		      const uint8_t cky_i[8], const uint8_t cky_r[8]);
