#include "tests/unit/unit.h"

#include "common/base/rng.h"
#include "dataplane/ip4.h"

// A well-formed packet in a heap block of exactly its size, so that a step too far is seen.
static uint8_t *packet(size_t len, size_t hlen, uint8_t proto, uint16_t frag)
{
	uint8_t *b = calloc(1, len);

	b[0] = (uint8_t)(0x40 | hlen / 4);
	be16_put(b + 2, (uint32_t)len);
	be16_put(b + 6, frag);
	b[8] = 64;
	b[9] = proto;
	be32_put(b + 12, 0x0a010002);
	be32_put(b + 16, 0x0a020002);
	for (size_t i = hlen; i < len; i++)
		b[i] = (uint8_t)i;
	ip4_set_checksum(b, hlen);
	return b;
}

static void header_of_rfc_1071_kind_sums_to_zero(void **state)
{
	// Captured from a ping; its checksum is 0xb861 as tcpdump confirms.
	static const char *hex = "45000073000040004011b861c0a80001c0a800c7";
	uint8_t b[20];

	(void)state;
	unhex(hex, b, sizeof(b));
	assert_int_equal(ip4_sum(b, 20), 0);
	be16_put(b + 10, 0);
	ip4_set_checksum(b, 20);
	assert_int_equal(be16_get(b + 10), 0xb861);
}

static void parse_reads_every_field(void **state)
{
	uint8_t *b = packet(40, 20, 17, IP4_DF);
	struct ip4 ip;

	(void)state;
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_GOOD);
	assert_int_equal(ip.src, 0x0a010002);
	assert_int_equal(ip.dst, 0x0a020002);
	assert_int_equal(ip.sport, 20 << 8 | 21);
	assert_int_equal(ip.dport, 22 << 8 | 23);
	assert_int_equal(ip.len, 40);
	assert_int_equal(ip.frag, IP4_DF);
	assert_false(ip.opaque);
	free(b);
}

static void igmp_is_told_from_what_a_router_would_pass_on(void **state)
{
	struct ip4 ip = { .proto = IP4_IGMP, .ttl = 1, .dst = 0xe0000016 };

	(void)state;
	assert_true(ip4_is_igmp(&ip)); // a report, to all routers
	ip.dst = 0xefc00101;
	assert_true(ip4_is_igmp(&ip)); // version 2, to the group itself
	ip.ttl = 2;
	assert_false(ip4_is_igmp(&ip));
	ip.ttl = 1;
	ip.dst = 0x0a010002;
	assert_false(ip4_is_igmp(&ip));
	ip.dst = 0xe0000016;
	ip.frag = IP4_MF;
	assert_false(ip4_is_igmp(&ip));
	ip.frag = 0;
	ip.proto = 17;
	assert_false(ip4_is_igmp(&ip));
}

static void parse_refuses_every_truncation(void **state)
{
	uint8_t *whole = packet(64, 24, 6, 0);
	struct ip4 ip;

	(void)state;
	for (size_t len = 0; len < 64; len++) {
		uint8_t *b = malloc(len ? len : 1);

		memcpy(b, whole, len);
		assert_int_equal(ip4_parse(b, len, &ip), IP4_SHORT);
		free(b);
	}
	assert_int_equal(ip4_parse(whole, 64, &ip), IP4_GOOD);
	free(whole);
}

static void parse_names_what_is_wrong(void **state)
{
	uint8_t *b = packet(40, 20, 17, 0);
	struct ip4 ip;

	(void)state;
	b[0] = 0x65;
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_HEADER);
	b[0] = 0x44;
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_HEADER);
	b[0] = 0x45;
	b[8]--;
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_CHECKSUM);
	b[8]++;
	be16_put(b + 2, 19);
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_HEADER);
	be16_put(b + 2, 40);
	be32_put(b + 12, 0x7f000001);
	ip4_set_checksum(b, 20);
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_MARTIAN);
	be32_put(b + 12, 0);
	ip4_set_checksum(b, 20);
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_MARTIAN);
	be32_put(b + 16, 0xffffffff); // a host that asks for its address
	ip4_set_checksum(b, 20);
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_GOOD);
	free(b);
}

static void later_fragments_have_opaque_ports(void **state)
{
	uint8_t *b = packet(40, 20, 6, 5);
	struct ip4 ip;

	(void)state;
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_GOOD);
	assert_true(ip.opaque);
	assert_int_equal(ip.sport, 0);
	b[9] = 1; // ICMP has none, in any fragment
	ip4_set_checksum(b, 20);
	assert_int_equal(ip4_parse(b, 40, &ip), IP4_GOOD);
	assert_false(ip.opaque);
	free(b);
	b = packet(22, 20, 6, 0); // too short to carry ports
	assert_int_equal(ip4_parse(b, 22, &ip), IP4_GOOD);
	assert_true(ip.opaque);
	free(b);
}

