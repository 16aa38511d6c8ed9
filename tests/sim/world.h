// tests/sim/world.h - a group in virtual time.
//
//	     ksd: ks_step, its disk             killed, started from what was durable; frozen
//	       |   datagrams: loss, duplicates, delay, cuts, forgeries; copies of multicast
//	  gmd 1 … gmd N: gm_step                restarted, frozen, suspended, excluded, readmitted
//	       |        |               a program is applied a little later
//	  espd 1 … espd N: espd_model           restarted: another boot
//
// world.c      time, what is to happen, the network
// server.c     ksd and its disk                     member.c     gmd, espd
// faults.c     what befalls them                    checks.c     invariants.h
// group_sim.c  worlds without number
#pragma once
#include "common/crypto/crypto.h"
#include "gm/core.h"
#include "ks/core.h"
#include "ks/durable.h"
#include "ks/elapsed.h"
#include "tests/sim/espd_model.h"
#include "tests/sim/invariants.h"

#define MEMBERS_OF_WORLD 50
#define GRACE_S		 120 // after a fault a member may need this long
#define MAX_PUSHES	 96  // per member
#define MAX_USES	 64  // sender ids in use at a time, per member
#define MAX_CAUGHT	 32

enum thing_kind {
	T_TO_KS,
	T_TO_GM,
	T_APPLY,
	T_RESULT,
	T_GMD_UP,
	T_ESPD_UP,
	T_UNCUT,
	T_THAW,
	T_KSD_UP,
	T_WRITTEN,
	T_REKEY,
};

// Something that will happen.
struct thing {
	mono_t at;
	uint64_t nth; // what was put in first comes first
	enum thing_kind kind;
	size_t member;
	uint64_t life; // of the process it was meant for
	struct endpoint from, to;
	size_t len;
	uint8_t *b;
	struct gm_program *program;
	uint64_t generation;
	size_t push; // 1 + index into the member's pushes; 0: none
};

// One rekey on its way to one member: all copies of a datagram.
struct push {
	uint64_t hash;
	mono_t sent;
	bool delivered;
};

// Under this key with this sender id the espd of this boot sends.
struct use {
	uint64_t id; // of key and sender id
	bool held;
};

struct router {
	struct addr address;
	struct gm *gm; // NULL while gmd is down
	uint64_t gmd_life;
	struct gm_out out;
	struct espd_model espd;
	bool cut, frozen, lost; // off the network; stands still; what comes meanwhile is gone
	mono_t thaws;
	mono_t fault;		  // last one that touched it
	mono_t began, registered; // its last registration: when its first message went
	bool registering;
	mono_t settles; // registered, and espd about to be told
	uint32_t n_registrations;
	bool steady; // in good standing when ksd was killed
	bool late;   // a rekey was held back on its way to it: it cannot know how old the keys are
	bool banned, readmitted; // may come again, and does not know it yet
	uint32_t banned_births;
	uint64_t kek; // in force, and its SEQ
	uint32_t seq;
	size_t n_pushes; // ever; the last MAX_PUSHES are kept
	struct push push[MAX_PUSHES];
	size_t n_uses;
	struct use use[MAX_USES];
};

// What an operator has configured.
struct plan {
	uint32_t tek_s, kek_s, resend_s, resend_n;
	bool gcm, deny, ack, ack_lkh, multicast;
	uint8_t sid_bits;
	uint16_t degree; // of the key tree; 0: none
};

struct disk {
	size_t n, cap;
	struct ks_row *row;
	struct ks_stamp stamp;
	int64_t ahead_ms; // of the world, in its reckoning of ages
	mono_t at;	  // when it was copied; 0: it is no copy
};

struct server {
	struct endpoint self;
	struct plan plan;
	struct keystore *signing;
	bool up, frozen;
	mono_t thaws;
	uint64_t life;
	struct ks ks;
	struct ks_out out;
	struct ks_durable durable;
	int64_t base_ms, boot_ms, wall_step_ms;
	unsigned boot;
	struct ks_write writing;
	struct disk disk, old; // now; a backup
	uint64_t kek;	       // in force in the core, and its SEQ
	uint32_t seq, last_serial;
	mono_t killed;
};

