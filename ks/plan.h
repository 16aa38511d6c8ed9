// ks/plan.h - under what the next keys of a group are made: what runs, or what is staged.
//
//   running   what members hold: the policy of the newest TEKs, the parameters of the KEK, the
//             length of sender ids. It lives with the keys, and is kept with them.
//   staged    what the configuration says. It differs from a reload (or a start) that changed it
//             until an operator's rekey has sent it; scheduled rekeys, and members that register
//             meanwhile, go on with what runs. The file it came from is its storage: after a
//             restart it is compared again.
//
// From:   rekey.c makes keys by it; core.c, show.c ask whether the two differ.
// Owns:   a plan holds references, until ks_plan_fini: it outlives the keys it was taken from.
// Never:  covers what only the key server itself goes by (authorization, retransmission, which
//         members multicast reaches): that counts from the reload on.
#pragma once
#include "ks/ks.h"

struct ks_plan {
	struct policy *policy;
	struct kek_params kek;
	struct keystore *store;
	uint8_t sid_bits;
};

// The group has keys.
struct ks_plan ks_plan_running(const struct ks_group *g);
struct ks_plan ks_plan_staged(const struct ks *ks, const struct ks_group *g);
void ks_plan_fini(struct ks_plan *p);
// What is configured of the KEK, and where the key is that signs for it (borrowed).
struct keystore *ks_plan_kek(const struct ks *ks, const struct ks_group *g, struct kek_params *out);

// Does the key tree of the group, or that it has none, suit these parameters? A tree has one
// cipher and one degree for life.
bool ks_plan_fits_tree(const struct ks_group *g, const struct kek_params *want);
// Parts of the staged plan that differ from what runs.
bool ks_plan_kek_differs(const struct ks *ks, const struct ks_group *g);
bool ks_plan_is_staged(const struct ks *ks, const struct ks_group *g); // any part
// To send it everybody has to register again: no rekey can say it.
bool ks_plan_starts_over(const struct ks_group *g);
