// ks/shared.h - a group that several key servers serve: what all of them know, and who leads.
//
//	          puts: keys made here, members, bans                 frames, writes
//	ks_group ────────────────────────────────────> coop (items) ────────────────> ks_out
//	         <────────────────────────────────────              <──────────────── KS_EV_FRAME …
//	          applied: keys, members, bans of others
//
// Every key server registers members and hands out the same keys; only the primary makes keys and
// sends rekeys. What releases keys waits until what lies behind it is safe here and at all peers
// that live.
// Owns:   the core of coop; what waits for it.
// From:   core.c, around each step; pull.c, rekey.c and removal.c ask who may do what.
// Spec:   docs/coop-protocol.md.
// Never:  makes keys; a group without peers knows nothing of it.
#pragma once
#include "coop/coop.h"
#include "ks/sharing.h"

struct bytes;
struct ks;
struct ks_blob;
struct ks_event;
struct ks_group;
struct ks_out;
struct member;
struct rd_err;

struct ks_item_name {
	uint8_t kind, key_len, key[COOP_KEY_MAX];
};

struct ks_shared {
	struct coop coop;
	struct coop_out out;
	struct ks_sharing sharing; // keys that sign rekeys
	struct coop_meta meta;	   // of the newest write
	mono_t meta_at;
	mono_t wake; // when the next tick is due
	size_t n_news, cap_news;
	struct ks_item_name *news; // came from peers, are to be applied
	bool led;		   // has taken up what its part as primary is
	bool fresh;   // nobody could tell it what it did before: all keys are to be new
	mono_t quiet; // until when such a one waits for others
	mono_t short_since, short_told; // sender ids have run out
	bool new_epoch;			// of them, when members register again
	bool all_news;		  // everything is to be applied: it was kept from a former run
	bool bans_changed;	  // by an operator's word here
	mono_t met;		  // when keys_came was set
	bool keys_came, ban_came; // since it leads: from another part of the set
	bool push_live;		  // as the others were told
	struct ks_shared_held *first, *last; // until their counts are committed
	size_t held_octets;
	uint64_t n_lost; // there was no room to hold them
};

// Alone, or as the primary.
bool ks_shared_may_mint(const struct ks_group *g);
bool ks_shared_may_register(const struct ks_group *g, mono_t now);
// Is it known what has become of a member? Who registered where nobody reaches now may be well.
bool ks_shared_may_age(const struct ks_group *g, const struct member *m);
bool ks_shared_take_sids(struct ks_group *g, size_t n, uint32_t *out);
// A rekey was made: it goes out when what it brings is safe.
void ks_shared_push(struct ks_group *g, mono_t now, struct ks_out *out);

// A group of the configuration has begun to be in a set, has another one, or is gone.
void ks_shared_conf(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out);
void ks_shared_free(struct ks_group *g);

// KS_EV_LINK, KS_EV_FRAME, KS_EV_DURABLE.
void ks_shared_event(struct ks *ks, mono_t now, const struct ks_event *ev, struct ks_out *out);
// After each step: what came is taken over, what was made is told, what waited goes on.
void ks_shared_settle(struct ks *ks, mono_t now, struct ks_out *out);
void ks_shared_tick(struct ks_group *g, mono_t now, struct ks_out *out);
// An operator's word; why: what was done, or why not (false).
bool ks_shared_role(struct ks_group *g, mono_t now, struct ks_out *out, char *why, size_t size);
bool ks_shared_maintenance(struct ks_group *g, mono_t now, bool on, struct ks_out *out, char *why,
			   size_t size);
void ks_shared_able(struct ks_group *g, mono_t now, bool able, struct ks_out *out);
void ks_shared_put(struct ks_group *g, mono_t now, const struct coop_put *p, struct ks_out *out);

// As rows of the store: an item with its name in it; what is kept besides. Wiped by ks_blob_fini.
void ks_shared_pack_item(const struct coop_item *i, int64_t base_ms, struct ks_blob *out);
void ks_shared_pack_meta(const struct ks_shared *s, int64_t base_ms, struct ks_blob *out);

struct ks_saved;
// What a former run has kept. False, and why.
bool ks_shared_adopt(struct ks *ks, struct ks_group *g, mono_t now, const struct ks_saved *saved,
		     struct rd_err *why);

struct ks_shared_saved {
	uint8_t id; // whose it is
	mono_t at;
	struct coop_meta meta;
};
// False, and why. The body of the item is a view of in.
bool ks_shared_unpack_item(struct bytes in, int64_t base_ms, struct coop_item *i,
			   struct rd_err *why);
bool ks_shared_unpack_meta(struct bytes in, int64_t base_ms, struct ks_shared_saved *out,
			   struct rd_err *why);
