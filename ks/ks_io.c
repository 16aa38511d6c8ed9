#include "ks/ks_io.h"

#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/iface_io.h"
#include "common/crypto/crypto.h"
#include "common/pki/auth_io.h"
#include "ks/dh_pool.h"
#include "ks/keep_io.h"
#include "ks/rekey.h"

#define RX_BATCH      32
#define RX_ROUNDS     8 // batches per wake-up, then others get their turn
#define TX_BATCH      64
#define SOCKET_BUFFER (8 << 20)

struct ks_io {
	struct event_base *base;
	struct event *on_rx, *on_timer, *on_dh, *on_kept, *on_term, *on_int, *on_hup;
	struct ctl_server *ctl;
	struct dh_pool *pool; // NULL: done in line
	struct auth_runner *auth;
	struct pki_io *pki;
	struct ks_keep *keep; // NULL: no state is kept
	int sock;
	const char *conf_path;
	struct endpoint self;
	struct rng rng;
	struct ks ks;
	struct ks_out out;
	mono_t armed; // deadline that on_timer stands for
	uint64_t n_tx_failed;
	struct log_limit tx_log;
	uint8_t rx[RX_BATCH][KS_DGRAM_MAX];
};

void ks_conf_report_log(void *arg, const char *text)
{
	(void)arg;
	if (strstr(text, ": warning: "))
		log_warn(CONF, NULL, "%s", text);
	else
		log_err(CONF, NULL, "%s", text);
}

// ---- outputs ----

