// lab/flow.c - numbered UDP packets among hosts, in both directions, counted without mercy.
// Every host of a lab runs one. Each sends to all its peers at a steady rate and keeps the book on
// what it hears from them: how many, which numbers were missing, doubled or late, how long it was
// quiet. SIGUSR1 starts sending (all hosts listen by then), SIGTERM ends it: what is under way is
// awaited, then one line of JSON is printed. Loss from A to B is A.sent[B] - B.heard[A].unique.
// -b MS keeps a second book by the time of sending, in slots of so many milliseconds (as many as
// passed since the machine started): when A's sent_in[B] and B's heard_in[A] differ, that is when.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "common/base/err.h"

#define MAX_PEERS  64
#define MAX_SEQ	   (1u << 28)
#define TICK_NS	   2000000 // packets of one tick leave together
#define QUIET_MS   500	   // nothing heard for so long after the end: nothing is under way
#define MAX_END_MS 5000
#define MAX_HOLES  8 // told one by one
#define MAX_SLOTS  (1u << 20)
#define MAGIC	   0x636f6e66u

struct packet {
	uint32_t magic;
	uint32_t seq;
	uint64_t sent_ns; // CLOCK_BOOTTIME: the hosts of a lab and its daemons share a clock
};

// Packets by the time of their sending; empty without -b.
struct slots {
	uint32_t *n;
	size_t size, end;
};

struct peer {
	struct sockaddr_in addr;
	uint32_t sent, send_errors;
	// Heard from it:
	uint64_t packets, unique, dup, reordered;
	int64_t last_ns, max_gap_ns, max_delay_ns;
	uint32_t next_seq;
	uint8_t *seen; // one bit per number
	size_t seen_size;
	struct slots sent_in, heard_in;
};

struct flow {
	int sock, timer, signals;
	unsigned rate; // packets per second to each peer
	size_t size;   // octets of UDP payload
	size_t n_peers;
	struct peer peer[MAX_PEERS];
	bool sending;
	double owed;		    // packets due to each peer and not sent
	int64_t slot_ns, slot_base; // 0: no slots; the slot that we started in
	uint64_t strangers, overflow;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void note_slot(const struct flow *f, struct slots *s, uint64_t sent_ns)
{
	int64_t slot = f->slot_ns ? (int64_t)sent_ns / f->slot_ns - f->slot_base : -1;
	size_t at = (size_t)slot;

	if (slot < 0 || slot >= MAX_SLOTS)
		return;
	if (at >= s->size) {
		size_t size = (at + 1) * 2;

		s->n = realloc(s->n, size * sizeof(*s->n));
		BUG_ON(!s->n);
		memset(s->n + s->size, 0, (size - s->size) * sizeof(*s->n));
		s->size = size;
	}
	s->n[at]++;
	s->end = MAX_OF(s->end, at + 1);
}

static void send_one(struct flow *f, struct peer *p)
{
	uint8_t b[2048] = { 0 };
	struct packet h = { MAGIC, p->sent, (uint64_t)now_ns() };

	memcpy(b, &h, sizeof(h));
	if (sendto(f->sock, b, f->size, 0, (struct sockaddr *)&p->addr, sizeof(p->addr)) < 0) {
		p->send_errors++; // the number is used for the next one
		return;
	}
	p->sent++;
	note_slot(f, &p->sent_in, h.sent_ns);
}

static void on_tick(struct flow *f)
{
	uint64_t ticks = 0;

	if (read(f->timer, &ticks, sizeof(ticks)) != sizeof(ticks) || !f->sending)
		return;
	// After a stall (a busy machine) at most a tenth of a second is made good.
	f->owed += (double)f->rate * TICK_NS / 1e9 * (double)MIN_OF(ticks, 50u);
	for (; f->owed >= 1; f->owed--) {
		for (size_t i = 0; i < f->n_peers; i++)
			send_one(f, &f->peer[i]);
	}
}

// True: not heard before.
static bool note_seq(struct peer *p, uint32_t seq)
{
	size_t at = seq / 8;

	if (at >= p->seen_size) {
		size_t size = (at + 1) * 2;

		p->seen = realloc(p->seen, size);
		BUG_ON(!p->seen);
		memset(p->seen + p->seen_size, 0, size - p->seen_size);
		p->seen_size = size;
	}
	if (p->seen[at] & 1u << seq % 8) {
		p->dup++;
		return false;
	}
	p->seen[at] |= (uint8_t)(1u << seq % 8);
	p->unique++;
	if (seq < p->next_seq)
		p->reordered++;
	else
		p->next_seq = seq + 1;
	return true;
}

static void note_packet(struct flow *f, const struct sockaddr_in *from, const struct packet *h)
{
	int64_t now = now_ns();

	for (size_t i = 0; i < f->n_peers; i++) {
		struct peer *p = &f->peer[i];

		if (p->addr.sin_addr.s_addr != from->sin_addr.s_addr)
			continue;
		p->packets++;
		if (p->last_ns)
			p->max_gap_ns = MAX_OF(p->max_gap_ns, now - p->last_ns);
		p->last_ns = now;
		p->max_delay_ns = MAX_OF(p->max_delay_ns, now - (int64_t)h->sent_ns);
		if (note_seq(p, h->seq))
			note_slot(f, &p->heard_in, h->sent_ns);
		return;
	}
	f->strangers++;
}

static void on_packets(struct flow *f)
{
	for (;;) {
		struct sockaddr_in from;
		struct packet h;
		char control[64];
		struct iovec iov = { &h, sizeof(h) };
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(f->sock, &m, MSG_DONTWAIT);

		if (n < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			uint32_t drops;

			if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
				memcpy(&drops, CMSG_DATA(c), sizeof(drops));
				f->overflow = drops;
			}
		}
		if ((size_t)n == sizeof(h) && h.magic == MAGIC && h.seq < MAX_SEQ)
			note_packet(f, &from, &h);
		else
			f->strangers++;
	}
}

