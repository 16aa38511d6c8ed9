// tests/perf/ks_crowd.c - a crowd of group members against a real ksd, and bare OpenSSL beside it.
//
//   ks_crowd SERVER PORT CONTROL-SOCKET PID MEMBERS REKEYS METHOD [DIR]
//
// METHOD: psk-ecp256, psk-modp2048, ecdsa-p256 or rsa-2048. Certificates (crowd_pki.h, out of DIR)
// are proved on ECP-256. Every member has an address of its own (127.1.0.1 and up), one UDP socket
// serves them all. First MEMBERS registrations (main mode, then GROUPKEY-PULL), WINDOW of them
// under way at a time; then REKEYS times "crypto gdoi ks rekey", each until the last member has
// acknowledged. Prints one JSON object: wall time and ksd's CPU time (process PID), the cost of
// what cannot be avoided done by OpenSSL and the kernel alone, in this run (bare.h).
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/ctl/ctl.h"
#include "tests/perf/bare.h"
#include "tests/perf/crowd_pki.h"
#include "tests/unit/ks/test_member.h"

#define WINDOW	  32
#define OWN_PORT  10848 // ksd has 848 on one of the addresses
#define BATCH	  64
#define FIRST_IP  0x7f010001u // 127.1.0.1
#define MAX_CROWD 60000

static const struct method {
	const char *name;
	struct ike_proposal proposal;
} methods[] = {
	{ "psk-ecp256", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_NONE } },
	{ "psk-modp2048", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_MODP2048, SIGN_NONE } },
	{ "ecdsa-p256", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_ECDSA_P256 } },
	{ "rsa-2048", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_RSA } },
};

struct crowd {
	int fd;
	struct endpoint server;
	struct ike_conf conf;
	struct ike_proposal proposal;
	struct secret psk;
	struct crowd_pki *pki; // NULL: pre-shared keys
	struct rng rng;
	size_t n, started, first;
	struct test_member *m;
	uint64_t n_in, n_out, octets_in, octets_out; // datagrams while registering
	uint8_t rx[BATCH][4096];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ks_crowd: %s\n", what);
	exit(1);
}

static double seconds(clockid_t id)
{
	struct timespec t;

	if (clock_gettime(id, &t) < 0)
		die("no such clock: is ksd gone?");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// ---- the network ----

static void crowd_send(void *arg, struct test_member *m, struct bytes datagram)
{
	struct crowd *c = arg;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(c->server.port) };
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

	memcpy(&to.sin_addr, c->server.addr.b, 4);
	memcpy(&info.ipi_spec_dst, m->self.addr.b, 4);
	control.align.cmsg_level = IPPROTO_IP;
	control.align.cmsg_type = IP_PKTINFO;
	control.align.cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	sendmsg(c->fd, &h, 0); // what is lost is sent again
	c->n_out++;
	c->octets_out += datagram.len;
}

static mono_t now_of(void)
{
	return mono_now();
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

// Hands over what has come; waits up to ms for the first of it. Number of datagrams.
static int crowd_receive(struct crowd *c, int ms)
{
	static uint8_t control[BATCH][128];
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	struct mmsghdr h[BATCH] = { 0 };
	struct iovec v[BATCH];
	int n;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){ c->rx[i], sizeof(c->rx[i]) };
		h[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i],
						.msg_iovlen = 1,
						.msg_control = control[i],
						.msg_controllen = sizeof(control[i]) };
	}
	n = recvmmsg(c->fd, h, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct test_member *m = member_of(c, &h[i].msg_hdr);

		c->n_in++;
		c->octets_in += h[i].msg_len;
		if (m)
			tm_in(m, now_of(), BYTES(c->rx[i], h[i].msg_len));
	}
	return n;
}

