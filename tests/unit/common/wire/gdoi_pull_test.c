#include "tests/unit/unit.h"

#include "tests/unit/common/wire/samples.h"

static uint8_t buf[SAMPLE_MAX];
static struct sample_pool pool;
static struct isakmp_hashed form; // large
static struct gdoi_pull2 m2;
static struct gdoi_pull4 m4;

static const char *open_why(const struct gdoi_wire_opts *o, int n, struct bytes msg)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct isakmp_hdr h;

	if (isakmp_hdr_decode(&r, &h))
		gdoi_pull_open(o, n, rd_rest(&r), h.next, 16, &form, &err);
	return err.why;
}

static void each_message_opens_as_what_it_is_and_as_no_other(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct wr w = { buf, 0, sizeof(buf), false };

	(void)state;
	for (int n = 1; n <= 4; n++) {
		for (int as = 1; as <= 4; as++) {
			sample_pool_init(&pool, (uint64_t)n);
			sample_pull_msg(&pool, n, &w);
			if (as == n)
				assert_null(open_why(&o, as, wr_view(&w, 0, w.len)));
			else
				assert_non_null(open_why(&o, as, wr_view(&w, 0, w.len)));
		}
	}
}

static void the_hash_covers_all_that_follows_it(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct wr w = { buf, 0, sizeof(buf), false };

	(void)state;
	sample_pool_init(&pool, 1);
	sample_pull_msg(&pool, 1, &w);
	assert_null(open_why(&o, 1, wr_view(&w, 0, w.len)));
	assert_int_equal(form.hash.len, 32);
	assert_ptr_equal(form.covered.p, buf + ISAKMP_HDR_LEN + 4 + 32);
	assert_ptr_equal(form.covered.p + form.covered.len, buf + w.len);
}

static void the_members_request_is_read(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct sample_pull_out p = { .hdr.msgid = 77, .hash_len = 20 };
	struct gdoi_pull1 m = { .nonce = BYTES_LIT("0123456789abcdef") }, got;
	struct wr w;
	struct wr_hash h;
	struct rd_err err = { NULL };
	uint8_t group[4];
	uint32_t number;

	(void)state;
	m.id = isakmp_id_of_group(&o, 1234, group);
	wr_init(&w, buf, sizeof(buf));
	assert_true(sample_pull1_encode(&w, &p, &m, &h));
	assert_int_equal(h.hash_at, 32);
	assert_int_equal(h.hash_len, 20);
	assert_int_equal(h.covered_at + h.covered_len, w.len);
	assert_int_equal(buf[18], GDOI_XCH_PULL);
	assert_int_equal(buf[19], ISAKMP_FLAG_E);
	assert_null(open_why(&o, 1, wr_view(&w, 0, w.len)));
	assert_true(gdoi_pull1_decode(&form, &got, &err));
	assert_true(bytes_eq(got.nonce, m.nonce));
	assert_true(isakmp_id_to_group(&o, &got.id, &number));
	assert_int_equal(number, 1234);
}

static const char *pull1_why(struct bytes nonce, struct isakmp_id id)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct sample_pull_out p = { .hash_len = 20 };
	struct gdoi_pull1 m = { nonce, id }, got;
	struct rd_err err = { NULL };
	struct wr_hash h;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	assert_true(sample_pull1_encode(&w, &p, &m, &h));
	assert_null(open_why(&o, 1, wr_view(&w, 0, w.len)));
	gdoi_pull1_decode(&form, &got, &err);
	return err.why;
}

static void nonce_and_identity_of_a_request_are_judged(void **state)
{
	struct isakmp_id id = { .type = ISAKMP_ID_KEY_ID, .data = BYTES_LIT("\0\0\4\xd2") };
	uint8_t n[129] = { 0 };

	(void)state;
	assert_null(pull1_why(BYTES(n, 8), id));
	assert_null(pull1_why(BYTES(n, 128), id));
	assert_string_equal(pull1_why(BYTES(n, 7), id), "nonce of wrong length");
	assert_string_equal(pull1_why(BYTES(n, 129), id), "nonce of wrong length");
	id.port = 848;
	assert_string_equal(pull1_why(BYTES(n, 8), id),
			    "protocol and port of a group identity not zero");
}

// Message 3 with payloads of these types after HASH, each empty.
static const char *pull3_extra_why(const struct gdoi_wire_opts *o, const char *types)
{
	struct isakmp_hdr h = { .exchange = GDOI_XCH_PULL, .flags = ISAKMP_FLAG_E };
	struct wr_chain c;
	struct wr_hash hash;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	c = isakmp_msg_begin(&w, &h);
	wr_hash_begin(&c, 32, &hash);
	for (; *types; types++)
		wr_pl(&c, (uint8_t)*types, BYTES_LIT(""));
	assert_true(isakmp_msg_end(&w, 0));
	return open_why(o, 3, wr_view(&w, 0, w.len));
}

static void vendor_ids_are_ignored_and_others_are_not(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();

	(void)state;
	assert_null(pull3_extra_why(&o, ""));
	assert_null(pull3_extra_why(&o, "\x0d\x16\x0d"));
	assert_string_equal(pull3_extra_why(&o, "\x0b"), "payload has no place in this message");
	assert_string_equal(pull3_extra_why(&o, "\x16\x16"), "payload given twice");
	o.pull_ignore_extra = true;
	assert_null(pull3_extra_why(&o, "\x0b\x0b\x0d"));
	assert_string_equal(pull3_extra_why(&o, "\x16\x16"), "payload given twice");
}

