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

static void when_the_primary_dies_the_other_goes_on(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint32_t spi, seq;

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 60000);
	spi = set_group(s, 1)->keys.gen[0].tek[0].spi;
	seq = a->seq;
	set_kill(s, 0);
	set_pass(s, 4000);
	assert_true(set_leads(s, 1));
	assert_int_equal(set_group(s, 1)->keys.gen[0].tek[0].spi, spi); // nothing new was due
	assert_int_equal(a->seq, seq);
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(a->seq > seq && b->seq == a->seq);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
	assert_int_equal(set_group(s, 1)->push.n_acks, 2);
}

static void a_rekey_that_the_dead_one_began_is_carried_on(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint32_t spi;
	mono_t active;

	(void)state;
	set_register(s, a);
	set_register(s, b);
	s->deaf[1] = true;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 2000);
	assert_true(set_has_newest(s, a, 0));
	assert_false(set_has_newest(s, b, 0));
	spi = set_group(s, 0)->keys.gen[0].tek[0].spi;
	active = set_group(s, 0)->keys.gen[0].active;
	set_kill(s, 0);
	s->deaf[1] = false;
	set_pass(s, 5000);
	assert_true(set_leads(s, 1));
	assert_int_equal(set_group(s, 1)->keys.gen[0].tek[0].spi, spi);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
	assert_true(set_group(s, 1)->keys.gen[0].active.ms - active.ms < 100);
	assert_int_equal(b->gap.atd_s, mono_left_s(active, set_group(s, 1)->push.started));
}

static void a_new_kek_that_the_dead_one_began_to_send_comes_under_the_former(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint8_t spi[KEYS_KEK_SPI_LEN];

	(void)state;
	set_register(s, a);
	set_register(s, b);
	s->deaf[1] = true;
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY, .at_once = true });
	set_pass(s, 2000);
	memcpy(spi, set_group(s, 0)->keys.kek.spi, sizeof(spi));
	assert_memory_equal(a->kek_spi, spi, sizeof(spi));
	set_kill(s, 0);
	s->deaf[1] = false;
	set_pass(s, 5000);
	assert_memory_equal(set_group(s, 1)->keys.kek.spi, spi, sizeof(spi));
	assert_memory_equal(b->kek_spi, spi, sizeof(spi));
	assert_true(set_has_newest(s, b, 1));
}

// Two that do not hear each other and have to rekey: nobody notices when they meet again.
static void both_sides_of_a_split_make_the_same_keys(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);

	(void)state;
	set_register(s, a);
	set_register(s, b);
	set_cut(s, 0, 1, true);
	for (int life = 0; life < 3; life++) {
		set_pass(s, 3600 * 1000);
		assert_true(set_leads(s, 0) && set_leads(s, 1));
		assert_true(set_same_keys(s, 0, 1));
		assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 0));
	}
	set_cut(s, 0, 1, false);
	set_pass(s, 10000);
	assert_true(set_leads(s, 0) && !set_leads(s, 1));
	assert_true(set_same_keys(s, 0, 1));
	set_step(s, 0, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_true(set_has_newest(s, a, 1) && set_has_newest(s, b, 1));
}

static void a_secondary_makes_no_keys_and_sends_nothing(void **state)
{
	(void)state;
	set_register(s, set_member(s, "192.0.2.1", 1));
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 2 * 86400 * 1000);
	assert_int_equal(s->ks[1].n_pushes, 0);
	assert_true(s->ks[0].n_pushes > 40);
	assert_true(set_same_keys(s, 0, 1));
	assert_true(set_has_newest(s, s->member[0], 1));
}

static void who_is_excluded_at_one_is_refused_at_all(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0), *b = set_member(s, "192.0.2.2", 1);
	uint8_t spi[KEYS_KEK_SPI_LEN];

	(void)state;
	set_register(s, a);
	set_register(s, b);
	memcpy(spi, set_group(s, 0)->keys.kek.spi, sizeof(spi));
	set_step(
		s, 1,
		&(struct ks_event){ .kind = KS_EV_EXCLUDE, .group = "G1", .member = a->self.addr });
	set_pass(s, 1000);
	assert_null(members_find(&set_group(s, 0)->members, &a->self.addr));
	assert_memory_not_equal(set_group(s, 0)->keys.kek.spi, spi, sizeof(spi));
	assert_true(set_same_keys(s, 0, 1));
	assert_int_equal(b->n_del, 1); // register again
	tm_pull(a, s->now);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REFUSED);
	set_step(
		s, 0,
		&(struct ks_event){ .kind = KS_EV_READMIT, .group = "G1", .member = a->self.addr });
	set_pass(s, 60000);
	assert_int_equal(set_group(s, 1)->removal.n, 0);
	tm_pull(a, s->now);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REGISTERED);
	assert_true(set_has_newest(s, a, 1));
}

static void nothing_that_releases_keys_goes_before_the_peer_has_it(void **state)
{
	struct test_member *a = set_member(s, "192.0.2.1", 0);

	(void)state;
	set_disk(s, 1, true);
	tm_start(a, s->now);
	set_pass(s, 1000);
	assert_int_equal(a->state, TM_WAIT_4);
	set_disk(s, 1, false);
	set_pass(s, 100);
	assert_int_equal(a->state, TM_REGISTERED);
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
		cmocka_unit_test_setup_teardown(when_the_primary_dies_the_other_goes_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_rekey_that_the_dead_one_began_is_carried_on,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_new_kek_that_the_dead_one_began_to_send_comes_under_the_former, setup,
			teardown),
		cmocka_unit_test_setup_teardown(both_sides_of_a_split_make_the_same_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_secondary_makes_no_keys_and_sends_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_excluded_at_one_is_refused_at_all, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			nothing_that_releases_keys_goes_before_the_peer_has_it, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
