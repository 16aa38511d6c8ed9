// One key signs the rekeys of a set, whoever leads; nobody copied it.
#include "common/crypto/crypto.h"
#include "ks/plan.h"
#include "ks/replica.h"
#include "tests/unit/ks/ks_set.h"

static struct set *s;

// No signing key is configured.
static void set_makes_it(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	k->sign_label[0] = '\0';
	k->sign_alg = SIGN_ECDSA_P256;
	k->sign_bits = 256;
	k->sign_hash = HASH_ALG_SHA256;
}

// Each key server is configured with a key of its own: the second with another one.
static void keys_differ(struct ks_conf *c)
{
	struct kek_params *k = &c->groups[0].kek;

	if (c->groups[0].set.id == 0)
		return;
	keystore_put(c->store);
	c->store = keystore_new();
	assert_int_equal(signer_generate(&c->store->signer, k->sign_label, SIGN_ECDSA_P256, 0), 0);
}

// The first has a key in a file, the others have none.
static void first_brings_it(struct ks_conf *c)
{
	if (c->groups[0].set.id != 0)
		set_makes_it(c);
}

static int start(size_t n, void (*change)(struct ks_conf *c))
{
	s = set_new(n, change);
	set_pass(s, 10000);
	return 0;
}

static int three_that_make_it(void **state)
{
	(void)state;
	return start(3, set_makes_it);
}

static int two_that_differ(void **state)
{
	(void)state;
	return start(2, keys_differ);
}

static int one_that_brings_it(void **state)
{
	(void)state;
	return start(2, first_brings_it);
}

static int end(void **state)
{
	(void)state;
	set_free(s);
	return 0;
}

static struct ks_sharing *sharing(size_t i)
{
	return &set_group(s, i)->shared->sharing;
}

// Signs and verifies: with the key that members were told, by key server i.
static void must_sign(size_t i)
{
	const struct kek *k = &set_group(s, i)->keys.kek;
	uint8_t digest[HASH_MAX] = { 7 }, sig[SIG_MAX];
	struct pubkey *pub;
	size_t len;

	assert_non_null(k->store);
	assert_int_equal(pubkey_decode(BYTES(k->pub, k->pub_len), &pub), 0);
	assert_int_equal(signer_sign(&k->store->signer, k->params.sign_label, k->params.sign_hash,
				     digest, k->params.sign_form, sig, &len),
			 0);
	assert_int_equal(sign_verify(pub, k->params.sign_hash, digest, BYTES(sig, len), NULL), 0);
	pubkey_free(pub);
}

static void the_first_primary_makes_the_key_and_all_have_it(void **state)
{
	(void)state;
	assert_true(set_leads(s, 0));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(sharing(i)->n, 1);
		assert_memory_equal(sharing(i)->fp[0], sharing(0)->fp[0], SHARE_FP_LEN);
		assert_null(sharing(i)->unable);
		must_sign(i);
	}
}

static void whoever_takes_over_signs_with_it(void **state)
{
	struct test_member *m = set_member(s, "192.0.2.1", 1);

	(void)state;
	set_register(s, m);
	set_kill(s, 0);
	set_pass(s, 10000);
	assert_true(set_leads(s, 1));
	set_step(s, 1, &(struct ks_event){ .kind = KS_EV_REKEY });
	set_pass(s, 1000);
	assert_int_equal(s->ks[1].n_pushes, 1);
	assert_true(set_has_newest(s, m, 1));
	assert_int_equal(sharing(1)->n, 1);
}

static void who_comes_back_with_an_empty_disk_is_given_it_again(void **state)
{
	struct hpke_key before;

	(void)state;
	before = sharing(1)->wrap;
	set_kill(s, 1);
	set_pass(s, 5000);
	set_start(s, 1);
	set_pass(s, 10000);
	assert_memory_not_equal(before.public, sharing(1)->wrap.public, HPKE_PUBLIC_LEN);
	assert_int_equal(sharing(1)->n, 1);
	must_sign(1);
	hpke_key_fini(&before);
}

