// Key servers on loopback: three in one process with rogues of every kind around them, and two in
// processes of their own, one of which dies.
#include "tests/unit/common/crypto/make_pki.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coop/link_int.h"

#define N	3
#define WAIT_MS 8000

struct node {
	struct addr addr;
	struct link_io *l;
	struct link_conf conf;
	size_t ups[LINK_PEERS], downs[LINK_PEERS], frames[LINK_PEERS], hellos[LINK_PEERS], rooms;
	size_t octets;
	char why[64];
};

struct world {
	struct event_base *base;
	struct rng rng;
	struct tls_creds *creds;
	struct node n[N];
};

static struct world w;

// Addresses of our own on loopback, so that tests may run side by side.
static struct addr address(unsigned i)
{
	static int pid; // of the first process

	if (pid == 0)
		pid = getpid();
	return addr_from_v4(0x7f000000u | 77u << 16 | (uint32_t)(pid & 0x1f) << 11 |
			    (uint32_t)(pid >> 5 & 0xff) << 3 | (i + 1));
}

static uint16_t port(void)
{
	static uint16_t p;

	if (p == 0)
		p = (uint16_t)(20000 + getpid() % 12000);
	return p;
}

// ---- hooks ----

static void on_up(void *arg, size_t peer)
{
	((struct node *)arg)->ups[peer]++;
}

static void on_down(void *arg, size_t peer, const char *why)
{
	struct node *n = arg;

	n->downs[peer]++;
	snprintf(n->why, sizeof(n->why), "%s", why);
}

static void on_frame(void *arg, size_t peer, struct bytes frame)
{
	struct node *n = arg;

	n->frames[peer]++;
	n->octets += frame.len;
}

static void on_hello(void *arg, size_t peer, struct bytes frame)
{
	assert_memory_equal(frame.p, "hello", frame.len);
	((struct node *)arg)->hellos[peer]++;
}

static void on_room(void *arg, size_t peer)
{
	(void)peer;
	((struct node *)arg)->rooms++;
}

static struct link_hooks hooks_of(struct node *n)
{
	return (struct link_hooks){ n, on_up, on_down, on_frame, on_hello, on_room };
}

// ---- the world ----

static struct tls_creds *key_creds(const char *text)
{
	struct secret key;
	struct tls_creds *c;

	assert_int_equal(secret_set(&key, text, strlen(text)), 0);
	assert_int_equal(tls_creds_key(&key, &c), 0);
	return c;
}

// Peers of node i are the others, in order: index of j is j less one if j is behind i.
static size_t peer_index(size_t i, size_t j)
{
	return j > i ? j - 1 : j;
}

static void node_conf(struct node *n, size_t i, size_t of)
{
	n->addr = address((unsigned)i);
	n->conf = (struct link_conf){ .addr = n->addr, .port = port(), .hello_port = port() };
	for (size_t j = 0; j < of; j++) {
		if (j != i)
			n->conf.peer[n->conf.n_peers++].addr = address((unsigned)j);
	}
}

static void node_start(struct node *n, struct tls_creds *creds)
{
	struct link_hooks hooks = hooks_of(n);

	assert_int_equal(link_io_new(w.base, &n->conf, creds, &w.rng, &hooks, &n->l), 0);
}

static void pass(int ms)
{
	const struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_loopexit(w.base, &tv);
	event_base_dispatch(w.base);
}

#define WAIT_FOR(condition)                                                                        \
	do {                                                                                       \
		for (int ms = 0; !(condition) && ms < WAIT_MS; ms += 10)                           \
			pass(10);                                                                  \
		assert_true(condition);                                                            \
	} while (0)

static void world_make(size_t n)
{
	memset(&w, 0, sizeof(w));
	w.base = event_base_new();
	crypto_rng_init(&w.rng);
	w.creds = key_creds("0123456789abcdef0123456789abcdef");
	for (size_t i = 0; i < n; i++)
		node_conf(&w.n[i], i, N);
}

