// Fetching from servers that mean harm: each on a socket of this very event loop.
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <signal.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "common/pki/fetch_io.h"

#define MAX_CONNS 40

struct server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *tick;
	const char *head, *piece; // the answer's beginning, and what follows at every tick
	struct bufferevent *conn[MAX_CONNS];
	size_t n_conns;
	char url[64];
};

struct got {
	struct event_base *until; // its loop ends with the first answer; NULL: it does not
	unsigned n;
	int status;
	size_t len;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd, (void)what;
	for (size_t i = 0; i < s->n_conns; i++)
		evbuffer_add(bufferevent_get_output(s->conn[i]), s->piece, strlen(s->piece));
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct server *s = arg;
	struct bufferevent *b = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l, (void)sa, (void)len;
	assert_true(b && s->n_conns < MAX_CONNS);
	bufferevent_enable(b, EV_WRITE);
	evbuffer_add(bufferevent_get_output(b), s->head, strlen(s->head));
	s->conn[s->n_conns++] = b;
}

static void listen_at(struct server *s, const struct sockaddr *at, socklen_t len, const char *host)
{
	struct sockaddr_storage own = { .ss_family = 0 };
	socklen_t own_len = sizeof(own);

	s->listener = evconnlistener_new_bind(s->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE, 64, at,
					      (int)len);
	assert_non_null(s->listener);
	getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&own, &own_len);
	// The port stands at the same place in both families.
	snprintf(s->url, sizeof(s->url), "http://%s:%u/crl", host,
		 ntohs(((struct sockaddr_in *)&own)->sin_port));
}

static void server_start(struct server *s, const char *head, const char *piece, int every_ms)
{
	struct timeval every = { .tv_sec = every_ms / 1000, .tv_usec = every_ms % 1000 * 1000 };
	struct sockaddr_in at = { .sin_family = AF_INET };

	*s = (struct server){ .base = event_base_new(), .head = head, .piece = piece };
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_at(s, (struct sockaddr *)&at, sizeof(at), "127.0.0.1");
	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	event_add(s->tick, &every);
}

static void server_stop(struct server *s)
{
	for (size_t i = 0; i < s->n_conns; i++)
		bufferevent_free(s->conn[i]);
	event_free(s->tick);
	evconnlistener_free(s->listener);
	event_base_free(s->base);
}

static void on_done(void *arg, int status, struct bytes body)
{
	struct got *g = arg;

	g->n++;
	g->status = status;
	g->len = body.len;
	if (g->until)
		event_base_loopbreak(g->until);
}

static void run_for(struct server *s, int ms)
{
	const struct timeval limit = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	event_base_loopexit(s->base, &limit);
	event_base_dispatch(s->base);
}

// All places are taken by fetches from a server that never stops, and never is silent.
static void an_answer_that_trickles_has_an_end(void **state)
{
	struct server s;
	struct fetcher *f;
	struct got got = { 0 };
	const struct fetch_ask ask = { .url = s.url, .timeout_s = 1 };

	(void)state;
	server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", "x", 300);
	assert_int_equal(fetcher_new(s.base, &f), 0);
	for (unsigned i = 0; i < FETCH_MAX; i++)
		assert_int_equal(fetch_start(f, &ask, on_done, &got), 0);
	assert_int_equal(fetch_start(f, &ask, on_done, &got), -EBUSY);
	run_for(&s, FETCH_WHOLE * 1000 - 500);
	assert_int_equal(got.n, 0);
	run_for(&s, 1000);
	assert_int_equal(got.n, FETCH_MAX);
	assert_int_equal(got.status, 0);
	assert_int_equal(fetch_start(f, &ask, on_done, &got), 0); // there is room again
	fetcher_free(f);
	server_stop(&s);
}

static void expect_nothing(const char *head, const char *piece)
{
	struct server s;
	struct fetcher *f;
	struct got got = { 0 };
	const struct fetch_ask ask = { .url = s.url, .timeout_s = 1, .max = 1000 };

	server_start(&s, head, piece, 1);
	got.until = s.base;
	assert_int_equal(fetcher_new(s.base, &f), 0);
	assert_int_equal(fetch_start(f, &ask, on_done, &got), 0);
	run_for(&s, 5000); // less: it ends with the first answer
	if (got.n != 1)
		fail_msg("%u answers to \"%s\"", got.n, head);
	assert_int_equal(got.len, 0);
	fetcher_free(f);
	server_stop(&s);
}

static void an_answer_that_is_too_long_is_none(void **state)
{
	(void)state;
	expect_nothing("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", "xxxxxxxx");
	expect_nothing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		       "8\r\nxxxxxxxx\r\n");
	expect_nothing("HTTP/1.1 200 OK\r\n\r\n", "xxxxxxxx"); // to the connection's end
	expect_nothing("HTTP/1.1 200 OK\r\n", "X-Header: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
	expect_nothing("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
		       "Content-Length: 0\r\n\r\n",
		       "");
}

static void a_good_answer_is_handed_over_once(void **state)
{
	struct server s;
	struct fetcher *f;
	struct got got = { 0 };
	const struct fetch_ask ask = { .url = s.url, .timeout_s = 1 };

	(void)state;
	server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "", 1000);
	assert_int_equal(fetcher_new(s.base, &f), 0);
	assert_int_equal(fetch_start(f, &ask, on_done, &got), 0);
	run_for(&s, 300);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.status, 200);
	assert_int_equal(got.len, 3);
	fetcher_free(f);
	server_stop(&s);
}

static void a_server_may_have_an_ipv6_address(void **state)
{
	const struct sockaddr_in6 at = { .sin6_family = AF_INET6,
					 .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct server s;
	struct fetcher *f;
	struct got got = { 0 };
	const struct fetch_ask ask = { .url = s.url, .timeout_s = 1 };

	(void)state;
	server_start(&s, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "", 1000);
	evconnlistener_free(s.listener);
	listen_at(&s, (const struct sockaddr *)&at, sizeof(at), "[::1]");
	assert_int_equal(fetcher_new(s.base, &f), 0);
	assert_int_equal(fetch_start(f, &ask, on_done, &got), 0);
	run_for(&s, 300);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.status, 200);
	fetcher_free(f);
	server_stop(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_trickles_has_an_end),
		cmocka_unit_test(an_answer_that_is_too_long_is_none),
		cmocka_unit_test(a_good_answer_is_handed_over_once),
		cmocka_unit_test(a_server_may_have_an_ipv6_address),
	};

	signal(SIGPIPE, SIG_IGN); // as in the daemons
	return cmocka_run_group_tests(tests, NULL, NULL);
}