static void crowd_open(struct crowd *c)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(OWN_PORT) };
	int on = 1, size = 16 << 20;

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || setsockopt(c->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(c->fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		die("cannot open a UDP port (receive buffer needs root)");
}

// ---- registrations ----

static const struct secret *the_psk(void *arg, const struct addr *peer)
{
	(void)peer;
	return arg;
}

static int64_t wall_clock(void)
{
	return time(NULL);
}

static void crowd_init(struct crowd *c, const char *server, unsigned port, size_t n)
{
	if (addr_parse(server, &c->server.addr) || secret_set(&c->psk, "of the crowd", 12))
		die("SERVER is no address");
	c->server.port = (uint16_t)port;
	crypto_rng_init(&c->rng);
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
	c->n = n;
	c->m = calloc(n, sizeof(*c->m));
	if (!c->m)
		die("no memory");
	for (size_t i = 0; i < n; i++) {
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

static bool is_over(const struct test_member *m)
{
	return m->state == TM_REGISTERED || m->state == TM_FAILED || m->state == TM_REFUSED;
}

static void member_start(struct crowd *c)
{
	struct test_member *m = &c->m[c->started];

	if (c->pki)
		m->pki = crowd_pki_member(c->pki, (unsigned)c->started);
	c->started++;
	tm_start(m, now_of());
}

// It keeps its phase 1 SA, which looks at its configuration no more.
static void member_over(struct test_member *m)
{
	ike_pki_put(m->pki);
	m->pki = NULL;
}

// Members still under way; those before `first` are through.
static size_t crowd_pending(struct crowd *c)
{
	size_t n = 0;

	while (c->first < c->started && is_over(&c->m[c->first]))
		member_over(&c->m[c->first++]);
	for (size_t i = c->first; i < c->started; i++)
		n += !is_over(&c->m[i]);
	return n;
}

static void crowd_timers(struct crowd *c)
{
	mono_t now = now_of();

	for (size_t i = c->first; i < c->started; i++) {
		if (mono_due(tm_deadline(&c->m[i]), now))
			tm_timer(&c->m[i], now);
	}
}

static void crowd_register(struct crowd *c)
{
	mono_t tick = now_of();

	while (c->first < c->n) {
		for (size_t n = crowd_pending(c); n < WINDOW && c->started < c->n; n++)
			member_start(c);
		crowd_receive(c, 20);
		crowd_pending(c);
		if (mono_due(mono_add_ms(tick, 200), now_of())) {
			tick = now_of();
			crowd_timers(c);
		}
	}
	for (size_t i = 0; i < c->n; i++) {
		if (c->m[i].state != TM_REGISTERED)
			die("some members could not register");
	}
}

// ---- rekeys ----

static bool all_have(const struct crowd *c, uint32_t n_push)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->m[i].n_push < n_push)
			return false;
	}
	return true;
}

// Milliseconds until the key server has every acknowledgement; 0 while it has not.
static double acked_ms(const char *control)
{
	static const char *const words[] = { "show", "crypto", "gdoi", "ks", "rekey" };
	json_t *answer, *group;
	char err[256];
	double ms = 0;

	if (ctl_ask(control, words, N_ELEMS(words), true, &answer, err, sizeof(err)))
		die(err);
	group = json_array_get(json_object_get(json_object_get(answer, "data"), "groups"), 0);
	if (!json_is_true(json_object_get(group, "in_progress")))
		ms = (double)json_integer_value(json_object_get(group, "last_rekey_ms"));
	json_decref(answer);
	return ms;
}

static void ask_rekey(const char *control)
{
	static const char *const words[] = { "crypto", "gdoi", "ks", "rekey" };
	json_t *answer;
	char err[256];

	if (ctl_ask(control, words, N_ELEMS(words), true, &answer, err, sizeof(err)))
		die(err);
	if (strcmp(json_string_value(json_object_get(answer, "status")), "ok") != 0)
		die("the rekey was refused");
	json_decref(answer);
}

