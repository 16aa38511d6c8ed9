#include "tests/unit/ks/ks_world.h"

#include "common/ike/info.h"

// The datagrams of one direction, kept in order for a test to play with.
struct tape {
	bool to_server;
	size_t n;
	struct world_dgram d[64];
};

static bool record(struct world *w, struct world_dgram *d)
{
	struct tape *t = w->tap_arg;

	if (endpoint_eq(&d->to, &w->server) == t->to_server && t->n < N_ELEMS(t->d)) {
		t->d[t->n] = *d;
		t->d[t->n].b = malloc(d->len);
		memcpy(t->d[t->n++].b, d->b, d->len);
	}
	return true;
}

static void tape_free(struct tape *t)
{
	while (t->n > 0)
		free(t->d[--t->n].b);
}

static uint8_t exchange_of(const struct world_dgram *d)
{
	return d->b[18];
}

// The n-th PULL datagram on a tape.
static const struct world_dgram *tape_pull(const struct tape *t, size_t n)
{
	for (size_t i = 0; i < t->n; i++) {
		if (exchange_of(&t->d[i]) == GDOI_XCH_PULL && n-- == 0)
			return &t->d[i];
	}
	fail_msg("no such PULL message on the tape");
	return NULL;
}

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
	assert_false(m->gap.has_atd);
	assert_int_equal(m->sat[0].life_s, 3600);
	assert_int_equal(w->events[EV_KS_GM_REGISTERED], 1);
	assert_non_null(world_record(w, m));
	world_free(w);
}

static void lifetimes_sent_are_what_remains(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_pass(w, 1000 * 1000);
	world_register(w, m);
	assert_int_equal(m->sat[0].life_s, 2600);
	assert_int_equal(m->sak.life_s, 85400);
	world_free(w);
}

static void an_unknown_group_is_refused_with_a_notify_and_an_event(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	m->group = 4321;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	assert_int_equal(m->notify, ISAKMP_N_INVALID_ID_INFORMATION);
	assert_int_equal(w->events[EV_UNKNOWN_GROUP], 1);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_UNKNOWN_GROUP], 1);
	assert_int_equal(world_group(w)->members.n, 0);
	world_free(w);
}

static void only_test_net_1(struct ks_conf *c)
{
	c->groups[0].authorized = calloc(1, sizeof(struct prefix));
	assert_int_equal(prefix_parse("192.0.2.0/24", c->groups[0].authorized), 0);
	c->groups[0].n_authorized = 1;
}

static void a_member_without_authorization_is_refused(void **state)
{
	struct world *w = world_new(only_test_net_1);
	struct test_member *in = world_member(w, "192.0.2.1");
	struct test_member *out = world_member(w, "198.51.100.1");

	(void)state;
	world_register(w, in);
	tm_start(out, w->now);
	world_settle(w);
	assert_int_equal(out->state, TM_REFUSED);
	assert_int_equal(out->notify, ISAKMP_N_INVALID_ID_INFORMATION);
	assert_int_equal(w->events[EV_UNAUTHORIZED_IPADDR], 1);
	assert_int_equal(world_group(w)->members.n, 1);
	assert_int_equal(out->n_sat, 0);
	world_free(w);
}

static void an_identity_that_is_another_address_is_refused(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.66");
	struct addr other;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &other), 0);
	m->own_id = isakmp_id_of_addr(&other);
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	assert_int_equal(w->events[EV_UNAUTHORIZED_IDENTITY], 1);
	world_free(w);
}

static void a_wrong_pre_shared_key_never_gets_as_far_as_a_pull(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	assert_int_equal(secret_set(&w->psk, "of nobody", 9), 0);
	tm_start(m, w->now);
	world_settle(w);
	world_pass(w, 60000);
	assert_int_not_equal(m->state, TM_REGISTERED);
	assert_int_equal(w->ks.n_phase1, 0);
	assert_int_equal(w->ks.sas.n, 0);
	assert_true(w->ks.ike_refused[IKE_R_AUTH_FAILED] + w->ks.ike_refused[IKE_R_MALFORMED] > 0);
	world_free(w);
}

