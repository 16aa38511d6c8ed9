#include "common/base/flow.h"

#include <string.h>

bool flow_eq(const struct flow *a, const struct flow *b)
{
	return flow_covers(a, b) && flow_covers(b, a);
}

static bool side_overlaps(const struct flow_side *a, const struct flow_side *b)
{
	return a->lo.family == b->lo.family && addr_cmp(&a->lo, &b->hi) <= 0 &&
	       addr_cmp(&b->lo, &a->hi) <= 0 && a->port_lo <= b->port_hi &&
	       b->port_lo <= a->port_hi;
}

bool flow_overlaps(const struct flow *a, const struct flow *b)
{
	return (a->proto == 0 || b->proto == 0 || a->proto == b->proto) &&
	       side_overlaps(&a->src, &b->src) && side_overlaps(&a->dst, &b->dst);
}

static bool side_covers(const struct flow_side *out, const struct flow_side *in)
{
	return out->lo.family == in->lo.family && addr_cmp(&out->lo, &in->lo) <= 0 &&
	       addr_cmp(&in->hi, &out->hi) <= 0 && out->port_lo <= in->port_lo &&
	       in->port_hi <= out->port_hi;
}

bool flow_covers(const struct flow *outer, const struct flow *inner)
{
	return (outer->proto == 0 || outer->proto == inner->proto) &&
	       side_covers(&outer->src, &inner->src) && side_covers(&outer->dst, &inner->dst);
}

void flow_side_any(struct flow_side *s, uint8_t family)
{
	*s = (struct flow_side){ .lo.family = family, .hi.family = family, .port_hi = UINT16_MAX };
	memset(s->hi.b, 0xff, family == 4 ? 4 : 16);
}

void flow_side_prefix(struct flow_side *s, const struct prefix *p)
{
	*s = (struct flow_side){ prefix_first(p), prefix_last(p), 0, UINT16_MAX };
}

struct cut {
	struct flow rest; // what still has to be cut
	struct flow *out;
	size_t max;
	int n;
};

static void cut_emit(struct cut *c, const struct flow *piece)
{
	if ((size_t)c->n < c->max)
		c->out[c->n] = *piece;
	c->n++;
}

// Cut the parts of one side that lie outside b, one dimension at a time; c->rest shrinks to b.
static void cut_side(struct cut *c, size_t side_offset, const struct flow_side *b)
{
	struct flow_side *rest = (struct flow_side *)((char *)&c->rest + side_offset);
	struct flow piece;
	struct flow_side *p = (struct flow_side *)((char *)&piece + side_offset);

	if (addr_cmp(&rest->lo, &b->lo) < 0) {
		piece = c->rest;
		if (addr_prev(&b->lo, &p->hi))
			cut_emit(c, &piece);
		rest->lo = b->lo;
	}
	if (addr_cmp(&b->hi, &rest->hi) < 0) {
		piece = c->rest;
		if (addr_next(&b->hi, &p->lo))
			cut_emit(c, &piece);
		rest->hi = b->hi;
	}
	if (rest->port_lo < b->port_lo) {
		piece = c->rest;
		p->port_hi = (uint16_t)(b->port_lo - 1);
		cut_emit(c, &piece);
		rest->port_lo = b->port_lo;
	}
	if (b->port_hi < rest->port_hi) {
		piece = c->rest;
		p->port_lo = (uint16_t)(b->port_hi + 1);
		cut_emit(c, &piece);
		rest->port_hi = b->port_hi;
	}
}

int flow_subtract(const struct flow *a, const struct flow *b, struct flow *out, size_t max)
{
	struct cut c = { .rest = *a, .out = out, .max = max };

	if (!flow_overlaps(a, b)) {
		cut_emit(&c, a);
		return c.n;
	}
	if (b->proto != 0 && a->proto == 0)
		return -EOPNOTSUPP;
	cut_side(&c, offsetof(struct flow, src), &b->src);
	cut_side(&c, offsetof(struct flow, dst), &b->dst);
	return c.n;
}

static const struct {
	uint8_t number;
	const char *name;
} proto_names[] = {
	{ 0, "ip" },	 { 1, "icmp" },	 { 2, "igmp" },	 { 4, "ipinip" }, { 6, "tcp" },
	{ 17, "udp" },	 { 47, "gre" },	 { 50, "esp" },	 { 51, "ahp" },	  { 58, "icmpv6" },
	{ 88, "eigrp" }, { 89, "ospf" }, { 103, "pim" },
};

int ip_proto_parse(const char *text, uint8_t *out)
{
	unsigned v = 0;

	for (size_t i = 0; i < N_ELEMS(proto_names); i++) {
		if (strcmp(text, proto_names[i].name) == 0) {
			*out = proto_names[i].number;
			return 0;
		}
	}
	if (*text == '\0')
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || (v = v * 10 + (unsigned)(*p - '0')) > 255)
			return -EINVAL;
	}
	*out = (uint8_t)v;
	return 0;
}

const char *ip_proto_str(uint8_t proto, char buf[8])
{
	for (size_t i = 0; i < N_ELEMS(proto_names); i++) {
		if (proto_names[i].number == proto)
			return proto_names[i].name;
	}
	snprintf(buf, 8, "%u", proto);
	return buf;
}

static size_t side_str(const struct flow_side *s, char *buf, size_t size)
{
	char lo[ADDR_STRLEN], hi[ADDR_STRLEN];
	struct prefix p;
	int n;

	if (!prefix_from_range(&s->lo, &s->hi, &p)) {
		n = snprintf(buf, size, "range %s %s", addr_str(&s->lo, lo), addr_str(&s->hi, hi));
	} else if (p.len == 0) {
		n = snprintf(buf, size, "any");
	} else if (p.len == addr_bits(&p.addr)) {
		n = snprintf(buf, size, "host %s", addr_str(&s->lo, lo));
	} else if (p.addr.family == 6) {
		n = snprintf(buf, size, "%s/%u", addr_str(&p.addr, lo), p.len);
	} else {
		struct addr mask = prefix_mask(&p), inverse = addr_from_v4(~addr_to_v4(&mask));

		n = snprintf(buf, size, "%s %s", addr_str(&p.addr, lo), addr_str(&inverse, hi));
	}
	if (s->port_lo == s->port_hi)
		n += snprintf(buf + n, size - (size_t)n, " port = %u", s->port_lo);
	else if (s->port_lo != 0 || s->port_hi != UINT16_MAX)
		n += snprintf(buf + n, size - (size_t)n, " range %u %u", s->port_lo, s->port_hi);
	return (size_t)n;
}

const char *flow_str(const struct flow *f, char buf[FLOW_STRLEN])
{
	char proto[8];
	size_t n = (size_t)snprintf(buf, FLOW_STRLEN, "%s ", ip_proto_str(f->proto, proto));

	n += side_str(&f->src, buf + n, FLOW_STRLEN - n);
	buf[n++] = ' ';
	side_str(&f->dst, buf + n, FLOW_STRLEN - n);
	return buf;
}
