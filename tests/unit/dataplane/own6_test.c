#include "dataplane/own6.h"

#include "common/base/addr.h"
#include "tests/unit/unit.h"

static struct own6_table t;
static uint8_t ip6[OWN6_HDR_LEN];

static const uint8_t *bytes(const char *text)
{
	static struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a.b;
}

static const uint8_t *packet(const char *src, const char *dst)
{
	memset(ip6, 0, sizeof(ip6));
	ip6[0] = 0x60;
	memcpy(ip6 + 8, bytes(src), 16);
	memcpy(ip6 + 24, bytes(dst), 16);
	return ip6;
}

static bool for_box(const char *src, const char *dst)
{
	return own6_is_for_box(&t, packet(src, dst), sizeof(ip6));
}

static bool from_box(const char *src, const char *dst)
{
	return own6_is_from_box(&t, packet(src, dst), sizeof(ip6));
}

static int one_address(void **state)
{
	struct own6 o = { 0 };

	(void)state;
	assert_int_equal(own6_put(&o, bytes("2001:db8::1"), 3, 0), 0);
	own6_build(&o, &t);
	return 0;
}

static void what_is_for_the_box_is_punted_and_nothing_between_strangers(void **state)
{
	(void)state;
	assert_true(for_box("2001:db8:9::9", "2001:db8::1"));
	assert_false(for_box("2001:db8:9::9", "2001:db8::2"));
	assert_false(for_box("2001:db8::1", "2001:db8:9::9"));
	assert_true(for_box("2001:db8:9::9", "ff08::848"));
	assert_true(for_box("2001:db8:9::9", "fe80::1"));
}

static void what_the_box_says_is_sent_and_nothing_between_strangers(void **state)
{
	(void)state;
	assert_true(from_box("2001:db8::1", "2001:db8:9::9"));
	assert_true(from_box("2001:db8::1", "ff08::848"));
	assert_false(from_box("2001:db8:9::9", "2001:db8::1"));
	assert_false(from_box("2001:db8:9::9", "2001:db8:8::8"));
	assert_false(from_box("2001:db8:9::9", "ff02::1"));
}

static void the_link_works_before_there_is_an_address(void **state)
{
	(void)state;
	assert_true(from_box("fe80::1", "ff02::2"));
	assert_true(from_box("::", "ff02::1:ff00:1"));
	assert_true(from_box("fe80::1", "fe80::2"));
	assert_false(from_box("fe80::1", "2001:db8:9::9"));
	assert_false(from_box("::", "2001:db8:9::9"));
}

static void a_short_or_foreign_packet_is_nobodys(void **state)
{
	(void)state;
	packet("2001:db8::1", "2001:db8::1");
	assert_true(own6_is_for_box(&t, ip6, sizeof(ip6)));
	assert_false(own6_is_for_box(&t, ip6, sizeof(ip6) - 1));
	assert_false(own6_is_from_box(&t, ip6, sizeof(ip6) - 1));
	assert_false(own6_is_for_box(&t, ip6, 0));
	ip6[0] = 0x45;
	assert_false(own6_is_for_box(&t, ip6, sizeof(ip6)));
	assert_false(own6_is_from_box(&t, ip6, sizeof(ip6)));
}

static void an_address_on_two_interfaces_stays_until_both_lose_it(void **state)
{
	struct own6 o = { 0 };

	(void)state;
	assert_int_equal(own6_put(&o, bytes("2001:db8::5"), 1, 0), 0);
	assert_int_equal(own6_put(&o, bytes("2001:db8::5"), 2, 0), 0);
	assert_int_equal(own6_put(&o, bytes("2001:db8::5"), 2, 0), 0);
	own6_remove(&o, bytes("2001:db8::5"), 1);
	own6_build(&o, &t);
	assert_true(for_box("2001:db8:9::9", "2001:db8::5"));
	own6_remove(&o, bytes("2001:db8::5"), 2);
	own6_build(&o, &t);
	assert_false(for_box("2001:db8:9::9", "2001:db8::5"));
}

static void a_dump_sweeps_what_it_did_not_name(void **state)
{
	struct own6 o = { 0 };

	(void)state;
	assert_int_equal(own6_put(&o, bytes("2001:db8::5"), 1, 7), 0);
	assert_int_equal(own6_put(&o, bytes("2001:db8::6"), 1, 7), 0);
	assert_int_equal(own6_put(&o, bytes("2001:db8::6"), 1, 8), 0);
	o.dirty = false;
	own6_sweep(&o, 8);
	assert_true(o.dirty);
	assert_int_equal(o.n, 1);
	own6_build(&o, &t);
	assert_true(for_box("2001:db8:9::9", "2001:db8::6"));
	assert_false(for_box("2001:db8:9::9", "2001:db8::5"));
}

static void a_full_table_says_so_and_stays_whole(void **state)
{
	struct own6 o = { 0 };
	uint8_t a[16];

	(void)state;
	memcpy(a, bytes("2001:db8::"), 16);
	for (int i = 0; i < OWN6_MAX; i++) {
		a[15] = (uint8_t)i;
		assert_int_equal(own6_put(&o, a, 1, 0), 0);
	}
	a[14] = 1;
	assert_int_equal(own6_put(&o, a, 1, 0), -ENOSPC);
	a[14] = 0;
	assert_int_equal(own6_put(&o, a, 1, 1), 0);
	assert_int_equal(o.n, OWN6_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_for_the_box_is_punted_and_nothing_between_strangers,
				       one_address),
		cmocka_unit_test_setup(what_the_box_says_is_sent_and_nothing_between_strangers,
				       one_address),
		cmocka_unit_test_setup(the_link_works_before_there_is_an_address, one_address),
		cmocka_unit_test_setup(a_short_or_foreign_packet_is_nobodys, one_address),
		cmocka_unit_test(an_address_on_two_interfaces_stays_until_both_lose_it),
		cmocka_unit_test(a_dump_sweeps_what_it_did_not_name),
		cmocka_unit_test(a_full_table_says_so_and_stays_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
