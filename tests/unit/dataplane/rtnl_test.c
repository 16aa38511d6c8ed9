#include "dataplane/rtnl.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "tests/unit/unit.h"

static union {
	struct nlmsghdr h;
	uint8_t b[256];
} msg;

static void begin(uint8_t family, uint32_t ifindex)
{
	struct ifaddrmsg *m = NLMSG_DATA(&msg.h);

	memset(&msg, 0, sizeof(msg));
	msg.h.nlmsg_type = RTM_NEWADDR;
	msg.h.nlmsg_len = NLMSG_LENGTH(sizeof(*m));
	m->ifa_family = family;
	m->ifa_index = ifindex;
}

static void attr(uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (void *)(msg.b + NLMSG_ALIGN(msg.h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	msg.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(msg.h.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

static const uint8_t one[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t two[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 };
static const uint8_t ten[4] = { 10, 1, 0, 1 };

static void an_ipv6_address_is_read_with_its_interface(void **state)
{
	struct rtnl_addr6 a;

	(void)state;
	begin(AF_INET6, 7);
	attr(IFA_ADDRESS, one, sizeof(one));
	assert_true(rtnl_addr6(&msg.h, &a));
	assert_memory_equal(a.ip, one, 16);
	assert_int_equal(a.ifindex, 7);
}

static void on_a_point_to_point_link_the_own_end_counts_in_any_order(void **state)
{
	struct rtnl_addr6 a;

	(void)state;
	begin(AF_INET6, 7);
	attr(IFA_LOCAL, one, sizeof(one));
	attr(IFA_ADDRESS, two, sizeof(two));
	assert_true(rtnl_addr6(&msg.h, &a));
	assert_memory_equal(a.ip, one, 16);
	begin(AF_INET6, 7);
	attr(IFA_ADDRESS, two, sizeof(two));
	attr(IFA_LOCAL, one, sizeof(one));
	assert_true(rtnl_addr6(&msg.h, &a));
	assert_memory_equal(a.ip, one, 16);
}

static void other_families_lengths_and_absent_addresses_are_refused(void **state)
{
	struct rtnl_addr6 a;

	(void)state;
	begin(AF_INET, 7);
	attr(IFA_LOCAL, ten, sizeof(ten));
	assert_false(rtnl_addr6(&msg.h, &a));
	begin(AF_INET6, 7);
	assert_false(rtnl_addr6(&msg.h, &a));
	attr(IFA_ADDRESS, ten, sizeof(ten));
	assert_false(rtnl_addr6(&msg.h, &a));
}

static void an_ipv4_address_counts_on_a_port_only(void **state)
{
	const struct rtnl_ports ports = { .n = 2, .ifindex = { 4, 7 } };
	struct rtnl_addr a;

	(void)state;
	begin(AF_INET, 7);
	attr(IFA_LOCAL, ten, sizeof(ten));
	assert_true(rtnl_addr(&msg.h, &ports, &a));
	assert_int_equal(a.port, 1);
	assert_int_equal(a.ip, 0x0a010001);
	begin(AF_INET, 8);
	attr(IFA_LOCAL, ten, sizeof(ten));
	assert_false(rtnl_addr(&msg.h, &ports, &a));
	begin(AF_INET6, 7);
	attr(IFA_ADDRESS, one, sizeof(one));
	assert_false(rtnl_addr(&msg.h, &ports, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ipv6_address_is_read_with_its_interface),
		cmocka_unit_test(on_a_point_to_point_link_the_own_end_counts_in_any_order),
		cmocka_unit_test(other_families_lengths_and_absent_addresses_are_refused),
		cmocka_unit_test(an_ipv4_address_counts_on_a_port_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