static void no_record_and_no_sender_id_before_message_3(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct tape t = { .to_server = true };

	(void)state;
	w->tap = record;
	w->tap_arg = &t;
	tm_start(m, w->now);
	while (m->state != TM_WAIT_4) { // message 3 is on its way
		struct world_dgram d = w->queue[w->head];

		w->head = (w->head + 1) % WORLD_QUEUE;
		if (endpoint_eq(&d.to, &w->server))
			world_inject(w, &d.from, BYTES(d.b, d.len));
		else
			tm_in(m, w->now, BYTES(d.b, d.len));
		free(d.b);
	}
	assert_int_equal(world_group(w)->members.n, 0);
	assert_int_equal(world_group(w)->sids.next, 0);
	world_settle(w);
	assert_int_equal(world_group(w)->members.n, 1);
	assert_int_equal(world_group(w)->sids.next, 1);
	tape_free(&t);
	world_free(w);
}

static void a_repeated_message_gets_the_stored_reply_octet_for_octet(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct tape in = { .to_server = true }, replies = { .to_server = false };
	const struct world_dgram *msg3, *msg4;

	(void)state;
	w->tap = record;
	w->tap_arg = &in;
	world_register(w, m);
	msg3 = tape_pull(&in, 1);
	w->tap_arg = &replies;
	world_inject(w, &m->self, BYTES(msg3->b, msg3->len));
	world_inject(w, &m->self, BYTES(msg3->b, msg3->len));
	assert_int_equal(replies.n, 2);
	msg4 = tape_pull(&replies, 0);
	assert_int_equal(msg4->len, replies.d[1].len);
	assert_memory_equal(msg4->b, replies.d[1].b, msg4->len);
	assert_int_equal(w->ks.n_pulls, 1);
	assert_int_equal(world_group(w)->sids.next, 1);
	tape_free(&in);
	tape_free(&replies);
	world_free(w);
}

static void a_replayed_message_1_changes_nothing(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct tape t = { .to_server = true };
	const struct world_dgram *msg1;
	struct member *before;

	(void)state;
	w->tap = record;
	w->tap_arg = &t;
	world_register(w, m);
	before = world_record(w, m);
	msg1 = tape_pull(&t, 0);
	for (int i = 0; i < 5; i++)
		world_inject(w, &m->self, BYTES(msg1->b, msg1->len));
	assert_int_equal(w->ks.drop[KS_DROP_PULL_REPLAY], 5);
	assert_ptr_equal(world_record(w, m), before);
	assert_int_equal(world_group(w)->sids.next, 1);
	tape_free(&t);
	world_free(w);
}

static bool lose_message_3(struct world *w, struct world_dgram *d)
{
	size_t *n = w->tap_arg;

	return !(endpoint_eq(&d->to, &w->server) && exchange_of(d) == GDOI_XCH_PULL && ++*n == 2);
}

static void a_wrong_hash_3_changes_nothing_and_the_right_one_still_works(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint8_t bad[512];
	size_t n = 0;

	(void)state;
	w->tap = lose_message_3;
	w->tap_arg = &n;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_WAIT_4);
	w->tap = NULL;
	world_inject(w, &m->self, BYTES(m->resend.msg, m->resend.len - 16)); // cut
	memcpy(bad, m->resend.msg, m->resend.len);
	bad[m->resend.len - 1] ^= 1;
	world_inject(w, &m->self, BYTES(bad, m->resend.len));
	assert_int_equal(w->ks.drop[KS_DROP_SHORT], 1);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_BAD_HASH] + w->ks.drop[KS_DROP_PULL_MALFORMED], 1);
	assert_int_equal(world_group(w)->members.n, 0);
	assert_int_equal(world_group(w)->sids.next, 0);
	world_pass(w, 1500); // the member repeats the true one
	assert_int_equal(m->state, TM_REGISTERED);
	world_free(w);
}

static void truncated_and_flipped_messages_are_counted_and_do_no_harm(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct tape t = { .to_server = true };
	uint64_t all = 0;

	(void)state;
	w->tap = record;
	w->tap_arg = &t;
	world_register(w, m);
	w->tap = NULL;
	for (size_t i = 0; i < t.n; i++) {
		for (size_t cut = 0; cut < t.d[i].len; cut += 7)
			world_inject(w, &m->self, BYTES(t.d[i].b, cut));
		for (size_t at = 0; at < t.d[i].len; at += 5) {
			t.d[i].b[at] ^= 0x40;
			world_inject(w, &m->self, BYTES(t.d[i].b, t.d[i].len));
			t.d[i].b[at] ^= 0x40;
		}
	}
	for (size_t i = 0; i < KS_DROP_COUNT; i++)
		all += w->ks.drop[i];
	for (size_t i = 1; i < IKE_R_COUNT; i++)
		all += w->ks.ike_refused[i];
	assert_true(all > 100);
	assert_int_equal(world_group(w)->members.n, 1);
	assert_int_equal(world_group(w)->sids.next, 1);
	world_settle(w);
	world_register(w, world_member(w, "192.0.2.2")); // it still serves
	tape_free(&t);
	world_free(w);
}

