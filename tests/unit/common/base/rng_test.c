#include "tests/unit/unit.h"

#include "common/base/err.h"
#include "common/base/rng.h"

static void same_seed_same_world(void **state)
{
	struct rng a, b, c;

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&c, 43);
	assert_true(rng_u64(&a) == rng_u64(&b));
	assert_true(rng_u64(&a) != rng_u64(&c));
}

static void ranges_reach_both_ends_and_no_further(void **state)
{
	struct rng r;
	int seen[3] = { 0 };

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 300; i++)
		seen[rng_range(&r, 5, 7) - 5]++;
	assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
	assert_true(rng_range(&r, 9, 9) == 9);
	(void)rng_range(&r, 0, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_seed_same_world),
		cmocka_unit_test(ranges_reach_both_ends_and_no_further),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
