// tests/sim/coop_sim.c - worlds of cooperating key servers, from a seed.
// Environment: N=worlds, SEED=n replays one with its story, FROM=n starts there, V=1 tells all.
// A failure prints SEED=, which invariant (coop_invariants.h), when, and what was seen.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/coop_world.h"

#define WORLDS 300

bool verbose;

void tell(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	printf("[%8.3f] ", (double)w->now / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void violated(struct world *w, enum coop_invariant i, const char *fmt, ...)
{
	static const char *const text[][2] = {
#define X(sym, text) { #sym, text },
		COOP_INVARIANTS(X)
#undef X
	};
	va_list ap;

	if (w->broken)
		return;
	w->broken = true;
	printf("SEED=%llu\n  %s: %s\n  at %.3f s: ", (unsigned long long)w->seed, text[i][0],
	       text[i][1], (double)w->now / 1000);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

// ---- faults ----

static size_t some_ks(struct world *w)
{
	return rng_range(&w->rng, 0, w->n_ks - 1);
}

static void heal(struct world *w)
{
	tell(w, "all cuts heal");
	memset(w->cut, 0, sizeof(w->cut));
	memset(w->side_ks, 0, sizeof(w->side_ks));
	memset(w->side_gm, 0, sizeof(w->side_gm));
	w->gm_split = false;
	net_links(w);
}

// Into two or three sides; members go along, or reach all as before.
static void split(struct world *w)
{
	uint64_t sides = rng_range(&w->rng, 2, 3);

	w->gm_split = chance(w, 500);
	tell(w, "split%s", w->gm_split ? ", members too" : "");
	for (size_t i = 0; i < w->n_ks; i++)
		w->side_ks[i] = (uint8_t)rng_range(&w->rng, 0, sides - 1);
	for (size_t g = 0; g < w->n_gm; g++)
		w->side_gm[g] = (uint8_t)rng_range(&w->rng, 0, sides - 1);
	for (size_t a = 0; a < w->n_ks; a++) {
		for (size_t b = 0; b < w->n_ks; b++)
			w->cut[a][b] = w->side_ks[a] != w->side_ks[b];
	}
	net_links(w);
}

static void cut_pair(struct world *w)
{
	size_t a = some_ks(w), b = some_ks(w);
	bool one_way = chance(w, 400);

	if (a == b)
		return;
	tell(w, "ks%zu %s ks%zu", a, one_way ? "is not heard by" : "and", b);
	w->cut[a][b] = true;
	w->cut[b][a] |= !one_way;
	net_links(w);
}

static void kill_one(struct world *w)
{
	size_t i = some_ks(w);
	struct sim_ks *k = &w->ks[i];

	if (!k->up)
		return;
	if (!k->old.used || chance(w, 300))
		disk_copy(&k->old, &k->disk);
	ks_kill(w, i);
	if (!w->restored && chance(w, 80)) {
		tell(w, "ks%zu: an old copy of its disk is put back", i);
		w->restored = true;
		disk_copy(&k->disk, &k->old);
	} else if (!w->restored && chance(w, 50)) {
		tell(w, "ks%zu: its disk is lost", i);
		w->restored = true;
		if (k->disk.used)
			coop_store_fini(&k->disk.store);
		k->disk = (struct disk){ 0 };
	}
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 200, 40000),
				 .kind = T_KS_UP,
				 .to = (uint8_t)i });
}

static void configure(struct world *w)
{
	size_t i = some_ks(w);
	struct sim_ks *k = &w->ks[i];

	switch (rng_range(&w->rng, 0, 3)) {
	case 0:
		k->conf.maintenance = !k->conf.maintenance;
		tell(w, "ks%zu: maintenance %d", i, k->conf.maintenance);
		break;
	case 1:
		k->conf.preempt = !k->conf.preempt;
		tell(w, "ks%zu: preempt %d", i, k->conf.preempt);
		break;
	case 2:
		k->conf.digest[0] ^= 1;
		tell(w, "ks%zu: policy %d", i, k->conf.digest[0]);
		break;
	default:
		k->conf.priority = (uint8_t)rng_range(&w->rng, 1, 4);
		tell(w, "ks%zu: priority %u", i, k->conf.priority);
		break;
	}
	w->changed = w->now;
	ks_configure(w, i);
}

