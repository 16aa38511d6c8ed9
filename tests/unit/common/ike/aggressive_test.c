#include "tests/unit/ike_pair.h"

static const struct ike_proposal ecp = { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 };
static const struct ike_proposal two[] = {
	{ CIPHER_AES256_CBC, HASH_ALG_SHA384, DH_ECP384 },
	{ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256 },
};

static bool everybody(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return true;
}

static bool nobody(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return false;
}

// gm7.example.net has the pair's key, whatever its address.
static const struct secret *by_name(void *arg, const struct isakmp_id *id)
{
	struct pair_side *s = arg;

	return id->type == ISAKMP_ID_FQDN && bytes_eq(id->data, BYTES_LIT("gm7.example.net"))
		       ? &s->psk
		       : NULL;
}

static struct isakmp_id name_7(void *arg, const struct addr *peer)
{
	(void)arg, (void)peer;
	return (struct isakmp_id){ .type = ISAKMP_ID_FQDN, .data = BYTES_LIT("gm7.example.net") };
}

static void make(struct ike_pair *p, const struct ike_proposal *list, size_t n)
{
	pair_init(p, list, n, 7);
	p->gm.aggressive = true;
	p->i.conf.aggressive = p->r.conf.aggressive = everybody;
}

static void assert_same(const struct ike_pair *p)
{
	assert_true(secret_eq(&p->gm.keys.key, &p->ks->keys.key));
	assert_true(secret_eq(&p->gm.keys.skeyid_a, &p->ks->keys.skeyid_a));
	assert_memory_equal(p->gm.keys.last_block, p->ks->keys.last_block, CIPHER_BLOCK_MAX);
}

static void three_messages_make_an_sa(void **state)
{
	struct ike_pair p;
	struct isakmp_id id;
	char text[ISAKMP_ID_STRLEN];

	(void)state;
	make(&p, two, 2);
	assert_true(pair_run(&p));
	assert_int_equal(p.n_sent, 3);
	assert_int_equal(p.n_dh, 3); // the initiator's in two halves
	assert_same(&p);
	assert_int_equal(p.gm.suite.group, DH_ECP384);
	assert_true(p.gm.peer_dpd && p.ks->peer_conclave);
	assert_false(p.ks->name_proved);
	id = ike_id_view(&p.ks->peer_id);
	assert_string_equal(isakmp_id_str(&id, text), "10.0.1.1");
	pair_fini(&p);
}

static void every_group_and_hash_establishes(void **state)
{
	static const enum hash_alg hashes[] = { HASH_ALG_SHA256, HASH_ALG_SHA384, HASH_ALG_SHA512 };
	static const enum dh_group groups[] = { DH_MODP2048, DH_MODP3072, DH_MODP4096,
						DH_ECP256,   DH_ECP384,	  DH_ECP521 };
	struct ike_pair p;

	(void)state;
	for (size_t i = 0; i < 18; i++) {
		struct ike_proposal one = { CIPHER_AES256_CBC, hashes[i % 3], groups[i / 3] };

		make(&p, &one, 1);
		assert_true(pair_run(&p));
		assert_same(&p);
		pair_fini(&p);
	}
}

static void it_survives_loss_doubling_and_disorder(void **state)
{
	unsigned stood = 0;
	struct ike_pair p;

	(void)state;
	for (uint64_t seed = 0; seed < 40; seed++) {
		pair_init(&p, &ecp, 1, seed);
		p.gm.aggressive = true;
		p.i.conf.aggressive = p.r.conf.aggressive = everybody;
		p.lose = 20;
		p.twice = 30;
		p.delay_ms = 1500;
		pair_run(&p);
		pair_drain(&p);
		if (pair_stands(&p)) {
			assert_same(&p);
			stood++;
		}
		assert_true(p.n_dh <= 3);
		pair_fini(&p);
	}
	assert_in_range(stood, 20, 40); // message 3 once lost is for its user to send again
}

static void lose_message_2(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	unsigned *n = p->tap_arg;

	(void)b;
	if (!from_initiator && (*n)++ == 0)
		*len = 0;
}

