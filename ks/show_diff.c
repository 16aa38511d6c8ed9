// What is staged, and what sending it would change.
#include <stdarg.h>
#include <string.h>

#include "ks/plan.h"
#include "ks/policy_diff.h"
#include "ks/push.h"
#include "ks/show.h"

#define NAMED_MAX 8 // members that are named

static const char *line_str(const struct policy_rule *r, char buf[FLOW_STRLEN + 8])
{
	char flow[FLOW_STRLEN];

	snprintf(buf, FLOW_STRLEN + 8, "%s %s", r->permit ? "permit" : "deny",
		 flow_str(&r->flow, flow));
	return buf;
}

// ---- parameters other than lines ----

#define PARAM_STRLEN 128 // a group address with its TTL, or the label of a key

struct param {
	const char *name;
	char before[PARAM_STRLEN], after[PARAM_STRLEN];
};

struct params {
	size_t n;
	struct param p[16];
};

static void param(struct params *all, const char *name, const char *before, const char *after)
{
	struct param *p = &all->p[all->n];

	if (strcmp(before, after) == 0)
		return;
	p->name = name;
	snprintf(p->before, sizeof(p->before), "%s", before);
	snprintf(p->after, sizeof(p->after), "%s", after);
	all->n++;
}

static void number(struct params *all, const char *name, uint32_t before, uint32_t after)
{
	char a[16], b[16];

	snprintf(a, sizeof(a), "%u", before);
	snprintf(b, sizeof(b), "%u", after);
	param(all, name, a, b);
}

static const char *transport_str(const struct kek_params *k, char buf[ENDPOINT_STRLEN + 40])
{
	char to[ENDPOINT_STRLEN];

	if (k->group.addr.family == 0)
		snprintf(buf, ENDPOINT_STRLEN + 40, "unicast");
	else
		snprintf(buf, ENDPOINT_STRLEN + 40, "multicast %s ttl %u",
			 endpoint_str(&k->group, to), k->ttl);
	return buf;
}

static const char *hash_str(const struct kek_params *k)
{
	switch (k->sign_hash) {
	case HASH_ALG_SHA384:
		return "sha384";
	case HASH_ALG_SHA512:
		return "sha512";
	default:
		return "sha256";
	}
}

static const char *direction_word(const struct policy *p)
{
	return p->receive_only ? "receive-only" : "both";
}

static void params_of(const struct ks *ks, const struct ks_group *g, struct params *out)
{
	const struct kek_params *a = &g->keys.kek.params, *b;
	struct kek_params staged;
	char x[ENDPOINT_STRLEN + 40], y[ENDPOINT_STRLEN + 40];

	out->n = 0;
	ks_plan_kek(ks, g, &staged);
	b = &staged;
	param(out, "rekey transport", transport_str(a, x), transport_str(b, y));
	param(out, "rekey algorithm", a->suite->name, b->suite->name);
	number(out, "rekey lifetime", a->life_s, b->life_s);
	param(out, "rekey signing key", a->sign_label, b->sign_label);
	param(out, "rekey sig-hash", hash_str(a), hash_str(b));
	number(out, "rekey key tree degree", a->lkh_degree, b->lkh_degree);
	param(out, "rekey acknowledgement", ks_show_ack_word(a->ack), ks_show_ack_word(b->ack));
	param(out, "sa direction", direction_word(ks_group_policy(g)),
	      direction_word(g->conf->policy));
	number(out, "sender id bits", g->sids.bits, g->conf->sid_bits);
	if (out->n == 0 && ks_plan_kek_differs(ks, g)) // under the same label
		param(out, "rekey signing key", "the former file", "another key");
}

// ---- who is touched ----

static bool cannot_express(const struct ks_group *g, const struct member *m)
{
	return g->conf->policy->no_flat_at && !m->ordered;
}

static size_t n_lost(const struct ks_group *g)
{
	size_t n = 0;

	for (const struct member *m = g->members.first; m; m = m->next)
		n += cannot_express(g, m);
	return n;
}

