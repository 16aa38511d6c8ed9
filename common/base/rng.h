// common/base/rng.h - randomness as a parameter.
// Pure code draws from the struct rng it is handed: the kernel's generator in a daemon, a seeded
// one in simulation and tests (same seed, same world). Keys come from common/crypto's generator
// behind the same struct (crypto_rng).
#pragma once
#include <stddef.h>
#include <stdint.h>

struct rng {
	void (*fill)(struct rng *r, void *buf, size_t len);
	uint64_t s[4]; // state of the seeded generator; unused otherwise
};

// xoshiro256**: for simulation only, never for keys of a daemon.
void rng_seed(struct rng *r, uint64_t seed);

static inline void rng_fill(struct rng *r, void *buf, size_t len)
{
	r->fill(r, buf, len);
}

static inline uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	r->fill(r, &v, sizeof(v));
	return v;
}

static inline uint32_t rng_u32(struct rng *r)
{
	return (uint32_t)rng_u64(r);
}

// Uniform in [lo, hi], lo <= hi.
uint64_t rng_range(struct rng *r, uint64_t lo, uint64_t hi);
