#include "ks/policy.h"

#include <stdarg.h>

#define IP_PROTO_UDP 17

struct build {
	struct policy *p;
	struct policy_error *why;
	unsigned line; // being compiled
};

static bool fail(struct build *b, const char *fmt, ...) PRINTF(2, 3);

static bool fail(struct build *b, const char *fmt, ...)
{
	va_list ap;

	b->why->conf_line = b->line;
	va_start(ap, fmt);
	vsnprintf(b->why->text, sizeof(b->why->text), fmt, ap);
	va_end(ap);
	return false;
}

static bool side_port_is(const struct flow_side *s, uint16_t port)
{
	return s->port_lo == port && s->port_hi == port;
}

static bool side_port_any(const struct flow_side *s)
{
	return s->port_lo == 0 && s->port_hi == UINT16_MAX;
}

static bool side_port_gdoi(const struct flow_side *s)
{
	return side_port_is(s, GDOI_PORT) || side_port_is(s, GDOI_NATT_PORT);
}

bool policy_member_frees(const struct acl_line *l)
{
	const struct flow_side *s = &l->flow.src, *d = &l->flow.dst;

	return !l->permit && l->flow.proto == IP_PROTO_UDP &&
	       (side_port_gdoi(s) || side_port_gdoi(d)) &&
	       (side_port_gdoi(s) || side_port_any(s)) && (side_port_gdoi(d) || side_port_any(d));
}

// A SAT says one port or all of them: a range becomes a rule per port.
static uint32_t side_n_ports(const struct flow_side *s)
{
	return side_port_any(s) ? 1 : (uint32_t)(s->port_hi - s->port_lo) + 1;
}

static void side_pick_port(struct flow_side *s, uint32_t i)
{
	if (side_port_any(s))
		return;
	s->port_lo = (uint16_t)(s->port_lo + i);
	s->port_hi = s->port_lo;
}

// A permit that an earlier rule covers never matches. On the wire it would do harm: members take a
// selector that comes again for an older generation of the first.
static bool never_matches(const struct policy_rule *before, size_t n, const struct flow *permit)
{
	for (size_t i = 0; i < n; i++) {
		if (flow_covers(&before[i].flow, permit))
			return true;
	}
	return false;
}

static bool add_ordered(struct build *b, const struct policy_rule *r)
{
	uint32_t n_src = side_n_ports(&r->flow.src), n_dst = side_n_ports(&r->flow.dst);
	unsigned long long n = (unsigned long long)n_src * n_dst + b->p->n_ordered;

	if (n > POLICY_MAX_RULES)
		return fail(b,
			    "this line makes %llu entries of policy, %d are the most a group may "
			    "have (each port of a range is one)",
			    n, POLICY_MAX_RULES);
	for (uint32_t i = 0; i < n_src; i++) {
		for (uint32_t j = 0; j < n_dst; j++) {
			struct policy_rule one = *r;

			side_pick_port(&one.flow.src, i);
			side_pick_port(&one.flow.dst, j);
			if (!r->permit || !never_matches(b->p->ordered, b->p->n_ordered, &one.flow))
				b->p->ordered[b->p->n_ordered++] = one;
		}
	}
	return true;
}

struct boxes {
	size_t n;
	struct flow f[POLICY_MAX_RULES];
};

// Cuts one deny out of all boxes. Returns 0, -EOPNOTSUPP (what is left has no form on the wire)
// or -ENOSPC.
static int boxes_cut(struct boxes *boxes, const struct flow *deny)
{
	struct boxes left = { 0 };

	for (size_t i = 0; i < boxes->n; i++) {
		size_t room = POLICY_MAX_RULES - left.n;
		int n = flow_subtract(&boxes->f[i], deny, left.f + left.n, room);

		if (n < 0)
			return n;
		if ((size_t)n > room)
			return -ENOSPC;
		for (size_t k = left.n; k < left.n + (size_t)n; k++) {
			if (side_n_ports(&left.f[k].src) > 1 || side_n_ports(&left.f[k].dst) > 1)
				return -EOPNOTSUPP;
		}
		left.n += (size_t)n;
	}
	*boxes = left;
	return 0;
}

