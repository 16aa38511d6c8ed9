// gm/grant.h - from wire forms to what the member works with, judged as a whole.
// From:   gm/pull.c, gm/rekey.c with a decoded SA and KD.
// To:     gm/teks (keys, lines), gm/rekey (KEK), gm/sids (through pull.c).
// Spec:   RFC 6407 5.2-5.6.
// Always: all or nothing. `why` is a short sentence for the log.
// Never:  installs.
#pragma once
#include "common/wire/gdoi_kd.h"
#include "common/wire/gdoi_sa.h"
#include "gm/keks.h"
#include "gm/lkh.h"
#include "gm/teks.h"

// What a group takes beyond what everybody must.
struct gm_accept {
	bool ours; // our private forms: the key server showed that it knows them
	bool sha1; // rekeys signed over it: an operator said so
};

// Is this policy one we can and may follow? Before message 3 of a PULL, and first for a PUSH.
bool gm_offer_judge(const struct gdoi_sa *sa, struct gm_accept accept, const char **why);
bool gm_offer_has_counter(const struct gdoi_sa *sa); // some key of it needs sender ids

// Keys and lines of a judged offer.
bool gm_grant_read(const struct gdoi_sa *sa, const struct gdoi_kd *kd, struct gm_grant *out,
		   const char **why);
// The KEK of an offer with a SAK; seq starts at 0. From a key tree: held is the branch that a PUSH
// updates (NULL: a download), branch is empty or becomes the new one. When an update has nothing
// for us the KEK has no key: true, and out->key is empty.
bool gm_grant_read_kek(const struct gdoi_wire_opts *o, const struct gdoi_sa *sa,
		       const struct gdoi_kd *kd, const struct gm_lkh *held, struct gm_lkh *branch,
		       struct gm_kek *out, const char **why);
