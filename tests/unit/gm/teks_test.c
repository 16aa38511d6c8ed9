#include "tests/unit/unit.h"

#include "tests/unit/gm/gm_make.h"

static struct gm_teks t;
static struct gm_grant g;

static int fresh(void **state)
{
	(void)state;
	gm_teks_init(&t);
	memset(&g, 0, sizeof(g));
	return 0;
}

static uint32_t out_spi(int64_t s)
{
	const struct gm_tek *k = gm_teks_out(&t, at_s(s), 0);

	return k ? k->spi : 0;
}

static void delays(uint32_t atd_s, uint32_t dtd_s)
{
	g.has_atd = g.has_dtd = true;
	g.atd_s = atd_s;
	g.dtd_s = dtd_s;
}

static void age(int64_t s)
{
	gm_teks_age(&t, at_s(s - 1), at_s(s));
}

// Old key from 0 with life 1000, new key at 100 with ATD 30 and DTD 65.
static void roll(void)
{
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	grant_one(&g, 0x200, 3600);
	delays(30, 65);
	gm_teks_stage(&t, at_s(100), &g);
}

static void a_first_key_is_used_at_once_even_with_a_delay(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	delays(30, 65);
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(out_spi(0), 0x100);
	assert_int_equal(gm_teks_state(&t, at_s(0), 0x100), GM_TEK_CURRENT);
}

static void a_new_key_is_received_at_once_and_sent_under_after_atd(void **state)
{
	(void)state;
	roll();
	assert_non_null(gm_teks_find(&t, 0x200));
	assert_int_equal(out_spi(100), 0x100);
	assert_int_equal(gm_teks_state(&t, at_s(100), 0x200), GM_TEK_STAGED);
	assert_int_equal(out_spi(129), 0x100);
	assert_int_equal(out_spi(130), 0x200);
	assert_int_equal(gm_teks_state(&t, at_s(130), 0x200), GM_TEK_CURRENT);
	assert_int_equal(gm_teks_state(&t, at_s(130), 0x100), GM_TEK_DRAINING);
}

static void the_old_key_goes_at_dtd(void **state)
{
	(void)state;
	roll();
	age(164);
	assert_non_null(gm_teks_find(&t, 0x100));
	age(165);
	assert_null(gm_teks_find(&t, 0x100));
	assert_int_equal(t.n, 1);
	assert_int_equal(t.n_sets, 1);
}

static void the_old_key_goes_at_its_own_end_when_that_comes_before_dtd(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 120);
	gm_teks_stage(&t, at_s(0), &g);
	grant_one(&g, 0x200, 3600);
	delays(30, 65);
	gm_teks_stage(&t, at_s(100), &g);
	age(120);
	assert_null(gm_teks_find(&t, 0x100));
	// Nothing else is left to send under: the new one does not wait for its delay.
	assert_int_equal(out_spi(120), 0x200);
}

static void without_dtd_the_old_key_lives_to_its_own_end(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	grant_one(&g, 0x200, 3600);
	gm_teks_stage(&t, at_s(100), &g);
	assert_int_equal(out_spi(100), 0x200);
	age(999);
	assert_non_null(gm_teks_find(&t, 0x100));
	age(1000);
	assert_null(gm_teks_find(&t, 0x100));
}

static void a_delay_longer_than_dtd_leaves_no_gap(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	grant_one(&g, 0x200, 3600);
	delays(60, 20);
	gm_teks_stage(&t, at_s(100), &g);
	for (int64_t s = 100; s < 200; s++) {
		age(s);
		assert_int_not_equal(out_spi(s), 0);
	}
}

static void the_deadlines_are_atd_dtd_and_the_ends_of_keys(void **state)
{
	(void)state;
	roll();
	assert_int_equal(gm_teks_next(&t, at_s(100)).ms, 130000);
	assert_int_equal(gm_teks_next(&t, at_s(130)).ms, 165000);
	age(165);
	assert_int_equal(gm_teks_next(&t, at_s(165)).ms, 3700000);
}

static void ageing_tells_when_the_dataplane_has_to_change(void **state)
{
	(void)state;
	roll();
	assert_false(gm_teks_age(&t, at_s(100), at_s(129)));
	assert_true(gm_teks_age(&t, at_s(129), at_s(130)));
	assert_false(gm_teks_age(&t, at_s(130), at_s(164)));
	assert_true(gm_teks_age(&t, at_s(164), at_s(165)));
}

