#include "tests/unit/unit.h"

#include "common/crypto/cipher.h"
#include "common/crypto/crypto.h"
#include "tests/vectors/rfc_crypto.h"

static void aes_cbc_gives_the_answers_of_rfc_3602(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rfc3602_cbc); i++) {
		uint8_t k[16], iv[16], plain[64], cipher[64], got[64];
		size_t n = unhex(rfc3602_cbc[i].plain, plain, sizeof(plain));
		struct secret key;

		unhex(rfc3602_cbc[i].key, k, sizeof(k));
		unhex(rfc3602_cbc[i].iv, iv, sizeof(iv));
		unhex(rfc3602_cbc[i].cipher, cipher, sizeof(cipher));
		assert_int_equal(secret_set(&key, k, sizeof(k)), 0);
		assert_int_equal(cipher_encrypt(CIPHER_AES128_CBC, &key, iv, plain, n, got), 0);
		assert_memory_equal(got, cipher, n);
		// in place, backwards
		assert_int_equal(cipher_decrypt(CIPHER_AES128_CBC, &key, iv, got, n, got), 0);
		assert_memory_equal(got, plain, n);
	}
}

static void every_cipher_opens_what_it_closed(void **state)
{
	(void)state;
	for (int a = CIPHER_NONE + 1; a < CIPHER_COUNT; a++) {
		uint8_t iv[CIPHER_BLOCK_MAX] = { 7 }, in[96], out[96];
		struct secret key = { .len = (uint16_t)cipher_key_len(a) };

		for (size_t i = 0; i < sizeof(in); i++)
			key.b[i % key.len] = in[i] = (uint8_t)(i * 3);
		assert_int_equal(cipher_encrypt(a, &key, iv, in, sizeof(in), out), 0);
		assert_memory_not_equal(out, in, sizeof(in));
		assert_int_equal(cipher_decrypt(a, &key, iv, out, sizeof(out), out), 0);
		assert_memory_equal(out, in, sizeof(in));
	}
}

static void wrong_lengths_are_refused(void **state)
{
	struct secret key = { .len = 16 };
	uint8_t iv[16] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_int_equal(cipher_encrypt(CIPHER_AES128_CBC, &key, iv, b, 17, b), -EINVAL);
	assert_int_equal(cipher_encrypt(CIPHER_AES256_CBC, &key, iv, b, 16, b), -EINVAL);
	assert_int_equal(cipher_decrypt(CIPHER_NONE, &key, iv, b, 16, b), -EINVAL);
	assert_int_equal(cipher_decrypt(CIPHER_COUNT, &key, iv, b, 16, b), -EINVAL);
	assert_int_equal(cipher_decrypt(CIPHER_AES128_CBC, &key, iv, b, 0, b), 0);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_cbc_gives_the_answers_of_rfc_3602),
		cmocka_unit_test(every_cipher_opens_what_it_closed),
		cmocka_unit_test(wrong_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
