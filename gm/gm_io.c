#include "gm/gm_io.h"

#include <signal.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/ctl/daemon.h"
#include "gm/io_int.h"

#define READ_AT_ONCE 32
#define DH_JOBS_MAX  (4 * GM_MAX_GROUPS)
#define RCVBUF	     (1 << 20)

// ---- performing ----

static void write_logs(const struct gm_out *o)
{
	for (size_t i = 0; i < o->n_logs; i++) {
		const struct gm_log *l = &o->log[i];
		const struct logctx *who = l->who.who[0] ? &l->who : NULL;

		if (l->event == EV_COUNT)
			log_line(l->module, l->level, who, "%s", l->text);
		else
			event_log(l->event, who, "%s", l->text);
	}
}

static const struct gm_port *port_of(const struct gm_io *io, const struct endpoint *from)
{
	for (size_t i = 0; i < io->n_ports; i++) {
		if (endpoint_eq(&io->port[i].self, from))
			return &io->port[i];
	}
	return &io->port[0];
}

static void send_one(const struct gm_io *io, const struct gm_send *s)
{
	static uint8_t marker[NATT_MARKER_LEN];
	const struct gm_port *p = port_of(io, &s->from);
	bool marked = p->marked && !s->keepalive;
	struct iovec v[] = { { marker, sizeof(marker) }, { s->data, s->len } };
	struct sockaddr_storage ss;
	struct msghdr m = { .msg_name = &ss,
			    .msg_namelen = (socklen_t)endpoint_to_sockaddr(&s->to, &ss),
			    .msg_iov = marked ? &v[0] : &v[1],
			    .msg_iovlen = marked ? 2 : 1 };
	char to[ENDPOINT_STRLEN];

	if (sendmsg(p->fd, &m, 0) < 0)
		log_debug(MAIN, NULL, "send to=%s: %s", endpoint_str(&s->to, to), strerror(errno));
}

static void arm_timer(struct gm_io *io, mono_t deadline)
{
	int64_t ms = mono_left_ms(deadline, mono_now());
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (mono_is_never(deadline))
		event_del(io->timer);
	else
		event_add(io->timer, &tv);
}

// Out of the outputs first: a runner without threads comes back at once.
static void auth_take(struct gm_io *io, struct gm_out *o)
{
	for (size_t i = 0; i < o->n_auth; i++)
		auth_runner_put(io->auth, o->auth[i]);
	o->n_auth = 0;
}

static void dh_run(void *job)
{
	dh_job_run(job);
}

static void dh_drop(void *job)
{
	dh_job_free(job);
}

// One that is refused comes back at once as a failure: the registration goes on to the next server
// and, by its schedule, round again. A group that starts over while its job runs has two here.
static void dh_take(struct gm_io *io, struct gm_out *o)
{
	size_t n = o->n_dh;

	o->n_dh = 0;
	for (size_t i = 0; i < n; i++) {
		if (jobs_put(io->dh, o->dh[i]))
			continue;
		o->dh[i]->err = -EAGAIN;
		gm_io_event(io, &(struct gm_event){ .kind = GM_EV_DH_DONE, .dh = o->dh[i] });
	}
}

void gm_io_event(struct gm_io *io, const struct gm_event *ev)
{
	struct gm_out o;

	gm_out_init(&o);
	gm_step(io->gm, mono_now(), ev, &o);
	write_logs(&o);
	for (size_t i = 0; i < o.n_sends; i++)
		send_one(io, &o.send[i]);
	dh_take(io, &o);
	auth_take(io, &o);
	arm_timer(io, o.deadline);
	mcast_sync(io->mcast);
	if (o.program)
		espd_link_program(io->espd, o.program);
	gm_out_clear(&o);
}

// ---- events ----

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static const struct gm_event ev = { .kind = GM_EV_TIMER };

	(void)fd;
	(void)what;
	gm_io_event(arg, &ev);
}

