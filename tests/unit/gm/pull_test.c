#include "tests/unit/unit.h"

#include "tests/unit/gm/world.h"

static struct world w;

static int one_ks(void **state)
{
	(void)state;
	world_init(&w, 1, &world_signer);
	return 0;
}

static int two_ks(void **state)
{
	(void)state;
	world_init(&w, 2, &world_signer);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static void a_member_registers_and_holds_what_it_was_given(void **state)
{
	const struct gm_tek *k;

	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].kek.seq = 7;
	world_register(&w);
	assert_true(w.g->registered);
	assert_int_equal(w.ks[0].group_asked, 1234);
	assert_int_equal(w.ks[0].sids_asked, GM_SIDS_WANTED);
	k = gm_teks_find(&w.g->teks, 0x1111);
	assert_non_null(k);
	assert_memory_equal(k->key.b, w.ks[0].tek[0].key, 20);
	assert_string_equal(k->transform, "esp-gcm 128");
	assert_int_equal(w.g->keks.kek[0].seq, 7);
	assert_true(secret_eq(&w.g->keks.kek[0].key, &w.ks[0].kek.key));
	assert_int_equal(w.g->sids.n, 2);
	assert_int_equal(w.n_events[EV_GM_REGSTER], 1);
	assert_int_equal(w.n_events[EV_GM_REGS_COMPL], 1);
	assert_true(w.g->ks_conclave);
}

static void cbc_policy_asks_for_no_sender_id(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-256-aes esp-sha256-hmac", 0x1111, 3600, 1, 2);
	world_register(&w);
	assert_true(w.g->registered);
	assert_int_equal(w.ks[0].sids_asked, 0);
	assert_int_equal(gm_teks_find(&w.g->teks, 0x1111)->auth.len, 32);
}

static void a_dead_first_server_costs_one_timeout(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[1], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].dead = true;
	world_register(&w);
	world_until(&w, 10);
	assert_false(w.g->registered);
	world_until(&w, 12);
	assert_true(w.g->registered);
	assert_true(addr_eq(&w.g->registered_with, &w.ks[1].at.addr));
	assert_int_equal(w.ks[0].datagrams, 4);
	assert_int_equal(w.n_events[EV_GM_REGS_FAIL], 1);
}

static void rounds_in_vain_are_spaced_further_and_further(void **state)
{
	int64_t waits[4];

	(void)state;
	w.ks[0].dead = true;
	world_register(&w);
	for (size_t i = 0; i < 4; i++) {
		while (w.g->reg.rounds == i)
			world_until(&w, w.now.ms / 1000 + 1);
		waits[i] = mono_left_ms(w.g->reg.next, w.now);
	}
	// Half of it, to half more; less what passed until we look.
	assert_in_range(waits[0], 1000, 6000);
	assert_in_range(waits[1], 3000, 12000);
	assert_in_range(waits[2], 7000, 24000);
	assert_in_range(waits[3], 15000, 48000);
}

// Told to register again, or asked to, it begins anew with short pauses.
static void a_new_reason_to_register_does_not_pay_for_old_failures(void **state)
{
	(void)state;
	w.ks[0].dead = true;
	world_register(&w);
	while (w.g->reg.rounds < 4)
		world_until(&w, w.now.ms / 1000 + 1);
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	while (w.g->reg.rounds == 0)
		world_until(&w, w.now.ms / 1000 + 1);
	assert_int_equal(w.g->reg.rounds, 1);
	assert_in_range(mono_left_ms(w.g->reg.next, w.now), 1000, 6000);
}

static void a_server_that_comes_back_is_found(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].dead = true;
	world_register(&w);
	world_until(&w, 30);
	w.ks[0].dead = false;
	world_until(&w, 60);
	assert_true(w.g->registered);
}

static void an_identity_that_is_no_configured_server_is_refused(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].id = addr_from_v4(0x0a0000fe);
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(w.n_events[EV_GM_REJECTED], 1);
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "identity"));
	assert_int_equal(w.ks[0].group_asked, 0);
}

