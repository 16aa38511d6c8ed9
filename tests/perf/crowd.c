#include "tests/perf/crowd.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/ctl/ctl.h"
#include "common/ike/info.h"
#include "tests/perf/crowd_pki.h"

#define OWN_PORT   10848       // ksd has 848 on one of the addresses
#define FIRST_IP   0x7f010001u // 127.1.0.1
#define BUFFER	   (64 << 20)
#define TIMERS_MS  200
#define RECEIVE_MS 20

_Noreturn void crowd_die(const char *what)
{
	fprintf(stderr, "crowd: %s\n", what);
	exit(1);
}

double crowd_seconds(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		crowd_die("no such clock: is ksd gone?");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// ---- the network ----

static bool is_lost(struct crowd *c, uint64_t *count)
{
	bool lost = c->loss_percent && rng_range(&c->dice, 0, 99) < c->loss_percent;

	*count += lost;
	return lost;
}

static void crowd_send(void *arg, struct test_member *m, struct bytes datagram)
{
	struct crowd *c = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(m->server.port) };
	union {
		struct cmsghdr align;
		uint8_t b[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { 0 };
	struct iovec v = { (void *)(uintptr_t)datagram.p, datagram.len };
	struct msghdr h = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct in_pktinfo info = { 0 };

	c->n_out++;
	c->octets_out += datagram.len;
	if (is_lost(c, &c->n_lost_out))
		return;
	memcpy(&to.sin_addr, m->server.addr.b, 4);
	memcpy(&info.ipi_spec_dst, m->self.addr.b, 4);
	control.align.cmsg_level = IPPROTO_IP;
	control.align.cmsg_type = IP_PKTINFO;
	control.align.cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	sendmsg(c->fd, &h, 0); // what is lost is sent again
}

static struct test_member *member_of(struct crowd *c, struct msghdr *h)
{
	for (struct cmsghdr *k = CMSG_FIRSTHDR(h); k; k = CMSG_NXTHDR(h, k)) {
		struct in_pktinfo info;
		uint32_t i;

		if (k->cmsg_level != IPPROTO_IP || k->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(k), sizeof(info));
		i = ntohl(info.ipi_addr.s_addr) - FIRST_IP;
		return i < c->n ? &c->m[i] : NULL;
	}
	return NULL;
}

static bool in_vain(const struct test_member *m)
{
	return m->state == TM_FAILED || m->state == TM_REFUSED;
}

static bool is_over(const struct crowd *c, const struct test_member *m)
{
	return m->state == TM_REGISTERED || (in_vain(m) && !c->patient);
}

// As gmd does when it has what it came for. Otherwise it keeps its SA, which looks at its
// configuration no more.
static void end_phase1(struct crowd *c, struct test_member *m)
{
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	ike_pki_put(m->pki);
	m->pki = NULL;
	if (!c->hang_up || m->state != TM_REGISTERED)
		return;
	if (ike_info_delete_sa(&m->sa, buf, sizeof(buf), &msg) == 0)
		crowd_send(c, m, msg);
	ike_sa_fini(&m->sa);
}

// To a member, or its timer: datagram.len 0.
static void wake(struct crowd *c, struct test_member *m, struct bytes datagram)
{
	bool was_over = is_over(c, m);
	uint32_t pushes = m->n_push;

	if (datagram.len)
		tm_in(m, mono_now(), datagram);
	else
		tm_timer(m, mono_now());
	c->n_pushes += m->n_push - pushes;
	if (was_over || !is_over(c, m))
		return;
	c->over++;
	end_phase1(c, m);
}

int crowd_receive(struct crowd *c, int ms)
{
	static uint8_t control[CROWD_BATCH][128];
	static struct sockaddr_in from[CROWD_BATCH];
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct mmsghdr h[CROWD_BATCH] = { 0 };
	struct iovec v[CROWD_BATCH];
	int n;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	for (int i = 0; i < CROWD_BATCH; i++) {
		v[i] = (struct iovec){ c->rx[i], sizeof(c->rx[i]) };
		h[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						.msg_namelen = sizeof(from[i]),
						.msg_iov = &v[i],
						.msg_iovlen = 1,
						.msg_control = control[i],
						.msg_controllen = sizeof(control[i]) };
	}
	n = recvmmsg(c->fd, h, CROWD_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct test_member *m = member_of(c, &h[i].msg_hdr);

		c->n_in++;
		c->octets_in += h[i].msg_len;
		if (!m || !h[i].msg_len || is_lost(c, &c->n_lost_in))
			continue;
		// A rekey is acknowledged to who sent it, whoever registered the member.
		if (m->state == TM_REGISTERED)
			m->server.addr = addr_from_v4(ntohl(from[i].sin_addr.s_addr));
		wake(c, m, BYTES(c->rx[i], h[i].msg_len));
	}
	return n;
}

static void crowd_open(struct crowd *c)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(OWN_PORT) };
	int on = 1, size = BUFFER;

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || setsockopt(c->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(c->fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		crowd_die("cannot open a UDP port (receive buffer needs root)");
}

// ---- life ----

static const struct secret *the_psk(void *arg, const struct addr *peer)
{
	(void)peer;
	return arg;
}

static int64_t wall_clock(void)
{
	return time(NULL);
}

void crowd_init(struct crowd *c)
{
	if (secret_set(&c->psk, "of the crowd", 12))
		crowd_die("no memory");
	crypto_rng_init(&c->rng);
	rng_seed(&c->dice, c->seed);
	c->conf = (struct ike_conf){ .proposals = &c->proposal,
				     .n_proposals = 1,
				     .wire = gdoi_wire_opts_default(),
				     .features = VID_CONCLAVE_BYPASS,
				     .schedule = IKE_SCHEDULE_DEFAULT,
				     .psk = the_psk,
				     .psk_arg = &c->psk,
				     .wall_clock = wall_clock,
				     .no_fragments = true, // loopback carries them whole
				     .rng = &c->rng };
	c->m = calloc(c->n, sizeof(*c->m));
	if (!c->m)
		crowd_die("no memory");
	for (size_t i = 0; i < c->n; i++) {
		c->m[i].conf = &c->conf;
		c->m[i].self = (struct endpoint){ addr_from_v4(FIRST_IP + (uint32_t)i), OWN_PORT };
		c->m[i].server = c->server;
		c->m[i].group = 1234;
		c->m[i].ack = true;
		c->m[i].send = crowd_send;
		c->m[i].arg = c;
	}
	crowd_open(c);
}

void crowd_fini(struct crowd *c)
{
	for (size_t i = 0; i < c->n; i++)
		tm_fini(&c->m[i]);
	free(c->m);
	close(c->fd);
}

// ---- registrations ----

static void member_start(struct crowd *c)
{
	struct test_member *m = &c->m[c->started];

	if (c->pki)
		m->pki = crowd_pki_member(c->pki, (unsigned)c->started);
	c->started++;
	tm_start(m, mono_now());
}

static void crowd_timers(struct crowd *c)
{
	mono_t now = mono_now();

	while (c->first < c->started && is_over(c, &c->m[c->first]))
		c->first++;
	for (size_t i = c->first; i < c->started; i++) {
		if (is_over(c, &c->m[i]))
			continue;
		if (in_vain(&c->m[i]))
			tm_start(&c->m[i], now);
		else if (mono_due(tm_deadline(&c->m[i]), now))
			wake(c, &c->m[i], (struct bytes){ 0 });
	}
}

void crowd_register(struct crowd *c)
{
	mono_t tick = mono_now();

	while (c->over < c->n) {
		while (c->started - c->over < c->window && c->started < c->n)
			member_start(c);
		crowd_receive(c, RECEIVE_MS);
		if (mono_due(mono_add_ms(tick, TIMERS_MS), mono_now())) {
			tick = mono_now();
			crowd_timers(c);
		}
	}
	for (size_t i = 0; i < c->n; i++) {
		if (c->m[i].state != TM_REGISTERED)
			crowd_die(c->m[i].why ? c->m[i].why : "some members could not register");
	}
}

// ---- the operator ----

json_t *crowd_ask(const char *control, const char *words)
{
	const char *word[CTL_MAX_WORDS];
	char text[256], err[256], *at = NULL;
	json_t *answer, *data;
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", words);
	for (char *w = strtok_r(text, " ", &at); w; w = strtok_r(NULL, " ", &at))
		word[n++] = w;
	if (ctl_ask(control, word, n, true, &answer, err, sizeof(err)))
		return NULL;
	data = json_incref(json_object_get(answer, "data"));
	json_decref(answer);
	return data;
}
