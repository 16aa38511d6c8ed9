// tests/sim/coop_world.h - key servers around the real coop core, members as sets of keys.
//
//	ks 0 ── ks 1 ── … ks n      streams and datagrams, cut and lossy         (coop_net.c)
//	  │ \     │                 the core (coop_ks.c), a disk (coop_disk.c), the rules by which
//	  │   \   │                 ks/ mints, sends, registers                  (coop_keys.c)
//	gm 0 … gm m                 KEKs, TEKs to open with, one to send under   (coop_gm.c)
//
// Every second each member "sends" to each other: can it be opened?     (coop_check.c)
// Whatever leaves a key server is judged as it leaves.                  (coop_told.c)
// Faults: coop_fault.c; messages that nobody ought to send: coop_evil.c. Worlds, seeds: coop_sim.c.
#pragma once
#include <stdio.h>

#include "coop/coop.h"
#include "tests/sim/coop_cover.h"
#include "tests/sim/coop_invariants.h"

#define MAX_KS	 8
#define MAX_GM	 32
#define MAX_GEN	 64 // generations of one world
#define MAX_KEK	 64
#define MAX_LIVE 12 // generations alive at a time
#define SID_BITS 12
#define MAX_OLD	 12 // datagrams that are kept for being replayed

// All in ms. A generation is replaced MINT_BEFORE its end and sent under ATD later.
#define TEK_LIFE    60000
#define MINT_BEFORE 28000
#define ATD	    13000
#define KEK_LIFE    150000
#define KEK_BEFORE  60000
#define REREGISTER  20000 // a member comes back when its newest key has this long to live

enum thing_kind {
	T_WAKE,	 // a key server wants to be woken
	T_DISK,	 // a write is safe
	T_DGRAM, // key server to key server
	T_STREAM,
	T_LINK, // try to connect
	T_PUSH, // key server to member
	T_ACK,
	T_REG,
	T_REPLY,
	T_GM_TIMER,
	T_KS_UP,
	T_KILL,
	T_CLOSE,
	T_THAW,
	T_SAMPLE,
	T_FAULT,
	T_EVIL,
	T_PEACE,
};

struct sim_push {
	uint64_t kek, seq, new_kek;
	uint64_t round;
	size_t n;
	struct {
		uint8_t slot;
		int64_t dies;
	} gen[MAX_LIVE];
	uint8_t tx, next; // slots; next after atd; 0xff: none
	int64_t atd;
	uint32_t epoch, sid;
	uint64_t seq_floor;
};

struct thing {
	int64_t at;
	uint64_t order;
	enum thing_kind kind;
	uint8_t from, to;
	uint64_t life; // of whom it is meant for
	uint32_t link; // of the stream
	size_t len;
	uint8_t *b;
	struct sim_push *push;
};

struct disk_write {
	uint64_t no;
	struct coop_meta meta;
	size_t n;
	struct coop_item *item; // dies == INT64_MIN: erased
};

struct held {
	uint64_t no;
	uint8_t to;
	size_t len;
	uint8_t *b;
};

struct disk {
	bool used;
	struct coop_meta meta;
	int64_t stamp;	 // time of the last write, or of the last start from it
	int64_t meta_at; // time of the last write
	int64_t clock;	 // the key server's clock then
	struct coop_store store;
};

struct pending_reg {
	uint8_t gm;
	uint64_t life, count;
	uint32_t sid, epoch;
};

struct sim_round {
	bool live, sent;
	uint64_t id, count; // goes out when count is committed
	int64_t taken;	    // when its sequence numbers were
	size_t n_kek;
	uint64_t kek[MAX_LIVE], seq[MAX_LIVE];
	uint64_t acked; // bit per member
	int tries;
	int64_t next;
	uint8_t newest;
};