static void operate(struct world *w)
{
	size_t i = some_ks(w), g = rng_range(&w->rng, 0, w->n_gm - 1);

	if (!w->ks[i].up)
		return;
	if (chance(w, 700)) {
		tell(w, "ks%zu: clear role", i);
		w->ks[i].forced |= w->ks[i].c.drift;
		ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_ROLE });
	} else if (!w->gm[g].excluded && g < 3) {
		ks_exclude(w, i, g);
	}
	w->changed = w->now;
}

// Everybody's configuration names those that exist now.
static void know_each_other(struct world *w)
{
	for (size_t i = 0; i < w->n_ks; i++) {
		struct coop_conf *c = &w->ks[i].conf;

		c->n_peers = 0;
		for (size_t j = 0; j < w->n_ks; j++) {
			if (j != i && w->ks[j].exists)
				c->peer[c->n_peers++] = w->ks[j].conf.addr;
		}
		if (w->ks[i].up)
			ks_configure(w, i);
	}
}

static void add_or_remove(struct world *w)
{
	struct sim_ks *k = &w->ks[w->n_ks - 1];

	if (w->n_ks < 4)
		return;
	k->exists = !k->exists;
	tell(w, "ks%zu is %s", w->n_ks - 1, k->exists ? "added" : "taken out");
	if (k->up)
		ks_kill(w, w->n_ks - 1);
	know_each_other(w);
	if (k->exists)
		ks_start(w, w->n_ks - 1);
}

static void fault(struct world *w)
{
	uint64_t what = rng_range(&w->rng, 0, 99);

	if (what < 22)
		split(w);
	else if (what < 42)
		heal(w);
	else if (what < 55)
		cut_pair(w);
	else if (what < 80)
		kill_one(w);
	else if (what < 88)
		configure(w);
	else if (what < 97)
		operate(w);
	else
		add_or_remove(w);
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 500, 28000),
				 .kind = T_FAULT });
}

// Nothing more will happen to them: what is still wrong then is wrong.
static void peace(struct world *w)
{
	tell(w, "peace");
	w->peace = true;
	w->rough = 0;
	w->loss = w->dup = 0;
	for (size_t i = 0; i < w->n_ks; i++) {
		struct sim_ks *k = &w->ks[i];

		k->conf.maintenance = false;
		k->conf.digest[0] = 0;
		k->conf.preempt = false;
		ks_configure(w, i);
		if (k->exists && !k->up)
			ks_start(w, i);
	}
	heal(w);
}

// ---- a world ----

static void ks_make(struct world *w, size_t i, enum coop_split policy)
{
	struct sim_ks *k = &w->ks[i];

	k->exists = true;
	k->newer = chance(w, 150);
	k->conf = (struct coop_conf){ .group = 7,
				      .id = (uint8_t)(i * 2 + 1),
				      .priority = (uint8_t)rng_range(&w->rng, 1, 3),
				      .addr = addr_from_v4(0x0a000001 + (uint32_t)i),
				      .split = policy,
				      .preempt = chance(w, 200),
				      .hello_ms = 1000,
				      .dead_hellos = 3,
				      .start_ms = 4000,
				      .commit_ms = 1500,
				      .preempt_hold_ms = 8000,
				      .sid_bits = SID_BITS };
}

static void world_make(struct world *w, uint64_t seed)
{
	static const uint8_t sizes[] = { 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7, 8 };
	enum coop_split policy;

	memset(w, 0, offsetof(struct world, heap));
	w->seed = seed;
	rng_seed(&w->rng, seed);
	policy = chance(w, 250) ? COOP_MAJORITY : COOP_CONTINUE;
	w->n_ks = sizes[rng_range(&w->rng, 0, N_ELEMS(sizes) - 1)];
	w->n_gm = rng_range(&w->rng, 20, 24);
	w->loss = chance(w, 500) ? 0 : (unsigned)rng_range(&w->rng, 1, 300);
	w->dup = chance(w, 500) ? 0 : (unsigned)rng_range(&w->rng, 1, 200);
	w->rough = chance(w, 600) ? 0 : (unsigned)rng_range(&w->rng, 1, 200);
	w->delay = (unsigned)rng_range(&w->rng, 2, 200);
	w->quiet = (int64_t)rng_range(&w->rng, 20000, 100000);
	w->end = w->quiet + 60000;
	for (size_t i = 0; i < w->n_ks; i++)
		ks_make(w, i, policy);
	know_each_other(w);
	for (size_t i = 0; i < w->n_ks; i++)
		later(w, (struct thing){ .at = (int64_t)rng_range(&w->rng, 1, 3000),
					 .kind = T_KS_UP,
					 .to = (uint8_t)i });
	for (size_t g = 0; g < w->n_gm; g++) {
		w->gm[g].home = w->gm[g].asking = (uint8_t)some_ks(w);
		w->gm[g].tx = w->gm[g].next = 0xff;
		later(w, (struct thing){ .at = (int64_t)rng_range(&w->rng, 6000, 12000),
					 .kind = T_GM_TIMER,
					 .to = (uint8_t)g });
	}
	later(w, (struct thing){ .at = 1000, .kind = T_SAMPLE });
	later(w, (struct thing){ .at = w->quiet, .kind = T_PEACE });
	later(w, (struct thing){ .at = (int64_t)rng_range(&w->rng, 8000, 30000), .kind = T_FAULT });
}

