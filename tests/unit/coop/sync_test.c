// Who lacks what, who may speak, and when a put is safe.
#include "coop/coop_int.h"
#include "tests/unit/coop/set.h"
#include "tests/unit/unit.h"

static void member(size_t at, uint8_t key)
{
	set_put(&set_world, at,
		&(struct coop_put){
			.kind = COOP_K_MEMBER, .key = BYTES_OF(key), .dies = MONO_NEVER });
}

static bool knows(size_t at, uint8_t key)
{
	return set_item(&set_world, at, COOP_K_MEMBER, key) != NULL;
}

static void a_put_is_told_to_all_and_then_committed(void **state)
{
	(void)state;
	set_start_all(&set_world);
	member(0, 5);
	assert_true(knows(1, 5) && knows(2, 5));
	assert_int_equal(set_world.ks[0].committed, set_world.ks[0].put_count);
}

static void keys_are_put_by_the_primary_only(void **state)
{
	struct coop_put put = { .kind = COOP_K_KEK, .dies = MONO_NEVER };

	(void)state;
	set_start_all(&set_world);
	set_put(&set_world, 0, &put);
	assert_int_equal(set_world.ks[0].put_count, 0);
	assert_null(coop_store_find(&set_world.ks[0].c.store, COOP_K_KEK, BYTES(NULL, 0)));
	set_put(&set_world, 2, &put);
	assert_non_null(coop_store_find(&set_world.ks[0].c.store, COOP_K_KEK, BYTES(NULL, 0)));
}

static void nothing_is_told_before_it_is_durable(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.ks[0].disk_held = true;
	member(0, 5);
	set_run(&set_world, 3000);
	assert_false(knows(1, 5));
	assert_true(set_world.ks[0].committed < set_world.ks[0].put_count);
	set_world.ks[0].disk_held = false;
	set_run(&set_world, 200);
	assert_true(knows(1, 5));
}

static void a_put_is_not_committed_before_the_peers_disk_has_it(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.ks[1].disk_held = true;
	member(0, 5);
	set_run(&set_world, 1000);
	assert_true(knows(1, 5));
	assert_true(set_world.ks[0].committed < set_world.ks[0].put_count);
}

static void a_slow_peer_is_named_and_not_waited_for(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.mute[1][0] = true;
	member(0, 5);
	set_run(&set_world, 3000);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_PEER_SLOW], 1);
	assert_true(set_world.ks[0].committed >= set_world.ks[0].put_count);
}

static void what_the_stream_has_lost_is_told_again(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.mute[0][1] = set_world.mute[0][2] = true;
	member(0, 5);
	set_world.mute[0][1] = set_world.mute[0][2] = false;
	assert_false(knows(1, 5));
	set_run(&set_world, 5500);
	assert_true(knows(1, 5) && knows(2, 5));
}

static void who_is_not_reached_hears_it_over_a_third_one(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 1, true);
	member(0, 5);
	assert_false(knows(1, 5));
	set_run(&set_world, 4000);
	assert_true(knows(1, 5));
}

static void a_newcomer_is_told_everything_of_everybody(void **state)
{
	(void)state;
	set_start(&set_world, 0, NULL, NULL);
	set_start(&set_world, 1, NULL, NULL);
	set_run(&set_world, 10000);
	member(0, 5);
	member(1, 6);
	set_kill(&set_world, 0);
	set_start(&set_world, 2, NULL, NULL);
	set_run(&set_world, 1000);
	assert_true(knows(2, 5) && knows(2, 6));
}

static void both_sides_of_a_split_join(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	member(0, 5);
	member(2, 6);
	set_run(&set_world, 10000);
	set_cut(&set_world, 0, 2, false);
	set_cut(&set_world, 1, 2, false);
	set_run(&set_world, 1000);
	for (size_t i = 0; i < set_world.n; i++)
		assert_true(knows(i, 5) && knows(i, 6));
}

static void a_lost_disk_is_given_back_and_the_operator_is_told(void **state)
{
	(void)state;
	set_start_all(&set_world);
	member(0, 5);
	set_kill(&set_world, 0);
	set_world.now.ms += 1000;
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 6000);
	assert_true(knows(0, 5));
	assert_int_equal(set_world.ks[0].logged[EV_COOP_OLD_STATE], 1);
}

