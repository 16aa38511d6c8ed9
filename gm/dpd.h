// gm/dpd.h - the phase 1 SA after a registration: kept up so that the key server can be asked
// whether it is there (RFC 3706), where the file has a `dpd` group or a NAT stands before us; deleted
// soon where not.
//
//	kept --no answer--> KS marked dead --at once--> phase 1 alone, as a probe
//	  ^                                                |  fails: again after interval_s
//	  +-------------- it stands: mark cleared ---------+
//
// Owns:   reg.dpd, reg.probe, reg.probing; which servers are marked dead.
// From:   pull.c (phase 1 stood, its informationals), rekey.c (the KS was heard), timers by pull.c.
// Always: a mark only changes with which server the next registration begins. Keys and traffic go
//         on: other members still use them, and a rekey may come from another key server.
#pragma once
#include "gm/core.h"

#define GM_DPD_NAT_S	   30
#define GM_DPD_NAT_RETRY_S 5
// What the file says; behind a NAT a member asks anyway: its questions tell the key server when the
// NAT's mapping has moved. interval_s 0: it only answers.
const struct ike_dpd_conf *gm_dpd_conf(const struct gm *gm, const struct gm_group *g);
// Phase 1 stands and nothing else is wanted of it now: keep it, or let it linger.
void gm_dpd_keep(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out);
void gm_dpd_in(struct gm *gm, struct gm_group *g, mono_t now, const struct ike_info *info,
	       struct gm_out *out);
// The kept SA is gone by its life or its peer's word: make another soon.
void gm_dpd_lost(struct gm *gm, struct gm_group *g, mono_t now);
// The probe got no phase 1.
void gm_dpd_probe_failed(struct gm *gm, struct gm_group *g, mono_t now, const char *why,
			 struct gm_out *out);
// A rekey of this server was right; acked: and we told it so.
void gm_dpd_rekey_heard(struct gm_group *g, mono_t now, const struct addr *ks, bool acked,
			struct gm_out *out);
// Asks when due. True: dead, the SA is to go.
bool gm_dpd_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out);
// With which server of the list to begin: the first that is not marked.
size_t gm_dpd_first(const struct gm_group *g);
void gm_dpd_alive(struct gm_group *g, const struct addr *ks, struct gm_out *out);
