#include "gm/io_int.h"

#define RETRY_MS     100
#define MAX_WAITERS  16
#define STATS_MAX    8192 // of one kind; espd has fewer
#define READ_AT_ONCE 256

struct waiter {
	espd_stats_done *done;
	void *arg;
};

struct espd_link {
	struct gm_io *io;
	char path[GM_PATH_LEN];
	struct dp_client c;
	struct event *rd, *wr, *retry;
	bool up;
	// Questions are asked one at a time; those that come meanwhile get the same answer.
	size_t n_waiters;
	struct waiter waiter[MAX_WAITERS];
	struct gm_dp_stats stats;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);

static void stats_answer(struct espd_link *l, const struct gm_dp_stats *s)
{
	size_t n = l->n_waiters;
	struct waiter w[MAX_WAITERS];

	memcpy(w, l->waiter, sizeof(w));
	l->n_waiters = 0;
	for (size_t i = 0; i < n; i++)
		w[i].done(w[i].arg, s);
	gm_dp_stats_fini(&l->stats);
}

static void retry_later(struct espd_link *l)
{
	const struct timeval tv = { RETRY_MS / 1000, RETRY_MS % 1000 * 1000 };

	event_add(l->retry, &tv);
}

static void lost(struct espd_link *l, int err)
{
	static const struct gm_event ev = { .kind = GM_EV_DP_DOWN };
	bool was_up = l->up;

	log_info(DP, NULL, "connection to espd ended: %s", strerror(-err));
	if (l->rd)
		event_free(l->rd);
	if (l->wr)
		event_free(l->wr);
	l->rd = l->wr = NULL;
	dp_client_close(&l->c);
	l->up = false;
	stats_answer(l, NULL);
	retry_later(l);
	if (was_up)
		gm_io_event(l->io, &ev);
}

static void flush(struct espd_link *l)
{
	int err = dp_client_flush(&l->c);

	if (err)
		lost(l, err);
	else if (dp_client_wants_write(&l->c))
		event_add(l->wr, NULL);
}

static bool watch(struct espd_link *l)
{
	l->rd = event_new(l->io->base, l->c.fd, EV_READ | EV_PERSIST, on_readable, l);
	l->wr = event_new(l->io->base, l->c.fd, EV_WRITE, on_writable, l);
	return l->rd && l->wr && event_add(l->rd, NULL) == 0 && dp_client_hello(&l->c) == 0;
}

