#include "dataplane/fwd.h"

#include <rte_errno.h>
#include <string.h>

#define N_TBL8S 1024

static struct neigh_table *neigh_table_new(uint32_t n)
{
	uint32_t size = 16;
	struct neigh_table *t;

	while (size < n * 2)
		size *= 2;
	t = calloc(1, sizeof(*t) + size * sizeof(t->e[0]));
	if (t)
		t->mask = size - 1;
	return t;
}

int fwd_init(struct fwd *f, struct rte_rcu_qsbr *rcu, uint32_t max_routes)
{
	struct rte_lpm_config cfg = { .max_rules = max_routes, .number_tbl8s = N_TBL8S };
	struct rte_lpm_rcu_config rcu_cfg = { .v = rcu, .mode = RTE_LPM_QSBR_MODE_SYNC };

	f->rcu = rcu;
	f->n_hops = 1;
	f->neigh = neigh_table_new(0);
	f->own6 = calloc(1, sizeof(*f->own6));
	f->lpm = rte_lpm_create("routes", SOCKET_ID_ANY, &cfg);
	if (!f->neigh || !f->own6 || !f->lpm || rte_lpm_rcu_qsbr_add(f->lpm, &rcu_cfg) != 0) {
		fwd_fini(f);
		return -ENOMEM;
	}
	return 0;
}

void fwd_fini(struct fwd *f)
{
	rte_lpm_free(f->lpm);
	free(f->neigh);
	free(f->own6);
	f->lpm = NULL;
	f->neigh = NULL;
	f->own6 = NULL;
}

static bool hop_eq(const struct hop *a, const struct hop *b)
{
	return a->gw == b->gw && a->kind == b->kind && a->port == b->port;
}

// An index for h: the one it has, a fresh one, or one that nobody can be reading any more.
static int hop_intern(struct fwd *f, const struct hop *h)
{
	uint32_t unused = 0;

	for (uint32_t i = 1; i < f->n_hops; i++) {
		if (hop_eq(&f->hop[i], h))
			return (int)i;
		if (f->hop_refs[i] == 0)
			unused = i;
	}
	if (f->n_hops < FWD_MAX_HOPS) {
		unused = f->n_hops++;
	} else {
		if (!unused)
			return -ENOSPC;
		rte_rcu_qsbr_synchronize(f->rcu, RTE_QSBR_THRID_INVALID);
	}
	f->hop[unused] = *h;
	return (int)unused;
}

// Index of the hop that exactly this prefix has now, 0 if none.
static uint32_t route_hop(struct fwd *f, uint32_t dst, uint8_t len)
{
	uint32_t i;

	if (len == 0)
		return f->default_hop;
	return rte_lpm_is_rule_present(f->lpm, dst, len, &i) == 1 ? i : 0;
}

int fwd_route_set(struct fwd *f, uint32_t dst, uint8_t len, const struct hop *h)
{
	uint32_t old = route_hop(f, dst, len);
	int i = hop_intern(f, h);

	if (i < 0)
		return i;
	if ((uint32_t)i == old)
		return 0;
	f->hop_refs[i]++;
	if (len == 0) {
		__atomic_store_n(&f->default_hop, (uint32_t)i, __ATOMIC_RELEASE);
	} else if (rte_lpm_add(f->lpm, dst, len, (uint32_t)i) < 0) {
		f->hop_refs[i]--;
		return -ENOSPC;
	}
	if (old)
		f->hop_refs[old]--;
	return 0;
}

void fwd_route_del(struct fwd *f, uint32_t dst, uint8_t len)
{
	uint32_t old = route_hop(f, dst, len);

	if (!old)
		return;
	if (len == 0)
		__atomic_store_n(&f->default_hop, 0, __ATOMIC_RELEASE);
	else
		rte_lpm_delete(f->lpm, dst, len);
	f->hop_refs[old]--;
}

int fwd_neigh_publish(struct fwd *f, const struct neigh *e, uint32_t n)
{
	struct neigh_table *t = neigh_table_new(n), *old = f->neigh;

	if (!t)
		return -ENOMEM;
	t->n = n;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = neigh_hash(e[k].ip, e[k].port) & t->mask;

		while (t->e[i].ip)
			i = (i + 1) & t->mask;
		t->e[i] = e[k];
	}
	__atomic_store_n(&f->neigh, t, __ATOMIC_RELEASE);
	rte_rcu_qsbr_synchronize(f->rcu, RTE_QSBR_THRID_INVALID);
	free(old);
	return 0;
}

int fwd_own6_publish(struct fwd *f, const struct own6 *own)
{
	struct own6_table *t = malloc(sizeof(*t)), *old = f->own6;

	if (!t)
		return -ENOMEM;
	own6_build(own, t);
	__atomic_store_n(&f->own6, t, __ATOMIC_RELEASE);
	rte_rcu_qsbr_synchronize(f->rcu, RTE_QSBR_THRID_INVALID);
	free(old);
	return 0;
}

void fwd_lookup(const struct fwd *f, const uint32_t *dst, const struct hop **out, unsigned n)
{
	uint32_t hop[FWD_BURST] NO_AUTO_INIT;
	uint32_t dflt = __atomic_load_n(&f->default_hop, __ATOMIC_ACQUIRE);

	rte_lpm_lookup_bulk(f->lpm, dst, hop, n);
	for (unsigned i = 0; i < n; i++) {
		bool found = (hop[i] & RTE_LPM_LOOKUP_SUCCESS) != 0;

		out[i] = &f->hop[found ? hop[i] & 0x00ffffff : dflt];
	}
}