static struct isakmp_id fqdn(const char *name)
{
	return (struct isakmp_id){ .type = ISAKMP_ID_FQDN, .data = BYTES(name, strlen(name)) };
}

// With a pre-shared key the address we call is proved; the name is one we must know.
static void a_server_that_names_itself_is_known_by_its_name(void **state)
{
	struct gm_conf *c = world_conf(&w);
	const char *why;

	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	c->group[0].n_servers = 1;
	c->group[0].n_server_names = 1;
	assert_int_equal(id_pattern_parse("ks1.example.net", &c->group[0].server_name[0], &why), 0);
	w.ks[0].conf.own_id = fqdn("ks2.example.net");
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	w.g = w.gm->group[0];
	assert_int_equal(w.n_events[EV_GM_REJECTED], 1);
	w.ks[0].conf.own_id = fqdn("ks1.example.net");
	world_until(&w, 20);
	assert_true(w.g->registered);
}

static bool offer(struct gm_accept accept, uint16_t key_bits, uint16_t sig_hash, const char **why)
{
	static struct gdoi_sa sa;

	sa = (struct gdoi_sa){ .has_sak = true };
	test_ks_fill_sak(&w.ks[0].kek, &sa.sak);
	sa.sak.key_bits = key_bits;
	sa.sak.sig_hash = sig_hash;
	return gm_offer_judge(&sa, accept, why);
}

static void sha1_is_accepted_where_an_operator_said_so(void **state)
{
	const struct gm_accept strict = { 0 }, lax = { .sha1 = true };
	const char *why = NULL;

	(void)state;
	assert_true(offer(strict, 256, GDOI_SIG_HASH_SHA256, &why));
	assert_false(offer(strict, 256, GDOI_SIG_HASH_SHA1, &why));
	assert_non_null(strstr(why, "accept_sha1"));
	assert_true(offer(lax, 256, GDOI_SIG_HASH_SHA1, &why));
	assert_false(offer(lax, 256, GDOI_SIG_HASH_MD5, &why));
}

static void an_aes_kek_has_a_length(void **state)
{
	const struct gm_accept strict = { 0 };
	const char *why = NULL;

	(void)state;
	assert_false(offer(strict, 0, GDOI_SIG_HASH_SHA256, &why));
	assert_string_equal(why, "an AES KEK without KEK_KEY_LENGTH");
}

// Ten thousand members that were given their keys together: how many renew in the worst second?
static void members_do_not_renew_together(void **state)
{
	const unsigned members = 10000;
	unsigned bin[80] = { 0 }, worst = 0, used = 0;
	mono_t end;

	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	end = gm_teks_end(&w.g->teks);
	for (unsigned i = 0; i < members; i++) {
		gm_reg_plan_renewal(w.gm, w.g, w.now);
		assert_in_range(end.ms - w.g->renew_at.ms, 20000, 72000);
		bin[(end.ms - w.g->renew_at.ms) / 1000]++;
	}
	for (size_t i = 0; i < N_ELEMS(bin); i++) {
		worst = MAX_OF(worst, bin[i]);
		used += bin[i] > 0;
	}
	assert_true(used >= 52);
	assert_true(worst <= members / 52 * 3 / 2);
}

// The same that lost their only key server in one moment, after some rounds.
static void members_that_wait_for_a_server_come_apart(void **state)
{
	unsigned bin[100] = { 0 }, worst = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		bin[gm_reg_backoff_ms(&w.rng, 5) / 1000]++;
	for (size_t i = 0; i < N_ELEMS(bin); i++)
		worst = MAX_OF(worst, bin[i]);
	assert_int_equal(bin[29], 0);
	assert_true(worst <= 3000 / 60 * 2);
}

static void a_wrong_psk_registers_nothing(void **state)
{
	(void)state;
	assert_int_equal(secret_set(&w.ks[0].psk, "other", 5), 0);
	world_register(&w);
	world_until(&w, 30);
	assert_false(w.g->registered);
	assert_true(w.n_events[EV_GM_REGS_FAIL] >= 1);
}

