#include "ks/ks_io.h"

#include <event2/event.h>
#include <signal.h>
#include <string.h>

#include "common/crypto/crypto.h"
#include "common/base/jobs_io.h"
#include "common/ctl/daemon.h"
#include "common/pki/auth_io.h"
#include "ks/keep_io.h"
#include "ks/plan.h"
#include "coop/coop_conf.h"
#include "ks/rekey.h"
#include "ks/set_io.h"
#include "ks/udp_io.h"

#define DH_JOBS_MAX 8192 // waiting: some seconds of work; whoever waits longer has given up
#define DH_HERE_MAX 8	 // datagrams that may wait while a quick job is done in line

struct ks_io {
	struct event_base *base;
	struct event *on_timer, *on_dh, *on_kept, *on_term, *on_int, *on_hup;
	struct ctl_server *ctl;
	struct jobs *pool; // NULL: everything is done in line
	struct auth_runner *auth;
	struct pki_io *pki;
	struct ks_keep *keep; // NULL: no state is kept
	struct ks_udp *udp;
	struct ks_set_io *set; // NULL: no other key servers
	const char *conf_path;
	struct rng rng;
	struct ks ks;
	struct ks_out out;
	mono_t armed; // deadline that on_timer stands for
};

// ---- outputs ----

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
	ks_udp_send(io->udp, out->send, n);
	for (size_t i = 0; i < out->n_tell; i++) {
		if (!ks_keep_holds_tell(io->keep, &out->tell[i]))
			ks_set_io_tell(io->set, &out->tell[i]);
	}
	if (out->close)
		ks_set_io_close(io->set, out->close);
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

static void dh_run(void *arg)
{
	struct ks_dh *dh = arg;

	dh_job_run(dh->job);
}

static void dh_drop(void *arg)
{
	struct ks_dh *dh = arg;

	dh_job_free(dh->job);
	free(dh);
}

// A thread is worth its wake-up and ours when the work is long, or when there is much of it: then
// one wake-up serves many.
static bool dh_in_line(const struct ks_io *io, const struct ks_dh *dh)
{
	return !io->pool || (dh_is_quick(dh->job->group) && ks_udp_waiting(io->udp) <= DH_HERE_MAX);
}

