#include "dataplane/punt_io.h"

#include <rte_mbuf.h>
#include <unistd.h>

#define READ_MAX 64 // frames per turn and port, so that no port starves the rest

static void ctl_drop(struct espd *d, struct rte_mbuf *m, enum drop_reason why)
{
	d->ctl_stats.drop[why]++;
	rte_pktmbuf_free(m);
}

static void port_to_kernel(struct espd *d, struct port *p)
{
	void *obj;

	for (unsigned i = 0; i < PUNT_WRITE_MAX && rte_ring_dequeue(p->to_kernel, &obj) == 0; i++) {
		struct rte_mbuf *m = obj;

		if (write(p->tap_fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_data_len(m)) < 0)
			ctl_drop(d, m, DROP_PUNT_WRITE);
		else
			rte_pktmbuf_free(m);
	}
}

void punt_io_to_kernel(struct espd *d)
{
	for (unsigned i = 0; i < d->n_ports; i++)
		port_to_kernel(d, &d->ports[i]);
}

bool punt_io_pending(const struct espd *d)
{
	for (unsigned i = 0; i < d->n_ports; i++)
		if (!rte_ring_empty(d->ports[i].to_kernel))
			return true;
	return false;
}

void punt_io_from_kernel(struct espd *d, struct port *p)
{
	for (unsigned i = 0; i < READ_MAX; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(d->pool);
		ssize_t n;

		if (!m) {
			d->ctl_stats.drop[DROP_NO_BUFFER]++;
			return;
		}
		n = read(p->tap_fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
		if (n < (ssize_t)RTE_ETHER_HDR_LEN) {
			rte_pktmbuf_free(m);
			return;
		}
		m->data_len = (uint16_t)n;
		m->pkt_len = (uint32_t)n;
		if (rte_ring_enqueue(p->from_kernel, m) < 0)
			ctl_drop(d, m, DROP_TAP_FULL);
	}
}
