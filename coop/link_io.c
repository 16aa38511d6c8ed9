#include "coop/link_io.h"

#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/events.h"
#include "common/pki/fetch_io.h"
#include "coop/link_int.h"

#define BACKLOG 16

// ---- peers ----

static void say_stranger(struct link_io *l, const struct addr *a)
{
	char text[ADDR_STRLEN];
	uint64_t held;

	l->strangers++;
	if (log_limit_pass(&l->say, mono_now(), &held))
		event_log(EV_COOP_KS_UNAUTH, NULL, "no peer from=%s total=%llu held-back=%llu",
			  addr_str(a, text), (unsigned long long)l->strangers,
			  (unsigned long long)held);
}

struct link_peer *link_peer_of(struct link_io *l, const struct addr *a)
{
	for (size_t i = 0; i < l->conf.n_peers; i++) {
		if (addr_eq(&l->peer[i]->conf.addr, a))
			return l->peer[i];
	}
	say_stranger(l, a);
	return NULL;
}

void link_say(struct link_peer *p, bool unauth, const char *what, const char *why)
{
	struct logctx who;
	uint64_t held;

	if (!log_limit_pass(&p->say, mono_now(), &held))
		return;
	logctx_set(&who, "peer=%s", p->text);
	if (unauth)
		event_log(EV_COOP_KS_UNAUTH, &who, "%s: %s held-back=%llu", what, why,
			  (unsigned long long)held);
	else
		log_warn(COOP, &who, "%s: %s held-back=%llu", what, why, (unsigned long long)held);
}

void link_retry(struct link_peer *p)
{
	int64_t ms;
	struct timeval tv;

	if (!p->calls)
		return;
	ms = link_backoff_ms(p->tries, p->l->rng);
	p->tries++;
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	evtimer_add(p->retry, &tv);
}

void link_heard(struct link_peer *p)
{
	if (!p->unanswered || mono_before(mono_now(), mono_add_ms(p->called, LINK_AGAIN_MS)))
		return;
	p->unanswered = false;
	evtimer_add(p->retry, &(struct timeval){ 0 });
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	conn_call(arg);
}

static struct link_peer *peer_new(struct link_io *l, const struct link_peer_conf *conf)
{
	struct link_peer *p = calloc(1, sizeof(*p));

	BUG_ON(!p);
	p->l = l;
	p->conf = *conf;
	addr_str(&p->conf.addr, p->text);
	p->calls = link_calls(&l->conf.addr, &p->conf.addr);
	p->keys_end = MONO_NEVER;
	link_keys_init(&p->keys, p->calls);
	p->retry = evtimer_new(l->base, on_retry, p);
	BUG_ON(!p->retry);
	if (p->calls)
		evtimer_add(p->retry, &(struct timeval){ 0 });
	return p;
}

static void peer_free(struct link_peer *p)
{
	struct conn *next;

	for (struct conn *c = p->l->conns; c; c = next) {
		next = c->next;
		if (c->peer == p)
			conn_kill(c, "no peer any more", true);
	}
	event_free(p->retry);
	link_keys_fini(&p->keys);
	free(p);
}

static struct link_peer *peer_take(struct link_peer **from, size_t n, const struct addr *a)
{
	struct link_peer *p;

	for (size_t i = 0; i < n; i++) {
		if (from[i] && addr_eq(&from[i]->conf.addr, a)) {
			p = from[i];
			from[i] = NULL;
			return p;
		}
	}
	return NULL;
}

void link_io_peers(struct link_io *l, const struct link_peer_conf *peer, size_t n)
{
	struct link_peer *former[LINK_PEERS];
	size_t n_former = l->conf.n_peers;

	BUG_ON(n > LINK_PEERS);
	memcpy(former, l->peer, sizeof(former));
	memset(l->peer, 0, sizeof(l->peer));
	for (size_t i = 0; i < n; i++) {
		l->peer[i] = peer_take(former, n_former, &peer[i].addr);
		if (!l->peer[i])
			l->peer[i] = peer_new(l, &peer[i]);
		l->peer[i]->index = i;
		l->peer[i]->conf = peer[i];
		l->conf.peer[i] = peer[i];
	}
	l->conf.n_peers = n;
	for (size_t i = 0; i < n_former; i++) {
		if (former[i])
			peer_free(former[i]);
	}
	link_io_recheck(l);
}

// ---- what comes ----

static void on_accept(struct evconnlistener *el, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct link_io *l = arg;
	struct sockaddr_storage from = { 0 };
	struct endpoint e;
	struct link_peer *p;

	(void)el;
	memcpy(&from, sa, MIN_OF((size_t)len, sizeof(from)));
	p = endpoint_from_sockaddr(&from, &e) ? NULL : link_peer_of(l, &e.addr);
	if (p && !p->calls) {
		conn_accept(p, fd);
		return;
	}
	if (p) {
		p->stats.refused++;
		link_say(p, true, "call refused", "it is us who call");
	}
	close(fd);
}

