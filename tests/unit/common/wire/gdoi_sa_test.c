#include "tests/unit/unit.h"

#include "common/wire/suite.h"
#include "tests/unit/common/wire/samples.h"

static struct gdoi_sa sa; // large

static const char *sa_why(const struct gdoi_wire_opts *o, const char *hex)
{
	static uint8_t b[2048];
	size_t n = unhex(hex, b, sizeof(b));
	struct rd_err err = { NULL };

	gdoi_sa_decode(o, BYTES(b, n), &sa, &err);
	return err.why;
}

static const char *why(const char *hex)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();

	return sa_why(&o, hex);
}

// An ESP SAT after its generic header: any protocol, 10.1.0.0/16 -> 10.2.0.0/16, AES-GCM-16.
#define SUBNETS                                                                                    \
	"04"                                                                                       \
	"0000"                                                                                     \
	"08"                                                                                       \
	"0a010000ffff0000"                                                                         \
	"04"                                                                                       \
	"0000"                                                                                     \
	"08"                                                                                       \
	"0a020000ffff0000"
#define ESP_SAT                                                                                    \
	"01"                                                                                       \
	"00" SUBNETS "14"                                                                          \
	"11223344"
#define TUNNEL "80040001"
// 4 of header, 1 + 1 + 24 + 1 + 4, one attribute
#define SAT	 "00000027" ESP_SAT TUNNEL
#define SAT_MORE "10000027" ESP_SAT TUNNEL
#define DOI_SIT                                                                                    \
	"00000002"                                                                                 \
	"00000000"
// A SAK after its generic header, without attributes.
#define SAK_FIXED                                                                                  \
	"11"                                                                                       \
	"01"                                                                                       \
	"0350"                                                                                     \
	"04"                                                                                       \
	"0a000001"                                                                                 \
	"01"                                                                                       \
	"0350"                                                                                     \
	"04"                                                                                       \
	"0a000002"                                                                                 \
	"000102030405060708090a0b0c0d0e0f"                                                         \
	"00000000"
#define SAK_ATTRS                                                                                  \
	"80020003"                                                                                 \
	"80030080"                                                                                 \
	"80060001"
#define SAK_LEN "0035" // 4 + 1 + 16 + 16 + 4 + 12

static void an_sa_of_one_sat_is_read(void **state)
{
	struct flow flow;
	char text[FLOW_STRLEN];

	(void)state;
	assert_null(why(DOI_SIT "00100000" SAT));
	assert_false(sa.has_sak);
	assert_int_equal(sa.n_sat, 1);
	assert_int_equal(sa.sat[0].proto, GDOI_PROTO_ESP);
	assert_int_equal(sa.sat[0].spi, 0x11223344);
	assert_int_equal(sa.sat[0].transform, ESP_AES_GCM_16);
	assert_int_equal(sa.sat[0].encap, IPSEC_ENCAP_TUNNEL);
	assert_true(gdoi_sat_to_flow(&sa.sat[0], &flow));
	assert_string_equal(flow_str(&flow, text), "ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255");
}

static void sak_gap_and_sats_come_in_order(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "000f0000"
				"1600" SAK_LEN SAK_FIXED SAK_ATTRS "10000008"
				"80010005" SAT_MORE SAT));
	assert_true(sa.has_sak);
	assert_true(sa.has_gap);
	assert_int_equal(sa.gap.atd_s, 5);
	assert_int_equal(sa.n_sat, 2);
	assert_int_equal(sa.sak.alg, GDOI_KEK_AES);
	assert_int_equal(sa.sak.key_bits, 128);
	assert_int_equal(sa.sak.spi[15], 15);
	assert_string_equal(why(DOI_SIT "00100000"
					"0f000027" ESP_SAT TUNNEL
					"0000" SAK_LEN SAK_FIXED SAK_ATTRS),
			    "sak out of order");
	assert_string_equal(why(DOI_SIT "00100000"
					"16000027" ESP_SAT TUNNEL "00000004"),
			    "gap out of order");
	assert_string_equal(why(DOI_SIT "00160000"
					"16000004"
					"00000004"),
			    "gap out of order");
	assert_string_equal(why(DOI_SIT "000f0000"
					"0f00" SAK_LEN SAK_FIXED SAK_ATTRS
					"0000" SAK_LEN SAK_FIXED SAK_ATTRS),
			    "sak out of order");
	assert_string_equal(why(DOI_SIT "00100000"
					"05000027" ESP_SAT TUNNEL "00000004"),
			    "payload has no place in an sa");
}

