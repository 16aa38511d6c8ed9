// tests/perf/ks_crowd.c - a crowd of group members against a real ksd, and bare OpenSSL beside it.
//
//   ks_crowd SERVER PORT CONTROL-SOCKET PID MEMBERS REKEYS METHOD [DIR]
//
// METHOD: psk-ecp256, psk-modp2048, ecdsa-p256 or rsa-2048. Certificates (crowd_pki.h, out of DIR)
// are proved on ECP-256. First MEMBERS registrations (main mode, then GROUPKEY-PULL), WINDOW of them
// under way at a time; then REKEYS times "crypto gdoi ks rekey", each until the last member has
// acknowledged. Prints one JSON object: wall time and ksd's CPU time (process PID), the cost of
// what cannot be avoided done by OpenSSL and the kernel alone, in this run (bare.h).
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "tests/perf/bare.h"
#include "tests/perf/crowd.h"
#include "tests/perf/crowd_pki.h"

#define WINDOW 32

static const struct method {
	const char *name;
	struct ike_proposal proposal;
} methods[] = {
	{ "psk-ecp256", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_NONE } },
	{ "psk-modp2048", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_MODP2048, SIGN_NONE } },
	{ "ecdsa-p256", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_ECDSA_P256 } },
	{ "rsa-2048", { CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_RSA } },
};

// ---- rekeys ----

// Milliseconds until the key server has every acknowledgement; 0 while it has not.
static double acked_ms(const char *control)
{
	json_t *data = crowd_ask(control, "show crypto gdoi ks rekey"), *group;
	double ms = 0;

	group = json_array_get(json_object_get(data, "groups"), 0);
	if (!group)
		crowd_die("ksd does not answer");
	if (!json_is_true(json_object_get(group, "in_progress")))
		ms = (double)json_integer_value(json_object_get(group, "last_rekey_ms"));
	json_decref(data);
	return ms;
}

// Wall milliseconds until every member has it and the server has heard so from each.
static double crowd_rekey(struct crowd *c, const char *control, uint32_t n_push)
{
	mono_t give_up = mono_add_s(mono_now(), 20);
	json_t *answer = crowd_ask(control, "crypto gdoi ks rekey");

	if (!answer)
		crowd_die("the rekey was refused");
	json_decref(answer);
	while (c->n_pushes < c->n * n_push) {
		crowd_receive(c, 20);
		if (mono_due(give_up, mono_now()))
			crowd_die("a rekey did not reach all members");
	}
	usleep(100000);
	for (;;) {
		double ms = acked_ms(control);

		if (ms > 0)
			return ms;
		crowd_receive(c, 20);
		if (mono_due(give_up, mono_now()))
			crowd_die("acknowledgements are missing");
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
		crowd_die("METHOD is psk-ecp256, psk-modp2048, ecdsa-p256 or rsa-2048");
	if (c->proposal.auth == SIGN_NONE)
		return;
	c->pki = dir ? crowd_pki_open(dir) : NULL;
	if (!c->pki)
		crowd_die("DIR has to hold ca.pem, ca.key and member.key");
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
		crowd_die("SERVER PORT CONTROL-SOCKET PID MEMBERS REKEYS METHOD [DIR]");
	rekeys = (unsigned)MIN_OF(atoi(argv[6]), 64);
	if (clock_getcpuclockid(atoi(argv[4]), &ksd) != 0)
		crowd_die("no such process");
	if (atoi(argv[5]) < 1 || atoi(argv[5]) > CROWD_MAX)
		crowd_die("too many MEMBERS, or none");
	if (addr_parse(argv[1], &c.server.addr))
		crowd_die("SERVER is no address");
	c.server.port = (uint16_t)atoi(argv[2]);
	c.n = (size_t)atoi(argv[5]);
	c.window = WINDOW;
	crowd_method(&c, argv[7], argv[8]);
	bare_keys(&c, &bare);
	if (crypto_init())
		crowd_die("OpenSSL lacks what is needed");
	crowd_init(&c);

	wall = crowd_seconds(CLOCK_MONOTONIC);
	cpu = crowd_seconds(ksd);
	crowd_register(&c);
	wall = crowd_seconds(CLOCK_MONOTONIC) - wall;
	cpu = crowd_seconds(ksd) - cpu;

	bare_messages(&c, &bare);

	rekey_cpu = crowd_seconds(ksd);
	for (unsigned i = 0; i < rekeys; i++)
		ms[i] = crowd_rekey(&c, argv[3], i + 1);
	rekey_cpu = rekeys ? (crowd_seconds(ksd) - rekey_cpu) / rekeys : 0;
	printf("{\"method\":\"%s\",\"members\":%zu,\"ksd_rss_kb\":%ld,\"register_wall_s\":%.3f,"
	       "\"register_cpu_s\":%.3f,\"rekeys\":%u,\"rekey_ms\":%.1f,\"rekey_cpu_ms\":%.2f,"
	       "\"bare_dh_us\":%.1f,\"bare_prf_us\":%.1f,\"bare_path_us\":%.1f,"
	       "\"bare_datagrams_us\":%.1f,\"bare_rsa_us\":%.1f,\"bare_sendto_us\":%.2f}\n",
	       argv[7], c.n, rss_kb(argv[4]), wall, cpu, rekeys, rekeys ? median(ms, rekeys) : 0,
	       rekey_cpu * 1e3, bare.dh, bare.prf, bare.path, bare.datagrams, bare_rsa() * 1e6,
	       bare_sendto() * 1e6);
	crowd_fini(&c);
	crowd_pki_close(c.pki);
	return 0;
}
