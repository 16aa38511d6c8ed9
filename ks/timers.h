// ks/timers.h - every deadline of a key server in one place.
//
//   group   rekey due (TEK, KEK), next batch or round of a rekey, end of a generation:
//   ks_rekey_next phase 1 handshake given up, SA expired or idle: looked over once a second, as
//   none of these
//           needs to be more exact
//
// From:   core.c.     To: rekey, pull (idle sessions), common/ike.
#pragma once
#include "ks/ks.h"

mono_t ks_timers_next(struct ks *ks, mono_t now); // also starts and stops the sweep
void ks_timers_run(struct ks *ks, mono_t now, struct ks_out *out);
