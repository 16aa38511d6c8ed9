// Numbers that are given once: sequence numbers and sender ids.
#include "tests/unit/coop/set.h"
#include "tests/unit/unit.h"

#define RANGE (1u << 8) // of sender ids of 12 bits

static void epoch_begins(size_t at, uint32_t epoch)
{
	set_put(&set_world, at,
		&(struct coop_put){ .kind = COOP_K_CHAIN,
				    .ver = COOP_EPOCH_VER(epoch, 1),
				    .dies = MONO_NEVER });
	set_run(&set_world, 5000);
}

static uint32_t seq_of(size_t at, const struct coop_item *last, uint8_t body[COOP_SEQ_BODY])
{
	return coop_seq_next(&set_world.ks[at].c, set_world.now, last, body);
}

static void a_sequence_number_names_who_sends_and_is_above_the_last(void **state)
{
	struct coop_item last = { .ver = 1000, .len = COOP_SEQ_BODY };
	uint8_t body[COOP_SEQ_BODY], birth[COOP_SEQ_BODY];

	(void)state;
	set_start_all(&set_world);
	seq_of(0, NULL, birth);
	last.body = birth;
	for (size_t i = 0; i < set_world.n; i++) {
		uint32_t n = seq_of(i, &last, body);

		assert_int_equal(n % COOP_IDS, i);
		assert_in_range(n, 1001, 1000 + COOP_IDS);
		assert_memory_equal(body, birth, COOP_SEQ_BODY);
	}
}

// Two sides of a split do not hear each other's numbers; those of later rekeys are higher all the same.
static void sequence_numbers_of_two_sides_follow_the_time_they_share(void **state)
{
	struct coop_item here = { .len = COOP_SEQ_BODY }, there = { .len = COOP_SEQ_BODY };
	uint8_t birth[COOP_SEQ_BODY], body[COOP_SEQ_BODY];

	(void)state;
	set_start_all(&set_world);
	here.ver = there.ver = seq_of(2, NULL, birth);
	here.body = there.body = birth;
	set_cut(&set_world, 0, 2, true);
	set_cut(&set_world, 1, 2, true);
	for (int n = 0; n < 5; n++) {
		set_run(&set_world, 3000);
		here.ver = seq_of(2, &here, body);
		assert_true(here.ver > there.ver);
		set_run(&set_world, 3000);
		there.ver = seq_of(1, &there, body);
		assert_true(there.ver > here.ver);
	}
}

static void two_sides_that_make_the_same_kek_count_alike(void **state)
{
	uint8_t here[COOP_SEQ_BODY], there[COOP_SEQ_BODY];
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	first = seq_of(2, NULL, here);
	set_run(&set_world, 5000);
	assert_true(seq_of(1, NULL, there) > first);
	assert_memory_equal(here, there, COOP_SEQ_BODY);
}

static void who_starts_takes_the_time_of_those_who_run(void **state)
{
	struct coop_meta ahead = { .pseudotime = 5000000 };
	uint64_t was;

	(void)state;
	set_start_all(&set_world);
	set_kill(&set_world, 0);
	was = coop_pseudotime(&set_world.ks[1].c, set_world.now);
	set_start(&set_world, 0, &ahead, NULL); // its clock was set an hour ahead while it was down
	set_run(&set_world, 3000);
	for (size_t i = 0; i < set_world.n; i++)
		assert_in_range(coop_pseudotime(&set_world.ks[i].c, set_world.now), was,
				was + 4000);
}

static void whom_nobody_could_tell_what_it_did_leaps(void **state)
{
	uint8_t birth[COOP_SEQ_BODY], body[COOP_SEQ_BODY];
	struct coop_item last = { .ver = 1000, .len = COOP_SEQ_BODY, .body = birth };

	(void)state;
	set_start_all(&set_world);
	seq_of(0, NULL, birth);
	set_kill(&set_world, 0);
	set_kill(&set_world, 1);
	set_kill(&set_world, 2);
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 10000);
	assert_true(seq_of(0, &last, body) > 1000 + (1 << 24));
}

static void used_up_sequence_numbers_are_said_to_be(void **state)
{
	struct coop_item last = { .ver = UINT32_MAX - 1 };
	uint8_t body[COOP_SEQ_BODY];

	(void)state;
	set_start_all(&set_world);
	assert_int_equal(seq_of(0, &last, body), 0);
}

static void ranges_of_sender_ids_do_not_meet(void **state)
{
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	epoch_begins(2, 9);
	for (size_t i = 0; i < set_world.n; i++) {
		assert_true(coop_sid_take(&set_world.ks[i].c, 2, &first));
		assert_in_range(first, i * RANGE, (i + 1) * RANGE - 2);
	}
}