static void a_fragment_that_ends_behind_the_longest_packet_is_refused(void **state)
{
	uint8_t *b = packet(1400, 20, 17, 8191 - 171); // ends at 65540
	struct ip4 ip;

	(void)state;
	assert_int_equal(ip4_parse(b, 1400, &ip), IP4_HEADER);
	be16_put(b + 6, 8191 - 175); // 65528, and the header before it
	ip4_set_checksum(b, 20);
	assert_int_equal(ip4_parse(b, 1400, &ip), IP4_GOOD);
	free(b);
}

static void ttl_step_keeps_the_checksum_right(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t b[20];

		rng_fill(&r, b, sizeof(b));
		b[0] = 0x45;
		b[8] = (uint8_t)rng_range(&r, 1, 255);
		ip4_set_checksum(b, 20);
		ip4_ttl_dec(b);
		// 0xffff and 0 are the same value in one's complement.
		assert_int_equal(ip4_sum(b, 20), 0);
	}
}

// Cuts and puts together again; checks every header on the way.
static void cut_and_join(size_t len, size_t hlen, size_t mtu, uint16_t frag)
{
	uint8_t *b = packet(len, hlen, 17, frag), *joined = calloc(1, len), *out = malloc(mtu);
	struct ip4_cutter c;
	struct ip4 ip, f;
	size_t n, at = 0;
	bool more = true;

	assert_int_equal(ip4_parse(b, len, &ip), IP4_GOOD);
	ip4_cut_start(&c, b, &ip, mtu);
	while ((n = ip4_cut_next(&c, out))) {
		assert_true(more);
		assert_true(n <= mtu);
		assert_int_equal(ip4_parse(out, n, &f), IP4_GOOD);
		assert_int_equal(f.len, n);
		assert_int_equal((f.frag & IP4_OFF_MASK) * 8, (frag & IP4_OFF_MASK) * 8u + at);
		memcpy(joined + hlen + at, out + f.hlen, f.len - f.hlen);
		at += f.len - f.hlen;
		more = (f.frag & IP4_MF) != 0;
	}
	assert_int_equal(at, len - hlen);
	assert_int_equal(more, (frag & IP4_MF) != 0);
	assert_memory_equal(joined + hlen, b + hlen, len - hlen);
	free(b);
	free(joined);
	free(out);
}

static void fragments_join_to_the_packet(void **state)
{
	(void)state;
	for (size_t mtu = 68; mtu < 1500; mtu += 61)
		for (size_t len = 69; len < 1500; len += 37)
			cut_and_join(len, 20, mtu, 0);
	cut_and_join(1400, 20, 576, IP4_MF | 10);
	cut_and_join(1400, 60, 128, 0);
}

static void only_copied_options_reach_later_fragments(void **state)
{
	uint8_t *b = packet(400, 32, 17, 0), out[100];
	struct ip4_cutter c;
	struct ip4 ip, f;

	(void)state;
	// record route (not copied), no-op, stream id (copied), end
	memcpy(b + 20, (const uint8_t[]){ 7, 3, 4, 1, 0x88, 4, 9, 9, 0, 0, 0, 0 }, 12);
	ip4_set_checksum(b, 32);
	assert_int_equal(ip4_parse(b, 400, &ip), IP4_GOOD);
	ip4_cut_start(&c, b, &ip, 100);
	assert_true(ip4_cut_next(&c, out) > 0);
	assert_memory_equal(out + 20, b + 20, 12);
	assert_int_equal(ip4_parse(out, ip4_cut_next(&c, out), &f), IP4_GOOD);
	assert_int_equal(f.hlen, 24);
	assert_memory_equal(out + 20, ((const uint8_t[]){ 0x88, 4, 9, 9 }), 4);
	free(b);
}

static void icmp_error_quotes_and_checks(void **state)
{
	uint8_t *b = packet(1500, 20, 6, IP4_DF), out[IP4_ICMP_MAX];
	struct ip4 ip, e;
	size_t len;

	(void)state;
	assert_int_equal(ip4_parse(b, 1500, &ip), IP4_GOOD);
	assert_true(ip4_may_answer(b, &ip));
	len = ip4_icmp_error(out, b, &ip, 0x0a010001, ICMP_UNREACH, ICMP_TOO_BIG, 1446);
	assert_int_equal(len, IP4_ICMP_MAX);
	assert_int_equal(ip4_parse(out, len, &e), IP4_GOOD);
	assert_int_equal(e.src, 0x0a010001);
	assert_int_equal(e.dst, ip.src);
	assert_int_equal(out[20], 3);
	assert_int_equal(out[21], 4);
	assert_int_equal(be16_get(out + 26), 1446);
	assert_int_equal(ip4_sum(out + 20, len - 20), 0);
	assert_memory_equal(out + 28, b, len - 28);
	free(b);
}

