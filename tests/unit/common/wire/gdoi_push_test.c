#include "tests/unit/unit.h"

#include "tests/unit/common/wire/samples.h"

static uint8_t buf[SAMPLE_MAX];
static struct sample_pool pool;
static struct gdoi_push_form form; // large
static struct gdoi_push push;
static const uint8_t kek_spi[GDOI_KEK_SPI_LEN] = "0123456789abcdef";

static const char *open_why(struct bytes msg, size_t pad)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(msg, &err);
	struct isakmp_hdr h;

	if (isakmp_hdr_decode(&r, &h))
		gdoi_push_open(&h, rd_rest(&r), pad, &form, &err);
	return err.why;
}

static const char *decode_why(const struct gdoi_wire_opts *o)
{
	struct rd_err err = { NULL };

	gdoi_push_decode(o, &form, &push, &err);
	return err.why;
}

// A PUSH whose payloads are these types with these bodies.
struct pl {
	uint8_t type;
	struct bytes body;
};
static struct bytes push_of(uint8_t flags, uint32_t msgid, const struct pl *pl, size_t n)
{
	struct isakmp_hdr h = { .exchange = GDOI_XCH_PUSH, .flags = flags, .msgid = msgid };
	struct wr_chain c;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	c = isakmp_msg_begin(&w, &h);
	for (size_t i = 0; i < n; i++)
		wr_pl(&c, pl[i].type, pl[i].body);
	assert_true(isakmp_msg_end(&w, 0));
	return wr_view(&w, 0, w.len);
}

#define SEQ                                                                                        \
	{                                                                                          \
		GDOI_PL_SEQ, BYTES_LIT("\0\0\0\1")                                                 \
	}
#define DEL                                                                                        \
	{                                                                                          \
		ISAKMP_PL_DELETE, BYTES_LIT("\0\0\0\2\1\4\0\1\x11\x11\x11\x11")                    \
	}
#define SA                                                                                         \
	{                                                                                          \
		ISAKMP_PL_SA, BYTES_LIT("")                                                        \
	}
#define KD                                                                                         \
	{                                                                                          \
		GDOI_PL_KD, BYTES_LIT("\0\0\0\0")                                                  \
	}
#define SIG                                                                                        \
	{                                                                                          \
		ISAKMP_PL_SIG, BYTES_LIT("signature")                                              \
	}
#define WHY(...)                                                                                   \
	open_why(push_of(ISAKMP_FLAG_E, 0, (struct pl[]){ __VA_ARGS__ },                           \
			 sizeof((struct pl[]){ __VA_ARGS__ }) / sizeof(struct pl)),                \
		 0)

static void payloads_come_in_the_order_of_the_rfc(void **state)
{
	(void)state;
	assert_null(WHY(SEQ, SA, KD, SIG));
	assert_null(WHY(SEQ, DEL, DEL, SA, KD, SIG));
	assert_null(WHY(SEQ, DEL, SIG));
	assert_string_equal(WHY(SEQ, SA, DEL, KD, SIG), "payloads of a push out of order");
	assert_string_equal(WHY(SEQ, KD, SA, SIG), "payloads of a push out of order");
	assert_string_equal(WHY(DEL, SEQ, SIG), "payloads of a push out of order");
	assert_string_equal(WHY(SEQ, DEL, SIG, SA, KD), "payloads of a push out of order");
}

static void what_a_push_needs_and_what_it_may_not_have(void **state)
{
	(void)state;
	assert_string_equal(WHY(SEQ, SA, KD), "payload missing");
	assert_string_equal(WHY(SA, KD, SIG), "payload missing");
	assert_string_equal(WHY(SEQ, SEQ, DEL, SIG), "payload given twice");
	assert_string_equal(WHY(SEQ, DEL, SIG, SIG), "payload given twice");
	assert_string_equal(WHY(SEQ, SA, SIG), "sa and kd not together");
	assert_string_equal(WHY(SEQ, KD, SIG), "sa and kd not together");
	assert_string_equal(WHY(SEQ, SIG), "push of nothing");
	assert_string_equal(WHY(SEQ, DEL, { GDOI_PL_SAT, BYTES_LIT("") }, SIG),
			    "payload has no place in this message");
	assert_string_equal(WHY(SEQ, DEL, { ISAKMP_PL_CERT, BYTES_LIT("") }, SIG),
			    "payload has no place in this message");
	assert_string_equal(WHY({ GDOI_PL_SEQ, BYTES_LIT("\0\0\0\1\0") }, DEL, SIG),
			    "trailing octets");
}

