#include "tests/unit/ks/ks_world.h"

#define GROUP_AT "239.192.1.1"

static void multicast(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	assert_int_equal(addr_parse(GROUP_AT, &k->group.addr), 0);
	k->group.port = 848;
	k->ttl = 16;
}

// 192.0.2.3 is where multicast does not reach.
static void mixed(struct ks_conf *c)
{
	struct ks_group_conf *g = &c->groups[0];

	multicast(c);
	g->unicast = calloc(1, sizeof(*g->unicast));
	g->n_unicast = 1;
	assert_int_equal(prefix_parse("192.0.2.3/32", g->unicast), 0);
}

static void told_address(const struct test_member *m, const char *want)
{
	char text[ADDR_STRLEN];
	struct endpoint at;

	assert_true(gdoi_id_to_endpoint(&m->sak.dst, &at));
	assert_string_equal(addr_str(&at.addr, text), want);
}

static void new_keys_at_all(struct world *w, uint32_t seq)
{
	uint32_t spi = world_group(w)->keys.gen[0].tek[0].spi;

	for (size_t i = 0; i < w->n_members; i++) {
		assert_int_equal(w->member[i]->n_push_bad, 0);
		assert_int_equal(w->member[i]->seq, seq);
		assert_int_equal(w->member[i]->tek[0].spi, spi);
	}
}

static void members_are_told_the_group_address_at_registration(void **state)
{
	struct world *w = world_crowd(multicast, 2);

	(void)state;
	told_address(w->member[0], GROUP_AT);
	told_address(w->member[1], GROUP_AT);
	world_free(w);
}

static void one_datagram_reaches_all_and_nobody_gets_his_own(void **state)
{
	struct world *w = world_crowd(multicast, 5);

	(void)state;
	w->n_to_members = 0;
	assert_true(world_rekey(w));
	assert_int_equal(w->n_to_group, 1);
	assert_int_equal(w->n_to_members, 0);
	new_keys_at_all(w, 1);
	assert_int_equal(world_record(w, w->member[4])->rekeys_sent, 1);
	assert_int_equal(world_record(w, w->member[4])->acks_received, 1);
	assert_int_equal(w->events[EV_KS_SEND_MCAST_REKEY], 1);
	assert_int_equal(w->events[EV_KS_SEND_UNICAST_REKEY], 0);
	world_free(w);
}

static void all_rounds_are_sent_although_all_have_acknowledged(void **state)
{
	struct world *w = world_crowd(multicast, 3);
	struct ks_push *p = &world_group(w)->push;

	(void)state;
	assert_true(world_rekey(w));
	assert_int_equal(p->n_acks, 3);
	assert_true(p->live);
	world_pass(w, 10000);
	assert_int_equal(w->n_to_group, 2);
	world_pass(w, 10000);
	assert_int_equal(w->n_to_group, 3);
	world_pass(w, 30000);
	assert_int_equal(w->n_to_group, 3);
	assert_false(p->live);
	assert_int_equal(w->member[0]->n_push, 1);
	assert_int_equal(w->member[0]->n_push_repeated, 2); // bit for bit
	world_free(w);
}

static void short_and_aged(struct ks_conf *c)
{
	multicast(c);
	c->groups[0].kek.ack = KEK_ACK_NONE;
	c->groups[0].kek.life_s = 4000;
	c->groups[0].policy->slot[0].life_s = 1000;
	c->groups[0].policy->life_s = 1000;
	c->groups[0].member_age_s = 4000;
}

// Whoever listens to the group address needs no record to follow.
static void members_that_have_aged_out_follow_the_group_address_nevertheless(void **state)
{
	struct world *w = world_crowd(short_and_aged, 2);

	(void)state;
	for (int i = 0; i < 2000; i++)
		world_pass(w, 10000);
	assert_int_equal(world_group(w)->members.n, 0);
	assert_int_equal(w->member[0]->tek[0].spi, world_group(w)->keys.gen[0].tek[0].spi);
	assert_int_equal(w->member[1]->tek[0].spi, world_group(w)->keys.gen[0].tek[0].spi);
	assert_int_equal(w->member[0]->n_push_bad, 0);
	world_register(w, w->member[0]);
	world_free(w);
}