static void what_comes_before_its_turn_comes_again(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.mute[0][1] = true;
	member(0, 5);
	set_world.mute[0][1] = false;
	member(0, 6);
	assert_true(knows(1, 5) && knows(1, 6)); // it said what it lacked
}

static void what_is_lost_comes_again_although_more_is_told_all_the_time(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_world.mute[1][0] = true; // nor is it heard what 1 lacks
	set_world.mute[0][1] = true;
	member(0, 5);
	set_world.mute[0][1] = false;
	for (uint8_t n = 10; n < 19; n++) {
		member(0, n);
		set_run(&set_world, 500);
	}
	assert_true(knows(1, 5));
}

// As when a key server puts again what it takes to be lost elsewhere.
static void put_again(size_t at, uint8_t key)
{
	struct coop *c = &set_world.ks[at].c;

	coop_retag(c, coop_store_find(&c->store, COOP_K_MEMBER, BYTES_OF(key)),
		   &set_world.ks[at].out);
}

static void of_an_item_put_twice_all_hold_the_later_put(void **state)
{
	(void)state;
	set_start_all(&set_world);
	member(0, 5);
	put_again(1, 5);
	assert_int_equal(set_item(&set_world, 0, COOP_K_MEMBER, 5)->origin, 0);
	set_run(&set_world, 1500);
	for (size_t i = 0; i < set_world.n; i++)
		assert_int_equal(set_item(&set_world, i, COOP_K_MEMBER, 5)->origin, 1);
}

// 0 and 1 hold it under two tags, and each says of the other's that it has everything: 2 hears
// what 0 has put from 1, and what 1 has put from 0.
static void an_item_put_twice_is_left_out_by_nobody(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	member(0, 5);
	set_cut(&set_world, 0, 1, true);
	put_again(1, 5);
	set_world.mute[1][2] = true; // what is its own is lost at first
	set_cut(&set_world, 1, 2, false);
	set_run(&set_world, 1500);
	set_world.mute[1][2] = false;
	set_run(&set_world, 20000);
	assert_true(knows(2, 5));
	assert_int_equal(set_item(&set_world, 2, COOP_K_MEMBER, 5)->origin, 1);
	set_cut(&set_world, 0, 2, false);
	set_run(&set_world, 1500);
	assert_int_equal(set_item(&set_world, 0, COOP_K_MEMBER, 5)->origin, 1);
}

// 1 has heard more of it than 2, to whom the new life speaks first.
static void a_lost_life_comes_back_from_whoever_has_heard_most_of_it(void **state)
{
	(void)state;
	set_start_all(&set_world);
	set_cut(&set_world, 1, 2, true);
	set_cut(&set_world, 0, 2, true);
	member(0, 5);
	assert_true(knows(1, 5) && !knows(2, 5));
	set_kill(&set_world, 0);
	set_cut(&set_world, 0, 1, true);
	set_cut(&set_world, 0, 2, false);
	set_world.now.ms += 1000;
	set_start(&set_world, 0, NULL, NULL);
	member(0, 6);
	set_run(&set_world, 6000);
	assert_true(knows(2, 6) && !knows(0, 5));
	set_cut(&set_world, 0, 1, false);
	set_run(&set_world, 6000);
	for (size_t i = 0; i < set_world.n; i++)
		assert_true(knows(i, 5) && knows(i, 6));
}

static void counts_of_a_new_life_leap_over_those_of_a_lost_one(void **state)
{
	uint64_t top;

	(void)state;
	set_start_all(&set_world);
	member(0, 5);
	set_kill(&set_world, 0);
	set_world.ks[1].c.vector[0] += 10 << 20; // as if that life had gone on for long
	top = set_world.ks[1].c.vector[0];
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 6000);
	assert_true(set_world.ks[0].c.count > top + (1 << 20));
	member(0, 6);
	assert_true(knows(1, 6) && knows(2, 6));
}

