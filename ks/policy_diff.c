#include "ks/policy_diff.h"

// Longest common run of lines: cell [i][j] for what is left from line i and line j on.
struct table {
	uint8_t len[POLICY_MAX_RULES + 1][POLICY_MAX_RULES + 1];
};

static bool same_line(const struct policy_rule *a, const struct policy_rule *b)
{
	return a->permit == b->permit && flow_eq(&a->flow, &b->flow);
}

static void fill(const struct policy *a, const struct policy *b, struct table *t)
{
	for (size_t i = a->n_ordered + 1; i-- > 0;) {
		for (size_t j = b->n_ordered + 1; j-- > 0;) {
			if (i == a->n_ordered || j == b->n_ordered)
				t->len[i][j] = 0;
			else if (same_line(&a->ordered[i], &b->ordered[j]))
				t->len[i][j] = (uint8_t)(t->len[i + 1][j + 1] + 1);
			else
				t->len[i][j] = MAX_OF(t->len[i + 1][j], t->len[i][j + 1]);
		}
	}
}

static void add(struct policy_diff *out, enum policy_op op, const struct policy_rule *before,
		const struct policy_rule *after)
{
	out->change[out->n++] = (struct policy_change){ op, before, after };
	out->n_added += op == POLICY_ADDED;
	out->n_removed += op == POLICY_REMOVED;
	out->n_changed += op == POLICY_CHANGED;
}

static enum policy_op kept_or_changed(const struct policy *a, const struct policy_rule *x,
				      const struct policy *b, const struct policy_rule *y)
{
	const struct policy_slot *s = &a->slot[x->slot], *u = &b->slot[y->slot];

	return x->permit && (s->suite != u->suite || s->life_s != u->life_s ||
			     !replay_eq(s->replay, u->replay))
		       ? POLICY_CHANGED
		       : POLICY_KEPT;
}

void policy_diff_make(const struct policy *before, const struct policy *after,
		      struct policy_diff *out)
{
	struct table t;
	size_t i = 0, j = 0;

	fill(before, after, &t);
	out->n = out->n_added = out->n_removed = out->n_changed = 0;
	while (i < before->n_ordered || j < after->n_ordered) {
		const struct policy_rule *x = &before->ordered[i], *y = &after->ordered[j];

		if (i < before->n_ordered && j < after->n_ordered && same_line(x, y)) {
			add(out, kept_or_changed(before, x, after, y), x, y);
			i++;
			j++;
		} else if (j == after->n_ordered ||
			   (i < before->n_ordered && t.len[i + 1][j] >= t.len[i][j + 1])) {
			add(out, POLICY_REMOVED, x, NULL);
			i++;
		} else {
			add(out, POLICY_ADDED, NULL, y);
			j++;
		}
	}
}
