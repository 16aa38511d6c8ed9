// common/ike/proposal.h - the SA payload of phase 1: offering, choosing, and what rides beside it
// in messages 1 and 2 (vendor ids).
// From:   phase1 (initiator), halfopen (responder).    To: wire/ike1_sa.
// Spec:   RFC 2409 5, appendix A; RFC 2408 4.2: the responder returns one transform unaltered.
#pragma once
#include "common/ike/ike.h"
#include "common/wire/ike1_sa.h"

// Writes the SA payload with every proposal of ours that we can authenticate with towards peer, and
// the vendor ids. False when there is none.
// The same with these, in aggressive mode.
void proposal_offer_these(struct wr_chain *c, const struct ike_conf *conf, const struct addr *peer,
			  const struct ike_proposal *list, size_t n);
bool proposal_matches(const struct ike_proposal *p, const struct ike1_transform *t);
bool proposal_offer(struct wr_chain *c, const struct ike_conf *conf, const struct addr *peer);
// Writes the SA payload with the one transform t of their offer, as it came, and the vendor ids.
void proposal_answer(struct wr_chain *c, const struct ike_conf *conf, const struct ike1_sa *offer,
		     const struct ike1_transform *t);

// The transform of theirs that is best by our order, NULL when none will do: no key for this peer
// and no certificate of that kind rule a proposal out.
const struct ike1_transform *proposal_choose(const struct ike_conf *conf, const struct addr *peer,
					     const struct ike1_sa *offer, struct ike_proposal *out);
// The life both can live with, in seconds.
uint32_t proposal_life(const struct ike_conf *conf, const struct ike1_transform *t);

// What the peer showed of itself.
struct ike_peer_vids {
	bool dpd, conclave, fragments, natt;
	uint8_t major, minor;
	uint16_t features;
};
struct ike_peer_vids proposal_vids(const struct isakmp_chain *c);