static void tx_failed(struct ks_io *io, size_t n, int err)
{
	uint64_t held;

	io->n_tx_failed += n;
	if (log_limit_pass(&io->tx_log, mono_now(), &held))
		log_warn(MAIN, NULL, "datagrams not sent: %s total=%llu held-back=%llu",
			 strerror(err), (unsigned long long)io->n_tx_failed,
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

// A datagram that cannot be sent is lost, as any other on its way; resending makes up for both.
static void send_some(struct ks_io *io, const struct ks_send *s, size_t n)
{
	struct sockaddr_storage to[TX_BATCH];
	struct mmsghdr m[TX_BATCH];
	struct iovec v[TX_BATCH];
	union ttl_room ttl[TX_BATCH];
	size_t done = 0;

	memset(m, 0, sizeof(m));
	for (size_t i = 0; i < n; i++) {
		v[i] = (struct iovec){ (void *)(uintptr_t)s[i].datagram.p, s[i].datagram.len };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &to[i];
		m[i].msg_hdr.msg_namelen = (socklen_t)endpoint_to_sockaddr(&s[i].to, &to[i]);
		if (s[i].ttl)
			set_ttl(&m[i].msg_hdr, &ttl[i], &s[i]);
	}
	while (done < n) {
		int sent = sendmmsg(io->sock, m + done, (unsigned)(n - done), 0);

		if (sent < 0) {
			tx_failed(io, 1, errno);
			sent = 1; // past the one that failed
		}
		done += (size_t)sent;
	}
}

// What releases keys waits until the state behind it is on disk.
static void send_out(struct ks_io *io, struct ks_out *out)
{
	size_t n = 0;

	if (io->keep)
		ks_keep_step(io->keep, &io->ks, out);
	for (size_t i = 0; i < out->n_send; i++) {
		if (!io->keep || !ks_keep_holds(io->keep, &out->send[i])) {
			struct ks_send s = out->send[i];

			out->send[i] = out->send[n];
			out->send[n++] = s;
		}
	}
	for (size_t i = 0; i < n; i += TX_BATCH)
		send_some(io, out->send + i, MIN_OF(n - i, (size_t)TX_BATCH));
}

static void tell(const struct ks_note *n)
{
	if (n->event >= 0)
		event_log((enum event_id)n->event, &n->who, "%s", n->text);
	else
		log_line(n->module, n->level, &n->who, "%s", n->text);
}

static void arm(struct ks_io *io, mono_t deadline)
{
	int64_t ms;
	struct timeval tv;

	if (deadline.ms == io->armed.ms)
		return;
	io->armed = deadline;
	if (mono_is_never(deadline)) {
		evtimer_del(io->on_timer);
		return;
	}
	ms = mono_left_ms(deadline, mono_now());
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(io->on_timer, &tv);
}

static void step(struct ks_io *io, const struct ks_event *ev);

static void run_dh(struct ks_io *io, const struct ks_dh *dh)
{
	struct ks_event done = { .kind = KS_EV_DH_DONE, .dh = *dh };

	if (io->pool) {
		dh_pool_put(io->pool, dh);
		return;
	}
	dh_job_run(dh->job);
	step(io, &done);
}

static void step(struct ks_io *io, const struct ks_event *ev)
{
	struct ks_out *out = &io->out;
	struct ks_dh dh; // a step asks for one at most
	struct ike_auth_job *auth;
	size_t n_dh;

	ks_step(&io->ks, mono_now(), ev, out);
	for (size_t i = 0; i < out->n_note; i++)
		tell(&out->note[i]);
	send_out(io, out);
	arm(io, out->deadline);
	n_dh = out->n_dh;
	auth = out->n_auth ? out->auth[0] : NULL;
	BUG_ON(n_dh + out->n_auth > 1);
	if (n_dh == 1) {
		dh = out->dh[0];
		run_dh(io, &dh); // may use out for a step of its own
	}
	if (auth)
		auth_runner_put(io->auth, auth); // so may this
}

struct pki_io *ks_io_pki(const struct ks_io *io)
{
	return io->pki;
}

const struct ks *ks_io_core(const struct ks_io *io)
{
	return &io->ks;
}

const struct ks_out *ks_io_step(struct ks_io *io, const struct ks_event *ev)
{
	step(io, ev);
	return &io->out;
}

// ---- events ----

static int receive(struct ks_io *io, struct mmsghdr m[RX_BATCH],
		   struct sockaddr_storage from[RX_BATCH])
{
	struct iovec v[RX_BATCH];

	memset(m, 0, RX_BATCH * sizeof(m[0]));
	for (size_t i = 0; i < RX_BATCH; i++) {
		v[i] = (struct iovec){ io->rx[i], sizeof(io->rx[i]) };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_name = &from[i];
		m[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	return recvmmsg(io->sock, m, RX_BATCH, MSG_DONTWAIT, NULL);
}

static void on_rx(evutil_socket_t fd, short what, void *arg)
{
	struct ks_io *io = arg;
	struct sockaddr_storage from[RX_BATCH];
	struct mmsghdr m[RX_BATCH];

	(void)fd;
	(void)what;
	for (size_t round = 0; round < RX_ROUNDS; round++) {
		int n = receive(io, m, from);

		for (int i = 0; i < n; i++) {
			struct ks_event ev = { .kind = KS_EV_DATAGRAM,
					       .datagram = BYTES(io->rx[i], m[i].msg_len),
					       .to = io->self };

			if (endpoint_from_sockaddr(&from[i], &ev.from) == 0)
				step(io, &ev);
		}
		if (n < RX_BATCH)
			return;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ks_io *io = arg;
	struct ks_event ev = { .kind = KS_EV_TIMER };

	(void)fd;
	(void)what;
	io->armed = MONO_NEVER; // it has fired: whatever comes is armed anew
	step(io, &ev);
}

static void on_dh(evutil_socket_t fd, short what, void *arg)
{
	struct ks_io *io = arg;
	struct ks_event ev = { .kind = KS_EV_DH_DONE };

	(void)fd;
	(void)what;
	while (dh_pool_take(io->pool, &ev.dh))
		step(io, &ev);
}

static void on_auth(void *arg, struct ike_auth_job *job)
{
	struct ks_event ev = { .kind = KS_EV_AUTH_DONE, .auth = job };

	step(arg, &ev);
}

static void send_one(void *arg, const struct ks_send *s)
{
	send_some(arg, s, 1);
}

static void on_kept(evutil_socket_t fd, short what, void *arg)
{
	struct ks_io *io = arg;

	(void)fd;
	(void)what;
	ks_keep_news(io->keep, &io->ks, mono_now(), send_one, io);
}

static void on_stop(evutil_socket_t sig, short what, void *arg)
{
	struct ks_io *io = arg;

	(void)what;
	event_log(EV_STOPPED, NULL, "ksd signal=%d", (int)sig);
	event_base_loopbreak(io->base);
}

// What hangs on open sockets and threads cannot change under a running daemon.
static bool same_places(const struct ks_conf *a, const struct ks_conf *b)
{
	return addr_eq(&a->address, &b->address) && a->port == b->port &&
	       a->workers == b->workers && strcmp(a->control, b->control) == 0 &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->state, b->state) == 0 &&
	       strcmp(a->device_key, b->device_key) == 0;
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct ks_io *io = arg;
	struct ks_event ev = { .kind = KS_EV_CONFIG };

	(void)sig;
	(void)what;
	ev.conf = ks_conf_load(io->conf_path, ks_conf_report_log, NULL);
	if (ev.conf && !same_places(ev.conf, io->ks.conf)) {
		log_err(CONF, NULL,
			"%s: ksd: address, port, control, user, state, device_key and workers "
			"change "
			"with a restart only",
			io->conf_path);
		ks_conf_free(ev.conf);
		ev.conf = NULL;
	}
	if (!ev.conf) {
		log_err(CONF, NULL, "%s: not loaded; the former configuration stays in force",
			io->conf_path);
		return;
	}
	step(io, &ev);
	event_log(EV_CONFIG_OK, NULL, "%s groups=%zu", io->conf_path, io->ks.n_groups);
	pki_io_config(io->pki);
}

static struct ike_pki *pki_now(void *arg)
{
	const struct ks_io *io = arg;

	return io->ks.conf->ike.pki;
}

static void pki_take(void *arg, struct ike_pki *next)
{
	step(arg, &(struct ks_event){ .kind = KS_EV_PKI, .pki = next });
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

static int open_port(struct ks_io *io, const struct ks_conf *conf)
{
	char at[ENDPOINT_STRLEN];

	io->self = (struct endpoint){ conf->address, conf->port };
	io->sock = open_socket(&io->self);
	if (io->sock >= 0)
		return 0;
	log_err(MAIN, NULL, "cannot open UDP %s: %s", endpoint_str(&io->self, at),
		strerror(-io->sock));
	return io->sock;
}

static int open_control(struct ks_io *io, const struct ks_conf *conf)
{
	int err = ctl_server_new(io->base, conf->control, ks_io_commands, io, &io->ctl);

	if (err)
		log_err(MAIN, NULL, "cannot open control socket %s: %s", conf->control,
			strerror(-err));
	return err;
}

static int open_pool(struct ks_io *io, const struct ks_conf *conf)
{
	int err = conf->workers ? dh_pool_new(conf->workers, &io->pool) : 0;

	if (!err)
		err = auth_runner_new(io->base, conf->workers, on_auth, io, &io->auth);
	if (!err)
		err = pki_io_new(io->base, &io->rng, &(struct enrol_hooks){ pki_now, pki_take, io },
				 &io->pki);
	if (err)
		log_err(MAIN, NULL, "cannot start %u threads: %s", conf->workers, strerror(-err));
	return err;
}

// Groups go on where a former run stopped.
static int take_up(struct ks_io *io, const struct ks_options *options)
{
	const struct ks_conf *c = io->ks.conf;
	const struct ks_store_conf where = { .dir = c->state,
					     .device_key = c->device_key,
					     .user = c->user };
	char why[KS_STORE_WHY];
	int err;

	if (!c->state[0]) {
		event_log(EV_KS_STATE_NONE, NULL,
			  "ksd.state is not set: after a restart all members register again");
		return 0;
	}
	err = ks_keep_open(&where, options->mint_new, &io->ks, mono_now(), &io->out, &io->keep,
			   why);
	if (err) {
		log_err(MAIN, NULL, "state: %s", why);
		return err;
	}
	for (size_t i = 0; i < io->out.n_note; i++)
		tell(&io->out.note[i]);
	send_out(io, &io->out);
	return 0;
}

static struct event *watch(struct ks_io *io, evutil_socket_t fd, short what, event_callback_fn cb)
{
	struct event *e = event_new(io->base, fd, what | EV_PERSIST, cb, io);

	BUG_ON(!e);
	event_add(e, NULL);
	return e;
}

static void watch_all(struct ks_io *io)
{
	io->on_rx = watch(io, io->sock, EV_READ, on_rx);
	io->on_timer = evtimer_new(io->base, on_timer, io);
	io->on_term = watch(io, SIGTERM, EV_SIGNAL, on_stop);
	io->on_int = watch(io, SIGINT, EV_SIGNAL, on_stop);
	io->on_hup = watch(io, SIGHUP, EV_SIGNAL, on_hup);
	if (io->pool)
		io->on_dh = watch(io, dh_pool_fd(io->pool), EV_READ, on_dh);
	if (io->keep)
		io->on_kept = watch(io, ks_keep_fd(io->keep), EV_READ, on_kept);
}

int ks_io_new(const char *conf_path, struct ks_conf *conf, const struct ks_options *options,
	      struct ks_io **out)
{
	struct ks_io *io = calloc(1, sizeof(*io));
	int err;

	BUG_ON(!io);
	io->sock = -1;
	io->conf_path = conf_path;
	io->armed = MONO_NEVER;
	io->base = event_base_new();
	BUG_ON(!io->base);
	crypto_rng_init(&io->rng);
	ks_out_init(&io->out);
	err = open_port(io, conf);
	if (!err)
		err = open_control(io, conf);
	if (!err)
		err = open_pool(io, conf);
	if (err) {
		ks_conf_free(conf);
	} else {
		err = ks_init(&io->ks, &io->rng, options, mono_now(), conf);
		if (err)
			log_err(MAIN, NULL, "cannot start: %s", strerror(-err));
		else
			err = take_up(io, options);
	}
	if (err) {
		ks_io_free(io);
		return err;
	}
	watch_all(io);
	*out = io;
	return 0;
}

void ks_io_run(struct ks_io *io)
{
	struct ks_event ev = { .kind = KS_EV_TIMER };
	char at[ENDPOINT_STRLEN];

	step(io, &ev);
	pki_io_config(io->pki);
	event_log(EV_STARTED, NULL, "ksd version=%s address=%s groups=%zu", CONCLAVE_VERSION,
		  endpoint_str(&io->self, at), io->ks.n_groups);
	event_base_dispatch(io->base);
}

static void unwatch(struct event *e)
{
	if (e)
		event_free(e);
}

void ks_io_free(struct ks_io *io)
{
	unwatch(io->on_rx);
	unwatch(io->on_timer);
	unwatch(io->on_dh);
	unwatch(io->on_kept);
	unwatch(io->on_term);
	unwatch(io->on_int);
	unwatch(io->on_hup);
	dh_pool_free(io->pool);
	auth_runner_free(io->auth);
	pki_io_free(io->pki);
	if (io->ctl)
		ctl_server_free(io->ctl);
	ks_keep_close(io->keep, &io->ks);
	if (io->ks.conf)
		ks_fini(&io->ks);
	ks_out_fini(&io->out);
	if (io->sock >= 0)
		close(io->sock);
	event_base_free(io->base);
	free(io);
}
