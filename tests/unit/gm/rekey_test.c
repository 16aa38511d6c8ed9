#include "tests/unit/unit.h"

#include "gm/show.h"
#include "tests/unit/gm/world.h"

static struct world w;
static struct test_push push;
static struct test_ks *ks;
static struct test_tek *tek; // a fresh one that the next rekey brings

static int keys_once(void **state)
{
	if (world_signer_make(state))
		return -1;
	return signer_generate(&world_signer, "OTHER", SIGN_RSA, 2048);
}

// Registered with one TEK (0x1111), SEQ 5; espd is there; 0x2222 waits to be pushed.
static int registered(void **state)
{
	(void)state;
	world_init(&w, 1, &world_signer);
	ks = &w.ks[0];
	test_ks_tek(ks, "esp-gcm 128", 0x1111, 3600, 1, 2);
	ks->kek.seq = 5;
	world_register(&w);
	world_dp_up(&w, 0xb1, 0);
	tek = test_ks_tek(ks, "esp-gcm 128", 0x2222, 3600, 1, 2);
	world_forget(&w);
	return w.g->registered ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static struct bytes make(uint32_t seq, const struct test_twist *t)
{
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, seq, NULL, 1, tek, NULL);
	return test_push_seal(&push, ks, &ks->kek, t);
}

static bool has(uint32_t spi)
{
	return gm_teks_find(&w.g->teks, spi) != NULL;
}

// The datagram was dropped for this reason, nothing else happened, and the right one still works.
static void assert_dropped(struct bytes d, enum gm_drop why)
{
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.gm->drops[why], 1);
	assert_false(has(0x2222));
	assert_int_equal(w.n_acks, 0);
	assert_int_equal(w.g->keks.kek[0].seq, 5);
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_true(has(0x2222));
	assert_int_equal(w.g->keks.kek[0].seq, 6);
}

// ---- pseudotime ----

static void refused(struct bytes d, const char *word);

static void push_pseudotime(uint32_t seq, uint32_t epoch, int64_t ms)
{
	struct gdoi_gap gap = { .has_pseudotime = true, .pseudotime = { epoch, ms } };

	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, seq, &gap, 1, tek, NULL);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_int_equal(w.g->n.last_seq, seq);
}

static void pseudotime_of_a_push_moves_forward_only_and_another_epoch_sets_it(void **state)
{
	(void)state;
	tek->sat.replay = (struct replay){ REPLAY_TIME, 20 };
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, w.now).epoch, 0);
	push_pseudotime(6, 7, 500000);
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, w.now).epoch, 7);
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, w.now).ms, 500000);
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, mono_add_s(w.now, 9)).ms, 509000);
	push_pseudotime(7, 7, 400000);
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, w.now).ms, 500000);
	assert_int_equal(w.g->pseudo.n_jumps, 0);
	push_pseudotime(8, 7, 510000);
	assert_int_equal(w.g->pseudo.n_jumps, 0);
	push_pseudotime(9, 7, 520001);
	assert_int_equal(w.g->pseudo.n_jumps, 1);
	push_pseudotime(10, 8, 3);
	assert_int_equal(gm_pseudo_at(&w.g->pseudo, w.now).ms, 3);
	assert_int_equal(w.g->pseudo.n_jumps, 1);
}

static void a_refused_push_does_not_move_pseudotime(void **state)
{
	struct gdoi_gap gap = { .has_pseudotime = true, .pseudotime = { 7, 500000 } };

	(void)state;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, &gap, 1, tek, NULL);
	world_datagram(
		&w, &ks->at,
		test_push_seal(&push, ks, &ks->kek, &(struct test_twist){ .spoil_sig = true }));
	assert_int_equal(w.g->pseudo.told.epoch, 0);
}

static void another_make_cannot_send_our_pseudotime(void **state)
{
	struct gdoi_gap gap = { .has_pseudotime = true, .pseudotime = { 7, 500000 } };

	(void)state;
	w.g->ks_conclave = false;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, &gap, 1, tek, NULL);
	refused(test_push_seal(&push, ks, &ks->kek, NULL), "pseudotime from a key server");
}