static void a_member_may_ask_for_sender_ids_but_not_set_delays(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct sample_pull_out p = { .hash_len = 32 };
	struct gdoi_pull3 m = { .has_gap = true,
				.gap = { .has_sid_request = true, .sid_request = 2 } },
			  got;
	struct rd_err err = { NULL };
	struct wr_hash h;
	struct wr w;

	(void)state;
	wr_init(&w, buf, sizeof(buf));
	assert_true(sample_pull3_encode(&w, &p, &m, &h));
	assert_null(open_why(&o, 3, wr_view(&w, 0, w.len)));
	assert_true(gdoi_pull3_decode(&o, &form, &got, &err));
	assert_int_equal(got.gap.sid_request, 2);
	m.gap.has_dtd = true;
	wr_init(&w, buf, sizeof(buf));
	assert_true(sample_pull3_encode(&w, &p, &m, &h));
	assert_null(open_why(&o, 3, wr_view(&w, 0, w.len)));
	assert_false(gdoi_pull3_decode(&o, &form, &got, &err));
	assert_string_equal(err.why, "delays from a member");
}

static const char *pull2_why(const struct gdoi_wire_opts *o)
{
	struct sample_pull_out p = { .hash_len = 32 };
	static struct gdoi_pull2 got;
	struct rd_err err = { NULL };
	struct wr_hash h;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	assert_true(sample_pull2_encode(o, &w, &p, &m2, &h));
	assert_null(open_why(o, 2, wr_view(&w, 0, w.len)));
	gdoi_pull2_decode(o, &form, &got, &err);
	return err.why;
}

static void policy_that_belongs_elsewhere_is_judged_by_option(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	uint64_t seed = 0;

	(void)state;
	do {
		sample_pool_init(&pool, seed++);
		m2.nonce = sample_bytes(&pool, 16);
		sample_sa(&pool, &m2.sa);
	} while (!m2.sa.has_sak || !m2.sa.has_gap);
	m2.sa.sak.management = GDOI_KEK_MANAGEMENT_LKH;
	m2.sa.gap = (struct gdoi_gap){ .has_atd = true };
	assert_null(pull2_why(&o));
	o.accept_kek_management_in_pull = false;
	assert_string_equal(pull2_why(&o), "kek management algorithm in a pull");
	o = gdoi_wire_opts_default();
	o.accept_atd_in_pull = false;
	assert_string_equal(pull2_why(&o), "activation delay in a pull");
	m2.sa.gap = (struct gdoi_gap){ .has_sid_request = true };
	assert_string_equal(pull2_why(&o), "sender id request from a key server");
}

static void seq_is_four_octets(void **state)
{
	struct rd_err err = { NULL };
	uint32_t seq;

	(void)state;
	assert_true(gdoi_seq_decode(BYTES_LIT("\0\0\0\7"), &seq, &err));
	assert_int_equal(seq, 7);
	assert_false(gdoi_seq_decode(BYTES_LIT("\0\0\0\7\0"), &seq, &err));
	err.why = NULL;
	assert_false(gdoi_seq_decode(BYTES_LIT("\0\0\7"), &seq, &err));
}

static void random_messages_survive_a_round_trip(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t again[SAMPLE_MAX];
	struct wr w = { buf, 0, sizeof(buf), false }, v;
	struct sample_pull_out p = { .hash_len = 32 };
	struct wr_hash h;

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct rd_err err = { NULL };

		sample_pool_init(&pool, seed);
		sample_pull_msg(&pool, 2, &w);
		assert_null(open_why(&o, 2, wr_view(&w, 0, w.len)));
		assert_true(gdoi_pull2_decode(&o, &form, &m2, &err));
		wr_init(&v, again, sizeof(again));
		assert_true(sample_pull2_encode(&o, &v, &p, &m2, &h));
		assert_int_equal(v.len, w.len);
		assert_memory_equal(again + ISAKMP_HDR_LEN, buf + ISAKMP_HDR_LEN,
				    w.len - ISAKMP_HDR_LEN);
		sample_pull_msg(&pool, 4, &w);
		assert_null(open_why(&o, 4, wr_view(&w, 0, w.len)));
		assert_true(gdoi_pull4_decode(&o, &form, &m4, &err));
		wr_init(&v, again, sizeof(again));
		assert_true(sample_pull4_encode(&o, &v, &p, &m4, &h));
		assert_int_equal(v.len, w.len);
		assert_memory_equal(again + ISAKMP_HDR_LEN, buf + ISAKMP_HDR_LEN,
				    w.len - ISAKMP_HDR_LEN);
	}
}

static void a_buffer_too_small_is_told(void **state)
{
	struct sample_pull_out p = { .hash_len = 32 };
	const struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct gdoi_pull1 m = { .nonce = BYTES_LIT("0123456789abcdef") };
	struct wr_hash h;
	struct wr w;

	(void)state;
	m.id = isakmp_id_of_group(&o, 1, (uint8_t[4]){ 0 });
	for (size_t cap = 0; cap < 28 + 36 + 20 + 12; cap++) {
		wr_init(&w, buf, cap);
		assert_false(sample_pull1_encode(&w, &p, &m, &h));
	}
	wr_init(&w, buf, 28 + 36 + 20 + 12);
	assert_true(sample_pull1_encode(&w, &p, &m, &h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_opens_as_what_it_is_and_as_no_other),
		cmocka_unit_test(the_hash_covers_all_that_follows_it),
		cmocka_unit_test(the_members_request_is_read),
		cmocka_unit_test(nonce_and_identity_of_a_request_are_judged),
		cmocka_unit_test(vendor_ids_are_ignored_and_others_are_not),
		cmocka_unit_test(a_member_may_ask_for_sender_ids_but_not_set_delays),
		cmocka_unit_test(policy_that_belongs_elsewhere_is_judged_by_option),
		cmocka_unit_test(seq_is_four_octets),
		cmocka_unit_test(random_messages_survive_a_round_trip),
		cmocka_unit_test(a_buffer_too_small_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