static void the_fixed_part_of_an_sa_is_strict(void **state)
{
	(void)state;
	assert_string_equal(why("00000001"
				"00000000"
				"00100000" SAT),
			    "doi not supported");
	assert_string_equal(why("00000002"
				"00000001"
				"00100000" SAT),
			    "situation not supported");
	assert_string_equal(why(DOI_SIT "00050000" SAT),
			    "sa attribute next payload not 15, 16 or 22");
	assert_string_equal(why(DOI_SIT "00000000"), "sa attribute next payload not 15, 16 or 22");
	assert_string_equal(why(DOI_SIT "01100000" SAT),
			    "sa attribute next payload not 15, 16 or 22");
	assert_string_equal(why(DOI_SIT "00100001" SAT), "reserved field of an sa not zero");
	assert_string_equal(why(DOI_SIT "00100000"
					"00010027" ESP_SAT TUNNEL),
			    "reserved octet of a payload not zero");
	assert_string_equal(why(DOI_SIT "00160000"
					"00000008"
					"80010005"),
			    "sa without sak and sat");
	assert_string_equal(why(DOI_SIT "00100000" SAT "00"), "trailing octets");
	assert_string_equal(why(DOI_SIT), "truncated");
}

#define SAT_WITH(len, attr) DOI_SIT "00100000000000" len ESP_SAT TUNNEL attr

static void anti_replay_of_a_sat_is_strict(void **state)
{
	(void)state;
	assert_null(why(SAT_WITH("27", "")));
	assert_int_equal(sa.sat[0].replay.mode, REPLAY_NONE);
	assert_null(why(SAT_WITH("2f", "7d01000402000014")));
	assert_true(replay_eq(sa.sat[0].replay, (struct replay){ REPLAY_TIME, 20 }));
	assert_null(why(SAT_WITH("2f", "7d01000401000400")));
	assert_true(replay_eq(sa.sat[0].replay, (struct replay){ REPLAY_COUNTER, 1024 }));
	assert_string_equal(why(SAT_WITH("37", "7d010004020000147d01000402000014")),
			    "attribute given twice");
	assert_string_equal(why(SAT_WITH("2b", "fd010014")), "anti-replay of a wrong length");
	assert_string_equal(why(SAT_WITH("2e", "7d010003020000")), "anti-replay of a wrong length");
	assert_string_equal(why(SAT_WITH("2f", "7d01000402010014")),
			    "reserved octet of anti-replay not zero");
	for (size_t i = 0; i < 6; i++) {
		static const char *const bad[] = { "7d01000400000040", "7d01000403000040",
						   "7d01000401000041", "7d01000401000800",
						   "7d01000402000000", "7d01000402000065" };
		char text[512];

		snprintf(text, sizeof(text), "%s%s", SAT_WITH("2f", ""), bad[i]);
		assert_string_equal(why(text), "anti-replay out of range");
	}
}

#define GAP_WITH(len, attr) DOI_SIT "00160000100000" len attr SAT