static void another_make_cannot_send_our_anti_replay(void **state)
{
	(void)state;
	w.g->ks_conclave = false;
	tek->sat.replay = (struct replay){ REPLAY_TIME, 20 };
	refused(make(6, NULL), "anti-replay from a key server");
}

static void anti_replay_of_a_key_is_kept_and_shown(void **state)
{
	struct ctl_text t = { 0 };

	(void)state;
	gm_show_replay_text(&t, w.gm, w.now);
	assert_non_null(strstr(t.b, "not told by the key server"));
	free(t.b);
	t = (struct ctl_text){ 0 };
	tek->sat.replay = (struct replay){ REPLAY_TIME, 20 };
	push_pseudotime(6, 7, 500250);
	gm_show_replay_text(&t, w.gm, w.now);
	assert_non_null(strstr(t.b, "Pseudotime (sec)   : 500.250\n"));
	assert_non_null(strstr(t.b, "spi 0x00002222     : time, 20 s, not enforced\n"));
	free(t.b);
}

// ---- what is accepted ----

static void a_push_brings_keys_and_is_answered(void **state)
{
	(void)state;
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_true(has(0x2222));
	assert_memory_equal(gm_teks_find(&w.g->teks, 0x2222)->key.b, tek->key, 20);
	assert_int_equal(w.n_events[EV_GM_RECV_REKEY], 1);
	assert_int_equal(w.n_acks, 1);
	assert_true(endpoint_eq(&w.ack_to, &ks->at));
	assert_int_equal(w.n_programs, 1);
	assert_int_equal(w.n_events[EV_GM_INSTALL_POLICIES_SUCCESS], 1);
}

static void the_log_line_carries_the_tag_of_the_rekey(void **state)
{
	char tag[32];

	(void)state;
	snprintf(tag, sizeof(tag), "rk=%02x%02x/6 ", ks->kek.spi[0], ks->kek.spi[1]);
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_memory_equal(w.last_text[EV_GM_RECV_REKEY], tag, strlen(tag));
}

static void numbers_may_be_left_out(void **state)
{
	(void)state;
	world_datagram(&w, &ks->at, make(4000, NULL));
	assert_true(has(0x2222));
	assert_int_equal(w.g->keks.kek[0].seq, 4000);
}

static void rsa_over_the_bare_hash_is_accepted_by_default(void **state)
{
	const struct test_twist t = { .bare = true };

	(void)state;
	world_datagram(&w, &ks->at, make(6, &t));
	assert_true(has(0x2222));
}

static void rsa_over_the_bare_hash_can_be_refused(void **state)
{
	const struct test_twist t = { .bare = true };

	(void)state;
	w.g->ike.wire.accept_rsa_bare_hash = false;
	assert_dropped(make(6, &t), GM_DROP_PUSH_SIG);
}

static void atd_and_dtd_of_a_push_are_kept(void **state)
{
	const struct gdoi_gap gap = { .has_atd = true, .has_dtd = true, .atd_s = 10, .dtd_s = 25 };

	(void)state;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, &gap, 1, tek, NULL);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_int_equal(w.program->rule[0].spi_out, 0x1111);
	assert_int_equal(w.program->rule[0].n_spi_in, 2);
	world_until(&w, 9);
	assert_int_equal(w.program->rule[0].spi_out, 0x1111);
	world_until(&w, 10);
	assert_int_equal(w.program->rule[0].spi_out, 0x2222);
	world_until(&w, 24);
	assert_true(has(0x1111));
	world_until(&w, 25);
	assert_false(has(0x1111));
	assert_int_equal(w.program->rule[0].n_spi_in, 1);
}

// ---- the order of checks ----

static void a_push_of_an_unknown_kek_is_dropped(void **state)
{
	struct test_kek other = ks->kek;

	(void)state;
	other.spi[15] ^= 1;
	test_push_begin(&push, &other);
	test_push_body(&push, ks, 6, NULL, 1, tek, NULL);
	assert_dropped(test_push_seal(&push, ks, &other, NULL), GM_DROP_PUSH_KEK);
}

static void a_push_from_a_server_that_is_not_listed_is_dropped(void **state)
{
	const struct endpoint mallory = { addr_from_v4(0x0a000063), 848 };

	(void)state;
	world_datagram(&w, &mallory, make(6, NULL));
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_SOURCE], 1);
	assert_false(has(0x2222));
	assert_int_equal(w.n_acks, 0);
}

