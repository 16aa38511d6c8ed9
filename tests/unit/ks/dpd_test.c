#include "tests/unit/ks/ks_world.h"

static void periodic(struct ks_conf *c)
{
	c->ike.dpd = (struct ike_dpd_conf){ 10, 2, false };
}

static void on_demand(struct ks_conf *c)
{
	c->ike.dpd = (struct ike_dpd_conf){ 10, 2, true };
}

static void members_are_asked_and_those_that_answer_keep_their_phase_1(void **state)
{
	struct world *w = world_new(periodic);

	(void)state;
	world_register(w, world_member(w, "192.0.2.1"));
	world_pass(w, 120000);
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(w->ks.n_kept, 1);
	assert_in_range(w->ks.dpd.asked, 9, 12);
	assert_int_equal(w->ks.dpd.heard, w->ks.dpd.asked);
	world_free(w);
}

static void a_dead_member_loses_its_phase_1_but_not_its_membership(void **state)
{
	struct world *w = world_new(periodic);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	m->silent = true;
	world_pass(w, 18000);
	assert_int_equal(w->ks.sas.n, 1);
	world_pass(w, 8000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.n_kept, 0);
	assert_int_equal(w->ks.dpd.dead, 1);
	assert_int_equal(w->events[EV_IKE_PEER_DEAD], 1);
	assert_int_equal(world_group(w)->members.n, 1);
	world_free(w);
}

static void on_demand_asks_after_a_rekey_only(void **state)
{
	struct world *w = world_new(on_demand);

	(void)state;
	world_register(w, world_member(w, "192.0.2.1"));
	world_pass(w, 300000);
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(w->ks.dpd.asked, 0);
	assert_true(world_rekey(w));
	world_settle(w);
	world_pass(w, 100000);
	assert_int_equal(w->ks.dpd.asked, 1);
	assert_int_equal(w->ks.dpd.heard, 1);
	world_free(w);
}

static void a_member_that_says_so_keeps_its_phase_1_for_two_hours_of_silence(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	w->gm_conf.features |= VID_CONCLAVE_KEEP;
	world_register(w, world_member(w, "192.0.2.1"));
	world_pass(w, 7190000);
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(w->ks.dpd.asked, 0);
	world_pass(w, 20000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.n_kept, 0);
	world_free(w);
}

static void kept_ones_leave_half_of_the_table_to_others(void **state)
{
	struct world *w = world_new(periodic);

	(void)state;
	w->ks.n_kept = w->ks.sas.capacity / 2;
	world_register(w, world_member(w, "192.0.2.1"));
	world_pass(w, 62000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(w->ks.n_kept, w->ks.sas.capacity / 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_asked_and_those_that_answer_keep_their_phase_1),
		cmocka_unit_test(a_dead_member_loses_its_phase_1_but_not_its_membership),
		cmocka_unit_test(on_demand_asks_after_a_rekey_only),
		cmocka_unit_test(a_member_that_says_so_keeps_its_phase_1_for_two_hours_of_silence),
		cmocka_unit_test(kept_ones_leave_half_of_the_table_to_others),
	};

	return cmocka_run_group_tests_name("ks/dpd", tests, NULL, NULL);
}