static void message_1_again_gets_the_same_answer_and_no_second_diffie_hellman(void **state)
{
	unsigned seen = 0;
	struct ike_pair p;

	(void)state;
	make(&p, &ecp, 1);
	p.tap = lose_message_2;
	p.tap_arg = &seen;
	assert_true(pair_run(&p));
	assert_int_equal(p.n_dh, 3);
	assert_int_equal(p.refused_r[IKE_R_DUPLICATE], 1);
	assert_same(&p);
	pair_fini(&p);
}

static void a_peer_it_is_not_configured_for_is_refused_in_silence_and_without_work(void **state)
{
	struct ike_pair p;

	(void)state;
	make(&p, &ecp, 1);
	p.r.conf.aggressive = nobody;
	assert_false(pair_run(&p));
	assert_null(p.ks);
	assert_true(p.refused_r[IKE_R_AGGRESSIVE] > 0);
	assert_int_equal(p.n_dh, 1); // the initiator's own
	assert_int_equal(p.n_sent, p.refused_r[IKE_R_AGGRESSIVE]);
	pair_fini(&p);
	make(&p, &ecp, 1);
	p.r.conf.aggressive = NULL; // nowhere at all
	assert_false(pair_run(&p));
	assert_null(p.ks);
	pair_fini(&p);
}

static void main_mode_goes_on_beside_it(void **state)
{
	struct ike_pair p;

	(void)state;
	make(&p, &ecp, 1);
	p.gm.aggressive = false;
	assert_true(pair_run(&p));
	assert_int_equal(p.n_sent, 6);
	pair_fini(&p);
}

static void a_name_chooses_the_key_wherever_the_member_is(void **state)
{
	struct id_pattern want;
	struct ike_pair p;
	const char *why;

	(void)state;
	make(&p, &ecp, 1);
	p.r.conf.aggressive = NULL;
	p.r.conf.psk_of_name = by_name;
	p.i.conf.own_name = name_7;
	assert_true(pair_run(&p));
	assert_same(&p);
	assert_true(p.ks->name_proved);
	assert_int_equal(id_pattern_parse("gm7.example.net", &want, &why), 0);
	assert_true(ike_peer_is(p.ks, &want, 1));
	assert_int_equal(id_pattern_parse("gm8.example.net", &want, &why), 0);
	assert_false(ike_peer_is(p.ks, &want, 1));
	pair_fini(&p);
}

static void a_wrong_key_ends_with_the_initiator_that_sees_it(void **state)
{
	struct ike_pair p;

	(void)state;
	make(&p, &ecp, 1);
	assert_int_equal(secret_set(&p.i.psk, "another", 7), 0);
	assert_false(pair_run(&p));
	assert_int_equal(p.gm.reason, IKE_R_AUTH_FAILED);
	assert_int_equal(p.ks->state, IKE_R_WAIT_AUTH);
	while (p.ks->state != IKE_DEAD && pair_advance(&p))
		;
	assert_int_equal(p.ks->reason, IKE_R_TIMEOUT); // after ten seconds
	pair_fini(&p);
}

static struct bytes message_1(struct ike_pair *p, uint8_t *buf)
{
	struct ike_event ev = { .kind = IKE_EV_START };
	struct ike_out out;

	ike_sa_step(&p->gm, p->now, &ev, &out);
	ev = (struct ike_event){ .kind = IKE_EV_DH_DONE, .dh = out.dh };
	dh_job_run(out.dh);
	ike_sa_step(&p->gm, p->now, &ev, &out);
	memcpy(buf, out.msg, out.msg_len);
	return BYTES(buf, out.msg_len);
}

// ---- message 2 of somebody else ----

struct forger {
	unsigned times; // of the key server's answers that it spoils
	bool group;	// by naming another group; else where HASH is
};

