// tests/unit/common/wire/samples.h - seeded valid messages, for round trips, for hostile copies
// of them, and as seeds of the fuzz corpora. The same seed gives the same octets.
#pragma once
#include "common/base/rng.h"
#include "common/wire/gdoi_pull.h"
#include "common/wire/gdoi_push.h"
#include "common/wire/ike1_sa.h"

#define SAMPLE_MAX 65535

// Where the views of a sample point: reset for every sample.
struct sample_pool {
	struct rng rng;
	size_t used;
	uint8_t b[SAMPLE_MAX];
};

void sample_pool_init(struct sample_pool *pool, uint64_t seed);
struct bytes sample_bytes(struct sample_pool *pool, size_t len);

void sample_ike1_sa(struct sample_pool *pool, struct ike1_sa *out);
void sample_sat(struct sample_pool *pool, struct gdoi_sat *out);
void sample_sa(struct sample_pool *pool, struct gdoi_sa *out);
void sample_kd(struct sample_pool *pool, struct gdoi_kd *out);
void sample_push(struct sample_pool *pool, struct gdoi_push *out);

// Whole messages in clear, header included; w is reset. n: message 1-4 of a GROUPKEY-PULL.
void sample_pull_msg(struct sample_pool *pool, int n, struct wr *w);
void sample_push_msg(struct sample_pool *pool, struct wr *w);
void sample_ack_msg(struct sample_pool *pool, struct wr *w);
void sample_phase1_msg(struct sample_pool *pool, struct wr *w); // message 1: SA and vendor ids