static void pseudotime_of_a_gap_is_strict(void **state)
{
	(void)state;
	assert_null(why(GAP_WITH("14", "00c8000c000000070000000100000002")));
	assert_true(sa.gap.has_pseudotime);
	assert_int_equal(sa.gap.pseudotime.epoch, 7);
	assert_int_equal(sa.gap.pseudotime.ms, (INT64_C(1) << 32) + 2);
	assert_null(why(GAP_WITH("14", "00c8000c000000071000000000000000")));
	assert_int_equal(sa.gap.pseudotime.ms, PSEUDOTIME_MAX_MS);
	assert_string_equal(why(GAP_WITH("14", "00c8000c000000071000000000000001")),
			    "pseudotime out of range");
	assert_string_equal(why(GAP_WITH("14", "00c8000c00000007ffffffffffffffff")),
			    "pseudotime out of range");
	assert_string_equal(why(GAP_WITH("14", "00c8000c000000000000000100000002")),
			    "pseudotime out of range");
	assert_string_equal(why(GAP_WITH("08", "80c80007")), "pseudotime of a wrong length");
	assert_string_equal(why(GAP_WITH("10", "00c800080000000700000001")),
			    "pseudotime of a wrong length");
	assert_string_equal(why(GAP_WITH("24", "00c8000c000000070000000100000002"
					       "00c8000c000000070000000100000002")),
			    "attribute given twice");
}

static void an_unknown_attribute_aborts(void **state)
{
	(void)state;
	assert_string_equal(why(DOI_SIT "00100000"
					"00000027" ESP_SAT "80630001"),
			    "unknown tek attribute");
	assert_string_equal(why(DOI_SIT "00160000"
					"00000008"
					"80040001"),
			    "unknown gap attribute");
	assert_string_equal(why(DOI_SIT "000f0000"
					"00000039" SAK_FIXED SAK_ATTRS "80080001"),
			    "unknown kek attribute");
	assert_string_equal(why(DOI_SIT "000f0000"
					"00000039" SAK_FIXED SAK_ATTRS "80800001"),
			    "unknown kek attribute");
}

static void the_identities_of_a_sak_may_have_long_lengths_too(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const char *two = DOI_SIT "000f0000"
				  "00000037"
				  "11"
				  "01"
				  "0350"
				  "0004"
				  "0a000001"
				  "01"
				  "0350"
				  "0004"
				  "0a000002"
				  "000102030405060708090a0b0c0d0e0f"
				  "00000000" SAK_ATTRS;

	(void)state;
	assert_null(sa_why(&o, two));
	assert_int_equal(sa.sak.dst.data[3], 2);
	o.accept_other_id_len = false;
	assert_string_equal(sa_why(&o, two), "identity length does not suit its type");
}

static void a_kek_spi_is_not_zero(void **state)
{
	(void)state;
	assert_string_equal(why(DOI_SIT "000f0000"
					"0000" SAK_LEN "11"
					"01"
					"0350"
					"04"
					"0a000001"
					"01"
					"0350"
					"04"
					"0a000002"
					"00000000000000000000000000000000"
					"00000000" SAK_ATTRS),
			    "kek spi zero");
	assert_string_equal(why(DOI_SIT "000f0000"
					"0000003d" SAK_FIXED SAK_ATTRS "0004000400000000"),
			    "attribute value zero");
}

static void a_sak_names_cipher_and_signature(void **state)
{
	(void)state;
	assert_string_equal(why(DOI_SIT "000f0000"
					"0000002d" SAK_FIXED "80060001"),
			    "kek algorithm missing");
	assert_string_equal(why(DOI_SIT "000f0000"
					"0000002d" SAK_FIXED "80020003"),
			    "signature algorithm missing");
	assert_string_equal(why(DOI_SIT "000f0000"
					"00000039" SAK_FIXED SAK_ATTRS "80020003"),
			    "attribute given twice");
	assert_string_equal(why(DOI_SIT "000f0000"
					"00000039" SAK_FIXED SAK_ATTRS "80090000"),
			    "attribute value zero");
}

static void a_kek_lifetime_comes_long_or_short(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "000f0000"
				"0000003d" SAK_FIXED SAK_ATTRS "0004000400015180"));
	assert_int_equal(sa.sak.life_s, 86400);
	assert_null(why(DOI_SIT "000f0000"
				"00000039" SAK_FIXED SAK_ATTRS "80040e10"));
	assert_int_equal(sa.sak.life_s, 3600);
}

