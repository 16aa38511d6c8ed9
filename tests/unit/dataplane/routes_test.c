#include "tests/unit/unit.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "common/base/rng.h"
#include "dataplane/ip4.h"
#include "dataplane/rtnl.h"

static struct route route(uint32_t dst, uint8_t len, uint64_t rank, uint8_t port)
{
	return (struct route){
		.dst = dst, .len = len, .rank = rank, .hop = { .kind = HOP_PORT, .port = port }
	};
}

static void put(struct routes *t, struct route r)
{
	assert_int_equal(routes_put(t, &r), 0);
}

static void the_lowest_rank_wins_its_prefix(void **state)
{
	struct routes t = { 0 };
	struct route r = route(0x0a000000, 8, 5, 1);

	(void)state;
	put(&t, route(0x0a000000, 8, 7, 0));
	put(&t, r);
	put(&t, route(0x0a000000, 16, 1, 2));
	assert_int_equal(routes_best(&t, 0x0a000000, 8)->hop.port, 1);
	assert_int_equal(routes_best(&t, 0x0a000000, 16)->hop.port, 2);
	assert_null(routes_best(&t, 0x0a000000, 24));
	routes_remove(&t, &r);
	assert_int_equal(routes_best(&t, 0x0a000000, 8)->hop.port, 0);
	routes_remove(&t, &r); // again: nothing to remove
	assert_int_equal(t.n, 2);
	routes_fini(&t);
}

static void an_equal_route_is_replaced(void **state)
{
	struct routes t = { 0 };

	(void)state;
	put(&t, route(0x0a000000, 8, 5, 1));
	put(&t, route(0x0a000000, 8, 5, 3));
	assert_int_equal(t.n, 1);
	assert_int_equal(routes_best(&t, 0x0a000000, 8)->hop.port, 3);
	routes_fini(&t);
}

static void random_changes_keep_it_sorted(void **state)
{
	struct routes t = { 0 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	for (unsigned i = 0; i < 5000; i++) {
		struct route r = route((uint32_t)rng_range(&rng, 0, 99),
				       (uint8_t)rng_range(&rng, 0, 3), rng_range(&rng, 0, 3), 0);

		if (rng_range(&rng, 0, 2))
			put(&t, r);
		else
			routes_remove(&t, &r);
		for (size_t k = 1; k < t.n; k++) {
			const struct route *a = &t.r[k - 1], *b = &t.r[k];

			assert_true(a->dst < b->dst ||
				    (a->dst == b->dst &&
				     (a->len < b->len || (a->len == b->len && a->rank < b->rank))));
		}
	}
	routes_fini(&t);
}

// A message being built, as the kernel would send it.
struct message {
	struct nlmsghdr h;
	uint8_t body[256];
};

static void *start(struct message *m, uint16_t type, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->h.nlmsg_type = type;
	m->h.nlmsg_len = (uint32_t)NLMSG_SPACE(len);
	return NLMSG_DATA(&m->h);
}

static void attr(struct message *m, uint16_t type, const void *value, size_t len)
{
	struct rtattr *a = (void *)((uint8_t *)m + m->h.nlmsg_len);

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), value, len);
	m->h.nlmsg_len += (uint32_t)RTA_SPACE(len);
}

static void attr_v4(struct message *m, uint16_t type, uint32_t ip)
{
	uint8_t b[4];

	be32_put(b, ip);
	attr(m, type, b, 4);
}

static void attr_u32(struct message *m, uint16_t type, uint32_t v)
{
	attr(m, type, &v, 4);
}

static const struct rtnl_ports two = { .n = 2, .ifindex = { 11, 12 } };

static struct message unicast(int oif, uint8_t type, uint32_t table)
{
	struct message m;
	struct rtmsg *r = start(&m, RTM_NEWROUTE, sizeof(*r));

	*r = (struct rtmsg){ .rtm_family = AF_INET,
			     .rtm_dst_len = 16,
			     .rtm_type = type,
			     .rtm_table = (uint8_t)table };
	attr_v4(&m, RTA_DST, 0x0a020000);
	attr_v4(&m, RTA_GATEWAY, 0xc0000201);
	attr_u32(&m, RTA_OIF, (uint32_t)oif);
	attr_u32(&m, RTA_PRIORITY, 20);
	return m;
}

static void a_route_through_a_twin_is_a_route_through_its_port(void **state)
{
	struct message m = unicast(12, RTN_UNICAST, RT_TABLE_MAIN);
	struct route r;

	(void)state;
	assert_true(rtnl_route(&m.h, &two, &r));
	assert_int_equal(r.dst, 0x0a020000);
	assert_int_equal(r.len, 16);
	assert_int_equal(r.hop.kind, HOP_PORT);
	assert_int_equal(r.hop.port, 1);
	assert_int_equal(r.hop.gw, 0xc0000201);
}

