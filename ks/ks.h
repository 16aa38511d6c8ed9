// ks/ks.h - the whole key server on one screen.
//
//   struct ks --+-- conf                     what the file says; swapped whole on reload
//               +-- sas, halfopen            phase 1 (common/ike)
//               |     sa->owner = ks_session PULL exchanges under that phase 1 SA
//               +-- group[] --+-- keys       KEK and generations of TEKs
//                             +-- sids       sender ids
//                             +-- pseudo     the clock of the group
//                             +-- members    who is registered
//                             +-- push       the rekey in flight, or the last one
//                             +-- shared     what other key servers know of it too; or NULL
//
// Owns:   all of it. What a group is (keys, sids, members, push, counters) is plain data without a
//         pointer into anything but conf and policy, so that it can be packed and adopted.
// From:   core.h is the only door; show.c reads.
#pragma once
#include <sys/queue.h>

#include "common/ike/dpd.h"
#include "common/ike/aggressive.h"
#include "common/ike/halfopen.h"
#include "common/ike/protect.h"
#include "common/ike/table.h"
#include "common/wire/gdoi_push.h"
#include "ks/keys.h"
#include "ks/ks_conf.h"
#include "ks/lkh.h"
#include "ks/members.h"
#include "ks/out.h"
#include "ks/pseudo.h"
#include "ks/removal.h"
#include "ks/shared.h"
#include "ks/sid.h"

// Datagrams and requests that were refused: counted under these names and under those of
// common/ike/reason.h. The text is what an operator sees.
#define KS_DROPS(X)                                                                                \
	X(SHORT, "malformed") /* no ISAKMP header of version 1 */                                  \
	X(EXCHANGE, "unknown-exchange")                                                            \
	X(NAT_PORT, "nat-port-no-isakmp") /* ESP, or garbage */                                    \
	X(TABLE_FULL, "phase1-table-full")                                                         \
	X(UNPROVEN, "phase1-too-many-unproven") /* from this source */                             \
	X(MADE_ROOM, "phase1-made-room")	/* given up for another, the oldest first */       \
	X(SOURCE_FULL, "phase1-too-many-of-one-address")                                           \
	X(INFO_NO_SA, "info-unknown-cookie")                                                       \
	X(INFO_CLEAR, "info-in-clear")	     /* not believed, not answered */                      \
	X(PULL_NO_SA, "pull-unknown-cookie") /* no established phase 1 SA */                       \
	X(PULL_SOURCE, "pull-wrong-source")  /* not from where phase 1 came */                     \
	X(PULL_BUSY, "pull-too-many")	     /* exchanges under one phase 1 SA */                  \
	X(PULL_BAD_HASH, "pull-bad-hash")                                                          \
	X(PULL_MALFORMED, "pull-malformed")                                                        \
	X(PULL_REPEATED, "pull-repeated") /* answered often enough already */                      \
	X(PULL_REPLAY, "pull-replay")	  /* a message of an exchange that is over */              \
	X(PULL_UNKNOWN_GROUP, "pull-unknown-group")                                                \
	X(PULL_UNAUTHORIZED, "pull-unauthorized-address")                                          \
	X(PULL_IDENTITY, "pull-unauthorized-identity")                                             \
	X(PULL_EXCLUDED, "pull-excluded-member")                                                   \
	X(PULL_TOO_OFTEN, "pull-too-often") /* this member, lately */                              \
	X(PULL_POLICY_FORM, "pull-policy-not-expressible")                                         \
	X(PULL_KEYS_CHANGED, "pull-keys-changed")                                                  \
	X(PULL_NO_KEYS, "pull-no-keys-yet") /* the key servers of the set have not met */          \
	X(PULL_NO_SID, "pull-sender-ids-exhausted")                                                \
	X(PULL_MEMBERS_FULL, "pull-members-full")                                                  \
	X(PULL_INTERNAL, "pull-internal-error")                                                    \
	X(ACK_MALFORMED, "ack-malformed")                                                          \
	X(ACK_UNKNOWN_KEK, "ack-unknown-kek")                                                      \
	X(ACK_SEQ, "ack-wrong-seq")                                                                \
	X(ACK_NO_MEMBER, "ack-unknown-member")                                                     \
	X(ACK_SOURCE, "ack-wrong-source")                                                          \
	X(ACK_NOT_ASKED, "ack-not-requested")                                                      \
	X(ACK_DUPLICATE, "ack-duplicate")                                                          \
	X(ACK_BAD_HASH, "ack-bad-hash")

enum ks_drop {
#define X(sym, text) KS_DROP_##sym,
	KS_DROPS(X)
#undef X
		KS_DROP_COUNT
};

// A message goes out in up to five variants of the same SEQ; a member gets one of them. The ack
// bit counts only when there is a SAK to carry the request.
// One that names a group address in its SAK is made once, in the form that all can take. Above
// these bits stands the number of the wire form (ike_form), for peers with their own readings.
enum ks_variant {
	KS_V_ORDERED = 1,
	KS_V_ACK = 2,
	KS_V_GROUP = 4,
	KS_V_FORM = 8,
	KS_V_COUNT = KS_V_FORM * IKE_MAX_FORMS
};