static void header_flags_and_message_id_are_strict(void **state)
{
	const struct pl pl[] = { SEQ, DEL, SIG };

	(void)state;
	assert_null(open_why(push_of(ISAKMP_FLAG_E, 0, pl, 3), 0));
	assert_string_equal(open_why(push_of(0, 0, pl, 3), 0),
			    "flags of a push not encryption only");
	assert_string_equal(open_why(push_of(ISAKMP_FLAG_E | ISAKMP_FLAG_C, 0, pl, 3), 0),
			    "flags of a push not encryption only");
	assert_string_equal(open_why(push_of(ISAKMP_FLAG_E, 1, pl, 3), 0),
			    "message id of a push not zero");
}

static void what_is_signed_is_what_the_receiver_verifies(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t signed_copy[SAMPLE_MAX];
	struct bytes span;
	struct wr w;

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		size_t pad = seed % 17, signed_len;

		sample_pool_init(&pool, seed);
		sample_push(&pool, &push);
		wr_init(&w, buf, sizeof(buf) - 32);
		assert_true(gdoi_push_begin(&o, &w, kek_spi, &push, 256, &span));
		memcpy(signed_copy, span.p, span.len);
		signed_len = span.len;
		assert_true(gdoi_push_end(&w, sample_bytes(&pool, 256)));
		// What encryption does: padding, and Length with it.
		memset(buf + w.len, 0, pad);
		isakmp_hdr_len_set(buf, (uint32_t)(w.len + pad));
		assert_null(open_why(BYTES(buf, w.len + pad), 16));
		assert_int_equal(form.seq, push.seq);
		assert_memory_equal(form.signed_hdr, signed_copy, ISAKMP_HDR_LEN);
		assert_int_equal(form.signed_payloads.len, signed_len - ISAKMP_HDR_LEN);
		assert_memory_equal(form.signed_payloads.p, signed_copy + ISAKMP_HDR_LEN,
				    signed_len - ISAKMP_HDR_LEN);
		assert_int_equal(form.sig.len, 256);
		assert_memory_equal(form.signed_hdr, kek_spi, GDOI_KEK_SPI_LEN);
	}
}

static void a_signature_of_another_length_than_announced_is_told(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	struct bytes span;
	struct wr w;

	(void)state;
	push = (struct gdoi_push){ .seq = 1, .n_del = 1, .del = { gdoi_delete_kek(NULL) } };
	wr_init(&w, buf, sizeof(buf));
	assert_true(gdoi_push_begin(&o, &w, kek_spi, &push, 64, &span));
	assert_false(gdoi_push_end(&w, BYTES_LIT("short")));
}

static void deletes_name_teks_keks_or_all_of_them(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const uint32_t spi[] = { 0x11112222, 0x33334444 };
	uint8_t storage[8], storage_all[4];
	struct gdoi_delete_item item;
	struct bytes span;
	struct wr w;

	(void)state;
	push = (struct gdoi_push){ .seq = 1, .n_del = 4 };
	push.del[0] = gdoi_delete_teks(GDOI_PROTO_ESP, spi, 2, storage);
	push.del[1] = gdoi_delete_teks(GDOI_PROTO_AH, NULL, 0, storage_all);
	push.del[2] = gdoi_delete_kek(kek_spi);
	push.del[3] = gdoi_delete_kek(NULL);
	wr_init(&w, buf, sizeof(buf));
	assert_true(gdoi_push_begin(&o, &w, kek_spi, &push, 4, &span));
	assert_true(gdoi_push_end(&w, BYTES_LIT("sign")));
	assert_null(open_why(wr_view(&w, 0, w.len), 0));
	assert_null(decode_why(&o));
	assert_false(push.has_sa);
	assert_int_equal(push.n_del, 4);
	item = gdoi_delete_spi(&push.del[0], 1);
	assert_int_equal(item.kind, GDOI_DELETE_TEK);
	assert_int_equal(item.proto, GDOI_PROTO_ESP);
	assert_int_equal(item.tek_spi, 0x33334444);
	item = gdoi_delete_spi(&push.del[1], 0);
	assert_int_equal(item.kind, GDOI_DELETE_ALL_TEK);
	assert_int_equal(item.proto, GDOI_PROTO_AH);
	item = gdoi_delete_spi(&push.del[2], 0);
	assert_int_equal(item.kind, GDOI_DELETE_KEK);
	assert_memory_equal(item.kek_spi, kek_spi, GDOI_KEK_SPI_LEN);
	assert_int_equal(gdoi_delete_spi(&push.del[3], 0).kind, GDOI_DELETE_ALL_KEK);
}