static void a_pull_from_another_address_than_its_phase_1_is_dropped(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct test_member *thief = world_member(w, "192.0.2.2");
	struct tape t = { .to_server = true };

	(void)state;
	w->tap = record;
	w->tap_arg = &t;
	world_register(w, m);
	world_inject(w, &thief->self, BYTES(tape_pull(&t, 1)->b, tape_pull(&t, 1)->len));
	assert_int_equal(w->ks.drop[KS_DROP_PULL_SOURCE], 1);
	tape_free(&t);
	world_free(w);
}

static void registering_again_replaces_the_record_and_gives_new_sender_ids(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	assert_int_equal(m->sid[0], 0);
	world_register(w, m);
	assert_int_equal(m->sid[0], 1);
	assert_int_equal(world_group(w)->members.n, 1);
	assert_int_equal(world_record(w, m)->registrations, 2);
	tm_pull(m, w->now); // again under the same phase 1
	world_settle(w);
	assert_int_equal(m->state, TM_REGISTERED);
	assert_int_equal(m->sid[0], 2);
	world_free(w);
}

static void as_many_sender_ids_as_asked_for_are_given_up_to_a_limit(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	m->sid_request = 3;
	world_register(w, m);
	assert_int_equal(m->n_sid, 3);
	assert_int_equal(m->sid[2], 2);
	assert_int_equal(m->sid_bits, 24);
	m->sid_request = 60000;
	world_register(w, m);
	assert_int_equal(m->n_sid, KS_SIDS_MAX);
	world_free(w);
}

static void at_most_four_in_a_row(struct ks_conf *c)
{
	c->groups[0].reg_limit = (struct member_limit){ .burst = 4, .interval_s = 30 };
	c->groups[0].sid_bits = 8;
}

static void try_to_register(struct world *w, struct test_member *m)
{
	m->notify = 0;
	tm_start(m, w->now);
	world_settle(w);
}

static void a_member_that_registers_too_often_waits_and_others_do_not(void **state)
{
	struct world *w = world_new(at_most_four_in_a_row);
	struct test_member *bad = world_member(w, "192.0.2.66");
	struct test_member *good = world_member(w, "192.0.2.1");

	(void)state;
	for (int i = 0; i < 4; i++) // a box that is being put into service may do so
		world_register(w, bad);
	try_to_register(w, bad);
	assert_int_equal(bad->state, TM_REFUSED);
	assert_int_equal(bad->notify, ISAKMP_N_INVALID_KEY_INFORMATION);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_TOO_OFTEN], 1);
	assert_int_equal(w->events[EV_KS_GM_TOO_OFTEN], 1);
	assert_non_null(strstr(w->last_event[EV_KS_GM_TOO_OFTEN], "pull-too-often (G1)"));
	assert_non_null(world_record(w, bad)); // it is a member as before
	world_register(w, good);
	world_pass(w, 29000);
	try_to_register(w, bad);
	assert_int_equal(bad->state, TM_REFUSED);
	world_pass(w, 1000); // what was refused has cost nothing
	world_register(w, bad);
	try_to_register(w, bad);
	assert_int_equal(bad->state, TM_REFUSED);
	world_pass(w, 4 * 30000);
	for (int i = 0; i < 4; i++)
		world_register(w, bad);
	world_free(w);
}

// The attack: 16 ids each time, and of 8 bits there are 256.
static void one_member_does_not_use_up_the_sender_ids_of_all(void **state)
{
	struct world *w = world_new(at_most_four_in_a_row);
	struct test_member *bad = world_member(w, "192.0.2.66");
	struct test_member *good = world_member(w, "192.0.2.1");

	(void)state;
	bad->sid_request = KS_SIDS_MAX;
	for (int i = 0; i < 100; i++)
		try_to_register(w, bad);
	assert_int_equal(world_group(w)->sids.next, 4 * KS_SIDS_MAX);
	assert_int_equal(w->events[EV_KS_SID_EXHAUSTED], 0);
	world_register(w, good);
	world_free(w);
}

