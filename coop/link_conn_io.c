// One connection: from its first octet to its end.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "coop/link_int.h"

#define CHUNK	     16384
#define DRAINED	     (LINK_QUEUE_MAX / 4) // then room() is called
#define UNREAD_S     30			  // a peer that takes nothing for so long is stuck
#define SURE_MS	     10000		  // a stream that lived so long was a good one
#define QUIET_MS     10000		  // no acknowledgement of TCP for so long: gone
#define KEEP_IDLE_S  5
#define KEEP_EVERY_S 2

static void flush(struct conn *c)
{
	uint8_t b[CHUNK];
	size_t n;

	while ((n = tls_take(c->tls, b, sizeof(b))) > 0) {
		c->peer->stats.octets_out += n;
		bufferevent_write(c->bev, b, n);
	}
}

// ---- its end ----

// What is left to say, as far as the socket takes it: an alert tells the peer's operator why.
static void say_last(struct conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	evutil_socket_t fd = bufferevent_getfd(c->bev);

	tls_close(c->tls);
	flush(c);
	evbuffer_unfreeze(out, 1);
	if (fd >= 0)
		evbuffer_write(out, fd);
}

static void was_up(struct conn *c, const char *why, bool quiet)
{
	struct link_peer *p = c->peer;
	mono_t now = mono_now();

	p->conn = NULL;
	p->stats.downs++;
	p->keys_end = mono_add_ms(now, LINK_KEY_LIFE_MS);
	if (mono_left_ms(now, c->since) >= SURE_MS)
		p->tries = 0;
	if (quiet)
		return;
	link_say(p, false, "stream lost", why);
	c->l->hooks.down(c->l->hooks.arg, p->index, why);
}