// Out of descriptors, most likely: accepting again at once would only spin.
static void on_accept_error(struct evconnlistener *el, void *arg)
{
	struct link_io *l = arg;
	int err = EVUTIL_SOCKET_ERROR();
	uint64_t held;

	if (log_limit_pass(&l->say, mono_now(), &held))
		log_err(COOP, NULL, "cannot accept: %s", strerror(err));
	evconnlistener_disable(el);
	evtimer_add(l->on_resume, &(struct timeval){ 1 });
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct link_io *l = arg;

	(void)fd, (void)what;
	evconnlistener_enable(l->listener);
}

static void on_recheck(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	link_io_recheck(arg);
}

void link_io_recheck(struct link_io *l)
{
	for (size_t i = 0; i < l->conf.n_peers; i++) {
		struct link_peer *p = l->peer[i];

		if (p->conn)
			conn_check(p->conn);
		if (mono_due(p->keys_end, mono_now()))
			link_keys_fini(&p->keys);
	}
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct link_io *l = arg;
	struct conn *c;

	(void)fd, (void)what;
	while ((c = l->dead)) {
		l->dead = c->next;
		conn_free(c);
	}
}

// ---- life ----

static int listen_open(struct link_io *l)
{
	const struct endpoint self = { l->conf.addr, l->conf.port };
	struct sockaddr_storage sa;
	size_t len = endpoint_to_sockaddr(&self, &sa);
	char text[ENDPOINT_STRLEN];

	l->listener = evconnlistener_new_bind(l->base, on_accept, l,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
						      LEV_OPT_REUSEABLE,
					      BACKLOG, (struct sockaddr *)&sa, (int)len);
	if (!l->listener) {
		int err = errno;

		log_err(COOP, NULL, "cannot listen on tcp %s: %s", endpoint_str(&self, text),
			strerror(err));
		return -err;
	}
	evconnlistener_set_error_cb(l->listener, on_accept_error);
	return 0;
}

static int timers_open(struct link_io *l)
{
	const struct timeval tv = { LINK_RECHECK_MS / 1000, 0 };

	l->sweep = evtimer_new(l->base, on_sweep, l);
	l->on_resume = evtimer_new(l->base, on_resume, l);
	l->on_recheck = event_new(l->base, -1, EV_PERSIST, on_recheck, l);
	if (!l->sweep || !l->on_resume || !l->on_recheck || event_add(l->on_recheck, &tv) < 0)
		return -ENOMEM;
	return fetcher_new(l->base, &l->fetcher);
}

int link_io_new(struct event_base *base, const struct link_conf *conf, struct tls_creds *creds,
		struct rng *rng, const struct link_hooks *hooks, struct link_io **out)
{
	struct link_io *l = calloc(1, sizeof(*l));
	int err;

	*out = NULL;
	if (!l)
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN); // a peer may go away while it is being written to
	l->base = base;
	l->conf = *conf;
	l->conf.n_peers = 0; // link_io_peers brings them
	l->creds = tls_creds_get(creds);
	l->rng = rng;
	l->hooks = *hooks;
	l->udp = -1;
	addr_str(&conf->addr, l->text);
	while (l->boot == 0)
		l->boot = rng_u64(rng);
	err = timers_open(l);
	if (!err)
		err = listen_open(l);
	if (!err)
		err = link_udp_open(l);
	if (err) {
		link_io_free(l);
		return err;
	}
	link_io_peers(l, conf->peer, conf->n_peers);
	*out = l;
	return 0;
}

static void unwatch(struct event *e)
{
	if (e)
		event_free(e);
}

void link_io_free(struct link_io *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->conf.n_peers; i++)
		peer_free(l->peer[i]);
	if (l->sweep)
		on_sweep(-1, 0, l);
	link_udp_close(l);
	if (l->listener)
		evconnlistener_free(l->listener);
	fetcher_free(l->fetcher);
	lookups_free(l);
	unwatch(l->on_resume);
	unwatch(l->on_recheck);
	unwatch(l->sweep);
	tls_creds_put(l->creds);
	free(l);
}

// ---- for the core ----

int link_io_send(struct link_io *l, size_t peer, struct bytes frame)
{
	BUG_ON(peer >= l->conf.n_peers);
	return l->peer[peer]->conn ? conn_send(l->peer[peer]->conn, frame) : -ENOTCONN;
}

void link_io_close(struct link_io *l, size_t peer)
{
	BUG_ON(peer >= l->conf.n_peers);
	if (l->peer[peer]->conn)
		conn_kill(l->peer[peer]->conn, "closed", true);
}

void link_io_creds(struct link_io *l, struct tls_creds *creds)
{
	tls_creds_get(creds);
	tls_creds_put(l->creds);
	l->creds = creds;
}

bool link_io_is_up(const struct link_io *l, size_t peer)
{
	return peer < l->conf.n_peers && l->peer[peer]->conn;
}

const struct link_stats *link_io_stats(const struct link_io *l, size_t peer)
{
	BUG_ON(peer >= l->conf.n_peers);
	return &l->peer[peer]->stats;
}

uint64_t link_io_strangers(const struct link_io *l)
{
	return l->strangers;
}
