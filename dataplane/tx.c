#include <rte_ethdev.h>

#include "dataplane/worker.h"

static void flush_port(struct worker *w, unsigned port)
{
	struct tx_buf *b = &w->tx[port];
	unsigned sent =
		rte_eth_tx_burst(w->d->ports[port].ethdev, (uint16_t)w->id, b->m, (uint16_t)b->n);

	w->st.path[PATH_TX] += sent;
	for (unsigned i = sent; i < b->n; i++)
		drop(w, b->m[i], DROP_TX_FULL);
	b->n = 0;
}

void tx_flush(struct worker *w)
{
	for (unsigned i = 0; i < w->d->n_ports; i++)
		if (w->tx[i].n)
			flush_port(w, i);
}

void tx_frame(struct worker *w, unsigned port, struct rte_mbuf *m)
{
	struct tx_buf *b = &w->tx[port];

	b->m[b->n++] = m;
	if (b->n == RTE_DIM(b->m))
		flush_port(w, port);
}

static void ether_send(struct worker *w, unsigned port, struct rte_mbuf *m,
		       const struct rte_ether_addr *dst)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)buf_grow(m, RTE_ETHER_HDR_LEN, 0);

	if (!eth) {
		drop(w, m, DROP_OUT_NO_ROOM);
		return;
	}
	eth->dst_addr = *dst;
	eth->src_addr = w->d->ports[port].mac;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	tx_frame(w, port, m);
}

static void ask_kernel(struct worker *w, struct held *h)
{
	uint64_t what = (uint64_t)h->port << 32 | h->ip;

	h->asked_ms = w->now_ms;
	// A full ring means that the main thread has plenty to do; we ask again.
	if (rte_ring_enqueue(w->d->need_neigh, (void *)(uintptr_t)what) == 0)
		espd_wake(w->d);
}

static struct held *held_slot(struct worker *w, uint32_t ip, uint8_t port)
{
	struct held *empty = NULL;

	for (unsigned i = 0; i < HELD_MAX; i++) {
		struct held *h = &w->held[i];

		if (h->n && h->ip == ip && h->port == port)
			return h;
		if (!h->n)
			empty = h;
	}
	return empty;
}

static void hold(struct worker *w, struct rte_mbuf *m, uint32_t ip, uint8_t port)
{
	struct held *h = held_slot(w, ip, port);

	if (!h || h->n == HELD_EACH) {
		drop(w, m, DROP_NEIGH_WAIT_FULL);
		return;
	}
	if (h->n == 0) {
		h->ip = ip;
		h->port = port;
		h->since_ms = w->now_ms;
		w->n_held++;
		ask_kernel(w, h);
	}
	h->m[h->n++] = m;
}

void tx_packet(struct worker *w, struct pkt *p)
{
	struct neigh *e;

	if (p->has_mac) {
		ether_send(w, p->out, p->m, &p->mac);
		return;
	}
	e = neigh_find(w->neigh, p->hop, p->out);
	if (!e) {
		hold(w, p->m, p->hop, p->out);
		return;
	}
	if (!e->used)
		e->used = 1;
	ether_send(w, p->out, p->m, &e->mac);
}

void tx_retry_held(struct worker *w)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		struct held *h = &w->held[i];
		const struct neigh *e;

		if (!h->n)
			continue;
		e = neigh_find(w->neigh, h->ip, h->port);
		if (!e && w->now_ms - h->since_ms < HELD_MS) {
			if (w->now_ms - h->asked_ms >= 1000)
				ask_kernel(w, h);
			continue;
		}
		for (unsigned k = 0; k < h->n; k++) {
			if (e)
				ether_send(w, h->port, h->m[k], &e->mac);
			else
				drop(w, h->m[k], DROP_NEIGH_UNRESOLVED);
		}
		h->n = 0;
		w->n_held--;
	}
}