// One message of a rekey. A new KEK from the key tree may need several, each complete and with its
// own SEQ (RFC 6407 4); a member needs the one that has its array.
struct ks_part {
	uint32_t seq;
	uint8_t *dgram[KS_V_COUNT];
	size_t len[KS_V_COUNT];
	// Where each member gets every part:
	bool has_sak;
	uint8_t spi[KEYS_KEK_SPI_LEN]; // of the KEK that it is sealed under
	struct secret ack_key[2];
};

struct ks_push {
	bool live;    // being sent, or waiting for acknowledgements
	bool have;    // the datagrams are here (kept after the end, for registrations under way)
	bool has_sak; // it brings a new KEK
	bool clears;  // it tells members to register again
	bool tree;    // its new KEK comes through the key tree
	bool again;   // many have done by now what it says
	bool every;   // its parts say the same under one KEK each: a member may know any of them
	bool ack_lkh; // acknowledged with the member's leaf, not with ack_key
	uint8_t spi[KEYS_KEK_SPI_LEN]; // of the KEK it was sealed under
	struct endpoint from, group;   // group: where that KEK told members to listen; or none
	uint16_t port;		       // of members, where the wire option names one; or 0
	uint8_t ttl;
	uint32_t before;	  // SEQ of the one before it under the same KEK
	uint32_t seq;		  // of its last part
	uint64_t commit;	  // in a set: it waits for this count; 0: for nothing
	struct secret ack_key[2]; // RFC 8263: L as block size and as output size
	size_t n_parts;
	struct ks_part *part;
	mono_t started, ended;
	mono_t next;	       // next batch, next round, or judgement
	struct member *cursor; // next to be sent to in this round
	bool sending;	       // a round is in progress
	bool reminding;	       // after its end: next says when who missed it gets it again
	bool group_due;	       // in which the group address has not had its copy
	unsigned group_v;      // the variant that goes there
	uint32_t round;	       // 0: first sending
	uint32_t n_due, n_acks, n_retransmits;
};

// A rekey to come as soon as it can. The later the more it says.
enum ks_wanted {
	KS_WANT_NOTHING,
	KS_WANT_KEYS,	 // new TEKs under the policy that runs
	KS_WANT_STAGED,	 // what is staged
	KS_WANT_REPLACE, // what is staged, and the former keys end with it
};

struct ks_group {
	char name[KS_NAME_LEN];
	uint32_t identity;
	const struct ks_group_conf *conf;
	struct keys keys;
	struct lkh lkh; // empty where the KEK is one key for all
	struct sid_pool sids;
	struct ks_pseudo pseudo;
	struct members members;
	struct removal removal;
	struct ks_push push;
	enum ks_wanted wanted; // asked for while a rekey was in flight
	bool revived;	       // all keys had ended: the next rekey has nobody's switch to wait for
	mono_t sids_renewed;   // since they ran out
	mono_t not_before;     // after a rekey could not be made
	uint32_t rekeys_sent, retransmits;
	uint64_t registrations;
	struct ks_shared *shared; // NULL: no other key server serves it
};

// Phase 1 SAs, counted by a hash of the peer's address, so that one source cannot take the places
// of all: those whose Diffie-Hellman we paid for before the peer has shown its key, and all. Many
// sources together may: then the oldest that has not shown its key makes room, or, when there is
// none, the one that was used longest ago. What members keep stays: it is half of the table at most.
TAILQ_HEAD(ks_sessions, ks_session); // session.h
#define KS_SOURCE_BUCKETS 4096
#define KS_SOURCE_SHARE	  16 // one source has at most this part of the table
struct ks_sources {
	uint32_t seed;
	uint32_t n_unproven, max_unproven, max_unproven_each;
	uint32_t max;			     // of one source
	struct ks_sessions unproven, proven; // in the order in which they make room
	struct ks_source {
		uint16_t unproven, all;
	} by[KS_SOURCE_BUCKETS];
};

struct ks {
	struct rng *rng; // of the process; borrowed
	struct ks_conf *conf;
	struct keystore *set_keys; // that sign for groups in a set; they outlive a configuration
	struct ike_conf ike;
	struct ike_table sas;
	struct ike_halfopen halfopen;
	struct ike_aggr aggressive;
	struct ks_sources sources;
	mono_t sweep;  // next look over the phase 1 SAs
	size_t n_kept; // of them that stay up between uses
	struct ike_dpd_count dpd;
	size_t n_groups;
	struct ks_group **group;
	uint64_t drop[KS_DROP_COUNT], ike_refused[IKE_R_COUNT];
	struct log_limit drop_log[KS_DROP_COUNT], ike_log[IKE_R_COUNT];
	uint64_t n_phase1, n_pulls; // established, completed
	uint64_t n_keepalives;	    // of NATs
	uint8_t *buf, *plain;	    // KS_DGRAM_MAX each: the message being written, read
#if CONCLAVE_KEYLOG
	FILE *keylog; // borrowed; NULL: none
#endif
};

#define KS_DGRAM_MAX 65000

const char *ks_drop_name(enum ks_drop d);
struct ks_group *ks_group_by_identity(const struct ks *ks, uint32_t identity);
struct ks_group *ks_group_by_name(const struct ks *ks, const char *name);
// Of its newest TEKs; a group that has none yet: the configured one.
const struct policy *ks_group_policy(const struct ks_group *g);
void ks_group_logctx(const struct ks_group *g, struct logctx *c);
