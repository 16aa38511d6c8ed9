// common/ike/dpd.h - is the peer still there? (RFC 3706)
// A pure machine: tells when to ask and when to give up; info.h carries its words.
// Always: traffic of any kind from the peer counts as life; sequence numbers only grow, and an
//         answer counts only with the number asked last.
#pragma once
#include "common/base/mono.h"
#include "common/base/rng.h"
#include "common/wire/ike1_pl.h"

struct ike_dpd_conf {
	uint32_t idle_s;  // silence before the first question; 0 switches DPD off
	uint32_t retry_s; // between questions
	uint8_t tries;	  // unanswered questions that mean death
};
#define IKE_DPD_DEFAULT ((struct ike_dpd_conf){ 60, 5, 3 })

struct ike_dpd {
	struct ike_dpd_conf conf;
	uint32_t seq;	   // of our last question
	uint32_t peer_seq; // of the peer's last question
	bool peer_asked;
	uint8_t asked;	 // questions without answer
	mono_t deadline; // MONO_NEVER when off
};

enum ike_dpd_todo { IKE_DPD_NOTHING, IKE_DPD_ASK, IKE_DPD_DEAD };

void ike_dpd_init(struct ike_dpd *d, const struct ike_dpd_conf *c, mono_t now, struct rng *rng);
// Something authentic came from the peer.
void ike_dpd_heard(struct ike_dpd *d, mono_t now);
// ASK: send R-U-THERE with data (4 octets of d->seq).
enum ike_dpd_todo ike_dpd_timer(struct ike_dpd *d, mono_t now, uint8_t data[4]);
// A notify of the peer. True: send R-U-THERE-ACK with the same 4 octets (written to data). Others
// are ignored; *stale tells a sequence number that was wrong, for a counter.
bool ike_dpd_notify(struct ike_dpd *d, mono_t now, const struct isakmp_notify *n, uint8_t data[4],
		    bool *stale);
