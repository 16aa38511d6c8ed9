// tests/unit/ks/ks_world.h - a key server core and some members in one process: a clock that only
// moves when told to, a network that delivers in order and at once, and hooks to lose, change or
// keep what travels.
#pragma once
#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/plan.h"
#include "ks/pull.h"
#include "ks/rekey.h"
#include "ks/session.h"
#include "tests/unit/ks/test_member.h"

#define WORLD_MAX_MEMBERS 256
#define WORLD_QUEUE	  4096

struct world_dgram {
	struct endpoint from, to;
	uint8_t *b;
	size_t len;
};

struct world {
	struct ks ks;
	struct rng rng;
	mono_t now;
	struct ks_out out;
	struct ike_conf gm_conf; // of all members
	struct ike_proposal proposal;
	struct secret psk;
	struct endpoint server;
	size_t n_members;
	struct test_member *member[WORLD_MAX_MEMBERS];
	struct world_dgram queue[WORLD_QUEUE];
	size_t head, tail;
	// False: lost. May change the octets.
	bool (*tap)(struct world *w, struct world_dgram *d);
	void *tap_arg;
	// After each step of the key server; true from holds: the datagram is not sent now.
	void (*stepped)(struct world *w);
	bool (*holds)(struct world *w, const struct ks_send *s);
	void *keep_arg;
	unsigned n_to_members, n_to_server, n_to_group;
	char answer[256];	   // of the last rekey command
	unsigned events[EV_COUNT]; // how often each was told
	char last_event[EV_COUNT][256];
};

// One group "G1", identity 1234: esp-gcm 128, 3600 s, permit 10.0.0.0/8 to itself; unicast rekeys,
// retransmit 10 s twice, acks, ECDSA signature. change may alter it before it is taken.
struct world *world_new(void (*change)(struct ks_conf *c));
void world_free(struct world *w);
// With members 192.0.2.1 to n, registered.
struct world *world_crowd(void (*change)(struct ks_conf *c), unsigned n);
struct ks_conf *world_conf(void (*change)(struct ks_conf *c));
// A policy from lines like "permit 10.1.0.0/16 10.2.0.0/16", "deny tcp any any",
// "deny udp any 848 any *".
// Lines are numbered from 1. _or: NULL and why rather than a failed test.
struct policy *world_policy_or(const char *const *lines, size_t n, const char *transform,
			       uint32_t life_s, struct policy_error *why);
struct policy *world_policy(const char *const *lines, size_t n, const char *transform,
			    uint32_t life_s);

struct ks_group *world_group(struct world *w); // the first
struct test_member *world_member(struct world *w, const char *address);
void world_register(struct world *w, struct test_member *m); // and assert that it worked
void world_send(struct world *w, const struct ks_send *s);   // puts it on its way
// Deliver everything that is on its way.
void world_settle(struct world *w);
// Let time pass, firing timers of both sides.
void world_pass(struct world *w, int64_t ms);
void world_step(struct world *w, const struct ks_event *ev);
void world_inject(struct world *w, const struct endpoint *from, struct bytes datagram);
bool world_rekey(struct world *w);
struct member *world_record(struct world *w, const struct test_member *m);
