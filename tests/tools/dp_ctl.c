// tests/tools/dp_ctl.c - programs espd from a text file, as gmd would, and prints answers.
//
//   dp_ctl SOCKET < SCRIPT
//
// One line per group, SA, rule or exemption; "commit N" wraps what came before into one
// transaction. SAs and rules before the first group are of a live group "test" on all ports.
//   group NAME live|keep|instead open|closed [PORT…]
//   sa SPI in|out|both SUITE KEYHEX AUTHHEX|- SID/BITS[/WINDOW]|- LIFE
//   rule protect|clear|drop SRC/LEN DST/LEN PROTO SPORT|- DPORT|- SPI_OUT SPI_IN,SPI_IN|- [accept] [send]
//   exempt udp|tcp LOCAL REMOTE PORT
//   commit GENERATION     hello     stats     counters     wait SECONDS
// Lines out: "result STATUS TEXT", "sa SPI out=N in=N auth=N policy=N iv=N", "counter NAME N",
// "note KIND SPI COUNT", "hello …". Exit status 1 when a result was not 0.
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/addr.h"
#include "common/base/flow.h"
#include "dataplane/dp_client.h"

#define MAX_ITEMS 20000

static struct dp_client client;
static struct dp_msg *items; // of the transaction being read
static size_t n_items;
static int status;

static _Noreturn void die(const char *what, const char *word)
{
	fprintf(stderr, "dp_ctl: %s: %s\n", what, word ? word : "");
	exit(2);
}

static void must(int err, const char *what)
{
	if (err < 0)
		die(what, strerror(-err));
}

static const char *word(char **save)
{
	const char *w = strtok_r(NULL, " \t\n", save);

	if (!w)
		die("line", "too short");
	return w;
}

static uint8_t hex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	if (strcmp(text, "-") == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (i >= DP_MAX_KEY || sscanf(text + 2 * i, "%2x", &v) != 1)
			die("bad hex", text);
		out[i] = (uint8_t)v;
	}
	return (uint8_t)n;
}

static struct dp_msg *item(enum dp_type type)
{
	struct dp_msg *m = &items[n_items++];

	if (n_items > MAX_ITEMS)
		die("too many lines", NULL);
	memset(m, 0, sizeof(*m));
	m->type = (uint16_t)type;
	return m;
}