static void one_registration_can_bring_several_generations(void **state)
{
	(void)state;
	// Newest first, as our key server sends them: two lines, a bypass, then the older keys.
	g.whole = true;
	grant_tek(&g, 0x210, 3600);
	grant_tek(&g, 0x220, 3600);
	grant_tek(&g, 0x110, 100);
	grant_tek(&g, 0x120, 100);
	grant_line(&g, false, mk_flow(9, 9), 0);
	grant_line(&g, true, mk_flow(1, 2), 0x210);
	grant_line(&g, true, mk_flow(2, 1), 0x220);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	grant_line(&g, true, mk_flow(2, 1), 0x120);
	g.has_atd = true;
	g.atd_s = 20;
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(t.n_sets, 2);
	assert_int_equal(t.set[1].n, 3);
	assert_false(t.set[1].line[0].protect);
	assert_int_equal(gm_teks_out(&t, at_s(0), 1)->spi, 0x110);
	assert_int_equal(gm_teks_out(&t, at_s(0), 2)->spi, 0x120);
	assert_int_equal(gm_teks_out(&t, at_s(20), 1)->spi, 0x210);
	assert_int_equal(gm_teks_out(&t, at_s(20), 2)->spi, 0x220);
}

static void generations_may_come_line_by_line(void **state)
{
	(void)state;
	g.whole = true;
	grant_tek(&g, 0x210, 3600);
	grant_tek(&g, 0x110, 100);
	grant_tek(&g, 0x220, 3600);
	grant_tek(&g, 0x120, 100);
	grant_line(&g, true, mk_flow(1, 2), 0x210);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	grant_line(&g, true, mk_flow(2, 1), 0x220);
	grant_line(&g, true, mk_flow(2, 1), 0x120);
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(t.set[0].n, 2);
	assert_int_equal(gm_teks_out(&t, at_s(0), 0)->spi, 0x210);
	assert_int_equal(gm_teks_out(&t, at_s(0), 1)->spi, 0x220);
	assert_int_equal(gm_teks_state(&t, at_s(0), 0x120), GM_TEK_DRAINING);
}

static void a_selector_only_the_past_had_is_not_policy_any_more(void **state)
{
	(void)state;
	g.whole = true;
	grant_tek(&g, 0x210, 3600);
	grant_tek(&g, 0x110, 100);
	grant_tek(&g, 0x190, 100);
	grant_line(&g, true, mk_flow(1, 2), 0x210);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	grant_line(&g, true, mk_flow(7, 8), 0x190);
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(t.set[0].n, 1);
	assert_int_equal(t.set[1].n, 2);
	assert_non_null(gm_teks_find(&t, 0x190));
}

static void registering_again_for_the_same_keys_changes_no_timeline(void **state)
{
	(void)state;
	roll();
	grant_one(&g, 0x200, 3590);
	grant_tek(&g, 0x100, 890);
	grant_line(&g, true, mk_flow(1, 2), 0x100);
	g.has_atd = true;
	g.atd_s = 20;
	gm_teks_stage(&t, at_s(110), &g);
	assert_int_equal(t.n_sets, 2);
	assert_int_equal(t.n, 2);
	assert_int_equal(out_spi(110), 0x100);
	assert_int_equal(out_spi(130), 0x200);
}

static void keys_a_new_registration_does_not_name_keep_receiving(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	grant_one(&g, 0x900, 3600);
	gm_teks_stage(&t, at_s(10), &g);
	assert_int_equal(out_spi(10), 0x900);
	assert_int_equal(gm_teks_state(&t, at_s(10), 0x100), GM_TEK_DRAINING);
}

// The download was on its way while a rekey replaced what it names.
static void a_stale_download_comes_behind_the_rekey(void **state)
{
	(void)state;
	roll();
	grant_one(&g, 0x50, 900);
	g.stale = true;
	gm_teks_stage(&t, at_s(101), &g);
	assert_int_equal(out_spi(101), 0x100);
	assert_int_equal(out_spi(130), 0x200);
	assert_int_equal(gm_teks_state(&t, at_s(130), 0x50), GM_TEK_DRAINING);
	age(165);
	assert_null(gm_teks_find(&t, 0x50));
	assert_int_equal(out_spi(165), 0x200);
}