static void a_replayed_push_changes_nothing(void **state)
{
	struct bytes d = make(6, NULL);

	(void)state;
	world_datagram(&w, &ks->at, d);
	world_forget(&w);
	world_until(&w, 1);
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_DUPLICATE], 1);
	assert_int_equal(w.g->n.rekeys, 1);
	assert_int_equal(w.n_programs, 0);
}

static void a_lower_number_is_dropped(void **state)
{
	(void)state;
	assert_dropped(make(4, NULL), GM_DROP_PUSH_SEQ);
	assert_int_equal(w.n_events[EV_GDOI_REKEY_SEQ_FAILURE], 1);
}

static void the_number_of_the_registration_is_dropped(void **state)
{
	(void)state;
	assert_dropped(make(5, NULL), GM_DROP_PUSH_SEQ);
}

static void a_far_number_with_a_bad_signature_does_not_move_the_counter(void **state)
{
	const struct test_twist t = { .spoil_sig = true };

	(void)state;
	assert_dropped(make(4000000, &t), GM_DROP_PUSH_SIG);
}

static void another_signing_key_is_dropped(void **state)
{
	const struct test_twist t = { .label = "OTHER" };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_SIG);
}

static void a_push_without_signature_is_dropped(void **state)
{
	const struct test_twist t = { .no_sig = true };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_FORM);
}

static void a_payload_behind_the_signature_is_dropped(void **state)
{
	const struct test_twist t = { .after_sig = true };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_FORM);
}

static void two_sequence_numbers_are_dropped(void **state)
{
	(void)state;
	test_push_begin(&push, &ks->kek);
	gdoi_seq_encode(&push.c, 6);
	test_push_body(&push, ks, 7, NULL, 1, tek, NULL);
	assert_dropped(test_push_seal(&push, ks, &ks->kek, NULL), GM_DROP_PUSH_FORM);
}

static void a_push_without_the_encryption_flag_is_dropped(void **state)
{
	const struct test_twist t = { .clear_flags = true };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_FORM);
}

static void a_push_with_another_flag_is_dropped(void **state)
{
	const struct test_twist t = { .flags = ISAKMP_FLAG_E | ISAKMP_FLAG_C };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_FORM);
}

static void a_push_with_a_message_id_is_dropped(void **state)
{
	const struct test_twist t = { .msgid = 1 };

	(void)state;
	assert_dropped(make(6, &t), GM_DROP_PUSH_FORM);
}

static void a_signature_over_the_padded_length_is_dropped(void **state)
{
	const struct test_twist t = { .padded_len = true };
	uint32_t want = 0;
	struct bytes d;

	(void)state;
	// A body whose length needs padding: otherwise both lengths are the same.
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, NULL);
	want = (uint32_t)push.w.len + 4 + 256;
	if ((want - ISAKMP_HDR_LEN) % 16 == 0)
		skip();
	d = test_push_seal(&push, ks, &ks->kek, &t);
	assert_dropped(d, GM_DROP_PUSH_SIG);
}

static void ciphertext_that_is_not_whole_blocks_is_dropped(void **state)
{
	struct bytes d = make(6, NULL);

	(void)state;
	d.len -= 3;
	push.buf[24] = push.buf[25] = 0;
	push.buf[26] = (uint8_t)(d.len >> 8);
	push.buf[27] = (uint8_t)d.len;
	assert_dropped(d, GM_DROP_PUSH_DECRYPT);
}

static void every_flipped_octet_is_dropped_and_none_moves_the_counter(void **state)
{
	struct bytes d = make(6, NULL);
	uint8_t *b = push.buf;

	(void)state;
	for (size_t i = 0; i < d.len; i++) {
		b[i] ^= 0x40;
		world_datagram(&w, &ks->at, d);
		b[i] ^= 0x40;
		assert_false(has(0x2222));
		assert_int_equal(w.g->keks.kek[0].seq, 5);
	}
	assert_int_equal(w.n_acks, 0);
	world_datagram(&w, &ks->at, d);
	assert_true(has(0x2222));
}

