#include "dataplane/kernel_io.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "dataplane/ip4.h"

#define BUF_SIZE       (128 * 1024)
#define RCVBUF	       (4 * 1024 * 1024)
#define REDUMP_WAIT_MS 50    // several interface events come together
#define DUMP_MS	       5000  // a dump that takes longer is begun again
#define REFRESH_MS     15000 // neighbours in use are confirmed this often

// One kernel route. Sorted by prefix, then by who wins: local table first, then metric.
struct route {
	uint32_t dst;
	uint8_t len;
	uint8_t seen; // dump in which it was last seen
	uint64_t rank;
	struct hop hop;
};

struct entry {
	struct neigh n;
	bool stale;
	uint8_t seen;
};

struct kernel_io {
	struct espd *d;
	int fd;
	uint32_t seq, dump_seq;
	struct route *routes;
	size_t n_routes, cap_routes;
	struct entry *neigh;
	size_t n_neigh, cap_neigh;
	bool neigh_dirty;
	uint8_t pass; // number of the running or last dump
	int dumping;  // 0, or the RTM_GET… that runs
	mono_t redump, dump_until, refresh;
	struct log_limit full;
	uint8_t buf[BUF_SIZE];
};

static const int dump_order[] = { RTM_GETADDR, RTM_GETROUTE, RTM_GETNEIGH };

static int send_request(struct kernel_io *k, struct nlmsghdr *h)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };

	h->nlmsg_seq = ++k->seq;
	if (sendto(k->fd, h, h->nlmsg_len, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return 0;
}

static void dump_start(struct kernel_io *k, int type, mono_t now)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg r; // the family is the first octet of every request
	} req = { .h = { .nlmsg_len = sizeof(req),
			 .nlmsg_type = (uint16_t)type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		  .r = { .rtm_family = AF_INET } };

	k->dumping = type;
	k->dump_until = mono_add_ms(now, DUMP_MS);
	if (send_request(k, &req.h) < 0)
		k->redump = mono_add_ms(now, 1000);
	k->dump_seq = k->seq;
}

static void redump(struct kernel_io *k, mono_t now)
{
	k->pass++;
	k->redump = MONO_NEVER;
	dump_start(k, dump_order[0], now);
}

static void redump_soon(struct kernel_io *k, mono_t now)
{
	k->redump = mono_min(k->redump, mono_add_ms(now, REDUMP_WAIT_MS));
}