static void run_dh(struct ks_io *io, const struct ks_dh *dh)
{
	struct ks_event done = { .kind = KS_EV_DH_DONE, .dh = *dh };
	struct ks_dh *copy;

	if (dh_in_line(io, dh)) {
		dh_job_run(dh->job);
	} else {
		copy = malloc(sizeof(*copy));
		BUG_ON(!copy);
		*copy = *dh;
		if (jobs_put(io->pool, copy))
			return;
		free(copy);
		dh->job->err = -EAGAIN; // refused and counted; the peer may try again
	}
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

const struct link_io *ks_io_link(const struct ks_io *io)
{
	return io->set ? ks_set_io_link(io->set) : NULL;
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

static void on_datagram(void *arg, const struct endpoint *from, const struct endpoint *to,
			struct bytes datagram)
{
	struct ks_event ev = {
		.kind = KS_EV_DATAGRAM, .datagram = datagram, .from = *from, .to = *to
	};

	step(arg, &ev);
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
	struct ks_dh *dh;

	(void)fd;
	(void)what;
	while ((dh = jobs_take(io->pool))) {
		ev.dh = *dh;
		free(dh);
		step(io, &ev);
	}
}

static void on_auth(void *arg, struct ike_auth_job *job)
{
	struct ks_event ev = { .kind = KS_EV_AUTH_DONE, .auth = job };

	step(arg, &ev);
}

static void send_one(void *arg, const struct ks_send *s)
{
	struct ks_io *io = arg;
	struct ks_send one = *s;

	one.owned = NULL; // stays the caller's
	ks_udp_send(io->udp, &one, 1);
}

static void tell_one(void *arg, const struct ks_tell *t)
{
	struct ks_io *io = arg;

	ks_set_io_tell(io->set, t);
}

static void on_set(void *arg, const struct ks_event *ev)
{
	step(arg, ev);
}

// Each group's set hears which of its writes are safe.
static void tell_durable(struct ks_io *io)
{
	struct ks_event ev = { .kind = KS_EV_DURABLE };

	while (io->keep && ks_keep_durable(io->keep, &ev.group_id, &ev.no))
		step(io, &ev);
}

static void on_kept(evutil_socket_t fd, short what, void *arg)
{
	struct ks_io *io = arg;

	(void)fd;
	(void)what;
	ks_keep_news(io->keep, &io->ks, mono_now(),
		     &(struct ks_keep_hooks){ send_one, tell_one, io });
	tell_durable(io);
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
	       a->nat_port == b->nat_port && a->workers == b->workers &&
	       strcmp(a->control, b->control) == 0 && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->state, b->state) == 0 && strcmp(a->device_key, b->device_key) == 0;
}

static bool stays_in_set(const struct ks_conf *conf, const struct ks_group_conf *g)
{
	for (size_t i = 0; i < conf->n_groups; i++) {
		if (conf->groups[i].identity == g->identity)
			return conf->groups[i].in_set == g->in_set;
	}
	return true;
}

static bool same_set(const struct ks_conf *a, const struct ks_conf *b)
{
	for (size_t i = 0; i < a->n_groups; i++) {
		if (!stays_in_set(b, &a->groups[i]))
			return false;
	}
	if (!a->coop || !b->coop)
		return a->coop == b->coop;
	return a->coop->id == b->coop->id && a->coop->link.port == b->coop->link.port &&
	       a->coop->link.hello_port == b->coop->link.hello_port;
}

// What is wrong with a file goes to the log and to whoever asked.
static void report_reload(void *arg, const char *text)
{
	daemon_report_log(NULL, text);
	ctl_text_add(arg, "%s\n", text);
}

static struct ks_conf *load_again(struct ks_io *io, struct ctl_text *t)
{
	struct ks_conf *conf = ks_conf_load(io->conf_path, report_reload, t);
	char text[256];
	bool places = conf && same_places(conf, io->ks.conf);

	if (!conf || (places && same_set(conf, io->ks.conf)))
		return conf;
	snprintf(text, sizeof(text), "%s: %s change with a restart only", io->conf_path,
		 places ? "coop: id, port, hello_port, and whether a group is in a set"
			: "ksd: address, port, nat_traversal, nat_port, control, user, state, "
			  "device_key and workers");
	report_reload(t, text);
	ks_conf_free(conf);
	return NULL;
}

static void tell_reload(const struct ks_io *io, struct ctl_text *t)
{
	for (size_t i = 0; i < io->ks.n_groups; i++) {
		const struct ks_group *g = io->ks.group[i];

		ctl_text_add(t, "group %s: %s\n", g->name,
			     ks_plan_is_staged(&io->ks, g)
				     ? "staged; \"show crypto gdoi ks policy diff\", then \"crypto "
				       "gdoi ks rekey\""
				     : "members hold what the configuration says");
	}
}

bool ks_io_reload(struct ks_io *io, struct ctl_text *t)
{
	struct ks_event ev = { .kind = KS_EV_CONFIG, .conf = load_again(io, t) };

	if (!ev.conf) {
		log_err(CONF, NULL, "%s: not loaded; the former configuration stays in force",
			io->conf_path);
		return false;
	}
	if (io->set) { // before the core says anything to those who are new
		ks_keep_forget_tells(io->keep);
		ks_set_io_conf(io->set, ev.conf);
	}
	step(io, &ev);
	event_log(EV_CONFIG_OK, NULL, "%s groups=%zu", io->conf_path, io->ks.n_groups);
	pki_io_config(io->pki);
	tell_reload(io, t);
	return true;
}

static void on_hup(evutil_socket_t sig, short what, void *arg)
{
	struct ctl_text t = { 0 };

	(void)sig;
	(void)what;
	ks_io_reload(arg, &t);
	free(t.b);
}

static struct ike_pki *pki_now(void *arg)
{
	const struct ks_io *io = arg;

	return io->ks.conf->ike.pki;
}

static void pki_take(void *arg, struct ike_pki *next)
{
	struct ks_io *io = arg;

	step(io, &(struct ks_event){ .kind = KS_EV_PKI, .pki = next });
	if (io->set)
		ks_set_io_conf(io->set, io->ks.conf);
}

// ---- life ----

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
	int err = 0;

	if (conf->workers)
		err = jobs_new(conf->workers, DH_JOBS_MAX, dh_run, dh_drop, &io->pool);

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
	io->on_timer = evtimer_new(io->base, on_timer, io);
	io->on_term = watch(io, SIGTERM, EV_SIGNAL, on_stop);
	io->on_int = watch(io, SIGINT, EV_SIGNAL, on_stop);
	io->on_hup = watch(io, SIGHUP, EV_SIGNAL, on_hup);
	if (io->pool)
		io->on_dh = watch(io, jobs_fd(io->pool), EV_READ, on_dh);
	if (io->keep)
		io->on_kept = watch(io, ks_keep_fd(io->keep), EV_READ, on_kept);
}

int ks_io_new(const char *conf_path, struct ks_conf *conf, const struct ks_options *options,
	      struct ks_io **out)
{
	struct ks_io *io = calloc(1, sizeof(*io));
	int err;

	BUG_ON(!io);
	io->conf_path = conf_path;
	io->armed = MONO_NEVER;
	io->base = event_base_new();
	BUG_ON(!io->base);
	crypto_rng_init(&io->rng);
	ks_out_init(&io->out);
	err = ks_udp_new(io->base, conf, on_datagram, io, &io->udp);
	if (!err && conf->coop)
		err = ks_set_io_new(io->base, conf, &io->rng, on_set, io, &io->set);
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
	const struct ks_conf *c = io->ks.conf;
	const struct endpoint self = { c->address, c->port };
	char at[ENDPOINT_STRLEN];

	ks_sharing_lay_by(&io->ks);
	step(io, &ev);
	tell_durable(io);
	pki_io_config(io->pki);
	event_log(EV_STARTED, NULL, "ksd version=%s address=%s groups=%zu", CONCLAVE_VERSION,
		  endpoint_str(&self, at), io->ks.n_groups);
	event_base_dispatch(io->base);
}

static void unwatch(struct event *e)
{
	if (e)
		event_free(e);
}

void ks_io_free(struct ks_io *io)
{
	unwatch(io->on_timer);
	unwatch(io->on_dh);
	unwatch(io->on_kept);
	unwatch(io->on_term);
	unwatch(io->on_int);
	unwatch(io->on_hup);
	jobs_free(io->pool);
	auth_runner_free(io->auth);
	pki_io_free(io->pki);
	if (io->ctl)
		ctl_server_free(io->ctl);
	ks_keep_close(io->keep, &io->ks);
	if (io->ks.conf)
		ks_fini(&io->ks);
	ks_out_fini(&io->out);
	ks_udp_free(io->udp);
	ks_set_io_free(io->set);
	event_base_free(io->base);
	free(io);
}
