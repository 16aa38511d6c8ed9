// common/ike/aggressive.h - aggressive mode: phase 1 in three messages, only where configured.
//
//	initiator (member)                                  responder (key server)
//	1  HDR, SA, KE, Ni, IDii                    ->
//	                                            <-   2  HDR, SA, KE, Nr, IDir, HASH_R
//	3  HDR*, HASH_I                             ->
//
// With signatures HASH becomes CERT.., SIG. What it is for: pre-shared keys of members whose address
// is not known beforehand, chosen by the name in IDii. What it costs: identities travel in clear,
// whoever asks under a configured name gets HASH_R, to guess the key by it at leisure, and the
// responder does Diffie-Hellman for an address that has proved nothing. Hence the gate: it lets
// through configured peers only, so many a second, so many at a time, so many of a source.
// Owns:   struct ike_aggr, the gate's places; each for ten seconds.
// From:   ks with datagrams of exchange 4 that match no SA; gm asks whether to use it.
// Spec:   RFC 2409 5.1, 5.4; RFC 3947 3.
// Never:  a word to peers it is not configured for, whatever they sent.
#pragma once
#include "common/ike/phase1.h"

#define IKE_AGGR_SLOTS	    256
#define IKE_AGGR_PER_SOURCE 16
#define IKE_AGGR_ANSWERS    8 // message 2 can be anybody's: an initiator looks at so many

struct ike_aggr_slot; // aggressive.c

struct ike_aggr {
	struct ike_aggr_slot *slot;
	size_t n_slots, per_source;
	uint32_t left; // handshakes that may begin in this second
	mono_t refill;
};

MUST_CHECK int ike_aggr_init(struct ike_aggr *g, mono_t now, size_t n_slots, size_t per_source);
void ike_aggr_fini(struct ike_aggr *g);

struct ike_aggr_call {
	const struct ike_conf *conf;
	mono_t now;
	struct bytes datagram;
	const struct endpoint *from, *to;
};

// As ike_halfopen_in: message 1 makes *made, which has taken its first step.
void ike_aggr_in(struct ike_aggr *g, const struct ike_aggr_call *call, struct ike_out *out,
		 struct ike_sa **made);
// Message 1 has no responder cookie yet: the one we gave this peer for it, or NULL.
const uint8_t *ike_aggr_known(const struct ike_aggr *g, mono_t now, const uint8_t *cky_i,
			      const struct endpoint *from);
// Initiator: is this peer to be asked so? Set sa->aggressive then, before IKE_EV_START.
bool ike_aggressive_wanted(const struct ike_conf *conf, const struct addr *peer);
