#include "dataplane/flows.h"

#include <string.h>

static inline struct flow key_of(const struct ip4 *ip, uint8_t port)
{
	return (struct flow){
		.addrs = (uint64_t)ip->src << 32 | ip->dst,
		.rest = (uint64_t)ip->sport << 48 | (uint64_t)ip->dport << 32 | 1u << 16 |
			(uint32_t)ip->proto << 8 | port,
	};
}

static inline struct flow *place(struct flows *f, const struct flow *k)
{
	uint64_t h = (k->addrs * 0x9e3779b97f4a7c15u ^ k->rest) * 0xc2b2ae3d27d4eb4fu;

	return &f->flow[h >> (64 - FLOWS_BITS) << 1]; // all bits of both words count there
}

static void search(struct flows *f, const struct rules *r, const struct ip4 *const *ip,
		   const uint8_t *port, const uint8_t *missed, size_t n, const struct rule **out)
{
	const struct ip4 *m_ip[CLASSIFY_BURST] = { NULL };
	const struct rule *m_out[CLASSIFY_BURST];
	uint8_t m_port[CLASSIFY_BURST] = { 0 };

	for (size_t i = 0; i < n; i++) {
		m_ip[i] = ip[missed[i]];
		m_port[i] = port[missed[i]];
	}
	rules_match_burst(r, m_ip, m_port, n, m_out);
	for (size_t i = 0; i < n; i++) {
		struct flow k = key_of(m_ip[i], m_port[i]), *at;

		out[missed[i]] = k.rule = m_out[i];
		if (m_ip[i]->opaque)
			continue;
		at = place(f, &k);
		at[1] = at[0];
		at[0] = k;
	}
}

void flows_match(struct flows *f, uint64_t serial, const struct rules *r,
		 const struct ip4 *const *ip, const uint8_t *port, size_t n,
		 const struct rule **out)
{
	uint8_t missed[CLASSIFY_BURST] NO_AUTO_INIT;
	size_t n_missed = 0;

	BUG_ON(n > CLASSIFY_BURST);
	if (f->serial != serial) {
		memset(f->flow, 0, sizeof(f->flow));
		f->serial = serial;
	}
	for (size_t i = 0; i < n; i++) {
		struct flow k = key_of(ip[i], port[i]);
		const struct flow *at = place(f, &k);

		at += at->addrs != k.addrs || at->rest != k.rest;
		if (at->addrs == k.addrs && at->rest == k.rest && !ip[i]->opaque)
			out[i] = at->rule;
		else
			missed[n_missed++] = (uint8_t)i;
	}
	if (n_missed)
		search(f, r, ip, port, missed, n_missed, out);
}
