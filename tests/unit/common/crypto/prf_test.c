#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/crypto/prf.h"
#include "tests/vectors/rfc_crypto.h"

static void assert_hex(const uint8_t *got, const char *hex)
{
	uint8_t want[256];
	size_t n = unhex(hex, want, sizeof(want));

	assert_memory_equal(got, want, n);
}

static void hmac_gives_the_answers_of_rfc_4868(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rfc4868_prf); i++) {
		uint8_t key[256], data[256], out[HASH_MAX];
		size_t n_key = unhex(rfc4868_prf[i].key, key, sizeof(key));
		size_t n = unhex(rfc4868_prf[i].data, data, sizeof(data));
		// in two parts, to see that they are joined
		const struct bytes parts[] = { BYTES(data, n / 2), BYTES(data + n / 2, n - n / 2) };

		assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES(key, n_key), parts, 2, out), 0);
		assert_hex(out, rfc4868_prf[i].sha256);
		assert_int_equal(prf_parts(HASH_ALG_SHA384, BYTES(key, n_key), parts, 2, out), 0);
		assert_hex(out, rfc4868_prf[i].sha384);
		assert_int_equal(prf_parts(HASH_ALG_SHA512, BYTES(key, n_key), parts, 2, out), 0);
		assert_hex(out, rfc4868_prf[i].sha512);
	}
}

static void hashes_of_abc_are_the_known_ones(void **state)
{
	static const struct {
		enum hash_alg alg;
		const char *digest;
	} known[] = {
		{ HASH_ALG_MD5, "900150983cd24fb0d6963f7d28e17f72" },
		{ HASH_ALG_SHA1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ HASH_ALG_SHA256,
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	};
	const struct bytes parts[] = { BYTES_LIT("a"), BYTES(NULL, 0), BYTES_LIT("bc") };
	uint8_t out[HASH_MAX];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(known); i++) {
		assert_int_equal(hash_parts(known[i].alg, parts, 3, out), 0);
		assert_hex(out, known[i].digest);
	}
}

static void empty_key_is_a_key_of_its_own(void **state)
{
	const struct bytes data = BYTES_LIT("x");
	uint8_t a[HASH_MAX], b[HASH_MAX];

	(void)state;
	assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES_LIT("other"), &data, 1, a), 0);
	assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES(NULL, 0), &data, 1, a), 0);
	assert_int_equal(prf_parts(HASH_ALG_SHA256, BYTES_LIT(""), &data, 1, b), 0);
	assert_memory_equal(a, b, 32);
}

static void unknown_algorithms_are_refused(void **state)
{
	uint8_t out[HASH_MAX];

	(void)state;
	assert_int_equal(hash_parts(HASH_ALG_NONE, NULL, 0, out), -EINVAL);
	assert_int_equal(hash_parts(HASH_ALG_COUNT, NULL, 0, out), -EINVAL);
	assert_int_equal(hash_len(HASH_ALG_COUNT), 0);
	assert_true(hash_is_weak(HASH_ALG_MD5) && hash_is_weak(HASH_ALG_SHA1));
	assert_false(hash_is_weak(HASH_ALG_SHA256));
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_gives_the_answers_of_rfc_4868),
		cmocka_unit_test(hashes_of_abc_are_the_known_ones),
		cmocka_unit_test(empty_key_is_a_key_of_its_own),
		cmocka_unit_test(unknown_algorithms_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
