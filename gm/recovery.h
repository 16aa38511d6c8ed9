// gm/recovery.h - is traffic under SPIs that we lack a reason to register again?
// A member that missed a rekey hears its peers under keys it was never given. So it asks its key
// server; but anybody can send packets with made-up SPIs, and they must not make members call at
// their bidding. Hence: enough packets in a short time; then once per interval at most, at a random
// moment of its first tenth; and when the key server had nothing new for us the evidence was
// false, and the interval doubles, up to sixteenfold, until an answer brings news.
// Owns:   what was seen, and when the next registration may be.
// From:   gm/dp_note.c with what espd saw; gm/timers.c when it is time; gm/pull.c with the outcome.
// Never:  a clock, a log.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/base/mono.h"
#include "common/base/rng.h"

#define GM_RECOVERY_PACKETS  10 // of unknown SPIs
#define GM_RECOVERY_WINDOW_S 10 // within this time
#define GM_RECOVERY_FACTOR   16

struct gm_recovery {
	uint64_t seen;	   // in this window
	mono_t window;	   // its end
	mono_t at;	   // decided: register then; MONO_NEVER
	mono_t not_before; // decide no earlier
	uint32_t factor;
	bool asked; // a registration for this reason has begun
};

void gm_recovery_init(struct gm_recovery *r);
// espd saw n more such packets. True when that decided it: r->at is set.
bool gm_recovery_note(struct gm_recovery *r, mono_t now, uint64_t n, uint32_t interval_s,
		      struct rng *rng);
void gm_recovery_begin(struct gm_recovery *r); // r->at has come
// A registration is complete. news: it brought a key or a rekey that we lacked.
void gm_recovery_done(struct gm_recovery *r, bool news);
