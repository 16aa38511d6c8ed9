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
	if (!rule || rule->action == DP_CLEAR)
		return p->spi_in ? DROP_IN_POLICY : DROP_COUNT;
	if (rule->action == DP_DROP)
		return rule->origin == DP_FROM_CLOSED ? DROP_FAIL_CLOSED : DROP_POLICY_DROP;
	if (p->spi_in)
		return rule_admits(rule, p->spi_in) ? DROP_COUNT : DROP_IN_POLICY;
	if (p->ip.proto == IP4_ESP)
		return ip4_is_fragment(&p->ip) ? DROP_IN_FRAGMENT : DROP_IN_UNKNOWN_SPI;
	if (!rule->accept_clear)
		return DROP_IN_CLEAR;
	w->st.path[PATH_IN_CLEAR_MIGRATES]++;
	return DROP_COUNT;
}

// The same for what is addressed to the box itself, which some rules do not concern.
static enum drop_reason may_reach_box(struct worker *w, const struct pkt *p,
				      const struct rule *rule)
{
	enum drop_reason why;

	if (!p->spi_in && own_passes(w, p, rule, false))
		return DROP_COUNT;
	why = may_arrive(w, p, rule);
	if (why != DROP_COUNT && !p->spi_in && p->ip.proto != IP4_ESP)
		own_caught(w, p, rule, DP_CAUGHT_REFUSED);
	return why;
}

// An SPI that we lack, of a flow that a group protects: its key server may know more than we do.
static void unknown_spi(struct worker *w, const struct pkt *p, const struct rule *rule)
{
	struct section_count *n = &w->policy->group[rule->group].n[w->id];

	if (p->ip.len < p->ip.hlen + 4u)
		return;
	__atomic_store_n(&n->last_spi, be32_get(pkt_ip(p) + p->ip.hlen), __ATOMIC_RELAXED);
	__atomic_store_n(&n->unknown_spi, n->unknown_spi + 1, __ATOMIC_RELAXED);
}

static void refuse(struct worker *w, struct pkt *p, const struct rule *rule, enum drop_reason why)
{
	const struct sa *sa;

	if (why == DROP_IN_UNKNOWN_SPI)
		unknown_spi(w, p, rule);
	if (why == DROP_IN_POLICY && (sa = sadb_find(w->policy->sadb, p->spi_in)))
		sa->state->n[w->id].policy_fail++;
	drop(w, p->m, why);
}

static void admit_by_policy(struct worker *w, struct pkts *l)
{
	const struct ip4 *ip[2 * BURST] NO_AUTO_INIT;
	const struct rule *rule[2 * BURST] NO_AUTO_INIT;
	uint8_t port[2 * BURST] NO_AUTO_INIT;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		ip[i] = &l->p[i]->ip;
		port[i] = l->p[i]->in;
	}
	flows_match(&w->flows, w->policy->serial, w->policy->rules, ip, port, l->n, rule);
	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		enum drop_reason why =
			p->for_box ? may_reach_box(w, p, rule[i]) : may_arrive(w, p, rule[i]);

		if (why != DROP_COUNT) {
			refuse(w, p, rule[i], why);
			continue;
		}
		w->st.path[p->spi_in ? PATH_IN_PROTECTED : PATH_IN_CLEAR_OK]++;
		l->p[n++] = p;
	}
	l->n = n;
}

// What an SA opened belongs to a group of another port.
static bool may_arrive_without_policy(struct worker *w, const struct pkt *p)
{
	if (!w->d->conf.fail_close)
		return !p->spi_in;
	if (!p->for_box || p->spi_in)
		return false;
	if (own_passes(w, p, NULL, false))
		return true;
	own_caught(w, p, NULL, DP_CAUGHT_REFUSED);
	return false;
}

static void admit_without_policy(struct worker *w, struct pkts *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		if (may_arrive_without_policy(w, l->p[i]))
			l->p[n++] = l->p[i];
		else
			drop(w, l->p[i]->m, DROP_FAIL_CLOSED);
	}
	l->n = n;
	w->st.path[PATH_IN_CLEAR_OK] += n;
}

// All of l came through one port.
static void admit(struct worker *w, struct pkts *l)
{
	if (policy_covers(w->policy, l->p[0]->in))
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
