#include "tests/unit/unit.h"

#include "common/wire/isakmp.h"

#define COOKIES "a1a2a3a4a5a6a7a8b1b2b3b4b5b6b7b8"

static const char *hdr_why(const char *hex)
{
	uint8_t b[64];
	size_t n = unhex(hex, b, sizeof(b));
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(b, n), &err);
	struct isakmp_hdr h;

	isakmp_hdr_decode(&r, &h);
	return err.why;
}

static void a_header_is_28_octets_and_names_the_datagram_length(void **state)
{
	(void)state;
	assert_null(hdr_why(COOKIES "08102001"
				    "01020304"
				    "0000001c"));
	assert_string_equal(hdr_why(COOKIES "08102001"
					    "01020304"
					    "0000001d"),
			    "header length differs from datagram");
	assert_string_equal(hdr_why(COOKIES "08102001"
					    "01020304"
					    "0000001c"
					    "00"),
			    "header length differs from datagram");
	assert_string_equal(hdr_why(COOKIES "08202001"
					    "01020304"
					    "0000001c"),
			    "isakmp version not 1.0");
	assert_string_equal(hdr_why(COOKIES "08102001"
					    "01020304"
					    "000000"),
			    "truncated");
	assert_string_equal(hdr_why(""), "truncated");
}

static void a_message_is_written_and_read_back(void **state)
{
	struct isakmp_hdr h = { .exchange = GDOI_XCH_PULL, .flags = ISAKMP_FLAG_E, .msgid = 7 }, g;
	struct rd_err err = { NULL };
	struct isakmp_chain chain;
	struct wr_chain c;
	uint8_t buf[128];
	struct wr w;
	struct rd r;

	(void)state;
	memset(h.cky_i, 0xaa, sizeof(h.cky_i));
	wr_init(&w, buf, sizeof(buf));
	c = isakmp_msg_begin(&w, &h);
	wr_pl(&c, ISAKMP_PL_NONCE, BYTES_LIT("nonce"));
	wr_pl(&c, ISAKMP_PL_VID, BYTES_LIT(""));
	assert_true(isakmp_msg_end(&w, 0));
	r = rd_of(wr_view(&w, 0, w.len), &err);
	assert_true(isakmp_hdr_decode(&r, &g));
	assert_int_equal(g.len, 28 + 9 + 4);
	assert_int_equal(g.msgid, 7);
	assert_true(isakmp_chain_decode(rd_rest(&r), g.next, 0, &chain, &err));
	assert_int_equal(chain.n, 2);
	assert_true(bytes_eq(chain.pl[0].body, BYTES_LIT("nonce")));
	assert_int_equal(chain.pl[0].whole.len, 9);
	assert_int_equal(chain.pl[1].type, ISAKMP_PL_VID);
	assert_int_equal(chain.pl[1].body.len, 0);
	assert_int_equal(chain.all.len, 13);
}

static const char *chain_why(const char *hex, uint8_t first, size_t pad, struct isakmp_chain *out)
{
	static uint8_t b[512];
	size_t n = unhex(hex, b, sizeof(b));
	struct rd_err err = { NULL };

	isakmp_chain_decode(BYTES(b, n), first, pad, out, &err);
	return err.why;
}

static void a_chain_with_bad_lengths_fails(void **state)
{
	struct isakmp_chain c;

	(void)state;
	assert_null(chain_why("00000005ff", 10, 0, &c));
	assert_string_equal(chain_why("00000003ff", 10, 0, &c), "length below its own header");
	assert_string_equal(chain_why("00000000", 10, 0, &c), "length below its own header");
	assert_string_equal(chain_why("00000006ff", 10, 0, &c), "truncated");
	assert_string_equal(chain_why("00010005ff", 10, 0, &c),
			    "reserved octet of a payload not zero");
	assert_string_equal(chain_why("0a000004", 10, 0, &c), "truncated");
	assert_string_equal(chain_why("00000005ff00", 10, 0, &c), "trailing octets");
	assert_null(chain_why("", 0, 0, &c));
	assert_string_equal(chain_why("", 1, 0, &c), "truncated");
}