static void a_flood_under_valid_cookies_costs_no_signature(void **state)
{
	uint8_t d[ISAKMP_HDR_LEN + 512];
	struct bytes good = make(6, NULL);

	(void)state;
	memcpy(d, good.p, ISAKMP_HDR_LEN);
	for (int i = 0; i < 1000; i++) {
		rng_fill(&w.rng, d + ISAKMP_HDR_LEN, sizeof(d) - ISAKMP_HDR_LEN);
		isakmp_hdr_len_set(d, sizeof(d));
		world_datagram(&w, &ks->at, BYTES_OF(d));
	}
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_FORM], 1000);
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_SIG], 0);
	assert_int_equal(w.n_acks, 0);
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_true(has(0x2222));
}

static void every_truncation_is_dropped(void **state)
{
	struct bytes d = make(6, NULL);
	size_t whole = d.len;

	(void)state;
	for (size_t len = 0; len < whole; len++) {
		world_datagram(&w, &ks->at, BYTES(d.p, len));
		assert_false(has(0x2222));
	}
	world_datagram(&w, &ks->at, d);
	assert_true(has(0x2222));
}

// ---- content ----

static void refused(struct bytes d, const char *word)
{
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_REFUSED], 1);
	assert_non_null(strstr(w.last_text[EV_GDOI_REKEY_FAILURE], word));
	assert_false(has(0x2222));
	assert_int_equal(w.n_acks, 0);
	// It was authentic: its number is used up.
	assert_int_equal(w.g->keks.kek[0].seq, 6);
	world_until(&w, 1);
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.n_acks, 0);
}

static void an_unknown_transform_installs_nothing_of_the_push(void **state)
{
	(void)state;
	test_ks_tek(ks, "esp-3des esp-sha-hmac", 0x3333, 3600, 2, 1);
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 2, tek, NULL);
	refused(test_push_seal(&push, ks, &ks->kek, NULL), "transform");
}

static void an_unknown_attribute_installs_nothing_of_the_push(void **state)
{
	static const uint8_t gap[] = { GDOI_PL_SAT, 0, 0, 8, 0x80, 99, 0, 1 };
	static uint8_t copy[TKS_DGRAM];
	size_t sa_at = ISAKMP_HDR_LEN + 8, rest;

	(void)state;
	// A GAP with an attribute of type 99, put by hand between SA and the first SAT.
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, NULL);
	rest = push.w.len - (sa_at + 16);
	memcpy(copy, push.buf + sa_at + 16, rest);
	push.w.len = sa_at + 16;
	wr_put(&push.w, gap, sizeof(gap));
	wr_put(&push.w, copy, rest);
	push.c.next_at += sizeof(gap);
	wr_patch16(&push.w, sa_at + 12, GDOI_PL_GAP);
	wr_patch16(&push.w, sa_at + 2,
		   (uint16_t)((push.buf[sa_at + 2] << 8 | push.buf[sa_at + 3]) + sizeof(gap)));
	refused(test_push_seal(&push, ks, &ks->kek, NULL), "attribute");
}

static void a_known_spi_with_another_key_is_refused(void **state)
{
	(void)state;
	tek->sat.spi = 0x1111;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, NULL);
	refused(test_push_seal(&push, ks, &ks->kek, NULL), "SPI");
}

static void a_policy_that_frees_everything_is_refused(void **state)
{
	(void)state;
	tek->sat.proto = GDOI_PROTO_BYPASS;
	refused(make(6, NULL), "without traffic keys");
	assert_true(has(0x1111));
}

static void a_push_under_a_kek_whose_life_is_over_is_dropped_before_timers_ran(void **state)
{
	(void)state;
	w.cut = true;
	w.now = mono_add_s(w.now, 86400); // suspended meanwhile
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_KEK], 1);
	assert_false(has(0x2222));
	assert_int_equal(w.n_acks, 0);
}

// ---- KEK rollover ----