static void routes_beside_the_ports_are_unusable_not_absent(void **state)
{
	struct message other = unicast(99, RTN_UNICAST, RT_TABLE_MAIN);
	struct message hole = unicast(11, RTN_BLACKHOLE, RT_TABLE_MAIN);
	struct message six = unicast(11, RTN_UNICAST, RT_TABLE_MAIN);
	struct route r;

	(void)state;
	assert_true(rtnl_route(&other.h, &two, &r));
	assert_int_equal(r.hop.kind, HOP_UNUSABLE);
	assert_true(rtnl_route(&hole.h, &two, &r));
	assert_int_equal(r.hop.kind, HOP_UNUSABLE);
	attr(&six, RTA_VIA, "\x0a\0fe80", 6);
	assert_true(rtnl_route(&six.h, &two, &r));
	assert_int_equal(r.hop.kind, HOP_UNUSABLE);
}

static void the_local_table_wins_over_main(void **state)
{
	struct message own = unicast(1, RTN_LOCAL, RT_TABLE_LOCAL);
	struct message main_table = unicast(11, RTN_UNICAST, RT_TABLE_MAIN);
	struct message foreign = unicast(11, RTN_UNICAST, 100);
	struct route a, b;

	(void)state;
	assert_true(rtnl_route(&own.h, &two, &a));
	assert_int_equal(a.hop.kind, HOP_LOCAL);
	assert_true(rtnl_route(&main_table.h, &two, &b));
	assert_true(a.rank < b.rank);
	assert_false(rtnl_route(&foreign.h, &two, &b));
}

static void of_several_next_hops_the_first_usable_leads(void **state)
{
	struct {
		struct rtnexthop nh;
		struct rtattr a;
		uint8_t gw[4];
	} hops[3];
	struct message m;
	struct rtmsg *rt = start(&m, RTM_NEWROUTE, sizeof(*rt));
	struct route r;

	(void)state;
	*rt = (struct rtmsg){ .rtm_family = AF_INET,
			      .rtm_type = RTN_UNICAST,
			      .rtm_table = RT_TABLE_MAIN };
	for (unsigned i = 0; i < 3; i++) {
		hops[i].nh = (struct rtnexthop){ .rtnh_len = sizeof(hops[i]),
						 .rtnh_ifindex = 10 + (int)i };
		hops[i].a = (struct rtattr){ .rta_len = 8, .rta_type = RTA_GATEWAY };
		be32_put(hops[i].gw, 0xc0000200 + i);
	}
	hops[1].nh.rtnh_flags = RTNH_F_DEAD; // 10 is no port, 11 is dead, 12 leads
	attr(&m, RTA_MULTIPATH, hops, sizeof(hops));
	assert_true(rtnl_route(&m.h, &two, &r));
	assert_int_equal(r.hop.kind, HOP_PORT);
	assert_int_equal(r.hop.port, 1);
	assert_int_equal(r.hop.gw, 0xc0000202);
}

static struct message neighbour(uint16_t type, uint16_t nud)
{
	struct message m;
	struct ndmsg *n = start(&m, type, sizeof(*n));

	*n = (struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = 11, .ndm_state = nud };
	attr_v4(&m, NDA_DST, 0xc0000201);
	attr(&m, NDA_LLADDR, "\2\0\0\0\0\7", 6);
	return m;
}

static void neighbours_are_usable_while_the_kernel_believes_in_them(void **state)
{
	static const uint16_t good[] = { NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE,
					 NUD_PERMANENT };
	struct rtnl_neigh n;
	struct message m;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(good); i++) {
		m = neighbour(RTM_NEWNEIGH, good[i]);
		assert_true(rtnl_neigh(&m.h, &two, &n));
		assert_true(n.usable);
		assert_int_equal(n.stale, good[i] == NUD_STALE);
		assert_int_equal(n.mac[5], 7);
	}
	m = neighbour(RTM_NEWNEIGH, NUD_FAILED);
	assert_true(rtnl_neigh(&m.h, &two, &n));
	assert_false(n.usable);
	m = neighbour(RTM_DELNEIGH, NUD_REACHABLE);
	assert_true(rtnl_neigh(&m.h, &two, &n));
	assert_false(n.usable);
}

static void own_addresses_are_read_secondary_ones_not(void **state)
{
	struct message m;
	struct ifaddrmsg *i = start(&m, RTM_NEWADDR, sizeof(*i));
	struct rtnl_addr a;

	(void)state;
	*i = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_index = 12 };
	attr_v4(&m, IFA_LOCAL, 0xc0000202);
	assert_true(rtnl_addr(&m.h, &two, &a));
	assert_int_equal(a.ip, 0xc0000202);
	assert_int_equal(a.port, 1);
	i->ifa_flags = IFA_F_SECONDARY;
	assert_false(rtnl_addr(&m.h, &two, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_rank_wins_its_prefix),
		cmocka_unit_test(an_equal_route_is_replaced),
		cmocka_unit_test(random_changes_keep_it_sorted),
		cmocka_unit_test(a_route_through_a_twin_is_a_route_through_its_port),
		cmocka_unit_test(routes_beside_the_ports_are_unusable_not_absent),
		cmocka_unit_test(the_local_table_wins_over_main),
		cmocka_unit_test(of_several_next_hops_the_first_usable_leads),
		cmocka_unit_test(neighbours_are_usable_while_the_kernel_believes_in_them),
		cmocka_unit_test(own_addresses_are_read_secondary_ones_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
