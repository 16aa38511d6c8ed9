// The key server's side of each choice that the RFCs leave: what members get in either reading.
#include "tests/unit/ks/ks_world.h"

#include "common/ike/info.h"
#include "ks/keys.h"

static struct gdoi_wire_opts *general(struct world *w)
{
	return &w->ks.ike.wire;
}

static void tree(struct ks_conf *c)
{
	c->groups[0].kek.lkh_degree = 2;
}

static void rsa(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	assert_int_equal(signer_generate(&c->store->signer, "RSA", SIGN_RSA, 2048), 0);
	snprintf(k->sign_label, sizeof(k->sign_label), "RSA");
	k->sign_alg = SIGN_RSA;
	k->sign_bits = 2048;
	k->sign_hash = HASH_ALG_SHA256;
}

static void short_kek(struct ks_conf *c)
{
	c->groups[0].kek.life_s = 600;
}

static void lifetimes_may_be_sent_whole(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	general(w)->send_total_life = true;
	world_pass(w, 1000 * 1000);
	world_register(w, m);
	assert_int_equal(m->sat[0].life_s, 3600);
	assert_int_equal(m->sak.life_s, 86400);
	world_free(w);
}

static void a_registration_during_a_rollover_tells_the_delay_unless_it_must_not(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *early = world_member(w, "192.0.2.1");
	struct test_member *late = world_member(w, "192.0.2.2");
	struct test_member *later = world_member(w, "192.0.2.3");

	(void)state;
	world_register(w, early);
	assert_true(world_rekey(w));
	world_register(w, late);
	assert_true(late->has_gap && late->gap.has_atd);
	general(w)->send_atd_in_pull = false;
	world_register(w, later);
	assert_true(later->has_gap && !later->gap.has_atd);
	world_free(w);
}

static void a_key_tree_is_named_in_a_registration_only_where_asked_for(void **state)
{
	struct world *w = world_new(tree);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->sak.management, 0);
	general(w)->send_kek_management_in_pull = true;
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->sak.management, GDOI_KEK_MANAGEMENT_LKH);
	world_free(w);
}

static void acknowledgements_may_be_asked_for_nowhere(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	general(w)->send_ack_request = false;
	world_register(w, m);
	assert_int_equal(m->sak.ack, 0);
	assert_true(world_rekey(w));
	world_pass(w, 120000);
	assert_int_equal(w->events[EV_KS_REKEY_ACK_MISSING], 0);
	world_free(w);
}

