#include "tests/unit/ks/ks_world.h"

#define N_CROWD 5

static uint32_t newest_spi(struct world *w)
{
	return world_group(w)->keys.gen[0].tek[0].spi;
}

static void a_rekey_on_demand_reaches_every_member_and_is_acknowledged(void **state)
{
	struct world *w = world_crowd(NULL, N_CROWD);
	struct ks_push *p = &world_group(w)->push;

	(void)state;
	assert_true(world_rekey(w));
	for (size_t i = 0; i < w->n_members; i++) {
		struct test_member *m = w->member[i];

		assert_int_equal(m->n_push, 1);
		assert_int_equal(m->n_push_bad, 0);
		assert_int_equal(m->seq, 1);
		assert_int_equal(m->tek[0].spi, newest_spi(w));
		assert_memory_equal(m->tek[0].key, world_group(w)->keys.gen[0].tek[0].alg_key.b,
				    20);
		assert_int_equal(world_record(w, m)->acks_received, 1);
		assert_int_equal(world_record(w, m)->acked_seq[0], 1);
	}
	assert_false(p->live);
	assert_int_equal(p->n_acks, N_CROWD);
	assert_int_equal(p->n_retransmits, 0);
	assert_int_equal(w->events[EV_KS_SEND_UNICAST_REKEY], 1);
	world_free(w);
}

static void delays_cover_the_spread_and_fit_into_the_life_that_is_left(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *m = w->member[0];

	(void)state;
	assert_true(world_rekey(w));
	assert_true(m->has_gap);
	assert_int_equal(m->gap.atd_s, 1 + 10 * 2 + 10 + 1); // fan-out, repetitions, wait, one
	assert_int_equal(m->gap.dtd_s, 2 * 32 + 5);
	assert_int_equal(world_group(w)->keys.gen[0].active.ms, w->now.ms + 32000);
	world_free(w);
}

static void short_lives(struct ks_conf *c)
{
	c->groups[0].policy->slot[0].life_s = 30;
	c->groups[0].policy->life_s = 30;
	c->groups[0].retransmit_s = 1;
	c->groups[0].retransmit_number = 1;
}

static void teks_are_rolled_before_they_die_for_as_long_as_it_runs(void **state)
{
	struct world *w = world_crowd(short_lives, 2);
	struct test_member *m = w->member[0];

	(void)state;
	for (int second = 0; second < 300; second++) {
		const struct keys *k = &world_group(w)->keys;
		bool can_send = false;

		world_pass(w, 1000);
		for (size_t i = 0; i < k->n_gen; i++)
			can_send = can_send || (mono_due(k->gen[i].active, w->now) &&
						mono_before(w->now, tek_gen_dies(&k->gen[i])));
		assert_true(can_send);
		assert_int_equal(m->tek[0].spi, newest_spi(w));
		assert_true(k->n_gen <= 3);
	}
	assert_true(m->n_push >= 300 / 20);
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void the_old_generation_outlives_the_activation_of_the_new_one(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	const struct keys *k = &world_group(w)->keys;

	(void)state;
	world_pass(w, 3000);
	assert_true(world_rekey(w));
	assert_int_equal(k->n_gen, 2);
	assert_true(mono_before(k->gen[0].active, k->gen[1].drained));
	assert_true(mono_before(k->gen[1].drained, tek_gen_dies(&k->gen[1])));
	world_free(w);
}

static void
a_member_that_registers_during_a_rollover_gets_both_generations_and_the_rest_of_atd(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *late = world_member(w, "192.0.2.99");

	(void)state;
	assert_true(world_rekey(w));
	world_pass(w, 10000);
	world_register(w, late);
	assert_int_equal(late->n_sat, 2);
	assert_int_equal(late->n_tek, 2);
	assert_int_equal(late->sat[0].spi, newest_spi(w));
	assert_true(late->has_gap);
	assert_int_equal(late->gap.atd_s, 22);
	assert_int_equal(late->seq, 1);
	assert_true(world_rekey(w));
	assert_int_equal(late->n_push, 1);
	world_free(w);
}

struct loss {
	struct endpoint victim;
	unsigned left;
	size_t n;
	size_t len[8];
	uint8_t *copy[8];
};

// Loses the next PUSHes to one member, keeping copies.
static bool lose_push(struct world *w, struct world_dgram *d)
{
	struct loss *l = w->tap_arg;

	if (!endpoint_eq(&d->to, &l->victim) || d->b[18] != GDOI_XCH_PUSH)
		return true;
	if (l->n < N_ELEMS(l->copy)) {
		l->copy[l->n] = malloc(d->len);
		memcpy(l->copy[l->n], d->b, d->len);
		l->len[l->n++] = d->len;
	}
	return l->left == 0 || l->left-- == 0;
}

static void loss_free(struct loss *l)
{
	while (l->n > 0)
		free(l->copy[--l->n]);
}

static void a_lost_rekey_is_repeated_octet_for_octet_to_that_member_alone(void **state)
{
	struct world *w = world_crowd(NULL, 3);
	struct loss l = { .victim = w->member[1]->self, .left = 2 };

	(void)state;
	w->tap = lose_push;
	w->tap_arg = &l;
	assert_true(world_rekey(w));
	assert_int_equal(w->member[1]->n_push, 0);
	assert_true(world_group(w)->push.live);
	world_pass(w, 9900);
	assert_int_equal(l.n, 1);
	world_pass(w, 20000);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.len[0], l.len[2]);
	assert_memory_equal(l.copy[0], l.copy[1], l.len[0]);
	assert_memory_equal(l.copy[0], l.copy[2], l.len[0]);
	assert_int_equal(w->member[1]->n_push, 1);
	assert_int_equal(w->member[0]->n_push_repeated, 0);
	assert_int_equal(world_record(w, w->member[1])->retransmits, 2);
	assert_false(world_group(w)->push.live);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	loss_free(&l);
	world_free(w);
}

