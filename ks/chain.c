#include "ks/chain.h"

#include "common/crypto/prf.h"

#define BLOCK 32

// Each draw begins with a block of its own: its length says nothing about the next one.
static void fill(struct rng *r, void *buf, size_t len)
{
	struct chain *c = (struct chain *)r;
	uint8_t *to = buf, block[HASH_MAX];

	for (size_t at = 0; at < len; at += BLOCK) {
		uint32_t n = c->n++;
		const uint8_t number[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
					    (uint8_t)(n >> 8), (uint8_t)n };
		const struct bytes part[] = { BYTES_OF(number) };

		BUG_ON(prf_parts(HASH_ALG_SHA256, BYTES(c->key.b, c->key.len), part, 1, block));
		memcpy(to + at, block, MIN_OF(len - at, (size_t)BLOCK));
	}
	explicit_bzero(block, sizeof(block));
}

static void derive(const struct secret *from, const struct bytes *part, size_t n,
		   struct secret *out)
{
	struct secret made = { 0 };

	BUG_ON(prf_secret(HASH_ALG_SHA256, BYTES(from->b, from->len), part, n, &made));
	*out = made;
	secret_fini(&made);
}

static void derive_named(const struct secret *from, const char *label, struct secret *out)
{
	const struct bytes part[] = { BYTES((const uint8_t *)label, strlen(label)) };

	derive(from, part, N_ELEMS(part), out);
}

void chain_begin(struct chain *c, const struct secret *from, const char *label)
{
	*c = (struct chain){ .rng = { .fill = fill } };
	derive_named(from, label, &c->key);
}

void chain_fini(struct chain *c)
{
	secret_fini(&c->key);
}

void chain_next(const struct secret *from, struct secret *out)
{
	derive_named(from, "next", out);
}

void chain_mix(const struct secret *from, struct rng *rng, struct secret *out)
{
	uint8_t fresh[CHAIN_SECRET_LEN];
	const struct bytes part[] = { BYTES((const uint8_t *)"mix", 3), BYTES_OF(fresh) };

	rng_fill(rng, fresh, sizeof(fresh));
	derive(from, part, N_ELEMS(part), out);
	explicit_bzero(fresh, sizeof(fresh));
}