static void no_sender_id_is_taken_twice_within_an_epoch(void **state)
{
	uint32_t first, last = 0;
	size_t n = 0;

	(void)state;
	set_start_all(&set_world);
	epoch_begins(2, 9);
	for (int round = 0; round < 20; round++) {
		while (coop_sid_take(&set_world.ks[1].c, 1, &first) && first / RANGE == 1) {
			assert_true(n == 0 || first > last);
			last = first;
			n++;
		}
		set_run(&set_world, 2000);
	}
	assert_int_equal(n, RANGE / 2); // the other half is for epochs that follow this one
}

static void a_reservation_counts_only_when_a_peer_has_it_on_disk(void **state)
{
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	set_world.ks[0].disk_held = set_world.ks[2].disk_held = true;
	set_put(&set_world, 2,
		&(struct coop_put){
			.kind = COOP_K_CHAIN, .ver = COOP_EPOCH_VER(9, 1), .dies = MONO_NEVER });
	set_world.ks[2].disk_held = false;
	set_run(&set_world, 500);
	set_world.ks[2].disk_held = true;
	set_run(&set_world, 3000);
	assert_int_equal(coop_epoch(&set_world.ks[1].c), 9);
	assert_false(coop_sid_take(&set_world.ks[1].c, 1, &first));
	set_world.ks[0].disk_held = set_world.ks[2].disk_held = false;
	set_run(&set_world, 3000);
	assert_true(coop_sid_take(&set_world.ks[1].c, 1, &first));
}

// Its disk may be an old one: its own ids wait until all configured peers have told what they know.
static void after_a_start_ids_are_borrowed_until_all_have_told_what_they_know(void **state)
{
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	epoch_begins(2, 9);
	set_kill(&set_world, 1);
	set_kill(&set_world, 0);
	set_start(&set_world, 1, NULL, NULL);
	set_run(&set_world, 10000);
	assert_true(coop_sid_take(&set_world.ks[1].c, 1, &first));
	assert_int_equal(first / RANGE, 2);
	set_start(&set_world, 0, NULL, NULL);
	set_run(&set_world, 10000);
	while (coop_sid_take(&set_world.ks[1].c, 1, &first) && first / RANGE == 2) {
	}
	assert_int_equal(first / RANGE, 1);
}

static void an_answer_that_comes_twice_lends_once(void **state)
{
	struct coop_sids *ids;
	struct coop_frame give = { .type = COOP_SID_GIVE, .give = { .first = 0x2f0, .n = 2 } };
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	epoch_begins(2, 9);
	ids = &set_world.ks[1].c.sids;
	ids->next = ids->limit; // none of its own for now
	ids->serial = 4711;
	give.give.epoch = 9;
	give.give.boot = set_world.ks[1].c.boot;
	give.give.serial = 4711;
	set_tell(&set_world, 2, 1, &give);
	assert_true(coop_sid_take(&set_world.ks[1].c, 2, &first));
	assert_int_equal(first, 0x2f0);
	ids->next = ids->limit;
	set_tell(&set_world, 2, 1, &give);
	ids->next = ids->limit;
	assert_false(coop_sid_take(&set_world.ks[1].c, 1, &first));
}

static void ids_of_another_epoch_are_not_taken(void **state)
{
	uint32_t first;

	(void)state;
	set_start_all(&set_world);
	epoch_begins(2, 9);
	set_put(&set_world, 2,
		&(struct coop_put){
			.kind = COOP_K_CHAIN, .ver = COOP_EPOCH_VER(10, 1), .dies = MONO_NEVER });
	assert_false(coop_sid_take(&set_world.ks[1].c, 1, &first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_three, set_end)
		T(a_sequence_number_names_who_sends_and_is_above_the_last),
		T(sequence_numbers_of_two_sides_follow_the_time_they_share),
		T(two_sides_that_make_the_same_kek_count_alike),
		T(who_starts_takes_the_time_of_those_who_run),
		T(whom_nobody_could_tell_what_it_did_leaps),
		T(used_up_sequence_numbers_are_said_to_be),
		T(ranges_of_sender_ids_do_not_meet),
		T(no_sender_id_is_taken_twice_within_an_epoch),
		T(a_reservation_counts_only_when_a_peer_has_it_on_disk),
		T(after_a_start_ids_are_borrowed_until_all_have_told_what_they_know),
		T(an_answer_that_comes_twice_lends_once),
		T(ids_of_another_epoch_are_not_taken),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
