// gm/nat.h - life behind a NAT, once registered: its mapping is kept open for rekeys.
// Owns:   gm_group.nat.
// From:   gm/pull.c when a registration is complete; timers.c.
// Spec:   RFC 3948 2.3, 4.
// Always: keepalives only while we are behind the NAT and rekeys come by unicast.
#pragma once
#include <stdbool.h>

#include "common/base/addr.h"
#include "common/base/mono.h"

struct gm;
struct gm_group;
struct gm_out;

// As phase 1 of the registration in force saw it.
struct gm_nat {
	bool behind, ks_behind;
	const char *side;	   // the same as a word of show
	struct endpoint local, ks; // where the registration went
	mono_t keepalive;	   // MONO_NEVER: none to send
};

void gm_nat_init(struct gm_nat *n);
// Registered under the SA of g->reg. Tells the operator what a NAT means.
void gm_nat_registered(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out);
// The file was read again: other times.
void gm_nat_conf(const struct gm *gm, struct gm_group *g, mono_t now);
void gm_nat_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out);