static void world_end(void)
{
	for (size_t i = 0; i < N; i++)
		link_io_free(w.n[i].l);
	tls_creds_put(w.creds);
	event_base_free(w.base);
}

static const struct link_stats *stats(size_t i, size_t j)
{
	return link_io_stats(w.n[i].l, peer_index(i, j));
}

static bool up(size_t i, size_t j)
{
	return link_io_is_up(w.n[i].l, peer_index(i, j)) &&
	       link_io_is_up(w.n[j].l, peer_index(j, i));
}

static void two_up(void)
{
	world_make(2);
	node_start(&w.n[0], w.creds);
	node_start(&w.n[1], w.creds);
	WAIT_FOR(up(0, 1));
}

static uint8_t big[COOP_FRAME_LEN + COOP_BODY_MAX];

static struct bytes frame_of(uint32_t body)
{
	struct wr wr;

	wr_init(&wr, big, sizeof(big));
	wr_u16(&wr, 0x4350);
	wr_u8(&wr, COOP_VERSION);
	wr_u8(&wr, COOP_VECTOR);
	wr_u32(&wr, 1);
	wr_u32(&wr, body);
	return BYTES(big, COOP_FRAME_LEN + body);
}

// ---- among themselves ----

static void three_key_servers_find_each_other(void **state)
{
	(void)state;
	world_make(N);
	for (size_t i = 0; i < N; i++)
		node_start(&w.n[i], w.creds);
	WAIT_FOR(up(0, 1) && up(0, 2) && up(1, 2));
	for (size_t i = 0; i < N; i++) {
		for (size_t p = 0; p < N - 1; p++) {
			assert_int_equal(w.n[i].ups[p], 1);
			assert_int_equal(link_io_send(w.n[i].l, p, frame_of(100)), 0);
			assert_int_equal(link_io_hello(w.n[i].l, p, BYTES_LIT("hello")), 0);
		}
	}
	for (size_t i = 0; i < N; i++) {
		WAIT_FOR(w.n[i].frames[0] == 1 && w.n[i].frames[1] == 1);
		WAIT_FOR(w.n[i].hellos[0] == 1 && w.n[i].hellos[1] == 1);
	}
	world_end();
}

