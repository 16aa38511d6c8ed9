// ks/adopt.h - go on where a former run of the key server stopped.
// Members must notice nothing: same keys, SEQ and sender ids go on, a rekey that was cut short is
// sent again in the same octets. Where that is not possible (KEK ended, signing key gone) the
// group keeps the new keys it has.
// From:   core.c, once, after the configuration was taken.     To: replica, rekey.
// Always: lifetimes only shrink. When nobody knows how much time went by, keys are replaced now.
// Never:  goes on with half of a group.
#pragma once
#include "ks/replica.h"

struct ks_saved_row {
	uint32_t group;
	enum ks_part_kind part;
	struct bytes data;
};

// What was kept, rows of one group in the order of their parts.
struct ks_saved {
	int64_t base_ms;
	bool time_unknown; // the clock went back: nobody knows how old all this is
	bool mint;	   // it may be older than what members hold: new keys, whatever it says
	size_t n;
	const struct ks_saved_row *row;
};

enum ks_adopted {
	KS_ADOPTED,
	KS_ADOPT_NOTHING,  // not kept: new to us
	KS_ADOPT_SHARED,   // of a set: what it is now, its peers say
	KS_ADOPT_OVER,	   // its KEK ended meanwhile: nobody could be told of new keys
	KS_ADOPT_UNSIGNED, // the key that signs for its KEK is not configured any more
	KS_ADOPT_BROKEN,
};

// Who signs for a KEK that comes without: false, there is no key here that is the right one.
bool ks_adopt_signer(const struct ks *ks, struct kek *k);
// Groups of the configuration, whose own first keys nobody has seen yet, take up what was kept.
// False: something kept cannot be read; out->answer says what, and ks is not to be used.
bool ks_adopt(struct ks *ks, mono_t now, const struct ks_saved *saved, struct ks_out *out);