static void a_request_for_acknowledgement_is_read(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "000f0000"
				"00000039" SAK_FIXED SAK_ATTRS "80090001"));
	assert_int_equal(sa.sak.ack, GDOI_ACK_KEK_SHA256);
}

static void both_lengths_of_identity_lengths_are_understood(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const char *two = DOI_SIT "00100000"
				  "00000029"
				  "01"
				  "00"
				  "04"
				  "0000"
				  "0008"
				  "0a010000ffff0000"
				  "04"
				  "0000"
				  "0008"
				  "0a020000ffff0000"
				  "14"
				  "11223344" TUNNEL;
	const char *mixed = DOI_SIT "00100000"
				    "10000029"
				    "01"
				    "00"
				    "04"
				    "0000"
				    "0008"
				    "0a010000ffff0000"
				    "04"
				    "0000"
				    "0008"
				    "0a020000ffff0000"
				    "14"
				    "11223344" TUNNEL SAT;

	(void)state;
	assert_null(sa_why(&o, two));
	assert_int_equal(sa.sat[0].spi, 0x11223344);
	assert_null(sa_why(&o, mixed)); // each SAT is read by itself
	assert_int_equal(sa.sat[1].spi, 0x11223344);
	o.accept_other_id_len = false;
	assert_string_equal(sa_why(&o, two), "identity length does not suit its type");
	o.sat_id_len = 2;
	assert_null(sa_why(&o, two));
	assert_string_equal(sa_why(&o, DOI_SIT "00100000" SAT),
			    "identity length does not suit its type");
}

static void we_write_the_identity_length_that_is_asked_for(void **state)
{
	static struct sample_pool pool;
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t one[SAMPLE_MAX], two[SAMPLE_MAX];
	struct wr w1, w2;
	struct wr_chain c1 = { &w1, SIZE_MAX }, c2 = { &w2, SIZE_MAX };
	struct gdoi_sat sat;

	(void)state;
	sample_pool_init(&pool, 3);
	do {
		sample_sat(&pool, &sat);
	} while (sat.proto != GDOI_PROTO_ESP);
	wr_init(&w1, one, sizeof(one));
	wr_init(&w2, two, sizeof(two));
	gdoi_sat_encode(&o, &c1, &sat);
	o.sat_id_len = 2;
	gdoi_sat_encode(&o, &c2, &sat);
	assert_int_equal(w2.len, w1.len + 2);
}

static void a_source_left_empty_means_any(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const char *none = DOI_SIT "00100000"
				   "0000001f"
				   "01"
				   "00"
				   "04"
				   "0000"
				   "00"
				   "04"
				   "0000"
				   "08"
				   "0a020000ffff0000"
				   "14"
				   "11223344" TUNNEL;
	const char *three = DOI_SIT "00100000"
				    "00000022"
				    "01"
				    "00"
				    "01"
				    "0000"
				    "03"
				    "000000"
				    "04"
				    "0000"
				    "08"
				    "0a020000ffff0000"
				    "14"
				    "11223344" TUNNEL;
	const char *three_not_zero = DOI_SIT "00100000"
					     "00000022"
					     "01"
					     "00"
					     "01"
					     "0000"
					     "03"
					     "000001"
					     "04"
					     "0000"
					     "08"
					     "0a020000ffff0000"
					     "14"
					     "11223344" TUNNEL;
	struct flow flow;

	(void)state;
	assert_null(sa_why(&o, none));
	assert_true(gdoi_sat_to_flow(&sa.sat[0], &flow));
	assert_int_equal(addr_to_v4(&flow.src.lo), 0);
	assert_int_equal(addr_to_v4(&flow.src.hi), 0xffffffff);
	assert_null(sa_why(&o, three));
	assert_true(gdoi_sat_to_flow(&sa.sat[0], &flow));
	assert_string_equal(sa_why(&o, three_not_zero), "identity length does not suit its type");
	o.accept_empty_src = false;
	assert_string_equal(sa_why(&o, none), "identity length does not suit its type");
	assert_string_equal(sa_why(&o, three), "identity length does not suit its type");
}

