// What RFC 6407 asks of a member, where no other test is about just that.
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

static bool registers_with(void (*change)(struct gdoi_sa *sa))
{
	ks->change = change;
	world_register(&w);
	return w.g->registered;
}

static const struct gm_tek *tek(void)
{
	return gm_teks_find(&w.g->teks, 0x1111);
}

// ---- SAK ----

static void des(struct gdoi_sa *sa)
{
	sa->sak.alg = GDOI_KEK_DES;
	sa->sak.key_bits = 0;
}

static void triple_des(struct gdoi_sa *sa)
{
	sa->sak.alg = GDOI_KEK_3DES;
	sa->sak.key_bits = 0;
}

static void weak_keks_are_refused(void **state)
{
	(void)state;
	assert_false(registers_with(des));
	assert_int_equal(w.n_events[EV_GM_REJECTED], 1);
	ks->change = triple_des;
	world_until(&w, 10);
	assert_false(w.g->registered);
	ks->change = NULL;
	world_until(&w, 30);
	assert_true(w.g->registered);
}

static void sha1(struct gdoi_sa *sa)
{
	sa->sak.sig_hash = GDOI_SIG_HASH_SHA1;
}

static void md5(struct gdoi_sa *sa)
{
	sa->sak.sig_hash = GDOI_SIG_HASH_MD5;
}

static void weak_signature_hashes_are_refused(void **state)
{
	(void)state;
	assert_false(registers_with(md5));
	ks->change = sha1;
	world_until(&w, 10);
	assert_false(w.g->registered);
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "SHA-1"));
}

static void port_0(struct gdoi_sa *sa)
{
	sa->sak.src.port = sa->sak.dst.port = 0;
}

static void a_rekey_may_come_from_any_port_of_its_key_server(void **state)
{
	struct endpoint elsewhere = ks->at;
	struct test_tek *more;

	(void)state;
	assert_true(registers_with(port_0));
	ks->change = NULL;
	more = test_ks_tek(ks, "esp-gcm 128", 0x2222, 3600, 1, 2);
	elsewhere.port = 40000;
	test_push_begin(&push, &ks->kek);
	test_push_body(&push, ks, 1, NULL, 1, more, NULL);
	world_datagram(&w, &elsewhere, test_push_seal(&push, ks, &ks->kek, NULL));
	assert_non_null(gm_teks_find(&w.g->teks, 0x2222));
}

// ---- SAT ----

static void no_preserve(struct gdoi_sa *sa)
{
	sa->sat[0].preserve = 0;
}

static void preserve_source(struct gdoi_sa *sa)
{
	sa->sat[0].preserve = IPSEC_PRESERVE_SRC;
}

static void addresses_are_both_preserved_unless_said_otherwise(void **state)
{
	(void)state;
	assert_true(registers_with(no_preserve));
	ks->change = preserve_source;
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	assert_non_null(strstr(w.last_text[EV_GM_REJECTED], "preservation of both"));
}

static void receiver_only(struct gdoi_sa *sa)
{
	sa->sat[0].direction = IPSEC_DIR_RECEIVER_ONLY;
}

static void sender_only(struct gdoi_sa *sa)
{
	sa->sat[0].direction = IPSEC_DIR_SENDER_ONLY;
}

static void symmetric(struct gdoi_sa *sa)
{
	sa->sat[0].direction = IPSEC_DIR_SYMMETRIC;
}

static void a_tek_is_installed_both_ways_unless_it_has_one_direction(void **state)
{
	(void)state;
	assert_true(registers_with(NULL));
	assert_int_equal(tek()->dir, DP_DIR_BOTH);
	ks->change = symmetric;
	world_event(&w, (struct gm_event){ .kind = GM_EV_REREGISTER });
	assert_int_equal(tek()->dir, DP_DIR_BOTH);
}

static void a_receiver_only_tek_is_installed_inbound(void **state)
{
	(void)state;
	assert_true(registers_with(receiver_only));
	assert_int_equal(tek()->dir, DP_DIR_IN);
}

static void a_sender_only_tek_is_installed_outbound(void **state)
{
	(void)state;
	assert_true(registers_with(sender_only));
	assert_int_equal(tek()->dir, DP_DIR_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, with_a_tek, end)
		T(weak_keks_are_refused),
		T(weak_signature_hashes_are_refused),
		T(a_rekey_may_come_from_any_port_of_its_key_server),
		T(addresses_are_both_preserved_unless_said_otherwise),
		T(a_tek_is_installed_both_ways_unless_it_has_one_direction),
		T(a_receiver_only_tek_is_installed_inbound),
		T(a_sender_only_tek_is_installed_outbound),
#undef T
	};

	return cmocka_run_group_tests_name("gm/conform", tests, world_signer_make,
					   world_signer_end);
}
