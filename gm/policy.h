// gm/policy.h - the present state as the ordered list that espd searches: local deny lines first,
// then the group's policy, and the keys these lines name.
// Owns:   struct gm_program until it is freed (wiped).
// From:   gm/core.c when something changed.   To: gm_io.c, one dp transaction.
// Always: a line of a registered group never turns into clear text for want of a key: it drops.
// Never:  knows ISAKMP.
#pragma once
#include "common/ctl/acl_conf.h"
#include "gm/sids.h"
#include "gm/teks.h"

// A group's section of a program: the next n_sas SAs and n_rules rules are its own.
struct gm_part {
	struct dp_group head;
	size_t n_sas, n_rules;
};

struct gm_program {
	uint64_t generation;
	size_t n_parts;
	struct gm_part part[DP_MAX_GROUPS];
	size_t n_sas, n_rules, n_exempts;
	size_t cap_sas, cap_rules, cap_exempts;
	struct dp_sa *sa;
	struct dp_rule *rule;
	struct dp_exempt *exempt;
};

struct gm_program *gm_program_new(uint64_t generation);
void gm_program_free(struct gm_program *p); // wipes the keys

// What may travel in clear that the policy protects: a group that is being brought up.
enum gm_direction {
	GM_DIR_BOTH,		 // nothing
	GM_DIR_INBOUND_ONLY,	 // receive-only: sent in clear, either is accepted
	GM_DIR_INBOUND_OPTIONAL, // passive: sent protected, either is accepted
};

const char *gm_direction_text(enum gm_direction d); // as IOS shows it: "Inbound Only"

struct gm_policy_in {
	struct gm_teks *teks;	      // keys that become outbound SAs are marked
	struct gm_sids *sids;	      // the id that is used is marked
	uint64_t boot;		      // of espd
	const struct acl_conf *local; // NULL: none
	enum gm_direction direction;
	bool accept_clear; // whatever the direction: members before a change still send so
};

// Begins the section of a group: what is added next is its own. head->standing says which of the
// two below follows.
void gm_policy_group(struct gm_program *p, const struct dp_group *head);
// Does espd keep a window for each sender under this key? By time it does not, and without sender
// ids there is nothing to tell senders by.
bool gm_policy_checks_replay(const struct gm_tek *k, const struct gm_sids *sids);
// The rules and SAs of a live group. *want_sid is set when a counter-mode key cannot be used for
// sending because no fresh sender id is left.
void gm_policy_add(struct gm_program *p, mono_t now, const struct gm_policy_in *in, bool *want_sid);
// What passes while a group is not live: its local list and its exceptions. NULL: none.
void gm_policy_instead(struct gm_program *p, const struct acl_conf *local,
		       const struct acl_conf *exceptions);
// UDP port between own and peer passes in clear where it starts or ends here.
void gm_policy_exempt(struct gm_program *p, const struct addr *own, const struct addr *peer,
		      uint16_t port);
