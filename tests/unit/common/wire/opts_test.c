// Each choice that the RFCs leave, in both readings: what is sent, and what is made of it.
#include "tests/unit/unit.h"

#include "common/wire/gdoi_kd.h"
#include "common/wire/gdoi_push.h"
#include "common/wire/ike1_pl.h"

static struct gdoi_wire_opts usual, other; // other: a test changes one thing
static uint8_t buf[4096];

static int both_usual(void **state)
{
	(void)state;
	usual = other = gdoi_wire_opts_default();
	return 0;
}

static struct gdoi_sat sat_any_to_net(void)
{
	static const uint8_t net[8] = { 10, 1, 0, 0, 255, 255, 0, 0 };
	struct gdoi_sat s = { .proto = GDOI_PROTO_ESP,
			      .ip_proto = 17,
			      .src = { .type = ISAKMP_ID_IPV4_SUBNET, .len = 8 },
			      .dst = { .type = ISAKMP_ID_IPV4_SUBNET, .len = 8 },
			      .transform = ESP_AES_GCM_16,
			      .spi = 0x1111,
			      .key_bits = 128 };

	memcpy(s.dst.data, net, sizeof(net));
	return s;
}

static struct bytes body_of(struct wr *w)
{
	return wr_view(w, ISAKMP_PL_HDR_LEN, w->len);
}

static struct bytes write_sat(const struct gdoi_wire_opts *o)
{
	struct gdoi_sat s = sat_any_to_net();
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, sizeof(buf));
	gdoi_sat_encode(o, &c, &s);
	return body_of(&w);
}

static const char *read_sat(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sat *out)
{
	struct rd_err err = { NULL };

	return gdoi_sat_decode(o, body, out, &err) ? NULL : err.why;
}

static struct bytes write_sak(const struct gdoi_wire_opts *o)
{
	const struct endpoint a = { addr_from_v4(0x0a000001), 848 };
	struct gdoi_sak k = { .ip_proto = 17,
			      .src = gdoi_id_of_endpoint(&a),
			      .dst = gdoi_id_of_endpoint(&a),
			      .spi = { 1 },
			      .alg = GDOI_KEK_AES,
			      .key_bits = 128,
			      .sig_alg = GDOI_SIG_ECDSA_256 };
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, sizeof(buf));
	gdoi_sak_encode(o, &c, &k);
	return body_of(&w);
}

static void the_octet_dst_id_prot_is_not_there_unless_asked_for(void **state)
{
	struct gdoi_sak sak;
	struct gdoi_sat sat;
	struct rd_err err = { NULL };
	size_t len = write_sat(&usual).len;

	(void)state;
	other.dst_id_prot = true;
	assert_int_equal(write_sat(&other).len, len + 1);
	assert_null(read_sat(&other, write_sat(&other), &sat));
	assert_int_equal(sat.dst.data[0], 10);
	assert_non_null(read_sat(&usual, write_sat(&other), &sat));
	assert_non_null(read_sat(&other, write_sat(&usual), &sat));
	assert_true(gdoi_sak_decode(&other, write_sak(&other), &sak, &err));
	assert_int_equal(sak.dst.data[3], 1);
	assert_false(gdoi_sak_decode(&usual, write_sak(&other), &sak, &err));
}

static void any_source_is_a_subnet_or_nothing_or_three_zeros(void **state)
{
	struct gdoi_sat sat;
	struct flow flow;

	(void)state;
	assert_null(read_sat(&usual, write_sat(&usual), &sat));
	assert_int_equal(sat.src.len, 8);
	other.any_src = GDOI_ANY_EMPTY;
	assert_null(read_sat(&usual, write_sat(&other), &sat));
	assert_int_equal(sat.src.len, 0);
	other.any_src = GDOI_ANY_ZEROS;
	assert_null(read_sat(&usual, write_sat(&other), &sat));
	assert_int_equal(sat.src.len, 3);
	assert_true(gdoi_sat_to_flow(&sat, &flow));
	assert_int_equal(addr_to_v4(&flow.src.hi), 0xffffffff);
	usual.accept_empty_src = false;
	assert_non_null(read_sat(&usual, write_sat(&other), &sat));
}

// The payload with one more attribute, of a number that nobody has given out.
static struct bytes with_unknown(struct bytes body)
{
	static const uint8_t attr[4] = { 0x80 | 0x40, 7, 0, 1 };

	memcpy(buf + ISAKMP_PL_HDR_LEN + body.len, attr, sizeof(attr));
	return BYTES(body.p, body.len + sizeof(attr));
}

static void an_unknown_attribute_of_policy_aborts_or_is_ignored(void **state)
{
	struct rd_err err = { NULL }, none = { NULL };
	struct gdoi_gap gap = { .has_dtd = true, .dtd_s = 9 };
	struct gdoi_sat sat;
	struct gdoi_sak sak;
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	(void)state;
	other.ignore_unknown_attributes = true;
	assert_string_equal(read_sat(&usual, with_unknown(write_sat(&usual)), &sat),
			    "unknown tek attribute");
	assert_null(read_sat(&other, with_unknown(write_sat(&usual)), &sat));
	assert_int_equal(sat.key_bits, 128);
	assert_false(gdoi_sak_decode(&usual, with_unknown(write_sak(&usual)), &sak, &err));
	assert_string_equal(err.why, "unknown kek attribute");
	assert_true(gdoi_sak_decode(&other, with_unknown(write_sak(&usual)), &sak, &none));
	assert_int_equal(sak.key_bits, 128);
	wr_init(&w, buf, sizeof(buf));
	gdoi_gap_encode(&c, &gap);
	err.why = NULL;
	assert_false(gdoi_gap_decode(&usual, with_unknown(body_of(&w)), &gap, &err));
	assert_string_equal(err.why, "unknown gap attribute");
	assert_true(gdoi_gap_decode(&other, with_unknown(body_of(&w)), &gap, &none));
	assert_int_equal(gap.dtd_s, 9);
}