static void on_dh_done(evutil_socket_t fd, short what, void *arg)
{
	struct gm_io *io = arg;
	struct gm_event ev = { .kind = GM_EV_DH_DONE };

	(void)fd;
	(void)what;
	while ((ev.dh = jobs_take(io->dh)))
		gm_io_event(io, &ev);
}

static void on_auth_done(void *arg, struct ike_auth_job *job)
{
	const struct gm_event ev = { .kind = GM_EV_AUTH_DONE, .auth = job };

	gm_io_event(arg, &ev);
}

void gm_io_on_datagram(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t buf[GM_DATAGRAM_MAX];
	const struct gm_port *p = arg;
	struct gm_event ev = { .kind = GM_EV_DATAGRAM, .to = p->self };

	(void)what;
	for (int i = 0; i < READ_AT_ONCE; i++) {
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss, &len);

		if (n < 0)
			return;
		if (endpoint_from_sockaddr(&ss, &ev.from) < 0)
			continue;
		ev.datagram = BYTES(buf, n);
		gm_io_event(p->io, &ev);
	}
}

static void on_end(evutil_socket_t sig, short what, void *arg)
{
	struct gm_io *io = arg;

	(void)what;
	event_log(EV_STOPPED, NULL, "signal=%d", (int)sig);
	event_base_loopbreak(io->base);
}

// Addresses, ports and sockets are opened once: a change of these needs a restart.
static bool reload_possible(const struct gm_conf *now, const struct gm_conf *next)
{
	return addr_eq(&now->address, &next->address) && now->port == next->port &&
	       now->nat_port == next->nat_port && strcmp(now->control, next->control) == 0 &&
	       strcmp(now->espd, next->espd) == 0;
}

static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	struct gm_io *io = arg;
	struct gm_conf *conf = gm_conf_load(io->opt.conf_path, daemon_report_log, NULL);
	const struct gm_event ev = { .kind = GM_EV_CONFIG, .conf = conf };

	(void)sig;
	(void)what;
	if (!conf) {
		log_err(CONF, NULL, "configuration stays as it is");
	} else if (!reload_possible(io->gm->conf, conf)) {
		log_err(CONF, NULL,
			"address, port, nat_traversal, nat_port, control and espd change with a "
			"restart only; "
			"configuration stays as it is");
		gm_conf_free(conf);
	} else {
		event_log(EV_CONFIG_OK, NULL, "groups=%zu", conf->n_groups);
		gm_io_event(io, &ev);
		pki_io_config(io->pki);
	}
}

static struct ike_pki *pki_now(void *arg)
{
	const struct gm_io *io = arg;

	return io->gm->conf->ike.pki;
}

static void pki_take(void *arg, struct ike_pki *next)
{
	gm_io_event(arg, &(struct gm_event){ .kind = GM_EV_PKI, .pki = next });
}

// ---- start and end ----

// The address may be one that a TAP of espd will carry later.
static int open_socket(const struct endpoint *own)
{
	struct sockaddr_storage ss;
	size_t len = endpoint_to_sockaddr(own, &ss);
	int one = 1, size = RCVBUF, err;
	bool v4 = own->addr.family == 4;
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &one,
		       sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&ss, (socklen_t)len) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); // best effort
	return fd;
}

static int open_port(struct gm_io *io, const struct gm_conf *c, uint16_t number, bool marked)
{
	struct gm_port *p = &io->port[io->n_ports];
	char at[ENDPOINT_STRLEN];

	*p = (struct gm_port){ .io = io, .self = { c->address, number }, .marked = marked };
	p->fd = open_socket(&p->self);
	if (p->fd < 0) {
		log_err(MAIN, NULL, "UDP %s: %s", endpoint_str(&p->self, at), strerror(-p->fd));
		return p->fd;
	}
	io->n_ports++;
	p->on = event_new(io->base, p->fd, EV_READ | EV_PERSIST, gm_io_on_datagram, p);
	return p->on && event_add(p->on, NULL) == 0 ? 0 : -ENOMEM;
}