static void padding_is_tolerated_up_to_a_block_and_not_part_of_the_payloads(void **state)
{
	struct isakmp_chain c;

	(void)state;
	assert_null(chain_why("00000005ff0000000000", 10, 8, &c));
	assert_int_equal(c.all.len, 5);
	assert_string_equal(chain_why("00000005ff000000000000000000", 10, 8, &c),
			    "trailing octets");
}

static void a_chain_of_too_many_payloads_fails(void **state)
{
	char hex[33 * 8 + 1] = "";
	struct isakmp_chain c;

	(void)state;
	for (int i = 0; i < ISAKMP_MAX_PL - 1; i++)
		strcat(hex, "0d000004");
	strcat(hex, "00000004");
	assert_null(chain_why(hex, 13, 0, &c));
	assert_int_equal(c.n, ISAKMP_MAX_PL);
	hex[(ISAKMP_MAX_PL - 1) * 8 + 1] = 'd';
	strcat(hex, "00000004");
	assert_string_equal(chain_why(hex, 13, 0, &c), "too many payloads");
}

static const char *judge_why(const char *hex, uint8_t first, struct isakmp_form form)
{
	struct rd_err err = { NULL };
	struct isakmp_chain c;

	assert_null(chain_why(hex, first, 0, &c));
	isakmp_chain_judge(&c, &form, &err);
	return err.why;
}

static void the_set_of_payloads_is_judged(void **state)
{
	struct isakmp_form form = { .required = PL_BIT(8),
				    .optional = PL_BIT(10),
				    .repeat = PL_BIT(13) };

	(void)state;
	assert_null(judge_why("00000004", 8, form));
	assert_null(judge_why("0a000004"
			      "0d000004"
			      "0d000004"
			      "00000004",
			      8, form));
	assert_string_equal(judge_why("00000004", 10, form), "payload missing");
	assert_string_equal(judge_why("08000004"
				      "00000004",
				      8, form),
			    "payload given twice");
	assert_string_equal(judge_why("0a000004"
				      "0a000004"
				      "00000004",
				      8, form),
			    "payload given twice");
	assert_string_equal(judge_why("05000004"
				      "00000004",
				      8, form),
			    "payload has no place in this message");
	assert_string_equal(judge_why("c8000004"
				      "00000004",
				      8, form),
			    "payload has no place in this message");
}

static void a_hashed_message_shows_what_its_hash_covers(void **state)
{
	uint8_t b[64];
	size_t n = unhex("0b000006aabb"
			 "0d000005cc"
			 "00000004"
			 "000000",
			 b, sizeof(b));
	struct rd_err err = { NULL };
	struct isakmp_hashed m;

	(void)state;
	assert_true(isakmp_hashed_decode(BYTES(b, n), 8, 8, &m, &err));
	assert_int_equal(m.hash.len, 2);
	assert_ptr_equal(m.covered.p, b + 6);
	assert_int_equal(m.covered.len, 9);
	assert_false(isakmp_hashed_decode(BYTES(b, n), 11, 8, &m, &err));
	assert_string_equal(err.why, "hash is not the first payload");
	err.why = NULL;
	n = unhex("00000004", b, sizeof(b));
	assert_false(isakmp_hashed_decode(BYTES(b, n), 8, 8, &m, &err));
	assert_string_equal(err.why, "hash of impossible length");
}

static void the_hash_written_covers_the_rest_of_the_message(void **state)
{
	struct isakmp_hdr h = { .exchange = ISAKMP_XCH_INFO };
	uint8_t buf[128];
	struct wr_chain c;
	struct wr_hash hash;
	struct wr w;

	(void)state;
	wr_init(&w, buf, sizeof(buf));
	c = isakmp_msg_begin(&w, &h);
	wr_hash_begin(&c, 32, &hash);
	wr_pl(&c, ISAKMP_PL_NONCE, BYTES_LIT("12345678"));
	wr_hash_end(&c, &hash);
	assert_true(isakmp_msg_end(&w, 0));
	assert_int_equal(hash.hash_at, 28 + 4);
	assert_int_equal(hash.hash_len, 32);
	assert_int_equal(hash.covered_at, 28 + 4 + 32);
	assert_int_equal(hash.covered_len, 12);
	assert_int_equal(w.len, 28 + 36 + 12);
}