static void missing_acks_are_told_after_the_last_wait(void **state)
{
	struct world *w = world_crowd(NULL, 2);

	(void)state;
	w->member[1]->ack = false;
	assert_true(world_rekey(w));
	world_pass(w, 29000);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	world_pass(w, 2000);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 1);
	assert_int_equal(world_record(w, w->member[1])->acks_missed, 1);
	assert_int_equal(world_record(w, w->member[0])->acks_missed, 0);
	world_free(w);
}

static void who_acked_once_and_misses_three_in_a_row_is_judged_gone(void **state)
{
	struct world *w = world_crowd(NULL, 2);

	(void)state;
	assert_true(world_rekey(w));
	w->member[1]->ack = false;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(world_group(w)->members.n, 2);
		world_pass(w, 200000);
		assert_true(world_rekey(w));
		world_pass(w, 40000);
	}
	assert_int_equal(world_group(w)->members.n, 1);
	assert_int_equal(w->events[EV_KS_GM_DELETED], 1);
	world_free(w);
}

static void who_never_acked_is_never_judged_gone(void **state)
{
	struct world *w = world_crowd(NULL, 2);

	(void)state;
	w->member[1]->ack = false;
	for (int i = 0; i < 5; i++) {
		assert_true(world_rekey(w));
		world_pass(w, 200000);
	}
	assert_int_equal(world_group(w)->members.n, 2);
	assert_int_equal(world_record(w, w->member[1])->acks_missed, 5);
	world_free(w);
}

static void one_ack_between_misses_starts_the_count_anew(void **state)
{
	struct world *w = world_crowd(NULL, 1);

	(void)state;
	for (int i = 0; i < 9; i++) {
		w->member[0]->ack = i % 3 == 0;
		assert_true(world_rekey(w));
		world_pass(w, 200000);
	}
	assert_int_equal(world_group(w)->members.n, 1);
	world_free(w);
}

static void no_acks(struct ks_conf *c)
{
	c->groups[0].kek.ack = KEK_ACK_NONE;
}

static void without_acks_every_repetition_goes_to_everybody(void **state)
{
	struct world *w = world_crowd(no_acks, 2);

	(void)state;
	assert_int_equal(w->member[0]->sak.ack, 0);
	assert_true(world_rekey(w));
	world_pass(w, 40000);
	assert_int_equal(w->member[0]->n_push, 1);
	assert_int_equal(w->member[0]->n_push_repeated, 2);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	world_free(w);
}

static void short_kek(struct ks_conf *c)
{
	c->groups[0].kek.life_s = 600;
}

