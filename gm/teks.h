// gm/teks.h - the life of traffic keys: staged -> current -> draining -> gone.
//
// Every download of the key server makes a set: the group's policy at that moment, line by line,
// with the key of each line. The newest set stands first.
//
//	received            ATD                            DTD
//	   |  receive under  |  send under the new set      |
//	   |  both, send     |  receive under both          |  the old set is gone
//	   |  under the old  |                              |
//
// A set without an older one that can still send is used at once. Keys end with their own life
// whatever the set says. The policy of the newest set outlives its keys: its lines then drop.
// Owns:   keys, from the download until they are wiped here.
// From:   gm/grant.c with what a PULL or an authenticated PUSH handed out.
// To:     gm/policy.c, which turns the present state into dataplane rules.
// Spec:   RFC 6407 5.4.1 (ATD, DTD), 5.9 (Delete); RFC 5374 4.2.1 (rollover).
// Always: a key is received under from the moment it is here.    Never: two keys under one SPI.
#pragma once
#include "common/base/flow.h"
#include "common/base/mono.h"
#include "common/base/replay.h"
#include "common/crypto/secret.h"
#include "dataplane/dp_api.h"

#define GM_MAX_TEKS  512 // of a group, all generations
#define GM_MAX_LINES 256 // of one set
#define GM_MAX_SETS  6

enum gm_tek_state { GM_TEK_STAGED, GM_TEK_CURRENT, GM_TEK_DRAINING };

struct gm_tek {
	uint32_t spi;
	uint8_t suite;		 // enum dp_suite
	uint8_t dir;		 // enum dp_sa_dir: what the key server allows
	bool counter_iv;	 // needs a sender id
	bool receive_only;	 // of a receive-only group: sent under when an operator says so
	bool no_send;		 // deleted by the key server: receive until it goes
	bool sent;		 // was given to the dataplane for sending: stays an outbound SA
	const char *transform;	 // name for show; static
	uint32_t life_s;	 // as told at the last download
	struct replay replay;	 // mode REPLAY_NONE: not told
	struct secret key, auth; // AEAD: salt at the end of key
	mono_t dies;
};

// One line of group policy: packets of flow travel under spi, or in clear.
struct gm_line {
	bool protect;
	struct flow flow;
	uint32_t spi;
};

struct gm_set {
	size_t n;
	struct gm_line line[GM_MAX_LINES];
	bool receive_only; // members send in clear and accept either
	mono_t active_at;  // send under it from now on
	mono_t gone_at;	   // MONO_NEVER until a newer set replaced it
};

struct gm_teks {
	size_t n, n_sets;
	struct gm_tek tek[GM_MAX_TEKS];
	struct gm_set set[GM_MAX_SETS]; // newest first
};

// What a key server handed out, checked and free of wire forms. Lines are in policy order; a
// selector that comes again is an older generation of the same line.
struct gm_grant {
	size_t n_teks, n_lines;
	struct gm_tek tek[GM_MAX_TEKS];
	struct gm_line line[GM_MAX_LINES];
	bool whole; // lines are all of the policy, not additions to it
	bool stale; // a rekey that came while it was on its way is newer: nothing is replaced
	bool has_atd, has_dtd;
	bool inbound_is_receive_only; // keys for receiving alone say so, to all members alike
	uint32_t atd_s, dtd_s;
};

void gm_teks_init(struct gm_teks *t);
void gm_teks_fini(struct gm_teks *t); // wipes
void gm_grant_fini(struct gm_grant *g);

// True when the grant can be taken: no SPI under two keys, room for all. why: for the log.
bool gm_teks_judge(const struct gm_teks *t, const struct gm_grant *g, const char **why);
// Take a judged grant. A key that was here keeps its place in the rollover; sets whose keys the
// grant does not name are replaced ones.
void gm_teks_stage(struct gm_teks *t, mono_t now, const struct gm_grant *g);

// A Delete: no more sending; received under for grace_s more seconds. False: no such key.
bool gm_teks_delete(struct gm_teks *t, mono_t now, uint32_t spi, uint32_t grace_s);
void gm_teks_delete_all(struct gm_teks *t, mono_t now, uint32_t grace_s);

// Forget and wipe what has ended. True when anything changed for the dataplane since `before`
// (an ATD that passed counts).
bool gm_teks_age(struct gm_teks *t, mono_t before, mono_t now);
mono_t gm_teks_next(const struct gm_teks *t, mono_t now); // when gm_teks_age has work

const struct gm_tek *gm_teks_find(const struct gm_teks *t, uint32_t spi);
// The set whose lines decide now. NULL before the first download.
const struct gm_set *gm_teks_active(const struct gm_teks *t, mono_t now);
// The key to send line i of the active set under: its own, else what the other sets have for the
// same flow, newest first. NULL: none, drop.
const struct gm_tek *gm_teks_out(const struct gm_teks *t, mono_t now, size_t i);
enum gm_tek_state gm_teks_state(const struct gm_teks *t, mono_t now, uint32_t spi);
// When the first line of the newest set runs out of keys; MONO_NEVER without protect lines.
mono_t gm_teks_end(const struct gm_teks *t);
// The life (as told) of the key that ends first: short lives have short margins.
uint32_t gm_teks_life_s(const struct gm_teks *t);
