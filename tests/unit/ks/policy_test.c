#include "tests/unit/ks/ks_world.h"
#include "tests/unit/flow_match.h"

#define BUILD(...)                                                                                 \
	world_policy((const char *const[]){ __VA_ARGS__ },                                         \
		     N_ELEMS(((const char *const[]){ __VA_ARGS__ })), "esp-gcm 128", 3600)

// Every address pair of a small grid gets the same verdict from both forms.
static bool protects(const struct policy_rule *r, size_t n, const struct flow_key *k)
{
	for (size_t i = 0; i < n; i++) {
		if (flow_matches(&r[i].flow, k))
			return r[i].permit;
	}
	return false;
}

static void each_permit_is_a_slot_and_keeps_its_place(void **state)
{
	struct policy *p = BUILD("permit 10.1.0.0/16 10.2.0.0/16", "deny 10.0.0.0/8 10.9.0.0/16",
				 "permit 10.0.0.0/8 10.0.0.0/8");

	(void)state;
	assert_int_equal(p->n_slot, 2);
	assert_int_equal(p->n_ordered, 3);
	assert_true(p->ordered[0].permit && !p->ordered[1].permit && p->ordered[2].permit);
	assert_int_equal(p->ordered[0].slot, 0);
	assert_int_equal(p->ordered[2].slot, 1);
	policy_put(p);
}

static void the_flat_form_says_what_the_ordered_form_means(void **state)
{
	struct policy *p = BUILD("deny 10.1.2.0/24 10.0.0.0/8", "permit 10.1.0.0/16 10.2.0.0/16",
				 "deny 10.0.0.0/8 10.2.3.4/32", "deny 10.3.0.0/16 10.3.0.0/16",
				 "permit 10.0.0.0/8 10.0.0.0/8");
	static const uint8_t third[] = { 1, 2, 3, 9 }, fourth[] = { 0, 2, 3, 4 };

	(void)state;
	assert_int_equal(p->no_flat_at, 0);
	for (size_t i = 0; i < p->n_flat; i++)
		assert_true(p->flat[i].permit);
	for (unsigned n = 0; n < 4 * 4 * 4 * 4; n++) {
		struct flow_key k = { .proto = 6 };
		uint32_t s = 10u << 24 | (uint32_t)third[n & 3] << 16 |
			     (uint32_t)fourth[n >> 2 & 3] << 8 | 4;
		uint32_t d = 10u << 24 | (uint32_t)third[n >> 4 & 3] << 16 |
			     (uint32_t)fourth[n >> 6 & 3] << 8 | 4;

		k.src = addr_from_v4(s);
		k.dst = addr_from_v4(d);
		assert_int_equal(protects(p->flat, p->n_flat, &k),
				 protects(p->ordered, p->n_ordered, &k));
	}
	policy_put(p);
}

static void flat_boxes_of_one_permit_share_its_slot_and_do_not_overlap(void **state)
{
	struct policy *p = BUILD("deny 10.1.2.0/24 10.2.3.0/24", "permit 10.0.0.0/8 10.0.0.0/8");

	(void)state;
	assert_int_equal(p->n_slot, 1);
	assert_true(p->n_flat > 1);
	for (size_t i = 0; i < p->n_flat; i++) {
		assert_int_equal(p->flat[i].slot, 0);
		for (size_t j = 0; j < i; j++)
			assert_false(flow_overlaps(&p->flat[i].flow, &p->flat[j].flow));
	}
	policy_put(p);
}

// Members take a selector that comes again for an older generation of the first.
static void no_selector_comes_twice_under_two_slots(void **state)
{
	struct policy *p = BUILD("deny 10.9.0.0/16 10.0.0.0/8", "permit 10.0.0.0/9 10.0.0.0/8",
				 "permit 10.0.0.0/8 10.0.0.0/8");

	(void)state;
	assert_int_equal(p->n_slot, 2);
	for (size_t i = 0; i < p->n_flat; i++) {
		for (size_t j = 0; j < i; j++)
			assert_false(flow_eq(&p->flat[i].flow, &p->flat[j].flow));
	}
	policy_put(p);
}

static void a_permit_that_an_earlier_line_covers_has_no_slot(void **state)
{
	struct policy *p = BUILD("permit 10.0.0.0/8 10.0.0.0/8", "permit 10.0.0.0/8 10.0.0.0/8",
				 "deny 10.0.0.0/8 11.0.0.0/8", "permit 10.1.0.0/16 11.1.0.0/16");

	(void)state;
	assert_int_equal(p->n_slot, 1);
	assert_int_equal(p->n_ordered, 2);
	assert_int_equal(p->n_flat, 1);
	policy_put(p);
}

static void a_deny_of_gdoi_itself_costs_the_flat_form_nothing(void **state)
{
	struct policy *p =
		BUILD("deny udp any 848 any 848", "deny udp any * any 4500", "permit any any");

	(void)state;
	assert_int_equal(p->no_flat_at, 0);
	assert_int_equal(p->n_flat, 1);
	assert_int_equal(p->n_ordered, 3);
	policy_put(p);
}