static void a_new_kek_comes_under_the_old_one_and_starts_at_seq_1(void **state)
{
	struct world *w = world_crowd(short_kek, 2);
	struct test_member *m = w->member[0];
	uint8_t old_spi[16];

	(void)state;
	assert_true(world_rekey(w)); // seq 1 under the first KEK
	memcpy(old_spi, m->kek_spi, 16);
	world_pass(w, 415000); // a fifth before members would come by themselves
	assert_memory_not_equal(m->kek_spi, old_spi, 16);
	assert_memory_equal(m->kek_spi, world_group(w)->keys.kek.spi, 16);
	assert_memory_equal(world_group(w)->push.spi, old_spi, 16);
	assert_int_equal(world_group(w)->push.seq, 2);
	assert_int_equal(world_group(w)->push.n_acks, 2);
	assert_int_equal(world_group(w)->keys.kek.seq, 0);
	assert_int_equal(m->sat[0].spi, newest_spi(w)); // TEKs stay as they were
	assert_true(world_rekey(w));
	assert_int_equal(m->seq, 1);
	assert_int_equal(world_group(w)->keys.kek.seq, 1);
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void slow_no_acks(struct ks_conf *c)
{
	c->groups[0].kek.ack = KEK_ACK_NONE;
	c->groups[0].kek.life_s = 269;
	c->groups[0].policy->slot[0].life_s = 197;
	c->groups[0].policy->life_s = 197;
	c->groups[0].retransmit_s = 5;
	c->groups[0].retransmit_number = 4;
}

// An operator's rekey is still being sent when a new KEK is due: that one comes nevertheless before
// the first member registers again by itself, in the last eighth of the life.
static void a_new_kek_is_there_before_members_come_for_it(void **state)
{
	(void)state;
	for (int64_t before_s = 0; before_s <= 30; before_s += 3) {
		struct world *w = world_crowd(slow_no_acks, 2);
		struct test_member *m = w->member[0];
		mono_t due = ks_rekey_kek_due(world_group(w)), ends = world_group(w)->keys.kek.dies;
		uint8_t old_spi[16];

		memcpy(old_spi, m->kek_spi, 16);
		world_pass(w, due.ms - before_s * 1000 - w->now.ms);
		assert_true(world_rekey(w));
		world_pass(w, ends.ms - 269000 / 8 - w->now.ms);
		assert_memory_not_equal(m->kek_spi, old_spi, 16);
		assert_int_equal(m->n_push_bad, 0);
		world_free(w);
	}
}

static void teks_that_live_300_s(struct ks_conf *c)
{
	short_lives(c);
	c->groups[0].policy->slot[0].life_s = 300;
	c->groups[0].policy->life_s = 300;
}

// However short the delays are.
static void new_teks_are_there_before_members_come_for_them(void **state)
{
	struct world *w = world_crowd(teks_that_live_300_s, 1);
	uint32_t old = newest_spi(w);

	(void)state;
	world_pass(w, 300000 - 300000 / 8 - 10000);
	assert_int_not_equal(w->member[0]->tek[0].spi, old);
	world_free(w);
}

static void soon_in_use(struct ks_conf *c)
{
	c->groups[0].kek.ack = KEK_ACK_NONE;
	c->groups[0].atd_s = 5;
}

// Whoever has missed the first copies of the last rekey has a right to the others: without them it
// cannot read what all send until it has registered again.
static void a_clear_waits_for_the_copies_of_the_last_rekey(void **state)
{
	struct world *w = world_crowd(soon_in_use, 2);
	const struct ks_group *g = world_group(w);

	(void)state;
	assert_true(world_rekey(w));
	world_pass(w, 6000);
	assert_true(mono_due(g->keys.gen[0].active, w->now));
	world_step(w, &(struct ks_event){ .kind = KS_EV_CLEAR });
	world_settle(w);
	assert_false(g->push.clears);
	world_pass(w, 13000);
	assert_int_equal(g->push.n_retransmits, 2);
	assert_false(g->push.clears);
	world_pass(w, 25000); // the second repetition, and the wait after it
	assert_true(g->push.clears);
	world_free(w);
}

static void rsa(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	assert_int_equal(signer_generate(&c->store->signer, "RSA", SIGN_RSA, 2048), 0);
	snprintf(k->sign_label, sizeof(k->sign_label), "RSA");
	k->sign_alg = SIGN_RSA;
	k->sign_bits = 2048;
	k->sign_hash = HASH_ALG_SHA256;
	k->suite = suite_kek_named("aes 128");
	k->cipher = CIPHER_AES128_CBC;
}

static void rekeys_are_signed_with_rsa_and_sealed_with_aes_128_too(void **state)
{
	struct world *w = world_crowd(rsa, 1);

	(void)state;
	assert_int_equal(w->member[0]->sak.sig_alg, GDOI_SIG_RSA);
	assert_int_equal(w->member[0]->sak.sig_key_bits, 2048);
	assert_int_equal(w->member[0]->sak.key_bits, 128);
	assert_true(world_rekey(w));
	assert_int_equal(w->member[0]->n_push, 1);
	assert_int_equal(w->member[0]->n_push_bad, 0);
	world_free(w);
}

// Lets the member's message 3 wait while something happens.
static bool hold_message_3(struct world *w, struct world_dgram *d)
{
	struct world_dgram *held = w->tap_arg;

	if (held->b || !endpoint_eq(&d->to, &w->server) || d->b[18] != GDOI_XCH_PULL)
		return true;
	if (w->member[w->n_members - 1]->state != TM_WAIT_4)
		return true;
	*held = *d;
	held->b = malloc(d->len);
	memcpy(held->b, d->b, d->len);
	return false;
}

static void a_rekey_between_messages_2_and_3_is_sent_to_the_newcomer_as_well(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *late = world_member(w, "192.0.2.77");
	struct world_dgram held = { 0 };

	(void)state;
	w->tap = hold_message_3;
	w->tap_arg = &held;
	tm_start(late, w->now);
	world_settle(w);
	assert_non_null(held.b);
	assert_true(world_rekey(w));
	w->tap = NULL;
	world_inject(w, &late->self, BYTES(held.b, held.len));
	world_settle(w);
	assert_int_equal(late->state, TM_REGISTERED);
	assert_int_equal(late->n_push, 1);
	assert_int_equal(late->seq, 1);
	assert_int_equal(late->tek[0].spi, newest_spi(w));
	world_pass(w, 40000);
	assert_int_equal(world_record(w, late)->acks_received, 1);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	free(held.b);
	world_free(w);
}

static void two_rekeys_between_messages_2_and_3_refuse_the_registration(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *late = world_member(w, "192.0.2.77");
	struct world_dgram held = { 0 };

	(void)state;
	w->tap = hold_message_3;
	w->tap_arg = &held;
	tm_start(late, w->now);
	world_settle(w);
	assert_true(world_rekey(w));
	assert_true(world_rekey(w));
	w->tap = NULL;
	world_inject(w, &late->self, BYTES(held.b, held.len));
	world_settle(w);
	assert_int_equal(late->state, TM_REFUSED);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_KEYS_CHANGED], 1);
	assert_int_equal(world_group(w)->members.n, 1);
	free(held.b);
	world_free(w);
}

