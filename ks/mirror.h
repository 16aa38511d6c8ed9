// ks/mirror.h - the state of a group as items that all key servers of its set know, and back.
//
//	item      body
//	CHAIN     secret of the newest generation, from which the next ones follow; epoch of the pseudotime
//	GEN       its policy; of each TEK SPI and keys
//	KEK       as members get it, without its times
//	SEQ       what coop needs for the next one
//	PUSH      whether a rekey is on its way, and of which sort
//	MEMBER    its record, and as of which (KEK, SEQ) it was served
//	BAN       tombstone
//
// Times are the items' own. Of GEN, the end is that of the TEK that lives longest.
// From:   shared.c, in each step; rekey.c when it has made keys.     To: coop; replica's writers.
// Always: a body is decoded whole, and checked, before any of it counts. What is of no use is left
//	   out and told; it stays an item, for key servers that know better.
// Never:  makes keys. Puts again what came from a peer.
#pragma once
#include "ks/chain.h"
#include "ks/ks.h"

// What the next keys of a group in a set are made with.
struct ks_mint {
	struct chain teks, kek;
	struct secret secret; // of the generation after it
	uint8_t id[KEYS_GEN_ID_LEN];
	uint64_t ver;
};

// early: not what the chain says, since somebody may know it, or the policy is another one.
// epoch: sender ids begin anew.
void ks_mirror_mint(struct ks *ks, const struct ks_group *g, bool early, bool epoch,
		    struct ks_mint *out);
void ks_mirror_mint_fini(struct ks_mint *m);
// When the next generation may be made by schedule: never, while one is on its way from a peer.
bool ks_mirror_is_due(const struct ks_group *g, mono_t now);

// What was made is told: the newest generation, the chain behind it, the KEK (has_kek).
void ks_mirror_made(struct ks_group *g, mono_t now, const struct ks_mint *m, bool has_kek,
		    struct ks_out *out);
void ks_mirror_gens(struct ks_group *g, mono_t now, struct ks_out *out); // ends that have moved
// The SEQ for the next rekey under a KEK; 0: there is none.
uint32_t ks_mirror_seq_next(const struct ks_group *g, mono_t now, const struct kek *under);
// The rekey that was made, or has come to its end; and the SEQ that it has used.
void ks_mirror_push(struct ks_group *g, mono_t now, struct ks_out *out);
void ks_mirror_member(struct ks_group *g, mono_t now, const struct member_name *n,
		      struct ks_out *out);
void ks_mirror_bans(struct ks_group *g, mono_t now, struct ks_out *out);

// What of the rekeys of others is unfinished.
struct ks_mirror_begun {
	bool live, clears;
};
bool ks_mirror_begun(const struct ks_group *g, struct ks_mirror_begun *out);

// The KEKs of the set that live and that we can sign for, newest first. Closed: members were told to
// forget them.
#define KS_MIRROR_KEKS 8
struct ks_mirror_keks {
	size_t n;
	struct kek kek[KS_MIRROR_KEKS];
};
enum ks_mirror_which { KS_KEKS_OPEN = 1, KS_KEKS_CLOSED = 2, KS_KEKS_ALL = 3 };
void ks_mirror_keks(const struct ks *ks, const struct ks_group *g, mono_t now,
		    enum ks_mirror_which which, struct ks_mirror_keks *out);
void ks_mirror_keks_fini(struct ks_mirror_keks *k);
// Members are being told to forget all there are, but one.
void ks_mirror_close_keks(struct ks_group *g, mono_t now, struct bytes but, struct ks_out *out);
// Somebody was excluded, and no keys were made since.
bool ks_mirror_ban_is_open(const struct ks_group *g);

void ks_mirror_apply(struct ks *ks, struct ks_group *g, mono_t now, const struct ks_item_name *name,
		     struct ks_out *out);
void ks_mirror_apply_all(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
