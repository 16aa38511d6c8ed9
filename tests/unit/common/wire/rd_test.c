#include "tests/unit/unit.h"

#include "common/wire/rd.h"
#include "common/wire/wr.h"

static void getters_read_big_endian_and_in_order(void **state)
{
	uint8_t b[16];
	size_t n = unhex("01020304050607aabbcc", b, sizeof(b));
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(b, n), &err);

	(void)state;
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16(&r), 0x0203);
	assert_int_equal(rd_u32(&r), 0x04050607);
	assert_memory_equal(rd_bytes(&r, 3).p, "\xaa\xbb\xcc", 3);
	assert_true(rd_end(&r, 0));
}

static void the_first_failure_stays_and_stops_everything(void **state)
{
	uint8_t b[3] = { 1, 2, 3 };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES_OF(b), &err);

	(void)state;
	assert_int_equal(rd_u32(&r), 0);
	assert_string_equal(err.why, "truncated");
	assert_false(rd_fail(&r, "another reason"));
	assert_string_equal(err.why, "truncated");
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_left(&r), 0);
	assert_null(rd_take(&r, 0));
	assert_false(rd_end(&r, 3));
}

static void a_child_window_ends_where_its_length_says(void **state)
{
	uint8_t b[6] = { 0, 5, 7, 8, 9, 6 };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES_OF(b), &err);
	struct rd sub = rd_sub(&r, rd_u16(&r), 2);

	(void)state;
	assert_int_equal(rd_left(&sub), 3);
	assert_int_equal(rd_u8(&r), 6);
	assert_true(rd_end(&r, 0));
	assert_int_equal(rd_u32(&sub), 0);
	assert_string_equal(err.why, "truncated");
}

static void a_length_below_its_header_fails(void **state)
{
	uint8_t b[4] = { 0 };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES_OF(b), &err);
	struct rd sub = rd_sub(&r, 3, 4);

	(void)state;
	assert_int_equal(rd_left(&sub), 0);
	assert_string_equal(err.why, "length below its own header");
}

static void leftovers_fail_beyond_the_named_padding(void **state)
{
	uint8_t b[8] = { 0 };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES_OF(b), &err);

	(void)state;
	assert_true(rd_end(&r, 8));
	assert_false(rd_end(&r, 7));
	assert_string_equal(err.why, "trailing octets");
}

static void reserved_octets_have_to_be_zero(void **state)
{
	uint8_t b[2] = { 0, 1 };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES_OF(b), &err);

	(void)state;
	rd_zero(&r, 1, "first");
	assert_null(err.why);
	rd_zero(&r, 1, "second");
	assert_string_equal(err.why, "second");
}

static void an_empty_window_is_not_an_error_until_read(void **state)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of((struct bytes){ NULL, 0 }, &err);

	(void)state;
	assert_true(rd_end(&r, 0));
	assert_int_equal(rd_rest(&r).len, 0);
	assert_int_equal(rd_u8(&r), 0);
	assert_string_equal(err.why, "truncated");
}

static void the_writer_stops_at_its_capacity(void **state)
{
	uint8_t b[6];
	struct wr w;

	(void)state;
	memset(b, 0x55, sizeof(b));
	wr_init(&w, b, 5);
	wr_u32(&w, 0x01020304);
	wr_u16(&w, 0x0506);
	wr_u8(&w, 7);
	assert_false(wr_ok(&w));
	assert_int_equal(w.len, 4);
	assert_int_equal(b[4], 0x55);
	assert_int_equal(wr_view(&w, 0, 4).len, 0);
}

static void lengths_are_patched_when_known(void **state)
{
	uint8_t b[16];
	struct wr w;

	(void)state;
	wr_init(&w, b, sizeof(b));
	wr_u16(&w, 0);
	wr_put(&w, "abc", 3);
	wr_len16(&w, 0, 0);
	wr_patch8(&w, 4, 'z');
	wr_patch8(&w, 5, 'q');
	assert_true(wr_ok(&w));
	assert_memory_equal(b,
			    "\x00\x05"
			    "abz",
			    5);
	wr_zero(&w, 11);
	assert_int_equal(b[5], 0);
	assert_true(wr_ok(&w));
}

static void a_length_over_16_bits_is_an_overflow(void **state)
{
	static uint8_t b[70000];
	struct wr w;

	(void)state;
	wr_init(&w, b, sizeof(b));
	wr_zero(&w, 65536);
	wr_len16(&w, 0, 0);
	assert_false(wr_ok(&w));
}

static void a_count_that_does_not_fit_its_field_is_an_overflow(void **state)
{
	uint8_t b[8];
	struct wr w;

	(void)state;
	wr_init(&w, b, sizeof(b));
	wr_count8(&w, 255);
	wr_count16(&w, 65535);
	assert_true(wr_ok(&w));
	assert_memory_equal(b, "\xff\xff\xff", 3);
	wr_count8(&w, 256);
	assert_false(wr_ok(&w));
	wr_init(&w, b, sizeof(b));
	wr_count16(&w, 65536);
	assert_false(wr_ok(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(getters_read_big_endian_and_in_order),
		cmocka_unit_test(the_first_failure_stays_and_stops_everything),
		cmocka_unit_test(a_child_window_ends_where_its_length_says),
		cmocka_unit_test(a_length_below_its_header_fails),
		cmocka_unit_test(leftovers_fail_beyond_the_named_padding),
		cmocka_unit_test(reserved_octets_have_to_be_zero),
		cmocka_unit_test(an_empty_window_is_not_an_error_until_read),
		cmocka_unit_test(the_writer_stops_at_its_capacity),
		cmocka_unit_test(lengths_are_patched_when_known),
		cmocka_unit_test(a_length_over_16_bits_is_an_overflow),
		cmocka_unit_test(a_count_that_does_not_fit_its_field_is_an_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
