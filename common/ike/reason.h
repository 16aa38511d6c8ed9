// common/ike/reason.h - why a datagram was refused or an exchange ended, once, with the name that
// counters and logs show and the notify (RFC 2408 3.14.1) that tells the peer; 0: tell nothing.
#pragma once
#include <stdint.h>

#include "common/wire/gdoi.h"

#define IKE_REASONS(X)                                                                             \
	X(OK, "ok", 0)                                                                             \
	X(DUPLICATE, "duplicate", 0) /* a message we have answered already */                      \
	X(REPLAY, "replay", 0)                                                                     \
	X(MALFORMED, "malformed", ISAKMP_N_PAYLOAD_MALFORMED)                                      \
	X(BAD_FLAGS, "bad-flags", ISAKMP_N_INVALID_FLAGS)                                          \
	X(BAD_EXCHANGE, "bad-exchange", ISAKMP_N_UNSUPPORTED_EXCHANGE_TYPE)                        \
	X(UNEXPECTED_PAYLOAD, "unexpected-payload", ISAKMP_N_INVALID_PAYLOAD_TYPE)                 \
	X(UNEXPECTED_MESSAGE, "unexpected-message", 0)                                             \
	X(COOKIE_UNKNOWN, "cookie-unknown", 0)                                                     \
	X(WRONG_SOURCE, "wrong-source", 0)                                                         \
	X(HALFOPEN_FULL, "half-open-full", 0)                                                      \
	X(PSK_UNKNOWN, "psk-unknown", ISAKMP_N_NO_PROPOSAL_CHOSEN)                                 \
	X(NO_PROPOSAL, "no-proposal-chosen", ISAKMP_N_NO_PROPOSAL_CHOSEN)                          \
	X(BAD_PROPOSAL, "bad-proposal", ISAKMP_N_BAD_PROPOSAL_SYNTAX)                              \
	X(BAD_KE, "bad-key-exchange", ISAKMP_N_INVALID_KEY_INFORMATION)                            \
	X(BAD_ID, "bad-identity", ISAKMP_N_INVALID_ID_INFORMATION)                                 \
	X(AUTH_FAILED, "auth-failed", ISAKMP_N_AUTHENTICATION_FAILED)                              \
	X(NO_CREDENTIAL, "no-credential", 0) /* our own certificate's key could not sign */        \
	X(BAD_CERTIFICATE, "bad-certificate", ISAKMP_N_INVALID_CERTIFICATE)                        \
	X(UNKNOWN_CA, "unknown-ca", ISAKMP_N_INVALID_CERT_AUTHORITY)                               \
	X(BAD_SIGNATURE, "bad-signature", ISAKMP_N_INVALID_SIGNATURE)                              \
	X(BAD_FRAGMENT, "bad-fragment", 0)                                                         \
	X(BAD_HASH, "bad-hash", 0) /* a protected message that was not made with our keys */       \
	X(AGGRESSIVE, "aggressive-not-configured", 0)                                              \
	X(BUSY, "busy", 0) /* more handshakes at work than we take */                              \
	X(TIMEOUT, "timeout", 0)                                                                   \
	X(PEER_DELETED, "peer-deleted", 0)                                                         \
	X(PEER_DEAD, "peer-dead", 0)                                                               \
	X(EXPIRED, "expired", 0)                                                                   \
	X(CLOSED, "closed", 0) /* by us */                                                         \
	X(NO_MEMORY, "no-memory", 0)

enum ike_reason {
#define X(sym, text, notify) IKE_R_##sym,
	IKE_REASONS(X)
#undef X
		IKE_R_COUNT
};

const char *ike_reason_name(enum ike_reason r);
uint16_t ike_reason_notify(enum ike_reason r); // enum isakmp_notify, or 0
