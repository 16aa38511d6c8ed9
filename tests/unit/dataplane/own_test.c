#include "tests/unit/unit.h"

#include "common/base/err.h"
#include "dataplane/own.h"

#define BOX    0xc0000201 // 192.0.2.1
#define FRIEND 0xc0000202

// A packet of the box to the other end.
static struct ip4 out_ip(uint8_t proto, uint32_t dst, uint16_t sport, uint16_t dport)
{
	return (struct ip4){
		.src = BOX, .dst = dst, .proto = proto, .ttl = 64, .sport = sport, .dport = dport
	};
}

static enum own_free judge(const struct ip4 *ip, bool out, bool on_link)
{
	const struct own_row *row = own_find(OWN_ALL, ip, out);

	return row ? own_judge(row, ip, on_link) : OWN_NO;
}

static void routing_protocols_of_the_link_are_free(void **state)
{
	const uint8_t protos[] = { 89, 88, 103, 112 };
	struct ip4 ip;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(protos); i++) {
		ip = out_ip(protos[i], 0xe0000005, 0, 0);
		assert_int_equal(judge(&ip, true, false), OWN_FREE);
	}
	ip = out_ip(17, 0xe0000009, 520, 520);
	assert_int_equal(judge(&ip, true, false), OWN_FREE);
	ip = out_ip(89, FRIEND, 0, 0); // a database exchange
	assert_int_equal(judge(&ip, true, true), OWN_FREE);
	assert_int_equal(judge(&ip, true, false),
			 OWN_CLOSED); // a virtual link: policy's, once there
}

static void pim_register_carries_others_packets_and_is_not_free(void **state)
{
	struct ip4 ip = out_ip(103, FRIEND, 0, 0);

	(void)state;
	assert_int_equal(judge(&ip, true, true), OWN_POLICY);
}

static void igmp_reports_are_free_with_a_ttl_of_one(void **state)
{
	struct ip4 ip = out_ip(IP4_IGMP, 0xefc00101, 0, 0);

	(void)state;
	assert_int_equal(judge(&ip, true, false), OWN_POLICY);
	ip.ttl = 1;
	assert_int_equal(judge(&ip, true, false), OWN_FREE);
}

static void bgp_is_free_with_neighbours_from_either_side(void **state)
{
	struct ip4 ip = out_ip(6, FRIEND, 40000, 179);

	(void)state;
	assert_int_equal(judge(&ip, true, true), OWN_FREE);
	assert_int_equal(judge(&ip, true, false), OWN_CLOSED);
	ip = out_ip(6, FRIEND, 179, 40000);
	assert_int_equal(judge(&ip, true, true), OWN_FREE);
}

static void ssh_to_the_box_is_free_only_while_closed(void **state)
{
	struct ip4 in = { .src = FRIEND, .dst = BOX, .proto = 6, .sport = 5000, .dport = 22 };
	struct ip4 away = out_ip(6, FRIEND, 5000, 22); // from the box to another one

	(void)state;
	assert_int_equal(judge(&in, false, true), OWN_CLOSED);
	assert_int_equal(judge(&away, true, true), OWN_NO);
}

static void a_client_of_dhcp_is_free_before_it_has_an_address(void **state)
{
	struct ip4 ip = { .dst = 0xffffffff, .proto = 17, .ttl = 64, .sport = 68, .dport = 67 };

	(void)state;
	assert_int_equal(judge(&ip, true, false), OWN_FREE);
}

static void ports_that_cannot_be_seen_free_nothing(void **state)
{
	struct ip4 ip = out_ip(6, FRIEND, 0, 0);

	(void)state;
	ip.opaque = true;
	assert_int_equal(judge(&ip, true, true), OWN_NO);
}

static void anything_else_is_the_policys(void **state)
{
	struct ip4 ip = out_ip(6, FRIEND, 40000, 23);

	(void)state;
	assert_int_equal(judge(&ip, true, true), OWN_NO);
	ip.proto = 47;
	assert_int_equal(judge(&ip, true, true), OWN_NO);
}

static void names_choose_rows(void **state)
{
	struct ip4 ip = out_ip(89, 0xe0000005, 0, 0);
	char names[256];

	(void)state;
	assert_int_equal(own_rows("nonsense"), 0);
	assert_null(own_find(own_rows("bgp"), &ip, true));
	assert_non_null(own_find(own_rows("ospf") | own_rows("bgp"), &ip, true));
	own_names(names, sizeof(names));
	assert_non_null(strstr(names, "igmp, ospf, eigrp"));
	assert_null(strstr(names, "bfd, bfd"));
	assert_non_null(strstr(names, "snmp")); // the last one fits
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routing_protocols_of_the_link_are_free),
		cmocka_unit_test(pim_register_carries_others_packets_and_is_not_free),
		cmocka_unit_test(igmp_reports_are_free_with_a_ttl_of_one),
		cmocka_unit_test(bgp_is_free_with_neighbours_from_either_side),
		cmocka_unit_test(ssh_to_the_box_is_free_only_while_closed),
		cmocka_unit_test(a_client_of_dhcp_is_free_before_it_has_an_address),
		cmocka_unit_test(ports_that_cannot_be_seen_free_nothing),
		cmocka_unit_test(anything_else_is_the_policys),
		cmocka_unit_test(names_choose_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
