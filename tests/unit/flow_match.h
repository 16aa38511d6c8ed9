// tests/unit/flow_match.h - does a packet belong to a flow: asked one by one, for tests that compare.
#pragma once
#include "common/base/flow.h"

// The five values a packet shows. Ports are 0 where the protocol has none.
struct flow_key {
	struct addr src, dst;
	uint16_t sport, dport;
	uint8_t proto;
};

static inline bool side_matches(const struct flow_side *s, const struct addr *a, uint16_t port)
{
	return s->lo.family == a->family && addr_cmp(&s->lo, a) <= 0 && addr_cmp(a, &s->hi) <= 0 &&
	       s->port_lo <= port && port <= s->port_hi;
}

static inline bool flow_matches(const struct flow *f, const struct flow_key *k)
{
	return (f->proto == 0 || f->proto == k->proto) &&
	       side_matches(&f->src, &k->src, k->sport) && side_matches(&f->dst, &k->dst, k->dport);
}