static void a_transform_we_lack_is_answered_by_a_delete(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-3des esp-sha-hmac", 0x1111, 3600, 1, 2);
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(w.ks[0].deletes, 1);
	assert_null(w.ks[0].sa);
	assert_int_equal(w.g->teks.n, 0);
}

static void transport_mode_is_refused(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2)->sat.encap = IPSEC_ENCAP_TRANSPORT;
	world_register(&w);
	assert_false(w.g->registered);
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "tunnel"));
}

static void no_encapsulation_mode_is_tunnel_mode(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2)->sat.encap = 0;
	world_register(&w);
	assert_true(w.g->registered);
}

static void an_unknown_kek_attribute_aborts_without_a_partial_install(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].unknown_attr = true;
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(w.n_events[EV_GM_REJECTED], 1);
	assert_int_equal(w.ks[0].deletes, 1);
	assert_int_equal(w.g->teks.n, 0);
	assert_int_equal(w.g->keks.n, 0);
}

static void a_key_of_the_wrong_length_aborts_without_a_partial_install(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x2222, 3600, 2, 1)->key_len = 16;
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(w.g->teks.n, 0);
	assert_int_equal(w.g->keks.n, 0);
	assert_int_equal(w.ks[0].deletes, 1);
}

static void counter_mode_without_a_sender_id_is_refused(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].no_sid = true;
	world_register(&w);
	assert_false(w.g->registered);
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "sender id"));
}

static void a_message_with_a_wrong_hash_changes_nothing(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].bad_hash_2 = true;
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(w.g->reg.state, GM_REG_PULL2);
	assert_int_equal(w.gm->ike_refused[IKE_R_BAD_HASH] + w.gm->ike_refused[IKE_R_MALFORMED], 1);
	assert_int_equal(w.ks[0].deletes, 0);
}

static void lost_messages_are_sent_again(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.cut = true;
	world_register(&w);
	w.cut = false;
	world_until(&w, 2);
	assert_true(w.g->registered);
}

static void a_registration_without_rekey_sa_has_no_sequence_number(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].no_sak = true;
	world_register(&w);
	assert_true(w.g->registered);
	assert_null(gm_keks_current(&w.g->keks));
}

static void the_phase_1_sa_is_deleted_after_half_a_minute(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	world_until(&w, 29);
	assert_int_equal(w.ks[0].deletes, 0);
	world_until(&w, 31);
	assert_int_equal(w.ks[0].deletes, 1);
	assert_false(w.g->reg.sa_used);
}

static void a_member_registers_again_before_its_world_signer_end(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	assert_in_range(w.g->renew_at.ms, 3528000, 3580000);
	world_until(&w, 3520);
	assert_int_equal(w.ks[0].pulls, 1);
	world_until(&w, 3582);
	assert_int_equal(w.ks[0].pulls, 2);
	assert_int_equal(w.n_events[EV_GM_RE_REGISTER], 1);
}

static void short_lives_have_short_margins(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 100, 1, 2);
	world_register(&w);
	assert_in_range(w.g->renew_at.ms, 87000, 97000);
}

static void an_operator_can_have_it_register_again(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	world_until(&w, 1);
	assert_int_equal(w.ks[0].pulls, 2);
	assert_int_equal(w.g->sids.sid[0].value, 2);
	assert_int_equal(w.g->n.registrations, 2);
}

static void a_lower_sequence_number_of_a_later_pull_is_stale(void **state)
{
	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	w.ks[0].kek.seq = 9;
	world_register(&w);
	w.ks[0].kek.seq = 4;
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	world_until(&w, 1);
	assert_int_equal(w.ks[0].pulls, 2);
	assert_int_equal(w.g->keks.n, 1);
	assert_int_equal(w.g->keks.kek[0].seq, 9);
}

