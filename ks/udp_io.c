#include "ks/udp_io.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/iface_io.h"
#include "common/base/log.h"
#include "ks/ks.h"

#define RX_BATCH      32
#define RX_ROUNDS     8 // batches per wake-up, then others get their turn
#define TX_BATCH      64
#define SOCKET_BUFFER (8 << 20)
#define PORTS_MAX     2

struct port {
	struct ks_udp *udp;
	struct endpoint self;
	bool marked; // datagrams leave behind a marker
	int fd;
	struct event *on_rx;
};

struct ks_udp {
	ks_udp_in *in;
	void *arg;
	size_t n;
	struct port port[PORTS_MAX];
	uint64_t n_tx_failed;
	struct log_limit tx_log;
	uint8_t rx[RX_BATCH][KS_DGRAM_MAX];
};

// ---- out ----

static void tx_failed(struct ks_udp *u, size_t n, int err)
{
	uint64_t held;

	u->n_tx_failed += n;
	if (log_limit_pass(&u->tx_log, mono_now(), &held))
		log_warn(MAIN, NULL, "datagrams not sent: %s total=%llu held-back=%llu",
			 strerror(err), (unsigned long long)u->n_tx_failed,
			 (unsigned long long)held);
}

union ttl_room {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(int))];
};

static void set_ttl(struct msghdr *m, union ttl_room *room, const struct ks_send *s)
{
	bool v4 = s->to.addr.family == 4;
	int ttl = s->ttl;
	struct cmsghdr *c;

	m->msg_control = room;
	m->msg_controllen = sizeof(*room);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	c->cmsg_type = v4 ? IP_TTL : IPV6_HOPLIMIT;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
}

static void send_some(struct ks_udp *u, const struct port *p, const struct ks_send *s, size_t n)
{
	static const uint8_t marker[NATT_MARKER_LEN];
	struct sockaddr_storage to[TX_BATCH];
	struct mmsghdr m[TX_BATCH];
	struct iovec v[TX_BATCH][2];
	union ttl_room ttl[TX_BATCH];
	size_t done = 0;

	memset(m, 0, sizeof(m));
	for (size_t i = 0; i < n; i++) {
		v[i][0] = (struct iovec){ (void *)(uintptr_t)marker, sizeof(marker) };
		v[i][1] = (struct iovec){ (void *)(uintptr_t)s[i].datagram.p, s[i].datagram.len };
		m[i].msg_hdr.msg_iov = p->marked ? &v[i][0] : &v[i][1];
		m[i].msg_hdr.msg_iovlen = p->marked ? 2 : 1;
		m[i].msg_hdr.msg_name = &to[i];
		m[i].msg_hdr.msg_namelen = (socklen_t)endpoint_to_sockaddr(&s[i].to, &to[i]);
		if (s[i].ttl)
			set_ttl(&m[i].msg_hdr, &ttl[i], &s[i]);
	}
	while (done < n) {
		int sent = sendmmsg(p->fd, m + done, (unsigned)(n - done), 0);

		if (sent < 0) {
			tx_failed(u, 1, errno);
			sent = 1; // past the one that failed
		}
		done += (size_t)sent;
	}
}

static const struct port *port_of(const struct ks_udp *u, const struct endpoint *from)
{
	for (size_t i = 0; i < u->n; i++) {
		if (endpoint_eq(&u->port[i].self, from))
			return &u->port[i];
	}
	return &u->port[0]; // of a former life, read back from disk
}

void ks_udp_send(struct ks_udp *u, const struct ks_send *s, size_t n)
{
	while (n > 0) {
		const struct port *p = port_of(u, &s->from);
		size_t run = 1;

		while (run < n && run < TX_BATCH && port_of(u, &s[run].from) == p)
			run++;
		send_some(u, p, s, run);
		s += run;
		n -= run;
	}
}

// ---- in ----

static int receive(struct ks_udp *u, int fd, struct mmsghdr m[RX_BATCH],
		   struct sockaddr_storage from[RX_BATCH])
{
	struct iovec v[RX_BATCH];

	memset(m, 0, RX_BATCH * sizeof(m[0]));
	for (size_t i = 0; i < RX_BATCH; i++) {
		v[i] = (struct iovec){ u->rx[i], sizeof(u->rx[i]) };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &from[i];
		m[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	return recvmmsg(fd, m, RX_BATCH, MSG_DONTWAIT, NULL);
}

static void on_rx(evutil_socket_t fd, short what, void *arg)
{
	const struct port *p = arg;
	struct ks_udp *u = p->udp;
	struct sockaddr_storage ss[RX_BATCH];
	struct mmsghdr m[RX_BATCH];
	struct endpoint from;

	(void)what;
	for (size_t round = 0; round < RX_ROUNDS; round++) {
		int n = receive(u, fd, m, ss);

		for (int i = 0; i < n; i++) {
			if (endpoint_from_sockaddr(&ss[i], &from) == 0)
				u->in(u->arg, &from, &p->self, BYTES(u->rx[i], m[i].msg_len));
		}
		if (n < RX_BATCH)
			return;
	}
}

// ---- life ----

static int open_socket(const struct endpoint *self)
{
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)endpoint_to_sockaddr(self, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = SOCKET_BUFFER, on = 1, err;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (sa.ss_family == AF_INET) { // rekeys by multicast leave where our address is
		struct in_addr own = ((struct sockaddr_in *)&sa)->sin_addr;

		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &own, sizeof(own));
	}
	if (sa.ss_family == AF_INET6) {
		unsigned iface = iface_of(&self->addr);

		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &iface, sizeof(iface));
	}
	if (bind(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int add_port(struct ks_udp *u, struct event_base *base, const struct endpoint *self,
		    bool marked)
{
	struct port *p = &u->port[u->n];
	char at[ENDPOINT_STRLEN];

	*p = (struct port){ .udp = u, .self = *self, .marked = marked, .fd = open_socket(self) };
	if (p->fd < 0) {
		log_err(MAIN, NULL, "cannot open UDP %s: %s", endpoint_str(self, at),
			strerror(-p->fd));
		return p->fd;
	}
	u->n++;
	p->on_rx = event_new(base, p->fd, EV_READ | EV_PERSIST, on_rx, p);
	BUG_ON(!p->on_rx);
	event_add(p->on_rx, NULL);
	return 0;
}

int ks_udp_new(struct event_base *base, const struct ks_conf *conf, ks_udp_in *in, void *arg,
	       struct ks_udp **out)
{
	const struct endpoint plain = { conf->address, conf->port };
	const struct endpoint nat = { conf->address, conf->nat_port };
	struct ks_udp *u = calloc(1, sizeof(*u));
	int err;

	BUG_ON(!u);
	u->in = in;
	u->arg = arg;
	err = add_port(u, base, &plain, false);
	if (!err && nat.port)
		err = add_port(u, base, &nat, true);
	if (err) {
		ks_udp_free(u);
		return err;
	}
	*out = u;
	return 0;
}

void ks_udp_free(struct ks_udp *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n; i++) {
		event_free(u->port[i].on_rx);
		close(u->port[i].fd);
	}
	free(u);
}
