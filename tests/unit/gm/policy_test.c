#include "tests/unit/unit.h"

#include "gm/policy.h"
#include "tests/unit/gm/gm_make.h"

static struct gm_teks t;
static struct gm_sids s;
static struct gm_grant g;
static struct gm_program *p;
static bool want_sid, accept_clear;
static enum gm_direction direction;

static int fresh(void **state)
{
	const uint32_t ids[] = { 7, 8 };

	(void)state;
	gm_teks_init(&t);
	gm_sids_set(&s, 24, ids, 2);
	memset(&g, 0, sizeof(g));
	p = gm_program_new(1);
	want_sid = accept_clear = false;
	direction = GM_DIR_BOTH;
	return 0;
}

static int done(void **state)
{
	(void)state;
	gm_program_free(p);
	return 0;
}

static void build_at(int64_t sec, uint64_t boot, const struct acl_conf *local)
{
	const struct dp_group head = { .name = "G1", .standing = DP_LIVE };
	const struct gm_policy_in in = { &t, &s, boot, local, direction, accept_clear };

	gm_program_free(p);
	p = gm_program_new(1);
	want_sid = false;
	gm_policy_group(p, &head);
	gm_policy_add(p, at_s(sec), &in, &want_sid);
}

static const struct dp_sa *sa_of(uint32_t spi)
{
	for (size_t i = 0; i < p->n_sas; i++) {
		if (p->sa[i].spi == spi)
			return &p->sa[i];
	}
	return NULL;
}

static void stage_policy(void)
{
	g.whole = true;
	grant_tek(&g, 0x110, 1000);
	grant_line(&g, false, mk_flow(1, 1), 0);
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	gm_teks_stage(&t, at_s(0), &g);
}

static void lines_keep_their_order_behind_the_local_ones(void **state)
{
	struct acl_conf_line deny = { .acl = { false, mk_flow(5, 5) }, .line = 77 };
	const struct acl_conf local = { .name = "L", .n = 1, .lines = &deny };

	(void)state;
	stage_policy();
	build_at(0, 0xb1, &local);
	assert_int_equal(p->n_rules, 3);
	assert_int_equal(p->rule[0].action, DP_CLEAR);
	assert_int_equal(p->rule[0].src_lo[1], 5);
	assert_int_equal(p->rule[1].action, DP_CLEAR);
	assert_int_equal(p->rule[1].src_lo[1], 1);
	assert_int_equal(p->rule[2].action, DP_PROTECT);
	assert_int_equal(p->rule[2].spi_out, 0x110);
	assert_int_equal(p->rule[0].origin, DP_FROM_LOCAL);
	assert_int_equal(p->rule[0].line, 77);
	assert_int_equal(p->rule[2].origin, DP_FROM_POLICY);
	assert_int_equal(p->rule[2].line, 2);
	assert_int_equal(p->rule[2].src_hi[2], 255);
	assert_int_equal(p->rule[2].dport_hi, 65535);
	assert_string_equal(p->part[0].head.name, "G1");
	assert_int_equal(p->part[0].n_rules, 3);
	assert_int_equal(p->part[0].n_sas, 1);
}

static void a_key_carries_its_life_and_sender_id(void **state)
{
	const struct dp_sa *sa;

	(void)state;
	stage_policy();
	build_at(100, 0xb1, NULL);
	sa = sa_of(0x110);
	assert_non_null(sa);
	assert_int_equal(sa->dir, DP_DIR_BOTH);
	assert_int_equal(sa->life_s, 900);
	assert_int_equal(sa->sid, 7);
	assert_int_equal(sa->sid_bits, 24);
	assert_int_equal(sa->key_len, 20);
	assert_memory_equal(sa->key, t.tek[0].key.b, 20);
}

static void during_rollover_both_keys_arrive_and_one_sends(void **state)
{
	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	build_at(0, 0xb1, NULL);
	grant_one(&g, 0x200, 3600);
	g.has_atd = true;
	g.atd_s = 30;
	gm_teks_stage(&t, at_s(100), &g);

	build_at(100, 0xb1, NULL);
	assert_int_equal(p->rule[0].spi_out, 0x100);
	assert_int_equal(p->rule[0].n_spi_in, 2);
	assert_int_equal(p->rule[0].spi_in[0], 0x100);
	assert_int_equal(p->rule[0].spi_in[1], 0x200);
	assert_int_equal(sa_of(0x200)->dir, DP_DIR_IN);

	build_at(130, 0xb1, NULL);
	assert_int_equal(p->rule[0].spi_out, 0x200);
	assert_int_equal(p->rule[0].n_spi_in, 2);
	// An outbound SA stays one, so that its counter cannot start again.
	assert_int_equal(sa_of(0x100)->dir, DP_DIR_BOTH);
	assert_int_equal(sa_of(0x200)->dir, DP_DIR_BOTH);
}