static const char *delete_why(const struct gdoi_wire_opts *o, struct bytes body)
{
	const struct pl pl[] = { SEQ, { ISAKMP_PL_DELETE, body }, SIG };

	assert_null(open_why(push_of(ISAKMP_FLAG_E, 0, pl, 3), 0));
	return decode_why(o);
}

static void deletes_are_judged_by_their_protocol(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();

	(void)state;
	assert_null(delete_why(&o, BYTES_LIT("\0\0\0\2\1\4\0\1\x11\x11\x11\x11")));
	assert_null(delete_why(&o, BYTES_LIT("\0\0\0\2\0\4\0\1\0\0\0\0"))); // any zero SPI
	assert_null(delete_why(&o, BYTES_LIT("\0\0\0\2\1\1\0\1\0")));
	assert_string_equal(delete_why(&o, BYTES_LIT("\0\0\0\2\0\4\0\1\0\0\0\1")),
			    "delete spi of wrong size");
	assert_string_equal(delete_why(&o, BYTES_LIT("\0\0\0\2\1\2\0\1\1\1")),
			    "delete spi of wrong size");
	assert_string_equal(delete_why(&o, BYTES_LIT("\0\0\0\1\1\4\0\1\x11\x11\x11\x11")),
			    "doi not supported");
	assert_string_equal(delete_why(&o, BYTES_LIT("\0\0\0\2\x4d\4\0\1\x11\x11\x11\x11")),
			    "unknown delete protocol");
	o.accept_any_zero_spi = false;
	assert_string_equal(delete_why(&o, BYTES_LIT("\0\0\0\2\0\4\0\1\0\0\0\0")),
			    "delete spi of wrong size");
}

static void too_many_deletes_fail(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const struct pl pl[] = { SEQ, DEL, DEL, DEL, DEL, DEL, DEL, DEL, DEL, DEL, SIG };

	(void)state;
	assert_null(open_why(push_of(ISAKMP_FLAG_E, 0, pl, N_ELEMS(pl)), 0));
	assert_string_equal(decode_why(&o), "too many deletes");
}

// What is read back points into buf, so it is not what is written next.
static const char *push_why(const struct gdoi_wire_opts *o)
{
	static struct gdoi_push heard;
	struct rd_err err = { NULL };
	struct bytes span;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	assert_true(gdoi_push_begin(o, &w, kek_spi, &push, 4, &span));
	assert_true(gdoi_push_end(&w, BYTES_LIT("sign")));
	assert_null(open_why(wr_view(&w, 0, w.len), 0));
	gdoi_push_decode(o, &form, &heard, &err);
	return err.why;
}

static void what_belongs_to_one_member_is_refused_in_a_push(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	uint64_t seed = 0;

	(void)state;
	do {
		sample_pool_init(&pool, seed++);
		sample_push(&pool, &push);
	} while (!push.has_sa || push.kd.n_tek == 0);
	assert_null(push_why(&o));
	push.kd.has_sid = true;
	push.kd.sid = (struct gdoi_kd_sid){ .bits = 8, .n = 1, .sid = { 1 } };
	assert_string_equal(push_why(&o), "sender ids in a push");
	push.kd.has_sid = false;
	push.sa.has_gap = true;
	push.sa.gap = (struct gdoi_gap){ .has_sid_request = true };
	assert_string_equal(push_why(&o), "sender id request from a key server");
}

static void a_push_of_only_a_kek_is_allowed_by_option(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	uint64_t seed = 0;

	(void)state;
	do {
		sample_pool_init(&pool, seed++);
		sample_push(&pool, &push);
	} while (!push.has_sa || push.kd.n_tek > 0);
	assert_null(push_why(&o));
	o.accept_kek_only_push = false;
	assert_string_equal(push_why(&o), "push without tek");
}

static void random_pushes_survive_a_round_trip(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t again[SAMPLE_MAX];
	struct wr w = { buf, 0, sizeof(buf), false }, v;
	struct bytes span;

	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		sample_pool_init(&pool, seed);
		sample_push_msg(&pool, &w);
		assert_null(open_why(wr_view(&w, 0, w.len), 0));
		assert_null(decode_why(&o));
		wr_init(&v, again, sizeof(again));
		assert_true(gdoi_push_begin(&o, &v, form.signed_hdr, &push, form.sig.len, &span));
		assert_true(gdoi_push_end(&v, form.sig));
		assert_true(bytes_eq(wr_view(&v, 0, v.len), wr_view(&w, 0, w.len)));
	}
}

