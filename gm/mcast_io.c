// Group addresses that rekeys come to: one socket each, bound to the address, a member of it on the
// interface that carries our own address. Which ones is asked of the core after every step. The
// membership is made good every few seconds: the interface is a TAP that comes and goes with espd.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/iface_io.h"
#include "gm/io_int.h"

#define REJOIN_S 5

struct listen {
	struct endpoint at;
	int fd;
	int err; // of the last attempt to join; logged when it changes
	struct event *on;
};

struct mcast {
	struct gm_io *io;
	struct event *rejoin;
	size_t n;
	struct listen listen[GM_MAX_LISTENS];
};

static int level(const struct endpoint *at)
{
	return at->addr.family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
}

static void close_listen(struct listen *l)
{
	if (l->on)
		event_free(l->on);
	if (l->fd >= 0)
		close(l->fd);
}

// -EADDRINUSE from the kernel: a member already.
static int join(const struct listen *l, const struct addr *own)
{
	struct group_req r = { .gr_interface = iface_of(own) };

	if (r.gr_interface == 0)
		return -EADDRNOTAVAIL;
	endpoint_to_sockaddr(&l->at, &r.gr_group);
	if (setsockopt(l->fd, level(&l->at), MCAST_JOIN_GROUP, &r, sizeof(r)) == 0)
		return 0;
	return errno == EADDRINUSE ? 0 : -errno;
}

static void join_and_tell(struct mcast *m, struct listen *l)
{
	int err = join(l, &m->io->gm->conf->address);
	char at[ENDPOINT_STRLEN];

	if (err == l->err)
		return;
	l->err = err;
	endpoint_str(&l->at, at);
	if (err)
		log_warn(MAIN, NULL, "group address %s not joined, trying on: %s", at,
			 strerror(-err));
	else
		log_info(MAIN, NULL, "group address %s joined", at);
}

static int open_group(const struct endpoint *at)
{
	struct sockaddr_storage ss;
	size_t len = endpoint_to_sockaddr(at, &ss);
	int all = at->addr.family == 4 ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL;
	int fd, one = 1, zero = 0, err;

	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, level(at), all, &zero, sizeof(zero)) == 0 &&
	    bind(fd, (struct sockaddr *)&ss, (socklen_t)len) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void open_listen(struct mcast *m, const struct endpoint *at)
{
	struct listen *l = &m->listen[m->n++];
	char text[ENDPOINT_STRLEN];

	*l = (struct listen){ .at = *at, .fd = open_group(at), .err = 1 };
	if (l->fd < 0) {
		log_err(MAIN, NULL, "cannot listen on %s: %s: rekeys to it are not heard",
			endpoint_str(at, text), strerror(-l->fd));
		return;
	}
	l->on = event_new(m->io->base, l->fd, EV_READ | EV_PERSIST, gm_io_on_datagram,
			  &m->io->port[0]); // answered from there
	if (l->on)
		event_add(l->on, NULL);
	join_and_tell(m, l);
}

static void drop_unwanted(struct mcast *m, const struct endpoint *want, size_t n)
{
	char text[ENDPOINT_STRLEN];

	for (size_t i = 0; i < m->n;) {
		size_t k = 0;

		while (k < n && !endpoint_eq(&want[k], &m->listen[i].at))
			k++;
		if (k < n) {
			i++;
			continue;
		}
		log_info(MAIN, NULL, "group address %s left", endpoint_str(&m->listen[i].at, text));
		close_listen(&m->listen[i]);
		m->listen[i] = m->listen[--m->n];
	}
}

static bool has(const struct mcast *m, const struct endpoint *at)
{
	for (size_t i = 0; i < m->n; i++) {
		if (endpoint_eq(&m->listen[i].at, at))
			return true;
	}
	return false;
}

void mcast_sync(struct mcast *m)
{
	const struct timeval again = { REJOIN_S, 0 };
	struct endpoint want[GM_MAX_LISTENS];
	size_t n = gm_listens(m->io->gm, want);

	drop_unwanted(m, want, n);
	for (size_t i = 0; i < n; i++) {
		if (!has(m, &want[i]))
			open_listen(m, &want[i]);
	}
	if (m->n == 0)
		event_del(m->rejoin);
	else if (!event_pending(m->rejoin, EV_TIMEOUT, NULL))
		event_add(m->rejoin, &again);
}

static void on_rejoin(evutil_socket_t fd, short what, void *arg)
{
	struct mcast *m = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < m->n; i++) {
		if (m->listen[i].fd >= 0)
			join_and_tell(m, &m->listen[i]);
	}
}

int mcast_new(struct gm_io *io, struct mcast **out)
{
	struct mcast *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->io = io;
	m->rejoin = event_new(io->base, -1, EV_PERSIST, on_rejoin, m);
	if (!m->rejoin) {
		free(m);
		return -ENOMEM;
	}
	*out = m;
	return 0;
}

void mcast_free(struct mcast *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		close_listen(&m->listen[i]);
	event_free(m->rejoin);
	free(m);
}
