#include "dataplane/worker.h"

void punt(struct worker *w, struct pkt *p)
{
	const struct port *port = &w->d->ports[p->in];
	struct rte_ether_hdr *eth;

	eth = (struct rte_ether_hdr *)rte_pktmbuf_prepend(p->m, RTE_ETHER_HDR_LEN);
	if (!eth) {
		drop(w, p->m, DROP_OUT_NO_ROOM);
		return;
	}
	eth->dst_addr = port->mac;
	eth->src_addr = port->mac;
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	if (rte_ring_enqueue(port->to_kernel, p->m) < 0) {
		drop(w, p->m, DROP_PUNT_FULL);
		return;
	}
	w->st.path[PATH_PUNTED]++;
	espd_wake(w->d);
}

// Gives every packet its port and next hop, or takes it off the list.
static void route(struct worker *w, struct pkts *l)
{
	const struct hop *hop[2 * BURST] NO_AUTO_INIT;
	uint32_t dst[2 * BURST] NO_AUTO_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		dst[i] = l->p[i]->ip.dst;
	fwd_lookup(&w->d->fwd, dst, hop, l->n);
	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];

		p->for_box = hop[i]->kind == HOP_LOCAL || ip4_is_group(p->ip.dst);
		if (p->for_box) {
			l->p[n++] = p;
		} else if (unlikely(p->l2_group)) {
			drop(w, p->m, DROP_L2_GROUP);
		} else if (likely(hop[i]->kind == HOP_PORT)) {
			p->out = hop[i]->port;
			p->hop = hop[i]->gw ? hop[i]->gw : p->ip.dst;
			l->p[n++] = p;
		} else if (hop[i]->kind == HOP_UNUSABLE) {
			drop(w, p->m, DROP_FWD_OTHER_DEV);
		} else {
			if (!p->from_box && !w->d->ports[p->in].is_protected)
				icmp_answer(w, p, ICMP_UNREACH, ICMP_NO_ROUTE, 0);
			drop(w, p->m, DROP_FWD_NO_ROUTE);
		}
	}
	l->n = n;
}

// May p, which came through a protected port, come in? spi_in says how it came.
static enum drop_reason may_arrive(struct worker *w, const struct pkt *p, const struct rule *rule)
{
	if (p->for_box && !p->spi_in &&
	    (policy_exempts(w->policy, &p->ip, false) || ip4_is_igmp(&p->ip)))
		return DROP_COUNT;
	if (!rule || rule->action == DP_CLEAR)
		return p->spi_in ? DROP_IN_POLICY : DROP_COUNT;
	if (rule->action == DP_DROP)
		return DROP_POLICY_DROP;
	if (p->spi_in)
		return rule_admits(rule, p->spi_in) ? DROP_COUNT : DROP_IN_POLICY;
	if (p->ip.proto == IP4_ESP)
		return ip4_is_fragment(&p->ip) ? DROP_IN_FRAGMENT : DROP_IN_UNKNOWN_SPI;
	return rule->accept_clear ? DROP_COUNT : DROP_IN_CLEAR;
}

static void refuse(struct worker *w, struct pkt *p, enum drop_reason why)
{
	const struct sa *sa;

	if (why == DROP_IN_UNKNOWN_SPI && p->ip.len >= p->ip.hlen + 4u) {
		uint32_t spi = be32_get(pkt_ip(p) + p->ip.hlen);

		__atomic_store_n(&w->st.unknown_spi, spi, __ATOMIC_RELAXED);
	}
	if (why == DROP_IN_POLICY && (sa = sadb_find(w->policy->sadb, p->spi_in)))
		sa->state->n[w->id].policy_fail++;
	drop(w, p->m, why);
}

static void admit_by_policy(struct worker *w, struct pkts *l)
{
	const struct ip4 *ip[2 * BURST] NO_AUTO_INIT;
	const struct rule *rule[2 * BURST] NO_AUTO_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		ip[i] = &l->p[i]->ip;
	rules_match_burst(w->policy->rules, ip, l->n, rule);
	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		enum drop_reason why = may_arrive(w, p, rule[i]);

		if (why != DROP_COUNT) {
			refuse(w, p, why);
			continue;
		}
		w->st.path[p->spi_in ? PATH_IN_PROTECTED : PATH_IN_CLEAR_OK]++;
		l->p[n++] = p;
	}
	l->n = n;
}

static void admit_without_policy(struct worker *w, struct pkts *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		if (w->d->conf.fail_close && !l->p[i]->for_box)
			drop(w, l->p[i]->m, DROP_FAIL_CLOSED);
		else
			l->p[n++] = l->p[i];
	}
	l->n = n;
	w->st.path[PATH_IN_CLEAR_OK] += n;
}

static void admit(struct worker *w, struct pkts *l)
{
	if (w->policy)
		admit_by_policy(w, l);
	else
		admit_without_policy(w, l);
}

// One router further. False: the packet ends here.
static bool age(struct worker *w, struct pkt *p)
{
	if (p->from_box)
		return true;
	if (p->ip.ttl <= 1) {
		icmp_answer(w, p, ICMP_EXPIRED, 0, 0);
		drop(w, p->m, DROP_IP4_TTL);
		return false;
	}
	ip4_ttl_dec(pkt_ip(p));
	return true;
}

void forward(struct worker *w, struct pkts *l)
{
	unsigned n = 0;

	if (l->n == 0)
		return;
	route(w, l);
	if (l->n && !l->p[0]->from_box && w->d->ports[l->p[0]->in].is_protected)
		admit(w, l);
	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];

		if (p->for_box)
			punt(w, p);
		else if (age(w, p))
			l->p[n++] = p;
	}
	l->n = n;
	outbound(w, l);
}
