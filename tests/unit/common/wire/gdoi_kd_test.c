#include "tests/unit/unit.h"

#include "tests/unit/common/wire/samples.h"

static struct gdoi_kd kd; // large

static const char *kd_why(const struct gdoi_wire_opts *o, const char *hex)
{
	static uint8_t b[2048];
	size_t n = unhex(hex, b, sizeof(b));
	struct rd_err err = { NULL };

	gdoi_kd_decode(o, BYTES(b, n), &kd, &err);
	return err.why;
}

static const char *why(const char *hex)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();

	return kd_why(&o, hex);
}

#define KEK_SPI "000102030405060708090a0b0c0d0e0f"
#define TEK                                                                                        \
	"01"                                                                                       \
	"00"                                                                                       \
	"0011"                                                                                     \
	"04"                                                                                       \
	"11223344"                                                                                 \
	"00010004"                                                                                 \
	"deadbeef"
#define IV_KEY                                                                                     \
	"00112233445566778899aabbccddeeff"                                                         \
	"ffeeddccbbaa99887766554433221100"
#define LKH_KEY                                                                                    \
	"0001"                                                                                     \
	"03"                                                                                       \
	"00"                                                                                       \
	"00000001"                                                                                 \
	"00000002"                                                                                 \
	"00000003" IV_KEY
#define LKH(len)                                                                                   \
	"03"                                                                                       \
	"00" len "10" KEK_SPI

static void keys_are_views_into_the_datagram(void **state)
{
	(void)state;
	assert_null(why("00010000" TEK));
	assert_int_equal(kd.n_tek, 1);
	assert_int_equal(kd.tek[0].spi, 0x11223344);
	assert_true(bytes_eq(kd.tek[0].alg_key, BYTES_LIT("\xde\xad\xbe\xef")));
	assert_int_equal(kd.tek[0].integrity_key.len, 0);
	assert_ptr_equal(gdoi_kd_find_tek(&kd, 0x11223344), &kd.tek[0]);
	assert_null(gdoi_kd_find_tek(&kd, 0x11223345));
}

static void the_number_of_key_packets_is_exact(void **state)
{
	(void)state;
	assert_null(why("00000000"));
	assert_string_equal(why("00020000" TEK), "truncated");
	assert_string_equal(why("00000000" TEK), "trailing octets");
	assert_string_equal(why("00010001" TEK), "reserved field of a kd not zero");
	assert_string_equal(why("00"), "truncated");
}

static void key_packets_with_bad_lengths_fail(void **state)
{
	(void)state;
	for (int len = 0; len < 4; len++) {
		char hex[32];

		snprintf(hex, sizeof(hex),
			 "00010000"
			 "01"
			 "00"
			 "%04x"
			 "04",
			 len);
		assert_string_equal(why(hex), "length below its own header");
	}
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0004"),
			    "truncated");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0005"
				"04"),
			    "truncated");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0005"
				"ff"),
			    "tek spi not 4 octets");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"000d"
				"04"
				"11223344"
				"0001ffff"),
			    "truncated");
	assert_string_equal(why("00010000"
				"01"
				"01"
				"0009"
				"04"
				"11223344"),
			    "reserved octet of a key packet not zero");
}

static void packets_that_may_not_be_are_refused(void **state)
{
	(void)state;
	assert_string_equal(why("00010000"
				"05"
				"00"
				"0005"
				"00"),
			    "unknown key packet type");
	assert_string_equal(why("00010000"
				"00"
				"00"
				"0005"
				"00"),
			    "unknown key packet type");
	assert_string_equal(why("00020000" TEK TEK), "two key packets for one tek");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0009"
				"04"
				"00000000"),
			    "tek spi zero");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0011"
				"04"
				"11223344"
				"00040004"
				"deadbeef"),
			    "unknown key attribute");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"000d"
				"04"
				"11223344"
				"00010000"),
			    "key attribute of impossible length");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"000d"
				"04"
				"11223344"
				"80010001"),
			    "key attribute of impossible length");
	assert_string_equal(why("00010000"
				"01"
				"00"
				"0019"
				"04"
				"11223344"
				"00010004"
				"deadbeef"
				"00010004"
				"deadbeef"),
			    "attribute given twice");
}

static void a_kek_has_its_key_and_comes_once(void **state)
{
	(void)state;
	assert_null(why("00010000"
			"02"
			"00"
			"0039"
			"10" KEK_SPI "00010020" IV_KEY));
	assert_true(kd.has_kek);
	assert_int_equal(kd.kek.alg_key.len, 32);
	assert_int_equal(kd.kek.spi[15], 15);
	assert_string_equal(why("00010000"
				"02"
				"00"
				"0015"
				"10" KEK_SPI),
			    "kek key missing");
	assert_string_equal(why("00010000"
				"02"
				"00"
				"0009"
				"04"
				"11223344"),
			    "kek spi not 16 octets");
	assert_string_equal(why("00020000"
				"02"
				"00"
				"0039"
				"10" KEK_SPI "00010020" IV_KEY "02"
				"00"
				"0039"
				"10" KEK_SPI "00010020" IV_KEY),
			    "two kek key packets");
}

