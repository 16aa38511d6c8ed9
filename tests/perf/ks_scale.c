// tests/perf/ks_scale.c - many members on one real ksd: what they cost, and what a kill costs them.
//
//   ks_scale KSD FILE CONTROL-SOCKET STATE-FOLDER MEMBERS REKEYS LOSS SEED KILLS
//
// Starts KSD with the configuration FILE, which names the control socket and the state folder ("":
// it keeps no state). MEMBERS register (pre-shared key, ECP-256) and hang up as gmd does. Then
// REKEYS times "crypto gdoi ks rekey", each until ksd has everybody's acknowledgement; and as many
// while LOSS percent of the datagrams are lost each way, drawn from SEED. Then, with the same loss,
// KILLS more during which ksd is killed by SIGKILL, at a moment drawn from SEED when the rekey has
// reached somebody, and started again; each until all have acknowledged.
// Prints one JSON object. Ends with an error when anything is missing at the end: a member without
// a rekey, a record, or when somebody had to register again.
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "tests/perf/crowd.h"

#define WINDOW	   256
#define START_S	   120
#define REKEY_S	   300
#define POLL_MS	   20
#define KILLS_MAX  16
#define REKEYS_MAX 16

struct run {
	struct crowd crowd;
	const char *ksd, *file, *control, *state;
	pid_t pid;
	clockid_t cpu; // of ksd
	uint32_t rekeys_asked;
	double asked_wall, asked_cpu; // when the last was
};

static struct run run;

// ---- ksd ----

static void stop(void)
{
	if (run.pid > 0) {
		kill(run.pid, SIGKILL);
		waitpid(run.pid, NULL, 0);
	}
	run.pid = 0;
}

// Returns when it has been started, not when it serves.
static void start(void)
{
	run.pid = fork();
	if (run.pid == 0) {
		execl(run.ksd, run.ksd, "-n", "-f", run.file, NULL);
		_exit(127);
	}
	if (run.pid < 0 || clock_getcpuclockid(run.pid, &run.cpu) != 0)
		crowd_die("ksd cannot be started");
}

// Its control socket answers.
static void await_ksd(void)
{
	mono_t give_up = mono_add_s(mono_now(), START_S);
	json_t *data;

	while (!(data = crowd_ask(run.control, "show version"))) {
		if (mono_due(give_up, mono_now()) || waitpid(run.pid, NULL, WNOHANG) != 0)
			crowd_die("ksd does not serve");
		crowd_receive(&run.crowd, 1);
	}
	json_decref(data);
}

// kB of memory that it has.
static long rss_kb(void)
{
	char path[64], line[128];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)run.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kb;
}

static long octets_of(const char *name)
{
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", run.state, name);
	return run.state[0] && stat(path, &st) == 0 ? (long)st.st_size : 0;
}

// Datagrams that the kernel had no room for, of all sockets of this network namespace.
static long kernel_drops(void)
{
	FILE *f = fopen("/proc/self/net/udp", "re");
	long all = 0, one;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(strrchr(line, ' ') ? strrchr(line, ' ') : "", "%ld", &one) == 1)
			all += one;
	}
	if (f)
		fclose(f);
	return all;
}

// A number out of a show of the first group.
static json_int_t shown(const char *words, const char *name)
{
	json_t *data = crowd_ask(run.control, words), *group;
	json_int_t v;

	group = json_array_get(json_object_get(data, "groups"), 0);
	if (!group)
		crowd_die("ksd does not answer");
	v = json_integer_value(json_object_get(group, name));
	json_decref(data);
	return v;
}

#define SHOW	   "show crypto gdoi ks"
#define SHOW_REKEY "show crypto gdoi ks rekey"

// ---- rekeys ----

// Refused as long as too many generations of keys are in use.
static void ask_rekey(void)
{
	mono_t give_up = mono_add_s(mono_now(), REKEY_S);
	json_t *data;

	for (;;) {
		run.asked_wall = crowd_seconds(CLOCK_MONOTONIC);
		run.asked_cpu = crowd_seconds(run.cpu);
		data = crowd_ask(run.control, "crypto gdoi ks rekey");
		if (data)
			break;
		if (mono_due(give_up, mono_now()))
			crowd_die("the rekey was refused");
		crowd_receive(&run.crowd, 1000);
	}
	json_decref(data);
	run.rekeys_asked++;
}

static bool all_acked(void)
{
	struct crowd *c = &run.crowd;

	return c->n_pushes >= c->n * run.rekeys_asked && (size_t)shown(SHOW_REKEY, "acks") == c->n;
}

// Asks ksd no more often than does no harm to what is measured.
static void await_acks(void)
{
	mono_t give_up = mono_add_s(mono_now(), REKEY_S), poll = mono_now();

	for (;;) {
		crowd_receive(&run.crowd, POLL_MS);
		if (!mono_due(mono_add_ms(poll, POLL_MS), mono_now()))
			continue;
		poll = mono_now();
		if (all_acked())
			return;
		if (mono_due(give_up, poll))
			crowd_die("a rekey did not come to all, or their answers did not");
	}
}

