// ks/fanout.h - brings a sealed rekey to every member, and hears who has it.
// Batches of KS_FANOUT_BATCH go every KS_FANOUT_TICK_MS, so that thousands of members never hold
// up the loop. Whoever has not acknowledged retransmit_s after the last of them gets the same
// octets again, retransmit_number times; members that are not asked for acknowledgements get every
// round. With retransmit_periodic whoever was asked and is silent goes on to be reminded, one by
// one, until the next rekey. A restart ends the reminding.
//
// Owns:   struct ks_push; the push field of members.
// From:   rekey.c starts, timers.c ticks, core.c hands in acks, pull.c adds latecomers.
// Spec:   RFC 8263; RFC 6407 7.3 (identical repetition).
// Always: a member is judged gone only after it has acknowledged once, and then missed
//         KS_ACKS_MISSED_MAX rekeys in a row. One that is not asked, or never answered, stays: it may
//         well follow every rekey, and would lose traffic when it is left out of one.
// Never:  lets an ack shorten a delay or spare anybody else a retransmission: any member can forge
//         one (RFC 8263 7.1).
#pragma once
#include "ks/ks.h"

#define KS_FANOUT_BATCH	   64
#define KS_FANOUT_TICK_MS  5
#define KS_FANOUT_LATE_MS  100 // so much of it is made up for at once; more would be a burst
#define KS_ACKS_MISSED_MAX 3
#define KS_PUSH_KEPT_S	   60 // after its end, for registrations that were under way

// Seconds that the first round takes for n members.
uint32_t ks_fanout_spread_s(size_t n_members);

// A rekey that was taken up after a restart goes on.
void ks_fanout_resume(struct ks_group *g);
// g->push has its datagrams: off they go.
void ks_fanout_start(struct ks_group *g, mono_t now, struct ks_out *out);
mono_t ks_fanout_next(const struct ks_push *p);
void ks_fanout_timer(struct ks_group *g, mono_t now, struct ks_out *out);
// This member was registered by an answer that is older than the rekey: it gets it by itself, and again
// with every repetition of the answer.
void ks_fanout_catch_up(struct ks_group *g, struct member *m, mono_t now, struct ks_out *out);
// The record is about to go.
void ks_fanout_forget(struct ks_push *p, const struct member *m);

void ks_ack_in(struct ks *ks, mono_t now, struct bytes datagram, const struct endpoint *from,
	       const struct endpoint *to, struct ks_out *out);

// For acknowledgements to rekeys under the KEK of this SPI. base: that KEK, or a member's leaf.
// -errno.
MUST_CHECK int
ks_ack_keys(struct bytes base, const uint8_t spi[KEYS_KEK_SPI_LEN],
	    struct secret out[2]); // also when a newer one takes its place: nobody is judged
