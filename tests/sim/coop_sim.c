// tests/sim/coop_sim.c - worlds of cooperating key servers, from a seed.
//
// Environment: WORLDS=n (300), FROM=seed (1), JOBS=n (one per core), BAD=n stops after as many;
//              SEED=n replays one world with its story, COVER=1 says what happened how often.
// A broken invariant (coop_invariants.h) prints its seed, when, and what was seen.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/coop_world.h"

#define WORLDS	 300
#define JOBS_MAX 64
#define AGAIN	 256 // each so manieth world is run twice: it has to be the same

bool verbose;
struct coop_covered covered;

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
		k->sniped = false;
		ks_configure(w, i);
		if (k->exists && !k->up)
			ks_start(w, i);
	}
	fault_heal(w);
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

// It has its key servers in an order of its own.
static void gm_make(struct world *w, struct sim_gm *m)
{
	m->tx = m->next = 0xff;
	for (size_t i = 0; i < w->n_ks; i++) {
		size_t at = rng_range(&w->rng, 0, i);

		m->list[i] = m->list[at];
		m->list[at] = (uint8_t)i;
	}
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
	w->evil = chance(w, 300);
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
		gm_make(w, &w->gm[g]);
		later(w, (struct thing){ .at = (int64_t)rng_range(&w->rng, 6000, 12000),
					 .kind = T_GM_TIMER,
					 .to = (uint8_t)g });
	}
	later(w, (struct thing){ .at = 1000, .kind = T_SAMPLE });
	later(w, (struct thing){ .at = w->quiet, .kind = T_PEACE });
	later(w, (struct thing){ .at = (int64_t)rng_range(&w->rng, 8000, 30000), .kind = T_FAULT });
	if (w->evil)
		later(w, (struct thing){ .at = 5000, .kind = T_EVIL });
}

// What is meant for a key server that is frozen waits for it.
static bool waits(struct world *w, struct thing *t)
{
	bool for_it =
		t->kind == T_WAKE || t->kind == T_DISK || t->kind == T_DGRAM || t->kind == T_STREAM;

	if (!for_it || !w->ks[t->to].up || w->ks[t->to].frozen <= w->now)
		return false;
	if (t->kind == T_WAKE)
		w->ks[t->to].wake_at = w->ks[t->to].frozen;
	t->at = w->ks[t->to].frozen;
	later(w, *t);
	return true;
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
			disk_done(w, t->to, t->len);
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
			keys_ack(w, t->to, t->from, t->len);
		break;
	case T_REG:
		if (reach_gk(w, t->from, t->to))
			keys_register(w, t->to, t->from, t->life);
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
	case T_KILL:
		if (w->ks[t->to].life == t->life && !w->peace)
			fault_kill(w, t->to);
		break;
	case T_CLOSE:
		net_close(w, t->from, t->to);
		break;
	case T_THAW:
		w->changed = w->now;
		break;
	case T_EVIL:
		evil(w);
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

static bool run_once(struct world *w, uint64_t seed)
{
	struct thing t;

	world_make(w, seed);
	while (!w->broken && take(w, &t)) {
		if (t.at > w->end) {
			thing_fini(&t);
			break;
		}
		w->now = t.at;
		if (waits(w, &t))
			continue;
		happen(w, &t);
		thing_fini(&t);
	}
	if (!w->broken)
		check_end(w);
	world_fini(w);
	return !w->broken;
}

static bool run(struct world *w, uint64_t seed)
{
	uint64_t trace;

	if (!run_once(w, seed) || seed % AGAIN != 0)
		return !w->broken;
	trace = w->trace;
	(void)run_once(w, seed);
	if (w->trace != trace)
		violated(w, COOP_INV_I20, "the same seed, and others lead at other times");
	return !w->broken;
}

// ---- many worlds ----

struct sum {
	uint64_t worlds, bad, steps;
	double hours, cpu; // hours of their time
	struct coop_covered covered;
};

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Every jobs-th world from `first`.
static void some_worlds(size_t job, size_t jobs, uint64_t first, uint64_t n, uint64_t bad_max,
			struct sum *sum)
{
	struct world *w = calloc(1, sizeof(*w));

	BUG_ON(!w);
	for (uint64_t i = job; i < n && sum->bad < bad_max; i += jobs) {
		sum->bad += !run(w, first + i);
		sum->worlds++;
		sum->steps += w->steps;
		sum->hours += (double)w->samples / 3600;
	}
	sum->cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	sum->covered = covered;
	free(w->heap);
	free(w);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *v = getenv(name);

	return v && *v ? strtoull(v, NULL, 0) : otherwise;
}

static void start_jobs(size_t jobs, uint64_t first, uint64_t n, struct sum *sum)
{
	uint64_t bad_max = number("BAD", 1);

	for (size_t i = 0; i < jobs; i++) {
		if (jobs > 1 && fork() != 0)
			continue;
		some_worlds(i, jobs, first, n, bad_max, &sum[i]);
		if (jobs > 1) {
			fflush(stdout);
			_exit(0);
		}
	}
}

static void add(struct sum *all, const struct sum *s)
{
	all->worlds += s->worlds;
	all->bad += s->bad;
	all->steps += s->steps;
	all->hours += s->hours;
	all->cpu += s->cpu;
	for (size_t i = 0; i < COVER_COUNT; i++)
		all->covered.n[i] += s->covered.n[i];
	for (size_t i = 0; i < EV_COUNT; i++)
		all->covered.event[i] += s->covered.event[i];
}

const char *cover_text(enum coop_cover c)
{
	static const char *const text[] = {
#define X(sym, text) text,
		COOP_COVER(X)
#undef X
	};

	return text[c];
}

static void say_covered(const struct coop_covered *c)
{
	for (size_t i = 0; i < COVER_COUNT; i++)
		printf("%12llu  %s\n", (unsigned long long)c->n[i], cover_text((enum coop_cover)i));
	for (size_t i = 0; i < EV_COUNT; i++) {
		if (c->event[i] > 0)
			printf("%12llu  %s\n", (unsigned long long)c->event[i],
			       event_mnemonic((enum event_id)i));
	}
}

int main(void)
{
	uint64_t seed = number("SEED", 0), n = seed ? 1 : number("WORLDS", WORLDS);
	uint64_t first = seed ? seed : number("FROM", 1);
	size_t jobs = number("JOBS", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	struct sum *sum, all = { 0 };
	double began = seconds(CLOCK_MONOTONIC);
	bool whole = true;

	verbose = seed != 0;
	jobs = seed || jobs < 1 ? 1 : MIN_OF(jobs, JOBS_MAX);
	sum = mmap(NULL, jobs * sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		   -1, 0);
	if (sum == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	start_jobs(jobs, first, n, sum);
	for (int status; wait(&status) > 0;)
		whole = whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	for (size_t i = 0; i < jobs; i++)
		add(&all, &sum[i]);
	began = seconds(CLOCK_MONOTONIC) - began;
	if (number("COVER", 0))
		say_covered(&all.covered);
	printf("%llu worlds from seed %llu, %llu bad, %.0f worlds per second (%.0f per second of "
	       "CPU), %.1f h of their time, %llu steps\n",
	       (unsigned long long)all.worlds, (unsigned long long)first,
	       (unsigned long long)all.bad, (double)all.worlds / began,
	       (double)all.worlds / all.cpu, all.hours, (unsigned long long)all.steps);
	return whole && all.worlds == n && all.bad == 0 ? 0 : 1;
}
