// coop/coop.h - a key server among its peers, for one group: who leads, and what all know.
//
//	      events                                   actions
//	LINK MSG HELLO TICK ──┐              ┌── SEND (a datagram, a message on a stream)
//	DURABLE PUT CMD CONF ─┤  coop_step   ├── SAVE, META: one write per step, numbered
//	                      └──────────────┴── ROLE, APPLY, DROP, COMMITTED, REINIT, LOG
//
//	                 lead heard                    ┌────────── a better primary, hand-over,
//	 STARTING ────────────────────> SECONDARY <────┤           or no quorum
//	     │  start time over, or all    │  nobody leads, all    │
//	     └─ who live have told all ────┘  who live choose us   │
//	                                   v                       │
//	                               CLAIMING ── term durable ─> PRIMARY
//
// Owns:   terms, the store, what each peer is known to hold.
// From:   ksd (link_io, keep_io and the rooms of ks); the simulation.
// Spec:   docs/coop-protocol.md.
// Always: state first durable, then told: a SEND waits for the write it names.
// Never:  clock, socket, thread, global; randomness comes from the generator handed in. Makes or
//	   opens keys: bodies of items are opaque.
#pragma once
#include "common/base/events.h"
#include "common/base/rng.h"
#include "coop/store.h"

#define COOP_PEERS 7

enum coop_role { COOP_STARTING, COOP_SECONDARY, COOP_CLAIMING, COOP_PRIMARY };
enum coop_split { COOP_CONTINUE, COOP_MAJORITY };

struct coop_conf {
	uint32_t group;
	uint8_t id, priority; // id: 0 to 15, one for each key server of the set, for good
	struct addr addr;
	enum coop_split split;
	bool preempt, maintenance;
	uint32_t hello_ms, dead_hellos;
	uint32_t start_ms;	  // how long a starting one looks for others
	uint32_t commit_ms;	  // how long a put waits for peers that live
	uint32_t preempt_hold_ms; // how long the better one has to be well
	uint8_t sid_bits;	  // sender ids of the group: 8 to 32
	uint8_t digest[COOP_DIGEST];
	uint8_t text_len;
	char text[COOP_TEXT_MAX];
	size_t n_peers;
	struct addr peer[COOP_PEERS];
};

// What has to survive a restart besides the items.
struct coop_meta {
	uint64_t term;		   // highest ever heard of
	uint64_t count;		   // of our own puts
	uint64_t vouched;	   // up to here nothing of our own is missing on this disk
	uint64_t vector[COOP_IDS]; // what we hold of others
	uint64_t pseudotime;	   // at the time of the write
};

struct coop_peer {
	struct addr addr;
	bool link;    // the stream stands
	bool greeted; // and its OPEN came over it
	bool opened;  // its OPEN was accepted: it may be heard without a stream, too
	bool refused;
	uint8_t id, priority, role, flags, choice, version;
	char text[COOP_TEXT_MAX + 1]; // what it calls itself
	uint64_t boot, counter, stamp, conf;
	mono_t heard, echoed; // its last hello; when we sent what it last heard of us
	bool alive;	      // heard both ways
	bool drift;
	bool slow;	// did not confirm in time: puts do not wait for it
	bool told;	// its vector is here
	bool told_once; // in our life
	bool confirmed; // all it held when the link came up is here: once in our life
	enum { COOP_DUE_NOT, COOP_DUE_SOON, COOP_DUE_NOW } vector_due; // ours has changed
	uint64_t past;		 // what we held of it when this life of it began
	uint64_t given;		 // what it has given back of ours
	uint64_t want[COOP_IDS]; // its vector when the link came up
	uint64_t acked[COOP_IDS], sent[COOP_IDS];
	bool relay_now; // it has just come: it is told of all, not of ours only
	bool own_told;	// and that this is all we have of its own
	bool gave;	// it said so of ours, once in our life
	bool relaying;	// it waited for others' items long enough: we tell them
	mono_t resend, relay_since;
	bool gap; // something of it did not arrive: it is to be told
	mono_t gap_said;
	mono_t better_since; // preemption
	uint64_t msgs_in, msgs_out, octets_in, octets_out, drops;
};

struct coop_sids {
	uint32_t epoch;
	uint32_t next, limit, reserved; // in our own range; reserved is on its way to be confirmed
	uint64_t reserved_count;
	uint32_t lent, lent_n; // from another's
	uint32_t serial;       // of the question that is open; 0: none
	uint32_t own_epoch;    // made by us in this life: no peer need know what we use of it
	mono_t empty_since;    // nobody had any for us
	mono_t asked;
};

#define COOP_WRITES 32 // under way
struct coop {
	struct coop_conf conf;
	struct rng *rng; // borrowed
	uint64_t boot, counter;
	enum coop_role role;
	uint64_t term;	   // ours, while CLAIMING or PRIMARY
	bool leads;	   // PRIMARY, or CLAIMING a higher term after that
	bool claimed;	   // in this life
	uint64_t max_term; // highest heard of
	struct coop_claim lead;
	mono_t lead_seen; // its beat moved on
	uint64_t beat;
	struct {
		uint64_t term, beat;
	} seen[COOP_IDS];    // newest sign of life of each as primary
	bool confirmed_once; // some peer has told us all it had
	bool proven;	     // all of them have, and none knew more of us than we did
	bool old_disk, drift, force;
	bool unable; // may not lead, whatever else: it lacks the key that signs rekeys
	mono_t started, next_hello;
	uint8_t handover_to;
	mono_t handover_end;
	bool handover_sent;
	uint8_t handed_by; // who gave the role to us, and when
	mono_t handed;
	struct coop_store store;
	uint64_t count, count_boot, count_base; // now; on disk at the start; first of this boot - 1
	uint64_t vouched, own_back;		// of our own: surely here; told by peers
	uint64_t retagged; // of the newest item that was another's before: it goes ahead of others'
	uint64_t vector[COOP_IDS];
	uint64_t write_no, durable_no, claim_write;
	struct {
		uint64_t no, count;
	} write[COOP_WRITES];
	size_t n_writes;
	uint64_t durable_count, committed;
	mono_t waiting; // since when the oldest put is not committed
	bool dirty;
	uint8_t said_role, said_choice;
	uint8_t vote; // the last that we told others to choose, and when
	mono_t voted;
	uint64_t said_term;
	int64_t pseudo_base; // pseudotime - now
	bool time_known;     // it is our disk's, or that of one that runs
	bool time_heard;     // at the start: it is set
	struct coop_sids sids;
	struct coop_peer peer[COOP_PEERS];
};