static json_t *one_rekey(void)
{
	json_int_t resent = shown(SHOW_REKEY, "retransmits");
	uint64_t lost_in = run.crowd.n_lost_in, lost_out = run.crowd.n_lost_out;
	double wall, cpu;

	ask_rekey();
	await_acks();
	wall = crowd_seconds(CLOCK_MONOTONIC) - run.asked_wall;
	cpu = crowd_seconds(run.cpu) - run.asked_cpu;
	return json_pack("{s:f, s:f, s:I, s:I, s:I}", "wall_ms", wall * 1e3, "cpu_ms", cpu * 1e3,
			 "resent", (json_int_t)(shown(SHOW_REKEY, "retransmits") - resent),
			 "lost_to_members", (json_int_t)(run.crowd.n_lost_in - lost_in),
			 "lost_acks", (json_int_t)(run.crowd.n_lost_out - lost_out));
}

// ---- kills ----

// Killed when so many members have the rekey: drawn, at least one.
static json_t *one_kill(void)
{
	struct crowd *c = &run.crowd;
	uint64_t before = c->n_pushes, sent_before;
	size_t when = (size_t)rng_range(&c->dice, 1, c->n - 1);
	double killed, up, first = 0;

	ask_rekey();
	while (c->n_pushes - before < when)
		crowd_receive(c, POLL_MS);
	stop();
	while (crowd_receive(c, 0) > 0) // what was on its way
		;
	when = c->n_pushes - before;
	sent_before = c->n_out;
	killed = crowd_seconds(CLOCK_MONOTONIC);
	start();
	await_ksd();
	up = crowd_seconds(CLOCK_MONOTONIC);
	while (c->n_out == sent_before) // somebody is answering again
		crowd_receive(c, 1);
	first = crowd_seconds(CLOCK_MONOTONIC);
	await_acks();
	return json_pack("{s:I, s:f, s:f, s:f}", "had_it", (json_int_t)when, "serves_ms",
			 (up - killed) * 1e3, "goes_on_ms", (first - killed) * 1e3, "all_acked_ms",
			 (crowd_seconds(CLOCK_MONOTONIC) - killed) * 1e3);
}

static void judge_end(void)
{
	if ((size_t)shown(SHOW, "members") != run.crowd.n)
		crowd_die("ksd has lost members");
	if ((size_t)shown(SHOW, "registrations") != run.crowd.n)
		crowd_die("somebody registered again");
}

// ---- the whole ----

static void registrations(json_t *all)
{
	double wall = crowd_seconds(CLOCK_MONOTONIC), cpu = crowd_seconds(run.cpu);

	json_object_set_new(all, "rss_empty_kb", json_integer(rss_kb()));
	crowd_register(&run.crowd);
	wall = crowd_seconds(CLOCK_MONOTONIC) - wall;
	cpu = crowd_seconds(run.cpu) - cpu;
	json_object_set_new(all, "register_wall_s", json_real(wall));
	json_object_set_new(all, "register_cpu_s", json_real(cpu));
}

static json_t *repeat(json_t *once(void), unsigned n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(list, once());
	return list;
}

static void measure(json_t *all, unsigned rekeys, unsigned kills, unsigned loss)
{
	registrations(all);
	json_object_set_new(all, "rekeys", repeat(one_rekey, rekeys));
	run.crowd.loss_percent = loss;
	json_object_set_new(all, "lossy_rekeys", repeat(one_rekey, rekeys));
	json_object_set_new(all, "rss_kb", json_integer(rss_kb()));
	json_object_set_new(all, "state_octets", json_integer(octets_of("state.db")));
	json_object_set_new(all, "log_octets", json_integer(octets_of("state.db-wal")));
	json_object_set_new(all, "kernel_drops", json_integer(kernel_drops()));
	json_object_set_new(all, "kills", repeat(one_kill, kills));
	judge_end();
}

int main(int argc, char **argv)
{
	json_t *all;
	unsigned loss;

	if (argc != 10)
		crowd_die("KSD FILE CONTROL-SOCKET STATE-FOLDER MEMBERS REKEYS LOSS SEED KILLS");
	run.ksd = argv[1];
	run.file = argv[2];
	run.control = argv[3];
	run.state = argv[4];
	run.crowd.n = (size_t)atoi(argv[5]);
	loss = (unsigned)atoi(argv[7]);
	run.crowd.seed = (uint64_t)atoll(argv[8]);
	if (crypto_init() || run.crowd.n < 2 || run.crowd.n > CROWD_MAX || loss > 90)
		crowd_die("MEMBERS or LOSS is out of range");
	run.crowd.server = (struct endpoint){ addr_from_v4(INADDR_LOOPBACK), 848 };
	run.crowd.proposal =
		(struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_NONE };
	run.crowd.window = WINDOW;
	run.crowd.hang_up = true;
	crowd_init(&run.crowd);
	atexit(stop);
	start();
	await_ksd();
	all = json_pack("{s:I, s:i}", "members", (json_int_t)run.crowd.n, "loss_percent",
			(int)loss);
	measure(all, (unsigned)MIN_OF(atoi(argv[6]), REKEYS_MAX),
		(unsigned)MIN_OF(atoi(argv[9]), KILLS_MAX), loss);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	printf("\n");
	json_decref(all);
	crowd_fini(&run.crowd);
	return 0;
}