static bool keep_message_3(struct world *w, struct world_dgram *d)
{
	struct world_dgram *kept = w->tap_arg;
	struct bytes all = { d->b, d->len };
	struct rd_err err = { NULL };
	struct rd r = rd_of(all, &err);
	struct isakmp_hdr hdr;

	if (!endpoint_eq(&d->to, &w->server) || !isakmp_hdr_decode(&r, &hdr) ||
	    hdr.exchange != GDOI_XCH_PULL || w->member[0]->state != TM_WAIT_4)
		return true;
	while (kept->len)
		kept++;
	*kept = (struct world_dgram){ d->from, d->to, malloc(d->len), d->len };
	memcpy(kept->b, d->b, d->len);
	return false;
}

// Many exchanges at a time, all of them let in while there was room for one.
static void exchanges_side_by_side_do_not_get_past_the_limit(void **state)
{
	struct world_dgram kept[KS_PULLS_PER_SA + 4] = { 0 };
	struct world *w = world_new(at_most_four_in_a_row);
	struct test_member *bad = world_member(w, "192.0.2.66");

	(void)state;
	for (int i = 0; i < 3; i++)
		world_register(w, bad);
	w->tap = keep_message_3;
	w->tap_arg = kept;
	for (int i = 0; i < KS_PULLS_PER_SA - 1; i++) {
		tm_pull(bad, w->now);
		world_settle(w);
	}
	w->tap = NULL;
	for (size_t i = 0; kept[i].len; i++) {
		world_inject(w, &kept[i].from, BYTES(kept[i].b, kept[i].len));
		free(kept[i].b);
	}
	assert_int_equal(world_record(w, bad)->registrations, 4);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_TOO_OFTEN], KS_PULLS_PER_SA - 2);
	world_free(w);
}

static void a_member_is_told_that_its_message_is_malformed(void **state)
{
	static const uint8_t key_exchange[] = { ISAKMP_PL_KE, 0, 0, 0, 8, 1, 2, 3, 4 };
	static const uint8_t unknown_attr[] = { GDOI_PL_GAP, 0, 0, 0, 8, 0x80, 99, 0, 1 };
	const struct bytes bad[] = { BYTES_OF(key_exchange), BYTES_OF(unknown_attr) };
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		m->notify = 0;
		m->payloads_3 = bad[i];
		tm_start(m, w->now);
		world_settle(w);
		assert_int_equal(m->notify, ISAKMP_N_PAYLOAD_MALFORMED);
		assert_int_equal(w->ks.drop[KS_DROP_PULL_MALFORMED], i + 1);
	}
	assert_int_equal(world_group(w)->sids.next, 0);
	assert_null(world_record(w, m));
	world_free(w);
}

static void use_cbc(struct ks_conf *c)
{
	static const char *const line = "permit 10.0.0.0/8 10.0.0.0/8";

	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(&line, 1, "esp-aes 256 esp-sha256-hmac", 3600);
}

static void counter_mode_keys_that_still_drain_come_with_a_sender_id(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	struct ks_event ev = { .kind = KS_EV_CONFIG, .conf = world_conf(use_cbc) };

	(void)state;
	world_step(w, &ev);
	assert_true(world_rekey(w));
	assert_int_equal(world_group(w)->keys.n_gen, 2);
	world_register(w, m);
	assert_int_equal(m->n_tek, 2);
	assert_int_equal(m->n_sid, 1);
	world_free(w);
}

static void who_does_not_ask_gets_no_sender_id_where_the_file_says_so(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *silent = world_member(w, "192.0.2.1");
	struct test_member *sender = world_member(w, "192.0.2.2");

	(void)state;
	w->ks.ike.wire.sid_without_request = false;
	world_register(w, silent);
	assert_int_equal(silent->n_sid, 0);
	sender->sid_request = 1;
	world_register(w, sender);
	assert_int_equal(sender->n_sid, 1);
	world_free(w);
}

static void a_group_without_counter_modes_gives_no_sender_ids(void **state)
{
	struct world *w = world_new(use_cbc);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	m->sid_request = 2;
	world_register(w, m);
	assert_int_equal(m->n_sid, 0);
	assert_int_equal(world_group(w)->sids.next, 0);
	world_free(w);
}

static void few_sids(struct ks_conf *c)
{
	c->groups[0].sid_bits = 8;
}

