// common/ike/dpd.h - is the peer still there? (RFC 3706)
// A pure machine: tells when to ask and when to give up; the words it speaks are info.h's.
//
//	periodic    asks whenever the peer was silent for interval_s
//	on-demand   asks then only if we have sent it something since
//
// From:   ks/phase1.c, gm/dpd.c.
// Always: authentic traffic from the peer counts as life, but for a question it has to repeat;
//         sequence numbers only grow, and an answer counts only with the number asked last.
#pragma once
#include "common/ike/info.h"

#define IKE_DPD_TRIES 5 // unanswered questions that mean death, as IOS has it

struct ike_dpd_conf {
	uint32_t interval_s; // silence before the first question; 0: never asks, only answers
	uint32_t retry_s;    // between questions
	bool on_demand;
};

struct ike_dpd {
	struct ike_dpd_conf conf;
	uint32_t seq;	   // of our last question
	uint32_t peer_seq; // of the peer's last question
	bool peer_asked;
	bool fresh;    // that question's number was new: nobody had seen it before
	uint8_t asked; // questions without answer
	mono_t heard;
	mono_t deadline; // MONO_NEVER: nothing to ask
};

// Counters of a daemon, as its show commands name them.
#define IKE_DPD_COUNTS(X)                                                                          \
	X(asked, "dpd-asked")                                                                      \
	X(heard, "dpd-answers-heard")                                                              \
	X(answered, "dpd-answered")                                                                \
	X(stale, "dpd-stale") /* a sequence number that was over */                                \
	X(dead, "dpd-peers-dead")

struct ike_dpd_count {
#define X(field, name) uint64_t field;
	IKE_DPD_COUNTS(X)
#undef X
};

enum ike_dpd_todo { IKE_DPD_NOTHING, IKE_DPD_ASK, IKE_DPD_DEAD };

const char *ike_dpd_state(const struct ike_dpd *d); // "off", "alive", "asking"
void ike_dpd_init(struct ike_dpd *d, const struct ike_dpd_conf *c, mono_t now, struct rng *rng);
// Something authentic came from the peer.
void ike_dpd_heard(struct ike_dpd *d, mono_t now);
// Something went to the peer that it should be there to take.
void ike_dpd_sent(struct ike_dpd *d, mono_t now);
// ASK: send R-U-THERE with data (4 octets of d->seq).
enum ike_dpd_todo ike_dpd_timer(struct ike_dpd *d, mono_t now, uint8_t data[4]);
// A notify of the peer. True: send R-U-THERE-ACK with the same 4 octets (written to data). Others
// are ignored; *stale tells a sequence number that was wrong, for a counter.
bool ike_dpd_notify(struct ike_dpd *d, mono_t now, const struct isakmp_notify *n, uint8_t data[4],
		    bool *stale);

// The same with the message ready to be sent and everything counted; *msg views buf.
enum ike_dpd_todo ike_dpd_due(struct ike_dpd *d, const struct ike_sa *sa, mono_t now,
			      struct ike_dpd_count *c, uint8_t buf[IKE_INFO_BUF],
			      struct bytes *msg);
bool ike_dpd_answer(struct ike_dpd *d, const struct ike_sa *sa, mono_t now,
		    const struct isakmp_notify *n, struct ike_dpd_count *c,
		    uint8_t buf[IKE_INFO_BUF], struct bytes *msg);