static bool lose_message_4(struct world *w, struct world_dgram *d)
{
	const struct test_member *last = w->member[w->n_members - 1];

	return !endpoint_eq(&d->to, &last->self) || last->state != TM_WAIT_4;
}

// What was sent meanwhile was nothing to a member without its KEK.
static void an_answer_repeated_after_a_rekey_has_that_rekey_behind_it(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *late = world_member(w, "192.0.2.77");

	(void)state;
	w->tap = lose_message_4;
	tm_start(late, w->now);
	world_settle(w);
	assert_int_equal(world_group(w)->members.n, 2);
	assert_true(world_rekey(w));
	assert_int_equal(late->seq, 0);
	w->tap = NULL;
	world_pass(w, 3000); // it asks again
	assert_int_equal(late->state, TM_REGISTERED);
	assert_int_equal(late->n_push, 1);
	assert_int_equal(late->tek[0].spi, newest_spi(w));
	world_pass(w, 40000);
	assert_int_equal(world_group(w)->push.n_due, 2);
	assert_int_equal(world_group(w)->push.n_acks, 2);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	world_free(w);
}

static void an_answer_that_two_rekeys_have_overtaken_is_not_repeated(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *late = world_member(w, "192.0.2.77");

	(void)state;
	w->tap = lose_message_4;
	tm_start(late, w->now);
	world_settle(w);
	world_group(w)->push.live = false;
	assert_true(world_rekey(w));
	world_group(w)->push.live = false;
	assert_true(world_rekey(w));
	w->tap = NULL;
	world_pass(w, 3000);
	assert_int_equal(late->state, TM_REFUSED);
	assert_int_equal(late->notify, ISAKMP_N_INVALID_KEY_INFORMATION);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_KEYS_CHANGED], 1);
	world_free(w);
}

static void a_large_group_is_sent_to_in_batches(void **state)
{
	struct world *w = world_crowd(NULL, 200);
	struct ks_event ev = { .kind = KS_EV_REKEY };

	(void)state;
	world_step(w, &ev);
	assert_int_equal(w->out.n_send, KS_FANOUT_BATCH);
	assert_int_equal(w->out.deadline.ms, w->now.ms + KS_FANOUT_TICK_MS);
	world_pass(w, 4 * KS_FANOUT_TICK_MS);
	for (size_t i = 0; i < w->n_members; i++)
		assert_int_equal(w->member[i]->n_push, 1);
	assert_false(world_group(w)->push.live);
	world_free(w);
}

// ATD is computed by the pace. A loop that was busy for longer does not send all of it at once.
static void the_pace_of_a_fan_out_is_kept_when_timers_come_late(void **state)
{
	struct world *w = world_crowd(NULL, 250);
	struct ks_event ev = { .kind = KS_EV_REKEY }, tick = { .kind = KS_EV_TIMER };
	mono_t start = w->now;

	(void)state;
	world_step(w, &ev);
	w->now = mono_add_ms(start, 3 * KS_FANOUT_TICK_MS); // two batches are late
	for (int i = 1; i <= 3; i++) {
		assert_true(mono_due(w->out.deadline, w->now));
		world_step(w, &tick);
		assert_int_equal(w->out.n_send, MIN_OF(250 - i * KS_FANOUT_BATCH, KS_FANOUT_BATCH));
	}
	assert_false(mono_due(w->out.deadline, w->now));
	world_settle(w);
	assert_false(world_group(w)->push.live);
	world_step(w, &ev);
	w->now = mono_add_s(w->now, 3);
	world_step(w, &tick);
	assert_int_equal(w->out.n_send, KS_FANOUT_BATCH);
	assert_int_equal(w->out.deadline.ms, w->now.ms - KS_FANOUT_LATE_MS + KS_FANOUT_TICK_MS);
	world_free(w);
}