struct sim_ks {
	bool exists, up, newer; // newer: speaks the next version
	bool sniped;		// to be killed while it writes
	int64_t frozen;		// until then
	int64_t stepped;	// what its wall clock was set by while it was down, in ms
	uint64_t life;
	struct rng rng; // of its own
	struct coop_conf conf;
	struct coop c;
	struct coop_out out;
	int64_t clock_off;
	int64_t ppm;
	struct disk disk, old; // old: a copy that may be put back
	size_t n_writes;
	struct disk_write write[64];
	int64_t disk_free;
	size_t n_held;
	struct held held[256];
	bool primary, elected, forced, differed;
	uint64_t known;		     // generations, bit per slot
	int64_t not_before[MAX_GEN]; // that it took over: nobody may be told to send under it
	bool keys_changed, shut_out, want_epoch;
	int64_t next_mint, next_round, epoch_at;
	struct sim_round round;
	size_t n_regs;
	struct pending_reg reg[MAX_GM];
	uint64_t committed;
	int64_t wake_at;
	uint64_t chain_ver, pseudo; // for the invariants
	int64_t pseudo_at;
	int64_t waiting; // since when something is not committed
	uint64_t mask;	 // of who else exists in its configuration
};

struct sim_gm {
	bool registered, excluded;
	uint64_t life; // registrations, and attempts
	size_t n_kek;
	struct {
		uint64_t id, seq;
	} kek[MAX_LIVE];
	size_t n_gen;
	struct {
		uint8_t slot;
		int64_t dies;
	} gen[MAX_LIVE];
	uint64_t open; // bit per slot: what it can open
	uint8_t tx, next;
	int64_t next_at;
	uint32_t sid, epoch;
	uint32_t reg; // number of its registration
	uint8_t list[MAX_KS], asking;
	bool busy, sure; // sure: whom it asks is able to answer
	uint64_t ban_ver;
	int64_t registered_at, alone_since, led_since, excused;
	int64_t wanting; // since when it tries in vain
};

struct world {
	uint64_t seed;
	struct rng rng;
	int64_t now, end, quiet;
	size_t n_ks, n_gm;
	struct sim_ks ks[MAX_KS];
	struct sim_gm gm[MAX_GM];
	size_t n_things;
	uint64_t order;
	unsigned loss, dup; // per mille, of datagrams and of stream messages
	unsigned rough;	    // per mille of stream messages that are lost, doubled, overtaken
	unsigned delay;	    // ms at most
	bool gm_split;	    // members are cut along with key servers
	bool evil;	    // somebody sends what nobody ought to
	bool cut[MAX_KS][MAX_KS];
	uint8_t side_ks[MAX_KS], side_gm[MAX_GM];
	bool link[MAX_KS][MAX_KS];
	uint32_t link_no[MAX_KS][MAX_KS];
	int64_t stream_at[MAX_KS][MAX_KS];
	int64_t changed;		 // last time that anything was cut, killed, configured
	int64_t reconfigured, policy_at; // last time that the set itself, its policy changed
	bool restored;			 // a disk was put back: once in a world is enough
	bool diverged;			 // the like has happened in this world
	bool asym_open;			 // a side has made keys of its own before they were due
	bool time_began, time_off;	 // off: somebody began alone with a wrong idea of the time
	int64_t time_ahead;
	int64_t whole_since, minted;
	size_t n_gens;
	struct {
		uint64_t id, ver;
	} gen[MAX_GEN];
	uint32_t regs;
	uint64_t rounds;
	size_t n_used;
	struct {
		uint64_t kek, seq;
		int64_t at;
	} used[4096];
	size_t n_terms;
	struct {
		uint64_t term;
		uint8_t ks;
	} terms[512];
	int64_t role_changed, last_put, last_items;
	uint64_t samples, packets, steps;
	uint64_t trace; // of who led when
	size_t n_old;
	struct {
		uint8_t from, to;
		uint64_t from_life,
			to_life; // of these lives only: the channel's keys change with them
		size_t len;
		uint8_t b[256];
	} old[MAX_OLD];
	bool peace, broken;
	// What follows outlives a world, for the next one's use.
	struct thing *heap;
	size_t cap_things;
	uint32_t sid_owner[MAX_GEN][1 << SID_BITS]; // registration that used it, per generation
};

extern bool verbose;

