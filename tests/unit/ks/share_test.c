#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "ks/share.h"

static struct signer here; // with one key, under the label of its fingerprint
static struct share_way way = { .group = 1234, .from = 1, .to = 2 };
static struct hpke_key theirs;

static int setup(void **state)
{
	struct signer maker;
	uint8_t spki[PUBKEY_MAX], b[SIGNER_WRAPPED_MAX];
	char label[SIGNER_LABEL_MAX];
	size_t len;

	(void)state;
	assert_int_equal(crypto_init(), 0);
	assert_int_equal(hpke_key_new(&theirs), 0);
	signer_init(&maker);
	signer_init(&here);
	assert_int_equal(signer_generate(&maker, "k", SIGN_RSA, 2048), 0);
	assert_int_equal(signer_public(&maker, "k", spki, sizeof(spki), &len), 0);
	share_fingerprint(BYTES(spki, len), way.fp);
	share_label(way.fp, label);
	// The same key, under the name it has in a set.
	assert_int_equal(
		signer_wrap(&maker, "k", theirs.public, BYTES(NULL, 0), b, sizeof(b), &len), 0);
	assert_int_equal(signer_unwrap(&here, label, &theirs, BYTES(NULL, 0), BYTES(b, len)), 0);
	signer_fini(&maker);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	signer_fini(&here);
	hpke_key_fini(&theirs);
	return 0;
}

static void a_wrapping_key_comes_back_as_it_went(void **state)
{
	uint8_t body[SHARE_WRAP_LEN], public[HPKE_PUBLIC_LEN];
	struct rd_err err = { NULL };

	(void)state;
	share_wrap_encode(&theirs, body);
	assert_true(share_wrap_decode(BYTES_OF(body), public, &err));
	assert_memory_equal(public, theirs.public, sizeof(public));
}

static void a_wrapping_key_of_another_length_version_or_kind_is_refused(void **state)
{
	uint8_t body[SHARE_WRAP_LEN + 1] = { 0 }, public[HPKE_PUBLIC_LEN];

	(void)state;
	share_wrap_encode(&theirs, body);
	for (size_t len = 0; len <= sizeof(body); len++) {
		struct rd_err err = { NULL };

		assert_int_equal(share_wrap_decode(BYTES(body, len), public, &err),
				 len == SHARE_WRAP_LEN);
	}
	for (size_t i = 0; i < 3; i++) {
		struct rd_err err = { NULL };

		body[i] ^= 1;
		assert_false(share_wrap_decode(BYTES(body, SHARE_WRAP_LEN), public, &err));
		body[i] ^= 1;
	}
}

static void names_come_back_as_they_went_and_have_one_length(void **state)
{
	uint8_t key[SHARE_NAME_LEN + 1] = { 0 };
	struct share_way got;

	(void)state;
	share_name_encode(&way, key);
	for (size_t len = 0; len <= sizeof(key); len++) {
		struct rd_err err = { NULL };

		assert_int_equal(share_name_decode(BYTES(key, len), &got, &err),
				 len == SHARE_NAME_LEN);
	}
	assert_true(share_name_decode(BYTES(key, SHARE_NAME_LEN), &got, &(struct rd_err){ NULL }));
	assert_int_equal(got.to, way.to);
	assert_memory_equal(got.fp, way.fp, SHARE_FP_LEN);
}

static void the_signing_key_arrives_and_is_taken_once(void **state)
{
	uint8_t b[SHARE_SIGN_MAX], one[PUBKEY_MAX], two[PUBKEY_MAX];
	char label[SIGNER_LABEL_MAX];
	struct signer there;
	size_t len, n_one, n_two;

	(void)state;
	signer_init(&there);
	share_label(way.fp, label);
	assert_int_equal(share_sign_seal(&here, &way, theirs.public, b, &len), 0);
	assert_int_equal(share_sign_open(&there, &way, &theirs, BYTES(b, len)), 0);
	assert_int_equal(share_sign_open(&there, &way, &theirs, BYTES(b, len)), 0);
	assert_int_equal(there.n, 1);
	assert_int_equal(signer_public(&here, label, one, sizeof(one), &n_one), 0);
	assert_int_equal(signer_public(&there, label, two, sizeof(two), &n_two), 0);
	assert_true(bytes_eq(BYTES(one, n_one), BYTES(two, n_two)));
	signer_fini(&there);
}