// One ordered permit, minus every deny before it, into the flat form.
static bool add_flat(struct build *b, const struct policy_rule *permit,
		     const struct acl_conf_line *const *denies, size_t n_denies)
{
	struct boxes boxes = { .n = 1, .f = { permit->flow } };
	struct policy *p = b->p;

	for (size_t i = 0; i < n_denies && p->no_flat_at == 0; i++) {
		int err;

		if (policy_member_frees(&denies[i]->acl))
			continue;
		err = boxes_cut(&boxes, &denies[i]->acl.flow);
		if (err == -EOPNOTSUPP) {
			p->no_flat_at = denies[i]->line;
		} else if (err) {
			b->line = denies[i]->line;
			return fail(b,
				    "cutting this deny out of the permits after it makes more than "
				    "%d entries; fewer or larger blocks are needed",
				    POLICY_MAX_RULES);
		}
	}
	if (p->no_flat_at)
		return true;
	if (p->n_flat + boxes.n > POLICY_MAX_RULES)
		return fail(b,
			    "this permit, less the denies before it, brings the policy to %zu "
			    "entries; %d are the most a group may have",
			    p->n_flat + boxes.n, POLICY_MAX_RULES);
	for (size_t i = 0; i < boxes.n; i++) {
		if (!never_matches(p->flat, p->n_flat, &boxes.f[i]))
			p->flat[p->n_flat++] =
				(struct policy_rule){ true, permit->slot, boxes.f[i] };
	}
	return true;
}

static uint16_t add_slot(struct policy *p, const struct policy_sa *sa)
{
	struct policy_slot *s = &p->slot[p->n_slot];

	s->sa_number = sa->number;
	s->suite = sa->suite;
	s->life_s = sa->life_s;
	s->replay = sa->replay.mode == REPLAY_NONE ? REPLAY_DEFAULT : sa->replay;
	snprintf(s->acl, sizeof(s->acl), "%s", sa->acl->name);
	p->counter |= sa->suite->counter_iv;
	if (p->life_s == 0 || sa->life_s < p->life_s)
		p->life_s = sa->life_s;
	return (uint16_t)p->n_slot++;
}

struct denies {
	size_t n;
	const struct acl_conf_line *line[POLICY_MAX_RULES];
};

static bool add_line(struct build *b, const struct policy_sa *sa, const struct acl_conf_line *l,
		     struct denies *denies)
{
	struct policy_rule r = { .permit = l->acl.permit, .flow = l->acl.flow };
	size_t first = b->p->n_ordered;

	b->line = l->line;
	if (!add_ordered(b, &r))
		return false;
	if (!r.permit) {
		denies->line[denies->n++] = l; // bounded: each made an ordered rule
		return true;
	}
	if (b->p->n_ordered == first)
		return true;
	r.slot = add_slot(b->p, sa);
	for (size_t i = first; i < b->p->n_ordered; i++) {
		b->p->ordered[i].slot = r.slot;
		if (!add_flat(b, &b->p->ordered[i], denies->line, denies->n))
			return false;
	}
	return true;
}

struct policy *policy_build(const struct policy_sa *sa, size_t n, struct policy_error *why)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct build b = { .p = p, .why = why };
	struct denies denies = { 0 };

	BUG_ON(!p);
	p->refs = 1;
	*why = (struct policy_error){ 0 };
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sa[i].acl->n; k++) {
			if (!add_line(&b, &sa[i], &sa[i].acl->lines[k], &denies))
				goto bad;
		}
	}
	b.line = 0;
	if (p->n_slot == 0) {
		fail(&b, "no permit line: the group would protect nothing");
		goto bad;
	}
	return p;
bad:
	policy_put(p);
	return NULL;
}

struct policy *policy_get(struct policy *p)
{
	p->refs++;
	return p;
}

void policy_put(struct policy *p)
{
	if (p && --p->refs == 0)
		free(p);
}

bool policy_eq(const struct policy *a, const struct policy *b)
{
	if (a->n_slot != b->n_slot || a->n_ordered != b->n_ordered || a->n_flat != b->n_flat ||
	    a->receive_only != b->receive_only || (a->no_flat_at == 0) != (b->no_flat_at == 0))
		return false;
	for (size_t i = 0; i < a->n_slot; i++) {
		if (a->slot[i].suite != b->slot[i].suite ||
		    a->slot[i].life_s != b->slot[i].life_s ||
		    !replay_eq(a->slot[i].replay, b->slot[i].replay))
			return false;
	}
	for (size_t i = 0; i < a->n_ordered; i++) {
		const struct policy_rule *x = &a->ordered[i], *y = &b->ordered[i];

		if (x->permit != y->permit || x->slot != y->slot || !flow_eq(&x->flow, &y->flow))
			return false;
	}
	return true;
}
