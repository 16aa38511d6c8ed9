// espd: options, order of start and end, and the main thread's loop.
#include <poll.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/base/events.h"
#include "common/ctl/daemon.h"
#include "dataplane/caps.h"
#include "dataplane/conf.h"
#include "dataplane/door_io.h"
#include "dataplane/eal.h"
#include "dataplane/kernel_io.h"
#include "dataplane/port.h"
#include "dataplane/punt_io.h"
#include "dataplane/worker.h"

#define TICK_MS	   200
#define POOL_CACHE 256
#define N_NEED	   256

static void help(void)
{
	printf("usage: espd -f FILE [-n] [--check]\n"
	       "Conclave's dataplane: forwards IPv4 and protects it with ESP as gmd tells it.\n"
	       "\n"
	       "  -f, --file FILE   configuration\n"
	       "  -n, --foreground  log to stderr instead of syslog\n"
	       "  -c, --check       read the configuration, say what is wrong, end\n"
	       "  -V, --version     print the version, end\n"
	       "  -h, --help        print this, end\n"
	       "\n"
	       "espd needs root, or CAP_NET_ADMIN and CAP_NET_RAW. SIGTERM and SIGINT end it.\n"
	       "\n"
	       "Words of FILE (libconfig syntax):\n");
	conf_describe(stdout);
}

void espd_wake(struct espd *d)
{
	uint64_t one = 1;

	if (__atomic_load_n(&d->ctl_sleeps, __ATOMIC_SEQ_CST) &&
	    __atomic_exchange_n(&d->ctl_sleeps, false, __ATOMIC_SEQ_CST) &&
	    write(d->wake_fd, &one, sizeof(one)) < 0)
		d->ctl_sleeps = true; // the next packet tries again
}

// ---- start

// One buffer holds the longest packet of any port, grown by ESP, behind DPDK's headroom.
static int pool_new(struct espd *d)
{
	unsigned longest = 1500, n = 4096 + 2048 * (d->conf.n_ports + d->n_workers);
	uint16_t room;

	for (unsigned i = 0; i < d->conf.n_ports; i++)
		longest = RTE_MAX(longest, d->conf.ports[i].mtu);
	room = (uint16_t)(RTE_PKTMBUF_HEADROOM + RTE_MAX(2048u, longest + 256));
	d->pool = rte_pktmbuf_pool_create("packets", n, POOL_CACHE, 0, room, SOCKET_ID_ANY);
	return d->pool ? 0 : -rte_errno;
}

static int rcu_new(struct espd *d)
{
	size_t size = rte_rcu_qsbr_get_memsize(d->n_workers);

	d->rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);
	return d->rcu ? rte_rcu_qsbr_init(d->rcu, d->n_workers) : -ENOMEM;
}

static int tables_new(struct espd *d)
{
	int err = pool_new(d);

	if (!err)
		err = rcu_new(d);
	if (!err)
		err = fwd_init(&d->fwd, d->rcu, d->conf.routes);
	if (err)
		return err;
	d->need_neigh = rte_ring_create("need_neigh", N_NEED, SOCKET_ID_ANY, RING_F_SC_DEQ);
	d->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!d->need_neigh || d->wake_fd < 0)
		return -ENOMEM;
	if (getrandom(&d->boot_id, sizeof(d->boot_id), 0) != sizeof(d->boot_id))
		return -EIO;
	sa_store_init(&d->store, d->n_workers, d->conf.replay_senders);
	return 0;
}

static int ports_open(struct espd *d)
{
	for (unsigned i = 0; i < d->conf.n_ports; i++) {
		struct port *p = &d->ports[i];
		int err;

		p->index = (uint8_t)i;
		err = port_open(d, &d->conf.ports[i], p);
		if (err)
			return err;
		d->n_ports++;
	}
	return 0;
}

// Queue q of every port goes to worker q; the kernel's side of a port to one of them.
static int workers_new(struct espd *d)
{
	unsigned lcore, id = 0;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		int err = worker_new(d, id, lcore, &d->workers[id]);

		if (err)
			return err;
		id++;
	}
	for (unsigned p = 0; p < d->n_ports; p++) {
		struct worker *w = d->workers[p % d->n_workers];

		w->taps[w->n_taps++] = (uint8_t)p;
		for (uint16_t q = 0; q < d->ports[p].n_rxq; q++) {
			w = d->workers[q];
			w->rxq[w->n_rxq].port = (uint8_t)p;
			w->rxq[w->n_rxq++].queue = q;
		}
	}
	return 0;
}

static int workers_start(struct espd *d)
{
	for (unsigned i = 0; i < d->n_workers; i++) {
		int err = rte_eal_remote_launch(worker_run, d->workers[i], d->workers[i]->lcore);

		if (err)
			return err;
	}
	return 0;
}

// ---- the main thread

static void neighbours_wanted(struct espd *d, struct kernel_io *k)
{
	void *what = NULL;

	while (rte_ring_dequeue(d->need_neigh, &what) == 0)
		kernel_io_resolve(k, (uint8_t)((uintptr_t)what >> 32), (uint32_t)(uintptr_t)what);
}