static const char *how(const struct ks *ks, const struct ks_group *g)
{
	if (ks_plan_starts_over(g))
		return "all members register again: no rekey can say this change";
	return ks_plan_kek_differs(ks, g) ? "one rekey, with a new KEK" : "one rekey, same KEK";
}

static void impact_text(const struct ks *ks, const struct ks_group *g, struct ctl_text *t)
{
	size_t n = n_lost(g), named = 0;
	char addr[ADDR_STRLEN];

	ctl_text_add(t, "    SPIs      : %zu before, %zu after; each permit line gets a new one\n",
		     ks_group_policy(g)->n_slot, g->conf->policy->n_slot);
	ctl_text_add(t, "    Sending   : %s\n", how(ks, g));
	if (n == 0) {
		ctl_text_add(t, "    Members   : all %zu can express it\n", g->members.n);
		return;
	}
	ctl_text_add(t,
		     "    Members   : %zu of %zu cannot express it (the deny of line %u has no RFC "
		     "6407 form):\n",
		     n, g->members.n, g->conf->policy->no_flat_at);
	for (const struct member *m = g->members.first; m && named < NAMED_MAX; m = m->next) {
		if (cannot_express(g, m)) {
			ctl_text_add(t, "        %s\n", addr_str(&m->remote.addr, addr));
			named++;
		}
	}
	if (n > named)
		ctl_text_add(t, "        and %zu more\n", n - named);
}

// ---- text ----

static void slot_change_text(const struct ks_group *g, const struct policy_change *c,
			     struct ctl_text *t)
{
	const struct policy_slot *a = &ks_group_policy(g)->slot[c->before->slot];
	const struct policy_slot *b = &g->conf->policy->slot[c->after->slot];

	char was[REPLAY_STRLEN], is[REPLAY_STRLEN];

	if (a->suite != b->suite)
		ctl_text_add(t, "        transform %s -> %s\n", a->suite->name, b->suite->name);
	if (a->life_s != b->life_s)
		ctl_text_add(t, "        lifetime %u -> %u\n", a->life_s, b->life_s);
	if (!replay_eq(a->replay, b->replay))
		ctl_text_add(t, "        anti-replay %s -> %s\n", replay_str(a->replay, was),
			     replay_str(b->replay, is));
}

static void diff_text(const struct ks *ks, const struct ks_group *g, struct ctl_text *t)
{
	struct policy_diff *d = calloc(1, sizeof(*d));
	struct params params;
	char line[FLOW_STRLEN + 8];

	BUG_ON(!d);
	policy_diff_make(ks_group_policy(g), g->conf->policy, d);
	params_of(ks, g, &params);
	ctl_text_add(t, "    Lines     : %zu added, %zu removed, %zu changed\n", d->n_added,
		     d->n_removed, d->n_changed);
	for (size_t i = 0; i < d->n; i++) {
		const struct policy_change *c = &d->change[i];

		if (c->op == POLICY_KEPT)
			continue;
		ctl_text_add(t, "    %c %s\n",
			     c->op == POLICY_ADDED     ? '+'
			     : c->op == POLICY_REMOVED ? '-'
						       : '~',
			     line_str(c->after ? c->after : c->before, line));
		if (c->op == POLICY_CHANGED)
			slot_change_text(g, c, t);
	}
	for (size_t i = 0; i < params.n; i++)
		ctl_text_add(t, "    ~ %s: %s -> %s\n", params.p[i].name, params.p[i].before,
			     params.p[i].after);
	impact_text(ks, g, t);
	free(d);
}

static void staged_text(const struct ks_group *g, struct ctl_text *t)
{
	const struct policy *p = g->conf->policy;
	char line[FLOW_STRLEN + 8];

	for (size_t i = 0; i < p->n_ordered; i++) {
		const struct policy_rule *r = &p->ordered[i];

		ctl_text_add(t, "    %s", line_str(r, line));
		if (r->permit)
			ctl_text_add(t, "  (sa %u, %s, %u s)", p->slot[r->slot].sa_number,
				     p->slot[r->slot].suite->name, p->slot[r->slot].life_s);
		ctl_text_add(t, "\n");
	}
}