static void the_signers_key_may_travel_as_pkcs1(void **state)
{
	struct world *w = world_new(rsa);
	struct test_member *m = world_member(w, "192.0.2.1");
	const struct kek *k = &world_group(w)->keys.kek;
	struct bytes spki = BYTES(k->pub, k->pub_len), bare = pubkey_pkcs1(spki);
	struct pubkey *key;

	(void)state;
	assert_true(bare.len < spki.len);
	assert_int_equal(pubkey_decode(bare, &key), 0);
	pubkey_free(key);
	general(w)->sig_key_pkcs1 = true;
	world_register(w, m);
	assert_true(world_rekey(w));
	assert_int_equal(m->n_push, 1);
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void sequence_numbers_may_go_on_across_keks(void **state)
{
	struct world *w = world_new(short_kek);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	general(w)->seq_across_keks = true;
	world_register(w, m);
	assert_true(world_rekey(w)); // SEQ 1
	world_pass(w, 485000);	     // SEQ 2 brings the new KEK
	assert_int_equal(world_group(w)->keys.kek.seq, 2);
	assert_true(world_rekey(w));
	assert_int_equal(m->seq, 3);
	assert_int_equal(m->n_push_bad, 0);
	world_free(w);
}

static void a_new_kek_may_have_to_bring_teks(void **state)
{
	struct world *w = world_new(short_kek);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint32_t spi;

	(void)state;
	general(w)->send_kek_only_push = false;
	world_register(w, m);
	spi = m->sat[0].spi;
	world_pass(w, 485000);
	assert_int_equal(m->n_push, 1);
	assert_int_not_equal(m->sat[0].spi, spi);
	world_free(w);
}

static void signatures_cover_the_header_in_the_reading_that_is_asked_for(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	world_register(w, m);
	general(w)->sign_hdr_padded_len = general(w)->sign_hdr_without_e = true;
	assert_true(world_rekey(w));
	assert_int_equal(m->n_push_bad, 1);
	assert_string_equal(m->why, "signature");
	w->gm_conf.wire.sign_hdr_padded_len = w->gm_conf.wire.sign_hdr_without_e = true;
	world_pass(w, 11000); // the same again
	assert_int_equal(m->n_push, 1);
	world_free(w);
}

static void a_group_one_may_not_have_answers_as_one_that_does_not_exist(void **state)
{
	struct world *w = world_new(NULL);
	struct ks_group_conf *c = &w->ks.conf->groups[0];
	struct test_member *m[2] = { world_member(w, "192.0.2.1"), world_member(w, "192.0.2.2") };
	static const uint16_t want[2] = { ISAKMP_N_INVALID_ID_INFORMATION,
					  ISAKMP_N_AUTHENTICATION_FAILED };

	(void)state;
	c->authorized = calloc(1, sizeof(struct prefix));
	assert_int_equal(prefix_parse("198.51.100.0/24", c->authorized), 0);
	c->n_authorized = 1;
	for (size_t i = 0; i < 2; i++) {
		general(w)->refused_group_notify = want[i];
		tm_start(m[i], w->now);
		world_settle(w);
		assert_int_equal(m[i]->notify, want[i]);
		m[i]->notify = 0;
		m[i]->group = 4321;
		tm_pull(m[i], w->now);
		world_settle(w);
		assert_int_equal(m[i]->notify, want[i]);
	}
	world_free(w);
}

static void a_delete_of_the_offered_kek_ends_the_exchange_too(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	(void)state;
	world_register(w, m);
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(ike_info_delete_kek(&m->sa, m->kek_spi, buf, sizeof(buf), &msg), 0);
	world_inject(w, &m->self, msg);
	assert_int_equal(w->ks.sas.n, 0);
	world_free(w);
}

static void notifies_of_another_doi_may_be_refused(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	(void)state;
	w->gm_conf.wire.notify_doi = ISAKMP_DOI_IPSEC;
	world_register(w, m);
	general(w)->accept_other_notify_doi = false;
	assert_int_equal(ike_info_delete_sa(&m->sa, buf, sizeof(buf), &msg), 0);
	world_inject(w, &m->self, msg);
	assert_int_equal(w->ks.sas.n, 1);
	assert_int_equal(w->ks.ike_refused[IKE_R_MALFORMED], 1);
	general(w)->accept_other_notify_doi = true;
	assert_int_equal(ike_info_delete_sa(&m->sa, buf, sizeof(buf), &msg), 0);
	world_inject(w, &m->self, msg);
	assert_int_equal(w->ks.sas.n, 0);
	world_free(w);
}

static void a_group_may_be_asked_for_in_the_other_octet_order(void **state)
{
	struct world *w = world_new(NULL);
	struct test_member *m = world_member(w, "192.0.2.1");

	(void)state;
	w->gm_conf.wire.group_id_little_endian = true;
	tm_start(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REFUSED);
	general(w)->group_id_little_endian = true;
	tm_pull(m, w->now);
	world_settle(w);
	assert_int_equal(m->state, TM_REGISTERED);
	world_free(w);
}

// ---- peers of one group that read differently ----

// 192.0.2.9 wants identity lengths of two octets, and takes no others.
static void nine_is_different(struct ks_conf *c)
{
	struct ike_settings *i = &c->ike;

	i->form[0] = i->form[1] = gdoi_wire_opts_default();
	i->form[1].sat_id_len = 2;
	i->form[1].sak_id_len = 2;
	i->n_forms = 2;
	i->peer = calloc(1, sizeof(*i->peer));
	i->n_peers = 1;
	assert_int_equal(prefix_parse("192.0.2.9/32", &i->peer[0].peer), 0);
	i->peer[0].form = 1;
}

static void each_member_of_a_mixed_group_is_written_to_in_its_own_form(void **state)
{
	struct world *w = world_new(nine_is_different);
	struct test_member *usual = world_member(w, "192.0.2.1");
	struct test_member *nine = world_member(w, "192.0.2.9");
	struct ike_conf strict = w->gm_conf;

	(void)state;
	w->gm_conf.wire.accept_other_id_len = false;
	strict.wire.accept_other_id_len = false;
	strict.wire.sat_id_len = strict.wire.sak_id_len = 2;
	nine->conf = &strict;
	world_register(w, usual);
	world_register(w, nine);
	assert_true(world_rekey(w));
	assert_int_equal(usual->n_push, 1);
	assert_int_equal(nine->n_push, 1);
	assert_int_equal(usual->n_push_bad + nine->n_push_bad, 0);
	assert_int_equal(usual->tek[0].spi, nine->tek[0].spi);
	assert_int_equal(usual->seq, nine->seq);
	assert_int_equal(world_group(w)->push.n_acks, 2);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lifetimes_may_be_sent_whole),
		cmocka_unit_test(
			a_registration_during_a_rollover_tells_the_delay_unless_it_must_not),
		cmocka_unit_test(a_key_tree_is_named_in_a_registration_only_where_asked_for),
		cmocka_unit_test(acknowledgements_may_be_asked_for_nowhere),
		cmocka_unit_test(the_signers_key_may_travel_as_pkcs1),
		cmocka_unit_test(sequence_numbers_may_go_on_across_keks),
		cmocka_unit_test(a_new_kek_may_have_to_bring_teks),
		cmocka_unit_test(signatures_cover_the_header_in_the_reading_that_is_asked_for),
		cmocka_unit_test(a_group_one_may_not_have_answers_as_one_that_does_not_exist),
		cmocka_unit_test(a_delete_of_the_offered_kek_ends_the_exchange_too),
		cmocka_unit_test(notifies_of_another_doi_may_be_refused),
		cmocka_unit_test(a_group_may_be_asked_for_in_the_other_octet_order),
		cmocka_unit_test(each_member_of_a_mixed_group_is_written_to_in_its_own_form),
	};

	return cmocka_run_group_tests_name("ks/wire", tests, NULL, NULL);
}
