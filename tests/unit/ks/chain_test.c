// Keys that follow from a secret.
#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "ks/chain.h"

static struct secret secret_of(uint8_t octet)
{
	uint8_t b[CHAIN_SECRET_LEN];
	struct secret s = { 0 };

	memset(b, octet, sizeof(b));
	assert_int_equal(secret_set(&s, b, sizeof(b)), 0);
	return s;
}

static void draw(uint8_t octet, const char *label, uint8_t out[64])
{
	struct secret s = secret_of(octet);
	struct chain c;

	chain_begin(&c, &s, label);
	rng_fill(&c.rng, out, 40);
	rng_fill(&c.rng, out + 40, 24);
	chain_fini(&c);
}

static void the_same_secret_gives_the_same_keys(void **state)
{
	uint8_t a[64], b[64];

	(void)state;
	draw(1, "teks", a);
	draw(1, "teks", b);
	assert_memory_equal(a, b, sizeof(a));
}

static void another_secret_or_label_gives_others(void **state)
{
	uint8_t a[64], b[64];

	(void)state;
	draw(1, "teks", a);
	draw(2, "teks", b);
	assert_memory_not_equal(a, b, 16);
	draw(1, "kek", b);
	assert_memory_not_equal(a, b, 16);
	assert_memory_not_equal(a, a + 32, 8); // no block comes twice
	assert_memory_not_equal(a, a + 40, 16);
}

static void the_next_secret_follows_and_a_mixed_one_does_not(void **state)
{
	struct secret s = secret_of(1), next[2] = { 0 }, mixed[2] = { 0 };
	struct rng rng;

	(void)state;
	chain_next(&s, &next[0]);
	chain_next(&s, &next[1]);
	assert_true(secret_eq(&next[0], &next[1]));
	assert_int_equal(next[0].len, CHAIN_SECRET_LEN);
	assert_false(secret_eq(&next[0], &s));
	rng_seed(&rng, 1);
	chain_mix(&s, &rng, &mixed[0]);
	chain_mix(&s, &rng, &mixed[1]);
	assert_false(secret_eq(&mixed[0], &mixed[1]));
	assert_false(secret_eq(&mixed[0], &next[0]));
}

// So that another implementation can be checked against this one.
static void it_is_hmac_sha256_over_label_and_number(void **state)
{
	static const uint8_t want[16] = { 0x76, 0x0c, 0x9f, 0xf0, 0x72, 0x30, 0x26, 0x41,
					  0x74, 0x2b, 0xa3, 0x22, 0x70, 0x99, 0xc4, 0x85 };
	uint8_t a[64];

	(void)state;
	draw(1, "teks", a);
	assert_memory_equal(a, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_secret_gives_the_same_keys),
		cmocka_unit_test(another_secret_or_label_gives_others),
		cmocka_unit_test(the_next_secret_follows_and_a_mixed_one_does_not),
		cmocka_unit_test(it_is_hmac_sha256_over_label_and_number),
	};

	if (crypto_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
