// tests/unit/ks/ks_set.h - up to four key server cores that serve one group together, and members
// of it, in one process: a clock that only moves when told to, streams and datagrams between the
// key servers that can be cut, disks that can be held back.
// Key server i has id i, address 10.0.0.(i + 1) and priority 10 - i: the first is the best.
// From:   the unit tests of ks.
#pragma once
#include "tests/unit/ks/ks_world.h"

#define SET_MAX	    4
#define SET_MEMBERS 32

struct set_thing {
	bool frame, hello; // between key servers; or a datagram of GDOI
	bool lost;
	size_t from, to;
	struct endpoint src, dst;
	size_t len;
	uint8_t *b;
};

struct set_ks {
	bool up;
	bool disk_held; // its writes are not safe
	size_t n_held;	// and what waits for them
	struct set_thing held[256];
	struct ks ks;
	struct ks_out out;
	struct rng rng;
	uint64_t no; // newest write
	unsigned n_pushes, events[EV_COUNT];
	char last_event[EV_COUNT][256];
	char answer[256];
};

struct set {
	size_t n;
	mono_t now;
	struct rng rng;
	struct set_ks ks[SET_MAX];
	bool cut[SET_MAX][SET_MAX]; // no streams, no datagrams
	struct ike_conf gm_conf;
	struct ike_proposal proposal;
	struct secret psk;
	size_t n_members;
	struct test_member *member[SET_MEMBERS];
	struct endpoint heard[SET_MEMBERS]; // where its last datagram came from
	bool deaf[SET_MEMBERS];
	bool apart[SET_MEMBERS][SET_MAX]; // member and key server do not reach each other
	size_t n_things;
	struct set_thing thing[4096];
	void (*change)(struct ks_conf *c);
};

struct set *set_new(size_t n, void (*change)(struct ks_conf *c)); // up, but not led by anyone yet
void set_free(struct set *s);
void set_start(struct set *s, size_t i);
void set_kill(struct set *s, size_t i);
void set_restart(struct set *s, size_t i); // at once, from what it had kept
void set_cut(struct set *s, size_t a, size_t b, bool cut);
void set_disk(struct set *s, size_t i, bool held);
void set_step(struct set *s, size_t i, const struct ks_event *ev);
void set_pass(struct set *s, int64_t ms);
// It keeps what it knows; nobody else does.
struct test_member *set_member(struct set *s, const char *address, size_t home);
void set_register(struct set *s, struct test_member *m);
struct ks_group *set_group(struct set *s, size_t i);
bool set_leads(struct set *s, size_t i);
bool set_same_keys(struct set *s, size_t a, size_t b);
// Does the member hold the newest TEK that key server i knows?
bool set_has_newest(struct set *s, const struct test_member *m, size_t i);
