// ks/push.h - writes a rekey: payloads, signature, encryption.
//
//   roll   HDR*, SEQ, SA(SAK, GAP, SATs), KD, SIG      new TEKs, a new KEK, or both
//   clear  HDR*, SEQ, D(TEKs), D(KEK), SIG             forget everything, register again
//
// From:   rekey.c decides; fanout.h sends.    To: sa_build, wire/gdoi_push, crypto.
// Spec:   RFC 6407 4, 5.9, 7.4.
// Always: signed and sealed under the KEK in force, SEQ one above its last.
// Never:  changes the group: a rekey that cannot be built has not happened.
#pragma once
#include "ks/ks.h"
#include "ks/rekey.h"

struct ks_roll {
	struct ks *ks;
	struct ks_group *g; // its first generation is what a roll of TEKs announces
	mono_t now;
	bool tek, kek;
	struct ks_delays delays;
	struct kek new_kek; // when kek
};

// SPI, SEQ and acknowledgement keys of the next rekey of g. Ended by ks_push_fini, always.
bool ks_push_init(const struct ks_group *g, struct ks_push *p);
// Every variant that a member may need.
bool ks_push_build_roll(const struct ks_roll *r, struct ks_push *p);
bool ks_push_build_clear(struct ks *ks, const struct ks_group *g, struct ks_push *p);