// A table of what was seen, by number.
struct seen {
	size_t n, cap; // cap: a power of two
	struct seen_slot {
		uint64_t key, value, more;
		mono_t at;
		uint32_t nth, life_s;
	} * slot;
};

struct caught {
	enum thing_kind kind;
	size_t member, len;
	struct endpoint from, to;
	uint8_t b[4096];
};

struct world {
	uint64_t seed;
	struct rng rng;
	mono_t now;
	struct server s;
	size_t n_members;
	struct router *m;
	unsigned loss, dup, delay_ms; // per mille, per mille, most
	bool calm;		      // faults are over
	mono_t alive_after;	      // until then only what must never happen is looked at
	mono_t next_traffic, next_fault;
	size_t n_things, cap_things;
	uint64_t nth;
	struct thing *thing; // a heap
	uint32_t births;
	struct seen keys;  // SPI -> key, when it was made, its life
	struct seen uses;  // (key, sender id) -> member and boot
	struct seen wires; // (KEK, SEQ, variant) -> octets
	struct seen bytes; // octets -> (KEK, SEQ, variant)
	struct seen keks;  // KEK -> when it was made, the last SEQ sent under it
	size_t n_caught;
	struct caught caught[MAX_CAUGHT];
	unsigned same_moment;
	uint64_t n_steps, n_packets;
	uint64_t n_happened[16];
	bool broken;
};

// ---- world.c ----

struct world *world_new(uint64_t seed, size_t n_members);
void world_free(struct world *w);
void world_run(struct world *w);

bool chance(struct world *w, unsigned per_mille);
int64_t between_ms(struct world *w, int64_t lo, int64_t hi);
void later(struct world *w, struct thing t);
void put_on_wire(struct world *w, enum thing_kind kind, size_t member, const struct endpoint *from,
		 const struct endpoint *to, struct bytes d, uint64_t push);
size_t member_at(const struct world *w, const struct addr *a);

// A line of the story: told when V=1, kept for the end of a broken world.
void tell(const struct world *w, const char *fmt, ...) PRINTF(2, 3);
extern bool tell_all, tell_last;
void tell_end(void);

struct seen_slot *seen_find(const struct seen *s, uint64_t key);
struct seen_slot *seen_add(struct seen *s, uint64_t key); // a new one, or the one that is there

// ---- server.c ----

void server_new(struct world *w);
void server_free(struct world *w);
mono_t server_time(const struct world *w);
mono_t server_due(const struct world *w); // in the time of the world
void server_event(struct world *w, struct ks_event ev);
void server_config(struct world *w); // the plan was changed
void server_kill(struct world *w, int64_t down_ms);
void server_up(struct world *w);
void server_written(struct world *w, uint64_t life);
void server_backup(struct world *w);
void server_restore(struct world *w, int64_t down_ms);
struct ks_group *server_group(const struct world *w);

// ---- member.c ----

void member_event(struct world *w, size_t i, struct gm_event ev);
void gmd_start(struct world *w, size_t i);
void gmd_stop(struct world *w, size_t i);
void espd_start(struct world *w, size_t i);
void espd_stop(struct world *w, size_t i);
void member_apply(struct world *w, struct thing *t);
void member_result(struct world *w, struct thing *t);
bool member_knows_kek(const struct router *m, const uint8_t *datagram);

// ---- faults.c ----

void fault(struct world *w);
void befall(struct world *w, size_t i, mono_t until);
void befall_all(struct world *w);

// ---- checks.c ----

void violated(struct world *w, enum invariant i, const char *fmt, ...) PRINTF(3, 4);
void check_server(struct world *w);
void check_server_back(struct world *w);
// A rekey of these octets was made; is sent.
void check_made(struct world *w, uint64_t hash, const uint8_t *kek_spi, uint32_t seq,
		size_t variant);
void check_sent(struct world *w, uint64_t hash);
void check_member(struct world *w, size_t i);
void check_espd(struct world *w, size_t i);
void check_traffic(struct world *w);
void check_quiet(struct world *w);
bool good_standing(const struct world *w, size_t i);
uint64_t member_digest(const struct router *m);
uint64_t server_digest(const struct world *w);
