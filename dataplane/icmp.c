#include "dataplane/worker.h"

#define ICMP_PER_S 1000
#define ICMP_BURST 50

static bool may_send(struct worker *w)
{
	int64_t passed = w->now_ms - w->icmp_refill_ms;

	if (passed > 0) {
		uint64_t more = (uint64_t)passed * ICMP_PER_S / 1000;

		w->icmp_tokens = (unsigned)RTE_MIN(w->icmp_tokens + more, (uint64_t)ICMP_BURST);
		w->icmp_refill_ms = w->now_ms;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
}

void icmp_answer(struct worker *w, const struct pkt *p, uint8_t type, uint8_t code, uint16_t mtu)
{
	uint32_t src = __atomic_load_n(&w->d->ports[p->in].addr, __ATOMIC_RELAXED);
	const uint8_t *about = pkt_ip(p);
	struct pkts l = { .n = 0 };
	struct pkt answer = { .in = p->in, .from_box = true, .quotes = p->spi_in != 0 };
	size_t len;

	if (src == 0 || !ip4_may_answer(about, &p->ip) || !may_send(w))
		return;
	answer.m = rte_pktmbuf_alloc(w->d->pool);
	if (!answer.m) {
		w->st.drop[DROP_NO_BUFFER]++;
		return;
	}
	len = ip4_icmp_error(pkt_ip(&answer), about, &p->ip, src, type, code, mtu);
	answer.m->data_len = (uint16_t)len;
	answer.m->pkt_len = (uint32_t)len;
	if (ip4_parse(pkt_ip(&answer), len, &answer.ip) != IP4_GOOD) {
		drop(w, answer.m, DROP_IP4_HEADER);
		return;
	}
	w->st.path[PATH_ICMP_SENT]++;
	pkts_add(&l, &answer);
	forward(w, &l);
}