static void lkh_arrays_divide_into_keys(void **state)
{
	(void)state;
	assert_null(why("00010000" LKH("007d") "00010064"
					       "01"
					       "0002"
					       "00" LKH_KEY LKH_KEY));
	assert_true(kd.lkh.has_download);
	assert_int_equal(kd.lkh.download.n, 2);
	assert_int_equal(kd.lkh.key[1].id, 1);
	assert_int_equal(kd.lkh.key[1].expires, 2);
	assert_int_equal(kd.lkh.key[1].handle, 3);
	assert_int_equal(kd.lkh.key[1].data.len, 32);
	assert_null(why("00010000" LKH("0055") "0002003c"
					       "01"
					       "0001"
					       "00"
					       "0007"
					       "0000"
					       "00000009" LKH_KEY));
	assert_int_equal(kd.lkh.n_update, 1);
	assert_int_equal(kd.lkh.update[0].id, 7);
	assert_int_equal(kd.lkh.update[0].handle, 9);
	assert_false(kd.lkh.has_download);
}

static void lkh_counts_that_do_not_fit_fail(void **state)
{
	(void)state;
	assert_string_equal(why("00010000" LKH("004d") "00010034"
						       "01"
						       "0000"
						       "00" LKH_KEY),
			    "lkh array without keys");
	assert_string_equal(why("00010000" LKH("004d") "00010034"
						       "01"
						       "ffff"
						       "00" LKH_KEY),
			    "too many lkh keys");
	assert_string_equal(why("00010000" LKH("004d") "00010034"
						       "01"
						       "0007"
						       "00" LKH_KEY),
			    "lkh keys do not fill their array");
	assert_string_equal(why("00010000" LKH("004d") "00010034"
						       "01"
						       "0002"
						       "00" LKH_KEY),
			    "lkh key length does not suit its type");
	assert_string_equal(why("00010000" LKH("004d") "00010034"
						       "02"
						       "0001"
						       "00" LKH_KEY),
			    "lkh version not 1");
	assert_string_equal(why("00010000" LKH("0015")), "lkh packet without keys");
	assert_string_equal(why("00010000" LKH("004d") "00040034"
						       "01"
						       "0001"
						       "00" LKH_KEY),
			    "unknown key attribute");
}

static void an_aes_192_lkh_key_needs_an_option(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const char *hex = "00010000" LKH("0055") "0001003c"
						 "01"
						 "0001"
						 "00" LKH_KEY "0011223344556677";

	(void)state;
	assert_string_equal(kd_why(&o, hex), "lkh key length does not suit its type");
	o.accept_lkh_aes192 = true;
	assert_null(kd_why(&o, hex));
}

static void sender_ids_fit_their_bits(void **state)
{
	(void)state;
	assert_null(why("00010000"
			"04"
			"00"
			"0011"
			"00"
			"80010008"
			"00020004"
			"000000ff"));
	assert_int_equal(kd.sid.bits, 8);
	assert_int_equal(kd.sid.sid[0], 255);
	assert_null(why("00010000"
			"04"
			"00"
			"000e"
			"00"
			"80010008"
			"00020001"
			"01"));
	assert_null(why("00010000"
			"04"
			"00"
			"0015"
			"00"
			"80010020"
			"00020008"
			"00000000ffffffff"));
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0011"
				"00"
				"80010008"
				"00020004"
				"00000100"),
			    "sender id wider than its bits");
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0011"
				"00"
				"80010021"
				"00020004"
				"00000100"),
			    "sender id bits not 1 to 32");
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0009"
				"00"
				"80010008"),
			    "sender id packet without bits or value");
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0011"
				"04"
				"11223344"
				"80010008"
				"80020001"),
			    "sender id packet with an spi");
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0012"
				"00"
				"80010008"
				"00020005"
				"0100000000"),
			    "number attribute over 32 bits");
}

// A KD of n times the same packet (or one packet with n times the same attribute).
static const char *repeated_why(const char *head, const char *item, size_t n, bool number_spis)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t b[65536];
	struct rd_err err = { NULL };
	uint8_t one[256];
	size_t len;
	struct wr w;

	wr_init(&w, b, sizeof(b));
	len = unhex(head, one, sizeof(one));
	wr_put(&w, one, len);
	len = unhex(item, one, sizeof(one));
	for (size_t i = 0; i < n; i++) {
		wr_put(&w, one, len);
		if (number_spis)
			wr_patch32(&w, w.len - 4, (uint32_t)i + 1);
	}
	if (number_spis)
		wr_patch16(&w, 0, (uint16_t)n);
	else
		wr_len16(&w, 6, 4);
	assert_true(wr_ok(&w));
	gdoi_kd_decode(&o, wr_view(&w, 0, w.len), &kd, &err);
	return err.why;
}