// Wall milliseconds until every member has it and the server has heard so from each.
static double crowd_rekey(struct crowd *c, const char *control, uint32_t n_push)
{
	mono_t give_up = mono_add_s(now_of(), 20);

	ask_rekey(control);
	while (!all_have(c, n_push)) {
		crowd_receive(c, 20);
		if (mono_due(give_up, now_of()))
			die("a rekey did not reach all members");
	}
	usleep(100000);
	for (;;) {
		double ms = acked_ms(control);

		if (ms > 0)
			return ms;
		crowd_receive(c, 20);
		if (mono_due(give_up, now_of()))
			die("acknowledgements are missing");
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

// ---- what cannot be avoided ----

// Of one registration, microseconds.
struct bare {
	double dh, prf, path, datagrams;
};

// First of all: OpenSSL 3.0 reads a key the slower, the more algorithms a process has in use.
static void bare_keys(const struct crowd *c, struct bare *b)
{
	b->path = c->pki ? 1e6 * crowd_pki_path(c->pki) : 0;
	b->dh = 1e6 * bare_dh(c->proposal.group);
}

// Messages as large as they were.
static void bare_messages(const struct crowd *c, struct bare *b)
{
	size_t in = c->octets_out / MAX_OF(c->n_out, 1), out = c->octets_in / MAX_OF(c->n_in, 1);

	b->prf = 1e6 * bare_prf((in + out) / 2);
	b->datagrams = 1e6 * bare_datagrams(in, out);
}

static void crowd_method(struct crowd *c, const char *name, const char *dir)
{
	for (size_t i = 0; i < N_ELEMS(methods); i++) {
		if (strcmp(methods[i].name, name) == 0)
			c->proposal = methods[i].proposal;
	}
	if (c->proposal.group == DH_NONE)
		die("METHOD is psk-ecp256, psk-modp2048, ecdsa-p256 or rsa-2048");
	if (c->proposal.auth == SIGN_NONE)
		return;
	c->pki = dir ? crowd_pki_open(dir) : NULL;
	if (!c->pki)
		die("DIR has to hold ca.pem, ca.key and member.key");
}

// What the process has in memory, kB.
static long rss_kb(const char *pid)
{
	char path[64], line[128];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

int main(int argc, char **argv)
{
	static struct crowd c;
	double ms[64], wall, cpu, rekey_cpu;
	struct bare bare = { 0 };
	unsigned rekeys;
	clockid_t ksd;

	if (argc != 8 && argc != 9)
		die("SERVER PORT CONTROL-SOCKET PID MEMBERS REKEYS METHOD [DIR]");
	rekeys = (unsigned)MIN_OF(atoi(argv[6]), 64);
	if (clock_getcpuclockid(atoi(argv[4]), &ksd) != 0)
		die("no such process");
	if (atoi(argv[5]) < 1 || atoi(argv[5]) > MAX_CROWD)
		die("MEMBERS is 1 to 60000");
	crowd_method(&c, argv[7], argv[8]);
	bare_keys(&c, &bare);
	if (crypto_init())
		die("OpenSSL lacks what is needed");
	crowd_init(&c, argv[1], (unsigned)atoi(argv[2]), (size_t)atoi(argv[5]));

	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(ksd);
	crowd_register(&c);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(ksd) - cpu;

	bare_messages(&c, &bare);

	rekey_cpu = seconds(ksd);
	for (unsigned i = 0; i < rekeys; i++)
		ms[i] = crowd_rekey(&c, argv[3], i + 1);
	rekey_cpu = rekeys ? (seconds(ksd) - rekey_cpu) / rekeys : 0;
	printf("{\"method\":\"%s\",\"members\":%zu,\"ksd_rss_kb\":%ld,\"register_wall_s\":%.3f,"
	       "\"register_cpu_s\":%.3f,\"rekeys\":%u,\"rekey_ms\":%.1f,\"rekey_cpu_ms\":%.2f,"
	       "\"bare_dh_us\":%.1f,\"bare_prf_us\":%.1f,\"bare_path_us\":%.1f,"
	       "\"bare_datagrams_us\":%.1f,\"bare_rsa_us\":%.1f,\"bare_sendto_us\":%.2f}\n",
	       argv[7], c.n, rss_kb(argv[4]), wall, cpu, rekeys, rekeys ? median(ms, rekeys) : 0,
	       rekey_cpu * 1e3, bare.dh, bare.prf, bare.path, bare.datagrams, bare_rsa() * 1e6,
	       bare_sendto() * 1e6);
	for (size_t i = 0; i < c.n; i++)
		tm_fini(&c.m[i]);
	free(c.m);
	crowd_pki_close(c.pki);
	return 0;
}
