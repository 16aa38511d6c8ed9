#include "dataplane/own.h"

#include <string.h>

#include "common/base/err.h"

#define P_ICMP 1
#define P_TCP  6
#define P_UDP  17

#define LINK_ONLY(n, p, s, lo, hi)                                                                 \
	{                                                                                          \
		.name = n, .proto = p, .side = s, .port_lo = lo, .port_hi = hi, .link = OWN_FREE,  \
		.far = OWN_CLOSED                                                                  \
	}
#define LINK_GROUP(n, p, s, port)                                                                  \
	{                                                                                          \
		.name = n, .proto = p, .side = s, .port_lo = port, .port_hi = port,                \
		.link = OWN_FREE, .far = OWN_POLICY, .group_only = true                            \
	}
#define WHILE_CLOSED(n, p, s, lo, hi)                                                              \
	{                                                                                          \
		.name = n, .proto = p, .side = s, .port_lo = lo, .port_hi = hi,                    \
		.link = OWN_CLOSED, .far = OWN_CLOSED                                              \
	}

// PIM to one address carries other people's packets (register): only its groups are free.
static const struct own_row table[] = {
	LINK_GROUP("igmp", IP4_IGMP, 0, 0),
	LINK_ONLY("ospf", 89, 0, 0, 0),
	LINK_ONLY("eigrp", 88, 0, 0, 0),
	LINK_GROUP("pim", 103, 0, 0),
	LINK_GROUP("vrrp", 112, 0, 0),
	LINK_GROUP("hsrp", P_UDP, OWN_EITHER, 1985),
	LINK_ONLY("rip", P_UDP, OWN_EITHER, 520, 520),
	LINK_ONLY("bgp", P_TCP, OWN_EITHER, 179, 179),
	LINK_ONLY("bfd", P_UDP, OWN_EITHER, 3784, 3785),
	LINK_ONLY("bfd", P_UDP, OWN_EITHER, 4784, 4784),
	LINK_ONLY("ldp", P_UDP, OWN_EITHER, 646, 646),
	LINK_ONLY("ldp", P_TCP, OWN_EITHER, 646, 646),
	{ .name = "dhcp",
	  .proto = P_UDP,
	  .side = OWN_LOCAL,
	  .port_lo = 68,
	  .port_hi = 68,
	  .link = OWN_FREE,
	  .far = OWN_FREE },
	LINK_ONLY("dhcp", P_UDP, OWN_EITHER, 67, 67),
	WHILE_CLOSED("gdoi", P_UDP, OWN_EITHER, 848, 848),
	WHILE_CLOSED("gdoi", P_UDP, OWN_EITHER, 4500, 4500),
	WHILE_CLOSED("coop", P_TCP, OWN_EITHER, 848, 848),
	WHILE_CLOSED("coop", P_UDP, OWN_EITHER, 849, 849),
	WHILE_CLOSED("icmp", P_ICMP, 0, 0, 0),
	WHILE_CLOSED("ssh", P_TCP, OWN_LOCAL, 22, 22),
	WHILE_CLOSED("dns", P_UDP, OWN_REMOTE, 53, 53),
	WHILE_CLOSED("dns", P_TCP, OWN_REMOTE, 53, 53),
	WHILE_CLOSED("ntp", P_UDP, OWN_EITHER, 123, 123),
	WHILE_CLOSED("pki", P_TCP, OWN_REMOTE, 80, 80),
	WHILE_CLOSED("pki", P_TCP, OWN_REMOTE, 829, 829),
	WHILE_CLOSED("radius", P_UDP, OWN_REMOTE, 1812, 1813),
	WHILE_CLOSED("tacacs", P_TCP, OWN_REMOTE, 49, 49),
	WHILE_CLOSED("syslog", P_UDP, OWN_REMOTE, 514, 514),
	WHILE_CLOSED("snmp", P_UDP, OWN_LOCAL, 161, 161),
	WHILE_CLOSED("snmp", P_UDP, OWN_REMOTE, 162, 162),
};
_Static_assert(N_ELEMS(table) <= 32, "a bit each");

uint32_t own_rows(const char *name)
{
	uint32_t rows = 0;

	for (size_t i = 0; i < N_ELEMS(table); i++)
		rows |= (uint32_t)(strcmp(table[i].name, name) == 0) << i;
	return rows;
}

void own_names(char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < N_ELEMS(table) && len < size; i++) {
		if (i == 0 || strcmp(table[i].name, table[i - 1].name) != 0)
			len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "",
						table[i].name);
	}
}

static bool ports_match(const struct own_row *r, const struct ip4 *ip, bool out)
{
	uint16_t local = out ? ip->sport : ip->dport, remote = out ? ip->dport : ip->sport;

	if (r->side == 0)
		return true;
	if (ip->opaque)
		return false;
	return ((r->side & OWN_LOCAL) && local >= r->port_lo && local <= r->port_hi) ||
	       ((r->side & OWN_REMOTE) && remote >= r->port_lo && remote <= r->port_hi);
}

const struct own_row *own_find(uint32_t rows, const struct ip4 *ip, bool out)
{
	for (size_t i = 0; i < N_ELEMS(table); i++) {
		if ((rows >> i & 1) && table[i].proto == ip->proto &&
		    ports_match(&table[i], ip, out))
			return &table[i];
	}
	return NULL;
}

// 224.0.0.0/24 and the broadcast address are never forwarded, nor is what has a TTL of 1.
bool own_is_link_group(const struct ip4 *ip)
{
	return ip->dst >> 8 == 0xe00000 || ip->dst == 0xffffffff ||
	       (ip4_is_group(ip->dst) && ip->ttl == 1);
}

enum own_free own_judge(const struct own_row *row, const struct ip4 *ip, bool on_link)
{
	if (own_is_link_group(ip) || (on_link && !row->group_only))
		return row->link;
	return row->far;
}