static void additions_replace_their_selector_and_leave_the_rest(void **state)
{
	(void)state;
	g.whole = true;
	grant_tek(&g, 0x110, 1000);
	grant_tek(&g, 0x120, 1000);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	grant_line(&g, true, mk_flow(2, 1), 0x120);
	gm_teks_stage(&t, at_s(0), &g);
	memset(&g, 0, sizeof(g));
	grant_tek(&g, 0x220, 1000);
	grant_line(&g, true, mk_flow(2, 1), 0x220);
	delays(0, 10);
	gm_teks_stage(&t, at_s(5), &g);
	assert_int_equal(gm_teks_out(&t, at_s(5), 0)->spi, 0x110);
	assert_int_equal(gm_teks_out(&t, at_s(5), 1)->spi, 0x220);
	age(15);
	assert_null(gm_teks_find(&t, 0x120));
	assert_non_null(gm_teks_find(&t, 0x110));
}

static void a_deleted_key_sends_no_more_and_receives_for_the_grace(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	assert_false(gm_teks_delete(&t, at_s(1), 0x999, 30));
	assert_true(gm_teks_delete(&t, at_s(1), 0x100, 30));
	assert_int_equal(out_spi(1), 0);
	age(30);
	assert_non_null(gm_teks_find(&t, 0x100));
	age(31);
	assert_null(gm_teks_find(&t, 0x100));
}

static void policy_outlives_its_keys(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 10);
	gm_teks_stage(&t, at_s(0), &g);
	age(10);
	assert_int_equal(t.n, 0);
	assert_non_null(gm_teks_active(&t, at_s(10)));
	assert_int_equal(gm_teks_active(&t, at_s(10))->n, 1);
	assert_int_equal(out_spi(10), 0);
}

static void a_spi_with_another_key_is_refused(void **state)
{
	const char *why = NULL;

	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	assert_true(gm_teks_judge(&t, &g, &why));
	g.tek[0].key.b[3] ^= 1;
	assert_false(gm_teks_judge(&t, &g, &why));
	assert_non_null(why);
}

static void more_keys_than_there_is_room_for_are_refused(void **state)
{
	const char *why = NULL;

	(void)state;
	g.whole = true;
	for (uint32_t i = 0; i < 200; i++) {
		grant_tek(&g, 0x1000 + i, 1000);
		grant_line(&g, true, mk_flow(i, 1), 0x1000 + i);
	}
	for (uint32_t round = 0; round < 2; round++) {
		assert_true(gm_teks_judge(&t, &g, &why));
		gm_teks_stage(&t, at_s(round), &g);
		for (size_t i = 0; i < g.n_teks; i++) {
			g.tek[i].spi += 0x10000;
			g.line[i].spi += 0x10000;
		}
	}
	assert_false(gm_teks_judge(&t, &g, &why));
	assert_string_equal(why, "too many keys");
}

static void a_receive_only_key_is_never_sent_under(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	g.tek[0].dir = DP_DIR_IN;
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(out_spi(0), 0);
}

static void receive_only(uint32_t spi)
{
	grant_one(&g, spi, 3600);
	g.inbound_is_receive_only = true;
	g.tek[0].dir = DP_DIR_IN;
}

static void
a_receive_only_group_sends_in_clear_until_the_delay_of_the_rekey_that_ends_it(void **state)
{
	(void)state;
	receive_only(0x100);
	gm_teks_stage(&t, at_s(0), &g);
	assert_true(gm_teks_active(&t, at_s(0))->receive_only);
	assert_int_equal(out_spi(0), 0x100); // for an operator that says passive
	grant_one(&g, 0x200, 3600);
	g.inbound_is_receive_only = true;
	delays(30, 65);
	gm_teks_stage(&t, at_s(100), &g);
	assert_true(gm_teks_active(&t, at_s(129))->receive_only);
	assert_false(gm_teks_active(&t, at_s(130))->receive_only);
	age(164); // others may be late: in clear is accepted
	assert_true(t.n_sets == 2 && t.set[1].receive_only);
	age(165);
	assert_int_equal(t.n_sets, 1);
}

