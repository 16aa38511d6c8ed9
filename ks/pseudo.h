// ks/pseudo.h - the clock of a group, that time-based anti-replay goes by.
// It counts milliseconds with the machine's boot-time clock, which neither a step of the wall clock
// nor a suspend disturbs, plus how far it is ahead of that. What is ahead is kept on disk, on the
// scale of the store's age, and so survives restarts and reboots.
// Also kept is the latest that anybody was told, before they are told: whatever the clocks of the
// machine say after a reboot, it goes on from there or later.
// Owns:   its three numbers.
// From:   rekey.c (start), adopt.c (going on), pull.c and push.c (telling), show.
// Always: within an epoch it never goes back. An epoch begins only where nothing was kept.
#pragma once
#include "common/base/mono.h"
#include "common/base/replay.h"
#include "common/base/rng.h"

// How far it moves ahead when nobody knows how old what was kept is: the longest life of a key.
#define PSEUDO_UNKNOWN_MS (INT64_C(30) * 86400 * 1000)

struct ks_pseudo {
	uint32_t epoch;	  // 0: not started
	int64_t ahead_ms; // of mono_t
	int64_t told_ms;  // with keys
};

void ks_pseudo_start(struct ks_pseudo *p, struct rng *rng, mono_t now); // at 0
void ks_pseudo_forward(struct ks_pseudo *p, int64_t ms);
void ks_pseudo_told(struct ks_pseudo *p, mono_t now);
void ks_pseudo_resume(struct ks_pseudo *p, mono_t now); // not before what was told
struct pseudotime ks_pseudo_at(const struct ks_pseudo *p, mono_t now);