static void sender_ids_that_run_out_again_at_once_do_not_end_the_keys_again(void **state)
{
	struct world *w = world_new(few_sids);
	struct test_member *a = world_member(w, "192.0.2.1");
	uint32_t spi;

	(void)state;
	world_group(w)->sids.next = 256;
	tm_start(a, w->now);
	world_settle(w);
	assert_int_equal(w->events[EV_KS_SID_EXHAUSTED], 1);
	spi = world_group(w)->keys.gen[0].tek[0].spi;
	world_group(w)->sids.next = 256; // others took them all
	tm_start(a, w->now);
	world_settle(w);
	assert_int_equal(a->state, TM_REFUSED);
	assert_int_equal(w->events[EV_KS_SID_EXHAUSTED], 1);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_NO_SID], 2);
	assert_int_equal(world_group(w)->keys.gen[0].tek[0].spi, spi);
	world_pass(w, 301000);
	tm_start(a, w->now);
	world_settle(w);
	assert_int_equal(w->events[EV_KS_SID_EXHAUSTED], 2);
	world_free(w);
}

static void an_excluded_name_is_refused_from_any_address_until_readmitted(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *a = world_member(w, "192.0.2.1");
	struct ks_event ev = { .kind = KS_EV_EXCLUDE, .group = "G1", .member = a->self.addr };
	struct removal *r = &world_group(w)->removal;

	(void)state;
	world_register(w, a);
	assert_true(world_record(w, a)->proved == 0); // a key that many hold proves no name
	world_record(w, a)->proved = 77;
	world_step(w, &ev);
	assert_true(removal_has_name(r, 77));
	assert_false(removal_has_name(r, 78));
	assert_false(removal_has_name(r, 0));
	ev.kind = KS_EV_READMIT;
	world_step(w, &ev);
	assert_false(removal_has_name(r, 77));
	assert_false(removal_has(r, &a->self.addr));
	world_free(w);
}

static void exhausted_sender_ids_renew_the_group_and_tell_members_to_register_again(void **state)
{
	struct world *w = world_new(few_sids);
	struct test_member *a = world_member(w, "192.0.2.1"), *b = world_member(w, "192.0.2.2");
	uint32_t old_spi;

	(void)state;
	world_register(w, a);
	old_spi = a->tek[0].spi;
	world_group(w)->sids.next = 256;
	tm_start(b, w->now);
	world_settle(w);
	assert_int_equal(b->state, TM_REFUSED);
	assert_int_equal(w->events[EV_KS_SID_EXHAUSTED], 1);
	assert_int_equal(a->n_push, 1);
	assert_int_equal(a->n_del, 2);
	assert_false(keys_has_spi(&world_group(w)->keys, old_spi));
	world_register(w, b);
	assert_int_equal(b->sid[0], 0);
	world_register(w, a);
	assert_int_equal(a->sid[0], 1);
	assert_int_not_equal(a->tek[0].spi, old_spi);
	world_pass(w, 100000);
	assert_int_equal(world_group(w)->members.n, 2);
	world_free(w);
}

static void with_deny(struct ks_conf *c)
{
	static const char *const lines[] = { "deny udp any 848 any 848",
					     "deny 10.1.0.0/16 10.2.0.0/16",
					     "permit 10.0.0.0/8 10.0.0.0/8" };

	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(lines, 3, "esp-gcm 128", 3600);
}

static void our_members_get_the_ordered_policy_and_others_the_flat_one(void **state)
{
	struct world *w = world_new(with_deny);
	struct test_member *ours = world_member(w, "192.0.2.1");
	struct test_member *other = world_member(w, "192.0.2.2");

	(void)state;
	world_register(w, ours);
	assert_int_equal(ours->n_sat, 3);
	assert_int_equal(ours->sat[0].proto, GDOI_PROTO_BYPASS);
	assert_int_equal(ours->sat[1].proto, GDOI_PROTO_BYPASS);
	assert_int_equal(ours->sat[2].proto, GDOI_PROTO_ESP);
	w->gm_conf.features = 0;
	world_register(w, other);
	assert_true(other->n_sat > 1);
	for (size_t i = 0; i < other->n_sat; i++) {
		assert_int_equal(other->sat[i].proto, GDOI_PROTO_ESP);
		assert_int_equal(other->sat[i].spi, ours->sat[2].spi);
	}
	assert_int_equal(other->n_tek, 1);
	world_free(w);
}

static void by_time(struct ks_conf *c)
{
	c->groups[0].policy->slot[0].replay = (struct replay){ REPLAY_TIME, 20 };
}