static void a_new_kek_takes_over_with_its_own_counter(void **state)
{
	struct test_kek next;

	(void)state;
	test_kek_make(&next, &ks->rng, "OTHER");
	next.ack = GDOI_ACK_KEK_SHA256;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, &next);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_int_equal(w.g->keks.n, 2);
	assert_memory_equal(w.g->keks.kek[0].spi, next.spi, 16);
	assert_int_equal(w.g->keks.kek[0].seq, 0);
	assert_int_equal(w.n_acks, 1);

	tek = test_ks_tek(ks, "esp-gcm 128", 0x3333, 3600, 1, 2);
	test_push_begin(&push, &next);
	test_push_body(&push, ks, 1, NULL, 1, tek, NULL);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &next, NULL));
	assert_true(has(0x3333));
	assert_int_equal(w.g->keks.kek[0].seq, 1);
}

// Dataplane exempt: the group address, from that key server, at that port.
static bool lets_in(const struct gm_program *p, const struct endpoint *group)
{
	for (size_t i = 0; i < p->n_exempts; i++) {
		const struct dp_exempt *e = &p->exempt[i];

		if (memcmp(e->local, group->addr.b, 4) == 0 && e->port == group->port &&
		    memcmp(e->remote, ks->at.addr.b, 4) == 0)
			return true;
	}
	return false;
}

static void a_group_address_is_listened_to_for_as_long_as_its_kek_lives(void **state)
{
	const struct endpoint group = { addr_from_v4(0xefc00101), 8848 };
	struct endpoint at[GM_MAX_LISTENS];
	struct test_kek next;

	(void)state;
	world_dp_up(&w, 1, 0);
	assert_int_equal(gm_listens(w.gm, at), 0);
	test_kek_make(&next, &ks->rng, "OTHER");
	next.group = group;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, &next);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_int_equal(gm_listens(w.gm, at), 1);
	assert_true(endpoint_eq(&at[0], &group));
	assert_true(lets_in(w.program, &group));

	w.cut = true; // nobody renews it
	world_until(&w, 86400 + 60);
	assert_int_equal(gm_listens(w.gm, at), 0);
}

static void a_kek_of_the_present_spi_with_another_key_is_refused(void **state)
{
	struct test_kek same = ks->kek;

	(void)state;
	same.key.b[0] ^= 1;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 1, tek, &same);
	refused(test_push_seal(&push, ks, &ks->kek, NULL), "KEK SPI");
}

static void a_kek_only_push_is_accepted(void **state)
{
	struct test_kek next;

	(void)state;
	test_kek_make(&next, &ks->rng, "REKEY");
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 6, NULL, 0, NULL, &next);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_memory_equal(w.g->keks.kek[0].spi, next.spi, 16);
	assert_true(has(0x1111));
	assert_int_equal(w.program->rule[0].spi_out, 0x1111);
}

// ---- deletes ----

static void send_deletes(uint32_t seq, const struct isakmp_delete *d, size_t n)
{
	test_push_begin(&push, &ks->kek);
	gdoi_seq_encode(&push.c, seq);
	for (size_t i = 0; i < n; i++)
		isakmp_delete_encode(&push.c, &d[i]);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
}

static void a_delete_outlives_a_download_that_is_older(void **state)
{
	struct gm_keks k = { 0 };
	struct gm_kek kek = { .seq = 1, .life_s = 600 };
	const mono_t now = { 1000 };

	(void)state;
	gm_keks_init(&k);
	gm_keks_put(&k, now, &kek);
	k.kek[0].seq = 2; // of the Delete
	gm_kek_close(&k.kek[0], now);
	gm_keks_put(&k, now, &kek);
	assert_null(gm_keks_current(&k));
	assert_int_equal(k.kek[0].seq, 2);
	kek.seq = 2; // the key server names it again
	gm_keks_put(&k, now, &kek);
	assert_non_null(gm_keks_current(&k));
	gm_keks_fini(&k);
}

static void a_delete_of_one_spi_leaves_the_others(void **state)
{
	const uint32_t gone[] = { 0x1111, 0x9999 };
	uint8_t buf[8];
	struct isakmp_delete d = gdoi_delete_teks(GDOI_PROTO_ESP, gone, 2, buf);

	(void)state;
	tek->sat.src.data[1] = 7; // another line
	world_datagram(&w, &ks->at, make(6, NULL));
	send_deletes(7, &d, 1);
	assert_false(has(0x1111));
	assert_true(has(0x2222));
	assert_int_equal(w.n_acks, 2);
	assert_int_equal(w.n_events[EV_GM_DELETE], 1);
}

