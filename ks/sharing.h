// ks/sharing.h - one rekey signing key for all key servers of a set, none of it copied by hand.
//
//	first primary: makes it ──┐
//	or brings that of `keys`  ├─> SIGN item for each WRAP item ──> the others open theirs
//	ours, from our own SIGN ──┘
//
// A KEK is signed for with the key it was announced with; the next KEK with the configured key, else
// with that of the KEK in force, else with any that the set has. Whoever lacks the key of the KEK in
// force, or is configured with another one, serves registrations and does not lead.
// Owns:   our key for wrapping; which signing keys of the set we have (ks->set_keys holds them).
// From:   shared.c after each step; plan.c and adopt.c ask for keys.     To: share, coop.
// Spec:   docs/coop-protocol.md, docs/cooperative.md.
// Always: each key we have has a SIGN item to ourselves: with our wrapping key, in the sealed store,
//	   that is how signing keys outlive a restart.
#pragma once
#include "common/crypto/hpke.h"
#include "coop/coop.h"
#include "ks/share.h"

struct ks;
struct ks_group;
struct ks_blob;
struct ks_out;
struct kek;
struct kek_params;
struct keystore;

#define SHARING_MAX_KEYS 8 // of one set

struct ks_sharing {
	struct hpke_key wrap; // ours
	size_t n;
	uint8_t fp[SHARING_MAX_KEYS][SHARE_FP_LEN]; // we have them
	bool look;				    // something has changed
	const char *unable;  // why we may not lead, as coop was told; or NULL
	enum coop_role role; // when last looked at
};

// A group begins to be in a set: with a new key for wrapping, until the kept one comes back.
MUST_CHECK int ks_sharing_init(struct ks_sharing *s);
void ks_sharing_fini(struct ks_sharing *s);

// The key for wrapping as a row of the store. Unpack: false, and why.
void ks_sharing_pack(const struct ks_sharing *s, struct ks_blob *out);
bool ks_sharing_unpack(struct ks_sharing *s, struct bytes in, struct rd_err *why);

// An item came: is it one to look at keys for?
bool ks_sharing_concerns(uint8_t kind);
// After what came was applied: takes keys for us, seals ours for those who lack them, says whether
// we may lead.
void ks_sharing_settle(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);

// Before the first step that counts: making an RSA key takes seconds, in which no hello would leave.
// A key is laid by for each kind that a group may have to make; what is kept needs none.
void ks_sharing_lay_by(struct ks *ks);
// To the primary, before it makes a KEK: is there a key to sign with? Brings or makes one.
bool ks_sharing_ready(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
// The key for the next KEK of a group that is ready. False: there is none.
bool ks_sharing_pick(const struct ks *ks, const struct ks_group *g, struct kek_params *params,
		     struct keystore **store);
// Signs for this KEK: false when its key is not here.
bool ks_sharing_find(const struct ks *ks, struct kek *k);
