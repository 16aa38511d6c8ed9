#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/crypto/signer.h"

#define AAD BYTES_LIT("from 1 to 2")

static struct signer here, there;
static struct hpke_key ours;

static void must_verify(const struct signer *pub, const struct signer *priv, const char *label,
			enum hash_alg h)
{
	uint8_t der[PUBKEY_MAX], digest[HASH_MAX] = { 1, 2, 3 }, sig[SIG_MAX];
	struct pubkey *k;
	size_t len;

	assert_int_equal(signer_public(pub, label, der, sizeof(der), &len), 0);
	assert_int_equal(pubkey_decode(BYTES(der, len), &k), 0);
	assert_int_equal(signer_sign(priv, label, h, digest, RSA_FORM_DIGESTINFO, sig, &len), 0);
	assert_int_equal(sign_verify(k, h, digest, BYTES(sig, len), NULL), 0);
	pubkey_free(k);
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(crypto_init(), 0);
	assert_int_equal(hpke_key_new(&ours), 0);
	signer_init(&here);
	assert_int_equal(signer_generate(&here, "rsa", SIGN_RSA, 2048), 0);
	assert_int_equal(signer_generate(&here, "rsa4096", SIGN_RSA, 4096), 0);
	assert_int_equal(signer_generate(&here, "p256", SIGN_ECDSA_P256, 0), 0);
	assert_int_equal(signer_generate(&here, "p521", SIGN_ECDSA_P521, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	signer_fini(&here);
	hpke_key_fini(&ours);
	return 0;
}

static void a_key_of_each_kind_signs_at_the_other_signer_too(void **state)
{
	static const struct {
		const char *label;
		enum hash_alg h;
	} key[] = { { "rsa", HASH_ALG_SHA256 },
		    { "rsa4096", HASH_ALG_SHA512 },
		    { "p256", HASH_ALG_SHA256 },
		    { "p521", HASH_ALG_SHA512 } };
	uint8_t b[SIGNER_WRAPPED_MAX];
	size_t len;

	(void)state;
	signer_init(&there);
	for (size_t i = 0; i < N_ELEMS(key); i++) {
		assert_int_equal(
			signer_wrap(&here, key[i].label, ours.public, AAD, b, sizeof(b), &len), 0);
		assert_int_equal(signer_unwrap(&there, key[i].label, &ours, AAD, BYTES(b, len)), 0);
		must_verify(&here, &there, key[i].label, key[i].h);
		assert_int_equal(signer_unwrap(&there, key[i].label, &ours, AAD, BYTES(b, len)),
				 -EEXIST);
	}
	signer_fini(&there);
}

static void who_is_not_meant_gets_nothing(void **state)
{
	struct hpke_key other;
	uint8_t b[SIGNER_WRAPPED_MAX];
	size_t len;

	(void)state;
	signer_init(&there);
	assert_int_equal(hpke_key_new(&other), 0);
	assert_int_equal(signer_wrap(&here, "p256", ours.public, AAD, b, sizeof(b), &len), 0);
	assert_int_equal(signer_unwrap(&there, "k", &other, AAD, BYTES(b, len)), -EBADMSG);
	assert_int_equal(signer_unwrap(&there, "k", &ours, BYTES_LIT("from 1 to 3"), BYTES(b, len)),
			 -EBADMSG);
	b[len / 2] ^= 1;
	assert_int_equal(signer_unwrap(&there, "k", &ours, AAD, BYTES(b, len)), -EBADMSG);
	assert_int_equal(signer_unwrap(&there, "k", &ours, AAD, BYTES(b, HPKE_OVERHEAD - 1)),
			 -EBADMSG);
	assert_int_equal(there.n, 0);
	hpke_key_fini(&other);
	signer_fini(&there);
}

static void what_holds_no_key_of_use_is_refused(void **state)
{
	uint8_t b[256];
	const struct bytes junk[] = { BYTES_LIT("not a key"), BYTES(NULL, 0),
				      BYTES_LIT("\x30\x03\x02\x01\x00") };

	(void)state;
	signer_init(&there);
	for (size_t i = 0; i < N_ELEMS(junk); i++) {
		assert_int_equal(
			hpke_seal(ours.public, BYTES_LIT(SIGNER_WRAP_INFO), AAD, junk[i], b), 0);
		assert_int_equal(signer_unwrap(&there, "k", &ours, AAD,
					       BYTES(b, junk[i].len + HPKE_OVERHEAD)),
				 -EBADMSG);
	}
	signer_fini(&there);
}

static void wraps_no_key_that_is_not_there_nor_into_too_little_room(void **state)
{
	uint8_t b[SIGNER_WRAPPED_MAX];
	size_t len;

	(void)state;
	assert_int_equal(signer_wrap(&here, "none", ours.public, AAD, b, sizeof(b), &len), -ENOENT);
	assert_int_equal(signer_wrap(&here, "rsa", ours.public, AAD, b, 300, &len), -EMSGSIZE);
}

static void the_wrapped_key_shows_nothing_of_the_private_one(void **state)
{
	uint8_t one[SIGNER_WRAPPED_MAX], two[SIGNER_WRAPPED_MAX];
	size_t len;

	(void)state;
	assert_int_equal(signer_wrap(&here, "p256", ours.public, AAD, one, sizeof(one), &len), 0);
	assert_int_equal(signer_wrap(&here, "p256", ours.public, AAD, two, sizeof(two), &len), 0);
	for (size_t i = 1; i + 8 <= len; i++) // no eight octets of two wrappings are the same
		assert_memory_not_equal(one + i, two + i, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_of_each_kind_signs_at_the_other_signer_too),
		cmocka_unit_test(who_is_not_meant_gets_nothing),
		cmocka_unit_test(what_holds_no_key_of_use_is_refused),
		cmocka_unit_test(wraps_no_key_that_is_not_there_nor_into_too_little_room),
		cmocka_unit_test(the_wrapped_key_shows_nothing_of_the_private_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