static void lifetimes_follow_their_type(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "00100000"
				"00000033" ESP_SAT "80010001"
				"80020e10"
				"80010002"
				"80020064"));
	assert_int_equal(sa.sat[0].life_s, 3600);
	assert_int_equal(sa.sat[0].life_kb, 100);
	assert_string_equal(why(DOI_SIT "00100000"
					"00000027" ESP_SAT "80020e10"),
			    "life duration without type");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000027" ESP_SAT "80010001"),
			    "life type without duration");
	assert_string_equal(why(DOI_SIT "00100000"
					"0000002b" ESP_SAT "80010003"
					"80020e10"),
			    "unknown life type");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000033" ESP_SAT "80010001"
					"80020e10"
					"80010001"
					"80020e10"),
			    "attribute given twice");
}

static void a_life_of_nothing_fails(void **state)
{
	(void)state;
	assert_string_equal(why(DOI_SIT "00100000"
					"0000002b" ESP_SAT "80010001"
					"80020000"),
			    "life duration zero");
}

static void group_description_is_ignored(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "00100000"
				"0000002b" ESP_SAT TUNNEL "8003000e"));
}

static void nonsense_in_a_sat_fails(void **state)
{
	(void)state;
	assert_string_equal(why(DOI_SIT "00100000"
					"00000005"
					"07"),
			    "unknown tek protocol");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000005"
					"01"),
			    "truncated");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000023"
					"01"
					"00" SUBNETS "63"
					"11223344"),
			    "unknown transform");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000023"
					"01"
					"00" SUBNETS "14"
					"00000000"),
			    "tek spi zero");
	assert_string_equal(why(DOI_SIT "00100000"
					"00000023"
					"01"
					"00"
					"0b"
					"0000"
					"08"
					"0a010000ffff0000"
					"04"
					"0000"
					"08"
					"0a020000ffff0000"
					"14"
					"11223344"),
			    "identity type not usable in policy");
}

static void a_bypass_line_ends_after_its_identities(void **state)
{
	(void)state;
	assert_null(why(DOI_SIT "00100000"
				"0000001e"
				"c8"
				"06" SUBNETS));
	assert_int_equal(sa.sat[0].proto, GDOI_PROTO_BYPASS);
	assert_int_equal(sa.sat[0].ip_proto, 6);
	assert_string_equal(why(DOI_SIT "00100000"
					"0000001f"
					"c8"
					"06" SUBNETS "00"),
			    "trailing octets");
}

static void an_iec_61850_sat_is_read(void **state)
{
	struct flow flow;

	(void)state;
	assert_null(why(DOI_SIT "00100000"
				"00000023"
				"03"
				"04"
				"06025103"
				"0003"
				"a1b2c3"
				"11223344"
				"0001"
				"0004"
				"00000e10"
				"8001000a"
				"80020064"));
	assert_true(bytes_eq(sa.sat[0].iec.oid, BYTES_LIT("\x06\x02\x51\x03")));
	assert_int_equal(sa.sat[0].iec.specific.len, 3);
	assert_int_equal(sa.sat[0].iec.enc, GDOI_IEC_ENC_AES_GCM_128);
	assert_int_equal(sa.sat[0].iec.life_s, 3600);
	assert_true(sa.sat[0].iec.has_atd);
	assert_int_equal(sa.sat[0].iec.atd_s, 10);
	assert_int_equal(sa.sat[0].iec.kda, 100);
	assert_false(gdoi_sat_to_flow(&sa.sat[0], &flow));
	assert_string_equal(why(DOI_SIT "00100000"
					"0000001a"
					"03"
					"04"
					"06025103"
					"0003"
					"a1b2c3"
					"11223344"
					"0001"
					"0004"
					"00000e10"),
			    "truncated");
	assert_string_equal(why(DOI_SIT "00100000"
					"0000001b"
					"03"
					"04"
					"06025103"
					"0003"
					"a1b2c3"
					"11223344"
					"0009"
					"0004"
					"00000e10"),
			    "unknown transform");
}