static void reload_keeps_a_group_that_did_not_change(void **state)
{
	struct gm_conf *c;

	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = world_conf(&w) });
	assert_true(w.gm->group[0]->registered);
	assert_int_equal(w.ks[0].pulls, 1);
	c = world_conf(&w);
	c->group[0].identity = 99;
	world_event(&w, (struct gm_event){ .kind = GM_EV_CONFIG, .conf = c });
	world_until(&w, 1);
	assert_int_equal(w.ks[0].pulls, 2);
	assert_int_equal(w.ks[0].group_asked, 99);
}

static void garbage_is_counted_and_dropped(void **state)
{
	uint8_t b[64] = { 0 };

	(void)state;
	test_ks_tek(&w.ks[0], "esp-gcm 128", 0x1111, 3600, 1, 2);
	world_register(&w);
	world_datagram(&w, &w.ks[0].at, BYTES(b, 5));
	assert_int_equal(w.gm->drops[GM_DROP_MALFORMED], 1);
	b[17] = ISAKMP_VERSION;
	b[18] = GDOI_XCH_PULL;
	b[27] = sizeof(b);
	b[16] = ISAKMP_PL_HASH;
	world_datagram(&w, &w.ks[0].at, BYTES(b, sizeof(b)));
	assert_int_equal(w.gm->drops[GM_DROP_COOKIE], 1);
	b[18] = 77;
	world_datagram(&w, &w.ks[0].at, BYTES(b, sizeof(b)));
	assert_int_equal(w.gm->drops[GM_DROP_EXCHANGE], 1);
}

static void the_answer_of_another_address_is_refused(void **state)
{
	const struct endpoint mallory = { addr_from_v4(0x0a000063), 848 };
	uint8_t b[64] = { 0 };

	(void)state;
	w.ks[0].dead = true;
	world_register(&w);
	memcpy(b, w.g->reg.sa.cky_i, 8);
	b[15] = 1;
	b[16] = ISAKMP_PL_SA;
	b[17] = ISAKMP_VERSION;
	b[18] = ISAKMP_XCH_MAIN;
	b[27] = sizeof(b);
	world_datagram(&w, &mallory, BYTES(b, sizeof(b)));
	assert_int_equal(w.gm->ike_refused[IKE_R_WRONG_SOURCE], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name)	 cmocka_unit_test_setup_teardown(name, one_ks, end)
#define T2(name) cmocka_unit_test_setup_teardown(name, two_ks, end)
		T(a_member_registers_and_holds_what_it_was_given),
		T(cbc_policy_asks_for_no_sender_id),
		T2(a_dead_first_server_costs_one_timeout),
		T(rounds_in_vain_are_spaced_further_and_further),
		T(a_new_reason_to_register_does_not_pay_for_old_failures),
		T(a_server_that_comes_back_is_found),
		T(an_identity_that_is_no_configured_server_is_refused),
		T(a_server_that_names_itself_is_known_by_its_name),
		T(sha1_is_accepted_where_an_operator_said_so),
		T(an_aes_kek_has_a_length),
		T(members_do_not_renew_together),
		T(members_that_wait_for_a_server_come_apart),
		T(a_wrong_psk_registers_nothing),
		T(a_transform_we_lack_is_answered_by_a_delete),
		T(transport_mode_is_refused),
		T(no_encapsulation_mode_is_tunnel_mode),
		T(an_unknown_kek_attribute_aborts_without_a_partial_install),
		T(a_key_of_the_wrong_length_aborts_without_a_partial_install),
		T(counter_mode_without_a_sender_id_is_refused),
		T(a_message_with_a_wrong_hash_changes_nothing),
		T(lost_messages_are_sent_again),
		T(a_registration_without_rekey_sa_has_no_sequence_number),
		T(the_phase_1_sa_is_deleted_after_half_a_minute),
		T(a_member_registers_again_before_its_world_signer_end),
		T(short_lives_have_short_margins),
		T(an_operator_can_have_it_register_again),
		T(a_lower_sequence_number_of_a_later_pull_is_stale),
		T(reload_keeps_a_group_that_did_not_change),
		T(garbage_is_counted_and_dropped),
		T(the_answer_of_another_address_is_refused),
	};

	return cmocka_run_group_tests(tests, world_signer_make, world_signer_end);
}