static void anti_replay_and_pseudotime_go_to_members_that_understand_them(void **state)
{
	struct world *w = world_new(by_time);
	struct test_member *ours = world_member(w, "192.0.2.1");
	struct test_member *other = world_member(w, "192.0.2.2");
	struct pseudotime at;

	(void)state;
	world_pass(w, 90000);
	world_register(w, ours);
	assert_true(replay_eq(ours->sat[0].replay, (struct replay){ REPLAY_TIME, 20 }));
	at = ks_pseudo_at(&world_group(w)->pseudo, w->now);
	assert_true(ours->has_gap && ours->gap.has_pseudotime);
	assert_int_equal(ours->gap.pseudotime.epoch, at.epoch);
	assert_int_equal(ours->gap.pseudotime.ms, at.ms);
	assert_int_equal(at.ms, 90000);
	for (uint16_t features = 0; features <= VID_CONCLAVE_BYPASS; features++) {
		w->gm_conf.features = features;
		world_register(w, other);
		assert_false(other->has_gap && other->gap.has_pseudotime);
		for (size_t i = 0; i < other->n_sat; i++)
			assert_int_equal(other->sat[i].replay.mode, REPLAY_NONE);
	}
	world_free(w);
}

static void with_tcp_deny(struct ks_conf *c)
{
	static const char *const lines[] = { "deny tcp any any", "permit 10.0.0.0/8 10.0.0.0/8" };

	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(lines, 2, "esp-gcm 128", 3600);
}

static void a_policy_that_rfc_6407_cannot_say_is_refused_to_other_members(void **state)
{
	struct world *w = world_new(with_tcp_deny);
	struct test_member *ours = world_member(w, "192.0.2.1");
	struct test_member *other = world_member(w, "192.0.2.2");

	(void)state;
	world_register(w, ours);
	w->gm_conf.features = 0;
	tm_start(other, w->now);
	world_settle(w);
	assert_int_equal(other->state, TM_REFUSED);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_POLICY_FORM], 1);
	world_free(w);
}

static void no_ack_for_2(struct ks_conf *c)
{
	c->groups[0].no_ack = calloc(1, sizeof(struct addr));
	assert_int_equal(addr_parse("192.0.2.2", c->groups[0].no_ack), 0);
	c->groups[0].n_no_ack = 1;
}

static void members_listed_under_no_ack_never_see_attribute_9(void **state)
{
	struct world *w = world_new(no_ack_for_2);
	struct test_member *a = world_member(w, "192.0.2.1"), *b = world_member(w, "192.0.2.2");

	(void)state;
	world_register(w, a);
	world_register(w, b);
	assert_int_equal(a->sak.ack, GDOI_ACK_KEK_SHA256);
	assert_int_equal(b->sak.ack, 0);
	world_free(w);
}