void conn_kill(struct conn *c, const char *why, bool quiet)
{
	struct conn **at = &c->l->conns;
	enum conn_state was = c->state;

	if (was == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->next = c->l->dead;
	c->l->dead = c;
	event_active(c->l->sweep, EV_TIMEOUT, 0);
	conn_check_stop(c);
	evtimer_del(c->deadline);
	if (was != CONN_CALLING)
		say_last(c);
	bufferevent_disable(c->bev, EV_READ | EV_WRITE);
	if (c->calls)
		link_retry(c->peer);
	if (c->peer->conn == c)
		was_up(c, why, quiet);
}

void conn_free(struct conn *c)
{
	tls_free(c->tls);
	bufferevent_free(c->bev);
	event_free(c->deadline);
	explicit_bzero(&c->cut, sizeof(c->cut));
	free(c);
}

void conn_refuse(struct conn *c, uint64_t *counter, const char *what, const char *why)
{
	const struct link_stats *s = &c->peer->stats;
	bool unauth = counter == &s->unauthorised || counter == &s->revoked ||
		      (counter == &s->refused && !c->calls);

	++*counter;
	link_say(c->peer, unauth, what, why);
	conn_kill(c, why, false);
}

static void tls_broke(struct conn *c)
{
	struct link_stats *s = &c->peer->stats;

	if (c->state == CONN_SHAKING || c->state == CONN_WAITING)
		conn_refuse(c, &s->refused, "handshake refused", tls_why(c->tls));
	else
		conn_refuse(c, &s->garbage, "stream refused", tls_why(c->tls));
}

// ---- it has proved itself ----

static void deadline_in(struct conn *c, int64_t ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(c->deadline, &tv);
}

static void read_plain(struct conn *c);
static void read_all(struct conn *c);

// We believe it: its key is good for hellos, and it is told so.
void conn_believe(struct conn *c)
{
	uint8_t preface[LINK_PREFACE_LEN];
	struct secret key;
	int err = tls_export(c->tls, LINK_KEY_LABEL, LINK_KEY_LEN, &key);

	if (!err)
		err = link_keys_accept(&c->peer->keys, &key);
	secret_fini(&key);
	if (err) {
		conn_kill(c, strerror(-err), false);
		return;
	}
	link_preface(preface);
	c->state = CONN_WAITING;
	if (!tls_write(c->tls, BYTES_OF(preface))) {
		tls_broke(c);
		return;
	}
	flush(c);
	deadline_in(c, LINK_CHECK_MS); // it may have to fetch something before it believes us
	bufferevent_enable(c->bev, EV_READ);
	read_plain(c);
	read_all(c); // what came while we looked
}

static void shaken(struct conn *c)
{
	c->state = CONN_CHECKING;
	bufferevent_disable(c->bev, EV_READ); // until we know
	deadline_in(c, LINK_CHECK_MS);
	conn_check(c);
}

// ---- what it says ----

static void greeted(struct conn *c)
{
	struct link_peer *p = c->peer;
	struct conn *former = p->conn;

	if (former) {
		conn_kill(former, "it called again", false);
		if (c->state == CONN_DEAD)
			return;
	}
	evtimer_del(c->deadline);
	c->state = CONN_UP;
	c->since = mono_now();
	p->conn = c;
	p->keys_end = MONO_NEVER;
	p->stats.ups++;
	link_keys_tell(&p->keys);
	c->l->hooks.up(c->l->hooks.arg, p->index);
}

static void take(struct conn *c, struct bytes in)
{
	enum link_cut_got got;
	struct bytes frame;

	while (c->state != CONN_DEAD && (got = link_cut(&c->cut, &in, &frame)) != LINK_CUT_MORE) {
		if (got == LINK_CUT_BAD) {
			conn_refuse(c, &c->peer->stats.garbage, "stream refused", "malformed");
		} else if (got == LINK_CUT_PREFACE) {
			greeted(c);
		} else {
			c->peer->stats.frames_in++;
			c->l->hooks.frame(c->l->hooks.arg, c->peer->index, frame);
		}
	}
}

static void read_plain(struct conn *c)
{
	uint8_t b[CHUNK];
	size_t n;

	while ((c->state == CONN_WAITING || c->state == CONN_UP) &&
	       (n = tls_read(c->tls, b, sizeof(b))) > 0)
		take(c, BYTES(b, n));
	explicit_bzero(b, sizeof(b));
	if (c->state == CONN_DEAD)
		return;
	flush(c); // an answer to a key update
	if (tls_state(c->tls) == TLS_FAILED)
		tls_broke(c);
	else if (tls_state(c->tls) == TLS_CLOSED && c->state == CONN_WAITING)
		conn_refuse(c, &c->peer->stats.refused, "handshake refused", "by the peer");
	else if (tls_state(c->tls) == TLS_CLOSED)
		conn_kill(c, "ended by the peer", false);
}

static bool wants_input(const struct conn *c)
{
	return c->state == CONN_SHAKING || c->state == CONN_WAITING || c->state == CONN_UP;
}

static void take_input(struct conn *c, struct bytes in)
{
	c->peer->stats.octets_in += in.len;
	c->octets_in += in.len;
	if (c->state == CONN_SHAKING && c->octets_in > LINK_UNPROVED_MAX) {
		conn_refuse(c, &c->peer->stats.refused, "handshake refused", "too long");
		return;
	}
	if (!tls_feed(c->tls, in)) {
		tls_broke(c);
		return;
	}
	flush(c);
	if (c->state != CONN_SHAKING)
		read_plain(c);
	else if (tls_state(c->tls) == TLS_OPEN)
		shaken(c);
}

static void read_all(struct conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	uint8_t b[CHUNK];
	int n;

	while (wants_input(c) && (n = evbuffer_remove(in, b, sizeof(b))) > 0)
		take_input(c, BYTES(b, (size_t)n));
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_all(arg);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->state != CONN_UP || !c->want_room)
		return;
	c->want_room = false;
	c->l->hooks.room(c->l->hooks.arg, c->peer->index);
}

int conn_send(struct conn *c, struct bytes frame)
{
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) + frame.len > LINK_QUEUE_MAX) {
		c->want_room = true;
		c->peer->stats.full++;
		return -ENOBUFS;
	}
	if (!tls_write(c->tls, frame)) {
		conn_kill(c, tls_why(c->tls), true);
		return -ENOTCONN;
	}
	c->peer->stats.frames_out++;
	flush(c);
	return 0;
}

static void no_answer(struct link_peer *p)
{
	p->stats.call_failed++;
	p->unanswered = true;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd, (void)what;
	if (c->state == CONN_CALLING) {
		no_answer(c->peer);
		conn_kill(c, "no answer", false);
	} else {
		conn_refuse(c, &c->peer->stats.late, "handshake refused", "too slow");
	}
}

// ---- its beginning ----