static bool heard(const struct peer *p, uint32_t seq)
{
	return seq / 8 < p->seen_size && p->seen[seq / 8] & 1u << seq % 8;
}

// The first runs of missing numbers, as [first, how many], among those below the last one heard.
static void print_holes(const struct peer *p)
{
	unsigned n = 0;

	printf(",\"holes\":[");
	for (uint32_t seq = 0; seq < p->next_seq && n < MAX_HOLES; seq++) {
		uint32_t first = seq;

		while (seq < p->next_seq && !heard(p, seq))
			seq++;
		if (seq > first)
			printf("%s[%u,%u]", n++ ? "," : "", first, seq - first);
	}
	printf("]");
}

static void print_slots(const char *name, const struct slots *s)
{
	printf(",\"%s\":[", name);
	for (size_t i = 0; i < s->end; i++)
		printf("%s%u", i ? "," : "", s->n[i]);
	printf("]");
}

static void print_result(const struct flow *f, const char *host)
{
	char addr[INET_ADDRSTRLEN];

	printf("{\"host\":\"%s\",\"strangers\":%" PRIu64 ",\"socket_overflow\":%" PRIu64, host,
	       f->strangers, f->overflow);
	if (f->slot_ns)
		printf(",\"slot_ms\":%" PRId64 ",\"slot_base\":%" PRId64, f->slot_ns / 1000000,
		       f->slot_base);
	printf(",\"peers\":{");
	for (size_t i = 0; i < f->n_peers; i++) {
		const struct peer *p = &f->peer[i];

		inet_ntop(AF_INET, &p->addr.sin_addr, addr, sizeof(addr));
		printf("%s\"%s\":{\"sent\":%u,\"send_errors\":%u,\"packets\":%" PRIu64
		       ",\"unique\":%" PRIu64 ",\"dup\":%" PRIu64 ",\"reordered\":%" PRIu64
		       ",\"max_gap_ms\":%.1f,\"max_delay_ms\":%.1f",
		       i ? "," : "", addr, p->sent, p->send_errors, p->packets, p->unique, p->dup,
		       p->reordered, (double)p->max_gap_ns / 1e6, (double)p->max_delay_ns / 1e6);
		print_holes(p);
		if (f->slot_ns) {
			print_slots("sent_in", &p->sent_in);
			print_slots("heard_in", &p->heard_in);
		}
		printf("}");
	}
	printf("}}\n");
	fflush(stdout);
}