static void a_stream_that_is_closed_comes_again_and_hellos_go_on(void **state)
{
	(void)state;
	two_up();
	link_io_close(w.n[1].l, 0);
	assert_int_equal(w.n[1].downs[0], 0);
	WAIT_FOR(w.n[0].downs[0] == 1);
	assert_false(link_io_is_up(w.n[0].l, 0));
	assert_int_equal(link_io_send(w.n[0].l, 0, frame_of(1)), -ENOTCONN);
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(w.n[1].hellos[0] == 1);
	WAIT_FOR(up(0, 1));
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), 0);
	assert_int_equal(link_io_hello(w.n[1].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(w.n[1].hellos[0] == 2 && w.n[0].hellos[0] == 1);
	world_end();
}

// Nobody answers calls any more, but hellos still pass: the next call does not wait its time.
static void a_hello_hastens_the_call(void **state)
{
	(void)state;
	two_up();
	evconnlistener_free(w.n[1].l->listener);
	w.n[1].l->listener = NULL;
	link_io_close(w.n[1].l, 0);
	WAIT_FOR(stats(0, 1)->call_failed == 3); // the next one would come in a second or two
	pass(LINK_AGAIN_MS + 50);
	assert_int_equal(stats(0, 1)->calls, 4);
	assert_int_equal(link_io_hello(w.n[1].l, 0, BYTES_LIT("hello")), 0);
	pass(100);
	assert_int_equal(stats(0, 1)->calls, 5);
	assert_int_equal(link_io_hello(w.n[1].l, 0, BYTES_LIT("hello")), 0);
	pass(100);
	assert_int_equal(stats(0, 1)->calls, 5); // it was asked just now
	world_end();
}

static void a_full_queue_says_so_and_empties(void **state)
{
	size_t n = 0;

	(void)state;
	two_up();
	while (link_io_send(w.n[0].l, 0, frame_of(COOP_BODY_MAX)) == 0)
		n++;
	assert_in_range(n, 10, LINK_QUEUE_MAX / COOP_BODY_MAX);
	assert_int_equal(link_io_send(w.n[0].l, 0, frame_of(COOP_BODY_MAX)), -ENOBUFS);
	WAIT_FOR(w.n[0].rooms == 1);
	assert_int_equal(link_io_send(w.n[0].l, 0, frame_of(COOP_BODY_MAX)), 0);
	WAIT_FOR(w.n[1].frames[0] == n + 1);
	assert_int_equal(w.n[1].octets, (n + 1) * sizeof(big));
	world_end();
}

static void peers_come_and_go_and_the_others_do_not_notice(void **state)
{
	struct link_peer_conf two[2];

	(void)state;
	world_make(N);
	for (size_t i = 0; i < N; i++)
		node_start(&w.n[i], w.creds);
	WAIT_FOR(up(0, 1) && up(0, 2) && up(1, 2));
	memcpy(two, w.n[1].conf.peer, sizeof(two));
	link_io_peers(w.n[1].l, &two[1], 1); // without 0: what was second is first now
	assert_true(link_io_is_up(w.n[1].l, 0));
	assert_false(link_io_is_up(w.n[1].l, 1));
	WAIT_FOR(w.n[0].downs[0] == 1);
	assert_int_equal(link_io_send(w.n[1].l, 0, frame_of(8)), 0);
	assert_int_equal(link_io_hello(w.n[1].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(w.n[2].frames[1] == 1 && w.n[2].hellos[1] == 1);
	assert_int_equal(link_io_send(w.n[2].l, 1, frame_of(8)), 0);
	WAIT_FOR(w.n[1].frames[0] == 1);
	link_io_peers(w.n[1].l, two, 2);
	WAIT_FOR(up(0, 1));
	assert_true(up(1, 2));
	assert_int_equal(w.n[2].downs[0] + w.n[2].downs[1] + w.n[1].downs[0] + w.n[1].downs[1], 0);
	world_end();
}

// ---- rogues ----

// A stranger's socket from the address of key server i to key server j.
static int dial(size_t i, size_t j)
{
	const struct endpoint from = { address((unsigned)i), 0 };
	const struct endpoint to = { address((unsigned)j), port() };
	struct sockaddr_storage sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	size_t len = endpoint_to_sockaddr(&from, &sa);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)len), 0);
	len = endpoint_to_sockaddr(&to, &sa);
	(void)!connect(fd, (struct sockaddr *)&sa, (socklen_t)len);
	pass(20);
	return fd;
}

static bool is_closed(int fd)
{
	uint8_t b[256];
	ssize_t n;

	while ((n = read(fd, b, sizeof(b))) > 0)
		;
	return n == 0 || errno != EAGAIN;
}

static void still_as_it_was(void)
{
	assert_true(up(0, 1));
	assert_int_equal(w.n[0].downs[0] + w.n[1].downs[0], 0);
	assert_int_equal(link_io_send(w.n[0].l, 0, frame_of(8)), 0);
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(w.n[1].frames[0] == 1 && w.n[1].hellos[0] == 1);
}

static void a_wrong_key_never_gets_up(void **state)
{
	struct tls_creds *other = key_creds("0123456789abcdef0123456789abcdeX");

	(void)state;
	world_make(2);
	node_start(&w.n[0], other);
	node_start(&w.n[1], w.creds);
	WAIT_FOR(stats(1, 0)->refused > 1 && stats(0, 1)->refused > 1);
	assert_int_equal(w.n[0].ups[0] + w.n[1].ups[0], 0);
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), -ENOTCONN);
	link_io_creds(w.n[0].l, w.creds); // the operator copies the right one
	WAIT_FOR(up(0, 1));
	world_end();
	tls_creds_put(other);
}