void tell(const struct world *w, const char *fmt, ...) PRINTF(2, 3);
void violated(struct world *w, enum coop_invariant i, const char *fmt, ...) PRINTF(3, 4);

static inline bool chance(struct world *w, unsigned per_mille)
{
	return per_mille > 0 && rng_range(&w->rng, 1, 1000) <= per_mille;
}

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

// coop_net.c
void later(struct world *w, struct thing t);
bool take(struct world *w, struct thing *out);
void thing_fini(struct thing *t);
bool reach_kk(const struct world *w, size_t from, size_t to);
bool reach_gk(const struct world *w, size_t gm, size_t ks);
bool whole(const struct world *w); // every key server there is reaches every other
bool runs(const struct world *w, size_t ks);
size_t ks_at(const struct world *w, const struct addr *a);
size_t peer_index(const struct world *w, size_t of, size_t who);
bool reach_gg(const struct world *w, size_t a, size_t b);
void net_send(struct world *w, size_t from, size_t to, bool datagram, const uint8_t *b, size_t len);
void net_links(struct world *w); // what was cut falls, what is whole will connect
void net_deliver(struct world *w, const struct thing *t);
void net_try(struct world *w, size_t a, size_t b);
void net_close(struct world *w, size_t a, size_t b);

// coop_ks.c
mono_t ks_clock(const struct world *w, const struct sim_ks *k);
void ks_start(struct world *w, size_t i);
void ks_kill(struct world *w, size_t i);
void ks_event(struct world *w, size_t i, const struct coop_event *ev);
void ks_wake(struct world *w, size_t i);
void ks_configure(struct world *w, size_t i);
void ks_free(struct sim_ks *k);

// coop_disk.c
void disk_copy(struct disk *to, const struct disk *from);
void disk_lose(struct disk *d);
void disk_write(struct world *w, size_t i, const struct coop_out *out);
void disk_done(struct world *w, size_t i, uint64_t no);
void disk_load(struct world *w, struct sim_ks *k);
void disk_drop(struct sim_ks *k); // what is not safe yet

// coop_keys.c
uint8_t slot_in(const struct world *w, const struct coop_item *gen);
int64_t left_of(const struct world *w, const struct sim_ks *k, mono_t t);
void keys_lead(struct world *w, size_t i);
void keys_learnt(struct world *w, size_t i, const struct coop_item *it);
void keys_replies(struct world *w, size_t i);
void keys_ack(struct world *w, size_t i, size_t gm, uint64_t round);
bool keys_can_register(const struct world *w, size_t i, size_t gm);
void keys_register(struct world *w, size_t i, size_t gm, uint64_t life);
void keys_ban(struct world *w, size_t i, size_t gm, bool banned);
void keys_recount_bans(struct world *w);
void keys_unknown(struct world *w, size_t i); // puts an item of a kind of the next version

// coop_fault.c
void fault(struct world *w);
void fault_kill(struct world *w, size_t i);
void fault_heal(struct world *w);
void know_each_other(struct world *w);

// coop_evil.c
void evil_seen(struct world *w, const struct thing *t);
void evil(struct world *w);

// coop_told.c
void told_handover(struct world *w, size_t from, size_t to);
void told_frame(struct world *w, size_t from, bool datagram, struct bytes b);
void told_committed(struct world *w, size_t i, uint64_t count);
void told_slow(struct world *w, size_t i);
void told_keys(struct world *w, size_t i, const struct sim_push *p);

// coop_gm.c
void gm_timer(struct world *w, size_t g);
void gm_push(struct world *w, size_t g, size_t from, const struct sim_push *p);
void gm_reply(struct world *w, size_t g, const struct sim_push *p, size_t from);
void gm_settle(struct world *w, size_t g);

// coop_check.c
void check_role(struct world *w, size_t i, uint64_t term);
void check_step(struct world *w, size_t i);
void check_seq(struct world *w, size_t i, uint64_t kek, uint64_t seq, int64_t taken);
void check_elected(struct world *w, size_t i);
void check_started(struct world *w, size_t i);
bool calm(const struct world *w);
void check_sample(struct world *w);
void check_end(struct world *w);
