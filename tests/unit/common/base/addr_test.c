#include "tests/unit/unit.h"

#include "common/base/addr.h"

static struct addr A(const char *text) {
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void
addresses_print_as_they_were_read(void **state)
{
	const char *const good[] = { "10.1.2.3", "0.0.0.0", "255.255.255.255", "2001:db8::1",
				     "::" };
	char buf[ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < N_ELEMS(good); i++) {
		struct addr a = A(good[i]);

		assert_string_equal(addr_str(&a, buf), good[i]);
	}
}

static void bad_text_is_refused(void **state)
{
	const char *const bad[] = { "",
				    "10.1.2",
				    "10.1.2.256",
				    "10.1.2.3 ",
				    "host",
				    "10.1.0.0/33",
				    "10.1.0.1/16",
				    "10.0.0.0/",
				    "10.0.0.0/8x",
				    "::/129" };
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++)
		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
}

static void prefix_knows_its_members(void **state)
{
	struct prefix p;
	struct addr in = A("10.1.255.255"), out = A("10.2.0.0"), v6 = A("::");

	(void)state;
	assert_int_equal(prefix_parse("10.1.0.0/16", &p), 0);
	assert_true(prefix_contains(&p, &in));
	assert_false(prefix_contains(&p, &out));
	assert_false(prefix_contains(&p, &v6));
}

static void range_is_a_prefix_only_when_it_is(void **state)
{
	struct addr lo = A("10.0.0.0"), hi = A("10.255.255.255"), off = A("10.255.255.254");
	struct prefix p;

	(void)state;
	assert_true(prefix_from_range(&lo, &hi, &p));
	assert_int_equal(p.len, 8);
	assert_false(prefix_from_range(&lo, &off, &p));
	assert_true(prefix_from_range(&off, &off, &p));
	assert_int_equal(p.len, 32);
}

static void neighbours_stop_at_the_ends(void **state)
{
	struct addr a = A("10.0.0.255"), last = A("255.255.255.255"), first = A("0.0.0.0"), n;
	struct addr want = A("10.0.1.0");

	(void)state;
	assert_true(addr_next(&a, &n));
	assert_true(addr_eq(&n, &want));
	assert_true(addr_prev(&n, &n));
	assert_true(addr_eq(&n, &a));
	assert_false(addr_next(&last, &n));
	assert_false(addr_prev(&first, &n));
}

static void multicast_begins_at_224_and_ends_at_239(void **state)
{
	struct addr below = A("223.255.255.255"), first = A("224.0.0.0"),
		    last = A("239.255.255.255"), above = A("240.0.0.0"), six = A("ff05::1"),
		    link = A("fe80::1"), none = { 0 };

	(void)state;
	assert_false(addr_is_multicast(&below));
	assert_true(addr_is_multicast(&first));
	assert_true(addr_is_multicast(&last));
	assert_false(addr_is_multicast(&above));
	assert_true(addr_is_multicast(&six));
	assert_false(addr_is_multicast(&link));
	assert_false(addr_is_multicast(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_print_as_they_were_read),
		cmocka_unit_test(bad_text_is_refused),
		cmocka_unit_test(prefix_knows_its_members),
		cmocka_unit_test(range_is_a_prefix_only_when_it_is),
		cmocka_unit_test(multicast_begins_at_224_and_ends_at_239),
		cmocka_unit_test(neighbours_stop_at_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