static void members_may_register_again_in_the_middle_of_a_fan_out(void **state)
{
	struct world *w = world_crowd(NULL, 130);
	struct ks_event ev = { .kind = KS_EV_REKEY };

	(void)state;
	world_step(w, &ev);
	world_register(w, w->member[KS_FANOUT_BATCH]); // whose turn is next
	world_pass(w, 4 * KS_FANOUT_TICK_MS);
	for (size_t i = 0; i < w->n_members; i++)
		assert_int_equal(w->member[i]->tek[0].spi, newest_spi(w));
	assert_int_equal(w->member[KS_FANOUT_BATCH]->n_push, 0); // has the keys already
	assert_false(world_group(w)->push.live);
	world_free(w);
}

static void a_second_demand_follows_the_rekey_in_flight(void **state)
{
	struct world *w = world_crowd(NULL, 2);

	(void)state;
	w->member[0]->ack = false;
	assert_true(world_rekey(w));
	assert_true(world_rekey(w));
	assert_int_equal(w->member[1]->n_push, 1);
	assert_non_null(strstr(w->answer, "will follow rk="));
	world_pass(w, 31000);
	assert_int_equal(w->member[1]->n_push, 2);
	world_free(w);
}

static void too_many_generations_refuse_the_demand_and_say_when(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	unsigned n = 0;

	(void)state;
	while (n < 20 && world_rekey(w))
		n++;
	assert_int_equal(n, KEYS_MAX_GENS - 2);
	world_pass(w, 120000);
	assert_true(world_rekey(w));
	world_free(w);
}

// ---- acknowledgements ----

static void an_ack_with_the_other_reading_of_l_counts(void **state)
{
	struct world *w = world_crowd(NULL, 1);

	(void)state;
	w->member[0]->ack_l_output = true;
	assert_true(world_rekey(w));
	assert_int_equal(world_record(w, w->member[0])->acks_received, 1);
	w->ks.ike.wire.accept_ack_other_l = false;
	world_pass(w, 1000);
	assert_true(world_rekey(w));
	assert_int_equal(world_record(w, w->member[0])->acks_received, 1);
	assert_int_equal(w->ks.drop[KS_DROP_ACK_BAD_HASH], 1);
	world_free(w);
}

static void a_forged_ack_is_counted_and_does_not_stop_the_repetition(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *m = w->member[0];
	struct loss l = { .victim = m->self, .left = 1 };

	(void)state;
	w->tap = lose_push;
	w->tap_arg = &l;
	assert_true(world_rekey(w));
	m->kek.b[0] ^= 1;
	tm_send_ack(m, 1);
	m->kek.b[0] ^= 1;
	world_settle(w);
	assert_int_equal(w->ks.drop[KS_DROP_ACK_BAD_HASH], 1);
	assert_int_equal(world_record(w, m)->acks_received, 0);
	world_pass(w, 11000);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(world_record(w, m)->acks_received, 1);
	loss_free(&l);
	world_free(w);
}

static void every_bad_ack_has_a_reason_of_its_own(void **state)
{
	struct world *w = world_crowd(NULL, 2);
	struct test_member *m = w->member[0], *stranger = world_member(w, "198.51.100.9");
	uint64_t *drop = w->ks.drop;
	struct endpoint self = m->self;

	(void)state;
	tm_send_ack(m, 1); // nothing was pushed yet
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_UNKNOWN_KEK], 1);
	assert_true(world_rekey(w));
	tm_send_ack(m, 1);
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_DUPLICATE], 1);
	tm_send_ack(m, 2);
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_SEQ], 1);
	m->self = stranger->self;
	tm_send_ack(m, 1);
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_NO_MEMBER], 1);
	m->self = self;
	tm_send_ack(m, 1);
	w->queue[w->head].from = stranger->self;
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_SOURCE], 1);
	world_register(w, m); // since the rekey: nothing is asked of it
	tm_send_ack(m, 1);
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_NOT_ASKED], 1);
	tm_send_ack(m, 1);
	w->queue[w->head].b[28] ^= 0xff; // next payload of the HASH
	world_settle(w);
	assert_int_equal(drop[KS_DROP_ACK_MALFORMED], 1);
	assert_int_equal(world_record(w, m)->acks_received, 1);
	world_free(w);
}

static void a_late_ack_still_counts(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *m = w->member[0];

	(void)state;
	m->ack = false;
	assert_true(world_rekey(w));
	world_pass(w, 35000);
	assert_int_equal(world_record(w, m)->missed_in_row, 1);
	tm_send_ack(m, 1);
	world_settle(w);
	assert_int_equal(world_record(w, m)->missed_in_row, 0);
	assert_int_equal(world_record(w, m)->acks_received, 1);
	world_free(w);
}

