// coop/store.h - what a set of key servers knows together, as items that join.
// An item has a name (kind, key) and a version. Two copies of an item join to the greater of
// (version, flags, writer, body): in whatever order, however often copies arrive, all who saw the
// same copies hold the same item, and nothing ever goes back. Of two copies of one version the
// earlier end and the later activation count: lives only shrink, nobody is told to send too early.
//
// For finding out who lacks what, every item is tagged (origin, count): who put it on the wire, and
// the how-manieth of its puts. "I hold everything of origin 3 up to 57" needs no list of items. Tags
// join as well: of the same item under two tags all keep the one with the greater count.
// Owns:   items and their bodies; bodies may be keys and are wiped.
// From:   sync.c, core.c.
// Never:  knows what a body means; reads a clock.
#pragma once
#include "common/base/mono.h"
#include "coop/wire.h"

// Kinds that are not known here are kept and passed on: a set may hold key servers of two versions.
enum coop_kind {
	COOP_K_CONF = 1, // digest of the configuration that is in force
	COOP_K_CHAIN,	 // what the next generation is made of; version: epoch, number
	COOP_K_KEK,	 // key: its SPI
	COOP_K_GEN,	 // a generation of TEKs; key: its id, version: epoch, number
	COOP_K_SEQ,	 // version: last sequence number used under the KEK named by the key
	COOP_K_PUSH,	 // the rekey that is being sent
	COOP_K_TREE,	 // a key tree
	COOP_K_SIDS,	 // key: id of a key server; version: epoch, sender ids it may have used
	COOP_K_MEMBER,	 // key: address
	COOP_K_BAN,	 // key: address
	COOP_K_WRAP,	 // key: id of a key server; its public key for wrapping
	COOP_K_SIGN,	 // key: id of a key server; the rekey signing key, wrapped to it
};

// Flags win between equal versions: who removes wins over who keeps.
enum { COOP_MEMBER_GONE = 1, COOP_BANNED = 1 };

struct coop_item {
	uint8_t kind, flags, by, key_len;
	uint8_t key[COOP_KEY_MAX];
	uint8_t origin;
	uint64_t ver, count;
	mono_t dies, active;
	size_t len;
	uint8_t *body;
	struct coop_item *next;		 // of the same bucket
	struct coop_item *older, *newer; // of the same origin, by count
};

struct coop_store {
	size_t n, n_buckets;
	struct coop_item **bucket;
	struct coop_item *oldest[COOP_IDS], *newest[COOP_IDS];
};

enum coop_join {
	COOP_JOIN_OLD,	  // nothing new
	COOP_JOIN_BEHIND, // older than ours: who sent it lacks ours
	COOP_JOIN_TAG,	  // the same as ours; its tag is the newer one, and is ours now
	COOP_JOIN_NEW,	  // it is in the store now, with its tag
	COOP_JOIN_MIXED, // the same, but the times are neither copy's: to be told under a tag of ours
};

void coop_store_init(struct coop_store *s);
void coop_store_fini(struct coop_store *s);
struct coop_item *coop_store_find(const struct coop_store *s, uint8_t kind, struct bytes key);
// in: its body is copied. *out: the item as it is now.
enum coop_join coop_store_join(struct coop_store *s, const struct coop_item *in,
			       struct coop_item **out);
void coop_store_tag(struct coop_store *s, struct coop_item *i, uint8_t origin, uint64_t count);
void coop_store_drop(struct coop_store *s, struct coop_item *i);
// The first of origin's items with a count above.
struct coop_item *coop_store_after(const struct coop_store *s, uint8_t origin, uint64_t count);
// One item after the other, in no particular order; from NULL: the first. NULL: that was all.
struct coop_item *coop_store_next(const struct coop_store *s, const struct coop_item *from);