static int add(struct event **e, struct gm_io *io, evutil_socket_t fd, short what,
	       event_callback_fn run)
{
	*e = event_new(io->base, fd, what, run, io);
	if (!*e || (what != 0 && event_add(*e, NULL) < 0))
		return -ENOMEM;
	return 0;
}

static int add_events(struct gm_io *io)
{
	int err = add(&io->timer, io, -1, 0, on_timer);

	err = err ? err : add(&io->term, io, SIGTERM, EV_SIGNAL | EV_PERSIST, on_end);
	err = err ? err : add(&io->intr, io, SIGINT, EV_SIGNAL | EV_PERSIST, on_end);
	err = err ? err : add(&io->hup, io, SIGHUP, EV_SIGNAL | EV_PERSIST, on_reload);
	err = err ? err : jobs_new(1, DH_JOBS_MAX, dh_run, dh_drop, &io->dh);
	err = err ? err : add(&io->dh_ready, io, jobs_fd(io->dh), EV_READ | EV_PERSIST, on_dh_done);
	err = err ? err : auth_runner_new(io->base, 1, on_auth_done, io, &io->auth);
	err = err ? err
		  : pki_io_new(io->base, &io->rng, &(struct enrol_hooks){ pki_now, pki_take, io },
			       &io->pki);
	return err;
}

static int failed(const char *what, int err)
{
	log_err(MAIN, NULL, "%s: %s", what, strerror(-err));
	return err;
}

static int open_all(struct gm_io *io, const struct gm_conf *c)
{
	int err = open_port(io, c, c->port, false);

	if (!err && c->nat_port)
		err = open_port(io, c, c->nat_port, true);
	if (err)
		return err;
	err = add_events(io);
	if (err)
		return failed("events", err);
	err = mcast_new(io, &io->mcast);
	if (err)
		return failed("group addresses", err);
	err = espd_link_new(io, c->espd, &io->espd);
	if (err)
		return failed("espd", err);
	err = ctl_server_new(io->base, c->control, gm_ctl_cmds, io, &io->ctl);
	if (err)
		return failed(c->control, err);
	return 0;
}

int gm_io_new(const struct gm_io_options *o, struct gm_conf *conf, struct gm_io **out)
{
	struct gm_io *io = calloc(1, sizeof(*io));
	int err = -ENOMEM;

	if (!io) {
		gm_conf_free(conf);
		return err;
	}
	io->opt = *o;
	crypto_rng_init(&io->rng);
	io->base = event_base_new();
	io->gm = gm_new(&io->rng);
	if (io->base && io->gm)
		err = open_all(io, conf);
	if (err) {
		gm_conf_free(conf);
		gm_io_free(io);
		return err;
	}
#if CONCLAVE_KEYLOG
	io->gm->keylog = o->keylog;
#endif
	event_log(EV_CONFIG_OK, NULL, "groups=%zu", conf->n_groups);
	gm_io_event(io, &(struct gm_event){ .kind = GM_EV_CONFIG, .conf = conf });
	pki_io_config(io->pki);
	*out = io;
	return 0;
}

void gm_io_run(struct gm_io *io)
{
	event_log(EV_STARTED, NULL, "version=%s", CONCLAVE_VERSION);
	event_base_dispatch(io->base);
}

static void event_end(struct event *e)
{
	if (e)
		event_free(e);
}

void gm_io_free(struct gm_io *io)
{
	pki_io_free(io->pki);
	ctl_server_free(io->ctl);
	espd_link_free(io->espd);
	mcast_free(io->mcast);
	jobs_free(io->dh);
	auth_runner_free(io->auth);
	for (size_t i = 0; i < io->n_ports; i++) {
		event_end(io->port[i].on);
		close(io->port[i].fd);
	}
	event_end(io->timer);
	event_end(io->term);
	event_end(io->intr);
	event_end(io->hup);
	event_end(io->dh_ready);
	gm_free(io->gm);
	if (io->base)
		event_base_free(io->base);
	free(io);
}
