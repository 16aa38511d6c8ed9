#include "dataplane/esp_out.h"
#include "dataplane/worker.h"

#define MTU_MIN 68u // RFC 791: every module forwards this much

// An ICMP error, ours, the kernel's or a host's, carries octets of the packet it is about. It must
// not show in clear what came under an SA or would have to leave under one.
static bool tells_secret(const struct worker *w, const struct pkt *p)
{
	const struct rule *about;
	struct ip4 quoted;

	if (p->quotes)
		return true;
	if (!ip4_icmp_quoted(pkt_ip(p), &p->ip, &quoted))
		return false;
	about = rules_match(w->policy->rules, &quoted, p->out);
	return about && about->action == DP_PROTECT && !about->send_clear;
}

static enum drop_reason in_clear(const struct worker *w, const struct pkt *p)
{
	return tells_secret(w, p) ? DROP_ICMP_LEAK : DROP_COUNT;
}

// What the rule says: DROP_COUNT and p->sa set or NULL for clear, or the reason to drop it.
static enum drop_reason judge(struct worker *w, struct pkt *p, const struct rule *rule)
{
	if (!rule || rule->action == DP_CLEAR)
		return in_clear(w, p);
	if (rule->action == DP_DROP)
		return rule->origin == DP_FROM_CLOSED ? DROP_FAIL_CLOSED : DROP_POLICY_DROP;
	if (rule->send_clear) {
		w->st.path[PATH_OUT_CLEAR_OK]++;
		return in_clear(w, p);
	}
	p->sa = rule->out;
	return p->sa ? DROP_COUNT : DROP_OUT_NO_SA;
}

// The same for a packet of the box itself, which some rules do not concern.
static enum drop_reason judge_own(struct worker *w, struct pkt *p, const struct rule *rule)
{
	enum drop_reason why;

	if (own_passes(w, p, rule, true)) {
		w->st.path[PATH_OUT_EXEMPT]++;
		return in_clear(w, p);
	}
	why = judge(w, p, rule);
	if (why != DROP_COUNT || p->sa)
		own_caught(w, p, rule, why != DROP_COUNT ? DP_CAUGHT_DROPPED : DP_CAUGHT_ENCRYPTED);
	return why;
}

// Sorts packets into those to protect and those to send as they are.
static void apply_policy(struct worker *w, struct pkts *l, struct pkts *secret, struct pkts *clear)
{
	const struct ip4 *ip[2 * BURST] NO_AUTO_INIT;
	const struct rule *rule[2 * BURST] NO_AUTO_INIT;
	uint8_t port[2 * BURST] NO_AUTO_INIT;
	unsigned before = clear->n;

	for (unsigned i = 0; i < l->n; i++) {
		ip[i] = &l->p[i]->ip;
		port[i] = l->p[i]->out;
	}
	flows_match(&w->flows, w->policy->serial, w->policy->rules, ip, port, l->n, rule);
	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		enum drop_reason why =
			p->from_box ? judge_own(w, p, rule[i]) : judge(w, p, rule[i]);

		if (why != DROP_COUNT)
			drop(w, p->m, why);
		else
			pkts_add(p->sa ? secret : clear, p);
	}
	w->st.path[PATH_OUT_CLEAR] += clear->n - before;
}

static enum drop_reason judge_without_policy(struct worker *w, struct pkt *p)
{
	if (p->quotes)
		return DROP_ICMP_LEAK;
	if (!w->d->conf.fail_close)
		return DROP_COUNT;
	if (!p->from_box)
		return DROP_FAIL_CLOSED;
	if (own_passes(w, p, NULL, true))
		return DROP_COUNT;
	own_caught(w, p, NULL, DP_CAUGHT_DROPPED);
	return DROP_FAIL_CLOSED;
}

