#include "dataplane/rtnl.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/ip4.h"

static bool port_of(const struct rtnl_ports *ports, int ifindex, uint8_t *port)
{
	for (unsigned i = 0; i < ports->n; i++) {
		if (ports->ifindex[i] == ifindex) {
			*port = (uint8_t)i;
			return true;
		}
	}
	return false;
}

static uint32_t attr_v4(const struct rtattr *a)
{
	return RTA_PAYLOAD(a) == 4 ? be32_get(RTA_DATA(a)) : 0;
}

static uint32_t attr_u32(const struct rtattr *a)
{
	uint32_t v = 0;

	if (RTA_PAYLOAD(a) >= sizeof(v))
		memcpy(&v, RTA_DATA(a), sizeof(v));
	return v;
}

// A route of several next hops goes by its first usable one.
static void multipath(const struct rtattr *a, const struct rtnl_ports *ports, struct hop *hop)
{
	const struct rtnexthop *nh = RTA_DATA(a);
	int left = (int)RTA_PAYLOAD(a);

	for (; RTNH_OK(nh, left) && hop->kind != HOP_PORT; nh = RTNH_NEXT(nh)) {
		int n = (int)nh->rtnh_len - (int)RTNH_LENGTH(0);
		uint8_t port;

		left -= (int)RTNH_ALIGN(nh->rtnh_len);
		if ((nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) ||
		    !port_of(ports, nh->rtnh_ifindex, &port))
			continue;
		*hop = (struct hop){ .kind = HOP_PORT, .port = port };
		for (const struct rtattr *g = RTNH_DATA(nh); RTA_OK(g, n); g = RTA_NEXT(g, n))
			if (g->rta_type == RTA_GATEWAY)
				hop->gw = attr_v4(g);
	}
}

// What the attributes of a route say, before they are judged together.
struct route_attrs {
	int oif;
	uint32_t table, metric, gw;
	bool via_other; // next hop of another family
	struct hop multi;
};

static void route_attr(const struct rtattr *a, const struct rtnl_ports *ports,
		       struct route_attrs *at, struct route *out)
{
	switch (a->rta_type) {
	case RTA_DST:
		out->dst = attr_v4(a);
		break;
	case RTA_OIF:
		at->oif = (int)attr_u32(a);
		break;
	case RTA_GATEWAY:
		at->gw = attr_v4(a);
		break;
	case RTA_TABLE:
		at->table = attr_u32(a);
		break;
	case RTA_PRIORITY:
		at->metric = attr_u32(a);
		break;
	case RTA_VIA:
		at->via_other = true;
		break;
	case RTA_MULTIPATH:
		multipath(a, ports, &at->multi);
		break;
	default:
		break;
	}
}

static struct hop route_hop(const struct rtmsg *m, const struct rtnl_ports *ports,
			    const struct route_attrs *at)
{
	struct hop hop = { .kind = HOP_UNUSABLE };

	if (m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_BROADCAST)
		return (struct hop){ .kind = HOP_LOCAL };
	if (m->rtm_type != RTN_UNICAST || at->via_other)
		return hop;
	if (at->multi.kind == HOP_PORT)
		return at->multi;
	if (port_of(ports, at->oif, &hop.port)) {
		hop.kind = HOP_PORT;
		hop.gw = at->gw;
	}
	return hop;
}

bool rtnl_route(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct route *out)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	struct route_attrs at = { .table = m->rtm_table };
	int left = (int)RTM_PAYLOAD(h);
	uint64_t table;

	if (m->rtm_family != AF_INET || (m->rtm_flags & RTM_F_CLONED) ||
	    m->rtm_type == RTN_MULTICAST)
		return false;
	*out = (struct route){ .len = m->rtm_dst_len };
	for (const struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		route_attr(a, ports, &at, out);
	if (at.table == RT_TABLE_LOCAL)
		table = 0;
	else if (at.table == RT_TABLE_MAIN)
		table = 1;
	else if (at.table == RT_TABLE_DEFAULT)
		table = 2;
	else
		return false;
	out->rank = table << 40 | (uint64_t)at.metric << 8 | m->rtm_tos;
	out->hop = route_hop(m, ports, &at);
	return true;
}

bool rtnl_neigh(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct rtnl_neigh *out)
{
	const uint16_t good = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	const struct ndmsg *m = NLMSG_DATA(h);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
	bool has_mac = false;

	*out = (struct rtnl_neigh){ .stale = (m->ndm_state & NUD_STALE) != 0 };
	if (m->ndm_family != AF_INET || !port_of(ports, m->ndm_ifindex, &out->port))
		return false;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == NDA_DST)
			out->ip = attr_v4(a);
		if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == sizeof(out->mac)) {
			memcpy(out->mac, RTA_DATA(a), sizeof(out->mac));
			has_mac = true;
		}
	}
	out->usable = h->nlmsg_type == RTM_NEWNEIGH && (m->ndm_state & good) && has_mac;
	return out->ip != 0;
}

bool rtnl_addr(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct rtnl_addr *out)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	int left = (int)IFA_PAYLOAD(h);

	*out = (struct rtnl_addr){ 0 };
	if (m->ifa_family != AF_INET || (m->ifa_flags & IFA_F_SECONDARY) ||
	    !port_of(ports, (int)m->ifa_index, &out->port))
		return false;
	for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFA_LOCAL)
			out->ip = attr_v4(a);
	return out->ip != 0;
}

bool rtnl_addr6(const struct nlmsghdr *h, struct rtnl_addr6 *out)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	int left = (int)IFA_PAYLOAD(h);
	bool local = false, any = false;

	if (m->ifa_family != AF_INET6)
		return false;
	*out = (struct rtnl_addr6){ .ifindex = (int)m->ifa_index };
	for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		// On a point-to-point link IFA_ADDRESS is the other end.
		bool is_local = a->rta_type == IFA_LOCAL;

		if ((!is_local && (a->rta_type != IFA_ADDRESS || local)) ||
		    RTA_PAYLOAD(a) != sizeof(out->ip))
			continue;
		memcpy(out->ip, RTA_DATA(a), sizeof(out->ip));
		local = is_local;
		any = true;
	}
	return any;
}