static void a_deny_of_one_protocol_under_ip_has_no_flat_form_and_names_its_line(void **state)
{
	struct policy *p = BUILD("permit 10.1.0.0/16 10.2.0.0/16", "deny tcp any any",
				 "permit 10.0.0.0/8 10.0.0.0/8");

	(void)state;
	assert_int_equal(p->no_flat_at, 2);
	assert_int_equal(p->n_ordered, 3);
	policy_put(p);
}

static void a_deny_of_a_port_has_no_flat_form(void **state)
{
	struct policy *p = BUILD("deny tcp any * any 22", "permit tcp any any");

	(void)state;
	assert_int_equal(p->no_flat_at, 1);
	policy_put(p);
}

static void a_range_of_ports_becomes_an_entry_per_port_under_one_slot(void **state)
{
	struct policy *p = BUILD("permit tcp any * 10.0.0.0/8 8000-8003");

	(void)state;
	assert_int_equal(p->n_slot, 1);
	assert_int_equal(p->n_ordered, 4);
	assert_int_equal(p->n_flat, 4);
	assert_int_equal(p->ordered[3].flow.dst.port_lo, 8003);
	assert_int_equal(p->ordered[3].flow.dst.port_hi, 8003);
	policy_put(p);
}

static void more_than_100_entries_are_refused_with_the_line(void **state)
{
	static char text[120][48];
	const char *line[120];
	struct policy_error why;
	struct policy *p;

	(void)state;
	for (unsigned i = 0; i < 120; i++) {
		snprintf(text[i], sizeof(text[i]), "permit 10.%u.0.0/16 10.0.0.0/8", i);
		line[i] = text[i];
	}
	p = world_policy_or(line, 100, "esp-gcm 128", 3600, &why);
	assert_non_null(p);
	policy_put(p);
	assert_null(world_policy_or(line, 120, "esp-gcm 128", 3600, &why));
	assert_int_equal(why.conf_line, 101);
	assert_null(world_policy_or((const char *[]){ "permit tcp any 1-200 any *" }, 1,
				    "esp-gcm 128", 3600, &why));
	assert_int_equal(why.conf_line, 1);
}

static void denies_that_split_permits_into_too_many_boxes_are_refused_with_the_line(void **state)
{
	static char text[61][48];
	const char *line[61];
	struct policy_error why;

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(text[i], sizeof(text[i]), "deny 10.%u.1.0/24 10.%u.3.0/24", 2 * i, 2 * i);
		line[i] = text[i];
	}
	line[60] = "permit 10.0.0.0/8 10.0.0.0/8";
	assert_null(world_policy_or(line, 61, "esp-gcm 128", 3600, &why));
	assert_true(why.conf_line > 20 && why.conf_line <= 60);
}

static void a_policy_without_a_permit_is_refused(void **state)
{
	struct policy_error why;

	(void)state;
	assert_null(
		world_policy_or((const char *[]){ "deny any any" }, 1, "esp-gcm 128", 3600, &why));
	assert_true(strstr(why.text, "no permit") != NULL);
}

static void equal_means_members_would_notice_no_difference(void **state)
{
	struct policy *a = BUILD("permit 10.1.0.0/16 10.2.0.0/16");
	struct policy *b = BUILD("permit 10.1.0.0/16 10.2.0.0/16");
	struct policy *c = BUILD("permit 10.1.0.0/16 10.3.0.0/16");
	const char *line = "permit 10.1.0.0/16 10.2.0.0/16";
	struct policy *d = world_policy(&line, 1, "esp-gcm 256", 3600);

	(void)state;
	assert_true(policy_eq(a, b));
	assert_false(policy_eq(a, c));
	assert_false(policy_eq(a, d));
	policy_put(a);
	policy_put(b);
	policy_put(c);
	policy_put(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_permit_is_a_slot_and_keeps_its_place),
		cmocka_unit_test(the_flat_form_says_what_the_ordered_form_means),
		cmocka_unit_test(flat_boxes_of_one_permit_share_its_slot_and_do_not_overlap),
		cmocka_unit_test(no_selector_comes_twice_under_two_slots),
		cmocka_unit_test(a_permit_that_an_earlier_line_covers_has_no_slot),
		cmocka_unit_test(a_deny_of_gdoi_itself_costs_the_flat_form_nothing),
		cmocka_unit_test(
			a_deny_of_one_protocol_under_ip_has_no_flat_form_and_names_its_line),
		cmocka_unit_test(a_deny_of_a_port_has_no_flat_form),
		cmocka_unit_test(a_range_of_ports_becomes_an_entry_per_port_under_one_slot),
		cmocka_unit_test(more_than_100_entries_are_refused_with_the_line),
		cmocka_unit_test(
			denies_that_split_permits_into_too_many_boxes_are_refused_with_the_line),
		cmocka_unit_test(a_policy_without_a_permit_is_refused),
		cmocka_unit_test(equal_means_members_would_notice_no_difference),
	};

	return cmocka_run_group_tests_name("ks/policy", tests, NULL, NULL);
}
