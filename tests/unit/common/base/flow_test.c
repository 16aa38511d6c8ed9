#include "tests/unit/unit.h"

#include "common/base/flow.h"
#include "common/base/rng.h"
#include "tests/unit/flow_match.h"

static struct flow F(const char *src, const char *dst, uint8_t proto) {
	struct flow f = { .proto = proto };
	struct prefix p;

	assert_int_equal(prefix_parse(src, &p), 0);
	flow_side_prefix(&f.src, &p);
	assert_int_equal(prefix_parse(dst, &p), 0);
	flow_side_prefix(&f.dst, &p);
	return f;
}

// A small box in a small world, so that random keys hit its edges.
static struct flow
random_flow(struct rng *r)
{
	struct flow f = { 0 };
	struct flow_side *sides[] = { &f.src, &f.dst };

	for (int i = 0; i < 2; i++) {
		uint32_t a = (uint32_t)rng_range(r, 0, 7), b = (uint32_t)rng_range(r, a, 7);
		uint16_t p = (uint16_t)rng_range(r, 0, 3), q = (uint16_t)rng_range(r, p, 3);

		*sides[i] = (struct flow_side){ addr_from_v4(a), addr_from_v4(b), p, q };
	}
	return f;
}

static void subtraction_leaves_disjoint_boxes_that_match_the_difference(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 7);
	for (int world = 0; world < 2000; world++) {
		struct flow a = random_flow(&r), b = random_flow(&r), out[8];
		int n = flow_subtract(&a, &b, out, N_ELEMS(out));

		assert_in_range(n, 0, 8);
		for (int i = 0; i < 64; i++) {
			struct flow_key k = { addr_from_v4((uint32_t)rng_range(&r, 0, 8)),
					      addr_from_v4((uint32_t)rng_range(&r, 0, 8)),
					      (uint16_t)rng_range(&r, 0, 4),
					      (uint16_t)rng_range(&r, 0, 4), 6 };
			int hits = 0;

			for (int j = 0; j < n; j++)
				hits += flow_matches(&out[j], &k);
			assert_int_equal(hits, flow_matches(&a, &k) && !flow_matches(&b, &k));
		}
	}
}

static void a_protocol_cannot_be_cut_out_of_any(void **state)
{
	struct flow ip = F("10.0.0.0/8", "10.0.0.0/8", 0), udp = F("any", "any", 17), out[8];

	(void)state;
	assert_int_equal(flow_subtract(&ip, &udp, out, 8), -EOPNOTSUPP);
	assert_int_equal(flow_subtract(&udp, &ip, out, 8), 4);
}

static void flows_print_as_ios_does(void **state)
{
	struct flow f = F("10.0.0.0/8", "any", 17);
	char buf[FLOW_STRLEN];

	(void)state;
	f.src.port_lo = f.src.port_hi = 848;
	assert_string_equal(flow_str(&f, buf), "udp 10.0.0.0 0.255.255.255 port = 848 any");
	f = F("10.1.1.1/32", "10.0.0.0/8", 0);
	f.dst.hi = addr_from_v4(0x0a000005);
	assert_string_equal(flow_str(&f, buf), "ip host 10.1.1.1 range 10.0.0.0 10.0.0.5");
}

static void protocols_have_names_and_numbers(void **state)
{
	uint8_t p;
	char buf[8];

	(void)state;
	assert_int_equal(ip_proto_parse("esp", &p), 0);
	assert_int_equal(p, 50);
	assert_int_equal(ip_proto_parse("255", &p), 0);
	assert_int_equal(p, 255);
	assert_int_equal(ip_proto_parse("256", &p), -EINVAL);
	assert_int_equal(ip_proto_parse("", &p), -EINVAL);
	assert_int_equal(ip_proto_parse("tpc", &p), -EINVAL);
	assert_string_equal(ip_proto_str(200, buf), "200");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subtraction_leaves_disjoint_boxes_that_match_the_difference),
		cmocka_unit_test(a_protocol_cannot_be_cut_out_of_any),
		cmocka_unit_test(flows_print_as_ios_does),
		cmocka_unit_test(protocols_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