static const char *ack_why(const char *hex)
{
	struct rd_err err = { NULL };
	struct gdoi_ack_msg m;
	uint8_t b[256];
	size_t n = unhex(hex, b, sizeof(b));

	gdoi_ack_decode(BYTES(b, n), &m, &err);
	return err.why;
}

#define ACK_HDR                                                                                    \
	"30313233343536373839616263646566"                                                         \
	"08102300"                                                                                 \
	"00000000"                                                                                 \
	"0000003c"
#define ACK_PL                                                                                     \
	"1200000caabbccddaabbccdd"                                                                 \
	"0500000800000007"                                                                         \
	"0000000c"                                                                                 \
	"01"                                                                                       \
	"000000"                                                                                   \
	"0a000001"

static void an_acknowledgement_is_hash_seq_id(void **state)
{
	(void)state;
	assert_null(ack_why(ACK_HDR ACK_PL));
	assert_string_equal(ack_why("30313233343536373839616263646566"
				    "08102301"
				    "00000000"
				    "0000003c" ACK_PL),
			    "flags of an acknowledgement not zero");
	assert_string_equal(ack_why("30313233343536373839616263646566"
				    "08102300"
				    "00000001"
				    "0000003c" ACK_PL),
			    "message id of an acknowledgement not zero");
	assert_string_equal(ack_why("30313233343536373839616263646566"
				    "08102100"
				    "00000000"
				    "0000003c" ACK_PL),
			    "not an acknowledgement");
	assert_string_equal(ack_why(ACK_HDR "1200000caabbccddaabbccdd"
					    "0500000800000007"
					    "0000000c"
					    "01"
					    "110350"
					    "0a000001"),
			    "protocol and port of an acknowledgement not zero");
	assert_string_equal(ack_why(ACK_HDR "1200000caabbccddaabbccdd"
					    "0500000800000007"
					    "0000000c"
					    "02"
					    "000000"
					    "0a000001"),
			    "identity of an acknowledgement not an address or oid");
	assert_string_equal(ack_why("30313233343536373839616263646566"
				    "08102300"
				    "00000000"
				    "00000030"
				    "1200000caabbccddaabbccdd"
				    "0000000800000007"),
			    "acknowledgement is not hash, seq, id");
}

static void acknowledgements_survive_a_round_trip(void **state)
{
	struct wr w = { buf, 0, sizeof(buf), false }, v;
	uint8_t again[256];
	struct wr_hash h;

	(void)state;
	for (uint64_t seed = 0; seed < 100; seed++) {
		struct rd_err err = { NULL };
		struct gdoi_ack_msg m;

		sample_pool_init(&pool, seed);
		sample_ack_msg(&pool, &w);
		assert_true(gdoi_ack_decode(wr_view(&w, 0, w.len), &m, &err));
		assert_memory_equal(m.spi, buf, GDOI_KEK_SPI_LEN);
		wr_init(&v, again, sizeof(again));
		assert_true(gdoi_ack_encode(&v, &m, m.hash.len, &h));
		assert_true(bytes_eq(wr_view(&v, 0, v.len), wr_view(&w, 0, w.len)));
		assert_true(bytes_eq(m.covered,
				     wr_view(&w, h.covered_at, h.covered_at + h.covered_len)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(payloads_come_in_the_order_of_the_rfc),
		cmocka_unit_test(what_a_push_needs_and_what_it_may_not_have),
		cmocka_unit_test(header_flags_and_message_id_are_strict),
		cmocka_unit_test(what_is_signed_is_what_the_receiver_verifies),
		cmocka_unit_test(a_signature_of_another_length_than_announced_is_told),
		cmocka_unit_test(deletes_name_teks_keks_or_all_of_them),
		cmocka_unit_test(deletes_are_judged_by_their_protocol),
		cmocka_unit_test(too_many_deletes_fail),
		cmocka_unit_test(what_belongs_to_one_member_is_refused_in_a_push),
		cmocka_unit_test(a_push_of_only_a_kek_is_allowed_by_option),
		cmocka_unit_test(random_pushes_survive_a_round_trip),
		cmocka_unit_test(an_acknowledgement_is_hash_seq_id),
		cmocka_unit_test(acknowledgements_survive_a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