static const struct port *port_of(const struct espd *d, int ifindex)
{
	for (unsigned i = 0; i < d->n_ports; i++)
		if (d->ports[i].tap_ifindex == ifindex)
			return &d->ports[i];
	return NULL;
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

// ---- routes

static int route_cmp(const struct route *a, const struct route *b)
{
	if (a->dst != b->dst)
		return a->dst < b->dst ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

// First index whose route is not before r.
static size_t route_at(const struct kernel_io *k, const struct route *r)
{
	size_t lo = 0, hi = k->n_routes;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (route_cmp(&k->routes[mid], r) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

// The best route of a prefix into the forwarding table, or none.
static void route_apply(struct kernel_io *k, uint32_t dst, uint8_t len)
{
	const struct route first = { .dst = dst, .len = len };
	size_t i = route_at(k, &first);
	uint64_t held;

	if (i == k->n_routes || k->routes[i].dst != dst || k->routes[i].len != len)
		fwd_route_del(&k->d->fwd, dst, len);
	else if (fwd_route_set(&k->d->fwd, dst, len, &k->routes[i].hop) < 0 &&
		 log_limit_pass(&k->full, mono_now(), &held))
		log_warn(DP, NULL, "route table is full: raise espd.routes");
}

static void route_put(struct kernel_io *k, const struct route *r)
{
	size_t i = route_at(k, r);

	if (i < k->n_routes && route_cmp(&k->routes[i], r) == 0) {
		k->routes[i] = *r;
	} else {
		if (k->n_routes == k->cap_routes) {
			size_t cap = k->cap_routes ? k->cap_routes * 2 : 256;
			struct route *p = realloc(k->routes, cap * sizeof(*p));

			if (!p)
				return;
			k->routes = p;
			k->cap_routes = cap;
		}
		memmove(&k->routes[i + 1], &k->routes[i], (k->n_routes - i) * sizeof(*r));
		k->routes[i] = *r;
		k->n_routes++;
	}
	route_apply(k, r->dst, r->len);
}

static void route_remove(struct kernel_io *k, size_t i)
{
	struct route r = k->routes[i];

	memmove(&k->routes[i], &k->routes[i + 1], (k->n_routes - i - 1) * sizeof(r));
	k->n_routes--;
	route_apply(k, r.dst, r.len);
}

// A route of several next hops goes by its first usable one.
static void multipath(const struct kernel_io *k, const struct rtattr *a, struct hop *hop)
{
	const struct rtnexthop *nh = RTA_DATA(a);
	int left = (int)RTA_PAYLOAD(a);

	for (; RTNH_OK(nh, left) && hop->kind != HOP_PORT; nh = RTNH_NEXT(nh)) {
		const struct port *p = port_of(k->d, nh->rtnh_ifindex);
		int n = (int)nh->rtnh_len - (int)RTNH_LENGTH(0);

		left -= (int)RTNH_ALIGN(nh->rtnh_len);
		if (!p || (nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)))
			continue;
		*hop = (struct hop){ .kind = HOP_PORT, .port = p->index };
		for (const struct rtattr *g = RTNH_DATA(nh); RTA_OK(g, n); g = RTA_NEXT(g, n))
			if (g->rta_type == RTA_GATEWAY)
				hop->gw = attr_v4(g);
	}
}

static bool route_decode(const struct kernel_io *k, const struct nlmsghdr *h, struct route *r)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	int left = (int)RTM_PAYLOAD(h), oif = 0;
	uint32_t table = m->rtm_table, metric = 0;
	const struct port *p;
	bool via6 = false;

	if (m->rtm_family != AF_INET || (m->rtm_flags & RTM_F_CLONED))
		return false;
	*r = (struct route){ .len = m->rtm_dst_len, .seen = k->pass };
	r->hop.kind = HOP_UNUSABLE;
	for (const struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == RTA_DST)
			r->dst = attr_v4(a);
		else if (a->rta_type == RTA_OIF)
			oif = (int)attr_u32(a);
		else if (a->rta_type == RTA_GATEWAY)
			r->hop.gw = attr_v4(a);
		else if (a->rta_type == RTA_TABLE)
			table = attr_u32(a);
		else if (a->rta_type == RTA_PRIORITY)
			metric = attr_u32(a);
		else if (a->rta_type == RTA_MULTIPATH && m->rtm_type == RTN_UNICAST)
			multipath(k, a, &r->hop);
		else if (a->rta_type == RTA_VIA)
			via6 = true;
	}
	if (table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL && table != RT_TABLE_DEFAULT)
		return false;
	r->rank = (uint64_t)(table == RT_TABLE_LOCAL  ? 0
			     : table == RT_TABLE_MAIN ? 1
						      : 2)
			  << 40 |
		  (uint64_t)metric << 8 | m->rtm_tos;
	p = port_of(k->d, oif);
	if (m->rtm_type == RTN_LOCAL || m->rtm_type == RTN_BROADCAST)
		r->hop = (struct hop){ .kind = HOP_LOCAL };
	else if (m->rtm_type == RTN_UNICAST && p && !via6)
		r->hop = (struct hop){ .kind = HOP_PORT, .port = p->index, .gw = r->hop.gw };
	else if (r->hop.kind != HOP_PORT)
		r->hop = (struct hop){ .kind = HOP_UNUSABLE };
	return m->rtm_type != RTN_MULTICAST;
}

static void on_route(struct kernel_io *k, const struct nlmsghdr *h)
{
	struct route r;
	size_t i;

	if (!route_decode(k, h, &r))
		return;
	if (h->nlmsg_type == RTM_NEWROUTE) {
		route_put(k, &r);
		return;
	}
	i = route_at(k, &r);
	if (i < k->n_routes && route_cmp(&k->routes[i], &r) == 0)
		route_remove(k, i);
}

// ---- neighbours

static struct entry *neigh_entry(struct kernel_io *k, uint8_t port, uint32_t ip)
{
	for (size_t i = 0; i < k->n_neigh; i++)
		if (k->neigh[i].n.ip == ip && k->neigh[i].n.port == port)
			return &k->neigh[i];
	return NULL;
}

static void neigh_remove(struct kernel_io *k, struct entry *e)
{
	*e = k->neigh[--k->n_neigh];
	k->neigh_dirty = true;
}

static void neigh_put(struct kernel_io *k, const struct entry *in)
{
	struct entry *e = neigh_entry(k, in->n.port, in->n.ip);

	if (e) {
		if (!rte_is_same_ether_addr(&e->n.mac, &in->n.mac))
			k->neigh_dirty = true;
		*e = *in;
		return;
	}
	if (k->n_neigh == k->cap_neigh) {
		size_t cap = k->cap_neigh ? k->cap_neigh * 2 : 64;
		struct entry *p = realloc(k->neigh, cap * sizeof(*p));

		if (!p)
			return;
		k->neigh = p;
		k->cap_neigh = cap;
	}
	k->neigh[k->n_neigh++] = *in;
	k->neigh_dirty = true;
}

static void on_neigh(struct kernel_io *k, const struct nlmsghdr *h)
{
	const uint16_t good = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	const struct ndmsg *m = NLMSG_DATA(h);
	const struct port *p = port_of(k->d, m->ndm_ifindex);
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
	struct entry e = { .seen = k->pass }, *old;
	bool has_mac = false;

	if (m->ndm_family != AF_INET || !p)
		return;
	e.n.port = p->index;
	e.stale = (m->ndm_state & NUD_STALE) != 0;
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		if (a->rta_type == NDA_DST)
			e.n.ip = attr_v4(a);
		if (a->rta_type == NDA_LLADDR && RTA_PAYLOAD(a) == sizeof(e.n.mac)) {
			memcpy(&e.n.mac, RTA_DATA(a), sizeof(e.n.mac));
			has_mac = true;
		}
	}
	if (e.n.ip == 0)
		return;
	if (h->nlmsg_type == RTM_NEWNEIGH && (m->ndm_state & good) && has_mac)
		neigh_put(k, &e);
	else if ((old = neigh_entry(k, e.n.port, e.n.ip)))
		neigh_remove(k, old);
}