static void a_wrong_key_does_not_disturb_who_stands(void **state)
{
	struct tls_creds *other = key_creds("0123456789abcdef0123456789abcdeX");
	struct addr own = address(0), peer = address(1);
	char a[ADDR_STRLEN], z[ADDR_STRLEN];
	uint8_t b[4096];
	struct tls *t;
	size_t len;
	int fd;

	(void)state;
	two_up();
	fd = dial(0, 1);
	assert_int_equal(tls_new(other, true, addr_str(&own, a), addr_str(&peer, z), 0, &t), 0);
	len = tls_take(t, b, sizeof(b));
	assert_int_equal(write(fd, b, len), (ssize_t)len);
	WAIT_FOR(is_closed(fd));
	assert_int_equal(stats(1, 0)->refused, 1);
	still_as_it_was();
	close(fd);
	tls_free(t);
	world_end();
	tls_creds_put(other);
}

static void garbage_and_silence_cost_only_themselves(void **state)
{
	int garbage, half, silent;

	(void)state;
	two_up();
	garbage = dial(0, 1);
	assert_int_equal(write(garbage, "GET / HTTP/1.0\r\n\r\n", 18), 18);
	WAIT_FOR(is_closed(garbage));
	half = dial(0, 1);
	assert_int_equal(write(half, "\x16\x03\x01\x01\x00", 5), 5);
	silent = dial(0, 1);
	WAIT_FOR(stats(1, 0)->late == 2);
	assert_true(is_closed(half));
	assert_true(is_closed(silent));
	still_as_it_was();
	close(garbage);
	close(half);
	close(silent);
	world_end();
}

static void who_only_holds_places_makes_room(void **state)
{
	int fd[20];

	(void)state;
	world_make(2);
	node_start(&w.n[1], w.creds);
	for (size_t i = 0; i < N_ELEMS(fd); i++)
		fd[i] = dial(0, 1);
	WAIT_FOR(stats(1, 0)->crowded == N_ELEMS(fd) - LINK_HALF_PEER);
	for (size_t i = 0; i < N_ELEMS(fd) - LINK_HALF_PEER; i++)
		assert_true(is_closed(fd[i]));
	node_start(&w.n[0], w.creds); // amid them, the right one gets through at once
	WAIT_FOR(up(0, 1));
	assert_int_equal(stats(0, 1)->calls, 1);
	for (size_t i = 0; i < N_ELEMS(fd); i++)
		close(fd[i]);
	world_end();
}

static void strangers_and_those_whom_we_call_are_refused(void **state)
{
	int fd;

	(void)state;
	two_up();
	fd = dial(6, 1);
	WAIT_FOR(is_closed(fd));
	assert_int_equal(link_io_strangers(w.n[1].l), 1);
	close(fd);
	fd = dial(1, 0);
	WAIT_FOR(is_closed(fd));
	assert_int_equal(stats(0, 1)->refused, 1);
	close(fd);
	still_as_it_was();
	world_end();
}

static void forged_hellos_are_counted_and_dropped(void **state)
{
	const struct endpoint to = { address(1), port() };
	const struct endpoint from = { address(0), (uint16_t)(port() + 1) };
	struct sockaddr_storage sa;
	uint8_t b[LINK_HELLO_MAX + 100] = { 0x43, 0x48, 1, 1 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	size_t len;

	(void)state;
	two_up();
	len = endpoint_to_sockaddr(&from, &sa);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, (socklen_t)len), 0);
	len = endpoint_to_sockaddr(&to, &sa);
	for (size_t n = 0; n < sizeof(b); n += 99)
		(void)!sendto(fd, b, n, 0, (struct sockaddr *)&sa, (socklen_t)len);
	WAIT_FOR(stats(1, 0)->hellos_refused == (sizeof(b) + 98) / 99);
	still_as_it_was();
	close(fd);
	world_end();
}

// ---- certificates ----

struct house {
	struct mp_node root;
	struct trust *trust;
	struct signer signer;
	struct cert *cert[N];
	struct tls_creds *creds[N];
};