static void each_text(const struct ks *ks, struct ctl_text *t, bool whole)
{
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		if (!ks_plan_is_staged(ks, g)) {
			ctl_text_add(t,
				     "Group %s: nothing is staged, members hold what the "
				     "configuration says\n",
				     g->name);
			continue;
		}
		ctl_text_add(t, "Group %s: staged, not sent%s\n", g->name,
			     g->wanted >= KS_WANT_STAGED ? " yet (on its way)" : "");
		if (whole)
			staged_text(g, t);
		else
			diff_text(ks, g, t);
	}
}

void ks_show_diff(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)now;
	(void)word;
	each_text(ks, t, false);
}

void ks_show_staged(const struct ks *ks, mono_t now, const char *word, struct ctl_text *t)
{
	(void)now;
	(void)word;
	each_text(ks, t, true);
}

// ---- JSON ----

static json_t *change_json(const struct ks_group *g, const struct policy_change *c)
{
	static const char *const word[] = {
		[POLICY_ADDED] = "added", [POLICY_REMOVED] = "removed", [POLICY_CHANGED] = "changed"
	};
	const struct policy_rule *r = c->after ? c->after : c->before;
	const struct policy *p = c->after ? g->conf->policy : ks_group_policy(g);
	const struct replay *replay = &p->slot[r->slot].replay;
	char flow[FLOW_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:s?, s:o, s:s?, s:o}", "op", word[c->op], "action",
			 r->permit ? "permit" : "deny", "flow", flow_str(&r->flow, flow),
			 "transform", r->permit ? p->slot[r->slot].suite->name : NULL, "life_s",
			 r->permit ? json_integer((json_int_t)p->slot[r->slot].life_s)
				   : json_null(),
			 "replay_mode", r->permit ? replay_mode_name(replay->mode) : NULL,
			 "replay_window", r->permit ? json_integer(replay->window) : json_null());
}

static json_t *params_json(const struct params *all)
{
	json_t *list = json_array();

	for (size_t i = 0; i < all->n; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s}", "name", all->p[i].name, "before",
						all->p[i].before, "after", all->p[i].after));
	return list;
}

static json_t *lost_json(const struct ks_group *g)
{
	json_t *list = json_array();
	char addr[ADDR_STRLEN];

	for (const struct member *m = g->members.first; m; m = m->next) {
		if (cannot_express(g, m))
			json_array_append_new(list, json_string(addr_str(&m->remote.addr, addr)));
	}
	return list;
}

static json_t *diff_json(const struct ks *ks, const struct ks_group *g)
{
	struct policy_diff *d = calloc(1, sizeof(*d));
	json_t *lines = json_array();
	struct params params;

	BUG_ON(!d);
	policy_diff_make(ks_group_policy(g), g->conf->policy, d);
	params.n = 0;
	if (g->keys.n_gen > 0)
		params_of(ks, g, &params);
	for (size_t i = 0; i < d->n; i++) {
		if (d->change[i].op != POLICY_KEPT)
			json_array_append_new(lines, change_json(g, &d->change[i]));
	}
	free(d);
	return json_pack("{s:s, s:b, s:o, s:o, s:I, s:I, s:b, s:b, s:o}", "name", g->name, "staged",
			 ks_plan_is_staged(ks, g), "lines", lines, "parameters",
			 params_json(&params), "spis_before",
			 (json_int_t)ks_group_policy(g)->n_slot, "spis_after",
			 (json_int_t)g->conf->policy->n_slot, "new_kek", ks_plan_kek_differs(ks, g),
			 "register_again", ks_plan_starts_over(g), "cannot_express", lost_json(g));
}

json_t *ks_show_diff_json(const struct ks *ks, mono_t now, const char *word)
{
	json_t *groups = json_array();

	(void)now;
	(void)word;
	for (size_t i = 0; i < ks->n_groups; i++)
		json_array_append_new(groups, diff_json(ks, ks->group[i]));
	return json_pack("{s:o}", "groups", groups);
}
