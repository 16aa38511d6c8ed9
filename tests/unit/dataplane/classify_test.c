#include "tests/unit/unit.h"

#include <rte_eal.h>

#include "common/base/rng.h"
#include "dataplane/classify.h"

static struct sadb *no_sas;

static struct dp_rule any_rule(uint8_t action)
{
	struct dp_rule r = { .action = action, .family = 4, .sport_hi = 65535, .dport_hi = 65535 };

	memset(r.src_hi, 0xff, 4);
	memset(r.dst_hi, 0xff, 4);
	return r;
}

static void add(struct rules *r, const struct dp_rule *in)
{
	const char *why = "";

	assert_int_equal(rules_add(r, in, 0, RULES_ALL_PORTS, no_sas, &why), 0);
}

static void first_match_decides(void **state)
{
	struct rules *r = rules_new();
	struct dp_rule in = any_rule(DP_CLEAR);
	struct ip4 ip = { .src = 1, .dst = 2, .proto = 17, .dport = 848 };

	(void)state;
	in.proto = 17;
	in.dport_lo = in.dport_hi = 848;
	add(r, &in);
	in = any_rule(DP_DROP);
	add(r, &in);
	assert_int_equal(rules_match(r, &ip, 0)->action, DP_CLEAR);
	ip.dport = 849;
	assert_int_equal(rules_match(r, &ip, 0)->action, DP_DROP);
	rules_free(r);
}

static void an_empty_list_matches_nothing(void **state)
{
	struct rules *r = rules_new();
	struct ip4 ip = { .src = 1, .dst = 2 };
	const char *why;

	(void)state;
	assert_int_equal(rules_seal(r, &why), 0);
	assert_null(rules_match(r, &ip, 0));
	rules_free(r);
}

static void unknown_ports_match_towards_safety(void **state)
{
	struct rules *r = rules_new();
	struct dp_rule in = any_rule(DP_CLEAR);
	struct ip4 ip = { .src = 1, .dst = 2, .proto = 6, .opaque = true };

	(void)state;
	in.proto = 6;
	in.dport_lo = in.dport_hi = 22;
	add(r, &in);
	in.action = DP_DROP;
	in.dport_lo = in.dport_hi = 80;
	add(r, &in);
	assert_int_equal(rules_match(r, &ip, 0)->action, DP_DROP);
	rules_free(r);
}

static void a_rule_decides_on_its_ports_only(void **state)
{
	struct rules *r = rules_new();
	struct dp_rule in = any_rule(DP_DROP);
	struct ip4 ip = { .src = 1, .dst = 2 };
	const char *why;

	(void)state;
	assert_int_equal(rules_add(r, &in, 0, 1u << 7 | 1u << 2, no_sas, &why), 0);
	assert_non_null(rules_match(r, &ip, 2));
	assert_non_null(rules_match(r, &ip, 7));
	assert_null(rules_match(r, &ip, 1));
	rules_free(r);
}

static void wrong_rules_are_refused(void **state)
{
	struct rules *r = rules_new();
	struct dp_rule in = any_rule(9);
	const char *why = NULL;

	(void)state;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -EINVAL);
	in = any_rule(DP_PROTECT);
	in.family = 5;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -EINVAL);
	in = any_rule(DP_PROTECT);
	in.src_lo[0] = 2;
	in.src_hi[0] = 1;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -EINVAL);
	in = any_rule(DP_PROTECT);
	in.sport_lo = 5;
	in.sport_hi = 4;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -EINVAL);
	in = any_rule(DP_PROTECT);
	in.n_spi_in = DP_MAX_SPI_IN + 1;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -EINVAL);
	in = any_rule(DP_PROTECT);
	in.spi_out = 0x1234;
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, no_sas, &why), -ENOENT);
	assert_string_equal(why, "rule sends under an SA that was not named, or not for sending");
	assert_int_equal(r->n, 0);
	rules_free(r);
}

static void a_rule_admits_only_its_spis(void **state)
{
	struct rule r = { .n_spi_in = 2, .spi_in = { 5, 6, 7 } };

	(void)state;
	assert_true(rule_admits(&r, 6));
	assert_false(rule_admits(&r, 7));
}

// A value out of few, so that random rules and packets meet often.
static uint32_t few(struct rng *r)
{
	return 0x0a000000 | (uint32_t)rng_range(r, 0, 15) << 16 | (uint32_t)rng_range(r, 0, 3);
}