static void flows_and_identities_convert_both_ways(void **state)
{
	static struct sample_pool pool;

	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct gdoi_sat sat;
		struct flow flow, back;

		sample_pool_init(&pool, seed);
		sample_sat(&pool, &sat);
		if (sat.proto == GDOI_PROTO_IEC61850)
			continue;
		assert_true(gdoi_sat_to_flow(&sat, &flow));
		assert_true(gdoi_sat_set_flow(&sat, &flow));
		assert_true(gdoi_sat_to_flow(&sat, &back));
		assert_true(flow_eq(&flow, &back));
	}
}

static void what_has_no_encoding_is_refused(void **state)
{
	struct flow_side side;
	struct gdoi_id id;

	(void)state;
	flow_side_any(&side, 4);
	assert_true(gdoi_id_from_side(&side, &id));
	assert_int_equal(id.type, ISAKMP_ID_IPV4_SUBNET);
	assert_int_equal(id.port, 0);
	side.port_hi = 1023; // a range of ports
	assert_false(gdoi_id_from_side(&side, &id));
	side.port_hi = 0; // port 0 means any on the wire
	assert_false(gdoi_id_from_side(&side, &id));
	side.port_lo = side.port_hi = 53;
	assert_true(gdoi_id_from_side(&side, &id));
	assert_int_equal(id.port, 53);
}

static bool id_is_a_flow(uint8_t type, const char *hex, uint8_t family)
{
	struct gdoi_id id = { .type = type };
	struct flow_side side;

	id.len = (uint8_t)unhex(hex, id.data, sizeof(id.data));
	return gdoi_id_to_side(&id, family, &side);
}

static void identities_that_mean_nothing_are_no_flow(void **state)
{
	(void)state;
	assert_true(id_is_a_flow(ISAKMP_ID_IPV4_SUBNET, "0a000000ff000000", 4));
	assert_true(id_is_a_flow(ISAKMP_ID_IPV4_SUBNET, "0a010203ff000000", 4));
	assert_false(id_is_a_flow(ISAKMP_ID_IPV4_SUBNET, "0a000000ff00ff00", 4));
	assert_true(id_is_a_flow(ISAKMP_ID_IPV4_RANGE, "0a0000010a000001", 4));
	assert_false(id_is_a_flow(ISAKMP_ID_IPV4_RANGE, "0a0000020a000001", 4));
	assert_false(id_is_a_flow(ISAKMP_ID_IPV4_ADDR, "0a000002", 6));
	assert_false(id_is_a_flow(ISAKMP_ID_IPV6_ADDR, "0a000002", 6));
	assert_false(id_is_a_flow(ISAKMP_ID_FQDN, "0a000002", 4));
}

static void endpoints_convert_both_ways(void **state)
{
	struct endpoint e = { addr_from_v4(0x0a000001), 848 }, back;
	struct gdoi_id id = gdoi_id_of_endpoint(&e);

	(void)state;
	assert_true(gdoi_id_to_endpoint(&id, &back));
	assert_true(endpoint_eq(&e, &back));
	id.type = ISAKMP_ID_IPV4_SUBNET;
	assert_false(gdoi_id_to_endpoint(&id, &back));
}

static void pop_fields_of_the_old_rfc_need_an_option(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	const char *hex = DOI_SIT "000f0000"
				  "0000" SAK_LEN "11"
				  "01"
				  "0350"
				  "04"
				  "0a000001"
				  "01"
				  "0350"
				  "04"
				  "0a000002"
				  "000102030405060708090a0b0c0d0e0f"
				  "00010400" SAK_ATTRS;

	(void)state;
	assert_string_equal(sa_why(&o, hex), "reserved field of a sak not zero");
	o.accept_sak_pop_fields = true;
	assert_null(sa_why(&o, hex));
}