static void a_changed_line_still_takes_what_the_old_line_sent(void **state)
{
	struct flow all = mk_flow(1, 2);

	(void)state;
	grant_one(&g, 0x100, 1000);
	gm_teks_stage(&t, at_s(0), &g);
	all.src.hi = addr_from_v4(0x0affffff);
	memset(&g, 0, sizeof(g));
	g.whole = true;
	grant_tek(&g, 0x200, 3600);
	grant_line(&g, true, all, 0x200);
	gm_teks_stage(&t, at_s(100), &g);
	build_at(100, 0xb1, NULL);
	assert_int_equal(p->n_rules, 1);
	assert_int_equal(p->rule[0].spi_out, 0x200);
	assert_int_equal(p->rule[0].n_spi_in, 2);
	assert_int_equal(p->rule[0].spi_in[1], 0x100);
}

// Three generations of two lines that overlap: each line takes its own three first.
static void overlapping_lines_do_not_push_out_the_older_keys_of_a_line(void **state)
{
	struct flow all = mk_flow(0, 0);

	(void)state;
	all.src.hi = all.dst.hi = addr_from_v4(0x0affffff);
	for (uint32_t gen = 1; gen <= 3; gen++) {
		memset(&g, 0, sizeof(g));
		g.whole = true;
		grant_tek(&g, gen << 8 | 1, 1000);
		grant_tek(&g, gen << 8 | 2, 1000);
		grant_line(&g, true, mk_flow(1, 2), gen << 8 | 1);
		grant_line(&g, true, all, gen << 8 | 2);
		gm_teks_stage(&t, at_s(gen), &g);
	}
	build_at(3, 0xb1, NULL);
	for (size_t line = 0; line < 2; line++) {
		for (uint32_t gen = 3; gen >= 1; gen--)
			assert_int_equal(p->rule[line].spi_in[3 - gen], gen << 8 | (line + 1));
	}
}

static void lines_of_a_group_without_keys_drop(void **state)
{
	(void)state;
	stage_policy();
	gm_teks_age(&t, at_s(999), at_s(1000));
	build_at(1000, 0xb1, NULL);
	assert_int_equal(p->n_sas, 0);
	assert_int_equal(p->n_rules, 2);
	assert_int_equal(p->rule[1].action, DP_PROTECT);
	assert_int_equal(p->rule[1].spi_out, 0);
	assert_int_equal(p->rule[1].n_spi_in, 0);
}

static void another_boot_sends_with_the_spare_id(void **state)
{
	(void)state;
	stage_policy();
	build_at(0, 0xb1, NULL);
	assert_int_equal(sa_of(0x110)->sid, 7);
	build_at(1, 0xb2, NULL);
	assert_int_equal(sa_of(0x110)->sid, 8);
	assert_false(want_sid);
}

static void without_a_fresh_id_the_key_only_receives_and_the_line_drops(void **state)
{
	(void)state;
	stage_policy();
	build_at(0, 0xb1, NULL);
	build_at(1, 0xb2, NULL);
	build_at(2, 0xb3, NULL);
	assert_true(want_sid);
	assert_int_equal(sa_of(0x110)->dir, DP_DIR_IN);
	assert_int_equal(p->rule[1].spi_out, 0);
	assert_int_equal(p->rule[1].n_spi_in, 1);
}

static void a_window_of_packets_goes_with_the_key_and_one_of_time_does_not(void **state)
{
	static const struct {
		struct replay told;
		uint16_t window;
	} row[] = { { { REPLAY_COUNTER, 256 }, 256 },
		    { { REPLAY_TIME, 20 }, 0 },
		    { { REPLAY_NONE, 0 }, 0 } };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(row); i++) {
		stage_policy();
		t.tek[0].replay = row[i].told;
		build_at(0, 0xb1, NULL);
		assert_int_equal(sa_of(0x110)->window, row[i].window);
	}
}

