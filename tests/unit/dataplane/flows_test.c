#include "tests/unit/unit.h"

#include "common/base/rng.h"
#include "dataplane/flows.h"

static struct rules *random_rules(struct rng *rng, size_t n)
{
	struct rules *r = rules_new();
	const char *why = "";

	for (size_t i = 0; i < n; i++) {
		struct dp_rule in = { .action = rng_u64(rng) & 1 ? DP_CLEAR : DP_DROP,
				      .family = 4,
				      .sport_hi = 65535,
				      .dport_hi = 65535,
				      .line = (uint32_t)i };

		in.src_lo[3] = in.src_hi[3] = (uint8_t)rng_range(rng, 0, 15);
		memset(in.dst_hi, 0xff, 4);
		if (rng_u64(rng) & 1)
			in.dport_lo = in.dport_hi = (uint16_t)rng_range(rng, 1, 4);
		assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, NULL, &why), 0);
	}
	assert_int_equal(rules_seal(r, &why), 0);
	return r;
}

static struct ip4 random_packet(struct rng *rng)
{
	return (struct ip4){ .src = (uint32_t)rng_range(rng, 0, 15),
			     .dst = (uint32_t)rng_range(rng, 0, 700),
			     .proto = rng_u64(rng) & 1 ? 6 : 17,
			     .dport = (uint16_t)rng_range(rng, 1, 4),
			     .opaque = rng_range(rng, 0, 7) == 0 };
}

// More flows than places, so that every way in and out of the table is taken.
static void the_answer_is_that_of_the_search(void **state)
{
	struct flows *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	memset(f, 0, sizeof(*f));
	for (uint64_t serial = 1; serial <= 20; serial++) {
		struct rules *r = random_rules(&rng, 12);

		for (unsigned burst = 0; burst < 400; burst++) {
			const struct rule *out[CLASSIFY_BURST];
			const struct ip4 *ptr[CLASSIFY_BURST];
			struct ip4 ip[CLASSIFY_BURST];
			uint8_t port[CLASSIFY_BURST];
			size_t n = (size_t)rng_range(&rng, 1, CLASSIFY_BURST);

			for (size_t i = 0; i < n; i++) {
				ip[i] = random_packet(&rng);
				ptr[i] = &ip[i];
				port[i] = (uint8_t)rng_range(&rng, 0, 3);
			}
			flows_match(f, serial, r, ptr, port, n, out);
			for (size_t i = 0; i < n; i++)
				assert_ptr_equal(out[i], rules_match(r, &ip[i], port[i]));
		}
		rules_free(r);
	}
	free(f);
}

// The memory of an old policy may be that of a new one.
static void an_answer_does_not_outlive_its_policy(void **state)
{
	struct flows *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);
	struct rules *r = rules_new();
	struct dp_rule in = {
		.action = DP_DROP, .family = 4, .sport_hi = 65535, .dport_hi = 65535
	};
	struct ip4 ip = { .src = 1, .dst = 2, .proto = 17 };
	const struct ip4 *ptr = &ip;
	const struct rule *out;
	const char *why = "";

	(void)state;
	memset(f, 0, sizeof(*f));
	flows_match(f, 1, r, &ptr, (const uint8_t[]){ 0 }, 1, &out);
	assert_null(out);
	memset(in.src_hi, 0xff, 4);
	memset(in.dst_hi, 0xff, 4);
	assert_int_equal(rules_add(r, &in, 0, RULES_ALL_PORTS, NULL, &why), 0);
	flows_match(f, 1, r, &ptr, (const uint8_t[]){ 0 }, 1, &out);
	assert_null(out);
	flows_match(f, 2, r, &ptr, (const uint8_t[]){ 0 }, 1, &out);
	assert_ptr_equal(out, &r->rule[0]);
	rules_free(r);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_is_that_of_the_search),
		cmocka_unit_test(an_answer_does_not_outlive_its_policy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
