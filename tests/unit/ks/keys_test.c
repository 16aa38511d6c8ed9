#include "tests/unit/ks/ks_world.h"

struct fixture {
	struct keys keys;
	struct rng rng;
	struct keys_maker mk;
	struct policy *policy;
	mono_t now;
};

static bool taken(void *arg, uint32_t spi)
{
	return keys_has_spi(arg, spi);
}

static void setup(struct fixture *f)
{
	static const char *const lines[] = { "permit 10.1.0.0/16 10.2.0.0/16",
					     "permit 10.2.0.0/16 10.1.0.0/16" };

	memset(f, 0, sizeof(*f));
	rng_seed(&f->rng, 7);
	f->mk = (struct keys_maker){ &f->rng, taken, &f->keys };
	f->policy = world_policy(lines, 2, "esp-aes 256 esp-sha256-hmac", 3600);
	f->now = (mono_t){ 5000 };
}

static void teardown(struct fixture *f)
{
	keys_end_all(&f->keys);
	policy_put(f->policy);
}

static void a_generation_has_a_key_of_its_own_per_slot(void **state)
{
	struct fixture f;
	const struct tek *t;

	(void)state;
	setup(&f);
	keys_add_gen(&f.keys, &f.mk, f.policy, f.now, f.now);
	t = f.keys.gen[0].tek;
	assert_int_equal(t[0].alg_key.len, 32);
	assert_int_equal(t[0].integrity_key.len, 32);
	assert_false(secret_eq(&t[0].alg_key, &t[1].alg_key));
	assert_true(t[0].spi != t[1].spi && t[0].spi > 255 && t[1].spi > 255);
	assert_int_equal(mono_left_s(t[0].dies, f.now), 3600);
	teardown(&f);
}

static void the_newest_generation_comes_first_and_serials_never_repeat(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	for (uint32_t i = 1; i <= 20; i++) {
		keys_add_gen(&f.keys, &f.mk, f.policy, f.now, f.now);
		assert_int_equal(f.keys.gen[0].serial, i);
		assert_int_equal(f.keys.n_gen, MIN_OF(i, (uint32_t)KEYS_MAX_GENS));
	}
	assert_null(keys_find_gen(&f.keys, 1));
	assert_ptr_equal(keys_find_gen(&f.keys, 20), &f.keys.gen[0]);
	teardown(&f);
}

static void a_replaced_generation_ends_when_drained_and_its_keys_are_wiped(void **state)
{
	struct fixture f;
	uint32_t old_spi;

	(void)state;
	setup(&f);
	keys_add_gen(&f.keys, &f.mk, f.policy, f.now, f.now);
	old_spi = f.keys.gen[0].tek[0].spi;
	keys_add_gen(&f.keys, &f.mk, f.policy, f.now, mono_add_s(f.now, 31));
	keys_drain_old(&f.keys, mono_add_s(f.now, 90));
	assert_int_equal(keys_next_expiry(&f.keys).ms, f.now.ms + 90000);
	keys_expire(&f.keys, mono_add_s(f.now, 89));
	assert_int_equal(f.keys.n_gen, 2);
	keys_expire(&f.keys, mono_add_s(f.now, 90));
	assert_int_equal(f.keys.n_gen, 1);
	assert_false(keys_has_spi(&f.keys, old_spi));
	assert_true(mono_is_never(keys_next_expiry(&f.keys)));
	teardown(&f);
}

static void a_replaced_generation_ends_with_its_own_life_at_the_latest(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	keys_add_gen(&f.keys, &f.mk, f.policy, f.now, f.now);
	keys_add_gen(&f.keys, &f.mk, f.policy, mono_add_s(f.now, 3500), f.now);
	keys_drain_old(&f.keys, mono_add_s(f.now, 10000));
	keys_expire(&f.keys, mono_add_s(f.now, 3600));
	assert_int_equal(f.keys.n_gen, 1);
	teardown(&f);
}