static void attributes_come_in_two_forms(void **state)
{
	uint8_t b[64];
	size_t n = unhex("8002003c"
			 "00020004"
			 "0000003c"
			 "000200080000000000015180"
			 "0002000900000000000000003c",
			 b, sizeof(b));
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(b, n), &err);
	struct isakmp_attr a;

	(void)state;
	assert_true(isakmp_attr_decode(&r, &a));
	assert_true(a.basic);
	assert_int_equal(isakmp_attr_u16(&r, &a), 60);
	assert_int_equal(isakmp_attr_u32(&r, &a), 60);
	assert_true(isakmp_attr_decode(&r, &a));
	assert_int_equal(isakmp_attr_u32(&r, &a), 60);
	assert_true(isakmp_attr_decode(&r, &a));
	assert_int_equal(isakmp_attr_u32(&r, &a), 86400);
	assert_true(isakmp_attr_decode(&r, &a));
	assert_int_equal(isakmp_attr_u32(&r, &a), 0);
	assert_string_equal(err.why, "number attribute of impossible length");
}

static void a_basic_attribute_may_not_come_as_variable(void **state)
{
	uint8_t b[16];
	size_t n = unhex("000200020001", b, sizeof(b));
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(b, n), &err);
	struct isakmp_attr a;

	(void)state;
	assert_true(isakmp_attr_decode(&r, &a));
	isakmp_attr_u16(&r, &a);
	assert_string_equal(err.why, "basic attribute sent as variable");
}

static void a_number_over_32_bits_fails(void **state)
{
	uint8_t b[16];
	size_t n = unhex("000200050100000000", b, sizeof(b));
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(b, n), &err);
	struct isakmp_attr a;

	(void)state;
	assert_true(isakmp_attr_decode(&r, &a));
	assert_int_equal(isakmp_attr_u32(&r, &a), 0);
	assert_string_equal(err.why, "number attribute over 32 bits");
}

static void numbers_are_written_short_when_they_fit(void **state)
{
	uint8_t buf[32], want[32];
	size_t n = unhex("800cffff"
			 "000c000400010000"
			 "00040004"
			 "00000e10",
			 want, sizeof(want));
	struct wr w;

	(void)state;
	wr_init(&w, buf, sizeof(buf));
	wr_attr_num(&w, 12, 65535);
	wr_attr_num(&w, 12, 65536);
	wr_attr_u32(&w, 4, 3600);
	assert_int_equal(w.len, n);
	assert_memory_equal(buf, want, n);
}

static void port_4500_tells_isakmp_from_esp_and_keepalives(void **state)
{
	struct bytes isakmp;

	(void)state;
	assert_int_equal(natt_classify(BYTES_LIT("\xff"), &isakmp), NATT_KEEPALIVE);
	assert_int_equal(natt_classify(BYTES_LIT("\0\0\0\0abc"), &isakmp), NATT_ISAKMP);
	assert_true(bytes_eq(isakmp, BYTES_LIT("abc")));
	assert_int_equal(natt_classify(BYTES_LIT("\0\0\0\1abc"), &isakmp), NATT_ESP);
	assert_int_equal(natt_classify(BYTES_LIT("\0\0\0"), &isakmp), NATT_ESP);
	assert_int_equal(natt_classify(BYTES_LIT(""), &isakmp), NATT_ESP);
	assert_int_equal(isakmp.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_28_octets_and_names_the_datagram_length),
		cmocka_unit_test(a_message_is_written_and_read_back),
		cmocka_unit_test(a_chain_with_bad_lengths_fails),
		cmocka_unit_test(padding_is_tolerated_up_to_a_block_and_not_part_of_the_payloads),
		cmocka_unit_test(a_chain_of_too_many_payloads_fails),
		cmocka_unit_test(the_set_of_payloads_is_judged),
		cmocka_unit_test(a_hashed_message_shows_what_its_hash_covers),
		cmocka_unit_test(the_hash_written_covers_the_rest_of_the_message),
		cmocka_unit_test(attributes_come_in_two_forms),
		cmocka_unit_test(a_basic_attribute_may_not_come_as_variable),
		cmocka_unit_test(a_number_over_32_bits_fails),
		cmocka_unit_test(numbers_are_written_short_when_they_fit),
		cmocka_unit_test(port_4500_tells_isakmp_from_esp_and_keepalives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