static void neigh_publish(struct kernel_io *k)
{
	struct neigh *e = calloc(k->n_neigh + 1, sizeof(*e));

	if (!e)
		return;
	for (size_t i = 0; i < k->n_neigh; i++) {
		const struct neigh *old =
			neigh_find(k->d->fwd.neigh, k->neigh[i].n.ip, k->neigh[i].n.port);

		e[i] = k->neigh[i].n;
		e[i].used = old ? old->used : 0;
	}
	if (fwd_neigh_publish(&k->d->fwd, e, (uint32_t)k->n_neigh) == 0)
		k->neigh_dirty = false;
	free(e);
}

void kernel_io_resolve(struct kernel_io *k, uint8_t port, uint32_t ip)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg n;
		struct rtattr a;
		uint8_t addr[4];
	} req = { .h = { .nlmsg_len = sizeof(req),
			 .nlmsg_type = RTM_NEWNEIGH,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE },
		  .n = { .ndm_family = AF_INET, .ndm_flags = NTF_USE, .ndm_state = NUD_NONE },
		  .a = { .rta_len = RTA_LENGTH(4), .rta_type = NDA_DST } };

	req.n.ndm_ifindex = k->d->ports[port].tap_ifindex;
	be32_put(req.addr, ip);
	if (send_request(k, &req.h) < 0)
		log_debug(DP, NULL, "neighbour request: %s", strerror(errno));
}

// The kernel does not see our traffic, so it does not know which neighbours are worth keeping:
// tell it about stale ones that workers use.
static void neigh_refresh(struct kernel_io *k)
{
	for (size_t i = 0; i < k->n_neigh; i++) {
		struct neigh *n = neigh_find(k->d->fwd.neigh, k->neigh[i].n.ip, k->neigh[i].n.port);

		if (!n || !n->used)
			continue;
		n->used = 0;
		if (k->neigh[i].stale)
			kernel_io_resolve(k, n->port, n->ip);
	}
}

// ---- addresses, the socket

