#include "tests/unit/unit.h"

#include "dataplane/esp_fmt.h"

static const unsigned all_suites[] = { DP_SUITE_AES128_GCM16, DP_SUITE_AES256_GCM16,
				       DP_SUITE_AES128_CBC_SHA256_128,
				       DP_SUITE_AES256_CBC_SHA256_128 };

static void unknown_suites_are_unknown(void **state)
{
	(void)state;
	assert_null(esp_suite_get(DP_SUITE_NONE));
	assert_null(esp_suite_get(99));
	assert_int_equal(esp_suite_get(DP_SUITE_AES256_GCM16)->key_len, 36);
}

static void trailer_ends_on_the_cipher_block(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		const struct esp_suite *s = esp_suite_get(all_suites[k]);

		for (size_t len = 20; len < 200; len++) {
			size_t t = esp_trailer_len(s, len);

			assert_true(t >= 2 && t < s->align + 2u);
			assert_int_equal((len + t) % s->align, 0);
		}
	}
}

static void biggest_inner_packet_fits_and_the_next_does_not(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		const struct esp_suite *s = esp_suite_get(all_suites[k]);

		for (size_t mtu = 100; mtu <= 1600; mtu++) {
			size_t inner = esp_inner_max(s, mtu);

			assert_true(esp_outer_len(s, inner) <= mtu);
			assert_true(esp_outer_len(s, inner + 1) > mtu);
		}
		assert_int_equal(esp_inner_max(s, 40), 0);
	}
	assert_int_equal(esp_inner_max(esp_suite_get(DP_SUITE_AES128_GCM16), 1500), 1446);
}

static void length_of_text_is_found_again(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		const struct esp_suite *s = esp_suite_get(all_suites[k]);
		size_t esp = esp_outer_len(s, 84) - IP4_HLEN;

		assert_int_equal(esp_text_len(s, esp), 84 + esp_trailer_len(s, 84));
		assert_int_equal(esp_text_len(s, esp - 1), 0);
		assert_int_equal(esp_text_len(s, ESP_HLEN + s->iv_len + ESP_ICV_LEN), 0);
		assert_int_equal(esp_text_len(s, 0), 0);
	}
}

static void head_preserves_addresses_tos_and_df(void **state)
{
	const struct ip4 ip = {
		.src = 0xc0a80001, .dst = 0xc0a800c7, .tos = 0xb8, .frag = IP4_DF, .len = 28
	};
	uint8_t out[28];
	struct ip4 outer;

	(void)state;
	esp_head_put(out, &ip, 88, 0x1234, 0xcafe0001, 7);
	uint8_t whole[88] = { 0 };
	memcpy(whole, out, 28);
	assert_int_equal(ip4_parse(whole, 88, &outer), IP4_GOOD);
	assert_int_equal(outer.src, 0xc0a80001);
	assert_int_equal(outer.dst, 0xc0a800c7);
	assert_int_equal(outer.tos, 0xb8);
	assert_int_equal(outer.frag, IP4_DF);
	assert_int_equal(outer.proto, 50);
	assert_int_equal(outer.ttl, 64);
	assert_int_equal(be32_get(out + 20), 0xcafe0001);
	assert_int_equal(be32_get(out + 24), 7);
}

static void trailer_written_is_trailer_accepted(void **state)
{
	(void)state;
	for (size_t t = 2; t < 250; t++) {
		uint8_t *b = calloc(1, 20 + t);
		size_t inner = 0;

		esp_trailer_put(b + 20, t);
		assert_int_equal(esp_trailer_check(b, 20 + t, &inner), ESP_GOOD);
		assert_int_equal(inner, 20);
		free(b);
	}
}

static void bad_trailers_are_named(void **state)
{
	uint8_t b[8] = { 0, 0, 0, 1, 2, 3, 3, 4 };
	size_t inner;

	(void)state;
	assert_int_equal(esp_trailer_check(b, 8, &inner), ESP_GOOD);
	b[4] = 9;
	assert_int_equal(esp_trailer_check(b, 8, &inner), ESP_BAD_PAD);
	b[4] = 2;
	b[7] = 41;
	assert_int_equal(esp_trailer_check(b, 8, &inner), ESP_BAD_NEXT);
	b[7] = 4;
	b[6] = 7;
	assert_int_equal(esp_trailer_check(b, 8, &inner), ESP_BAD_PAD);
	assert_int_equal(esp_trailer_check(b, 1, &inner), ESP_BAD_LEN);
	assert_int_equal(esp_trailer_check(b, 0, &inner), ESP_BAD_LEN);
}

