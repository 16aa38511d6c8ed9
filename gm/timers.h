// gm/timers.h - every deadline of a member in one place.
//
//	phase 1, PULL      resend, give up                    common/ike, gm/pull.c
//	next server        back-off with jitter               reg.next
//	linger             Delete of the used phase 1 SA      reg.linger
//	dpd                question to the key server         reg.dpd, gm/dpd.c
//	probe              phase 1 again when it was lost     reg.probe
//	renewal            before the first key or KEK ends   group.renew_at
//	recovery           traffic under unknown SPIs         gm/recovery.c
//	return             to the first key server            group.return_at
//	ATD, DTD, life     of sets and keys                   gm/teks.c
//	KEK life           and the grace of a closed one      gm/rekey.c
//	acknowledgement    spread after a multicast rekey     keks.ack
//	espd               try a refused transaction again    dp.retry_at
//
// From: gm/core.c, every step.
#pragma once
#include "gm/core.h"

// Runs all that is due. before: time of the previous step.
void gm_timers_run(struct gm *gm, mono_t before, mono_t now, struct gm_out *out);
mono_t gm_timers_next(const struct gm *gm, mono_t now);