static bool lose_first_to_group(struct world *w, struct world_dgram *d)
{
	return !(addr_is_multicast(&d->to.addr) && w->n_to_group == 0 &&
		 (*(int *)w->tap_arg)++ == 0);
}

static void a_lost_first_sending_is_made_up_for_by_the_second(void **state)
{
	struct world *w = world_crowd(multicast, 2);
	int lost = 0;

	(void)state;
	w->tap = lose_first_to_group;
	w->tap_arg = &lost;
	assert_true(world_rekey(w));
	assert_int_equal(w->member[0]->n_push, 0);
	world_pass(w, 10000);
	new_keys_at_all(w, 1);
	world_free(w);
}

static void a_member_out_of_reach_gets_its_own_under_the_same_seq(void **state)
{
	struct world *w = world_crowd(mixed, 3);

	(void)state;
	told_address(w->member[0], GROUP_AT);
	told_address(w->member[2], "192.0.2.3");
	w->n_to_members = 0;
	assert_true(world_rekey(w));
	assert_int_equal(w->n_to_group, 1);
	assert_int_equal(w->n_to_members, 1);
	new_keys_at_all(w, 1);
	world_free(w);
}

static void short_kek(struct ks_conf *c)
{
	mixed(c);
	c->groups[0].kek.life_s = 1000;
}

static void a_new_kek_tells_each_where_its_rekeys_come_from_now_on(void **state)
{
	struct world *w = world_crowd(short_kek, 3);
	uint8_t before[KEYS_KEK_SPI_LEN];

	(void)state;
	memcpy(before, world_group(w)->keys.kek.spi, sizeof(before));
	world_pass(w, 850000);
	assert_memory_not_equal(world_group(w)->keys.kek.spi, before, sizeof(before));
	told_address(w->member[0], GROUP_AT);
	told_address(w->member[2], "0.0.0.0"); // wherever it is
	assert_true(world_record(w, w->member[0])->by_group);
	assert_false(world_record(w, w->member[2])->by_group);
	world_pass(w, 50000);
	assert_true(world_rekey(w));
	new_keys_at_all(w, 1);
	world_free(w);
}

// A reload moves the group to unicast: the rekey that says so still goes where members listen.
static void a_change_of_transport_is_announced_where_members_listen(void **state)
{
	struct world *w = world_crowd(multicast, 3);
	struct ks_event ev = { .kind = KS_EV_CONFIG, .conf = world_conf(NULL) };

	(void)state;
	world_step(w, &ev);
	assert_int_equal(w->events[EV_POLICY_CHANGE], 1);
	assert_true(world_rekey(w));
	assert_int_equal(w->n_to_group, 1);
	for (size_t i = 0; i < 3; i++)
		told_address(w->member[i], "0.0.0.0");
	world_pass(w, 40000);
	w->n_to_group = w->n_to_members = 0;
	assert_true(world_rekey(w));
	assert_int_equal(w->n_to_group, 0);
	assert_int_equal(w->n_to_members, 3);
	new_keys_at_all(w, 1);
	world_free(w);
}

static void a_member_that_registers_meanwhile_gets_the_rekey_by_itself(void **state)
{
	struct world *w = world_crowd(multicast, 1);
	struct test_member *late = world_member(w, "192.0.2.9");

	(void)state;
	assert_true(world_rekey(w));
	world_register(w, late);
	assert_int_equal(late->tek[0].spi, world_group(w)->keys.gen[0].tek[0].spi);
	world_pass(w, 60000);
	assert_int_equal(late->n_push_bad, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test(f)
		T(members_are_told_the_group_address_at_registration),
		T(one_datagram_reaches_all_and_nobody_gets_his_own),
		T(all_rounds_are_sent_although_all_have_acknowledged),
		T(members_that_have_aged_out_follow_the_group_address_nevertheless),
		T(a_lost_first_sending_is_made_up_for_by_the_second),
		T(a_member_out_of_reach_gets_its_own_under_the_same_seq),
		T(a_new_kek_tells_each_where_its_rekeys_come_from_now_on),
		T(a_change_of_transport_is_announced_where_members_listen),
		T(a_member_that_registers_meanwhile_gets_the_rekey_by_itself),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
