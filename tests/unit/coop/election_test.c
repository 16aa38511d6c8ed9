// Who leads, and who does not.
#include "tests/unit/coop/set.h"
#include "tests/unit/unit.h"

static void the_higher_address_leads_among_equal_priorities(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_only_leads(2);
	assert_int_equal(set_world.ks[0].c.lead.id, 2);
	assert_int_equal(set_world.ks[1].c.lead.id, 2);
}

static void the_higher_priority_leads_whatever_its_address(void **state)
{
	(void)state;
	set_world.ks[0].conf.priority = 2;
	set_start_all(&set_world);
	set_only_leads(0);
}

static void a_term_names_who_leads_in_it(void **state)
{
	(void)state;
	set_start_all(&set_world);
	assert_int_equal(set_world.ks[2].c.term % COOP_IDS, 2);
	assert_int_equal(set_world.ks[0].c.max_term, set_world.ks[2].c.term);
}

static void a_dead_primary_is_followed_within_the_dead_time_and_a_hello(void **state)
{
	int64_t died;

	(void)state;
	set_start_all(&set_world);
	died = set_world.now.ms;
	set_kill(&set_world, 2);
	set_run(&set_world, 10000);
	set_only_leads(1);
	assert_in_range(set_world.ks[1].led_at - died, 2000, 4100);
}

static void a_primary_heard_over_a_third_one_is_not_replaced(void **state)
{
	uint64_t term;

	(void)state;
	set_start_all(&set_world);
	term = set_world.ks[2].c.term;
	set_cut(&set_world, 0, 2, true);
	set_run(&set_world, 20000);
	set_only_leads(2);
	assert_int_equal(set_world.ks[2].c.term, term);
	assert_int_equal(set_world.ks[0].c.lead.id, 2);
}

static void a_dead_primary_is_not_kept_alive_by_hearsay(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 2, true);
	set_run(&set_world, 5000);
	set_kill(&set_world, 2);
	set_run(&set_world, 8000);
	set_only_leads(1);
}

static void nobody_leads_before_its_term_is_durable(void **state)
{
	(void)state;
	set_world.ks[2].disk_held = true;
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 12000);
	assert_int_equal(set_world.ks[2].c.role, COOP_CLAIMING);
	assert_false(coop_may_mint(&set_world.ks[2].c));
	set_world.ks[2].disk_held = false;
	set_run(&set_world, 100);
	set_event(
		&set_world, 2,
		&(struct coop_event){ .kind = COOP_EV_DURABLE, .no = set_world.ks[2].c.write_no });
	assert_true(coop_may_mint(&set_world.ks[2].c));
}

// 2 is better than 1, and they do not hear each other: 0 has told 1 that it chooses it.
static void two_that_claim_cannot_both_have_one_vote(void **state)
{
	(void)state;
	set_start(&set_world, 0, NULL, NULL);
	set_start(&set_world, 1, NULL, NULL);
	set_run(&set_world, 3000);
	set_world.ks[1].disk_held = true;
	set_run(&set_world, 5000);
	assert_int_equal(set_world.ks[1].c.role, COOP_CLAIMING);
	set_cut(&set_world, 1, 2, true);
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 30000);
	assert_int_equal(set_world.ks[0].c.said_choice, COOP_NOBODY);
	assert_int_equal(set_world.ks[2].c.role, COOP_SECONDARY);
	set_world.ks[1].disk_held = false;
	set_run(&set_world, 2000);
	set_only_leads(1);
}

static void who_starts_chooses_nobody_before_its_last_life_is_forgotten(void **state)
{
	(void)state;
	set_world.ks[1].conf.split = COOP_MAJORITY; // it does not lead alone
	set_start(&set_world, 1, NULL, NULL);
	set_run(&set_world, 8000);
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 2500);
	assert_true(coop_peer_lives(&set_world.ks[0].c, 1));
	assert_int_equal(set_world.ks[0].c.said_choice, COOP_NOBODY);
	assert_int_equal(set_primaries(&set_world), 0);
	set_run(&set_world, 2000);
	set_only_leads(1);
}

static void a_claim_ends_when_it_may_not_lead_any_more(void **state)
{
	struct coop_conf conf = set_world.ks[2].conf;

	(void)state;
	set_world.ks[2].disk_held = true;
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 8000);
	assert_int_equal(set_world.ks[2].c.role, COOP_CLAIMING);
	conf.maintenance = true;
	set_event(&set_world, 2, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &conf });
	assert_int_equal(set_world.ks[2].c.role, COOP_SECONDARY);
}

static void while_it_claims_above_another_a_primary_makes_keys(void **state)
{
	struct coop_put put = { .kind = COOP_K_KEK, .dies = MONO_NEVER };

	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	set_kill(&set_world, 1);
	set_run(&set_world, 10000);
	set_start(&set_world, 1, NULL, NULL); // its first term leaps above that of 2
	set_run(&set_world, 10000);
	set_world.ks[2].disk_held = true;
	set_cut(&set_world, 0, 2, false);
	set_cut(&set_world, 1, 2, false);
	set_run(&set_world, 3000);
	assert_int_equal(set_world.ks[2].c.role,
			 set_leads(&set_world, 2) ? COOP_PRIMARY : COOP_CLAIMING);
	set_put(&set_world, 2, &put);
	assert_true(set_world.ks[2].put_count != 0);
}

