// The member's side of each choice that the RFCs leave.
#include "tests/unit/unit.h"

#include "tests/unit/gm/world.h"

static struct world w;
static struct test_push push;
static struct test_ks *ks;

static int with_a_tek(void **state)
{
	(void)state;
	world_init(&w, 1, &world_signer);
	ks = &w.ks[0];
	test_ks_tek(ks, "esp-gcm 128", 0x1111, 3600, 1, 2);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_fini(&w);
	return 0;
}

static bool registers_again(void)
{
	uint32_t n = w.g->n.registrations;

	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	return w.g->n.registrations > n;
}

static void a_refused_policy_is_answered_by_one_delete_or_by_one_of_its_kek_too(void **state)
{
	(void)state;
	ks->tek[0].sat.encap = IPSEC_ENCAP_TRANSPORT;
	world_register(&w);
	assert_false(w.g->registered);
	assert_int_equal(ks->deletes, 1);
	assert_int_equal(ks->kek_deletes, 0);
	w.g->ike.wire.reject_with_kek_delete = true;
	ks->deletes = 0;
	world_until(&w, 10);
	assert_in_range(ks->deletes, 1, 3);
	assert_int_equal(ks->kek_deletes, ks->deletes);
}

static void sender_ids_may_be_waited_for(void **state)
{
	(void)state;
	world_register(&w);
	assert_int_equal(ks->sids_asked, GM_SIDS_WANTED);
	w.g->ike.wire.send_sid_request = false;
	ks->sid_unasked = true;
	assert_true(registers_again());
	assert_int_equal(ks->sids_asked, 0);
	assert_int_equal(w.g->sids.n, 1);
}

static void a_bare_public_key_is_read_unless_refused(void **state)
{
	(void)state;
	world_register(&w);
	ks->pkcs1 = true;
	assert_true(registers_again());
	w.g->ike.wire.accept_sig_key_pkcs1 = false;
	assert_false(registers_again());
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "SubjectPublicKeyInfo"));
}

static void the_group_is_asked_for_in_either_octet_order(void **state)
{
	(void)state;
	world_register(&w);
	assert_int_equal(ks->group_asked, 1234);
	w.g->ike.wire.group_id_little_endian = true;
	registers_again();
	assert_int_equal(ks->group_asked, __builtin_bswap32(1234));
}

static void a_signature_over_the_padded_length_verifies_where_asked_for(void **state)
{
	const struct test_twist padded = { .padded_len = true };
	struct test_tek *tek;

	(void)state;
	world_register(&w);
	tek = test_ks_tek(ks, "esp-gcm 128", 0x2222, 3600, 1, 2);
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 1, NULL, 1, tek, NULL);
	w.g->ike.wire.sign_hdr_padded_len = true;
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, &padded));
	assert_non_null(gm_teks_find(&w.g->teks, 0x2222));
}

static void the_number_of_the_registration_is_taken_where_asked_for(void **state)
{
	struct test_tek *tek;

	(void)state;
	ks->kek.seq = 5;
	world_register(&w);
	tek = test_ks_tek(ks, "esp-gcm 128", 0x2222, 3600, 1, 2);
	w.g->ike.wire.accept_equal_seq = true;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 5, NULL, 1, tek, NULL);
	world_datagram(&w, &ks->at, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_non_null(gm_teks_find(&w.g->teks, 0x2222));
}

static void a_key_server_listed_in_peers_is_read_in_its_own_way(void **state)
{
	struct gdoi_wire_opts form[2] = { gdoi_wire_opts_default(), gdoi_wire_opts_default() };
	const struct ike_peer_form peer = { .peer = { .addr = ks->at.addr, .len = 32 }, .form = 1 };

	(void)state;
	world_register(&w);
	w.g->ike.wire.accept_other_id_len = form[1].accept_other_id_len = false;
	ks->conf.wire.sat_id_len = ks->conf.wire.sak_id_len = 2;
	assert_false(registers_again());
	form[1].sat_id_len = form[1].sak_id_len = 2;
	w.g->ike.form = form;
	w.g->ike.n_forms = 2;
	w.g->ike.peers = &peer;
	w.g->ike.n_peers = 1;
	world_until(&w, 10);
	assert_int_equal(w.g->n.registrations, 2);
	w.g->ike.n_peers = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, with_a_tek, end)
		T(a_refused_policy_is_answered_by_one_delete_or_by_one_of_its_kek_too),
		T(sender_ids_may_be_waited_for),
		T(a_bare_public_key_is_read_unless_refused),
		T(the_group_is_asked_for_in_either_octet_order),
		T(a_signature_over_the_padded_length_verifies_where_asked_for),
		T(the_number_of_the_registration_is_taken_where_asked_for),
		T(a_key_server_listed_in_peers_is_read_in_its_own_way),
#undef T
	};

	return cmocka_run_group_tests_name("gm/wire", tests, world_signer_make, world_signer_end);
}