static void tune(evutil_socket_t fd)
{
	static const struct {
		int level, name, value;
	} rows[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, QUIET_MS },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	for (size_t i = 0; i < N_ELEMS(rows); i++) // one that fails: detection is slower, no more
		(void)!setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value, sizeof(int));
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct conn *c = arg;
	int err = EVUTIL_SOCKET_ERROR();

	(void)bev;
	if (c->state == CONN_DEAD)
		return;
	if (what & BEV_EVENT_CONNECTED) {
		tune(bufferevent_getfd(bev));
		c->state = CONN_SHAKING;
		deadline_in(c, LINK_SHAKE_MS);
		flush(c);
		return;
	}
	if (c->state == CONN_CALLING) {
		no_answer(c->peer);
		conn_kill(c, strerror(err), false);
	} else if (what & BEV_EVENT_TIMEOUT) {
		conn_refuse(c, &c->peer->stats.stuck, "stream given up", "the peer does not read");
	} else if (c->state != CONN_UP) {
		conn_refuse(c, &c->peer->stats.refused, "handshake ended", "cut off");
	} else {
		conn_kill(c, what & BEV_EVENT_EOF ? "cut off" : strerror(err), false);
	}
}

// fd -1: to be connected. NULL: no memory; fd is closed.
static struct conn *conn_new(struct link_peer *p, evutil_socket_t fd, bool calls)
{
	struct link_io *l = p->l;
	struct conn *c = calloc(1, sizeof(*c));
	const struct timeval unread = { UNREAD_S, 0 };

	BUG_ON(!c);
	c->l = l;
	c->peer = p;
	c->calls = calls;
	c->deadline = evtimer_new(l->base, on_deadline, c);
	c->bev = bufferevent_socket_new(l->base, fd, BEV_OPT_CLOSE_ON_FREE);
	BUG_ON(!c->deadline || !c->bev);
	if (tls_new(l->creds, calls, calls ? l->text : p->text, calls ? p->text : l->text,
		    time(NULL), &c->tls)) {
		conn_free(c);
		return NULL;
	}
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, 4 * CHUNK);
	bufferevent_setwatermark(c->bev, EV_WRITE, DRAINED, 0);
	bufferevent_set_timeouts(c->bev, NULL, &unread);
	c->next = l->conns;
	l->conns = c;
	deadline_in(c, calls ? LINK_CALL_MS : LINK_SHAKE_MS);
	return c;
}

// The longest waiting of those that have proved nothing gives way: who is right is through in
// milliseconds, who only holds a place is not.
static void make_room(struct link_io *l, const struct link_peer *of, size_t max)
{
	struct conn *oldest = NULL;
	size_t n = 0;

	for (struct conn *c = l->conns; c; c = c->next) {
		if (c->state == CONN_SHAKING && !c->calls && (!of || c->peer == of)) {
			oldest = c;
			n++;
		}
	}
	if (n >= max)
		conn_refuse(oldest, &oldest->peer->stats.crowded, "handshake refused",
			    "crowded out");
}

void conn_accept(struct link_peer *p, int fd)
{
	struct conn *c;

	make_room(p->l, p, LINK_HALF_PEER);
	make_room(p->l, NULL, LINK_HALF_MAX);
	c = conn_new(p, fd, false);
	if (!c)
		return;
	tune(fd);
	c->state = CONN_SHAKING;
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

static evutil_socket_t bound_socket(const struct addr *own)
{
	const struct endpoint self = { *own, 0 };
	struct sockaddr_storage sa;
	size_t len = endpoint_to_sockaddr(&self, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, (socklen_t)len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void conn_call(struct link_peer *p)
{
	const struct endpoint to = { p->conf.addr, p->l->conf.port };
	evutil_socket_t fd = bound_socket(&p->l->conf.addr);
	struct sockaddr_storage sa;
	size_t len = endpoint_to_sockaddr(&to, &sa);
	struct conn *c = fd >= 0 ? conn_new(p, fd, true) : NULL;

	p->stats.calls++;
	p->called = mono_now();
	p->unanswered = false;
	if (!c) {
		no_answer(p);
		link_retry(p);
		return;
	}
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&sa, (int)len) < 0 &&
	    c->state != CONN_DEAD) {
		no_answer(p);
		conn_kill(c, "cannot connect", false);
	}
}