// ---- reminders, and who is forgotten ----

static void periodic(struct ks_conf *c)
{
	c->groups[0].periodic = true;
}

static void who_has_not_acknowledged_is_reminded_until_it_has(void **state)
{
	struct world *w = world_crowd(periodic, 3);
	struct test_member *m = w->member[1];
	struct loss l = { .victim = m->self, .left = 1000 };
	unsigned sent;

	(void)state;
	w->tap = lose_push;
	w->tap_arg = &l;
	assert_true(world_rekey(w));
	world_pass(w, 95000); // 3 sendings, judged, more than a minute of reminders
	assert_false(world_group(w)->push.live);
	assert_int_equal(world_record(w, m)->acks_missed, 1);
	assert_int_equal(world_record(w, w->member[0])->retransmits, 0);
	l.left = 0;
	world_pass(w, 11000);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(world_record(w, m)->missed_in_row, 0);
	sent = world_record(w, m)->retransmits;
	world_pass(w, 300000);
	assert_int_equal(world_record(w, m)->retransmits, sent);
	assert_false(world_group(w)->push.have);
	loss_free(&l);
	world_free(w);
}

static void the_next_rekey_ends_the_reminding_of_the_last(void **state)
{
	struct world *w = world_crowd(periodic, 2);
	struct test_member *m = w->member[1];

	(void)state;
	m->ack = false; // hears all, says nothing
	assert_true(world_rekey(w));
	world_pass(w, 60000);
	assert_true(m->n_push_repeated >= 3);
	assert_true(world_rekey(w));
	assert_int_equal(m->seq, 2);
	world_pass(w, 60000);
	assert_int_equal(m->seq, 2);
	assert_int_equal(m->n_push, 2);
	world_free(w);
}

static void short_kek_no_acks(struct ks_conf *c)
{
	c->groups[0].kek.ack = KEK_ACK_NONE;
	c->groups[0].kek.life_s = 4000;
	c->groups[0].policy->slot[0].life_s = 1000;
	c->groups[0].policy->life_s = 1000;
}

static void members_that_are_never_asked_follow_rekeys_for_as_long_as_they_like(void **state)
{
	struct world *w = world_crowd(short_kek_no_acks, 2);

	(void)state;
	for (int i = 0; i < 2000; i++)
		world_pass(w, 10000); // five lives of a KEK
	assert_int_equal(world_group(w)->members.n, 2);
	assert_int_equal(w->member[0]->tek[0].spi, newest_spi(w));
	assert_int_equal(w->member[0]->n_push_bad, 0);
	world_free(w);
}

static void short_kek_no_acks_and_age(struct ks_conf *c)
{
	short_kek_no_acks(c);
	c->groups[0].member_age_s = 8000;
}

static void silent_members_go_by_age_with_a_rekey_in_hand_and_may_come_back(void **state)
{
	struct world *w = world_crowd(short_kek_no_acks_and_age, 2);
	struct test_member *back = w->member[1];

	(void)state;
	world_pass(w, 7000000);
	world_register(w, back); // a sign of life
	world_pass(w, 900000);
	assert_int_equal(world_group(w)->members.n, 2);
	world_pass(w, 1100000);
	assert_null(world_record(w, w->member[0]));
	assert_non_null(world_record(w, back));
	assert_int_equal(w->events[EV_KS_GM_DELETED], 1);
	assert_non_null(strstr(w->last_event[EV_KS_GM_DELETED], "gm=192.0.2.1 reason=age"));
	assert_int_equal(w->member[0]->seq, back->seq); // nothing was kept from it before
	world_register(w, w->member[0]);
	world_pass(w, 7000000);
	assert_non_null(world_record(w, w->member[0]));
	assert_null(world_record(w, back));
	world_free(w);
}

static void short_kek_and_age(struct ks_conf *c)
{
	short_kek_no_acks_and_age(c);
	c->groups[0].kek.ack = KEK_ACK_KEK;
}

static void who_acknowledges_does_not_age_and_who_never_did_does(void **state)
{
	struct world *w = world_crowd(short_kek_and_age, 2);

	(void)state;
	w->member[1]->ack = false;
	for (int i = 0; i < 2000; i++)
		world_pass(w, 10000);
	assert_non_null(world_record(w, w->member[0]));
	assert_null(world_record(w, w->member[1]));
	world_free(w);
}

// All but one are heard of.
static void fill_table(struct world *w, struct addr silent)
{
	struct members *m = &world_group(w)->members;
	struct endpoint e = { .port = 848 };

	for (uint32_t i = 0; m->n < MEMBERS_MAX; i++) {
		e.addr = addr_from_v4(0x0a000000 + i);
		members_add(m, &e, NULL)->ack_asked = !addr_eq(&e.addr, &silent);
	}
}

