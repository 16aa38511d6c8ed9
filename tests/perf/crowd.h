// tests/perf/crowd.h - a crowd of group members against a real ksd.
// Every member has an address of its own (127.1.0.1 and up), one UDP socket serves them all. What
// travels may be lost on purpose, each way, by a seeded generator.
// Owns:   the members, their socket.     From: ks_crowd.c, ks_scale.c, each one thread.
// Never:  goes on after something that should not happen: it says what, and ends the process.
#pragma once
#include <jansson.h>

#include "tests/unit/ks/test_member.h"

#define CROWD_MAX   200000
#define CROWD_BATCH 64

struct crowd_pki;

struct crowd {
	// The caller's, before crowd_init:
	size_t n;
	struct endpoint server; // after crowd_init a member may be given another one
	struct ike_proposal proposal;
	struct crowd_pki *pki; // NULL: pre-shared keys
	unsigned loss_percent; // of datagrams, each way
	uint64_t seed;
	size_t window; // registrations under way at a time
	bool patient;  // who is refused asks again
	bool hang_up;  // registered members end their phase 1 SA, as gmd does

	int fd;
	struct ike_conf conf;
	struct secret psk;
	struct rng rng, dice;
	size_t started, over, first;		     // before first all are over
	uint64_t n_pushes;			     // taken by members, all together
	uint64_t n_in, n_out, octets_in, octets_out; // datagrams, also those lost on purpose
	uint64_t n_lost_in, n_lost_out;
	struct test_member *m;
	uint8_t rx[CROWD_BATCH][4096];
};

_Noreturn void crowd_die(const char *what);
double crowd_seconds(clockid_t id);

// Needs root: its receive buffer is large.
void crowd_init(struct crowd *c);
void crowd_fini(struct crowd *c);
// Hands over what has come; waits up to ms for the first of it. Number of datagrams.
int crowd_receive(struct crowd *c, int ms);
// All of them, or the process ends.
void crowd_register(struct crowd *c);

// What ksd answers to a show or a command in JSON: "data", to be json_decref'd; NULL: nobody is
// there, or it refused.
json_t *crowd_ask(const char *control, const char *words);