static void a_delete_of_ipsec_protocol_3_is_not_esp_here(void **state)
{
	uint8_t buf[4];
	struct isakmp_delete d = gdoi_delete_teks(GDOI_PROTO_IEC61850, NULL, 0, buf);

	(void)state;
	send_deletes(6, &d, 1);
	assert_true(has(0x1111));
}

static void delete_all_makes_the_member_register_again_soon_but_not_at_once(void **state)
{
	uint8_t buf[4];
	struct isakmp_delete d[2] = { gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, buf),
				      gdoi_delete_kek(NULL) };

	(void)state;
	send_deletes(6, d, 2);
	assert_int_equal(w.n_acks, 1); // made with the KEK that it deletes
	assert_false(has(0x1111));
	assert_null(gm_keks_current(&w.g->keks));
	// Fails closed meanwhile.
	assert_int_equal(w.program->n_rules, 1);
	assert_int_equal(w.program->rule[0].action, DP_PROTECT);
	assert_int_equal(w.program->rule[0].spi_out, 0);
	assert_in_range(mono_left_ms(w.g->renew_at, w.now), 0, 5000);
	test_kek_make(&ks->kek, &ks->rng, "REKEY");
	world_until(&w, 6);
	assert_int_equal(ks->pulls, 2);
	assert_int_not_equal(w.program->rule[0].spi_out, 0);
}

static void a_deleted_kek_answers_repetitions_and_takes_nothing_new(void **state)
{
	struct isakmp_delete d = gdoi_delete_kek(ks->kek.spi);
	struct test_push first;

	(void)state;
	ks->dead = true;
	send_deletes(6, &d, 1);
	first = push;
	world_until(&w, 1);
	world_datagram(&w, &ks->at, BYTES(first.buf, first.w.len));
	assert_int_equal(w.n_acks, 2);
	world_datagram(&w, &ks->at, make(7, NULL));
	assert_false(has(0x2222));
	assert_int_equal(w.gm->drops[GM_DROP_PUSH_KEK], 1);
	world_until(&w, 62);
	assert_int_equal(w.g->keks.n, 0);
}

// ---- acknowledgements ----

static void a_repeated_push_is_answered_again_but_not_at_any_rate(void **state)
{
	struct bytes d = make(6, NULL);

	(void)state;
	world_datagram(&w, &ks->at, d);
	world_datagram(&w, &ks->at, d);
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.n_acks, 1);
	world_until(&w, 1);
	world_datagram(&w, &ks->at, d);
	assert_int_equal(w.n_acks, 2);
}

static void nothing_is_answered_where_nothing_was_asked(void **state)
{
	(void)state;
	w.g->keks.kek[0].ack = 0;
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_true(has(0x2222));
	assert_int_equal(w.n_acks, 0);
}

static void an_answer_with_a_key_tree_is_left_out_and_the_push_accepted(void **state)
{
	(void)state;
	w.g->keks.kek[0].ack = GDOI_ACK_LKH_SHA256;
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_true(has(0x2222));
	assert_int_equal(w.n_acks, 0);
}

static void multicast_answers_are_spread(void **state)
{
	(void)state;
	w.g->keks.kek[0].group = (struct endpoint){ addr_from_v4(0xefc00101), 848 };
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_int_equal(w.n_acks, 0);
	world_until(&w, 2);
	assert_int_equal(w.n_acks, 1);
}

