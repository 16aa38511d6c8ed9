// ks/push.h - writes, signs and seals the messages of a rekey.
// A message exists in every variant that a member of the group may need. A new KEK that comes
// through the key tree may need several messages; each is complete.
// From:   rekey.c decides what a rekey says.     To: sa_build, wire/gdoi_push, the signer; fanout.
// Spec:   RFC 6407 4, 5.9.
// Never:  changes the group: what could not be built and signed whole has changed nothing.
#pragma once
#include "ks/ks.h"

struct ks_delays {
	uint32_t atd_s, dtd_s;
	uint32_t spread_s; // first to last sending
};

// What a rekey is to bring. A new generation of TEKs is the group's first already.
struct ks_roll {
	struct ks *ks;
	struct ks_group *g;
	mono_t now;
	bool tek, kek;
	bool replace; // the former TEKs are deleted by it
	struct ks_delays delays;
	const struct kek *seal;	      // it is sealed under this one
	struct kek_params kek_params; // kek only: of the new one, and who signs for it
	struct keystore *store;
	struct kek new_kek;	  // kek only
	struct lkh_update update; // kek only, in a group with a key tree
};

bool ks_has_tree(const struct ks_group *g);

// HDR*, SEQ, SA(SAK, GAP, SATs), KD, SIG. False: p holds nothing.
bool ks_push_build(const struct ks_roll *r, struct ks_push *p);
// HDR*, SEQ, D(KEK), SIG; with teks, D(all TEKs) before it and all KEKs.
bool ks_push_build_delete(struct ks *ks, struct ks_group *g, const struct kek *under, bool teks,
			  mono_t now, struct ks_push *p);
void ks_push_fini(struct ks_push *p);
// Every member's wire form, as the configuration in force has it.
void ks_push_forms(const struct ks *ks, struct ks_group *g);