static void must_not_open(const struct share_way *w, const struct hpke_key *k, struct bytes body)
{
	struct signer there;

	signer_init(&there);
	assert_int_equal(share_sign_open(&there, w, k, body), -EBADMSG);
	assert_int_equal(there.n, 0);
	signer_fini(&there);
}

static void no_item_passes_for_another(void **state)
{
	uint8_t b[SHARE_SIGN_MAX];
	struct share_way other;
	struct hpke_key k;
	size_t len;

	(void)state;
	assert_int_equal(share_sign_seal(&here, &way, theirs.public, b, &len), 0);
	other = way;
	other.group++;
	must_not_open(&other, &theirs, BYTES(b, len));
	other = way;
	other.from++;
	must_not_open(&other, &theirs, BYTES(b, len));
	other = way;
	other.to++;
	must_not_open(&other, &theirs, BYTES(b, len));
	other = way;
	other.fp[0]++;
	must_not_open(&other, &theirs, BYTES(b, len));
	assert_int_equal(hpke_key_new(&k), 0);
	must_not_open(&way, &k, BYTES(b, len));
	hpke_key_fini(&k);
}

static void nothing_that_was_changed_or_cut_is_opened(void **state)
{
	uint8_t b[SHARE_SIGN_MAX];
	size_t len;

	(void)state;
	assert_int_equal(share_sign_seal(&here, &way, theirs.public, b, &len), 0);
	for (size_t i = 0; i < len; i += 41) {
		b[i] ^= 0x10;
		must_not_open(&way, &theirs, BYTES(b, len));
		b[i] ^= 0x10;
		must_not_open(&way, &theirs, BYTES(b, i));
	}
}

// Somebody who may seal says that a key is one that it is not.
static void a_key_under_the_name_of_another_is_refused(void **state)
{
	struct signer liar;
	struct share_way lie = way;
	char label[SIGNER_LABEL_MAX];
	uint8_t b[SHARE_SIGN_MAX];
	size_t len;

	(void)state;
	memset(lie.fp, 7, sizeof(lie.fp));
	share_label(lie.fp, label);
	signer_init(&liar);
	assert_int_equal(signer_generate(&liar, label, SIGN_ECDSA_P256, 0), 0);
	assert_int_equal(share_sign_seal(&liar, &lie, theirs.public, b, &len), 0);
	must_not_open(&lie, &theirs, BYTES(b, len));
	signer_fini(&liar);
}

static void it_is_told_for_which_value_a_key_was_sealed(void **state)
{
	uint8_t b[SHARE_SIGN_MAX];
	struct hpke_key k;
	size_t len;

	(void)state;
	assert_int_equal(hpke_key_new(&k), 0);
	assert_int_equal(share_sign_seal(&here, &way, theirs.public, b, &len), 0);
	assert_true(share_sign_is_for(BYTES(b, len), theirs.public));
	assert_false(share_sign_is_for(BYTES(b, len), k.public));
	assert_false(share_sign_is_for(BYTES(b, 5), theirs.public));
	hpke_key_fini(&k);
}

static void a_key_that_is_not_here_is_not_sealed(void **state)
{
	struct share_way other = way;
	uint8_t b[SHARE_SIGN_MAX];
	size_t len;

	(void)state;
	other.fp[3] ^= 1;
	assert_int_equal(share_sign_seal(&here, &other, theirs.public, b, &len), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrapping_key_comes_back_as_it_went),
		cmocka_unit_test(a_wrapping_key_of_another_length_version_or_kind_is_refused),
		cmocka_unit_test(names_come_back_as_they_went_and_have_one_length),
		cmocka_unit_test(the_signing_key_arrives_and_is_taken_once),
		cmocka_unit_test(no_item_passes_for_another),
		cmocka_unit_test(nothing_that_was_changed_or_cut_is_opened),
		cmocka_unit_test(a_key_under_the_name_of_another_is_refused),
		cmocka_unit_test(it_is_told_for_which_value_a_key_was_sealed),
		cmocka_unit_test(a_key_that_is_not_here_is_not_sealed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