// All that two others know of it is sealed: what is on the wire is not the key.
static void the_key_is_in_no_item_in_the_clear(void **state)
{
	const struct coop_store *store = &set_group(s, 1)->shared->coop.store;
	unsigned n = 0;

	(void)state;
	for (const struct coop_item *i = coop_store_next(store, NULL); i;
	     i = coop_store_next(store, i)) {
		struct share_way way = { .group = set_group(s, 1)->identity, .from = i->by };
		struct signer there;

		if (i->kind != COOP_K_SIGN)
			continue;
		n++;
		signer_init(&there);
		assert_true(share_name_decode(BYTES(i->key, i->key_len), &way,
					      &(struct rd_err){ NULL }));
		assert_int_equal(
			share_sign_open(&there, &way, &sharing(1)->wrap, BYTES(i->body, i->len)),
			way.to == 1 ? 0 : -EBADMSG);
		signer_fini(&there);
	}
	assert_int_equal(n, 3); // one for each, the maker too
}

static void who_is_configured_with_another_key_is_told_and_does_not_lead(void **state)
{
	(void)state;
	assert_true(set_leads(s, 0));
	assert_non_null(sharing(1)->unable);
	assert_int_equal(s->ks[1].events[EV_COOP_CONFIG_MISMATCH], 1);
	assert_non_null(strstr(s->ks[1].last_event[EV_COOP_CONFIG_MISMATCH], "another key"));
	set_kill(s, 0);
	set_pass(s, 20000);
	assert_false(set_leads(s, 1));
}

static void a_key_in_a_file_of_one_is_brought_to_all(void **state)
{
	const struct ks_group *g = set_group(s, 0);
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	(void)state;
	assert_int_equal(signer_public(&s->ks[0].ks.conf->store->signer, g->conf->kek.sign_label,
				       pub, sizeof(pub), &len),
			 0);
	assert_true(bytes_eq(BYTES(pub, len), BYTES(g->keys.kek.pub, g->keys.kek.pub_len)));
	must_sign(1);
	set_kill(s, 0);
	set_pass(s, 10000);
	assert_true(set_leads(s, 1));
}

static void the_key_for_wrapping_comes_back_from_its_row(void **state)
{
	struct ks_sharing back = { 0 };
	struct rd_err why = { NULL };
	struct ks_blob b;

	(void)state;
	ks_sharing_pack(sharing(0), &b);
	assert_true(ks_sharing_unpack(&back, BYTES(b.p, b.len), &why));
	assert_memory_equal(back.wrap.public, sharing(0)->wrap.public, HPKE_PUBLIC_LEN);
	assert_true(secret_eq(&back.wrap.private, &sharing(0)->wrap.private));
	for (size_t len = 0; len < b.len; len++) {
		struct rd_err bad = { NULL };

		assert_false(ks_sharing_unpack(&back, BYTES(b.p, len), &bad));
	}
	ks_blob_fini(&b);
	ks_sharing_fini(&back);
}

static void a_key_that_the_set_made_is_no_change_to_stage(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_false(ks_plan_kek_differs(&s->ks[i].ks, set_group(s, i)));
}

int main(void)
{
#define T(start, name) cmocka_unit_test_setup_teardown(name, start, end)
	const struct CMUnitTest tests[] = {
		T(three_that_make_it, the_first_primary_makes_the_key_and_all_have_it),
		T(three_that_make_it, whoever_takes_over_signs_with_it),
		T(three_that_make_it, who_comes_back_with_an_empty_disk_is_given_it_again),
		T(three_that_make_it, the_key_is_in_no_item_in_the_clear),
		T(three_that_make_it, the_key_for_wrapping_comes_back_from_its_row),
		T(three_that_make_it, a_key_that_the_set_made_is_no_change_to_stage),
		T(two_that_differ, who_is_configured_with_another_key_is_told_and_does_not_lead),
		T(one_that_brings_it, a_key_in_a_file_of_one_is_brought_to_all),
	};

	assert_int_equal(crypto_init(), 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