// Certificates of now, not of the tests' clock.
static void house_make(struct house *h, const struct trust_conf *conf)
{
	int64_t now = time(NULL) - MP_NOW;
	const struct mp_spec ca = {
		.cn = "root", .from = now - MP_DAY, .until = now + MP_DAY, .ext = { MP_CA_EXT }
	};
	enum cert_reason why;

	h->root = mp_issue(NULL, &ca);
	assert_int_equal(trust_new(conf, &h->trust), 0);
	assert_int_equal(trust_add_ca(h->trust, mp_pem(h->root.x), &why), 0);
	signer_init(&h->signer);
	for (size_t i = 0; i < N; i++) {
		char san[64], name[16], text[ADDR_STRLEN];
		struct addr a = address((unsigned)i);
		struct mp_spec s = { .cn = name,
				     .serial = 11 + (long)i,
				     .from = now - MP_DAY,
				     .until = now + MP_DAY,
				     .ext = { { NID_subject_alt_name, san } } };
		struct mp_node n;

		snprintf(name, sizeof(name), "ks%zu", i);
		snprintf(san, sizeof(san), "IP:%s,DNS:ks%zu.example.net", addr_str(&a, text), i);
		n = mp_issue(&h->root, &s);
		h->cert[i] = mp_cert(n.x);
		assert_int_equal(signer_add_pem(&h->signer, name, mp_key_pem(n.key)), 0);
		assert_int_equal(
			tls_creds_cert(&h->signer, name, &h->cert[i], 1, h->trust, &h->creds[i]),
			0);
		mp_free(&n);
	}
}

static void house_end(struct house *h)
{
	for (size_t i = 0; i < N; i++) {
		tls_creds_put(h->creds[i]);
		cert_free(h->cert[i]);
	}
	signer_fini(&h->signer);
	trust_free(h->trust);
	mp_free(&h->root);
}

static void certificates_that_name_the_key_servers_are_let_in(void **state)
{
	struct house h;
	const char *why;

	(void)state;
	house_make(&h, &(struct trust_conf){ 0 });
	world_make(2);
	// One is known by its address, the other by a name.
	w.n[0].conf.peer[0].n_names = 1;
	assert_int_equal(id_pattern_parse("ks1.example.net", &w.n[0].conf.peer[0].name[0], &why),
			 0);
	node_start(&w.n[0], h.creds[0]);
	node_start(&w.n[1], h.creds[1]);
	WAIT_FOR(up(0, 1));
	assert_int_equal(link_io_send(w.n[0].l, 0, frame_of(8)), 0);
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(w.n[1].frames[0] == 1 && w.n[1].hellos[0] == 1);
	// The operator expects another one there.
	assert_int_equal(id_pattern_parse("ks9.example.net", &w.n[0].conf.peer[0].name[0], &why),
			 0);
	link_io_peers(w.n[0].l, w.n[0].conf.peer, w.n[0].conf.n_peers);
	assert_int_equal(w.n[0].downs[0], 1);
	assert_int_equal(stats(0, 1)->unauthorised, 1);
	world_end();
	house_end(&h);
}

// A member's certificate is of the same CA.
static void a_right_certificate_of_another_is_refused(void **state)
{
	struct house h;

	(void)state;
	house_make(&h, &(struct trust_conf){ 0 });
	world_make(2);
	node_start(&w.n[0], h.creds[2]);
	node_start(&w.n[1], h.creds[1]);
	WAIT_FOR(stats(1, 0)->unauthorised > 0 && stats(0, 1)->refused > 0);
	assert_int_equal(w.n[0].ups[0] + w.n[1].ups[0], 0);
	world_end();
	house_end(&h);
}