static void random_range(struct rng *r, uint8_t lo[16], uint8_t hi[16])
{
	uint32_t a = few(r), b = few(r);

	if (rng_range(r, 0, 3) == 0) {
		a = 0;
		b = UINT32_MAX;
	}
	be32_put(lo, MIN_OF(a, b));
	be32_put(hi, MAX_OF(a, b));
}

static void random_rule(struct rng *r, struct dp_rule *in)
{
	static const uint8_t protos[] = { 0, 0, 1, 6, 17 };

	*in = any_rule((uint8_t)rng_range(r, DP_PROTECT, DP_DROP));
	random_range(r, in->src_lo, in->src_hi);
	random_range(r, in->dst_lo, in->dst_hi);
	in->proto = protos[rng_range(r, 0, 4)];
	if (rng_range(r, 0, 2) == 0) {
		in->dport_lo = (uint16_t)rng_range(r, 0, 9);
		in->dport_hi = (uint16_t)rng_range(r, in->dport_lo, 10);
	}
	if (rng_range(r, 0, 4) == 0)
		in->sport_lo = (uint16_t)rng_range(r, 1, 9);
}

static void random_packet(struct rng *r, struct ip4 *ip)
{
	static const uint8_t protos[] = { 1, 6, 17, 50 };

	*ip = (struct ip4){ .src = few(r), .dst = few(r), .proto = protos[rng_range(r, 0, 3)] };
	if (ip->proto == 6 || ip->proto == 17) {
		ip->opaque = rng_range(r, 0, 9) == 0;
		if (!ip->opaque) {
			ip->sport = (uint16_t)rng_range(r, 0, 11);
			ip->dport = (uint16_t)rng_range(r, 0, 11);
		}
	}
}

static void acl_and_linear_search_agree(void **state)
{
	struct ip4 ip[CLASSIFY_BURST];
	const struct ip4 *ptr[CLASSIFY_BURST];
	const struct rule *got[CLASSIFY_BURST];
	uint8_t port[CLASSIFY_BURST];
	const char *why;
	struct rng rng;
	unsigned hits = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct rules *r = rules_new();
		struct dp_rule in;

		rng_seed(&rng, seed);
		for (unsigned i = 0; i < 20 + seed * 3; i++) {
			uint8_t ports = (uint8_t)rng_range(&rng, 1, 7);

			random_rule(&rng, &in);
			assert_int_equal(rules_add(r, &in, 0, ports, no_sas, &why), 0);
		}
		assert_int_equal(rules_seal(r, &why), 0);
		assert_non_null(r->acl);
		for (unsigned round = 0; round < 20; round++) {
			for (unsigned i = 0; i < CLASSIFY_BURST; i++) {
				random_packet(&rng, &ip[i]);
				ptr[i] = &ip[i];
				port[i] = (uint8_t)rng_range(&rng, 0, 2);
			}
			rules_match_burst(r, ptr, port, CLASSIFY_BURST, got);
			for (unsigned i = 0; i < CLASSIFY_BURST; i++) {
				if (got[i] != rules_match(r, &ip[i], port[i]))
					fail_msg("SEED=%llu", (unsigned long long)seed);
				hits += got[i] != NULL;
			}
		}
		rules_free(r);
	}
	assert_true(hits > 2000);
}

int main(void)
{
	char *eal[] = { (char *)"test",
			(char *)"--no-huge",
			(char *)"-m",
			(char *)"64",
			(char *)"--no-pci",
			(char *)"--no-telemetry",
			(char *)"--lcores=0",
			(char *)"--no-shconf",
			(char *)"--log-level=4",
			(char *)"--force-max-simd-bitwidth=512" };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_match_decides),
		cmocka_unit_test(an_empty_list_matches_nothing),
		cmocka_unit_test(unknown_ports_match_towards_safety),
		cmocka_unit_test(a_rule_decides_on_its_ports_only),
		cmocka_unit_test(wrong_rules_are_refused),
		cmocka_unit_test(a_rule_admits_only_its_spis),
		cmocka_unit_test(acl_and_linear_search_agree),
	};

	assert_true(rte_eal_init((int)N_ELEMS(eal), eal) >= 0);
	no_sas = sadb_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
