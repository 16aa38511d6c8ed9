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

// What all four need to be written: cookies and message id (exchange and flags are set by the
// encoder), and the length of the prf's output. h: where the HASH goes and what it covers.
struct sample_pull_out {
	struct isakmp_hdr hdr;
	size_t hash_len;
};

// w is empty. False when its buffer is too small. w->len is then the unpadded message.
bool sample_pull1_encode(struct wr *w, const struct sample_pull_out *p, const struct gdoi_pull1 *m,
			 struct wr_hash *h);
bool sample_pull2_encode(const struct gdoi_wire_opts *o, struct wr *w,
			 const struct sample_pull_out *p, const struct gdoi_pull2 *m,
			 struct wr_hash *h);
bool sample_pull3_encode(struct wr *w, const struct sample_pull_out *p, const struct gdoi_pull3 *m,
			 struct wr_hash *h);
bool sample_pull4_encode(const struct gdoi_wire_opts *o, struct wr *w,
			 const struct sample_pull_out *p, const struct gdoi_pull4 *m,
			 struct wr_hash *h);
