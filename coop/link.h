// coop/link.h - the channel between two key servers, as far as it can be judged without a socket.
//
// A stream carries a preface from each side, then frames. A hello datagram carries one frame:
//
//	 0                   1                   2                   3
//	+---------------+---------------+---------------+---------------+
//	|      0x43     |      0x48     |   version     |   direction   |
//	+---------------+---------------+---------------+---------------+
//	|                    key (8): which session it is of            |
//	+---------------------------------------------------------------+
//	|                    counter (8): grows, from 1                 |
//	+---------------------------------------------------------------+
//	|                    boot (8) of who says it                    |
//	+---------------------------------------------------------------+
//	|                    frame …                                    |
//	+---------------------------------------------------------------+
//	|                    tag (32): HMAC-SHA-256 of all above        |
//	+---------------------------------------------------------------+
//
// The keys come out of the TLS session and outlive it, so that a stream that is cut is not yet a
// peer that is dead. Each direction has its own key; under one key counters only grow, and a sender
// has one boot.
// Owns:   keys, the frame that is being put together.
// From:   link_io.c.   Spec: docs/coop-channel.md.
// Never:  a socket, a clock; says which part of a datagram was wrong to who sent it.
#pragma once
#include "common/base/rng.h"
#include "common/crypto/secret.h"
#include "coop/wire.h"

#define LINK_PREFACE_LEN    8
#define LINK_KEY_LEN	    32 // octets of the secret that a session exports
#define LINK_KEY_LABEL	    "EXPORTER-conclave-coop-hello"
#define LINK_HELLO_OVERHEAD (4 + 8 + 8 + 8 + 32)
#define LINK_HELLO_MAX	    1200 // fits every path's MTU

// Who calls whom: of two key servers the one with the lower address. So there is never a call in
// both directions.
bool link_calls(const struct addr *own, const struct addr *peer);

// Before the next call after this many that came to nothing: doubles up to a bound; the second half
// of it is random.
int64_t link_backoff_ms(unsigned tries, struct rng *rng);

// ---- the stream ----

struct link_cut {
	bool greeted;
	size_t len;
	uint8_t b[COOP_FRAME_LEN + COOP_BODY_MAX];
};

enum link_cut_got { LINK_CUT_MORE, LINK_CUT_PREFACE, LINK_CUT_FRAME, LINK_CUT_BAD };

void link_preface(uint8_t out[LINK_PREFACE_LEN]);
// Takes octets off *in until something is complete. frame: header and body, whole, until the next
// call. After BAD the stream is of no use.
enum link_cut_got link_cut(struct link_cut *c, struct bytes *in, struct bytes *frame);

// ---- hello datagrams ----

struct link_key {
	bool set, tells; // tells: the peer has it too
	uint8_t id[8];
	struct secret send, recv;
	uint64_t sent, heard;
	uint64_t boot; // of the peer, once it was heard
};

struct link_keys {
	bool calls;
	struct link_key now, before;
};

#define LINK_HELLO_WHYS(X)                                                                         \
	X(OK, "ok")                                                                                \
	X(MALFORMED, "malformed")                                                                  \
	X(UNKNOWN_KEY, "unknown-key")                                                              \
	X(REFLECTED, "reflected") /* it says it goes the way that we talk */                       \
	X(BAD_TAG, "wrong-tag")                                                                    \
	X(REPLAYED, "replayed")                                                                    \
	X(OTHER_BOOT, "another-boot")

enum link_hello_why {
#define X(sym, text) LINK_HELLO_##sym,
	LINK_HELLO_WHYS(X)
#undef X
		LINK_HELLO_N
};
const char *link_hello_why_name(enum link_hello_why w);

void link_keys_init(struct link_keys *k, bool calls);
void link_keys_fini(struct link_keys *k);
// We have accepted the peer of a session: from now on its key is listened to. -errno: nothing has
// changed.
MUST_CHECK int link_keys_accept(struct link_keys *k, const struct secret *exported);
// The peer has accepted us: from now on we speak under it.
void link_keys_tell(struct link_keys *k);

// Octets of the datagram; 0: there is no key yet, or max is too small.
size_t link_hello_seal(struct link_keys *k, uint64_t boot, struct bytes frame, uint8_t *out,
		       size_t max);
// OK: *frame is the part of the datagram that was protected.
enum link_hello_why link_hello_open(struct link_keys *k, struct bytes datagram,
				    struct bytes *frame);
