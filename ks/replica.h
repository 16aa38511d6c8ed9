// ks/replica.h - what a key server knows of a group, as bytes and back.
// A group is packed in parts, so that a registration writes a hundred octets and not the whole:
//
//	KEYS     policies, generations of TEKs, KEK and its SEQ    changes with a rekey
//	RUN      sender ids, pseudotime, counters                  with every registration
//	PUSH     the sealed rekey that is being sent               with a rekey, and at its end
//	TREE     keys of the key tree                              when members join or leave it
//	BANNED   tombstones of excluded members                    by an operator's word
//	MEMBER   one record, under its name                        when it registers or goes
//
// Of a group in a set instead: META, what coop keeps besides items; ITEM, one of them (shared.h);
// WRAP, the key server's own key for wrapping (sharing.h).
//	META     of a group in a set: terms, counts                all that such a group is, is in
//	ITEM     one item of it, under its name                    these; it has no other parts
//
// Times are written on a scale that survives reboots: mono + base, base being the reader's.
// Every part opens with its version; a part of another version is refused, never guessed at: a
// change of any part's layout raises it, by one, in the commit that makes it.
// From:   durable.c packs; adopt.c reads what was stored. A peer key server can be told the same.
// Owns:   nothing: blobs belong to the caller.
// Always: a part is decoded whole, and checked, before any of it counts.
// Never:  seals anything: parts hold keys in the clear, and are wiped where they end.
#pragma once
#include "ks/ks.h"

enum ks_part_kind {
	KS_PART_KEYS = 1,
	KS_PART_RUN,
	KS_PART_PUSH,
	KS_PART_TREE,
	KS_PART_BANNED,
	KS_PART_MEMBER,
	KS_PART_META,
	KS_PART_ITEM,
	KS_PART_WRAP,
	KS_PART_COUNT,
};

struct ks_blob {
	uint8_t *p;
	size_t len;
};
void ks_blob_fini(struct ks_blob *b); // wipes

// Octets that name a member: family, address, and behind a NAT as whom.
#define KS_MEMBER_KEY_MAX 25
size_t ks_member_key(const struct member_name *n, uint8_t out[KS_MEMBER_KEY_MAX]);

// m: KS_PART_MEMBER only.
void ks_replica_pack(const struct ks_group *g, enum ks_part_kind part, const struct member *m,
		     int64_t base_ms, struct ks_blob *out);
// Changes when what ks_replica_pack would write does so in a way that matters after a restart.
// 0: g has nothing of that part.
uint64_t ks_replica_mark(const struct ks_group *g, enum ks_part_kind part);

// Into g, a group that has nothing of that part yet; false, and why, leaves it so. The KEK comes
// without a keystore.
bool ks_replica_unpack(struct ks_group *g, enum ks_part_kind part, struct bytes in, int64_t base_ms,
		       struct rd_err *why);
