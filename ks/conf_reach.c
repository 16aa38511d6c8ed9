#include "ks/conf_reach.h"

#define BOXES_MAX 64

static void narrow(struct flow_side *s, const struct addr *a)
{
	s->lo = s->hi = *a;
}

static bool is_in(const struct flow_side *s, const struct addr *a)
{
	return s->lo.family == a->family && addr_cmp(&s->lo, a) <= 0 && addr_cmp(a, &s->hi) <= 0;
}

struct boxes {
	size_t n;
	struct flow f[BOXES_MAX];
};

// What cannot be cut out exactly stays in: rather a warning too many.
static void cut(struct boxes *b, const struct flow *deny)
{
	struct boxes left = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		int n = flow_subtract(&b->f[i], deny, left.f + left.n, BOXES_MAX - left.n);

		if (n < 0 || (size_t)n > BOXES_MAX - left.n) {
			if (left.n == BOXES_MAX)
				return;
			left.f[left.n] = b->f[i];
			n = 1;
		}
		left.n += (size_t)n;
	}
	*b = left;
}

struct at {
	size_t sa, line;
};

static bool is_taken(const struct policy_sa *sa, const struct at *permit, const struct flow *f)
{
	struct boxes b = { .n = 1, .f = { *f } };

	for (size_t i = 0; i <= permit->sa && b.n > 0; i++) {
		size_t n = i == permit->sa ? permit->line : sa[i].acl->n;

		for (size_t k = 0; k < n && b.n > 0; k++) {
			if (!sa[i].acl->lines[k].acl.permit)
				cut(&b, &sa[i].acl->lines[k].acl.flow);
		}
	}
	return b.n > 0;
}

static bool judge(const struct policy_sa *sa, const struct at *at, const struct addr *a,
		  struct reach_hit *out)
{
	const struct acl_conf_line *l = &sa[at->sa].acl->lines[at->line];
	struct flow f = l->acl.flow;

	*out = (struct reach_hit){ .line = l->line };
	if (!l->acl.permit)
		return false;
	if (is_in(&f.src, a)) {
		narrow(&f.src, a);
		out->from = is_taken(sa, at, &f);
	}
	f = l->acl.flow;
	if (is_in(&f.dst, a)) {
		narrow(&f.dst, a);
		out->to = is_taken(sa, at, &f);
	}
	return out->from || out->to;
}

bool conf_reach_find(const struct policy_sa *sa, size_t n, const struct addr *a,
		     struct reach_hit *out)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sa[i].acl->n; k++) {
			if (judge(sa, &(struct at){ i, k }, a, out))
				return true;
		}
	}
	return false;
}
