// Key servers that serve one group together: the same keys at all, one that makes them.
#include "tests/unit/ks/ks_set.h"

static struct set *s;

static int setup(void **state)
{
	(void)state;
	s = set_new(2, NULL);
	set_pass(s, 10000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	set_free(s);
	return 0;
}

static void one_leads_and_the_other_has_its_keys(void **state)
{
	(void)state;
	assert_true(set_leads(s, 0));
	assert_false(set_leads(s, 1));
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(set_group(s, 0)->pseudo.epoch, set_group(s, 1)->pseudo.epoch);
}

static void members_get_the_same_keys_wherever_they_register(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	assert_true(set_has_newest(s, a, 0));
	assert_true(set_has_newest(s, b, 0));
	assert_int_not_equal(a->sid[0], b->sid[0]);
	assert_int_equal(set_group(s, 0)->members.n, 2);
	assert_int_equal(set_group(s, 1)->members.n, 2);
	assert_int_equal(members_find(&set_group(s, 0)->members, &b->self.addr)->home, 1);
}

static void a_rekey_of_the_primary_reaches_members_of_both(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, a, 1));
	assert_true(set_has_newest(s, b, 1));
	assert_int_equal(set_group(s, 0)->push.n_acks, 2);
	assert_int_equal(s->ks[1].n_pushes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_leads_and_the_other_has_its_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(members_get_the_same_keys_wherever_they_register,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_rekey_of_the_primary_reaches_members_of_both,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