static void icmp_errors_are_not_answered(void **state)
{
	uint8_t *b = packet(60, 20, 1, 0);
	struct ip4 ip;

	(void)state;
	assert_int_equal(ip4_parse(b, 60, &ip), IP4_GOOD);
	b[20] = 8;
	assert_true(ip4_may_answer(b, &ip));
	b[20] = 3;
	assert_false(ip4_may_answer(b, &ip));
	b[20] = 8;
	ip.frag = 3;
	assert_false(ip4_may_answer(b, &ip));
	ip.frag = 0;
	ip.dst = 0xe0000005;
	assert_false(ip4_may_answer(b, &ip));
	free(b);
}

static void icmp_errors_tell_whom_they_quote(void **state)
{
	uint8_t *b = packet(1500, 20, 17, 0), out[IP4_ICMP_MAX];
	struct ip4 ip, e, quoted;
	size_t len;

	(void)state;
	assert_int_equal(ip4_parse(b, 1500, &ip), IP4_GOOD);
	len = ip4_icmp_error(out, b, &ip, 0x0a010001, ICMP_UNREACH, 3, 0);
	assert_int_equal(ip4_parse(out, len, &e), IP4_GOOD);
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	assert_int_equal(quoted.src, ip.src);
	assert_int_equal(quoted.dst, ip.dst);
	assert_int_equal(quoted.proto, 17);
	assert_int_equal(quoted.sport, ip.sport);
	assert_int_equal(quoted.dport, ip.dport);
	e.len = 20 + 8 + 20 + 4;
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	assert_false(quoted.opaque);
	e.len--; // the ports are not all there
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	assert_true(quoted.opaque);
	for (e.len = 20; e.len < 20 + 8 + 20; e.len++)
		assert_false(ip4_icmp_quoted(out, &e, &quoted));
	free(b);
}

// Whoever changed the quoted header on the way (its TTL, a mark) need not have mended its checksum.
static void a_quotation_is_known_whatever_its_checksum_says(void **state)
{
	uint8_t *b = packet(1500, 20, 17, 0), out[IP4_ICMP_MAX];
	struct ip4 ip, e, quoted;
	size_t len;

	(void)state;
	assert_int_equal(ip4_parse(b, 1500, &ip), IP4_GOOD);
	len = ip4_icmp_error(out, b, &ip, 0x0a010001, ICMP_UNREACH, 3, 0);
	assert_int_equal(ip4_parse(out, len, &e), IP4_GOOD);
	out[28 + 8]--;
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	assert_int_equal(quoted.src, ip.src);
	assert_int_equal(quoted.dport, ip.dport);
	out[28] = 0x65; // no IPv4 at all
	assert_false(ip4_icmp_quoted(out, &e, &quoted));
	free(b);
}

static void what_is_no_icmp_error_quotes_nothing(void **state)
{
	uint8_t *b = packet(100, 20, 17, 0), out[IP4_ICMP_MAX];
	struct ip4 ip, e, quoted;
	size_t len;

	(void)state;
	assert_int_equal(ip4_parse(b, 100, &ip), IP4_GOOD);
	len = ip4_icmp_error(out, b, &ip, 0x0a010001, ICMP_EXPIRED, 0, 0);
	assert_int_equal(ip4_parse(out, len, &e), IP4_GOOD);
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	out[20] = 8; // echo
	assert_false(ip4_icmp_quoted(out, &e, &quoted));
	out[20] = ICMP_EXPIRED;
	e.frag = 3;
	assert_false(ip4_icmp_quoted(out, &e, &quoted));
	e.frag = 0;
	out[28] = 0x4f; // a header longer than what is quoted of it
	e.len = 20 + 8 + 60;
	assert_true(ip4_icmp_quoted(out, &e, &quoted));
	assert_true(quoted.opaque);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_of_rfc_1071_kind_sums_to_zero),
		cmocka_unit_test(parse_reads_every_field),
		cmocka_unit_test(igmp_is_told_from_what_a_router_would_pass_on),
		cmocka_unit_test(parse_refuses_every_truncation),
		cmocka_unit_test(parse_names_what_is_wrong),
		cmocka_unit_test(later_fragments_have_opaque_ports),
		cmocka_unit_test(a_fragment_that_ends_behind_the_longest_packet_is_refused),
		cmocka_unit_test(ttl_step_keeps_the_checksum_right),
		cmocka_unit_test(fragments_join_to_the_packet),
		cmocka_unit_test(only_copied_options_reach_later_fragments),
		cmocka_unit_test(icmp_error_quotes_and_checks),
		cmocka_unit_test(icmp_errors_are_not_answered),
		cmocka_unit_test(icmp_errors_tell_whom_they_quote),
		cmocka_unit_test(a_quotation_is_known_whatever_its_checksum_says),
		cmocka_unit_test(what_is_no_icmp_error_quotes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
