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
	bool all;     // it brings the older generations too
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
bool ks_push_build_delete(struct ks *ks, struct ks_group *g, bool teks, mono_t now,
			  struct ks_push *p);
// The same, in a set, under each of these KEKs, of which the first is the newest; the others are
// brought it.
bool ks_push_build_every(const struct ks_roll *r, const struct kek *under, size_t n,
			 struct ks_push *p);
bool ks_push_delete_every(struct ks *ks, struct ks_group *g, const struct kek *under, size_t n,
			  bool teks, mono_t now, struct ks_push *p);
// What the holder of this KEK gets of it; m: whose part, NULL: the first. NULL: nothing.
const struct ks_part *ks_push_part_under(const struct ks_push *p, const struct member *m,
					 const uint8_t spi[KEYS_KEK_SPI_LEN]);
void ks_push_fini(struct ks_push *p);
// Every member's wire form, as the configuration in force has it.
void ks_push_forms(const struct ks *ks, struct ks_group *g);
