// ks/phase1.h - datagrams and timers of phase 1: from the core to common/ike and back.
// Owns:   nothing; the table and the half-open slots are ks.h's.
// From:   core.c, timers.c.     To: common/ike, session.
// Spec:   RFC 2409 main mode, RFC 2408 informational exchanges.
// Always: peers that have not proved their key yet are bounded, per source and in all.
#pragma once
#include "ks/core.h"

struct ks_call {
	struct ks *ks;
	mono_t now;
	const struct ks_event *ev;
	struct bytes msg; // of a datagram: without marker
	struct ks_out *out;
};

void ks_phase1_in(struct ks_call *c, const struct isakmp_hdr *hdr);
void ks_info_in(struct ks_call *c, const struct isakmp_hdr *hdr);
void ks_dh_done(struct ks_call *c);
void ks_auth_done(struct ks_call *c);
void ks_sa_drop(struct ks *ks, struct ike_sa *sa);
// Asks whether the peer is there if it is time to. False: it is dead, and the SA is gone; whether it
// stays a member is for its acknowledgements to tell.
bool ks_sa_dpd(struct ks *ks, struct ike_sa *sa, mono_t now, struct ks_out *out);
void ks_sa_timer(struct ks *ks, struct ike_sa *sa, mono_t now, struct ks_out *out);
