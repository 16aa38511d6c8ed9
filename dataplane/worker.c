#include "dataplane/worker.h"

#include <pthread.h>
#include <rte_malloc.h>
#include <sys/prctl.h>
#include <time.h>

#include "dataplane/caps.h"
#include "dataplane/receive.h"

#define EMPTY_BEFORE_REST 64
#define LONG_IDLE_MS	  100

int worker_new(struct espd *d, unsigned id, unsigned lcore, struct worker **out)
{
	struct worker *w = rte_zmalloc("worker", sizeof(*w), 64);

	if (!w)
		return -ENOMEM;
	w->d = d;
	w->id = id;
	w->lcore = lcore;
	w->crypto = crypto_ctx_new();
	if (!w->crypto) {
		rte_free(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < HELD_MAX; i++)
		for (unsigned k = 0; k < w->held[i].n; k++)
			rte_pktmbuf_free(w->held[i].m[k]);
	crypto_ctx_free(w->crypto);
	rte_free(w);
}

static void snapshot(struct worker *w)
{
	w->policy = __atomic_load_n(&w->d->policy, __ATOMIC_ACQUIRE);
	w->neigh = __atomic_load_n(&w->d->fwd.neigh, __ATOMIC_ACQUIRE);
	w->now_ms = mono_now().ms;
}

static void turn(struct worker *w)
{
	snapshot(w);
	for (unsigned i = 0; i < w->n_rxq; i++)
		receive_port(w, &w->d->ports[w->rxq[i].port], w->rxq[i].queue);
	for (unsigned i = 0; i < w->n_taps; i++)
		receive_kernel(w, &w->d->ports[w->taps[i]]);
	if (w->n_held)
		tx_retry_held(w);
	tx_flush(w);
}

// Nothing came for a while: sleep a little; nothing came for long: sleep longer.
static void rest(const struct worker *w, int64_t busy_ms)
{
	const struct conf *c = &w->d->conf;
	uint32_t us = w->now_ms - busy_ms > LONG_IDLE_MS ? c->idle_max_us : c->idle_us;
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000 };

	if (us)
		nanosleep(&ts, NULL);
}

int worker_run(void *arg)
{
	struct worker *w = arg;
	struct rte_rcu_qsbr *rcu = w->d->rcu;
	int64_t busy_ms = mono_now().ms;
	unsigned empty = 0;
	clockid_t clock;

	if (pthread_getcpuclockid(pthread_self(), &clock) == 0)
		__atomic_store_n(&w->cpu_clock, clock, __ATOMIC_RELAXED);
	prctl(PR_SET_TIMERSLACK, 1);
	caps_keep(0);
	rte_rcu_qsbr_thread_register(rcu, w->id);
	rte_rcu_qsbr_thread_online(rcu, w->id);
	while (!__atomic_load_n(&w->d->stop, __ATOMIC_RELAXED)) {
		w->busy = false;
		turn(w);
		rte_rcu_qsbr_quiescent(rcu, w->id);
		if (w->busy) {
			busy_ms = w->now_ms;
			empty = 0;
		} else if (++empty > EMPTY_BEFORE_REST) {
			rest(w, busy_ms);
		}
	}
	rte_rcu_qsbr_thread_offline(rcu, w->id);
	rte_rcu_qsbr_thread_unregister(rcu, w->id);
	return 0;
}

const struct stats *worker_stats(const struct worker *w)
{
	return &w->st;
}

uint64_t worker_cpu_ns(const struct worker *w)
{
	clockid_t clock = __atomic_load_n(&w->cpu_clock, __ATOMIC_RELAXED);
	struct timespec ts;

	if (clock == 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