static int64_t last_heard(const struct flow *f)
{
	int64_t last = 0;

	for (size_t i = 0; i < f->n_peers; i++)
		last = MAX_OF(last, f->peer[i].last_ns);
	return last;
}

static void run(struct flow *f)
{
	struct pollfd fds[] = { { f->sock, POLLIN, 0 },
				{ f->timer, POLLIN, 0 },
				{ f->signals, POLLIN, 0 } };
	int64_t ended = 0;

	for (;;) {
		struct signalfd_siginfo sig;

		if (poll(fds, N_ELEMS(fds), QUIET_MS) < 0 && errno != EINTR)
			return;
		on_packets(f);
		if (fds[1].revents)
			on_tick(f);
		if (fds[2].revents && read(f->signals, &sig, sizeof(sig)) == sizeof(sig)) {
			f->sending = sig.ssi_signo == SIGUSR1;
			if (!f->sending)
				ended = now_ns();
		}
		if (ended && (now_ns() - MAX_OF(last_heard(f), ended) > QUIET_MS * 1000000ll ||
			      now_ns() - ended > MAX_END_MS * 1000000ll))
			return;
	}
}

static void open_all(struct flow *f, const char *host, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct itimerspec tick = { { 0, TICK_NS }, { 0, TICK_NS } };
	int one = 1, size = 16 << 20;
	sigset_t set;

	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1) {
		fprintf(stderr, "flow: \"%s\" is not an IPv4 address\n", host);
		exit(2);
	}
	f->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(f->sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(f->sock, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof(one));
	if (bind(f->sock, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror("flow: bind");
		exit(1);
	}
	prctl(PR_SET_TIMERSLACK, 1);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	timerfd_settime(f->timer, 0, &tick, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	f->signals = signalfd(-1, &set, SFD_CLOEXEC);
}

static void usage(void)
{
	fprintf(stderr, "usage: flow [-r PACKETS_PER_SECOND_TO_EACH] [-l PAYLOAD_OCTETS] [-p PORT] "
			"[-b SLOT_MS] OWN_ADDRESS PEER_ADDRESS...\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static struct flow f = { .rate = 100, .size = 64 };
	uint16_t port = 7777;
	int opt;

	while ((opt = getopt(argc, argv, "r:l:p:b:")) != -1) {
		if (opt == 'r')
			f.rate = (unsigned)atoi(optarg);
		else if (opt == 'l')
			f.size = (size_t)atoi(optarg);
		else if (opt == 'p')
			port = (uint16_t)atoi(optarg);
		else if (opt == 'b')
			f.slot_ns = atoi(optarg) * 1000000ll;
		else
			usage();
	}
	if (argc - optind < 2 || argc - optind - 1 > MAX_PEERS || f.size < sizeof(struct packet) ||
	    f.size > 2048 || f.slot_ns < 0)
		usage();
	if (f.slot_ns)
		f.slot_base = now_ns() / f.slot_ns;
	for (int i = optind + 1; i < argc; i++) {
		struct peer *p = &f.peer[f.n_peers++];

		p->addr.sin_family = AF_INET;
		p->addr.sin_port = htons(port);
		if (inet_pton(AF_INET, argv[i], &p->addr.sin_addr) != 1)
			usage();
	}
	open_all(&f, argv[optind], port);
	fprintf(stderr, "ready\n");
	run(&f);
	print_result(&f, argv[optind]);
	for (size_t i = 0; i < f.n_peers; i++) {
		free(f.peer[i].seen);
		free(f.peer[i].sent_in.n);
		free(f.peer[i].heard_in.n);
	}
	return 0;
}