static unsigned suite(const char *name)
{
	static const char *const names[] = { "none", "gcm128", "gcm256", "cbc128", "cbc256" };

	for (unsigned i = 0; i < N_ELEMS(names); i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return (unsigned)atoi(name);
}

static void read_sa(char **save)
{
	struct dp_sa *sa = &item(DP_SA)->u.sa;
	const char *dir, *sid;
	unsigned v, bits, window = 0;

	sa->spi = (uint32_t)strtoul(word(save), NULL, 0);
	dir = word(save);
	sa->dir = strcmp(dir, "in") == 0    ? DP_DIR_IN
		  : strcmp(dir, "out") == 0 ? DP_DIR_OUT
					    : DP_DIR_BOTH;
	sa->suite = (uint8_t)suite(word(save));
	sa->key_len = hex(word(save), sa->key);
	sa->auth_len = hex(word(save), sa->auth);
	sid = word(save);
	if (sscanf(sid, "%u/%u/%u", &v, &bits, &window) >= 2) {
		sa->window = (uint16_t)window;
		sa->sid = v;
		sa->sid_bits = (uint8_t)bits;
	}
	sa->life_s = (uint32_t)strtoul(word(save), NULL, 0);
}

static void range(const char *text, uint8_t lo[16], uint8_t hi[16])
{
	struct prefix p;
	struct addr a, b;

	if (prefix_parse(text, &p) < 0)
		die("bad prefix", text);
	a = prefix_first(&p);
	b = prefix_last(&p);
	memcpy(lo, a.b, 16);
	memcpy(hi, b.b, 16);
}

static void ports(const char *text, uint16_t *lo, uint16_t *hi)
{
	unsigned a = 0, b = 65535;

	if (strcmp(text, "-") != 0 && sscanf(text, "%u-%u", &a, &b) == 1)
		b = a;
	*lo = (uint16_t)a;
	*hi = (uint16_t)b;
}

static void read_rule(char **save)
{
	struct dp_rule *r = &item(DP_RULE)->u.rule;
	const char *w = word(save);
	char *list, *at = NULL;

	r->family = 4;
	r->line = (uint32_t)n_items;
	r->action = strcmp(w, "protect") == 0 ? DP_PROTECT
		    : strcmp(w, "clear") == 0 ? DP_CLEAR
					      : DP_DROP;
	range(word(save), r->src_lo, r->src_hi);
	range(word(save), r->dst_lo, r->dst_hi);
	w = word(save);
	if (ip_proto_parse(w, &r->proto) < 0)
		die("bad protocol", w);
	ports(word(save), &r->sport_lo, &r->sport_hi);
	ports(word(save), &r->dport_lo, &r->dport_hi);
	r->spi_out = (uint32_t)strtoul(word(save), NULL, 0);
	list = strdup(word(save));
	for (char *s = strtok_r(list, ",", &at); s && strcmp(s, "-") != 0;
	     s = strtok_r(NULL, ",", &at))
		if (r->n_spi_in < DP_MAX_SPI_IN)
			r->spi_in[r->n_spi_in++] = (uint32_t)strtoul(s, NULL, 0);
	free(list);
	r->accept_clear = strtok_r(NULL, " \t\n", save) != NULL;
	r->send_clear = strtok_r(NULL, " \t\n", save) != NULL;
}

static void read_exempt(char **save)
{
	struct dp_exempt *e = &item(DP_EXEMPT)->u.exempt;
	struct addr a;

	e->family = 4;
	e->proto = strcmp(word(save), "tcp") == 0 ? 6 : 17;
	if (addr_parse(word(save), &a) < 0)
		die("bad address", "local");
	memcpy(e->local, a.b, 16);
	if (addr_parse(word(save), &a) < 0)
		die("bad address", "remote");
	memcpy(e->remote, a.b, 16);
	e->port = (uint16_t)atoi(word(save));
}

static void read_group(char **save)
{
	struct dp_group *g = &item(DP_GROUP)->u.group;
	const char *w;

	snprintf(g->name, sizeof(g->name), "%s", word(save));
	w = word(save);
	g->standing = strcmp(w, "live") == 0   ? DP_LIVE
		      : strcmp(w, "keep") == 0 ? DP_KEEP
					       : DP_INSTEAD;
	g->closed = strcmp(word(save), "closed") == 0;
	while ((w = strtok_r(NULL, " \t\n", save)) && g->n_ports < DP_MAX_PORTS)
		snprintf(g->port[g->n_ports++], DP_PORT_LEN, "%s", w);
}

static void print(const struct dp_msg *m)
{
	const struct dp_sa_stats *s = &m->u.sa_stats;
	const struct dp_hello_ack *h = &m->u.hello_ack;

	switch (m->type) {
	case DP_RESULT:
		printf("result %d %s\n", m->u.result.status, m->u.result.text);
		if (m->u.result.status != 0)
			status = 1;
		break;
	case DP_SA_STATS:
		printf("sa 0x%x out=%llu in=%llu auth=%llu policy=%llu iv=%llu life=%u\n", s->spi,
		       (unsigned long long)s->packets_out, (unsigned long long)s->packets_in,
		       (unsigned long long)s->auth_fail, (unsigned long long)s->policy_fail,
		       (unsigned long long)s->iv_used, s->life_s);
		break;
	case DP_COUNTER:
		printf("counter %s %llu\n", m->u.counter.name,
		       (unsigned long long)m->u.counter.value);
		break;
	case DP_NOTE:
		printf("note %u 0x%x %llu group=%s line=%u origin=%u caught=%u\n", m->u.note.kind,
		       m->u.note.spi, (unsigned long long)m->u.note.count, m->u.note.group,
		       m->u.note.line, m->u.note.origin, m->u.note.caught);
		break;
	default:
		printf("hello version=%u workers=%u core_bits=%u boot=%llx generation=%llu "
		       "backend=%s\n",
		       h->version, h->n_workers, h->core_bits, (unsigned long long)h->boot_id,
		       (unsigned long long)h->generation, h->backend);
	}
	fflush(stdout);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

// Sends what is queued and prints what comes: until an answer to the last message, or for ms.
static void exchange(int64_t ms, bool until_answer)
{
	int64_t end = now_ms() + ms;
	struct dp_msg m;

	for (;;) {
		struct pollfd p = { .fd = client.fd, .events = POLLIN };
		int got;

		must(dp_client_flush(&client), "send");
		while ((got = dp_client_recv(&client, &m)) > 0) {
			print(&m);
			if (until_answer && (m.type == DP_RESULT || m.type == DP_HELLO_ACK) &&
			    (m.tag == client.tag || m.tag == 0))
				return;
		}
		must(got, "receive");
		if (now_ms() >= end) {
			if (until_answer)
				die("no answer", NULL);
			return;
		}
		if (dp_client_wants_write(&client))
			p.events |= POLLOUT;
		poll(&p, 1, 50);
	}
}

static void commit(uint64_t generation)
{
	static const struct dp_group test = { .name = "test", .standing = DP_LIVE };
	bool in_group = false;

	must(dp_client_begin(&client, generation), "begin");
	for (size_t i = 0; i < n_items; i++) {
		struct dp_msg *m = &items[i];

		if (!in_group && (m->type == DP_SA || m->type == DP_RULE))
			must(dp_client_group(&client, &test), "group");
		in_group |= m->type != DP_EXEMPT;
		if (m->type == DP_GROUP)
			must(dp_client_group(&client, &m->u.group), "group");
		else if (m->type == DP_SA)
			must(dp_client_sa(&client, &m->u.sa), "sa");
		else if (m->type == DP_RULE)
			must(dp_client_rule(&client, &m->u.rule), "rule");
		else
			must(dp_client_exempt(&client, &m->u.exempt), "exempt");
	}
	n_items = 0;
	must(dp_client_commit(&client, generation), "commit");
	exchange(10000, true);
}

static void line(char *text)
{
	char *save = NULL;
	const char *w = strtok_r(text, " \t\n", &save);

	if (!w || *w == '#')
		return;
	if (strcmp(w, "group") == 0) {
		read_group(&save);
	} else if (strcmp(w, "sa") == 0) {
		read_sa(&save);
	} else if (strcmp(w, "rule") == 0) {
		read_rule(&save);
	} else if (strcmp(w, "exempt") == 0) {
		read_exempt(&save);
	} else if (strcmp(w, "commit") == 0) {
		commit(strtoull(word(&save), NULL, 0));
	} else if (strcmp(w, "wait") == 0) {
		exchange((int64_t)(atof(word(&save)) * 1000), false);
	} else {
		if (strcmp(w, "hello") == 0)
			must(dp_client_hello(&client), w);
		else if (strcmp(w, "stats") == 0)
			must(dp_client_sa_stats_get(&client), w);
		else if (strcmp(w, "counters") == 0)
			must(dp_client_counters_get(&client), w);
		else
			die("unknown word", w);
		exchange(10000, true);
	}
}

int main(int argc, char **argv)
{
	char text[1024];

	if (argc != 2) {
		fprintf(stderr, "usage: dp_ctl SOCKET < SCRIPT\n");
		return 2;
	}
	items = calloc(MAX_ITEMS, sizeof(*items));
	dp_client_init(&client);
	must(dp_client_connect(&client, argv[1]), argv[1]);
	while (fgets(text, sizeof(text), stdin))
		line(text);
	dp_client_close(&client);
	free(items);
	return status;
}