static void an_sa_of_too_many_sats_fails(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t b[32768];
	struct rd_err err = { NULL };
	struct wr w;

	(void)state;
	wr_init(&w, b, sizeof(b));
	wr_u32(&w, 2);
	wr_u32(&w, 0);
	wr_u32(&w, 0x00100000);
	for (int i = 0; i <= GDOI_MAX_SAT; i++) {
		uint8_t sat[64];
		size_t n = unhex(SAT_MORE, sat, sizeof(sat));

		sat[0] = i < GDOI_MAX_SAT ? GDOI_PL_SAT : 0;
		wr_put(&w, sat, n);
	}
	assert_false(gdoi_sa_decode(&o, wr_view(&w, 0, w.len), &sa, &err));
	assert_string_equal(err.why, "too many sats");
}

static void random_sas_survive_a_round_trip(void **state)
{
	struct gdoi_wire_opts o = gdoi_wire_opts_default();
	static uint8_t a[SAMPLE_MAX], b[SAMPLE_MAX];
	static struct sample_pool pool;
	static struct gdoi_sa in;

	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct rd_err err = { NULL };
		struct wr wa, wb;
		struct wr_chain ca = { &wa, SIZE_MAX }, cb = { &wb, SIZE_MAX };

		sample_pool_init(&pool, seed);
		o.sak_id_len = (uint8_t)rng_range(&pool.rng, 1, 2);
		o.sat_id_len = (uint8_t)rng_range(&pool.rng, 1, 2);
		sample_sa(&pool, &in);
		wr_init(&wa, a, sizeof(a));
		gdoi_sa_encode(&o, &ca, &in);
		assert_true(wr_ok(&wa));
		if (!gdoi_sa_decode(&o, wr_view(&wa, 4, wa.len), &sa, &err))
			fail_msg("seed %lu: %s", (unsigned long)seed, err.why);
		assert_int_equal(sa.n_sat, in.n_sat);
		assert_int_equal(sa.has_gap, in.has_gap);
		assert_int_equal(sa.has_sak, in.has_sak);
		wr_init(&wb, b, sizeof(b));
		gdoi_sa_encode(&o, &cb, &sa);
		assert_true(bytes_eq(wr_view(&wa, 0, wa.len), wr_view(&wb, 0, wb.len)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_sa_of_one_sat_is_read),
		cmocka_unit_test(sak_gap_and_sats_come_in_order),
		cmocka_unit_test(the_fixed_part_of_an_sa_is_strict),
		cmocka_unit_test(anti_replay_of_a_sat_is_strict),
		cmocka_unit_test(pseudotime_of_a_gap_is_strict),
		cmocka_unit_test(an_unknown_attribute_aborts),
		cmocka_unit_test(the_identities_of_a_sak_may_have_long_lengths_too),
		cmocka_unit_test(a_kek_spi_is_not_zero),
		cmocka_unit_test(a_sak_names_cipher_and_signature),
		cmocka_unit_test(a_kek_lifetime_comes_long_or_short),
		cmocka_unit_test(a_request_for_acknowledgement_is_read),
		cmocka_unit_test(both_lengths_of_identity_lengths_are_understood),
		cmocka_unit_test(we_write_the_identity_length_that_is_asked_for),
		cmocka_unit_test(a_source_left_empty_means_any),
		cmocka_unit_test(lifetimes_follow_their_type),
		cmocka_unit_test(a_life_of_nothing_fails),
		cmocka_unit_test(group_description_is_ignored),
		cmocka_unit_test(nonsense_in_a_sat_fails),
		cmocka_unit_test(a_bypass_line_ends_after_its_identities),
		cmocka_unit_test(an_iec_61850_sat_is_read),
		cmocka_unit_test(flows_and_identities_convert_both_ways),
		cmocka_unit_test(what_has_no_encoding_is_refused),
		cmocka_unit_test(identities_that_mean_nothing_are_no_flow),
		cmocka_unit_test(endpoints_convert_both_ways),
		cmocka_unit_test(pop_fields_of_the_old_rfc_need_an_option),
		cmocka_unit_test(an_sa_of_too_many_sats_fails),
		cmocka_unit_test(random_sas_survive_a_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