static void a_kek_keeps_its_signing_keys_alive(void **state)
{
	struct fixture f;
	struct keystore *store = keystore_new();
	struct kek_params p = { .suite = suite_kek_named("aes 128"),
				.life_s = 600,
				.sign_label = "REKEY" };
	struct kek k;

	(void)state;
	setup(&f);
	assert_int_equal(crypto_init(), 0);
	assert_int_equal(signer_generate(&store->signer, "REKEY", SIGN_ECDSA_P256, 0), 0);
	kek_new(&f.mk, &p, store, f.now, &k);
	assert_int_equal(store->refs, 2);
	assert_int_equal(k.key.len, 16);
	assert_int_equal(k.seq, 0);
	keystore_put(store);
	assert_int_equal(k.store->refs, 1);
	kek_fini(&k);
	assert_null(k.store);
	teardown(&f);
}

static void sender_ids_count_up_from_zero_and_run_out(void **state)
{
	struct sid_pool p;
	uint32_t sid[256];

	(void)state;
	sid_pool_reset(&p, 8);
	assert_true(sid_take(&p, 1, sid));
	assert_int_equal(sid[0], 0);
	assert_true(sid_take(&p, 2, sid));
	assert_int_equal(sid[0], 1);
	assert_int_equal(sid[1], 2);
	assert_true(sid_take(&p, 253, sid));
	assert_int_equal(sid[252], 255);
	assert_false(sid_take(&p, 1, sid));
	assert_int_equal(sid_pool_left(&p), 0);
	sid_pool_reset(&p, 8);
	assert_true(sid_take(&p, 1, sid));
	assert_int_equal(sid[0], 0);
}

static void more_sender_ids_than_are_left_takes_none(void **state)
{
	struct sid_pool p;
	uint32_t sid[8];

	(void)state;
	sid_pool_reset(&p, 8);
	p.next = 253;
	assert_false(sid_take(&p, 4, sid));
	assert_int_equal(sid_pool_left(&p), 3);
	sid_pool_reset(&p, 32);
	p.next = UINT32_MAX;
	assert_true(sid_take(&p, 1, sid));
	assert_int_equal(sid[0], UINT32_MAX);
	assert_false(sid_take(&p, 1, sid));
}

static struct endpoint at(unsigned i)
{
	return (struct endpoint){ addr_from_v4(0xc0000200u + i), 848 };
}

static void members_are_found_among_thousands_and_keep_their_order(void **state)
{
	struct members m;
	unsigned i = 0;

	(void)state;
	members_init(&m);
	for (unsigned k = 0; k < 5000; k++) {
		struct endpoint e = at(k);

		assert_non_null(members_add(&m, &e, NULL));
	}
	for (unsigned k = 0; k < 5000; k += 2) {
		struct endpoint e = at(k);

		members_del(&m, members_find(&m, &e.addr));
	}
	assert_int_equal(m.n, 2500);
	for (const struct member *r = m.first; r; r = r->next, i++)
		assert_int_equal(addr_to_v4(&r->remote.addr), 0xc0000200u + 2 * i + 1);
	assert_int_equal(i, 2500);
	members_fini(&m);
}

static void a_new_registration_inherits_the_counters(void **state)
{
	struct members m;
	struct endpoint e = at(1);
	struct member *r, old;

	(void)state;
	members_init(&m);
	r = members_add(&m, &e, NULL);
	r->acks_received = 5;
	r->acked_ever = true;
	r->missed_in_row = 2;
	old = *r;
	members_del(&m, r);
	r = members_add(&m, &e, &old);
	assert_int_equal(r->acks_received, 5);
	assert_true(r->acked_ever);
	assert_int_equal(r->missed_in_row, 0);
	assert_int_equal(r->registrations, 2);
	members_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_generation_has_a_key_of_its_own_per_slot),
		cmocka_unit_test(the_newest_generation_comes_first_and_serials_never_repeat),
		cmocka_unit_test(a_replaced_generation_ends_when_drained_and_its_keys_are_wiped),
		cmocka_unit_test(a_replaced_generation_ends_with_its_own_life_at_the_latest),
		cmocka_unit_test(a_kek_keeps_its_signing_keys_alive),
		cmocka_unit_test(sender_ids_count_up_from_zero_and_run_out),
		cmocka_unit_test(more_sender_ids_than_are_left_takes_none),
		cmocka_unit_test(members_are_found_among_thousands_and_keep_their_order),
		cmocka_unit_test(a_new_registration_inherits_the_counters),
	};

	return cmocka_run_group_tests_name("ks/keys", tests, NULL, NULL);
}
