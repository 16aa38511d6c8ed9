#include "tests/unit/unit.h"

#include "common/wire/suite.h"

static void the_mandatory_suites_have_their_key_lengths(void **state)
{
	const struct suite_tek *gcm = suite_tek_named("esp-gcm 256");
	const struct suite_tek *cbc = suite_tek_named("esp-256-aes esp-sha256-hmac");

	(void)state;
	assert_int_equal(gcm->transform, ESP_AES_GCM_16);
	assert_int_equal(gcm->alg_key_len, 36); // RFC 4106 8.1: key and salt
	assert_int_equal(gcm->salt_len, 4);
	assert_int_equal(gcm->integrity_key_len, 0);
	assert_true(gcm->aead && gcm->counter_iv);
	assert_int_equal(cbc->alg_key_len, 32);
	assert_int_equal(cbc->integrity_key_len, 32); // RFC 4868 2.1.1
	assert_int_equal(cbc->icv_len, 16);	      // RFC 4868 2.3: truncated to 128 bits
	assert_int_equal(cbc->iv_len, 16);
	assert_false(cbc->aead || cbc->counter_iv || cbc->weak);
}

static void a_suite_is_found_by_what_show_prints_and_by_what_is_typed(void **state)
{
	char words[SUITE_TEK_STRLEN];
	const struct suite_tek *s = suite_tek_named("esp-aes 256 esp-sha256-hmac");

	(void)state;
	assert_string_equal(s->name, "esp-256-aes esp-sha256-hmac");
	assert_string_equal(suite_tek_words(s, words), "esp-aes 256 esp-sha256-hmac");
	s = suite_tek_named("esp-aes esp-sha-hmac");
	assert_int_equal(s->key_bits, 128);
	assert_true(s->weak);
	assert_null(suite_tek_named("esp-aes"));
	// The default key length may be written out.
	assert_ptr_equal(suite_tek_named("esp-aes 128 esp-sha256-hmac"),
			 suite_tek_named("esp-aes esp-sha256-hmac"));
	assert_null(suite_tek_named("esp-aes 128"));
}

static void every_suite_is_found_again_from_its_numbers(void **state)
{
	const struct suite_tek *s;
	size_t n;

	(void)state;
	for (n = 0; (s = suite_tek_row(n)); n++) {
		struct gdoi_sat sat = { 0 };
		char words[SUITE_TEK_STRLEN];

		suite_tek_to_sat(s, &sat);
		assert_ptr_equal(suite_tek_find(&sat), s);
		assert_ptr_equal(suite_tek_named(s->name), s);
		assert_ptr_equal(suite_tek_named(suite_tek_words(s, words)), s);
		assert_true(s->alg_key_len <= 64 && s->integrity_key_len <= 64);
		assert_true(s->proto == GDOI_PROTO_ESP ? esp_transform_known(s->transform)
						       : ah_transform_known(s->transform));
	}
	assert_true(n > 20);
}

static void a_key_length_left_out_means_128_bits_for_aes_only(void **state)
{
	struct gdoi_sat sat = { .proto = GDOI_PROTO_ESP, .transform = ESP_AES_GCM_16 };

	(void)state;
	assert_string_equal(suite_tek_find(&sat)->name, "esp-gcm 128");
	sat.key_bits = 512;
	assert_null(suite_tek_find(&sat));
	sat = (struct gdoi_sat){ .proto = GDOI_PROTO_ESP,
				 .transform = ESP_3DES,
				 .auth = IPSEC_AUTH_HMAC_SHA1 };
	assert_string_equal(suite_tek_find(&sat)->name, "esp-3des esp-sha-hmac");
	sat.key_bits = 128;
	assert_null(suite_tek_find(&sat));
}

static void rekey_rows_are_found_by_name(void **state)
{
	(void)state;
	assert_int_equal(suite_kek_named("aes 256")->key_bits, 256);
	assert_int_equal(suite_kek_named("aes 128")->key_len, 16);
	assert_int_equal(suite_kek_named("aes 128")->iv_len, 16);
	assert_true(suite_kek_named("3des")->weak);
	assert_null(suite_kek_named("aes"));
}

static void numbers_have_names(void **state)
{
	(void)state;
	assert_string_equal(isakmp_payload_name(GDOI_PL_GAP), "GAP");
	assert_string_equal(isakmp_exchange_name(33), "GROUPKEY-PUSH");
	assert_string_equal(isakmp_notify_type_name(36136), "R-U-THERE");
	assert_string_equal(gdoi_proto_name(200), "bypass");
	assert_string_equal(gdoi_kek_alg_name(77), "unassigned");
	assert_true(ah_transform_known(AH_SHA256));
	assert_false(ah_transform_known(12345));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mandatory_suites_have_their_key_lengths),
		cmocka_unit_test(a_suite_is_found_by_what_show_prints_and_by_what_is_typed),
		cmocka_unit_test(every_suite_is_found_again_from_its_numbers),
		cmocka_unit_test(a_key_length_left_out_means_128_bits_for_aes_only),
		cmocka_unit_test(rekey_rows_are_found_by_name),
		cmocka_unit_test(numbers_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
