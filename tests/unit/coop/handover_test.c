// The role changes hands while both live.
#include "tests/unit/coop/set.h"
#include "tests/unit/unit.h"

static void clear_role(size_t i)
{
	set_event(&set_world, i, &(struct coop_event){ .kind = COOP_EV_ROLE });
}

static void by_the_operators_word_the_best_of_the_others_leads_at_once(void **state)
{
	uint64_t term;

	(void)state;
	set_start_all(&set_world);
	term = set_world.ks[2].c.term;
	clear_role(2);
	set_run(&set_world, 200);
	set_only_leads(1);
	assert_true(set_world.ks[1].c.term > term);
	set_run(&set_world, 20000);
	set_only_leads(1);
}

static void a_secondary_has_no_role_to_give_up(void **state)
{
	(void)state;
	set_start_all(&set_world);
	clear_role(1);
	set_run(&set_world, 5000);
	set_only_leads(2);
}

static void alone_a_primary_keeps_its_role_and_says_so(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_kill(&set_world, 0);
	set_kill(&set_world, 1);
	set_run(&set_world, 5000);
	clear_role(2);
	set_run(&set_world, 5000);
	set_only_leads(2);
	assert_int_equal(set_world.ks[2].logged[EV_COOP_NO_SUCCESSOR], 1);
}

static void maintenance_gives_the_role_away_and_takes_none(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.ks[2].conf.maintenance = true;
	set_event(&set_world, 2,
		  &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &set_world.ks[2].conf });
	set_run(&set_world, 1200);
	set_only_leads(1);
	set_kill(&set_world, 1);
	set_run(&set_world, 8000);
	set_only_leads(0);
	assert_false(coop_may_register(&set_world.ks[2].c));
}

static void a_higher_priority_preempts_after_the_hold_down_and_not_before(void **state)
{
	(void)state;
	set_world.ks[0].conf.priority = 5;
	set_world.ks[0].conf.preempt = true;
	set_start(&set_world, 1, NULL, NULL);
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 10000);
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 7500);
	set_only_leads(2);
	set_run(&set_world, 4000);
	set_only_leads(0);
}

static void an_equal_priority_does_not_preempt(void **state)
{
	(void)state;
	set_world.ks[2].conf.preempt = true;
	set_start(&set_world, 0, NULL, NULL);
	set_start(&set_world, 1, NULL, NULL);
	set_run(&set_world, 10000);
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 30000);
	set_only_leads(1);
}

static void who_does_not_hold_everything_is_not_made_successor(void **state)
{
	struct coop_put put = { .kind = COOP_K_GEN, .dies = MONO_NEVER };

	(void)state;
	set_start_all(&set_world);
	set_world.mute[2][1] = true;
	set_put(&set_world, 2, &put);
	clear_role(2);
	set_run(&set_world, 3000);
	set_only_leads(2);
	assert_false(set_world.ks[2].c.handover_sent);
	set_world.mute[2][1] = false;
	set_run(&set_world, 3000);
	set_only_leads(1);
	assert_non_null(coop_store_find(&set_world.ks[1].c.store, COOP_K_GEN, BYTES(NULL, 0)));
}

static void when_the_successor_does_not_claim_nothing_has_changed(void **state)
{
	uint64_t term;

	(void)state;
	set_start_all(&set_world);
	term = set_world.ks[2].c.term;
	set_world.ks[1].disk_held = true;
	clear_role(2);
	set_run(&set_world, 10000);
	set_only_leads(2);
	assert_int_equal(set_world.ks[2].c.term, term);
	assert_int_equal(set_world.ks[2].c.handover_to, COOP_NOBODY);
}

static void a_handover_of_another_term_is_nothing(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_tell(&set_world, 2, 1,
		 &(struct coop_frame){ .type = COOP_HANDOVER,
				       .handover = { set_world.ks[2].c.term - COOP_IDS, 1 } });
	set_tell(&set_world, 0, 1,
		 &(struct coop_frame){ .type = COOP_HANDOVER,
				       .handover = { set_world.ks[2].c.term, 1 } });
	assert_int_equal(set_world.ks[1].c.role, COOP_SECONDARY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_three, set_end)
		T(by_the_operators_word_the_best_of_the_others_leads_at_once),
		T(a_secondary_has_no_role_to_give_up),
		T(alone_a_primary_keeps_its_role_and_says_so),
		T(maintenance_gives_the_role_away_and_takes_none),
		T(a_higher_priority_preempts_after_the_hold_down_and_not_before),
		T(an_equal_priority_does_not_preempt),
		T(who_does_not_hold_everything_is_not_made_successor),
		T(when_the_successor_does_not_claim_nothing_has_changed),
		T(a_handover_of_another_term_is_nothing),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