static size_t sid_len(const struct gdoi_wire_opts *o, uint16_t bits, uint32_t sid)
{
	static struct gdoi_kd kd, back;
	struct rd_err err = { NULL };
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	kd = (struct gdoi_kd){ .has_sid = true, .sid = { .bits = bits, .n = 1, .sid = { sid } } };
	wr_init(&w, buf, sizeof(buf));
	gdoi_kd_encode(o, &c, &kd);
	assert_true(gdoi_kd_decode(&usual, body_of(&w), &back, &err));
	assert_int_equal(back.sid.sid[0], sid);
	return w.len - (ISAKMP_PL_HDR_LEN + 4 + 5 + 4 + 4); // KD, packet, bits, attribute
}

static void a_sender_id_has_as_many_octets_as_asked_for_or_needed(void **state)
{
	(void)state;
	assert_int_equal(sid_len(&usual, 24, 0xabcdef), 4);
	other.sid_value_len = 8;
	assert_int_equal(sid_len(&other, 24, 0xabcdef), 8);
	other.sid_value_len = 2;
	assert_int_equal(sid_len(&other, 16, 0xabcd), 2);
	assert_int_equal(sid_len(&other, 24, 0xabcdef), 3);
}

static void a_group_number_is_big_endian_or_as_a_reference_daemon_writes_it(void **state)
{
	static const uint8_t big[4] = { 0, 0, 4, 0xd2 }, little[4] = { 0xd2, 4, 0, 0 };
	struct isakmp_id id;
	uint8_t octets[4];
	uint32_t group;

	(void)state;
	id = isakmp_id_of_group(&usual, 1234, octets);
	assert_memory_equal(octets, big, 4);
	assert_true(isakmp_id_to_group(&usual, &id, &group));
	assert_int_equal(group, 1234);
	other.group_id_little_endian = true;
	id = isakmp_id_of_group(&other, 1234, octets);
	assert_memory_equal(octets, little, 4);
	assert_true(isakmp_id_to_group(&other, &id, &group));
	assert_int_equal(group, 1234);
	assert_true(isakmp_id_to_group(&usual, &id, &group));
	assert_int_not_equal(group, 1234);
}

// A PUSH with one Delete of all, as it leaves; returns the SPI size that is in it.
static uint8_t delete_all_size(const struct gdoi_wire_opts *o, struct isakmp_delete d)
{
	static const uint8_t spi[GDOI_KEK_SPI_LEN] = { 1 };
	struct gdoi_push m = { .seq = 1, .n_del = 1, .del = { d } };
	struct bytes span;
	struct wr w;

	wr_init(&w, buf, sizeof(buf));
	assert_true(gdoi_push_begin(o, &w, spi, &m, 64, &span));
	return buf[ISAKMP_HDR_LEN + 8 + ISAKMP_PL_HDR_LEN + 5]; // SEQ, DOI and protocol before
}

static void all_in_a_delete_is_a_zero_spi_of_the_protocol_or_of_a_length_asked_for(void **state)
{
	static const uint8_t kek[GDOI_KEK_SPI_LEN] = { 9 };
	uint8_t spi[4];

	(void)state;
	other.zero_spi_len = 1;
	assert_int_equal(delete_all_size(&usual, gdoi_delete_kek(NULL)), 16);
	assert_int_equal(delete_all_size(&usual, gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, spi)),
			 4);
	assert_int_equal(delete_all_size(&other, gdoi_delete_kek(NULL)), 1);
	assert_int_equal(delete_all_size(&other, gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, spi)),
			 1);
	assert_int_equal(delete_all_size(&other, gdoi_delete_kek(kek)), 16);
}

static void the_header_under_sig_has_its_e_flag_and_unpadded_length_by_default(void **state)
{
	uint8_t hdr[ISAKMP_HDR_LEN] = { [19] = ISAKMP_FLAG_E, [26] = 1, [27] = 0x90 };

	(void)state;
	gdoi_push_hdr_as_signed(&usual, 0x194, hdr);
	assert_int_equal(hdr[19], ISAKMP_FLAG_E);
	assert_int_equal(hdr[27], 0x90);
	other.sign_hdr_padded_len = true;
	gdoi_push_hdr_as_signed(&other, 0x194, hdr);
	assert_int_equal(hdr[19], ISAKMP_FLAG_E);
	assert_int_equal(hdr[27], 0x94);
	other.sign_hdr_without_e = true;
	gdoi_push_hdr_as_signed(&other, 0x194, hdr);
	assert_int_equal(hdr[19], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup(f, both_usual)
		T(the_octet_dst_id_prot_is_not_there_unless_asked_for),
		T(any_source_is_a_subnet_or_nothing_or_three_zeros),
		T(an_unknown_attribute_of_policy_aborts_or_is_ignored),
		T(a_sender_id_has_as_many_octets_as_asked_for_or_needed),
		T(a_group_number_is_big_endian_or_as_a_reference_daemon_writes_it),
		T(all_in_a_delete_is_a_zero_spi_of_the_protocol_or_of_a_length_asked_for),
		T(the_header_under_sig_has_its_e_flag_and_unpadded_length_by_default),
#undef T
	};

	return cmocka_run_group_tests_name("wire/opts", tests, NULL, NULL);
}