static void an_idle_phase_1_is_forgotten_after_a_minute(void **state)
{
	struct world *w = world_new(NULL);

	(void)state;
	world_register(w, world_member(w, "192.0.2.1"));
	assert_int_equal(w->ks.sas.n, 1);
	world_pass(w, 59000);
	assert_int_equal(w->ks.sas.n, 1);
	world_pass(w, 3000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_int_equal(world_group(w)->members.n, 1);
	world_free(w);
}

static bool no_pull(struct world *w, struct world_dgram *d)
{
	(void)w;
	return exchange_of(d) != GDOI_XCH_PULL;
}

// Other makes keep theirs. A crowd of them must not shut out those who come within a minute.
static void a_crowded_table_forgets_those_first_who_have_registered(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *waiting = world_member(w, "192.0.2.200");
	char address[16];

	(void)state;
	w->ks.sas.capacity = 16;
	w->tap = no_pull;
	tm_start(waiting, w->now);
	world_settle(w);
	w->tap = NULL;
	for (int i = 1; i < 12; i++) {
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		world_register(w, world_member(w, address));
	}
	world_pass(w, 11000);
	assert_int_equal(w->ks.sas.n, 12); // three quarters
	world_register(w, world_member(w, "192.0.2.12"));
	world_register(w, world_member(w, "192.0.2.13"));
	world_pass(w, 1000);
	assert_int_equal(w->ks.sas.n, 12); // no more go than have to
	assert_non_null(ike_table_find(&w->ks.sas, waiting->sa.cky_i, waiting->sa.cky_r));
	world_free(w);
}

static void a_delete_of_phase_1_is_obeyed_at_once(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	(void)state;
	world_register(w, m);
	assert_int_equal(ike_info_delete_sa(&m->sa, buf, sizeof(buf), &msg), 0);
	world_inject(w, &m->self, msg);
	assert_int_equal(w->ks.sas.n, 0);
	world_free(w);
}

static void a_member_that_asks_whether_we_are_there_is_answered_once_per_number(void **state)
{
	static const uint8_t nine[] = { 0, 0, 0, 9 }, eight[] = { 0, 0, 0, 8 };
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	(void)state;
	world_register(w, m);
	assert_true(m->sa.peer_dpd);
	assert_int_equal(
		ike_info_notify(&m->sa, ISAKMP_N_R_U_THERE, BYTES_OF(nine), buf, sizeof(buf), &msg),
		0);
	world_inject(w, &m->self, msg);
	world_settle(w);
	assert_int_equal(m->notify, ISAKMP_N_R_U_THERE_ACK);
	m->notify = 0;
	world_inject(w, &m->self, msg); // the same datagram
	assert_int_equal(ike_info_notify(&m->sa, ISAKMP_N_R_U_THERE, BYTES_OF(eight), buf,
					 sizeof(buf), &msg),
			 0);
	world_inject(w, &m->self, msg); // an older number
	world_settle(w);
	assert_int_equal(m->notify, 0);
	assert_int_equal(w->ks.ike_refused[IKE_R_REPLAY], 2);
	world_free(w);
}

static bool lose_replies(struct world *w, struct world_dgram *d)
{
	return endpoint_eq(&d->to, &w->server);
}

static void exchanges_under_one_phase_1_are_bounded(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	w->tap = lose_replies; // message 3 never follows
	for (int i = 0; i < 20; i++) {
		tm_pull(m, w->now);
		world_settle(w);
	}
	assert_int_equal(w->ks.drop[KS_DROP_PULL_BUSY], 20 - KS_PULLS_PER_SA);
	world_free(w);
}

static bool only_the_first_four(struct world *w, struct world_dgram *d)
{
	(void)w;
	return exchange_of(d) != ISAKMP_XCH_MAIN || !(d->b[19] & ISAKMP_FLAG_E);
}

static void peers_that_do_not_prove_their_key_are_bounded_per_source(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *bad = world_member(w, "192.0.2.66");
	struct test_member *good = world_member(w, "192.0.2.1");

	(void)state;
	w->tap = only_the_first_four; // messages 5 never come
	for (int i = 0; i < 40; i++) {
		tm_start(bad, w->now);
		world_settle(w);
	}
	assert_int_equal(w->ks.sas.n, 16);
	assert_int_equal(w->ks.drop[KS_DROP_UNPROVEN], 24);
	w->tap = NULL;
	world_register(w, good);
	world_pass(w, 60000); // their time is over
	assert_int_equal(w->ks.sources.n_unproven, 0);
	world_register(w, bad);
	world_free(w);
}

#define FLOOD 20 // addresses

static void flood_make(struct world *w, struct test_member *bad[FLOOD])
{
	char address[32];

	for (unsigned i = 0; i < FLOOD; i++) {
		snprintf(address, sizeof(address), "192.0.2.%u", 100 + i);
		bad[i] = world_member(w, address);
	}
}

// Each of them begins so many handshakes.
static void flood(struct world *w, struct test_member *bad[FLOOD], size_t each)
{
	for (size_t i = 0; i < FLOOD * each; i++) {
		tm_start(bad[i % FLOOD], w->now);
		world_settle(w);
	}
}

static void a_flood_from_many_addresses_does_not_keep_an_honest_member_out(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *good = world_member(w, "192.0.2.1"), *bad[FLOOD];

	(void)state;
	flood_make(w, bad);
	w->tap = only_the_first_four;
	flood(w, bad, 16);
	assert_int_equal(w->ks.sources.n_unproven, w->ks.sources.max_unproven);
	tm_start(good, w->now);
	world_settle(w); // it has the key server's message 4
	flood(w, bad, 3);
	w->tap = NULL;
	tm_timer(good, tm_deadline(good)); // its message 5 again
	world_settle(w);
	assert_int_equal(good->state, TM_REGISTERED);
	assert_true(w->ks.drop[KS_DROP_MADE_ROOM] > 0);
	assert_true(w->ks.sources.n_unproven <= w->ks.sources.max_unproven);
	world_pass(w, 60000);
	assert_int_equal(w->ks.sources.n_unproven, 0);
	world_register(w, bad[0]);
	world_free(w);
}

static void many_members_that_register_without_end_do_not_keep_another_out(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *good = world_member(w, "192.0.2.1"), *bad[FLOOD];

	(void)state;
	flood_make(w, bad);
	flood(w, bad, w->ks.sources.max);
	assert_int_equal(w->ks.sas.n, w->ks.sas.capacity);
	assert_int_equal(w->ks.drop[KS_DROP_TABLE_FULL], 0);
	world_register(w, good);
	assert_int_equal(w->ks.sas.n, w->ks.sas.capacity);
	world_pass(w, 70000);
	assert_int_equal(w->ks.sas.n, 0);
	assert_true(TAILQ_EMPTY(&w->ks.sources.proven));
	world_free(w);
}

// Its key is right, and it registers without end.
static void one_member_does_not_fill_the_table(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *bad = world_member(w, "192.0.2.66");
	struct test_member *good = world_member(w, "192.0.2.1");

	(void)state;
	for (size_t i = 0; i <= w->ks.sas.capacity; i++) {
		tm_start(bad, w->now);
		world_settle(w);
	}
	assert_int_equal(w->ks.sas.n, w->ks.sources.max);
	assert_int_equal(w->ks.drop[KS_DROP_TABLE_FULL], 0);
	world_register(w, good);
	world_pass(w, 70000); // nobody uses them
	assert_int_equal(w->ks.sas.n, 0);
	world_register(w, bad);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_member_does_not_fill_the_table),
		cmocka_unit_test(a_flood_from_many_addresses_does_not_keep_an_honest_member_out),
		cmocka_unit_test(many_members_that_register_without_end_do_not_keep_another_out),
		cmocka_unit_test(sender_ids_that_run_out_again_at_once_do_not_end_the_keys_again),
		cmocka_unit_test(an_excluded_name_is_refused_from_any_address_until_readmitted),
		cmocka_unit_test(a_member_registers_and_holds_the_groups_keys),
		cmocka_unit_test(lifetimes_sent_are_what_remains),
		cmocka_unit_test(an_unknown_group_is_refused_with_a_notify_and_an_event),
		cmocka_unit_test(a_member_without_authorization_is_refused),
		cmocka_unit_test(an_identity_that_is_another_address_is_refused),
		cmocka_unit_test(a_wrong_pre_shared_key_never_gets_as_far_as_a_pull),
		cmocka_unit_test(no_record_and_no_sender_id_before_message_3),
		cmocka_unit_test(a_repeated_message_gets_the_stored_reply_octet_for_octet),
		cmocka_unit_test(a_replayed_message_1_changes_nothing),
		cmocka_unit_test(a_wrong_hash_3_changes_nothing_and_the_right_one_still_works),
		cmocka_unit_test(truncated_and_flipped_messages_are_counted_and_do_no_harm),
		cmocka_unit_test(a_pull_from_another_address_than_its_phase_1_is_dropped),
		cmocka_unit_test(registering_again_replaces_the_record_and_gives_new_sender_ids),
		cmocka_unit_test(as_many_sender_ids_as_asked_for_are_given_up_to_a_limit),
		cmocka_unit_test(a_member_that_registers_too_often_waits_and_others_do_not),
		cmocka_unit_test(one_member_does_not_use_up_the_sender_ids_of_all),
		cmocka_unit_test(exchanges_side_by_side_do_not_get_past_the_limit),
		cmocka_unit_test(a_member_is_told_that_its_message_is_malformed),
		cmocka_unit_test(a_group_without_counter_modes_gives_no_sender_ids),
		cmocka_unit_test(counter_mode_keys_that_still_drain_come_with_a_sender_id),
		cmocka_unit_test(who_does_not_ask_gets_no_sender_id_where_the_file_says_so),
		cmocka_unit_test(
			exhausted_sender_ids_renew_the_group_and_tell_members_to_register_again),
		cmocka_unit_test(our_members_get_the_ordered_policy_and_others_the_flat_one),
		cmocka_unit_test(anti_replay_and_pseudotime_go_to_members_that_understand_them),
		cmocka_unit_test(a_policy_that_rfc_6407_cannot_say_is_refused_to_other_members),
		cmocka_unit_test(members_listed_under_no_ack_never_see_attribute_9),
		cmocka_unit_test(an_idle_phase_1_is_forgotten_after_a_minute),
		cmocka_unit_test(a_crowded_table_forgets_those_first_who_have_registered),
		cmocka_unit_test(a_delete_of_phase_1_is_obeyed_at_once),
		cmocka_unit_test(
			a_member_that_asks_whether_we_are_there_is_answered_once_per_number),
		cmocka_unit_test(exchanges_under_one_phase_1_are_bounded),
		cmocka_unit_test(peers_that_do_not_prove_their_key_are_bounded_per_source),
	};

	return cmocka_run_group_tests_name("ks/pull", tests, NULL, NULL);
}
