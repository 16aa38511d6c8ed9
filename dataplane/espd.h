// dataplane/espd.h - the whole state of the process on one screen.
// Threads: workers (worker.c) poll ports and never wait for anybody; the main thread runs the
// door to gmd, the kernel's routes, and the kernel's side of every port (main.c, *_io.c, punt.c).
// Workers read policy and fwd through one pointer each; the main thread swaps them, waits until
// every worker has passed a quiescent point (rcu), then wipes and frees.
#pragma once
#include <limits.h>
#include <net/if.h>
#include <rte_ether.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/fwd.h"
#include "dataplane/rtnl.h"
#include "dataplane/stats.h"
#include "dataplane/txn.h"

#define ESPD_MAX_PORTS	 RTNL_MAX_PORTS
#define ESPD_MAX_WORKERS STATS_MAX_WORKERS

struct port_conf {
	char name[32], device[256], tap[IFNAMSIZ];
	int role; // enum port_role
	uint16_t mtu;
};

enum port_role { PORT_CLEAR, PORT_PROTECTED };

struct conf {
	char control[108], user[32];
	uint32_t idle_us, idle_max_us, memory_mb, routes, replay_senders;
	bool hugepages, fail_close;
	uint32_t own; // rows of own.h
	bool own_given;
	unsigned n_cores;
	uint16_t cores[ESPD_MAX_WORKERS]; // empty: one worker, on any CPU
	unsigned n_ports;
	struct port_conf ports[ESPD_MAX_PORTS];
};

struct port {
	const struct port_conf *conf;
	uint8_t index; // in espd.ports
	uint16_t ethdev;
	uint16_t n_rxq;
	bool is_protected;
	uint32_t mtu;
	uint32_t addr; // own IPv4 address, source of ICMP errors; 0: none yet (atomic)
	struct rte_ether_addr mac;
	int tap_fd, tap_ifindex;
	struct rte_ring *to_kernel, *from_kernel;
};

struct worker;

struct espd {
	struct conf conf;
	unsigned n_ports, n_workers;
	struct port ports[ESPD_MAX_PORTS];
	struct worker *workers[ESPD_MAX_WORKERS];
	struct stats ctl_stats; // of the main thread
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *rcu;
	struct rte_ring *need_neigh; // (port << 32 | address) that workers want resolved
	int wake_fd;		     // workers write here when the main thread sleeps
	bool ctl_sleeps;	     // (atomic)
	bool stop;		     // (atomic)

	struct policy *policy; // published; NULL until the first commit
	struct fwd fwd;
	struct sa_store store; // main thread
	uint64_t boot_id;
};

// Called by workers after they put something on a ring for the main thread.
void espd_wake(struct espd *d);