enum coop_ev_kind {
	COOP_EV_TICK,
	COOP_EV_LINK_UP,   // peer
	COOP_EV_LINK_DOWN, // peer
	COOP_EV_HELLO,	   // peer, octets: a datagram whose tag was right
	COOP_EV_MSG,	   // peer, octets: one frame of the stream
	COOP_EV_DURABLE,   // no: all writes up to it
	COOP_EV_PUT,	   // put
	COOP_EV_ROLE,	   // operator: give the role up; at a secondary that may not lead: take it
	COOP_EV_CONF,	   // conf
	COOP_EV_ABLE,	   // able: whether it could do what a primary has to
};

// ver 0: one more than what is there. body is copied.
struct coop_put {
	uint8_t kind, flags;
	struct bytes key, body;
	uint64_t ver;
	mono_t dies, active;
};

struct coop_event {
	enum coop_ev_kind kind;
	size_t peer;
	struct bytes octets;
	uint64_t no;
	const struct coop_put *put;
	const struct coop_conf *conf;
	bool able;
};

enum coop_act_kind {
	COOP_ACT_SEND,	    // peer, datagram, octets; not before write `no` is durable
	COOP_ACT_SAVE,	    // item; belongs to write `no`
	COOP_ACT_ERASE,	    // the item of item_kind and key has ended; belongs to write `no`
	COOP_ACT_META,	    // meta; belongs to write `no`
	COOP_ACT_APPLY,	    // item is new, from a peer
	COOP_ACT_ROLE,	    // role; no: its term; fresh: as primary, with a new epoch
	COOP_ACT_COMMITTED, // no: puts up to this count are durable here and at all who live
	COOP_ACT_REINIT,    // to the primary: sender ids have run out, a new epoch is needed
	COOP_ACT_CLOSE,	    // peer: its stream is to be closed
	COOP_ACT_LOG,	    // event, peer or COOP_PEERS, text
};

struct coop_act {
	enum coop_act_kind kind;
	size_t peer;
	bool datagram, fresh;
	size_t at, len; // in out->octets
	uint64_t no;
	enum coop_role role;
	const struct coop_item *item; // valid until the next step
	uint8_t item_kind, key_len, key[COOP_KEY_MAX];
	enum event_id event;
	const char *text;
};

struct coop_out {
	size_t n, cap;
	struct coop_act *act;
	size_t len, cap_octets;
	uint8_t *octets;
	struct coop_meta meta;
	mono_t wake;
	uint64_t put_count; // the count that COMMITTED will name; 0: refused
};

void coop_out_init(struct coop_out *out);
void coop_out_fini(struct coop_out *out);

// meta NULL: this key server was never here before. Items that were kept follow by coop_load,
// before the first step. seen_ms: what went by since (pseudotime goes on).
void coop_init(struct coop *c, const struct coop_conf *conf, struct rng *rng, mono_t now,
	       const struct coop_meta *meta, uint64_t seen_ms);
void coop_load(struct coop *c, const struct coop_item *item);
void coop_fini(struct coop *c);

// out is emptied first.
void coop_step(struct coop *c, mono_t now, const struct coop_event *ev, struct coop_out *out);

// May new keys be made here? Only by a primary.
bool coop_may_mint(const struct coop *c);
// May members be taken in? Not before we know whether there are others.
bool coop_may_register(const struct coop *c);
uint64_t coop_pseudotime(const struct coop *c, mono_t now);
// n sender ids in a row, for the epoch in force. False: none now.
bool coop_sid_take(struct coop *c, uint32_t n, uint32_t *first);

// Versions of chains and generations: the epoch, and the number within it.
#define COOP_EPOCH_VER(epoch, n) ((uint64_t)(epoch) << 32 | (uint32_t)(n))
#define COOP_VER_EPOCH(ver)	 ((uint32_t)((ver) >> 32))
#define COOP_VER_N(ver)		 ((uint32_t)(ver))
uint32_t coop_epoch(const struct coop *c);     // 0: there is none yet
uint32_t coop_epoch_new(const struct coop *c); // for a new one
// No id of the one is one of the other.
bool coop_epochs_apart(uint32_t a, uint32_t b);
// Could somebody tell us what we did before? Then it has.
bool coop_is_sure(const struct coop *c);
// The sequence number for the next rekey under a KEK, and the body of the item that keeps it (seq:
// as it is, NULL: none yet). No other key server, nor this one in another life, can use the same.
// 0: used up, the KEK has to go.
#define COOP_SEQ_BODY 8
uint32_t coop_seq_next(const struct coop *c, mono_t now, const struct coop_item *seq,
		       uint8_t body[COOP_SEQ_BODY]);

bool coop_peer_lives(const struct coop *c, uint8_t id); // id of ours or of a peer
