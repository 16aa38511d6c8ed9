// ks/lkh.h - logical key hierarchy: the tree of keys that lets a key server shut members out.
//
//	            KEK             <- root; every member holds it
//	       n4        n9
//	     l1  l3    l8  l7       <- a leaf per member, whose key nobody else holds
//
// A member holds the keys from its leaf up to the root, and no others.
//
// When l3 goes, n4 and the root get new keys. They travel in arrays: [under l1: n4', KEK'] and
// [under n9: KEK'], so that one array of log n keys serves every member of a subtree, and what l3
// held opens none of them. Leaving only marks the path; the next rekey replaces what is marked, so
// that many who leave cost one rekey. The root is replaced each time: a rekey without leavers is
// the KEK rollover of a group whose members are all to stay.
//
// A full tree grows right below the root: a new node takes over all of the root's children. Nobody
// has its key before the next rekey hands it out; until then it is passed over.
// Who joins gets the keys as they are, and can read with them what it has recorded of rekeys under
// them: this tree keeps leavers out of the future, not newcomers out of the past.
// Owns:   the keys; plain data without pointers between nodes (they name each other by index), so
//         that it can be packed and adopted.
// From:   members come by pull.c, go by removal.c and ageing; rekey.c changes the KEK.
// To:     common/wire/gdoi_kd (download and update arrays), common/crypto/cipher.
// Spec:   RFC 2627 5.4.1; RFC 6407 5.6.3. AES-192 is refused: IV and key are no whole blocks.
// Always: a handle names one key ever; a node's number is free again only when nobody holds it.
// Never:  changes a key before lkh_commit: a rekey that cannot be signed leaves the tree as it was.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/rng.h"
#include "common/crypto/cipher.h"
#include "common/wire/gdoi_kd.h"

#define LKH_DEGREE_MIN 2
#define LKH_DEGREE_MAX 16
#define LKH_NODES_MAX  65535 // LKH ID has 16 bits; 0 is "none"
#define LKH_IV_LEN     16
#define LKH_DATA_MAX   48 // IV and key of AES-256
#define LKH_ROOT       1

// Children of a node are a list: child, then sibling after sibling. In the list of free nodes
// sibling is the next free one.
struct lkh_node {
	uint16_t parent, child, sibling;
	uint8_t level;	    // of a leaf: 0
	bool stale;	    // somebody who left has this key, or nobody has it yet
	uint32_t n_members; // leaves below it; of a leaf 1, of a free node 0
	uint32_t handle;
	struct secret data; // IV, then key; empty: it has none yet
};

struct lkh {
	enum cipher_alg alg;
	uint16_t degree;
	uint16_t free;	  // head of the list of free nodes
	uint32_t n, cap;  // nodes ever used, LKH_ROOT among them; room
	uint32_t n_stale; // the root always counts
	uint32_t last_handle;
	struct lkh_node *node; // [0] is never used
};

// A tree without members whose root has a key. -ENOTSUP: not AES-128 or AES-256. -EINVAL: degree.
MUST_CHECK int lkh_init(struct lkh *t, enum cipher_alg alg, unsigned degree, struct rng *rng);
void lkh_fini(struct lkh *t); // wipes

// A leaf for a new member. -ENOSPC when the tree can hold no more, -ENOMEM.
MUST_CHECK int lkh_join(struct lkh *t, struct rng *rng, uint16_t *leaf);
// The member is out with the next rekey.
void lkh_leave(struct lkh *t, uint16_t leaf);
// Somebody left who still holds the KEK.
bool lkh_is_stale(const struct lkh *t);

uint32_t lkh_n_members(const struct lkh *t);
const struct secret *lkh_kek(const struct lkh *t); // IV, then key
const struct secret *lkh_key(const struct lkh *t, uint16_t leaf);

// Download array for one member: its leaf first, up to the KEK. Views into the tree; the rest of
// out (SPI, signature key) is the caller's.
void lkh_download(const struct lkh *t, uint16_t leaf, struct gdoi_kd_lkh *out);

// ---- rekey ----

#define LKH_NO_LINK UINT32_MAX

// One new key under the key that stands before it in its arrays.
struct lkh_link {
	uint32_t up; // the link that brings the next key, LKH_NO_LINK at the root
	uint32_t handle;
	uint16_t id;
	uint8_t data[LKH_DATA_MAX]; // encrypted
};

// An update array: under the key (id, handle), which its members hold, the link and all above it.
struct lkh_start {
	uint16_t id;
	uint32_t handle, link, n_keys;
};

struct lkh_new {
	uint16_t node;
	uint32_t handle, link; // link: the one that brings the parent's new key to this node's
	struct secret data;
};

struct lkh_update {
	size_t data_len;
	size_t n_new, n_links, n_starts;
	struct lkh_new *new; // the root first
	struct lkh_link *link;
	struct lkh_start *start;
	uint32_t *by_node; // index of the start under a node's key, plus one; 0: none
};

// New keys for the root and every stale node, and all arrays that bring them to the members. The
// tree has them with lkh_commit; nobody joins or leaves in between. -ENOMEM; -ENOSPC when the
// handles (2^32) are used up.
MUST_CHECK int lkh_rekey(struct lkh *t, struct rng *rng, struct lkh_update *u);
void lkh_commit(struct lkh *t, const struct lkh_update *u);
void lkh_update_fini(struct lkh_update *u); // wipes
const struct secret *lkh_update_kek(const struct lkh_update *u);

// Index of the array that serves the member of this leaf.
size_t lkh_start_of(const struct lkh *t, const struct lkh_update *u, uint16_t leaf);

// Arrays `from` and following into out, as many as fit in max octets and in one message; views
// into u. Returns the first that is left for the next message; `from` when not even one fits.
size_t lkh_cut(const struct lkh_update *u, size_t from, size_t max, struct gdoi_kd_lkh *out);
