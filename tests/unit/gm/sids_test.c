#include "tests/unit/unit.h"

#include "gm/sids.h"

static struct gm_sids s;
static uint32_t v;

static int two_ids(void **state)
{
	const uint32_t ids[] = { 7, 8 };

	(void)state;
	gm_sids_set(&s, 24, ids, 2);
	return 0;
}

static void the_same_boot_keeps_its_id(void **state)
{
	(void)state;
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_int_equal(v, 7);
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_int_equal(v, 7);
}

static void another_boot_gets_an_id_never_used(void **state)
{
	(void)state;
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_true(gm_sids_take(&s, 0xb2, &v));
	assert_int_equal(v, 8);
	// Back under the first boot id, as a sanity check: its own id, not a fresh one.
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_int_equal(v, 7);
}

static void a_third_boot_finds_none(void **state)
{
	(void)state;
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_true(gm_sids_take(&s, 0xb2, &v));
	assert_false(gm_sids_usable(&s, 0xb3));
	assert_false(gm_sids_take(&s, 0xb3, &v));
}

static void asking_marks_nothing(void **state)
{
	(void)state;
	assert_true(gm_sids_usable(&s, 0xb1));
	assert_true(gm_sids_take(&s, 0xb2, &v));
	assert_int_equal(v, 7);
}

static void a_spent_id_gives_way_to_the_spare(void **state)
{
	(void)state;
	assert_true(gm_sids_take(&s, 0xb1, &v));
	gm_sids_spend(&s, 0xb1);
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_int_equal(v, 8);
	gm_sids_spend(&s, 0xb1);
	assert_false(gm_sids_take(&s, 0xb1, &v));
}

static void a_registration_replaces_all_ids(void **state)
{
	const uint32_t more[] = { 20 };

	(void)state;
	assert_true(gm_sids_take(&s, 0xb1, &v));
	gm_sids_set(&s, 16, more, 1);
	assert_true(gm_sids_take(&s, 0xb1, &v));
	assert_int_equal(v, 20);
	assert_int_equal(s.bits, 16);
	assert_false(gm_sids_take(&s, 0xb2, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_same_boot_keeps_its_id, two_ids),
		cmocka_unit_test_setup(another_boot_gets_an_id_never_used, two_ids),
		cmocka_unit_test_setup(a_third_boot_finds_none, two_ids),
		cmocka_unit_test_setup(asking_marks_nothing, two_ids),
		cmocka_unit_test_setup(a_spent_id_gives_way_to_the_spare, two_ids),
		cmocka_unit_test_setup(a_registration_replaces_all_ids, two_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