static void a_full_table_gives_the_place_of_a_silent_member_to_who_comes(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *a = world_member(w, "192.0.2.1"), *b = world_member(w, "192.0.2.2");
	struct addr silent = addr_from_v4(0x0a00d431);

	(void)state;
	fill_table(w, silent);
	world_register(w, a);
	assert_int_equal(world_group(w)->members.n, MEMBERS_MAX);
	assert_null(members_find(&world_group(w)->members, &silent));
	assert_non_null(
		strstr(w->last_event[EV_KS_GM_DELETED], "gm=10.0.212.49 reason=table-full"));
	tm_start(b, w->now);
	world_settle(w);
	assert_int_equal(b->state, TM_REFUSED);
	assert_int_equal(w->ks.drop[KS_DROP_PULL_MEMBERS_FULL], 1);
	world_register(w, a); // has its place
	world_record(w, a)->ack_asked = false;
	tm_start(b, w->now); // the table was searched in vain a moment ago
	world_settle(w);
	assert_int_equal(b->state, TM_REFUSED);
	w->now = mono_add_s(w->now, 1);
	world_register(w, b);
	assert_null(world_record(w, a));
	world_free(w);
}

// ---- reload ----

static void other_policy(struct ks_conf *c)
{
	static const char *const line = "permit 172.16.0.0/12 172.16.0.0/12";

	policy_put(c->groups[0].policy);
	c->groups[0].policy = world_policy(&line, 1, "esp-gcm 256", 3600);
}

static void reload(struct world *w, void (*change)(struct ks_conf *c))
{
	struct ks_event ev = { .kind = KS_EV_CONFIG, .conf = world_conf(change) };

	// The same keys as before: a reload reads the same file.
	keystore_put(ev.conf->store);
	ev.conf->store = keystore_get(w->ks.conf->store);
	world_step(w, &ev);
}

static void a_reload_without_change_tells_nothing_and_keeps_keys_and_members(void **state)
{
	struct world *w = world_crowd(NULL, 2);
	uint32_t spi = newest_spi(w);

	(void)state;
	reload(w, NULL);
	assert_int_equal(w->events[EV_POLICY_CHANGE], 0);
	assert_int_equal(newest_spi(w), spi);
	assert_int_equal(world_group(w)->members.n, 2);
	assert_true(world_rekey(w));
	assert_int_equal(w->member[0]->n_push, 1);
	world_free(w);
}

static void changed_policy_waits_for_the_operators_word(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *m = w->member[0];
	struct prefix want;
	struct flow got;

	(void)state;
	reload(w, other_policy);
	assert_int_equal(w->events[EV_POLICY_CHANGE], 1);
	world_pass(w, 5000);
	assert_int_equal(m->n_push, 0);
	assert_true(world_rekey(w));
	assert_int_equal(m->n_push, 1);
	assert_int_equal(m->tek[0].key_len, 36);
	assert_true(gdoi_sat_to_flow(&m->sat[0], &got));
	assert_int_equal(prefix_parse("172.16.0.0/12", &want), 0);
	assert_true(addr_eq(&got.src.lo, &want.addr));
	assert_false(ks_plan_is_staged(&w->ks, world_group(w)));
	world_free(w);
}

static void a_new_signing_key_is_announced_under_the_old_one(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct ks_event ev = { .kind = KS_EV_CONFIG, .conf = world_conf(NULL) };

	(void)state;
	world_step(w, &ev); // world_conf generates a key anew
	assert_int_equal(w->events[EV_POLICY_CHANGE], 1);
	assert_true(world_rekey(w));
	assert_int_equal(w->member[0]->n_push, 1);
	assert_int_equal(w->member[0]->n_push_bad, 0);
	world_pass(w, 1000);
	assert_true(world_rekey(w));
	assert_int_equal(w->member[0]->n_push, 2);
	assert_int_equal(w->member[0]->n_push_bad, 0);
	world_free(w);
}

static void rename_group(struct ks_conf *c)
{
	snprintf(c->groups[0].name, sizeof(c->groups[0].name), "G2");
	c->groups[0].identity = 99;
}

static void a_group_that_is_gone_from_the_file_ends_and_a_new_one_begins(void **state)
{
	struct world *w = world_crowd(NULL, 1);
	struct test_member *m = world_member(w, "192.0.2.50");

	(void)state;
	reload(w, rename_group);
	assert_null(ks_group_by_name(&w->ks, "G1"));
	assert_int_equal(world_group(w)->members.n, 0);
	m->group = 99;
	world_register(w, m);
	world_free(w);
}

