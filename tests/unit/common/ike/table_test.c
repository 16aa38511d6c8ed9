#include "tests/unit/unit.h"

#include "common/ike/phase1.h"
#include "common/ike/table.h"

static struct ike_sa *sa_of(uint64_t i, uint64_t r)
{
	struct ike_sa *sa = calloc(1, sizeof(*sa));

	assert_non_null(sa);
	memcpy(sa->cky_i, &i, 8);
	memcpy(sa->cky_r, &r, 8);
	return sa;
}

static struct ike_sa *find(const struct ike_table *t, uint64_t i, uint64_t r)
{
	return ike_table_find(t, (const uint8_t *)&i, (const uint8_t *)&r);
}

static void finds_what_was_put_and_nothing_else(void **state)
{
	struct ike_table t;
	struct ike_sa *sa = sa_of(1, 2), *again = sa_of(1, 2);

	(void)state;
	assert_int_equal(ike_table_init(&t, 4), 0);
	assert_int_equal(ike_table_put(&t, sa), 0);
	assert_ptr_equal(find(&t, 1, 2), sa);
	assert_null(find(&t, 2, 1));
	assert_int_equal(ike_table_put(&t, again), -EEXIST);
	free(again);
	ike_table_drop(&t, sa);
	assert_null(find(&t, 1, 2));
	assert_int_equal(t.n, 0);
	ike_table_fini(&t);
}

static void full_table_takes_no_more(void **state)
{
	struct ike_table t;
	struct ike_sa *extra = sa_of(99, 99);

	(void)state;
	assert_int_equal(ike_table_init(&t, 3), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(ike_table_put(&t, sa_of(i, 7)), 0);
	assert_int_equal(ike_table_put(&t, extra), -ENOSPC);
	free(extra);
	ike_table_fini(&t); // frees the three: the leak checker watches
}

// Random puts and drops beside a plain array, with colliding cookies on purpose.
static void agrees_with_a_plain_array(void **state)
{
	enum { N = 512 };
	struct ike_sa *have[N] = { NULL };
	struct ike_table t;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 3);
	assert_int_equal(ike_table_init(&t, 300), 0);
	for (int round = 0; round < 20000; round++) {
		uint64_t k = rng_range(&rng, 0, N - 1), i = k % 61, r = k / 61 * 1024;

		if (have[k]) {
			assert_ptr_equal(find(&t, i, r), have[k]);
			ike_table_drop(&t, have[k]);
			have[k] = NULL;
		} else if (t.n < 300) {
			have[k] = sa_of(i, r);
			assert_int_equal(ike_table_put(&t, have[k]), 0);
		}
		if (round % 500 == 0) {
			size_t at = 0, n = 0;

			for (k = 0; k < N; k++)
				assert_ptr_equal(find(&t, k % 61, k / 61 * 1024), have[k]);
			while (ike_table_next(&t, &at))
				n++;
			assert_int_equal(n, t.n);
		}
	}
	ike_table_fini(&t);
}

static void walk_that_drops_visits_everybody(void **state)
{
	struct ike_table t;
	struct ike_sa *sa;
	size_t at = 0, n = 0;

	(void)state;
	assert_int_equal(ike_table_init(&t, 64), 0);
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(ike_table_put(&t, sa_of(i % 8, i / 8 * 256)), 0);
	while ((sa = ike_table_next(&t, &at))) {
		n++;
		ike_table_drop(&t, sa);
		at--;
	}
	assert_int_equal(n, 64);
	assert_int_equal(t.n, 0);
	ike_table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put_and_nothing_else),
		cmocka_unit_test(full_table_takes_no_more),
		cmocka_unit_test(agrees_with_a_plain_array),
		cmocka_unit_test(walk_that_drops_visits_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