// Sleeps until a descriptor or a worker wants something. The flag is up before the rings are
// looked at, so that no wake-up is lost.
static void wait_for_work(struct espd *d, struct pollfd *fds, nfds_t n)
{
	bool pending;

	__atomic_store_n(&d->ctl_sleeps, true, __ATOMIC_SEQ_CST);
	pending = punt_io_pending(d) || !rte_ring_empty(d->need_neigh);
	if (poll(fds, n, pending ? 0 : TICK_MS) < 0)
		for (nfds_t i = 0; i < n; i++)
			fds[i].revents = 0;
	__atomic_store_n(&d->ctl_sleeps, false, __ATOMIC_SEQ_CST);
}

enum { FD_SIGNAL, FD_WAKE, FD_KERNEL, FD_DOOR, FD_TAPS = FD_DOOR + DOOR_FDS };

static void loop(struct espd *d, struct kernel_io *k, struct door *door, int signal_fd)
{
	struct pollfd fds[FD_TAPS + ESPD_MAX_PORTS];
	mono_t tick = mono_now();
	uint64_t woken;

	fds[FD_SIGNAL] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	fds[FD_WAKE] = (struct pollfd){ .fd = d->wake_fd, .events = POLLIN };
	fds[FD_KERNEL] = (struct pollfd){ .fd = kernel_io_fd(k), .events = POLLIN };
	for (unsigned i = 0; i < d->n_ports; i++)
		fds[FD_TAPS + i] = (struct pollfd){ .fd = d->ports[i].tap_fd, .events = POLLIN };
	while (!fds[FD_SIGNAL].revents) {
		mono_t now;

		door_poll_set(door, &fds[FD_DOOR]);
		wait_for_work(d, fds, FD_TAPS + d->n_ports);
		now = mono_now();
		if (fds[FD_WAKE].revents && read(d->wake_fd, &woken, sizeof(woken)) < 0)
			log_debug(DP, NULL, "wake-up: %s", strerror(errno));
		punt_io_to_kernel(d);
		for (unsigned i = 0; i < d->n_ports; i++)
			if (fds[FD_TAPS + i].revents & POLLIN)
				punt_io_from_kernel(d, &d->ports[i]);
		if (fds[FD_KERNEL].revents)
			kernel_io_read(k, now);
		neighbours_wanted(d, k);
		door_poll_done(door, &fds[FD_DOOR], now);
		if (mono_due(tick, now)) {
			kernel_io_tick(k, now);
			door_tick(door, now);
			tick = mono_add_ms(now, TICK_MS);
		}
	}
}

// ---- the whole

static int fail(const char *what, int err)
{
	if (err)
		log_err(DP, NULL, "%s: %s", what, strerror(-err));
	return err;
}

static int serve(struct espd *d, int signal_fd)
{
	struct kernel_io *k = NULL;
	struct door *door = NULL;
	int err = fail("routes of the kernel", kernel_io_new(d, &k));

	if (!err)
		err = fail(d->conf.control, door_new(d, &door));
	if (!err)
		err = fail("workers", workers_start(d));
	if (!err) {
		event_log(EV_STARTED, NULL,
			  "espd %s ports=%u workers=%u crypto=\"%s\" boot=%016llx",
			  CONCLAVE_VERSION, d->n_ports, d->n_workers, crypto_backend(),
			  (unsigned long long)d->boot_id);
		loop(d, k, door, signal_fd);
		event_log(EV_STOPPED, NULL, "espd");
	}
	__atomic_store_n(&d->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	if (door)
		door_free(door);
	if (k)
		kernel_io_free(k);
	return err;
}

// Workers have ended: what they read can go, keys wiped.
static void tables_free(struct espd *d)
{
	policy_free(d->policy, &d->store);
	sa_store_fini(&d->store);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_free(d->workers[i]);
	for (unsigned i = 0; i < d->n_ports; i++)
		port_close(&d->ports[i]);
	fwd_fini(&d->fwd);
	if (d->wake_fd >= 0)
		close(d->wake_fd);
}

static int run(struct espd *d)
{
	sigset_t set;
	int signal_fd, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL); // threads to come inherit it
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signal_fd < 0)
		return fail("signals", -errno);
	if (!eal_wants_pci(&d->conf))
		caps_keep(CAPS_VDEV);
	err = fail("DPDK", eal_start(&d->conf));
	if (err)
		return err;
	d->n_workers = rte_lcore_count() - 1;
	err = fail("tables", tables_new(d));
	if (!err)
		err = ports_open(d);
	if (!err)
		err = fail("workers", workers_new(d));
	caps_keep(CAPS_VDEV);
	if (!err)
		err = serve(d, signal_fd);
	tables_free(d);
	eal_stop();
	close(signal_fd);
	return err;
}

int main(int argc, char **argv)
{
	static const struct daemon_about about = { "espd", CONCLAVE_VERSION, .help = help };
	static struct espd d = { .wake_fd = -1 };
	struct daemon_args a;
	int status = daemon_begin(&about, argc, argv, &a);

	if (status >= 0)
		return status;
	if (conf_read(a.file, &d.conf) < 0)
		return 2;
	if (a.check)
		return 0;
	log_init("espd", !a.to_stderr);
	return run(&d) ? 1 : 0;
}
