// dataplane/fwd.h - next hops: routes and neighbours, written by the control thread, read by
// workers. The kernel is the control plane (static routes, FRR): kernel_io.c mirrors it into this.
// Routes live in an rte_lpm that changes in place (its groups are recycled through RCU); neighbours
// and the box's IPv6 addresses are small tables that are rebuilt aside and swapped.
// Owns:   these tables.
// From:   kernel_io.c writes; worker.c reads.
// Always: a /32 of the box itself is a route of kind LOCAL: one lookup tells all.
#pragma once
#include <rte_ether.h>
#include <rte_lpm.h>
#include <rte_rcu_qsbr.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "dataplane/hop.h"
#include "dataplane/own6.h"

#define FWD_MAX_HOPS 4096

struct neigh {
	uint32_t ip; // host order; 0: free slot
	uint8_t port;
	uint8_t used; // set by workers, cleared by the control thread: still needed?
	struct rte_ether_addr mac;
};

struct neigh_table {
	uint32_t mask, n;
	struct neigh e[];
};

struct fwd {
	struct rte_lpm *lpm;
	uint32_t default_hop; // index into hop, for 0.0.0.0/0, which rte_lpm does not take
	struct neigh_table *neigh;
	struct own6_table *own6;
	struct hop hop[FWD_MAX_HOPS];	 // 0 is HOP_NONE
	uint32_t hop_refs[FWD_MAX_HOPS]; // control thread
	uint32_t n_hops;
	struct rte_rcu_qsbr *rcu;
};

MUST_CHECK int fwd_init(struct fwd *f, struct rte_rcu_qsbr *rcu, uint32_t max_routes);
void fwd_fini(struct fwd *f);

// Control thread.
MUST_CHECK int fwd_route_set(struct fwd *f, uint32_t dst, uint8_t len, const struct hop *h);
void fwd_route_del(struct fwd *f, uint32_t dst, uint8_t len);
// Swaps in a table of n entries (copied) and frees the old one after its last reader.
MUST_CHECK int fwd_neigh_publish(struct fwd *f, const struct neigh *e, uint32_t n);
MUST_CHECK int fwd_own6_publish(struct fwd *f, const struct own6 *own);

// Workers.
#define FWD_BURST 64
void fwd_lookup(const struct fwd *f, const uint32_t *dst, const struct hop **out, unsigned n);

static inline uint32_t neigh_hash(uint32_t ip, uint8_t port)
{
	return (ip ^ (uint32_t)port << 24) * 0x9e3779b1u >> 7;
}

static inline struct neigh *neigh_find(struct neigh_table *t, uint32_t ip, uint8_t port)
{
	uint32_t i = neigh_hash(ip, port) & t->mask;

	for (; t->e[i].ip; i = (i + 1) & t->mask)
		if (t->e[i].ip == ip && t->e[i].port == port)
			return &t->e[i];
	return NULL;
}
