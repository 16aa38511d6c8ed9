// ks/policy.h - what a group protects: access lists compiled into rules.
// A permit line is a slot: it gets a TEK of its own in every generation. Two forms of the same
// policy are kept. The ordered form is the access lists as written, first match wins; members that
// know our private bypass entry get it. The flat form has no denies: they are cut out of the
// permits that follow them, leaving disjoint boxes under the permit's slot; RFC 6407 can say that
// to any member.
// Owns:   its rules; shared by the generations of TEKs made under it (policy_get, policy_put).
// From:   ks_conf.c builds; keys.c makes TEKs per slot; pull.c and rekey.c write it into SATs.
// Spec:   RFC 6407 5.5 (what a SAT can say: one protocol, one port or all).
// Never:  knows ISAKMP: the same policy is to serve G-IKEv2.
#pragma once
#include "common/base/err.h"
#include "common/base/flow.h"
#include "common/base/replay.h"
#include "common/ctl/acl_conf.h"
#include "common/wire/suite.h"

#define POLICY_MAX_RULES 100 // in either form; what deployed members are known to take
#define POLICY_NAME_LEN	 ACL_CONF_NAME_LEN

// One `sa` entry of a group. Entries are searched in order, as one concatenated list.
struct policy_sa {
	uint16_t number;
	const struct suite_tek *suite;
	uint32_t life_s;
	const struct acl_conf *acl;
	struct replay replay; // mode REPLAY_NONE: the default
};

struct policy_slot {
	uint16_t sa_number;
	const struct suite_tek *suite;
	uint32_t life_s;
	struct replay replay;
	char acl[POLICY_NAME_LEN];
};

struct policy_rule {
	bool permit;
	uint16_t slot; // permit only
	struct flow flow;
};

struct policy {
	unsigned refs;
	size_t n_slot, n_ordered, n_flat;
	struct policy_slot slot[POLICY_MAX_RULES];
	struct policy_rule ordered[POLICY_MAX_RULES], flat[POLICY_MAX_RULES];
	bool counter;	     // some suite needs sender ids
	bool receive_only;   // members send in clear and accept either
	uint32_t life_s;     // shortest of its slots
	unsigned no_flat_at; // line of the deny that the flat form cannot say; 0: it can
};

struct policy_error {
	unsigned conf_line;
	char text[200];
};

// NULL, and why, when the policy has no permit, more than POLICY_MAX_RULES rules in either form,
// or a rule the wire cannot carry at all. A deny that only the flat form cannot carry sets
// no_flat_at. The result has one reference.
struct policy *policy_build(const struct policy_sa *sa, size_t n, struct policy_error *why);
struct policy *policy_get(struct policy *p);
void policy_put(struct policy *p);
// Same slots and same rules: members would notice no difference.
bool policy_eq(const struct policy *a, const struct policy *b);

// UDP 848 or 4500, which every member lets pass for itself: no need to say it to anyone.
bool policy_member_frees(const struct acl_line *deny);