static void spoil_message_2(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	static const struct {
		uint8_t attr, from, to;
	} change[] = {
		{ IKE1_ATTR_HASH, 5, 4 },
		{ IKE1_ATTR_GROUP, 20, 19 },
	};
	struct forger *f = p->tap_arg;

	if (from_initiator || f->times == 0)
		return;
	f->times--;
	if (!f->group) {
		b[*len - 60] ^= (uint8_t)(f->times % 255 + 1);
		return;
	}
	for (size_t i = ISAKMP_HDR_LEN; i + 4 < ISAKMP_HDR_LEN + 80; i++) {
		for (size_t k = 0; k < N_ELEMS(change); k++) {
			if (b[i] == 0x80 && b[i + 1] == change[k].attr && b[i + 2] == 0 &&
			    b[i + 3] == change[k].from)
				b[i + 3] = change[k].to;
		}
		if (b[i] == 0x80 && b[i + 1] == IKE1_ATTR_KEY_LENGTH && b[i + 2] == 1)
			b[i + 2] = 0, b[i + 3] = 128;
	}
}

static void a_forged_message_2_leaves_the_attempt_open_for_the_true_one(void **state)
{
	struct forger f = { .times = 2 };
	struct ike_pair p;

	(void)state;
	make(&p, two, 2);
	p.tap = spoil_message_2;
	p.tap_arg = &f;
	assert_true(pair_run(&p));
	assert_int_equal(f.times, 0);
	assert_int_equal(p.refused_i[IKE_R_AUTH_FAILED], 2);
	assert_same(&p);
	assert_int_equal(p.gm.suite.group, DH_ECP384);
	pair_fini(&p);
}

static void a_forged_message_2_that_names_another_group_changes_nothing(void **state)
{
	struct forger f = { .times = 1, .group = true };
	struct ike_pair p;

	(void)state;
	make(&p, two, 2);
	p.tap = spoil_message_2;
	p.tap_arg = &f;
	assert_true(pair_run(&p));
	assert_int_equal(p.refused_i[IKE_R_NO_PROPOSAL], 1);
	assert_same(&p);
	pair_fini(&p);
}

static void forged_answers_cost_a_bounded_number_of_diffie_hellmans(void **state)
{
	struct forger f = { .times = 1000 };
	struct ike_pair p;

	(void)state;
	make(&p, &ecp, 1);
	p.i.conf.schedule.tries = 40;
	p.tap = spoil_message_2;
	p.tap_arg = &f;
	assert_false(pair_run(&p));
	assert_int_equal(p.gm.reason, IKE_R_AUTH_FAILED);
	assert_int_equal(p.refused_i[IKE_R_AUTH_FAILED], IKE_AGGR_ANSWERS - 1); // and the last
	pair_fini(&p);
}

// The forger is faster: the true answer comes while the forged one is computed with.
static void the_true_answer_is_kept_while_a_forged_one_is_looked_at(void **state)
{
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM };
	uint8_t one[IKE_MSG_MAX], forged[IKE_MSG_MAX], right[IKE_MSG_MAX];
	struct ike_out out;
	struct ike_pair p;
	struct bytes m;
	size_t len = 0;

	(void)state;
	make(&p, &ecp, 1);
	m = message_1(&p, one);
	pair_enqueue(&p, m.p, m.len, &p.i.here, &p.r.here);
	assert_true(pair_advance(&p)); // the key server answers
	for (size_t i = 0; i < PAIR_QUEUE; i++) {
		if (!p.queue[i].b)
			continue;
		len = p.queue[i].len;
		memcpy(right, p.queue[i].b, len);
		free(p.queue[i].b);
		p.queue[i].b = NULL;
	}
	memcpy(forged, right, len);
	forged[8] ^= 1; // under another cookie
	ev.from = p.r.here;
	ev.to = p.i.here;
	ev.datagram = BYTES(forged, len);
	ike_sa_step(&p.gm, p.now, &ev, &out);
	assert_non_null(out.dh);
	dh_job_run(out.dh);
	ev.datagram = BYTES(right, len);
	ike_sa_step(&p.gm, p.now, &ev, &(struct ike_out){ 0 });
	ev = (struct ike_event){ .kind = IKE_EV_DH_DONE, .dh = out.dh };
	ike_sa_step(&p.gm, p.now, &ev, &out);
	assert_int_equal(out.refused, IKE_R_AUTH_FAILED);
	assert_non_null(out.dh);
	pair_perform(&p, &p.gm, &out);
	assert_int_equal(p.gm.state, IKE_ESTABLISHED);
	assert_true(pair_run(&p));
	assert_same(&p);
	pair_fini(&p);
}