static void authorize_nobody(struct ks_conf *c)
{
	c->groups[0].authorized = calloc(1, sizeof(struct prefix));
	assert_int_equal(prefix_parse("192.0.2.255", c->groups[0].authorized), 0);
	c->groups[0].n_authorized = 1;
}

// What an operator does to end a group at once (docs/keyserver.md), before it leaves the file.
static void a_group_that_nobody_may_join_ends_at_once_when_it_is_cleared(void **state)
{
	struct world *w = world_crowd(NULL, 2);
	struct test_member *m = w->member[0];

	(void)state;
	reload(w, authorize_nobody);
	assert_int_equal(m->n_push, 0); // until then they keep what they have
	world_step(w, &(struct ks_event){ .kind = KS_EV_CLEAR, .at_once = true, .group = "G1" });
	world_settle(w);
	assert_int_equal(m->n_push, 1);
	assert_int_equal(m->n_del, 2); // all keys, and the KEK
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	reload(w, rename_group);
	assert_null(ks_group_by_name(&w->ks, "G1"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rekey_on_demand_reaches_every_member_and_is_acknowledged),
		cmocka_unit_test(delays_cover_the_spread_and_fit_into_the_life_that_is_left),
		cmocka_unit_test(teks_are_rolled_before_they_die_for_as_long_as_it_runs),
		cmocka_unit_test(the_old_generation_outlives_the_activation_of_the_new_one),
		cmocka_unit_test(
			a_member_that_registers_during_a_rollover_gets_both_generations_and_the_rest_of_atd),
		cmocka_unit_test(a_lost_rekey_is_repeated_octet_for_octet_to_that_member_alone),
		cmocka_unit_test(missing_acks_are_told_after_the_last_wait),
		cmocka_unit_test(who_acked_once_and_misses_three_in_a_row_is_judged_gone),
		cmocka_unit_test(who_never_acked_is_never_judged_gone),
		cmocka_unit_test(one_ack_between_misses_starts_the_count_anew),
		cmocka_unit_test(without_acks_every_repetition_goes_to_everybody),
		cmocka_unit_test(a_new_kek_comes_under_the_old_one_and_starts_at_seq_1),
		cmocka_unit_test(rekeys_are_signed_with_rsa_and_sealed_with_aes_128_too),
		cmocka_unit_test(a_rekey_between_messages_2_and_3_is_sent_to_the_newcomer_as_well),
		cmocka_unit_test(two_rekeys_between_messages_2_and_3_refuse_the_registration),
		cmocka_unit_test(an_answer_repeated_after_a_rekey_has_that_rekey_behind_it),
		cmocka_unit_test(an_answer_that_two_rekeys_have_overtaken_is_not_repeated),
		cmocka_unit_test(a_new_kek_is_there_before_members_come_for_it),
		cmocka_unit_test(new_teks_are_there_before_members_come_for_them),
		cmocka_unit_test(a_clear_waits_for_the_copies_of_the_last_rekey),
		cmocka_unit_test(a_large_group_is_sent_to_in_batches),
		cmocka_unit_test(the_pace_of_a_fan_out_is_kept_when_timers_come_late),
		cmocka_unit_test(members_may_register_again_in_the_middle_of_a_fan_out),
		cmocka_unit_test(a_second_demand_follows_the_rekey_in_flight),
		cmocka_unit_test(too_many_generations_refuse_the_demand_and_say_when),
		cmocka_unit_test(an_ack_with_the_other_reading_of_l_counts),
		cmocka_unit_test(a_forged_ack_is_counted_and_does_not_stop_the_repetition),
		cmocka_unit_test(every_bad_ack_has_a_reason_of_its_own),
		cmocka_unit_test(a_late_ack_still_counts),
		cmocka_unit_test(a_reload_without_change_tells_nothing_and_keeps_keys_and_members),
		cmocka_unit_test(changed_policy_waits_for_the_operators_word),
		cmocka_unit_test(a_new_signing_key_is_announced_under_the_old_one),
		cmocka_unit_test(a_group_that_is_gone_from_the_file_ends_and_a_new_one_begins),
		cmocka_unit_test(a_group_that_nobody_may_join_ends_at_once_when_it_is_cleared),
		cmocka_unit_test(who_has_not_acknowledged_is_reminded_until_it_has),
		cmocka_unit_test(the_next_rekey_ends_the_reminding_of_the_last),
		cmocka_unit_test(
			members_that_are_never_asked_follow_rekeys_for_as_long_as_they_like),
		cmocka_unit_test(silent_members_go_by_age_with_a_rekey_in_hand_and_may_come_back),
		cmocka_unit_test(who_acknowledges_does_not_age_and_who_never_did_does),
		cmocka_unit_test(a_full_table_gives_the_place_of_a_silent_member_to_who_comes),
	};

	return cmocka_run_group_tests_name("ks/rekey", tests, NULL, NULL);
}
