// gm/lkh.h - a member's branch of the key server's key tree (logical key hierarchy).
// The branch runs from our leaf, which we alone share with the key server, to the root, which is
// the group's KEK. A rekey brings arrays of new keys; the one that starts under a key we hold is
// ours, and its last key is the new KEK. No such array: the rekey shuts us out, or ours is in
// another message of a rekey that was cut into several.
// Owns:   the keys of the branch.
// From:   gm/pull.c with a download, gm/rekey.c with a PUSH whose signature was right.
// Spec:   RFC 6407 3.3, 4.4, 5.6.3; RFC 2627 5.4. AES-192 is refused: padding is undefined.
// Always: whole or nothing: `out` is written only when everything was right.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/crypto/cipher.h"
#include "common/wire/gdoi_kd.h"

#define GM_LKH_PATH_MAX 32

struct gm_lkh_key {
	uint16_t id;
	uint32_t handle;
	struct secret data; // IV, then key
};

struct gm_lkh {
	enum cipher_alg alg;
	size_t n;				 // 0: none held
	struct gm_lkh_key path[GM_LKH_PATH_MAX]; // leaf first, root last
};

void gm_lkh_fini(struct gm_lkh *l);			  // wipes; empty afterwards
const struct secret *gm_lkh_kek(const struct gm_lkh *l);  // n > 0
const struct secret *gm_lkh_leaf(const struct gm_lkh *l); // n > 0

// The download array of a registration. alg: of the KEK it comes with. False, and why.
bool gm_lkh_store(enum cipher_alg alg, const struct gdoi_kd_lkh *kd, struct gm_lkh *out,
		  const char **why);

enum gm_lkh_verdict {
	GM_LKH_APPLIED,
	GM_LKH_NOT_OURS, // no array starts under a key we hold
	GM_LKH_REFUSED,	 // malformed; why says how
};
// The update arrays of a PUSH. held and out are different objects.
enum gm_lkh_verdict gm_lkh_apply(const struct gm_lkh *held, const struct gdoi_kd_lkh *kd,
				 struct gm_lkh *out, const char **why);
