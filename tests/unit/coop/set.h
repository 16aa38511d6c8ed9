// tests/unit/coop/set.h - up to four cores in one process, every step by hand.
// Key server i has id i and address 10.0.0.(i + 1), all have priority 1: the last of them is the
// best. Messages arrive in the same millisecond and in order; a disk is as fast, unless held back.
// From:   the unit tests of coop.
#pragma once
#include "coop/coop.h"

#define SET_MAX 4

struct set_msg {
	size_t from, to, len;
	uint64_t no; // on the stream: not before this write is durable
	bool datagram;
	uint8_t *b;
};

struct set_ks {
	bool up;
	bool disk_held; // its writes are not durable
	struct coop c;
	struct coop_conf conf;
	struct coop_out out;
	struct rng rng;
	uint64_t committed, put_count; // put_count: of the last put
	unsigned reinits, logged[EV_COUNT];
	int64_t led_at; // when it last became primary
};

struct set {
	size_t n;
	mono_t now;
	struct set_ks ks[SET_MAX];
	bool cut[SET_MAX][SET_MAX];  // from, to: nothing arrives, the stream is down
	bool mute[SET_MAX][SET_MAX]; // from, to: hellos arrive, what is on the stream is lost
	size_t n_msgs;
	struct set_msg msg[512];
};

// n of them, not started: conf may be changed.
void set_init(struct set *s, size_t n);
void set_fini(struct set *s);
// With an empty disk, or with the one that meta and the items of store are.
void set_start(struct set *s, size_t i, const struct coop_meta *meta,
	       const struct coop_store *store);
void set_start_all(struct set *s);
void set_kill(struct set *s, size_t i);
void set_cut(struct set *s, size_t a, size_t b, bool cut);
void set_run(struct set *s, int64_t ms);
void set_event(struct set *s, size_t i, const struct coop_event *ev);
void set_put(struct set *s, size_t i, const struct coop_put *put);
// A frame made by hand, from one to the other.
void set_tell(struct set *s, size_t from, size_t to, struct coop_frame *f);
size_t set_peer(size_t at, size_t about); // index
size_t set_primaries(const struct set *s);
bool set_leads(const struct set *s, size_t i);
const struct coop_item *set_item(const struct set *s, size_t i, uint8_t kind, uint8_t key);

// The set that a test works on, three of them, and the set-up that makes and ends it.
extern struct set set_world;
int set_three(void **state);
int set_end(void **state);
void set_only_leads(size_t i); // asserts it
