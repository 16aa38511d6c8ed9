// gm/dp.h - what we know of espd, and when it is told what it should have.
// One transaction at a time, always the whole state; what changes meanwhile goes with the next.
// From:   gm/core.c.   To: gm/policy builds the program, gm/pull fetches sender ids.
// Spec:   dataplane/dp_api.h.
// Always: each group for itself: one that has not registered keeps what espd has of it from an
//         earlier gmd, and failing that is open or closed as configured.
#pragma once
#include "gm/core.h"

void gm_dp_up(struct gm *gm, const struct dp_hello_ack *h, struct gm_out *out);
void gm_dp_down(struct gm *gm, struct gm_out *out);
void gm_dp_result(struct gm *gm, mono_t now, const struct dp_result *r, struct gm_out *out);
// dp_note.c
void gm_dp_note(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out);
// Gives espd what it should have, if that changed and it can be given now.
void gm_dp_program(struct gm *gm, mono_t now, struct gm_out *out);