static void a_revoked_certificate_is_refused(void **state)
{
	static const struct trust_conf crl = { 1, { TRUST_CRL } };
	int64_t now = time(NULL) - MP_NOW;
	struct house h;

	(void)state;
	house_make(&h, &crl);
	assert_int_equal(trust_add_crl(h.trust, mp_crl(&h.root, 11, now - 100, now + 100, NULL)),
			 0);
	world_make(2);
	node_start(&w.n[0], h.creds[0]);
	node_start(&w.n[1], h.creds[1]);
	WAIT_FOR(stats(1, 0)->revoked > 0);
	assert_int_equal(w.n[0].ups[0] + w.n[1].ups[0], 0);
	world_end();
	house_end(&h);
}

static void a_certificate_that_is_revoked_later_loses_its_stream_and_its_hellos(void **state)
{
	static const struct trust_conf crl = { 2, { TRUST_CRL, TRUST_NONE } };
	int64_t now = time(NULL) - MP_NOW;
	struct house h;

	(void)state;
	house_make(&h, &crl);
	world_make(2);
	node_start(&w.n[0], h.creds[0]);
	node_start(&w.n[1], h.creds[1]);
	WAIT_FOR(up(0, 1));
	link_io_recheck(w.n[1].l);
	pass(50);
	assert_true(up(0, 1));
	assert_int_equal(trust_add_crl(h.trust, mp_crl(&h.root, 11, now - 100, now + 100, NULL)),
			 0);
	link_io_recheck(w.n[1].l);
	assert_int_equal(w.n[1].downs[0], 1);
	assert_string_equal(w.n[1].why, "certificate-revoked");
	assert_int_equal(link_io_hello(w.n[0].l, 0, BYTES_LIT("hello")), 0);
	WAIT_FOR(stats(1, 0)->hellos_refused == 1);
	assert_int_equal(w.n[1].hellos[0], 0);
	world_end();
	house_end(&h);
}

// ---- what has to be fetched first ----

struct web {
	struct evhttp *http;
	struct bytes crl;
	unsigned n;
	struct evhttp_request *held; // to be answered later
	bool hold;
};

static void on_request(struct evhttp_request *req, void *arg)
{
	struct web *web = arg;
	struct evbuffer *b = evbuffer_new();

	web->n++;
	if (web->hold) {
		web->held = req;
	} else {
		evbuffer_add(b, web->crl.p, web->crl.len);
		evhttp_send_reply(req, 200, "OK", b);
	}
	evbuffer_free(b);
}

static void web_start(struct web *web, struct trust_conf *conf)
{
	char text[ADDR_STRLEN];
	struct addr a = address(5);

	*web = (struct web){ .http = evhttp_new(w.base) };
	evhttp_set_gencb(web->http, on_request, web);
	assert_int_equal(evhttp_bind_socket(web->http, addr_str(&a, text), port()), 0);
	*conf = (struct trust_conf){ 1, { TRUST_CRL } };
	snprintf(conf->crl_url, sizeof(conf->crl_url), "http://%s:%u/ca.crl", text, port());
}

static void a_crl_is_fetched_before_a_peer_is_believed(void **state)
{
	int64_t now = time(NULL) - MP_NOW;
	struct trust_conf conf;
	struct house h;
	struct web web;

	(void)state;
	for (long revoked = 10; revoked <= 11; revoked++) { // of nobody, then of the caller
		world_make(2);
		web_start(&web, &conf);
		house_make(&h, &conf);
		web.crl = mp_crl(&h.root, revoked, now - 100, now + 100, NULL);
		node_start(&w.n[0], h.creds[0]);
		node_start(&w.n[1], h.creds[1]);
		if (revoked == 10)
			WAIT_FOR(up(0, 1));
		else
			WAIT_FOR(stats(1, 0)->revoked > 0);
		assert_int_equal(w.n[1].ups[0], revoked == 10);
		assert_int_not_equal(web.n, 0);
		evhttp_free(web.http);
		world_end();
		house_end(&h);
	}
}

