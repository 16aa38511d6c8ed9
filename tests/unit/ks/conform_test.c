// What RFC 6407 and RFC 8263 ask of a key server, where no other test is about just that; and what a
// member that plays false gets for it.
#include "tests/unit/ks/ks_world.h"

// ---- a look into what the key server sends ----

// The last PUSH it sent, opened with the KEK that a member held then.
static struct seen {
	const struct test_member *by;
	struct secret kek;
	uint8_t iv[16];
	unsigned n;
	struct isakmp_hdr hdr;
	struct gdoi_push push;
} seen;

static void open_push(struct bytes b)
{
	static uint8_t plain[8192];
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct rd_err err = { NULL };
	struct rd r = rd_of(b, &err);
	struct gdoi_push_form f;

	assert_true(isakmp_hdr_decode(&r, &seen.hdr));
	if (seen.hdr.exchange != GDOI_XCH_PUSH)
		return;
	assert_int_equal(cipher_decrypt(CIPHER_AES256_CBC, &seen.kek, seen.iv, b.p + ISAKMP_HDR_LEN,
					b.len - ISAKMP_HDR_LEN, plain),
			 0);
	assert_true(gdoi_push_open(&seen.hdr, BYTES(plain, b.len - ISAKMP_HDR_LEN), 16, &f, &err));
	assert_true(gdoi_push_decode(&o, &f, &seen.push, &err));
	seen.n++;
}

static void look(struct world *w)
{
	for (size_t i = 0; i < w->out.n_send; i++)
		open_push(w->out.send[i].datagram);
}

static void watch(struct world *w, const struct test_member *m)
{
	seen.by = m;
	seen.kek = m->kek;
	memcpy(seen.iv, m->kek_iv, sizeof(seen.iv));
	seen.n = 0;
	w->stepped = look;
}

static void a_registration_tells_the_last_sequence_number(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *a = world_member(w, "192.0.2.1"), *b = world_member(w, "192.0.2.2");

	(void)state;
	world_register(w, a);
	assert_true(world_rekey(w));
	world_pass(w, 40000);
	assert_true(world_rekey(w));
	world_register(w, b);
	assert_int_equal(b->seq, 2);
	world_free(w);
}

static void a_push_has_the_flag_e_alone_and_no_message_id(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	watch(w, m);
	assert_true(world_rekey(w));
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.hdr.flags, ISAKMP_FLAG_E);
	assert_int_equal(seen.hdr.msgid, 0);
	assert_memory_equal(seen.hdr.cky_i, m->kek_spi, 8);
	assert_memory_equal(seen.hdr.cky_r, m->kek_spi + 8, 8);
	assert_false(seen.push.kd.has_sid);
	assert_false(seen.push.kd.has_lkh && seen.push.kd.lkh.has_download);
	assert_false(seen.push.sa.gap.has_sid_request);
	world_free(w);
}

static void clear(struct world *w, bool at_once)
{
	world_step(w, &(struct ks_event){ .kind = KS_EV_CLEAR, .at_once = at_once });
	world_settle(w);
}

static void a_group_is_cleared_by_a_delete_of_teks_and_then_one_of_the_kek(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	watch(w, m);
	clear(w, true);
	assert_int_equal(seen.n, 1);
	assert_false(seen.push.has_sa);
	assert_int_equal(seen.push.n_del, 2);
	assert_int_equal(seen.push.del[0].proto, GDOI_PROTO_ESP);
	assert_int_equal(seen.push.del[1].proto, GDOI_PROTO_KEK);
	assert_int_equal(gdoi_delete_spi(&seen.push.del[0], 0).kind, GDOI_DELETE_ALL_TEK);
	assert_int_equal(gdoi_delete_spi(&seen.push.del[1], 0).kind, GDOI_DELETE_ALL_KEK);
	world_free(w);
}

static void an_acknowledgement_of_its_keks_own_delete_is_heard(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	m->ack = false;
	clear(w, true);
	world_pass(w, 5000);
	assert_int_equal(w->events[EV_KS_GM_DELETED], 0); // its answer may still come
	tm_send_ack(m, 1);
	world_settle(w);
	assert_int_equal(w->ks.drop[KS_DROP_ACK_UNKNOWN_KEK], 0);
	assert_int_equal(w->events[EV_KS_GM_DELETED], 1); // nobody left to wait for
	world_free(w);
}

// ---- attacks by a member ----

static struct policy *lan(void)
{
	static const char *const line = "permit 10.0.0.0/8 10.0.0.0/8";

	return world_policy(&line, 1, "esp-gcm 128", 3600);
}