static void try_connect(struct espd_link *l)
{
	int err = dp_client_connect(&l->c, l->path);

	if (err) {
		log_debug(DP, NULL, "espd=%s not there: %s", l->path, strerror(-err));
		retry_later(l);
		return;
	}
	if (!watch(l)) {
		lost(l, -ENOMEM);
		return;
	}
	flush(l);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	try_connect(arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

// ---- what espd says ----

static void counter_add(struct gm_dp_stats *s, const struct dp_counter *c)
{
	struct dp_counter *p;

	if (s->n_counters == STATS_MAX)
		return;
	p = reallocarray(s->counter, s->n_counters + 1, sizeof(*p));
	BUG_ON(!p);
	s->counter = p;
	p[s->n_counters] = *c;
	p[s->n_counters++].name[DP_NAME_LEN - 1] = '\0';
}

static void sa_add(struct gm_dp_stats *s, const struct dp_sa_stats *sa)
{
	struct dp_sa_stats *p;

	if (s->n_sas == STATS_MAX)
		return;
	p = reallocarray(s->sa, s->n_sas + 1, sizeof(*p));
	BUG_ON(!p);
	s->sa = p;
	p[s->n_sas] = *sa;
	p[s->n_sas++].group[DP_NAME_LEN - 1] = '\0';
}

static void hello(struct espd_link *l, struct dp_hello_ack *h)
{
	struct gm_event ev = { .kind = GM_EV_DP_UP, .hello = h };

	h->backend[DP_NAME_LEN - 1] = '\0';
	if (h->version != DP_API_VERSION || h->boot_id == 0) {
		log_err(DP, NULL, "espd speaks version %u of the door, we speak %d", h->version,
			DP_API_VERSION);
		lost(l, -EPROTO);
		return;
	}
	l->up = true;
	gm_io_event(l->io, &ev);
}

static void result(struct espd_link *l, struct dp_result *r)
{
	struct gm_event ev = { .kind = GM_EV_DP_RESULT, .result = r };

	r->text[sizeof(r->text) - 1] = '\0';
	if (r->of == DP_SA_STATS_GET)
		stats_answer(l, &l->stats);
	else if (r->of != DP_COUNTERS_GET)
		gm_io_event(l->io, &ev);
}

static void message(struct espd_link *l, struct dp_msg *m)
{
	struct gm_event ev = { .kind = GM_EV_DP_NOTE, .note = &m->u.note };

	switch (m->type) {
	case DP_HELLO_ACK:
		hello(l, &m->u.hello_ack);
		break;
	case DP_RESULT:
		result(l, &m->u.result);
		break;
	case DP_COUNTER:
		counter_add(&l->stats, &m->u.counter);
		break;
	case DP_SA_STATS:
		sa_add(&l->stats, &m->u.sa_stats);
		break;
	case DP_NOTE:
		m->u.note.group[DP_NAME_LEN - 1] = '\0';
		gm_io_event(l->io, &ev);
		break;
	default:
		log_warn(DP, NULL, "message of unknown type %u from espd", m->type);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct espd_link *l = arg;
	struct dp_msg m;
	int n = 1;

	(void)fd;
	(void)what;
	for (int i = 0; i < READ_AT_ONCE && l->c.fd >= 0; i++) {
		n = dp_client_recv(&l->c, &m);
		if (n <= 0)
			break;
		message(l, &m);
	}
	if (n < 0 && l->c.fd >= 0)
		lost(l, n);
}

// ---- what we say ----

static int queue_program(struct dp_client *c, const struct gm_program *p)
{
	int err = dp_client_begin(c, p->generation);
	size_t sa = 0, rule = 0;

	for (size_t i = 0; !err && i < p->n_exempts; i++)
		err = dp_client_exempt(c, &p->exempt[i]);
	for (size_t g = 0; !err && g < p->n_parts; g++) {
		const struct gm_part *part = &p->part[g];

		err = dp_client_group(c, &part->head);
		for (size_t i = 0; !err && i < part->n_sas; i++)
			err = dp_client_sa(c, &p->sa[sa++]);
		for (size_t i = 0; !err && i < part->n_rules; i++)
			err = dp_client_rule(c, &p->rule[rule++]);
	}
	return err ? err : dp_client_commit(c, p->generation);
}

void espd_link_program(struct espd_link *l, const struct gm_program *p)
{
	int err;

	if (!l->up)
		return;
	err = queue_program(&l->c, p);
	if (err)
		lost(l, err);
	else
		flush(l);
}

void espd_link_stats(struct espd_link *l, espd_stats_done *done, void *arg)
{
	int err;

	if (!l->up || l->n_waiters == MAX_WAITERS) {
		done(arg, NULL);
		return;
	}
	l->waiter[l->n_waiters++] = (struct waiter){ done, arg };
	if (l->n_waiters > 1)
		return;
	err = dp_client_counters_get(&l->c);
	if (!err)
		err = dp_client_sa_stats_get(&l->c);
	if (err)
		lost(l, err);
	else
		flush(l);
}

int espd_link_new(struct gm_io *io, const char *path, struct espd_link **out)
{
	struct espd_link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->io = io;
	snprintf(l->path, sizeof(l->path), "%s", path);
	dp_client_init(&l->c);
	l->retry = event_new(io->base, -1, 0, on_retry, l);
	if (!l->retry) {
		free(l);
		return -ENOMEM;
	}
	event_active(l->retry, EV_TIMEOUT, 0); // the first try once the loop runs
	*out = l;
	return 0;
}

void espd_link_free(struct espd_link *l)
{
	if (!l)
		return;
	if (l->rd)
		event_free(l->rd);
	if (l->wr)
		event_free(l->wr);
	event_free(l->retry);
	dp_client_close(&l->c);
	stats_answer(l, NULL);
	free(l);
}