static void more_than_the_stated_maxima_fails(void **state)
{
	(void)state;
	assert_null(repeated_why("00000000",
				 "01"
				 "00"
				 "0009"
				 "04"
				 "00000000",
				 GDOI_MAX_TEK, true));
	assert_string_equal(repeated_why("00000000",
					 "01"
					 "00"
					 "0009"
					 "04"
					 "00000000",
					 GDOI_MAX_TEK + 1, true),
			    "too many key packets");
	assert_null(repeated_why("00010000"
				 "04"
				 "00"
				 "0000"
				 "00"
				 "80010008",
				 "80020001", GDOI_MAX_SID, false));
	assert_string_equal(repeated_why("00010000"
					 "04"
					 "00"
					 "0000"
					 "00"
					 "80010008",
					 "80020001", GDOI_MAX_SID + 1, false),
			    "too many sender ids");
	assert_null(repeated_why("00010000"
				 "03"
				 "00"
				 "0000"
				 "10" KEK_SPI,
				 "0002003c"
				 "01"
				 "0001"
				 "00"
				 "0007"
				 "0000"
				 "00000009" LKH_KEY,
				 GDOI_MAX_LKH_ARRAYS, false));
	assert_string_equal(repeated_why("00010000"
					 "03"
					 "00"
					 "0000"
					 "10" KEK_SPI,
					 "0002003c"
					 "01"
					 "0001"
					 "00"
					 "0007"
					 "0000"
					 "00000009" LKH_KEY,
					 GDOI_MAX_LKH_ARRAYS + 1, false),
			    "too many lkh arrays");
}

static void what_comes_once_fails_when_it_comes_twice(void **state)
{
	(void)state;
	assert_string_equal(why("00020000"
				"04"
				"00"
				"000d"
				"00"
				"80010008"
				"80020001"
				"04"
				"00"
				"000d"
				"00"
				"80010008"
				"80020001"),
			    "two sender id packets");
	assert_string_equal(why("00010000"
				"04"
				"00"
				"0011"
				"00"
				"80010008"
				"80010008"
				"80020001"),
			    "attribute given twice");
	assert_string_equal(why("00020000" LKH("004d") "00010034"
						       "01"
						       "0001"
						       "00" LKH_KEY LKH("004d") "00010034"
										"01"
										"0001"
										"00" LKH_KEY),
			    "two lkh key packets");
	assert_string_equal(why("00010000" LKH("0085") "00010034"
						       "01"
						       "0001"
						       "00" LKH_KEY "00010034"
						       "01"
						       "0001"
						       "00" LKH_KEY),
			    "two lkh download arrays");
}

static void random_key_payloads_survive_a_round_trip(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t a[SAMPLE_MAX], b[SAMPLE_MAX];
	static struct sample_pool pool;
	static struct gdoi_kd in;

	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct rd_err err = { NULL };
		struct wr wa, wb;
		struct wr_chain ca = { &wa, SIZE_MAX }, cb = { &wb, SIZE_MAX };

		sample_pool_init(&pool, seed);
		o.sid_value_len = (uint8_t)rng_range(&pool.rng, 4, 8);
		sample_kd(&pool, &in);
		wr_init(&wa, a, sizeof(a));
		gdoi_kd_encode(&o, &ca, &in);
		assert_true(wr_ok(&wa));
		if (!gdoi_kd_decode(&o, wr_view(&wa, 4, wa.len), &kd, &err))
			fail_msg("seed %lu: %s", (unsigned long)seed, err.why);
		assert_int_equal(kd.n_tek, in.n_tek);
		assert_int_equal(kd.has_lkh, in.has_lkh);
		for (size_t i = 0; i < in.n_tek; i++)
			assert_true(bytes_eq(kd.tek[i].alg_key, in.tek[i].alg_key));
		wr_init(&wb, b, sizeof(b));
		gdoi_kd_encode(&o, &cb, &kd);
		assert_true(bytes_eq(wr_view(&wa, 0, wa.len), wr_view(&wb, 0, wb.len)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_views_into_the_datagram),
		cmocka_unit_test(the_number_of_key_packets_is_exact),
		cmocka_unit_test(key_packets_with_bad_lengths_fail),
		cmocka_unit_test(packets_that_may_not_be_are_refused),
		cmocka_unit_test(a_kek_has_its_key_and_comes_once),
		cmocka_unit_test(lkh_arrays_divide_into_keys),
		cmocka_unit_test(lkh_counts_that_do_not_fit_fail),
		cmocka_unit_test(an_aes_192_lkh_key_needs_an_option),
		cmocka_unit_test(sender_ids_fit_their_bits),
		cmocka_unit_test(more_than_the_stated_maxima_fails),
		cmocka_unit_test(what_comes_once_fails_when_it_comes_twice),
		cmocka_unit_test(random_key_payloads_survive_a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
