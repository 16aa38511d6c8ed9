// ks/removal.h - takes members out of a group.
//
//	clear:        everyone registers again under new keys. Gracefully: the KEK is deleted by a
//	              PUSH, traffic keys serve until all have had the time to come back. At once:
//	              all keys are deleted.
//	exclude:      one is to stay out. It is refused from now on (its tombstone), and the others
//	              get keys that it cannot read: with a key tree by two rekeys, first the KEK,
//	              then TEKs under it (RFC 6407 7.4.1); without one, nothing that is sent under
//	              the KEK is hidden from it, so the others register again, gracefully.
//	readmit:      takes the tombstone away; the member may register again.
//
// Owns:   the tombstones of a group.
// From:   core.c with an operator's word; pull.c asks who is excluded.     To: rekey, lkh, members.
// Spec:   RFC 6407 5.9, 7.4; RFC 2627 5.4.1.
// Never:  leaves a tombstone unless somebody was excluded by name.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/mono.h"

#define TOMBSTONES_MAX 4096

// Whoever has this address, as we see it or behind a NAT; and whoever proves the name that the member
// of this address had proved when it was excluded, from wherever it comes.
struct tombstone {
	struct addr who;
	uint64_t proved; // 0: none was
};

// What has to wait: registering again until the newest TEKs are in use everywhere, a new KEK of the
// tree until the rekey in flight is through.
enum removal_wait { REMOVAL_NONE, REMOVAL_RETIRE, REMOVAL_SHUT_OUT };

struct removal {
	enum removal_wait pending;
	mono_t until;	   // all are registering again: no further TEKs before that
	mono_t look_again; // for a silent member: the last time there was none
	size_t n;
	struct tombstone *tombstone;
};

struct ks;
struct ks_group;
struct ks_out;
struct member;

void removal_fini(struct removal *r);
bool removal_has(const struct removal *r, const struct addr *who);
bool removal_has_name(const struct removal *r, uint64_t proved);

// A record goes, and its place in the key tree; the next KEK is not for it.
void ks_removal_drop(struct ks_group *g, struct member *m);
// The same, told to the operator and to the state. It may register again.
void ks_removal_delete(struct ks_group *g, struct member *m, struct ks_out *out, const char *why);
// Silent members whose registration is older than the file lets it be; after a rekey, so that it is
// the newest keys that a member goes with. One that is there after all misses the next, and registers
// again when its keys end or do not open what it hears; by multicast it misses nothing.
void ks_removal_age(struct ks_group *g, mono_t now, struct ks_out *out);
// A table that is full of whom nobody hears must not keep others out: the oldest of the silent goes,
// of all or of those at one address. False: everybody is heard of.
bool ks_removal_make_room(struct ks_group *g, const struct addr *at, mono_t now,
			  struct ks_out *out);

bool removal_has_tombstone(const struct removal *r, const struct tombstone *t);
void removal_take(struct removal *r, const struct tombstone *t);
// Another key server of the set has excluded somebody: its record is gone here too.
void ks_removal_learn(struct ks_group *g, const struct tombstone *t, struct ks_out *out);

// Operator's words; why: what was done, or why not (false).
bool ks_removal_clear(struct ks *ks, struct ks_group *g, mono_t now, bool at_once,
		      struct ks_out *out, char *why, size_t why_size);
bool ks_removal_exclude(struct ks *ks, struct ks_group *g, mono_t now, const struct addr *who,
			struct ks_out *out, char *why, size_t why_size);
bool ks_removal_readmit(struct ks_group *g, const struct addr *who, struct ks_out *out, char *why,
			size_t why_size);
