#include "tests/unit/unit.h"

#include "common/crypto/crypto.h"
#include "common/crypto/hpke.h"

// The reference vectors of RFC 9180: mode base, KEM 16, KDF 1, AEAD 2, sequence number 0.
static const char info_hex[] = "4f6465206f6e2061204772656369616e2055726e";
static const char aad_hex[] = "436f756e742d30";
static const char plain_hex[] = "4265617574792069732074727574682c20747275746820626561757479";
static const char public_hex[] =
	"04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c68513"
	"6f853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c";
static const char private_hex[] =
	"317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2";
static const char sealed_hex[] =
	"04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f0"
	"3e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0"
	"58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d2917424"
	"65e902cd216f8908da49f8f96f";

#define PLAIN 29

struct sample {
	struct hpke_key key;
	uint8_t info[20], aad[7], plain[PLAIN], sealed[PLAIN + HPKE_OVERHEAD];
};

static int setup(void **state)
{
	static struct sample s;
	uint8_t private[HPKE_PRIVATE_LEN];

	assert_int_equal(crypto_init(), 0);
	assert_int_equal(unhex(private_hex, private, sizeof(private)), sizeof(private));
	assert_int_equal(secret_set(&s.key.private, private, sizeof(private)), 0);
	assert_int_equal(unhex(public_hex, s.key.public, HPKE_PUBLIC_LEN), HPKE_PUBLIC_LEN);
	assert_int_equal(unhex(info_hex, s.info, sizeof(s.info)), sizeof(s.info));
	assert_int_equal(unhex(aad_hex, s.aad, sizeof(s.aad)), sizeof(s.aad));
	assert_int_equal(unhex(plain_hex, s.plain, PLAIN), PLAIN);
	assert_int_equal(unhex(sealed_hex, s.sealed, sizeof(s.sealed)), sizeof(s.sealed));
	*state = &s;
	return 0;
}

static void opens_what_the_reference_sealed(void **state)
{
	const struct sample *s = *state;
	uint8_t got[PLAIN];

	assert_int_equal(
		hpke_open(&s->key, BYTES_OF(s->info), BYTES_OF(s->aad), BYTES_OF(s->sealed), got),
		0);
	assert_memory_equal(got, s->plain, PLAIN);
}

static void opens_nothing_that_differs_in_one_bit_and_leaves_no_plaintext(void **state)
{
	const struct sample *s = *state;
	uint8_t bad[sizeof(s->sealed)], got[PLAIN];

	for (size_t bit = 0; bit < 8 * sizeof(bad); bit++) {
		memcpy(bad, s->sealed, sizeof(bad));
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(got, 0, sizeof(got));
		assert_int_equal(
			hpke_open(&s->key, BYTES_OF(s->info), BYTES_OF(s->aad), BYTES_OF(bad), got),
			-EBADMSG);
		for (size_t i = 0; i < PLAIN; i++)
			assert_int_equal(got[i], 0);
	}
}

static void opens_nothing_that_was_cut(void **state)
{
	const struct sample *s = *state;
	uint8_t got[PLAIN];

	for (size_t len = 0; len < sizeof(s->sealed); len++)
		assert_int_equal(hpke_open(&s->key, BYTES_OF(s->info), BYTES_OF(s->aad),
					   BYTES(s->sealed, len), got),
				 -EBADMSG);
}

static void is_bound_to_info_and_aad(void **state)
{
	const struct sample *s = *state;
	const struct bytes info = BYTES_OF(s->info), aad = BYTES_OF(s->aad);
	uint8_t got[PLAIN];

	assert_int_equal(hpke_open(&s->key, aad, info, BYTES_OF(s->sealed), got), -EBADMSG);
	assert_int_equal(hpke_open(&s->key, info, BYTES(NULL, 0), BYTES_OF(s->sealed), got),
			 -EBADMSG);
	assert_int_equal(hpke_open(&s->key, BYTES(NULL, 0), aad, BYTES_OF(s->sealed), got),
			 -EBADMSG);
}

static void seals_so_that_the_holder_of_the_key_alone_opens(void **state)
{
	const struct sample *s = *state;
	const struct bytes info = BYTES_OF(s->info), aad = BYTES_OF(s->aad);
	uint8_t one[sizeof(s->sealed)], two[sizeof(s->sealed)], got[PLAIN];
	struct hpke_key k, other;

	assert_int_equal(hpke_key_new(&k), 0);
	assert_int_equal(hpke_key_new(&other), 0);
	assert_memory_not_equal(k.public, other.public, HPKE_PUBLIC_LEN);
	assert_int_equal(hpke_seal(k.public, info, aad, BYTES_OF(s->plain), one), 0);
	assert_int_equal(hpke_seal(k.public, info, aad, BYTES_OF(s->plain), two), 0);
	assert_memory_not_equal(one, two, HPKE_PUBLIC_LEN); // a one-time key each
	assert_int_equal(hpke_open(&k, info, aad, BYTES_OF(one), got), 0);
	assert_memory_equal(got, s->plain, PLAIN);
	assert_int_equal(hpke_open(&other, info, aad, BYTES_OF(one), got), -EBADMSG);
	hpke_key_fini(&k);
	hpke_key_fini(&other);
}

static void seals_to_no_point_that_is_off_the_curve(void **state)
{
	const struct sample *s = *state;
	uint8_t to[HPKE_PUBLIC_LEN], out[sizeof(s->sealed)];

	memcpy(to, s->key.public, sizeof(to));
	to[64] ^= 1;
	assert_int_equal(
		hpke_seal(to, BYTES_OF(s->info), BYTES_OF(s->aad), BYTES_OF(s->plain), out),
		-EBADMSG);
	to[64] ^= 1;
	to[0] = 2; // compressed
	assert_int_equal(
		hpke_seal(to, BYTES_OF(s->info), BYTES_OF(s->aad), BYTES_OF(s->plain), out),
		-EBADMSG);
	memset(to + 1, 0, 64);
	to[0] = 4;
	assert_int_equal(
		hpke_seal(to, BYTES_OF(s->info), BYTES_OF(s->aad), BYTES_OF(s->plain), out),
		-EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_the_reference_sealed),
		cmocka_unit_test(opens_nothing_that_differs_in_one_bit_and_leaves_no_plaintext),
		cmocka_unit_test(opens_nothing_that_was_cut),
		cmocka_unit_test(is_bound_to_info_and_aad),
		cmocka_unit_test(seals_so_that_the_holder_of_the_key_alone_opens),
		cmocka_unit_test(seals_to_no_point_that_is_off_the_curve),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