static void an_end_while_something_is_fetched_leaves_nothing(void **state)
{
	struct trust_conf conf;
	struct house h;
	struct web web;

	(void)state;
	world_make(2);
	web_start(&web, &conf);
	web.hold = true;
	house_make(&h, &conf);
	node_start(&w.n[0], h.creds[0]);
	node_start(&w.n[1], h.creds[1]);
	WAIT_FOR(web.held);
	link_io_free(w.n[1].l);
	w.n[1].l = NULL;
	pass(100); // the other one goes on waiting for the same
	link_io_free(w.n[0].l);
	w.n[0].l = NULL;
	evhttp_free(web.http);
	assert_int_equal(w.n[0].ups[0], 0);
	world_end();
	house_end(&h);
}

// ---- processes of their own ----

static void child_frame(void *arg, size_t peer, struct bytes frame)
{
	struct node *n = arg;

	if (link_io_send(n->l, peer, frame))
		_exit(3);
}

// Sends every frame back until it is killed.
static pid_t child_start(size_t i)
{
	pid_t pid = fork();
	struct link_hooks hooks;

	if (pid != 0)
		return pid;
	w.base = event_base_new();
	hooks = hooks_of(&w.n[i]);
	hooks.frame = child_frame;
	if (link_io_new(w.base, &w.n[i].conf, w.creds, &w.rng, &hooks, &w.n[i].l) == 0)
		event_base_dispatch(w.base);
	_exit(4);
}

static void child_end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void a_killed_process_is_noticed_and_found_again(void **state)
{
	pid_t low, high;

	(void)state;
	world_make(N);
	low = child_start(0);  // it calls us
	high = child_start(2); // we call it
	node_start(&w.n[1], w.creds);
	WAIT_FOR(w.n[1].ups[0] == 1 && w.n[1].ups[1] == 1);
	for (size_t p = 0; p < 2; p++)
		assert_int_equal(link_io_send(w.n[1].l, p, frame_of(60000)), 0);
	WAIT_FOR(w.n[1].frames[0] == 1 && w.n[1].frames[1] == 1);
	child_end(low);
	child_end(high);
	WAIT_FOR(w.n[1].downs[0] == 1 && w.n[1].downs[1] == 1);
	low = child_start(0);
	high = child_start(2);
	WAIT_FOR(w.n[1].ups[0] == 2 && w.n[1].ups[1] == 2);
	for (size_t p = 0; p < 2; p++)
		assert_int_equal(link_io_send(w.n[1].l, p, frame_of(60000)), 0);
	WAIT_FOR(w.n[1].frames[0] == 2 && w.n[1].frames[1] == 2);
	child_end(low);
	child_end(high);
	world_end();
}

static int start(void **state)
{
	(void)state;
	(void)port();
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_key_servers_find_each_other),
		cmocka_unit_test(a_stream_that_is_closed_comes_again_and_hellos_go_on),
		cmocka_unit_test(a_hello_hastens_the_call),
		cmocka_unit_test(a_full_queue_says_so_and_empties),
		cmocka_unit_test(peers_come_and_go_and_the_others_do_not_notice),
		cmocka_unit_test(a_wrong_key_never_gets_up),
		cmocka_unit_test(a_wrong_key_does_not_disturb_who_stands),
		cmocka_unit_test(garbage_and_silence_cost_only_themselves),
		cmocka_unit_test(who_only_holds_places_makes_room),
		cmocka_unit_test(strangers_and_those_whom_we_call_are_refused),
		cmocka_unit_test(forged_hellos_are_counted_and_dropped),
		cmocka_unit_test(certificates_that_name_the_key_servers_are_let_in),
		cmocka_unit_test(a_right_certificate_of_another_is_refused),
		cmocka_unit_test(a_revoked_certificate_is_refused),
		cmocka_unit_test(
			a_certificate_that_is_revoked_later_loses_its_stream_and_its_hellos),
		cmocka_unit_test(a_crl_is_fetched_before_a_peer_is_believed),
		cmocka_unit_test(an_end_while_something_is_fetched_leaves_nothing),
		cmocka_unit_test(a_killed_process_is_noticed_and_found_again),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
