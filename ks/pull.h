// ks/pull.h - answers registrations: GROUPKEY-PULL as responder.
//
//   (1) member -> us   HDR*, HASH(1), Ni, ID          known group, authorised member
//   (2) us -> member   HDR*, HASH(2), Nr, SA          SAK, GAP, SATs of every living generation
//   (3) member -> us   HDR*, HASH(3) [, GAP]          proves it is live: only now state changes
//   (4) us -> member   HDR*, HASH(4), SEQ, KD         keys of exactly what (2) offered
//
// From:   core.c with a datagram.     To: members, sid, keys, rekey (catch up), ike/protect.
// Spec:   RFC 6407 3, 7.2.5; RFC 6054.
// Always: a refusal goes to the peer as a protected notify, to the log and to a counter.
// Never:  registers, or takes a sender id, before HASH(3) was right.
#pragma once
#include "ks/ks.h"

#define KS_SIDS_MAX 16 // per registration

void ks_pull_in(struct ks *ks, mono_t now, const struct isakmp_hdr *hdr, struct bytes datagram,
		const struct endpoint *from, const struct endpoint *to, struct ks_out *out);
