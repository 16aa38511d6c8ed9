#include "tests/unit/ks/ks_world.h"

static void a_member_registers_and_holds_the_groups_keys(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	const struct keys *k = &world_group(w)->keys;

	(void)state;
	world_register(w, m);
	assert_int_equal(m->n_tek, 1);
	assert_int_equal(m->tek[0].spi, k->gen[0].tek[0].spi);
	assert_int_equal(m->tek[0].key_len, 20);
	assert_memory_equal(m->tek[0].key, k->gen[0].tek[0].alg_key.b, 20);
	assert_memory_equal(m->kek.b, k->kek.key.b, 32);
	assert_int_equal(m->seq, 0);
	assert_int_equal(m->sak.ack, GDOI_ACK_KEK_SHA256);
	assert_false(m->has_gap);
	assert_int_equal(m->sat[0].life_s, 3600);
	assert_int_equal(w->events[EV_KS_GM_REGISTERED], 1);
	assert_non_null(world_record(w, m));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_registers_and_holds_the_groups_keys),
	};

	return cmocka_run_group_tests_name("ks/pull", tests, NULL, NULL);
}
