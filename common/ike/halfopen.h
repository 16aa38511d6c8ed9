// common/ike/halfopen.h - a responder's side of messages 1 and 2, in memory of a fixed size.
// IKEv1 needs the initiator's SA payload until message 5, so something has to be kept for a
// stranger: a slot here and nothing else. Slots are bounded per source address and the oldest
// makes room for the next; no Diffie-Hellman, no heap, no signature before message 3 came back
// from the same address with the cookie we sent there.
// From:   ks with main mode datagrams that match no SA in its table.
// To:     phase1 (the SA made by message 3).
// Always: an unknown source learns nothing: no key for its address and no proposal in common
//         look the same, and what is said to it is rate limited.
#pragma once
#include "common/ike/cookie.h"
#include "common/ike/phase1.h"

#define IKE_HALFOPEN_SAI_MAX   2048
#define IKE_HALFOPEN_REPLY_MAX 256

struct ike_halfopen_slot; // halfopen.c

struct ike_halfopen {
	struct ike_cookie_jar jar;
	struct ike_halfopen_slot *slots; // allocated once, by init
	uint32_t *bucket[2];		 // by cookie, by source: n_slots of each
	uint64_t seed;			 // of their hash
	uint32_t oldest, newest, first_free;
	size_t n_slots, per_source;
	size_t n_used;
	uint64_t n_evicted;    // slots taken from another handshake before its time
	uint32_t answers_left; // of this second: notifies to strangers
	mono_t answers_refill;
};

#define IKE_HALFOPEN_SLOTS	1024
#define IKE_HALFOPEN_PER_SOURCE 16

MUST_CHECK int ike_halfopen_init(struct ike_halfopen *h, struct rng *rng, mono_t now,
				 size_t n_slots, size_t per_source);
void ike_halfopen_fini(struct ike_halfopen *h);

// One datagram of exchange 2 whose cookies are of no SA we have; it came to our endpoint `to`. Message 1 is answered through
// out. Message 3 with the right cookie makes *made, an SA on the heap (ike_sa_fini and free are
// the caller's) which has taken its first step: out says what it wants. Everything else leaves
// *made NULL and says why in out->refused.
void ike_halfopen_in(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
		     struct bytes datagram, const struct endpoint *from, const struct endpoint *to,
		     struct ike_out *out, struct ike_sa **made);