static void after_a_split_the_better_of_two_primaries_leads_in_a_term_above_both(void **state)
{
	uint64_t a, b;

	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	set_run(&set_world, 10000);
	assert_true(set_leads(&set_world, 1) && set_leads(&set_world, 2));
	a = set_world.ks[1].c.term;
	b = set_world.ks[2].c.term;
	set_cut(&set_world, 0, 2, false);
	set_cut(&set_world, 1, 2, false);
	set_run(&set_world, 5000);
	set_only_leads(2);
	assert_true(set_world.ks[2].c.term > a && set_world.ks[2].c.term >= b);
	assert_int_equal(set_world.ks[1].c.lead.term, set_world.ks[2].c.term);
}

static void under_majority_a_primary_without_one_stops_before_another_begins(void **state)
{
	(void)state;
	for (size_t i = 0; i < set_world.n; i++)
		set_world.ks[i].conf.split = COOP_MAJORITY;
	set_start_all(&set_world);
	set_only_leads(2);
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	for (int n = 0; n < 100; n++) {
		set_run(&set_world, 100);
		assert_true(set_primaries(&set_world) <= 1);
	}
	set_only_leads(1);
	assert_int_equal(set_world.ks[2].logged[EV_COOP_NO_QUORUM], 1);
}

static void a_better_one_that_comes_back_does_not_preempt(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_kill(&set_world, 2);
	set_run(&set_world, 10000);
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 60000);
	set_only_leads(1);
}

static void who_differs_in_its_configuration_does_not_lead(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_kill(&set_world, 2);
	set_world.ks[2].conf.digest[0] = 1;
	set_world.ks[2].conf.priority = 9;
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 10000);
	assert_int_equal(set_world.ks[2].logged[EV_COOP_CONFIG_MISMATCH], 1);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_CONFIG_MISMATCH],
			 1); // and once at each peer
	assert_int_equal(set_world.ks[1].logged[EV_COOP_CONFIG_MISMATCH], 1);
	set_kill(&set_world, 1);
	set_run(&set_world, 10000);
	set_only_leads(0);
}

static void who_lacks_the_signing_key_does_not_lead_until_it_has_it(void **state)
{
	struct coop_event ev = { .kind = COOP_EV_ABLE, .able = false };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		set_start(&set_world, i, NULL, NULL);
	set_event(&set_world, 2, &ev);
	set_run(&set_world, 10000);
	set_only_leads(1);
	set_kill(&set_world, 0);
	set_kill(&set_world, 1);
	set_run(&set_world, 10000);
	assert_int_equal(set_primaries(&set_world), 0);
	ev.able = true;
	set_event(&set_world, 2, &ev);
	set_run(&set_world, 2000);
	set_only_leads(2);
}

static void a_term_out_of_reach_is_refused(void **state)
{
	struct coop_frame f = { .type = COOP_HELLO, .hello = { .id = 1 } };
	struct coop_peer *p;
	uint64_t before;

	(void)state;
	set_start_all(&set_world);
	p = &set_world.ks[0].c.peer[set_peer(0, 1)];
	before = set_world.ks[0].c.max_term;
	f.hello.boot = p->boot;
	f.hello.counter = p->counter + 1;
	f.hello.lead.id = COOP_NOBODY;
	f.hello.max_term = before + (UINT64_C(2) << 40);
	set_tell(&set_world, 1, 0, &f);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_TERM_REFUSED], 1);
	f.hello.lead = (struct coop_claim){ .term = f.hello.max_term | 1, .id = 1 };
	f.hello.max_term = before;
	f.hello.counter = p->counter + 1;
	set_tell(&set_world, 1, 0, &f);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_TERM_REFUSED], 2);
	assert_int_equal(set_world.ks[0].c.max_term, before);
	assert_int_equal(set_world.ks[0].c.lead.id, 2);
}

static void a_hello_that_is_replayed_counts_for_nothing(void **state)
{
	const struct coop_peer *p;
	uint64_t drops, boot, counter;

	(void)state;
	set_start_all(&set_world);
	p = &set_world.ks[0].c.peer[set_peer(0, 1)];
	boot = p->boot;
	counter = p->counter;
	set_kill(&set_world, 1);
	drops = p->drops;
	set_run(&set_world, 4000);
	set_tell(&set_world, 1, 0,
		 &(struct coop_frame){ .type = COOP_HELLO,
				       .hello = { .boot = boot,
						  .counter = counter,
						  .stamp = UINT64_MAX,
						  .echo = (uint64_t)set_world.now.ms,
						  .lead.id = COOP_NOBODY,
						  .id = 1 } });
	assert_false(coop_peer_lives(&set_world.ks[0].c, 1));
	assert_int_equal(p->drops, drops + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_three, set_end)
		T(the_higher_address_leads_among_equal_priorities),
		T(the_higher_priority_leads_whatever_its_address),
		T(a_term_names_who_leads_in_it),
		T(a_dead_primary_is_followed_within_the_dead_time_and_a_hello),
		T(a_primary_heard_over_a_third_one_is_not_replaced),
		T(a_dead_primary_is_not_kept_alive_by_hearsay),
		T(nobody_leads_before_its_term_is_durable),
		T(two_that_claim_cannot_both_have_one_vote),
		T(who_starts_chooses_nobody_before_its_last_life_is_forgotten),
		T(a_claim_ends_when_it_may_not_lead_any_more),
		T(while_it_claims_above_another_a_primary_makes_keys),
		T(after_a_split_the_better_of_two_primaries_leads_in_a_term_above_both),
		T(under_majority_a_primary_without_one_stops_before_another_begins),
		T(a_better_one_that_comes_back_does_not_preempt),
		T(who_differs_in_its_configuration_does_not_lead),
		T(who_lacks_the_signing_key_does_not_lead_until_it_has_it),
		T(a_term_out_of_reach_is_refused),
		T(a_hello_that_is_replayed_counts_for_nothing),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
