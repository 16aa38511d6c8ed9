// ks/rekey.h - decides that a rekey is due; makes the keys, builds, signs and seals it.
//
//   roll:  new TEK generation, or a new KEK, or both    HDR*, SEQ, SA(SAK, GAP, SATs), KD, SIG
//   renew: everything ends, members register again      HDR*, SEQ, D(TEKs), D(KEK), SIG
//
// New TEKs activate ATD seconds after a member heard of them, old ones go after DTD. ATD covers
// the paced fan-out and all its retransmissions, so that nobody sends under a key that somebody
// has not heard of; it is less than the life the old TEKs have left.
// From:   core.c, timers.c, pull.c.     To: keys, sa_build, wire/gdoi_push, fanout.
// Spec:   RFC 6407 3.5, 4, 5.4, 7.4; RFC 5374 4.2.1.
// Always: one SEQ counter per KEK; all that is sent under one SEQ says the same keys.
// Never:  installs what could not be built and signed whole.
#pragma once
#include "ks/ks.h"

struct ks_delays {
	uint32_t atd_s, dtd_s;
	uint32_t spread_s; // first to last sending
};
struct ks_delays ks_rekey_delays(const struct ks_group *g, mono_t now); // of a roll begun now

mono_t ks_rekey_tek_due(const struct ks_group *g);
mono_t ks_rekey_kek_due(const struct ks_group *g);
mono_t ks_rekey_next(const struct ks_group *g, mono_t now); // whatever this room waits for

// First keys of a group: nobody to tell.
void ks_rekey_start(struct ks *ks, struct ks_group *g, mono_t now);
void ks_rekey_timer(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// An operator's word: now, or behind the one in flight; why says which, or why not (false).
bool ks_rekey_now(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out, char *why,
		  size_t why_size);
// Sender ids are exhausted (RFC 6407 3.5): new keys, members are told to register again.
void ks_rekey_renew(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);

// A registration was offered keys as of (KEK, SEQ): it has missed nothing since, or only the last
// rekey, which can still be sent to it.
bool ks_rekey_can_catch_up(const struct ks_group *g, const uint8_t *kek_spi, uint32_t seq);
const struct kek *ks_rekey_kek(const struct ks_group *g, const uint8_t *kek_spi); // or NULL

// Members hold something else than the configuration says.
bool ks_rekey_is_stale(const struct ks *ks, const struct ks_group *g);
// "rk=7f3a/42": the tag of one rekey in every log.
#define KS_TAG_LEN 24
const char *ks_rekey_tag(const struct ks_push *p, char buf[KS_TAG_LEN]);