static void cbc_keys_need_no_sender_id(void **state)
{
	struct gm_tek *k;

	(void)state;
	g.whole = true;
	k = grant_tek(&g, 0x110, 1000);
	k->suite = DP_SUITE_AES128_CBC_SHA256_128;
	k->counter_iv = false;
	grant_line(&g, true, mk_flow(1, 2), 0x110);
	gm_teks_stage(&t, at_s(0), &g);
	gm_sids_set(&s, 0, NULL, 0);
	build_at(0, 0xb1, NULL);
	assert_false(want_sid);
	assert_int_equal(p->rule[0].spi_out, 0x110);
	assert_int_equal(sa_of(0x110)->dir, DP_DIR_BOTH);
	assert_int_equal(sa_of(0x110)->sid_bits, 0);
}

static void exemptions_name_both_ends_and_the_port(void **state)
{
	const struct addr own = addr_from_v4(0xc0000201), ks = addr_from_v4(0x0a000001);

	(void)state;
	gm_policy_exempt(p, &own, &ks, 848);
	gm_policy_exempt(p, &own, &ks, 848); // of another group at the same key server
	assert_int_equal(p->n_exempts, 1);
	assert_int_equal(p->exempt[0].proto, 17);
	assert_int_equal(p->exempt[0].port, 848);
	assert_memory_equal(p->exempt[0].local, own.b, 16);
	assert_memory_equal(p->exempt[0].remote, ks.b, 16);
}

static void a_receive_only_member_sends_in_clear_and_takes_either(void **state)
{
	(void)state;
	stage_policy();
	direction = GM_DIR_INBOUND_ONLY;
	build_at(0, 0xb1, NULL);
	assert_true(p->rule[1].accept_clear);
	assert_true(p->rule[1].send_clear);
	assert_int_equal(p->rule[1].spi_out, 0);
	assert_int_equal(p->rule[1].n_spi_in, 1);
	assert_int_equal(sa_of(0x110)->dir, DP_DIR_IN);
	assert_false(p->rule[0].accept_clear); // a line in clear is no matter of direction
}

static void a_passive_member_sends_protected_and_takes_either(void **state)
{
	(void)state;
	stage_policy();
	direction = GM_DIR_INBOUND_OPTIONAL;
	build_at(0, 0xb1, NULL);
	assert_true(p->rule[1].accept_clear);
	assert_false(p->rule[1].send_clear);
	assert_int_equal(p->rule[1].spi_out, 0x110);
}

static void a_member_of_a_group_that_was_receive_only_still_takes_clear(void **state)
{
	(void)state;
	stage_policy();
	accept_clear = true;
	build_at(0, 0xb1, NULL);
	assert_true(p->rule[1].accept_clear);
	assert_false(p->rule[1].send_clear);
	assert_int_equal(p->rule[1].spi_out, 0x110);
}

static void what_stands_instead_is_the_members_own_lists(void **state)
{
	const struct dp_group head = { .name = "G1", .standing = DP_KEEP, .closed = 1 };
	struct acl_conf_line a = { .acl = { false, mk_flow(5, 5) }, .line = 3 };
	struct acl_conf_line b = { .acl = { false, mk_flow(6, 6) }, .line = 9 };
	const struct acl_conf local = { .name = "L", .n = 1, .lines = &a };
	const struct acl_conf except = { .name = "X", .n = 1, .lines = &b };

	(void)state;
	gm_policy_group(p, &head);
	gm_policy_instead(p, &local, &except);
	assert_int_equal(p->n_rules, 2);
	assert_int_equal(p->rule[0].origin, DP_FROM_LOCAL);
	assert_int_equal(p->rule[1].origin, DP_FROM_EXCEPTIONS);
	assert_int_equal(p->rule[1].line, 9);
	assert_int_equal(p->rule[1].action, DP_CLEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, fresh, done)
		T(lines_keep_their_order_behind_the_local_ones),
		T(a_key_carries_its_life_and_sender_id),
		T(during_rollover_both_keys_arrive_and_one_sends),
		T(a_changed_line_still_takes_what_the_old_line_sent),
		T(overlapping_lines_do_not_push_out_the_older_keys_of_a_line),
		T(lines_of_a_group_without_keys_drop),
		T(another_boot_sends_with_the_spare_id),
		T(without_a_fresh_id_the_key_only_receives_and_the_line_drops),
		T(a_window_of_packets_goes_with_the_key_and_one_of_time_does_not),
		T(cbc_keys_need_no_sender_id),
		T(exemptions_name_both_ends_and_the_port),
		T(a_receive_only_member_sends_in_clear_and_takes_either),
		T(a_passive_member_sends_protected_and_takes_either),
		T(a_member_of_a_group_that_was_receive_only_still_takes_clear),
		T(what_stands_instead_is_the_members_own_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