static void on_addr(struct kernel_io *k, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct port *p = port_of(k->d, (int)m->ifa_index);
	int left = (int)IFA_PAYLOAD(h);

	if (m->ifa_family != AF_INET || !p || (m->ifa_flags & IFA_F_SECONDARY))
		return;
	for (const struct rtattr *a = IFA_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		uint32_t *addr = &k->d->ports[p->index].addr;

		if (a->rta_type != IFA_LOCAL)
			continue;
		if (h->nlmsg_type == RTM_NEWADDR)
			__atomic_store_n(addr, attr_v4(a), __ATOMIC_RELAXED);
		else if (*addr == attr_v4(a))
			__atomic_store_n(addr, 0, __ATOMIC_RELAXED);
	}
}

static void sweep(struct kernel_io *k, int type)
{
	if (type == RTM_GETROUTE)
		for (size_t i = k->n_routes; i-- > 0;)
			if (k->routes[i].seen != k->pass)
				route_remove(k, i);
	if (type == RTM_GETNEIGH)
		for (size_t i = k->n_neigh; i-- > 0;)
			if (k->neigh[i].seen != k->pass)
				neigh_remove(k, &k->neigh[i]);
}

static void on_done(struct kernel_io *k, const struct nlmsghdr *h, mono_t now)
{
	int done = k->dumping;

	if (!done || h->nlmsg_seq != k->dump_seq)
		return;
	k->dumping = 0;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR) {
		redump_soon(k, now);
		return;
	}
	sweep(k, done);
	for (size_t i = 0; i + 1 < N_ELEMS(dump_order); i++)
		if (dump_order[i] == done)
			dump_start(k, dump_order[i + 1], now);
}

static void on_message(struct kernel_io *k, const struct nlmsghdr *h, mono_t now)
{
	switch (h->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		on_route(k, h);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neigh(k, h);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		on_addr(k, h);
		if (!k->dumping)
			redump_soon(k, now);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		redump_soon(k, now);
		break;
	case NLMSG_DONE:
		on_done(k, h, now);
		break;
	default:
		break;
	}
}

void kernel_io_read(struct kernel_io *k, mono_t now)
{
	for (;;) {
		ssize_t n = recv(k->fd, k->buf, sizeof(k->buf), MSG_DONTWAIT);
		const struct nlmsghdr *h = (const void *)k->buf;
		unsigned left;

		if (n < 0 && errno == ENOBUFS) {
			redump_soon(k, now);
			continue;
		}
		if (n <= 0)
			break;
		for (left = (unsigned)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			on_message(k, h, now);
	}
	if (k->neigh_dirty)
		neigh_publish(k);
}

void kernel_io_tick(struct kernel_io *k, mono_t now)
{
	if (k->dumping && mono_due(k->dump_until, now)) {
		k->dumping = 0;
		redump_soon(k, now);
	}
	if (!k->dumping && mono_due(k->redump, now))
		redump(k, now);
	if (mono_due(k->refresh, now)) {
		neigh_refresh(k);
		k->refresh = mono_add_ms(now, REFRESH_MS);
	}
	if (k->neigh_dirty)
		neigh_publish(k);
}

int kernel_io_fd(const struct kernel_io *k)
{
	return k->fd;
}

static int socket_open(struct kernel_io *k)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
					       RTMGRP_IPV4_ROUTE };
	int size = RCVBUF;

	k->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (k->fd < 0)
		return -errno;
	// FORCE needs a capability; the plain option is bounded by the system, which will do.
	if (setsockopt(k->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(k->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
		return -errno;
	return bind(k->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
}

int kernel_io_new(struct espd *d, struct kernel_io **out)
{
	struct kernel_io *k = calloc(1, sizeof(*k));
	mono_t now = mono_now();
	int err;

	if (!k)
		return -ENOMEM;
	k->d = d;
	k->redump = MONO_NEVER;
	k->refresh = mono_add_ms(now, REFRESH_MS);
	err = socket_open(k);
	if (err) {
		kernel_io_free(k);
		return err;
	}
	redump(k, now);
	while (k->dumping && !mono_due(k->dump_until, mono_now())) {
		struct pollfd p = { .fd = k->fd, .events = POLLIN };

		if (poll(&p, 1, 100) > 0)
			kernel_io_read(k, mono_now());
	}
	*out = k;
	return 0;
}

void kernel_io_free(struct kernel_io *k)
{
	if (k->fd >= 0)
		close(k->fd);
	free(k->routes);
	free(k->neigh);
	free(k);
}
