// tests/perf/ks_coop.c - a set of three real key servers with a crowd of members: what it costs them
// to agree, how soon one that joins knows all, and what members notice when the primary is gone.
//
//   ks_coop KSD FOLDER MEMBERS KILLS SEED
//
// FOLDER/ks1, ks2, ks3 hold a ksd.conf each, for 127.0.0.1, 127.0.0.2 and 127.0.0.3, which names
// the control socket ksd.sock and the state folder state beside it. Nothing else may use the
// loopback. A third of the members registers at each. Then: octets that the three exchange while
// nothing happens; one joins with an empty disk; KILLS times the primary is killed by SIGKILL
// within a rekey, at a moment drawn from SEED, and started again.
// Prints one JSON object. Ends with an error when a member is without the keys of the others.
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "tests/perf/crowd.h"

#define SERVERS	 3
#define WINDOW	 64
#define PATIENCE 120 // s, for anything
#define POLL_MS	 10
#define IDLE_S	 10
#define SETTLE_S 6 // until all have sender ids to give: who has none renews the group
#define KILLS	 16

struct server {
	char file[300], control[300], state[300];
	pid_t pid;
};

static struct run {
	struct crowd crowd;
	const char *ksd;
	struct server server[SERVERS];
} run;

// ---- key servers ----

static void stop(struct server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static void stop_all(void)
{
	for (size_t i = 0; i < SERVERS; i++)
		stop(&run.server[i]);
}

static void start(struct server *s)
{
	s->pid = fork();
	if (s->pid == 0) {
		execl(run.ksd, run.ksd, "-n", "-f", s->file, NULL);
		_exit(127);
	}
	if (s->pid < 0)
		crowd_die("ksd cannot be started");
}

// The first group of what it answers, to be json_decref'd with *all; NULL: it does not answer.
static json_t *ask(const struct server *s, const char *words, json_t **all)
{
	*all = s->pid ? crowd_ask(s->control, words) : NULL;
	return json_array_get(json_object_get(*all, "groups"), 0);
}

static bool has_role(const struct server *s, const char *role)
{
	json_t *all, *group = ask(s, "show crypto gdoi ks coop", &all);
	const char *is = json_string_value(json_object_get(group, "role"));
	bool yes = is && strcasecmp(is, role) == 0;

	json_decref(all);
	return yes;
}

static size_t members(const struct server *s)
{
	json_t *all, *group = ask(s, "show crypto gdoi ks", &all);
	size_t n = (size_t)json_integer_value(json_object_get(group, "members"));

	json_decref(all);
	return n;
}

static struct server *primary(void)
{
	for (size_t i = 0; i < SERVERS; i++) {
		if (has_role(&run.server[i], "primary"))
			return &run.server[i];
	}
	return NULL;
}

// ---- waiting: members go on meanwhile ----

static double now_ms(void)
{
	return 1e3 * crowd_seconds(CLOCK_MONOTONIC);
}

static double await(bool done(void), const char *what)
{
	double began = now_ms();

	while (!done()) {
		crowd_receive(&run.crowd, POLL_MS);
		if (now_ms() - began > 1e3 * PATIENCE)
			crowd_die(what);
	}
	return now_ms() - began;
}

static bool one_leads(void)
{
	return primary() != NULL;
}

static bool all_serve(void)
{
	size_t leads = 0, follow = 0;

	for (size_t i = 0; i < SERVERS; i++) {
		leads += has_role(&run.server[i], "primary");
		follow += has_role(&run.server[i], "secondary");
	}
	return leads == 1 && follow == SERVERS - 1;
}

static bool all_know_all(void)
{
	for (size_t i = 0; i < SERVERS; i++) {
		if (members(&run.server[i]) != run.crowd.n)
			return false;
	}
	return true;
}

// Every member was told the same keys last.
static bool same_keys(void)
{
	const struct test_member *m = run.crowd.m;

	for (size_t i = 1; i < run.crowd.n; i++) {
		if (m[i].tek[0].spi != m[0].tek[0].spi ||
		    memcmp(m[i].kek_spi, m[0].kek_spi, sizeof(m[i].kek_spi)) != 0)
			return false;
	}
	return true;
}

// ---- figures ----

static uint64_t loopback_octets(void)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	unsigned long long n = 0;
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, " lo: %llu", &n) == 1; // received, which is what was sent
	if (!found)
		crowd_die("no statistics of the loopback");
	fclose(f);
	return n;
}

static void registrations(json_t *out)
{
	double began = now_ms();

	for (size_t i = 0; i < run.crowd.n; i++)
		run.crowd.m[i].server.addr =
			addr_from_v4(INADDR_LOOPBACK + (uint32_t)(i % SERVERS));
	crowd_register(&run.crowd);
	json_object_set_new(out, "register_ms", json_real(now_ms() - began));
	json_object_set_new(out, "all_know_ms",
			    json_real(await(all_know_all, "a key server "
							  "misses members")));
}

