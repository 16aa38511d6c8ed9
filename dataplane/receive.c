// What comes in: frames of ports and frames of the kernel, sorted by what they are.
#include <rte_ethdev.h>

#include "dataplane/esp_in.h"
#include "dataplane/receive.h"

#define ETH_LLDP  0x88cc
#define ETH_EAPOL 0x888e
#define ETH_SLOW  0x8809 // LACP and kin
#define ETH_802_3 0x0600 // below: a length, as spanning tree and IS-IS use it

static bool is_control_type(uint16_t type)
{
	return type == RTE_ETHER_TYPE_ARP || type == ETH_LLDP || type == ETH_EAPOL ||
	       type == ETH_SLOW || type < ETH_802_3;
}

static const uint8_t *ip6_of(const struct rte_mbuf *m, size_t *len)
{
	*len = rte_pktmbuf_data_len(m) - RTE_ETHER_HDR_LEN;
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, RTE_ETHER_HDR_LEN);
}

static bool is_ip6_for_box(const struct worker *w, const struct rte_mbuf *m)
{
	size_t len;
	const uint8_t *ip6 = ip6_of(m, &len);

	return own6_is_for_box(__atomic_load_n(&w->d->fwd.own6, __ATOMIC_ACQUIRE), ip6, len);
}

static bool is_ip6_from_box(const struct worker *w, const struct rte_mbuf *m)
{
	size_t len;
	const uint8_t *ip6 = ip6_of(m, &len);

	return own6_is_from_box(__atomic_load_n(&w->d->fwd.own6, __ATOMIC_ACQUIRE), ip6, len);
}

static void punt_frame(struct worker *w, struct port *port, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(port->to_kernel, m) < 0) {
		drop(w, m, DROP_PUNT_FULL);
		return;
	}
	w->st.path[PATH_PUNTED]++;
	espd_wake(w->d);
}

static enum drop_reason bad_to_drop(enum ip4_bad bad)
{
	switch (bad) {
	case IP4_SHORT:
		return DROP_IP4_SHORT;
	case IP4_HEADER:
		return DROP_IP4_HEADER;
	case IP4_CHECKSUM:
		return DROP_IP4_CHECKSUM;
	default:
		return DROP_IP4_MARTIAN;
	}
}

// Strips Ethernet and padding from an IPv4 frame. False: dropped.
static bool ip4_accept(struct worker *w, struct rte_mbuf *m, struct pkt *p)
{
	enum ip4_bad bad;

	p->m = m;
	bad = ip4_parse(rte_pktmbuf_mtod_offset(m, uint8_t *, RTE_ETHER_HDR_LEN),
			rte_pktmbuf_data_len(m) - RTE_ETHER_HDR_LEN, &p->ip);
	if (unlikely(bad != IP4_GOOD)) {
		drop(w, m, bad_to_drop(bad));
		return false;
	}
	buf_cut(m, RTE_ETHER_HDR_LEN, p->ip.len);
	return true;
}

static enum drop_reason frame_wrong(const struct port *port, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	if (m->nb_segs > 1)
		return DROP_RX_SEGMENTED;
	if (rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN)
		return DROP_L2_SHORT;
	if (m->ol_flags & RTE_MBUF_F_RX_VLAN)
		return DROP_L2_VLAN;
	if (!rte_is_same_ether_addr(&eth->dst_addr, &port->mac) &&
	    !rte_is_multicast_ether_addr(&eth->dst_addr))
		return DROP_L2_OTHER_HOST;
	return DROP_COUNT;
}

// True: *p is an IPv4 packet to go on with. Otherwise the frame has gone elsewhere.
static bool frame_accept(struct worker *w, struct port *port, struct rte_mbuf *m, struct pkt *p)
{
	enum drop_reason why = frame_wrong(port, m);
	uint16_t type;
	bool group;

	if (unlikely(why != DROP_COUNT)) {
		drop(w, m, why);
		return false;
	}
	type = rte_be_to_cpu_16(rte_pktmbuf_mtod(m, const struct rte_ether_hdr *)->ether_type);
	group = rte_is_multicast_ether_addr(rte_pktmbuf_mtod(m, struct rte_ether_addr *));
	if (likely(type == RTE_ETHER_TYPE_IPV4)) {
		*p = (struct pkt){ .in = port->index, .l2_group = group };
		return ip4_accept(w, m, p);
	}
	if (is_control_type(type) || (type == RTE_ETHER_TYPE_IPV6 && is_ip6_for_box(w, m)))
		punt_frame(w, port, m);
	else if (type == RTE_ETHER_TYPE_VLAN || type == RTE_ETHER_TYPE_QINQ)
		drop(w, m, DROP_L2_VLAN);
	else
		drop(w, m, type == RTE_ETHER_TYPE_IPV6 ? DROP_IP6_UNSUPPORTED : DROP_L2_UNKNOWN);
	return false;
}

void receive_port(struct worker *w, struct port *port, uint16_t queue)
{
	struct pkts plain NO_AUTO_INIT, esp NO_AUTO_INIT;
	struct rte_mbuf *m[BURST] NO_AUTO_INIT;
	struct pkt pkt[BURST] NO_AUTO_INIT;
	uint16_t n = rte_eth_rx_burst(port->ethdev, queue, m, BURST);

	if (n == 0)
		return;
	plain.n = esp.n = 0;
	w->busy = true;
	w->st.path[PATH_RX] += n;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		if (!frame_accept(w, port, m[i], &pkt[i]))
			continue;
		if (port->is_protected && pkt[i].ip.proto == IP4_ESP)
			pkts_add(&esp, &pkt[i]);
		else
			pkts_add(&plain, &pkt[i]);
	}
	if (esp.n)
		esp_in(w, &esp, &plain);
	forward(w, &plain);
}

static bool is_own(const struct worker *w, uint32_t addr)
{
	const struct hop *h;

	if (addr == 0) // it asks for one (DHCP), or listens to groups without
		return true;
	fwd_lookup(&w->d->fwd, &addr, &h, 1);
	return h->kind == HOP_LOCAL;
}

// A frame the kernel sends: it has its next hop already. True: *p is to be judged like any packet
// that leaves through a protected port.
static bool kernel_frame_accept(struct worker *w, struct port *port, struct rte_mbuf *m,
				struct pkt *p)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	uint16_t type = rte_be_to_cpu_16(eth->ether_type);

	if (type == RTE_ETHER_TYPE_IPV4) {
		*p = (struct pkt){ .in = port->index,
				   .out = port->index,
				   .has_mac = true,
				   .from_kernel = true,
				   .mac = eth->dst_addr };
		if (!ip4_accept(w, m, p))
			return false;
		p->from_box = is_own(w, p->ip.src);
		return true;
	}
	if (is_control_type(type) || (type == RTE_ETHER_TYPE_IPV6 && is_ip6_from_box(w, m)))
		tx_frame(w, port->index, m);
	else
		drop(w, m, DROP_TAP_ETHERTYPE);
	return false;
}

void receive_kernel(struct worker *w, struct port *port)
{
	struct pkts l NO_AUTO_INIT;
	void *m[BURST] NO_AUTO_INIT;
	struct pkt pkt[BURST] NO_AUTO_INIT;
	unsigned n = rte_ring_dequeue_burst(port->from_kernel, m, BURST, NULL);

	if (n == 0)
		return;
	l.n = 0;
	w->busy = true;
	w->st.path[PATH_FROM_KERNEL] += n;
	for (unsigned i = 0; i < n; i++)
		if (kernel_frame_accept(w, port, m[i], &pkt[i]))
			pkts_add(&l, &pkt[i]);
	outbound(w, &l);
}