static void spoil(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	const size_t *at = p->tap_arg;
	bool third = from_initiator && (b[19] & ISAKMP_FLAG_E);

	if (third && *at < *len)
		b[*at] ^= 0x10;
}

static void a_spoiled_message_3_proves_nothing(void **state)
{
	struct ike_pair p;

	(void)state;
	for (size_t at = ISAKMP_HDR_LEN; at < ISAKMP_HDR_LEN + 48; at += 5) {
		make(&p, &ecp, 1);
		p.tap = spoil;
		p.tap_arg = &at;
		pair_run(&p);
		assert_non_null(p.ks);
		assert_int_not_equal(p.ks->state, IKE_ESTABLISHED);
		pair_fini(&p);
	}
}

static void shorten_ke(struct ike_pair *p, uint8_t *b, size_t *len, bool from_initiator)
{
	(void)p, (void)len;
	// The group of the offered transform: another than KE is made for.
	for (size_t i = ISAKMP_HDR_LEN; from_initiator && i + 4 < *len; i++) {
		if (b[i] == 0x80 && b[i + 1] == IKE1_ATTR_GROUP && b[i + 2] == 0 &&
		    b[i + 3] == 19) {
			b[i + 3] = 20;
			return;
		}
	}
}

static void a_value_of_another_group_costs_no_diffie_hellman(void **state)
{
	struct ike_pair p;

	(void)state;
	make(&p, two, 2);
	p.i.conf.proposals = &ecp;
	p.i.conf.n_proposals = 1;
	p.tap = shorten_ke;
	assert_false(pair_run(&p));
	assert_null(p.ks);
	assert_int_equal(p.n_dh, 1);
	assert_int_equal(p.refused_r[IKE_R_BAD_KE] + p.refused_r[IKE_R_NO_PROPOSAL],
			 p.i.conf.schedule.tries);
	pair_fini(&p);
}

static bool taken_in(struct ike_pair *p, struct bytes m, const struct endpoint *from)
{
	const struct ike_aggr_call call = { &p->r.conf, p->now, m, from, &p->r.here };
	struct ike_sa *made;
	struct ike_out out;

	ike_aggr_in(&p->gate, &call, &out, &made);
	if (!made)
		return false;
	dh_job_free(out.dh);
	ike_sa_fini(made);
	free(made);
	return true;
}

// Message 1 of many initiators at so many addresses, as a flood sends it.
static unsigned flood(struct ike_pair *p, struct bytes m, uint8_t *b, unsigned n, unsigned sources)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++) {
		struct endpoint from = p->i.here;

		b[0] = (uint8_t)(i >> 8);
		b[1] = (uint8_t)i;
		b[2] |= 1;
		from.addr.b[3] = (uint8_t)(2 + i % sources);
		taken += taken_in(p, m, &from);
	}
	return taken;
}

// All places are taken, and every second's work as soon as the second begins.
static void a_flood_from_many_addresses_leaves_room_for_an_honest_member(void **state)
{
	uint8_t buf[IKE_MSG_MAX], own[IKE_MSG_MAX];
	struct ike_pair p;
	struct bytes m;
	unsigned late = 0;

	(void)state;
	make(&p, &ecp, 1);
	m = message_1(&p, buf);
	memcpy(own, m.p, m.len);
	ike_aggr_fini(&p.gate);
	assert_int_equal(ike_aggr_init(&p.gate, p.now, 40, 16), 0);
	for (unsigned s = 0; s < 4; s++) {
		flood(&p, m, buf, 3000, 30);
		p.now = mono_add_s(p.now, 1);
	}
	do {
		flood(&p, m, buf, 3000, 30);
		p.now = mono_add_s(p.now, 1);
	} while (!taken_in(&p, BYTES(own, m.len), &p.i.here) && ++late < 4);
	assert_true(late <= 1);
	assert_non_null(ike_aggr_known(&p.gate, p.now, own, &p.i.here));
	pair_fini(&p);
}