static void congestion_marks_follow_rfc_6040(void **state)
{
	uint8_t hdr[20];
	struct ip4 ip = { .hlen = 20, .tos = 0 };

	(void)state;
	unhex("4500001c0001400040110000c0a80001c0a800c7", hdr, sizeof(hdr));
	assert_true(esp_ecn_merge(hdr, &ip, 2));  // no mark
	assert_false(esp_ecn_merge(hdr, &ip, 3)); // a mark on a flow that knows none
	ip.tos = hdr[1] = 2;
	assert_true(esp_ecn_merge(hdr, &ip, 3));
	assert_int_equal(hdr[1], 3);
	assert_int_equal(ip4_sum(hdr, 20), 0);
	assert_true(esp_ecn_merge(hdr, &ip, 0));
	assert_int_equal(hdr[1], 3);
}

static void ivs_of_senders_and_workers_never_meet(void **state)
{
	struct esp_iv_space a, b, c;
	struct esp_nonce nonce;
	uint8_t iv[8];
	const uint8_t salt[4] = { 0xde, 0xad, 0xbe, 0xef };

	(void)state;
	assert_true(esp_iv_space_init(&a, 0x1234, 16, 0, 2));
	assert_true(esp_iv_space_init(&b, 0x1234, 16, 3, 2));
	assert_true(esp_iv_space_init(&c, 0x1235, 16, 0, 2));
	assert_int_equal(a.max, (1ull << 46) - 1);
	assert_true((a.base | a.max) < b.base);
	assert_true((b.base | b.max) < c.base);
	esp_iv_put(iv, &b, 5);
	assert_memory_equal(iv, ((const uint8_t[]){ 0x12, 0x34, 0xc0, 0, 0, 0, 0, 5 }), 8);
	nonce = esp_nonce_of(salt, iv);
	assert_memory_equal(nonce.b, salt, 4);
	assert_memory_equal(nonce.b + 4, iv, 8);
}

static void a_used_up_iv_space_gives_no_more_and_never_wraps(void **state)
{
	struct iv_count c = { .last = 0 };

	(void)state;
	assert_true(esp_iv_space_init(&c.space, 1, 32, 0, 0));
	assert_int_equal(c.space.max, UINT32_MAX);
	assert_int_equal(iv_next(&c), 1);
	c.last = c.space.max - 1;
	assert_int_equal(iv_next(&c), c.space.max);
	assert_int_equal(iv_next(&c), 0);
	assert_int_equal(iv_next(&c), 0);
	assert_int_equal(c.last, c.space.max);
}

static void impossible_iv_spaces_are_refused(void **state)
{
	struct esp_iv_space s;

	(void)state;
	assert_false(esp_iv_space_init(&s, 0, 0, 0, 0));     // no sender id: senders would collide
	assert_false(esp_iv_space_init(&s, 0x100, 8, 0, 0)); // does not fit
	assert_false(esp_iv_space_init(&s, 1, 33, 0, 0));
	assert_false(esp_iv_space_init(&s, 1, 8, 4, 2)); // worker beyond its bits
	assert_true(esp_iv_space_init(&s, 0xffffffff, 32, 1, 1));
	assert_int_equal(s.max, 0x7fffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_suites_are_unknown),
		cmocka_unit_test(trailer_ends_on_the_cipher_block),
		cmocka_unit_test(biggest_inner_packet_fits_and_the_next_does_not),
		cmocka_unit_test(length_of_text_is_found_again),
		cmocka_unit_test(head_preserves_addresses_tos_and_df),
		cmocka_unit_test(trailer_written_is_trailer_accepted),
		cmocka_unit_test(bad_trailers_are_named),
		cmocka_unit_test(congestion_marks_follow_rfc_6040),
		cmocka_unit_test(ivs_of_senders_and_workers_never_meet),
		cmocka_unit_test(a_used_up_iv_space_gives_no_more_and_never_wraps),
		cmocka_unit_test(impossible_iv_spaces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