// Without a policy a protected port is open or closed as configured.
static void without_policy(struct worker *w, struct pkts *l, struct pkts *clear)
{
	unsigned before = clear->n;

	for (unsigned i = 0; i < l->n; i++) {
		enum drop_reason why = judge_without_policy(w, l->p[i]);

		if (why != DROP_COUNT)
			drop(w, l->p[i]->m, why);
		else
			pkts_add(clear, l->p[i]);
	}
	w->st.path[PATH_OUT_CLEAR] += clear->n - before;
}

static void send_all(struct worker *w, struct pkts *l)
{
	if (l->n && l->p[0]->sa)
		esp_out(w, l);
	for (unsigned i = 0; i < l->n; i++)
		tx_packet(w, l->p[i]);
	l->n = 0;
}

// Cuts p into fragments of at most mtu octets and sends each as p would have been.
static void send_cut(struct worker *w, struct pkt *p, size_t mtu)
{
	struct pkt frag[BURST] NO_AUTO_INIT;
	struct pkts l = { .n = 0 };
	struct ip4_cutter c;
	size_t len = 1;

	ip4_cut_start(&c, pkt_ip(p), &p->ip, mtu);
	w->st.path[PATH_FRAGMENTED]++;
	while (len > 0) {
		struct pkt *f = &frag[l.n];

		*f = *p;
		f->m = rte_pktmbuf_alloc(w->d->pool);
		if (!f->m) {
			w->st.drop[DROP_NO_BUFFER]++;
			break;
		}
		len = ip4_cut_next(&c, pkt_ip(f));
		f->m->data_len = (uint16_t)len;
		f->m->pkt_len = (uint32_t)len;
		f->ip.len = (uint16_t)len;
		f->ip.frag = be16_get(pkt_ip(f) + 6);
		if (len > 0)
			pkts_add(&l, f);
		else
			rte_pktmbuf_free(f->m);
		if (l.n == BURST)
			send_all(w, &l);
	}
	send_all(w, &l);
	rte_pktmbuf_free(p->m);
}

// A packet of the box itself is cut even with DF: we are its origin, and the kernel would not
// believe an ICMP error that comes from its own address.
static void too_big(struct worker *w, struct pkt *p, size_t mtu)
{
	if (mtu < MTU_MIN) {
		drop(w, p->m, DROP_IP4_FRAGMENT);
	} else if ((p->ip.frag & IP4_DF) && !p->from_kernel) {
		icmp_answer(w, p, ICMP_UNREACH, ICMP_TOO_BIG, (uint16_t)mtu);
		drop(w, p->m, DROP_IP4_TOO_BIG);
	} else {
		send_cut(w, p, mtu);
	}
}

// Sends a list that is all to be protected or all clear; oversized packets go their own way.
static void send_fitting(struct worker *w, struct pkts *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct pkt *p = l->p[i];
		size_t mtu = w->d->ports[p->out].mtu;

		if (likely(p->ip.len + (p->sa ? ESP_GROW_MAX : 0) <= mtu)) {
			l->p[n++] = p;
			continue;
		}
		if (p->sa)
			mtu = esp_inner_max(p->sa->suite, mtu);
		if (p->ip.len <= mtu)
			l->p[n++] = p;
		else
			too_big(w, p, mtu);
	}
	l->n = n;
	send_all(w, l);
}

void outbound(struct worker *w, struct pkts *l)
{
	struct pkts judged NO_AUTO_INIT, bare NO_AUTO_INIT, open NO_AUTO_INIT;
	struct pkts secret NO_AUTO_INIT, clear NO_AUTO_INIT;

	judged.n = bare.n = open.n = secret.n = clear.n = 0;
	for (unsigned i = 0; i < l->n; i++) {
		unsigned out = l->p[i]->out;

		if (!w->d->ports[out].is_protected)
			pkts_add(&open, l->p[i]);
		else
			pkts_add(policy_covers(w->policy, out) ? &judged : &bare, l->p[i]);
	}
	if (judged.n)
		apply_policy(w, &judged, &secret, &clear);
	without_policy(w, &bare, &clear);
	send_fitting(w, &secret);
	send_fitting(w, &clear);
	send_fitting(w, &open);
	l->n = 0;
}
