// tests/unit/gm/world.h - one member, up to two key servers and time, without a network.
#pragma once
#include "gm/core.h"
#include "tests/unit/gm/test_ks.h"

#define WORLD_KS 2

struct world {
	struct gm *gm;
	struct gm_group *g;
	struct rng rng;
	struct gm_out out;
	mono_t now;
	size_t n_ks;
	struct test_ks ks[WORLD_KS];
	bool cut; // nothing reaches anyone
	// What came out, since the last world_forget.
	size_t n_acks;
	struct bytes ack; // copy of the last one
	uint8_t ack_buf[512];
	struct endpoint ack_to;
	size_t n_events[EV_COUNT];
	char last_text[EV_COUNT][320];
	struct gm_program *program; // last one
	size_t n_programs;
};

// What all tests of a file share: an RSA key "REKEY" is slow to make. For cmocka_run_group_tests.
extern struct signer world_signer;
int world_signer_make(void **state);
int world_signer_end(void **state);

// A member at 192.0.2.1 of group G1, identity 1234, with n_ks servers 10.0.0.1 and 10.0.0.2.
void world_init(struct world *w, size_t n_ks, struct signer *signer);
void world_fini(struct world *w);
void world_forget(struct world *w);
struct gm_conf *world_conf(const struct world *w);

void world_event(struct world *w, struct gm_event ev); // and all that follows from it at once
void world_until(struct world *w, int64_t s);	       // run to s seconds since the start
void world_datagram(struct world *w, const struct endpoint *from, struct bytes d);
void world_register(struct world *w);
// espd says hello; then programs are answered by success at once.
void world_dp_up(struct world *w, uint64_t boot, uint64_t generation);
