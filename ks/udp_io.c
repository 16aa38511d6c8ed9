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

union ttl_room {
	struct cmsghdr align;
	uint8_t b[CMSG_SPACE(sizeof(int))];
};

// What one system call is given; too large to be zeroed on the stack for each datagram.
struct tx {
	struct sockaddr_storage to[TX_BATCH];
	struct mmsghdr m[TX_BATCH];
	struct iovec v[TX_BATCH][2];
	union ttl_room ttl[TX_BATCH];
};

struct rx {
	struct sockaddr_storage from[RX_BATCH];
	struct mmsghdr m[RX_BATCH];
	struct iovec v[RX_BATCH];
	uint8_t octets[RX_BATCH][KS_DGRAM_MAX];
};

struct ks_udp {
	ks_udp_in *in;
	void *arg;
	size_t n;
	struct port port[PORTS_MAX];
	uint64_t n_tx_failed;
	struct log_limit tx_log;
	size_t waiting; // received and not yet handed in
	bool in_batch;	// answers are kept until the last is handed in
	size_t n_later;
	struct ks_send later[TX_BATCH];
	struct tx tx;
	struct rx rx;
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

static void fill(struct tx *t, size_t i, const struct ks_send *s, bool marked)
{
	static const uint8_t marker[NATT_MARKER_LEN];

	t->v[i][0] = (struct iovec){ (void *)(uintptr_t)marker, sizeof(marker) };
	t->v[i][1] = (struct iovec){ (void *)(uintptr_t)s->datagram.p, s->datagram.len };
	t->m[i].msg_hdr = (struct msghdr){
		.msg_iov = marked ? &t->v[i][0] : &t->v[i][1],
		.msg_iovlen = marked ? 2 : 1,
		.msg_name = &t->to[i],
		.msg_namelen = (socklen_t)endpoint_to_sockaddr(&s->to, &t->to[i]),
	};
	if (s->ttl)
		set_ttl(&t->m[i].msg_hdr, &t->ttl[i], s);
}

static void send_some(struct ks_udp *u, const struct port *p, const struct ks_send *s, size_t n)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++)
		fill(&u->tx, i, &s[i], p->marked);
	while (done < n) {
		int sent = sendmmsg(p->fd, u->tx.m + done, (unsigned)(n - done), 0);

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

static void send_now(struct ks_udp *u, const struct ks_send *s, size_t n)
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

static void send_later(struct ks_udp *u)
{
	send_now(u, u->later, u->n_later);
	for (size_t i = 0; i < u->n_later; i++)
		free(u->later[i].owned);
	u->n_later = 0;
}

static bool all_owned(const struct ks_send *s, size_t n)
{
	while (n > 0 && s[n - 1].owned)
		n--;
	return n == 0;
}

// The peers of a batch are answered together: one system call, and what they say next comes
// together too.
void ks_udp_send(struct ks_udp *u, struct ks_send *s, size_t n)
{
	if (!u->in_batch || !all_owned(s, n)) {
		send_later(u);
		send_now(u, s, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (u->n_later == N_ELEMS(u->later))
			send_later(u);
		u->later[u->n_later++] = s[i];
		s[i].owned = NULL;
	}
}

// ---- in ----

static int receive(struct rx *r, int fd)
{
	for (size_t i = 0; i < RX_BATCH; i++) {
		r->v[i] = (struct iovec){ r->octets[i], sizeof(r->octets[i]) };
		r->m[i].msg_hdr = (struct msghdr){ .msg_iov = &r->v[i],
						   .msg_iovlen = 1,
						   .msg_name = &r->from[i],
						   .msg_namelen = sizeof(r->from[i]) };
	}
	return recvmmsg(fd, r->m, RX_BATCH, MSG_DONTWAIT, NULL);
}

static void hand_in(struct port *p, int n)
{
	struct ks_udp *u = p->udp;
	const struct rx *r = &u->rx;
	struct endpoint from;

	u->in_batch = true;
	for (int i = 0; i < n; i++) {
		u->waiting = (size_t)(n - 1 - i);
		if (endpoint_from_sockaddr(&r->from[i], &from) == 0)
			u->in(u->arg, &from, &p->self, BYTES(r->octets[i], r->m[i].msg_len));
	}
	u->in_batch = false;
	send_later(u);
}

static void on_rx(evutil_socket_t fd, short what, void *arg)
{
	struct port *p = arg;
	int n = RX_BATCH;

	(void)what;
	for (size_t round = 0; round < RX_ROUNDS && n == RX_BATCH; round++) {
		n = receive(&p->udp->rx, fd);
		hand_in(p, n);
	}
}

size_t ks_udp_waiting(const struct ks_udp *u)
{
	return u->waiting;
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
	send_later(u);
	for (size_t i = 0; i < u->n; i++) {
		event_free(u->port[i].on_rx);
		close(u->port[i].fd);
	}
	free(u);
}
