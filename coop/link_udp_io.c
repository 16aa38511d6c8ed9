#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coop/link_int.h"

#define BATCH 64 // datagrams per wake-up, then others get their turn

static void say_hello(struct link_peer *p, enum link_hello_why why)
{
	struct logctx who;
	uint64_t held;

	p->stats.hellos_refused++;
	if (!log_limit_pass(&p->say_hello, mono_now(), &held))
		return;
	logctx_set(&who, "peer=%s", p->text);
	log_warn(COOP, &who, "hello refused: %s total=%llu held-back=%llu",
		 link_hello_why_name(why), (unsigned long long)p->stats.hellos_refused,
		 (unsigned long long)held);
}

static void take(struct link_peer *p, struct bytes d)
{
	struct bytes frame;
	enum link_hello_why why = link_hello_open(&p->keys, d, &frame);

	if (why != LINK_HELLO_OK) {
		say_hello(p, why);
		return;
	}
	p->stats.hellos_in++;
	link_heard(p);
	p->l->hooks.hello(p->l->hooks.arg, p->index, frame);
}

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct link_io *l = arg;
	uint8_t b[LINK_HELLO_MAX + 1]; // one that fills it is too long
	struct sockaddr_storage sa;
	struct endpoint from;
	struct link_peer *p;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		socklen_t len = sizeof(sa);
		ssize_t n = recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&sa, &len);

		if (n < 0 && errno != ECONNREFUSED) // an ICMP for what we sent before: go on
			return;
		if (n < 0 || endpoint_from_sockaddr(&sa, &from))
			continue;
		p = link_peer_of(l, &from.addr);
		if (p && (size_t)n < sizeof(b))
			take(p, BYTES(b, (size_t)n));
		else if (p)
			say_hello(p, LINK_HELLO_MALFORMED);
	}
}

int link_io_hello(struct link_io *l, size_t peer, struct bytes frame)
{
	const struct endpoint to = { l->conf.peer[peer].addr, l->conf.hello_port };
	struct link_peer *p = l->peer[peer];
	struct sockaddr_storage sa;
	uint8_t b[LINK_HELLO_MAX];
	size_t len, sa_len;

	BUG_ON(peer >= l->conf.n_peers);
	if (frame.len + LINK_HELLO_OVERHEAD > sizeof(b))
		return -EMSGSIZE;
	len = link_hello_seal(&p->keys, l->boot, frame, b, sizeof(b));
	if (len == 0)
		return -ENOTCONN;
	sa_len = endpoint_to_sockaddr(&to, &sa);
	p->stats.hellos_out++;
	(void)!sendto(l->udp, b, len, MSG_NOSIGNAL, (struct sockaddr *)&sa, (socklen_t)sa_len);
	return 0;
}

int link_udp_open(struct link_io *l)
{
	const struct endpoint self = { l->conf.addr, l->conf.hello_port };
	struct sockaddr_storage sa;
	size_t len = endpoint_to_sockaddr(&self, &sa);
	char text[ENDPOINT_STRLEN];

	l->udp = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->udp < 0 || bind(l->udp, (struct sockaddr *)&sa, (socklen_t)len) < 0) {
		int err = errno;

		log_err(COOP, NULL, "cannot open udp %s: %s", endpoint_str(&self, text),
			strerror(err));
		return -err;
	}
	l->on_udp = event_new(l->base, l->udp, EV_READ | EV_PERSIST, on_udp, l);
	return l->on_udp && event_add(l->on_udp, NULL) == 0 ? 0 : -ENOMEM;
}

void link_udp_close(struct link_io *l)
{
	if (l->on_udp)
		event_free(l->on_udp);
	if (l->udp >= 0)
		close(l->udp);
}
