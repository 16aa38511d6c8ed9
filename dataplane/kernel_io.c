#include "dataplane/kernel_io.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"
#include "dataplane/ip4.h"
#include "dataplane/rtnl.h"

#define BUF_SIZE       (128 * 1024)
#define RCVBUF	       (4 * 1024 * 1024)
#define READ_MAX       64    // datagrams per turn: a busy network must not keep gmd waiting
#define REDUMP_WAIT_MS 50    // several interface events come together
#define DUMP_MS	       5000  // a dump that takes longer is begun again
#define REFRESH_MS     15000 // neighbours in use are confirmed this often

struct entry {
	struct neigh n;
	bool stale;
	uint8_t seen; // dump in which it was last seen
};

struct kernel_io {
	struct espd *d;
	int fd;
	uint32_t seq, dump_seq;
	struct rtnl_ports ports;
	struct routes routes;
	struct own6 own6;
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
		  .r = { .rtm_family = type == RTM_GETADDR ? AF_UNSPEC : AF_INET } };

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

// ---- routes

// The best route of a prefix into the forwarding table, or none.
static void route_apply(struct kernel_io *k, uint32_t dst, uint8_t len)
{
	const struct route *best = routes_best(&k->routes, dst, len);
	uint64_t held;

	if (!best)
		fwd_route_del(&k->d->fwd, dst, len);
	else if (fwd_route_set(&k->d->fwd, dst, len, &best->hop) < 0 &&
		 log_limit_pass(&k->full, mono_now(), &held))
		log_warn(DP, NULL, "route table is full: raise espd.routes");
}

static void on_route(struct kernel_io *k, const struct nlmsghdr *h, mono_t now)
{
	struct route r;

	if (!rtnl_route(h, &k->ports, &r))
		return;
	r.seen = k->pass;
	if (h->nlmsg_type == RTM_DELROUTE)
		routes_remove(&k->routes, &r);
	else if (routes_put(&k->routes, &r) < 0)
		redump_soon(k, now);
	route_apply(k, r.dst, r.len);
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
	struct rtnl_neigh n;
	struct entry e = { .seen = k->pass }, *old;

	if (!rtnl_neigh(h, &k->ports, &n))
		return;
	e.n.ip = n.ip;
	e.n.port = n.port;
	e.stale = n.stale;
	memcpy(&e.n.mac, n.mac, sizeof(e.n.mac));
	if (n.usable)
		neigh_put(k, &e);
	else if ((old = neigh_entry(k, n.port, n.ip)))
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

static void publish(struct kernel_io *k)
{
	if (k->neigh_dirty)
		neigh_publish(k);
	if (k->own6.dirty && fwd_own6_publish(&k->d->fwd, &k->own6) == 0)
		k->own6.dirty = false;
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

static void on_addr6(struct kernel_io *k, const struct nlmsghdr *h, const struct rtnl_addr6 *a)
{
	uint64_t held;

	if (h->nlmsg_type == RTM_DELADDR)
		own6_remove(&k->own6, a->ip, a->ifindex);
	else if (own6_put(&k->own6, a->ip, a->ifindex, k->pass) < 0 &&
		 log_limit_pass(&k->full, mono_now(), &held))
		log_warn(DP, NULL, "the box has more than %d IPv6 addresses: some are not served",
			 OWN6_MAX);
}

static void on_addr(struct kernel_io *k, const struct nlmsghdr *h)
{
	struct rtnl_addr a;
	struct rtnl_addr6 a6;
	uint32_t *own;

	if (rtnl_addr6(h, &a6))
		on_addr6(k, h, &a6);
	if (!rtnl_addr(h, &k->ports, &a))
		return;
	own = &k->d->ports[a.port].addr;
	if (h->nlmsg_type == RTM_NEWADDR)
		__atomic_store_n(own, a.ip, __ATOMIC_RELAXED);
	else if (*own == a.ip)
		__atomic_store_n(own, 0, __ATOMIC_RELAXED);
}

// What a dump did not name is gone.
static void sweep(struct kernel_io *k, int type)
{
	if (type == RTM_GETADDR)
		own6_sweep(&k->own6, k->pass);
	for (size_t i = k->routes.n; type == RTM_GETROUTE && i-- > 0;) {
		struct route r = k->routes.r[i];

		if (r.seen == k->pass)
			continue;
		routes_remove(&k->routes, &r);
		route_apply(k, r.dst, r.len);
	}
	for (size_t i = k->n_neigh; type == RTM_GETNEIGH && i-- > 0;)
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
		on_route(k, h, now);
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
	for (unsigned i = 0; i < READ_MAX; i++) {
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
	publish(k);
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
	publish(k);
}

int kernel_io_fd(const struct kernel_io *k)
{
	return k->fd;
}

static int socket_open(struct kernel_io *k)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
				  .nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR |
					       RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR };
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
	k->ports.n = d->n_ports;
	for (unsigned i = 0; i < d->n_ports; i++)
		k->ports.ifindex[i] = d->ports[i].tap_ifindex;
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
	routes_fini(&k->routes);
	free(k->neigh);
	free(k);
}
