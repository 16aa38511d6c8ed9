// ks/pull.h - answers registrations: GROUPKEY-PULL as responder.
//
//   (1) member -> us   HDR*, HASH(1), Ni, ID          known group, authorised member
//   (2) us -> member   HDR*, HASH(2), Nr, SA          SAK, GAP, SATs of every living generation
//   (3) member -> us   HDR*, HASH(3) [, GAP]          proves it is live: only now state changes
//   (4) us -> member   HDR*, HASH(4), SEQ, KD         keys of exactly what (2) offered
//
// Owns:   struct ks_session: the exchanges under one phase 1 SA, KS_PULLS_PER_SA at most, each
//         with its last reply, repeated when its question is.
// From:   core.c with a datagram.     To: members, sid, keys, rekey (catch up), ike/protect.
// Spec:   RFC 6407 3, 7.2.5; RFC 6054.
// Always: a refusal goes to the peer as a protected notify, to the log and to a counter.
// Never:  registers, or takes a sender id, before HASH(3) was right.
#pragma once
#include "ks/ks.h"

#define KS_PULLS_PER_SA 4
#define KS_SIDS_MAX	16 // per registration

// A phase 1 SA stands: it gets its session. local: the endpoint of ours it talks to.
void ks_session_open(struct ike_sa *sa, const struct endpoint *local, mono_t now);
void ks_session_close(struct ike_sa *sa); // before the SA goes
void ks_session_touch(struct ike_sa *sa, mono_t now);
mono_t ks_session_idle_at(const struct ike_sa *sa);
const struct endpoint *ks_session_local(const struct ike_sa *sa);

void ks_pull_in(struct ks *ks, mono_t now, const struct isakmp_hdr *hdr, struct bytes datagram,
		const struct endpoint *from, const struct endpoint *to, struct ks_out *out);