// The whole answer against RFC 8263, computed here from prf alone. L is 512 for SHA-256.
static void the_answer_is_what_rfc_8263_says(void **state)
{
	const uint8_t l[2] = { 0x02, 0x00 };
	struct bytes parts[3] = { BYTES("GROUPKEY-PUSH ACK", 18), BYTES(ks->kek.spi, 16),
				  BYTES_OF(l) };
	uint8_t key[32], hash[32];
	const uint8_t *a = w.ack_buf;
	const uint8_t want_seq[] = { 5, 0, 0, 8, 0, 0, 0, 6 };
	const uint8_t want_id[] = { 0, 0, 0, 12, 1, 0, 0, 0, 192, 0, 2, 1 };

	(void)state;
	world_datagram(&w, &ks->at, make(6, NULL));
	assert_int_equal(w.ack.len, 28 + 36 + 8 + 12);
	assert_memory_equal(a, ks->kek.spi, 16);
	assert_int_equal(a[16], ISAKMP_PL_HASH);
	assert_int_equal(a[17], 0x10);
	assert_int_equal(a[18], 35);
	assert_int_equal(a[19], 0);
	assert_memory_equal(a + 20, "\0\0\0\0", 4);
	assert_int_equal(a[27], w.ack.len);
	assert_int_equal(a[28], GDOI_PL_SEQ);
	assert_memory_equal(a + 64, want_seq, sizeof(want_seq));
	assert_memory_equal(a + 72, want_id, sizeof(want_id));
	assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES(ks->kek.key.b, 32), parts, 3, key), 0);
	parts[0] = BYTES(a + 64, 20);
	assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES_OF(key), parts, 1, hash), 0);
	assert_memory_equal(a + 32, hash, 32);
}

// ---- with espd ----

static void a_restart_of_espd_is_given_everything_under_the_spare_id(void **state)
{
	uint32_t before;

	(void)state;
	world_datagram(&w, &ks->at, make(6, NULL));
	before = w.program->sa[0].sid;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_DOWN });
	world_forget(&w);
	world_dp_up(&w, 0xb2, 0);
	assert_int_equal(w.n_programs, 1);
	assert_int_not_equal(w.program->sa[0].sid, before);
	assert_int_equal(ks->pulls, 1);
}

static void a_second_restart_of_espd_registers_again_before_sending(void **state)
{
	uint32_t used[2];

	(void)state;
	used[0] = w.program->sa[0].sid;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_DOWN });
	world_dp_up(&w, 0xb2, 0);
	used[1] = w.program->sa[0].sid;
	ks->dead = true;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_DOWN });
	world_dp_up(&w, 0xb3, 0);
	assert_int_equal(w.program->rule[0].spi_out, 0);
	assert_int_equal(w.program->sa[0].dir, DP_DIR_IN);
	ks->dead = false;
	world_until(&w, 3);
	assert_int_equal(ks->pulls, 2);
	assert_int_not_equal(w.program->rule[0].spi_out, 0);
	for (size_t i = 0; i < w.program->n_sas; i++) {
		assert_int_not_equal(w.program->sa[i].sid, used[0]);
		assert_int_not_equal(w.program->sa[i].sid, used[1]);
	}
}

static void a_broken_connection_to_the_same_espd_keeps_its_id(void **state)
{
	uint32_t before = w.program->sa[0].sid;

	(void)state;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_DOWN });
	world_dp_up(&w, 0xb1, 9);
	assert_int_equal(w.program->sa[0].sid, before);
	assert_true(w.program->generation > 9);
}

static void low_iv_space_fetches_new_ids(void **state)
{
	const struct dp_note n = { .kind = DP_NOTE_IV_SOON, .spi = 0x1111 };

	(void)state;
	world_event(&w, (struct gm_event){ .kind = GM_EV_DP_NOTE, .note = &n });
	world_until(&w, 1);
	assert_int_equal(ks->pulls, 2);
	assert_int_equal(w.program->sa[0].sid, 2);
}

static void a_new_gmd_lets_a_working_espd_keep_what_it_has_until_it_has_registered(void **state)
{
	(void)state;
	world_fini(&w);
	world_init(&w, 1, &world_signer);
	ks = &w.ks[0];
	test_ks_tek(ks, "esp-gcm 128", 0x1111, 3600, 1, 2);
	ks->dead = true;
	world_register(&w);
	world_dp_up(&w, 0xb1, 7);
	world_until(&w, 5);
	assert_int_equal(w.n_programs, 1);
	assert_int_equal(w.program->part[0].head.standing, DP_KEEP);
	assert_true(w.program->generation > 7);
	ks->dead = false;
	world_until(&w, 30);
	assert_int_equal(w.n_programs, 2);
	assert_int_equal(w.program->part[0].head.standing, DP_LIVE);
}

static void keys_that_ended_leave_rules_that_drop(void **state)
{
	(void)state;
	ks->dead = true;
	world_until(&w, 3601);
	assert_int_equal(w.program->n_sas, 0);
	assert_int_equal(w.program->n_rules, 1);
	assert_int_equal(w.program->rule[0].action, DP_PROTECT);
	assert_int_equal(w.program->rule[0].spi_out, 0);
}