static void a_flood_is_bounded_per_source_per_second_and_in_all(void **state)
{
	uint8_t buf[IKE_MSG_MAX];
	struct ike_pair p;
	struct bytes m;

	(void)state;
	make(&p, &ecp, 1);
	m = message_1(&p, buf);
	ike_aggr_fini(&p.gate);
	assert_int_equal(ike_aggr_init(&p.gate, p.now, 60, 16), 0);
	assert_int_equal(flood(&p, m, buf, 500, 1), 15); // and never more than 16 in ten seconds
	assert_int_equal(flood(&p, m, buf, 500, 200), 25 - 15);
	p.now = mono_add_s(p.now, 1);
	assert_int_equal(flood(&p, m, buf, 500, 1), 1);
	assert_int_equal(flood(&p, m, buf, 500, 200), 25 - 1);
	p.now = mono_add_s(p.now, 1);
	assert_int_equal(flood(&p, m, buf, 500, 200), 25); // the oldest places make room
	p.now = mono_add_s(p.now, 10);
	assert_int_equal(flood(&p, m, buf, 500, 200), 25);
	pair_fini(&p);
}

static void truncated_and_flipped_first_messages_do_no_harm(void **state)
{
	uint8_t buf[IKE_MSG_MAX], copy[IKE_MSG_MAX];
	struct ike_pair p;
	struct bytes m;

	(void)state;
	make(&p, &ecp, 1);
	m = message_1(&p, buf);
	for (size_t i = 0; i < 2 * m.len; i++) {
		size_t len = i < m.len ? i : m.len;
		const struct ike_aggr_call call = { &p.r.conf, p.now, BYTES(copy, len), &p.i.here,
						    &p.r.here };
		struct ike_sa *made;
		struct ike_out out;

		memcpy(copy, buf, m.len);
		if (i >= m.len)
			copy[i - m.len] ^= 0x40;
		p.now = mono_add_s(p.now, 11);
		ike_aggr_in(&p.gate,
			    &(struct ike_aggr_call){ call.conf, p.now, call.datagram, call.from,
						     call.to },
			    &out, &made);
		assert_true(made || out.refused != IKE_R_OK);
		assert_true(i >= m.len || !made);
		if (!made)
			continue;
		dh_job_free(out.dh);
		ike_sa_fini(made);
		free(made);
	}
	pair_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_messages_make_an_sa),
		cmocka_unit_test(every_group_and_hash_establishes),
		cmocka_unit_test(it_survives_loss_doubling_and_disorder),
		cmocka_unit_test(message_1_again_gets_the_same_answer_and_no_second_diffie_hellman),
		cmocka_unit_test(
			a_peer_it_is_not_configured_for_is_refused_in_silence_and_without_work),
		cmocka_unit_test(main_mode_goes_on_beside_it),
		cmocka_unit_test(a_name_chooses_the_key_wherever_the_member_is),
		cmocka_unit_test(a_wrong_key_ends_with_the_initiator_that_sees_it),
		cmocka_unit_test(a_forged_message_2_leaves_the_attempt_open_for_the_true_one),
		cmocka_unit_test(a_forged_message_2_that_names_another_group_changes_nothing),
		cmocka_unit_test(forged_answers_cost_a_bounded_number_of_diffie_hellmans),
		cmocka_unit_test(the_true_answer_is_kept_while_a_forged_one_is_looked_at),
		cmocka_unit_test(a_flood_from_many_addresses_leaves_room_for_an_honest_member),
		cmocka_unit_test(a_spoiled_message_3_proves_nothing),
		cmocka_unit_test(a_value_of_another_group_costs_no_diffie_hellman),
		cmocka_unit_test(a_flood_is_bounded_per_source_per_second_and_in_all),
		cmocka_unit_test(truncated_and_flipped_first_messages_do_no_harm),
	};

	return cmocka_run_group_tests_name("ike/aggressive", tests, NULL, NULL);
}