// A second group "G2", 5678, for 198.51.100.0/24 alone.
static void two_groups(struct ks_conf *c)
{
	c->groups = reallocarray(c->groups, 2, sizeof(*c->groups));
	assert_non_null(c->groups);
	c->groups[1] = c->groups[0];
	snprintf(c->groups[1].name, sizeof(c->groups[1].name), "G2");
	c->groups[1].identity = 5678;
	c->groups[1].policy = lan();
	c->groups[1].authorized = calloc(1, sizeof(struct prefix));
	assert_int_equal(prefix_parse("198.51.100.0/24", c->groups[1].authorized), 0);
	c->groups[1].n_authorized = 1;
	c->n_groups = 2;
}

static void a_member_of_one_group_gets_nothing_of_another(void **state)
{
	struct world *w = world_new(two_groups);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct tm_tek held;

	(void)state;
	world_register(w, m);
	held = m->tek[0];
	m->group = 5678;
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	assert_int_equal(m->notify, ISAKMP_N_INVALID_ID_INFORMATION);
	assert_int_equal(m->tek[0].spi, held.spi);
	assert_int_equal(w->ks.group[1]->members.n, 0);
	assert_int_equal(w->ks.group[1]->sids.next, 0);
	m->group = 1234; // and its own still works
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REGISTERED);
	world_free(w);
}

static bool drop_all(struct world *w, struct world_dgram *d)
{
	return endpoint_eq(&d->to, &w->server) || d->b[18] != GDOI_XCH_PULL;
}

static void tree(struct ks_conf *c)
{
	c->groups[0].kek.lkh_degree = 2;
}

static void message_1_repeated_or_replayed_costs_no_leaf_and_no_sender_id(void **state)
{
	struct world *w = world_new(tree);
	struct test_member *m = world_member(w, "192.0.2.1");
	const struct ks_group *g = world_group(w);
	size_t leaves = lkh_n_members(&g->lkh);

	(void)state;
	w->tap = drop_all; // it never hears message 2
	tm_start(m, w->now);
	world_settle(w);
	for (int i = 0; i < 20; i++) {
		tm_pull(m, w->now);
		world_settle(w);
	}
	assert_int_equal(g->members.n, 0);
	assert_int_equal(g->sids.next, 0);
	assert_int_equal(lkh_n_members(&g->lkh), leaves);
	assert_true(w->ks.drop[KS_DROP_PULL_BUSY] > 0);
	world_free(w);
}

static void eight_bits(struct ks_conf *c)
{
	c->groups[0].sid_bits = 8;
}

static void the_257th_join_under_8_bits_finds_new_keys_and_number_0(void **state)
{
	struct world *w = world_new(eight_bits);
	struct test_member *m = world_member(w, "192.0.2.1");
	bool given[256] = { false };
	uint32_t spi;

	(void)state;
	world_register(w, m);
	spi = m->tek[0].spi;
	given[m->sid[0]] = true;
	for (int i = 1; i < 256; i++) {
		tm_pull(m, w->now);
		world_settle(w);
		assert_int_equal(m->tek[0].spi, spi);
		assert_false(given[m->sid[0]]);
		given[m->sid[0]] = true;
	}
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REGISTERED);
	assert_int_not_equal(m->tek[0].spi, spi);
	assert_int_equal(m->sid[0], 0);
	world_free(w);
}

static void acknowledgements_of_a_member_that_left_are_not_counted(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *gone = world_member(w, "192.0.2.1");
	struct test_member *here = world_member(w, "192.0.2.2");
	struct ks_group *g = world_group(w);

	(void)state;
	world_register(w, gone);
	world_register(w, here);
	gone->ack = here->ack = false;
	assert_true(world_rekey(w));
	ks_fanout_forget(&g->push, world_record(w, gone));
	members_del(&g->members, world_record(w, gone));
	for (int i = 0; i < 100; i++)
		tm_send_ack(gone, 1);
	world_settle(w);
	assert_int_equal(w->ks.drop[KS_DROP_ACK_NO_MEMBER], 100);
	assert_int_equal(g->push.n_acks, 0);
	assert_true(w->events[EV_IKE_BAD_MESSAGE] <= 1); // told once, counted each time
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_registration_tells_the_last_sequence_number),
		cmocka_unit_test(a_push_has_the_flag_e_alone_and_no_message_id),
		cmocka_unit_test(a_group_is_cleared_by_a_delete_of_teks_and_then_one_of_the_kek),
		cmocka_unit_test(an_acknowledgement_of_its_keks_own_delete_is_heard),
		cmocka_unit_test(a_member_of_one_group_gets_nothing_of_another),
		cmocka_unit_test(message_1_repeated_or_replayed_costs_no_leaf_and_no_sender_id),
		cmocka_unit_test(the_257th_join_under_8_bits_finds_new_keys_and_number_0),
		cmocka_unit_test(acknowledgements_of_a_member_that_left_are_not_counted),
	};

	return cmocka_run_group_tests_name("ks/conform", tests, NULL, NULL);
}