static void a_refused_program_is_given_again(void **state)
{
	const struct dp_result no = { .status = -EINVAL, .of = DP_SA };
	const struct gm_event ev = { .kind = GM_EV_DP_RESULT, .result = &no };

	(void)state;
	w.gm->dp.state = GM_DP_BUSY;
	world_event(&w, ev);
	assert_int_equal(w.n_programs, 0);
	world_until(&w, 6);
	assert_int_equal(w.n_programs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, registered, end)
		T(a_push_brings_keys_and_is_answered),
		T(pseudotime_of_a_push_moves_forward_only_and_another_epoch_sets_it),
		T(a_refused_push_does_not_move_pseudotime),
		T(another_make_cannot_send_our_pseudotime),
		T(another_make_cannot_send_our_anti_replay),
		T(anti_replay_of_a_key_is_kept_and_shown),
		T(the_log_line_carries_the_tag_of_the_rekey),
		T(numbers_may_be_left_out),
		T(rsa_over_the_bare_hash_is_accepted_by_default),
		T(rsa_over_the_bare_hash_can_be_refused),
		T(atd_and_dtd_of_a_push_are_kept),
		T(a_push_of_an_unknown_kek_is_dropped),
		T(a_push_from_a_server_that_is_not_listed_is_dropped),
		T(a_replayed_push_changes_nothing),
		T(a_lower_number_is_dropped),
		T(the_number_of_the_registration_is_dropped),
		T(a_far_number_with_a_bad_signature_does_not_move_the_counter),
		T(another_signing_key_is_dropped),
		T(a_push_without_signature_is_dropped),
		T(a_payload_behind_the_signature_is_dropped),
		T(two_sequence_numbers_are_dropped),
		T(a_push_without_the_encryption_flag_is_dropped),
		T(a_push_with_another_flag_is_dropped),
		T(a_push_with_a_message_id_is_dropped),
		T(a_signature_over_the_padded_length_is_dropped),
		T(ciphertext_that_is_not_whole_blocks_is_dropped),
		T(every_flipped_octet_is_dropped_and_none_moves_the_counter),
		T(a_flood_under_valid_cookies_costs_no_signature),
		T(every_truncation_is_dropped),
		T(an_unknown_transform_installs_nothing_of_the_push),
		T(an_unknown_attribute_installs_nothing_of_the_push),
		T(a_known_spi_with_another_key_is_refused),
		T(a_policy_that_frees_everything_is_refused),
		T(a_push_under_a_kek_whose_life_is_over_is_dropped_before_timers_ran),
		T(a_new_kek_takes_over_with_its_own_counter),
		T(a_group_address_is_listened_to_for_as_long_as_its_kek_lives),
		T(a_kek_of_the_present_spi_with_another_key_is_refused),
		T(a_kek_only_push_is_accepted),
		T(a_delete_outlives_a_download_that_is_older),
		T(a_delete_of_one_spi_leaves_the_others),
		T(a_delete_of_ipsec_protocol_3_is_not_esp_here),
		T(delete_all_makes_the_member_register_again_soon_but_not_at_once),
		T(a_deleted_kek_answers_repetitions_and_takes_nothing_new),
		T(a_repeated_push_is_answered_again_but_not_at_any_rate),
		T(nothing_is_answered_where_nothing_was_asked),
		T(an_answer_with_a_key_tree_is_left_out_and_the_push_accepted),
		T(multicast_answers_are_spread),
		T(the_answer_is_what_rfc_8263_says),
		T(a_restart_of_espd_is_given_everything_under_the_spare_id),
		T(a_second_restart_of_espd_registers_again_before_sending),
		T(a_broken_connection_to_the_same_espd_keeps_its_id),
		T(low_iv_space_fetches_new_ids),
		T(a_new_gmd_lets_a_working_espd_keep_what_it_has_until_it_has_registered),
		T(keys_that_ended_leave_rules_that_drop),
		T(a_refused_program_is_given_again),
	};

	return cmocka_run_group_tests(tests, keys_once, world_signer_end);
}