static struct coop_frame open_of(uint8_t id, uint32_t addr)
{
	return (struct coop_frame){ .type = COOP_OPEN,
				    .open = { .ver_min = 1,
					      .ver_max = COOP_VERSION,
					      .id = id,
					      .priority = 1,
					      .boot = 77,
					      .addr = addr_from_v4(addr) } };
}

// The link comes back, and what comes over it first is lost.
static void a_new_life_is_not_taken_for_the_last_one(void **state)
{
	uint64_t was;

	(void)state;
	set_start_all(&set_world);
	was = set_world.ks[0].c.peer[set_peer(0, 1)].boot;
	set_kill(&set_world, 1);
	set_world.mute[1][0] = true;
	set_start(&set_world, 1, NULL, NULL);
	set_world.mute[1][0] = false;
	set_tell(&set_world, 1, 0, &(struct coop_frame){ .type = COOP_VECTOR });
	assert_false(set_world.ks[0].c.peer[set_peer(0, 1)].told);
	set_run(&set_world, 6000);
	assert_true(set_world.ks[0].c.peer[set_peer(0, 1)].boot != was);
	assert_true(coop_peer_lives(&set_world.ks[0].c, 1));
}

static void two_of_one_id_refuse_each_other(void **state)
{
	struct coop_frame f = open_of(0, 0x0a000002);

	(void)state;
	set_start(&set_world, 0, NULL, NULL);
	set_tell(&set_world, 1, 0, &f);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_ID_OVERLAP], 1);
	assert_false(set_world.ks[0].c.peer[0].opened);
}

static void without_a_common_version_the_answer_is_no(void **state)
{
	struct coop_frame f = open_of(1, 0x0a000002);

	(void)state;
	f.open.ver_min = f.open.ver_max = COOP_VERSION + 1;
	set_start(&set_world, 0, NULL, NULL);
	set_tell(&set_world, 1, 0, &f);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_VERSION_MISMATCH], 1);
	assert_false(set_world.ks[0].c.peer[0].opened);
}

static void who_names_another_address_is_refused(void **state)
{
	struct coop_frame f = open_of(1, 0x0a000063);

	(void)state;
	set_start(&set_world, 0, NULL, NULL);
	set_tell(&set_world, 1, 0, &f);
	assert_int_equal(set_world.ks[0].logged[EV_COOP_KS_UNAUTH], 1);
	assert_false(set_world.ks[0].c.peer[0].opened);
}

static void a_message_before_open_is_dropped(void **state)
{
	(void)state;
	set_start(&set_world, 0, NULL, NULL);
	set_tell(&set_world, 1, 0, &(struct coop_frame){ .type = COOP_VECTOR });
	assert_int_equal(set_world.ks[0].c.peer[0].drops, 1);
	assert_false(set_world.ks[0].c.peer[0].told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_three, set_end)
		T(a_put_is_told_to_all_and_then_committed),
		T(keys_are_put_by_the_primary_only),
		T(nothing_is_told_before_it_is_durable),
		T(a_put_is_not_committed_before_the_peers_disk_has_it),
		T(a_slow_peer_is_named_and_not_waited_for),
		T(what_the_stream_has_lost_is_told_again),
		T(who_is_not_reached_hears_it_over_a_third_one),
		T(a_newcomer_is_told_everything_of_everybody),
		T(both_sides_of_a_split_join),
		T(a_lost_disk_is_given_back_and_the_operator_is_told),
		T(what_comes_before_its_turn_comes_again),
		T(what_is_lost_comes_again_although_more_is_told_all_the_time),
		T(of_an_item_put_twice_all_hold_the_later_put),
		T(an_item_put_twice_is_left_out_by_nobody),
		T(a_lost_life_comes_back_from_whoever_has_heard_most_of_it),
		T(counts_of_a_new_life_leap_over_those_of_a_lost_one),
		T(a_new_life_is_not_taken_for_the_last_one),
		T(two_of_one_id_refuse_each_other),
		T(without_a_common_version_the_answer_is_no),
		T(who_names_another_address_is_refused),
		T(a_message_before_open_is_dropped),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
