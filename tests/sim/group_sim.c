// tests/sim/group_sim.c - worlds without number: one key server, fifty members, all that can go
// wrong between them (world.h), and what must hold nevertheless (invariants.h).
//
// Environment: WORLDS=n (60), FROM=seed (1), JOBS=n (one per core), MEMBERS=n (50);
//              SEED=n replays one world, V=1 tells all of its story.
// A broken invariant prints its seed, the time, and the last that happened before it.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/world.h"

#define WORLDS	 60
#define JOBS_MAX 64

struct sum {
	uint64_t worlds, broken, steps, packets;
	uint64_t seed; // of the world that is running; 0: none
};

static void one_world(uint64_t seed, size_t n_members, struct sum *sum)
{
	struct world *w = world_new(seed, n_members);

	world_run(w);
	sum->worlds++;
	sum->broken += w->broken && !tell_last;
	sum->steps += w->n_steps;
	sum->packets += w->n_packets;
	if (tell_last)
		tell_end();
	if (w->broken && !tell_all && !tell_last) { // the same again, listening
		struct sum again = { 0 };

		tell_last = true;
		world_free(w);
		one_world(seed, n_members, &again);
		tell_last = false;
		fflush(stdout);
		return;
	}
	world_free(w);
}

static unsigned long long number(const char *name, unsigned long long def)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : def;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Every jobs-th world from `first`.
static pid_t start_job(size_t job, size_t jobs, uint64_t first, uint64_t n, size_t members,
		       struct sum *sum)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (uint64_t i = job; i < n; i += jobs) {
		sum->seed = first + i;
		one_world(sum->seed, members, sum);
	}
	sum->seed = 0;
	fflush(stdout);
	_exit(0);
}

// Members are large, and made anew for each world: what one has left serves the next, without a
// word to the kernel.
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int main(void)
{
	uint64_t seed = number("SEED", 0), n = seed ? 1 : number("WORLDS", WORLDS);
	uint64_t first = seed ? seed : number("FROM", 1);
	size_t members = number("MEMBERS", MEMBERS_OF_WORLD), jobs;
	struct sum *sum, all = { 0 };
	double start = seconds(), took;
	bool whole = true;

	keep_memory();
	tell_all = number("V", 0) != 0;
	jobs = number("JOBS", (unsigned long long)sysconf(_SC_NPROCESSORS_ONLN));
	jobs = seed ? 1 : jobs < 1 ? 1 : jobs > JOBS_MAX ? JOBS_MAX : jobs;
	if (members < 2 || members > MEMBERS_OF_WORLD || crypto_init() < 0)
		return 2;
	sum = mmap(NULL, jobs * sizeof(*sum), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		   -1, 0);
	if (sum == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	for (size_t i = 0; i < jobs; i++)
		start_job(i, jobs, first, n, members, &sum[i]);
	for (int status; wait(&status) > 0;)
		whole = whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	for (size_t i = 0; i < jobs; i++) {
		if (sum[i].seed)
			printf("SEED=%llu\n  the program died\n", (unsigned long long)sum[i].seed);
		all.worlds += sum[i].worlds;
		all.broken += sum[i].broken;
		all.steps += sum[i].steps;
		all.packets += sum[i].packets;
	}
	took = seconds() - start;
	printf("%llu worlds of %zu members from seed %llu, %llu steps, %llu packets, "
	       "%.1f worlds per second, %llu broken\n",
	       (unsigned long long)all.worlds, members, (unsigned long long)first,
	       (unsigned long long)all.steps, (unsigned long long)all.packets,
	       (double)all.worlds / took, (unsigned long long)all.broken);
	return whole && all.worlds == n && all.broken == 0 ? 0 : 1;
}