static void idle(json_t *out)
{
	mono_t end = mono_add_s(mono_now(), IDLE_S);
	uint64_t before = loopback_octets();

	while (!mono_due(end, mono_now()))
		crowd_receive(&run.crowd, 100);
	json_object_set_new(out, "idle_octets_per_s",
			    json_real((double)(loopback_octets() - before) / IDLE_S));
}

static void joins(json_t *out)
{
	struct server *last = &run.server[SERVERS - 1];
	char command[400];
	uint64_t before;

	if (last == primary())
		crowd_die("the key server of the lowest priority leads");
	stop(last);
	snprintf(command, sizeof(command), "rm -rf '%s'", last->state);
	if (system(command) != 0)
		crowd_die("cannot remove a state folder");
	before = loopback_octets();
	start(last);
	json_object_set_new(out, "join_ms",
			    json_real(await(all_know_all, "who joined does not "
							  "know all")));
	json_object_set_new(out, "join_octets",
			    json_integer((json_int_t)(loopback_octets() - before)));
	await(all_serve, "who joined does not follow");
}

// A rekey, the primary killed when so many members have it.
static json_t *one_kill(void)
{
	struct crowd *c = &run.crowd;
	size_t when = (size_t)rng_range(&c->dice, 1, c->n - 1);
	uint64_t before = c->n_pushes;
	struct server *led = primary();
	double killed, leads, all;
	json_t *data = crowd_ask(led->control, "crypto gdoi ks rekey");

	if (!data)
		crowd_die("the rekey was refused");
	json_decref(data);
	while (c->n_pushes - before < when)
		crowd_receive(c, POLL_MS);
	stop(led);
	killed = now_ms();
	when = c->n_pushes - before;
	await(one_leads, "nobody takes over");
	leads = now_ms() - killed;
	await(same_keys, "members have different keys");
	all = now_ms() - killed;
	start(led);
	await(all_serve, "who was killed does not follow");
	await(all_know_all, "a key server misses members");
	return json_pack("{s:I, s:f, s:f}", "had_it", (json_int_t)when, "leads_ms", leads,
			 "same_keys_ms", all);
}

static void one_rekey(json_t *out)
{
	uint64_t before = run.crowd.n_pushes;
	double began = now_ms();
	json_t *data = crowd_ask(primary()->control, "crypto gdoi ks rekey");

	if (!data)
		crowd_die("the rekey was refused");
	json_decref(data);
	while (run.crowd.n_pushes - before < run.crowd.n)
		crowd_receive(&run.crowd, POLL_MS);
	json_object_set_new(out, "rekey_ms", json_real(now_ms() - began));
	sleep(1); // its acknowledgements
	crowd_receive(&run.crowd, 0);
}

// ---- the whole ----

static void prepare(char **argv)
{
	run.ksd = argv[1];
	for (size_t i = 0; i < SERVERS; i++) {
		struct server *s = &run.server[i];

		snprintf(s->file, sizeof(s->file), "%s/ks%zu/ksd.conf", argv[2], i + 1);
		snprintf(s->control, sizeof(s->control), "%s/ks%zu/ksd.sock", argv[2], i + 1);
		snprintf(s->state, sizeof(s->state), "%s/ks%zu/state", argv[2], i + 1);
	}
	run.crowd.n = (size_t)atoi(argv[3]);
	run.crowd.seed = (uint64_t)atoll(argv[5]);
	if (crypto_init() || run.crowd.n < SERVERS || run.crowd.n > CROWD_MAX)
		crowd_die("MEMBERS is out of range");
	run.crowd.server = (struct endpoint){ addr_from_v4(INADDR_LOOPBACK), 848 };
	run.crowd.proposal =
		(struct ike_proposal){ CIPHER_AES128_CBC, HASH_ALG_SHA256, DH_ECP256, SIGN_NONE };
	run.crowd.window = WINDOW;
	run.crowd.hang_up = true;
	run.crowd.patient = true; // at first not all key servers have sender ids to give
	crowd_init(&run.crowd);
	atexit(stop_all);
}

int main(int argc, char **argv)
{
	json_t *out, *kills = json_array();

	if (argc != 6)
		crowd_die("KSD FOLDER MEMBERS KILLS SEED");
	prepare(argv);
	for (size_t i = 0; i < SERVERS; i++)
		start(&run.server[i]);
	await(all_serve, "the set does not agree who leads");
	sleep(SETTLE_S);
	out = json_pack("{s:I, s:o}", "members", (json_int_t)run.crowd.n, "kills", kills);
	registrations(out);
	idle(out);
	joins(out);
	one_rekey(out);
	for (int i = 0; i < MIN_OF(atoi(argv[4]), KILLS); i++)
		json_array_append_new(kills, one_kill());
	json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	printf("\n");
	json_decref(out);
	crowd_fini(&run.crowd);
	return 0;
}