static void a_group_becomes_receive_only_at_the_delay_of_its_rekey(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 3600);
	g.inbound_is_receive_only = true;
	gm_teks_stage(&t, at_s(0), &g);
	receive_only(0x200);
	delays(30, 65);
	gm_teks_stage(&t, at_s(100), &g);
	assert_true(t.set[0].receive_only);
	assert_false(gm_teks_active(&t, at_s(129))->receive_only);
	assert_int_equal(out_spi(129), 0x100);
	assert_true(gm_teks_active(&t, at_s(130))->receive_only);
}

static void of_several_generations_each_says_for_itself_whether_it_is_receive_only(void **state)
{
	(void)state;
	receive_only(0x100);
	g.tek[0].dir = DP_DIR_BOTH;
	grant_tek(&g, 0x200, 1000)->dir = DP_DIR_IN;
	grant_line(&g, true, mk_flow(1, 2), 0x200);
	grant_tek(&g, 0x300, 3600); // this line the older generation did not have
	grant_line(&g, true, mk_flow(2, 1), 0x300);
	delays(30, 65);
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(t.n_sets, 2);
	assert_false(t.set[0].receive_only);
	assert_true(t.set[1].receive_only);
}

static void the_end_is_that_of_the_first_line_to_run_out(void **state)
{
	(void)state;
	g.whole = true;
	grant_tek(&g, 0x110, 1000);
	grant_tek(&g, 0x120, 600);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	grant_line(&g, true, mk_flow(2, 1), 0x120);
	gm_teks_stage(&t, at_s(0), &g);
	assert_int_equal(gm_teks_end(&t).ms, 600000);
	assert_int_equal(gm_teks_life_s(&t), 600);
}

static void ended_keys_are_wiped(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 10);
	gm_teks_stage(&t, at_s(0), &g);
	age(10);
	for (size_t i = 0; i < sizeof(t.tek[0].key.b); i++)
		assert_int_equal(t.tek[0].key.b[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_first_key_is_used_at_once_even_with_a_delay, fresh),
		cmocka_unit_test_setup(a_new_key_is_received_at_once_and_sent_under_after_atd,
				       fresh),
		cmocka_unit_test_setup(the_old_key_goes_at_dtd, fresh),
		cmocka_unit_test_setup(the_old_key_goes_at_its_own_end_when_that_comes_before_dtd,
				       fresh),
		cmocka_unit_test_setup(without_dtd_the_old_key_lives_to_its_own_end, fresh),
		cmocka_unit_test_setup(a_delay_longer_than_dtd_leaves_no_gap, fresh),
		cmocka_unit_test_setup(the_deadlines_are_atd_dtd_and_the_ends_of_keys, fresh),
		cmocka_unit_test_setup(ageing_tells_when_the_dataplane_has_to_change, fresh),
		cmocka_unit_test_setup(one_registration_can_bring_several_generations, fresh),
		cmocka_unit_test_setup(generations_may_come_line_by_line, fresh),
		cmocka_unit_test_setup(a_selector_only_the_past_had_is_not_policy_any_more, fresh),
		cmocka_unit_test_setup(registering_again_for_the_same_keys_changes_no_timeline,
				       fresh),
		cmocka_unit_test_setup(keys_a_new_registration_does_not_name_keep_receiving, fresh),
		cmocka_unit_test_setup(a_stale_download_comes_behind_the_rekey, fresh),
		cmocka_unit_test_setup(additions_replace_their_selector_and_leave_the_rest, fresh),
		cmocka_unit_test_setup(a_deleted_key_sends_no_more_and_receives_for_the_grace,
				       fresh),
		cmocka_unit_test_setup(policy_outlives_its_keys, fresh),
		cmocka_unit_test_setup(a_spi_with_another_key_is_refused, fresh),
		cmocka_unit_test_setup(more_keys_than_there_is_room_for_are_refused, fresh),
		cmocka_unit_test_setup(a_receive_only_key_is_never_sent_under, fresh),
		cmocka_unit_test_setup(
			a_receive_only_group_sends_in_clear_until_the_delay_of_the_rekey_that_ends_it,
			fresh),
		cmocka_unit_test_setup(a_group_becomes_receive_only_at_the_delay_of_its_rekey,
				       fresh),
		cmocka_unit_test_setup(
			of_several_generations_each_says_for_itself_whether_it_is_receive_only,
			fresh),
		cmocka_unit_test_setup(the_end_is_that_of_the_first_line_to_run_out, fresh),
		cmocka_unit_test_setup(ended_keys_are_wiped, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