static void happen(struct world *w, struct thing *t)
{
	switch (t->kind) {
	case T_WAKE:
		if (w->ks[t->to].up && w->ks[t->to].life == t->life &&
		    w->ks[t->to].wake_at == t->at)
			ks_wake(w, t->to); // else: it has thought better of it
		break;
	case T_DISK:
		if (w->ks[t->to].up && w->ks[t->to].life == t->life)
			ks_disk(w, t->to, t->len);
		break;
	case T_DGRAM:
	case T_STREAM:
		net_deliver(w, t);
		break;
	case T_LINK:
		net_try(w, t->from, t->to);
		break;
	case T_PUSH:
		gm_push(w, t->to, t->from, t->push);
		break;
	case T_ACK:
		if (w->ks[t->to].life == t->life && reach_gk(w, t->from, t->to))
			ks_ack(w, t->to, t->from, t->len);
		break;
	case T_REG:
		if (reach_gk(w, t->from, t->to))
			ks_register(w, t->to, t->from, t->life);
		break;
	case T_REPLY:
		if (w->gm[t->to].life == t->life && w->gm[t->to].busy)
			gm_reply(w, t->to, t->push, t->from);
		break;
	case T_GM_TIMER:
		gm_timer(w, t->to);
		break;
	case T_KS_UP:
		if (w->ks[t->to].exists && !w->ks[t->to].up)
			ks_start(w, t->to);
		break;
	case T_SAMPLE:
		check_sample(w);
		later(w, (struct thing){ .at = w->now + 1000, .kind = T_SAMPLE });
		break;
	case T_FAULT:
		if (!w->peace)
			fault(w);
		break;
	case T_PEACE:
		peace(w);
		break;
	}
}

static void world_fini(struct world *w)
{
	for (size_t i = 0; i < w->n_things; i++)
		thing_fini(&w->heap[i]);
	w->n_things = 0;
	for (size_t i = 0; i < w->n_ks; i++) {
		if (w->ks[i].up)
			ks_free(&w->ks[i]);
		if (w->ks[i].disk.used)
			coop_store_fini(&w->ks[i].disk.store);
		if (w->ks[i].old.used)
			coop_store_fini(&w->ks[i].old.store);
	}
	memset(w->sid_owner, 0, w->n_gens * sizeof(w->sid_owner[0]));
	w->n_gens = 0;
}

static bool run(struct world *w, uint64_t seed)
{
	struct thing t;

	world_make(w, seed);
	while (!w->broken && take(w, &t)) {
		if (t.at > w->end) {
			thing_fini(&t);
			break;
		}
		w->now = t.at;
		happen(w, &t);
		thing_fini(&t);
	}
	if (!w->broken)
		check_end(w);
	world_fini(w);
	return !w->broken;
}

static uint64_t from_env(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v ? strtoull(v, NULL, 0) : otherwise;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	struct world *w = calloc(1, sizeof(*w));
	uint64_t n = from_env("N", WORLDS), first = from_env("FROM", 1), bad = 0;
	uint64_t samples = 0, steps = 0, done = 0;
	double began = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

	BUG_ON(!w);
	verbose = getenv("V") != NULL || getenv("SEED") != NULL;
	if (getenv("SEED")) {
		first = from_env("SEED", 1);
		n = 1;
	}
	for (; done < n && bad < from_env("BAD", 1); done++) {
		bad += !run(w, first + done);
		samples += w->samples;
		steps += w->steps;
	}
	began = seconds(CLOCK_MONOTONIC) - began;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%llu worlds, %llu bad, %.0f worlds/s (%.0f per second of CPU), %.1f h of their "
	       "time, %llu steps\n",
	       (unsigned long long)done, (unsigned long long)bad, (double)done / began,
	       (double)done / cpu, (double)samples / 3600, (unsigned long long)steps);
	free(w->heap);
	free(w);
	return bad != 0;
}
