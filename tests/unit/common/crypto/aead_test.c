#include "tests/unit/unit.h"

#include "common/crypto/aead.h"
#include "common/crypto/crypto.h"

// The GCM specification of McGrew and Viega, appendix B, test case 16.
static const char key_hex[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
static const char nonce_hex[] = "cafebabefacedbaddecaf888";
static const char aad_hex[] = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
static const char plain_hex[] = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
				"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
static const char sealed_hex[] = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
				 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
				 "76fc6ece0f4e1768cddf8853bb2d551b";

struct sample {
	struct secret key;
	uint8_t nonce[AEAD_NONCE_LEN], aad[20], plain[60], sealed[76];
};

static int setup(void **state)
{
	static struct sample s;
	uint8_t k[AEAD_KEY_LEN];

	assert_int_equal(crypto_init(), 0);
	assert_int_equal(unhex(key_hex, k, sizeof(k)), sizeof(k));
	assert_int_equal(secret_set(&s.key, k, sizeof(k)), 0);
	unhex(nonce_hex, s.nonce, sizeof(s.nonce));
	unhex(aad_hex, s.aad, sizeof(s.aad));
	assert_int_equal(unhex(plain_hex, s.plain, sizeof(s.plain)), sizeof(s.plain));
	assert_int_equal(unhex(sealed_hex, s.sealed, sizeof(s.sealed)), sizeof(s.sealed));
	*state = &s;
	return 0;
}

static void seals_as_the_specification_of_gcm_does(void **state)
{
	struct sample *s = *state;
	uint8_t got[76];

	assert_int_equal(aead_seal(&s->key, s->nonce, BYTES_OF(s->aad), BYTES_OF(s->plain), got),
			 0);
	assert_memory_equal(got, s->sealed, sizeof(got));
}

static void opens_what_was_sealed(void **state)
{
	struct sample *s = *state;
	uint8_t got[60];

	assert_int_equal(aead_open(&s->key, s->nonce, BYTES_OF(s->aad), BYTES_OF(s->sealed), got),
			 0);
	assert_memory_equal(got, s->plain, sizeof(got));
}

static void opens_nothing_that_differs_in_one_bit_and_leaves_no_plaintext(void **state)
{
	struct sample *s = *state;
	uint8_t bad[76], got[60], zero[60] = { 0 };

	for (size_t bit = 0; bit < 8 * sizeof(bad); bit++) {
		memcpy(bad, s->sealed, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(aead_open(&s->key, s->nonce, BYTES_OF(s->aad), BYTES_OF(bad), got),
				 -EBADMSG);
		assert_memory_equal(got, zero, sizeof(got));
	}
	assert_int_equal(aead_open(&s->key, s->nonce, BYTES(s->aad, 19), BYTES_OF(s->sealed), got),
			 -EBADMSG);
	assert_int_equal(aead_open(&s->key, s->nonce, BYTES_OF(s->aad), BYTES(s->sealed, 15), got),
			 -EBADMSG);
}

static void seals_nothing_at_all_too(void **state)
{
	struct sample *s = *state;
	uint8_t tag[AEAD_TAG_LEN], none[1];

	assert_int_equal(aead_seal(&s->key, s->nonce, BYTES(NULL, 0), BYTES(NULL, 0), tag), 0);
	assert_int_equal(aead_open(&s->key, s->nonce, BYTES(NULL, 0), BYTES_OF(tag), none), 0);
}

static void refuses_a_key_of_another_length(void **state)
{
	struct sample *s = *state;
	struct secret shorter = s->key;
	uint8_t got[76];

	shorter.len = 16;
	assert_int_equal(aead_seal(&shorter, s->nonce, BYTES(NULL, 0), BYTES_OF(s->plain), got),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seals_as_the_specification_of_gcm_does),
		cmocka_unit_test(opens_what_was_sealed),
		cmocka_unit_test(opens_nothing_that_differs_in_one_bit_and_leaves_no_plaintext),
		cmocka_unit_test(seals_nothing_at_all_too),
		cmocka_unit_test(refuses_a_key_of_another_length),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
