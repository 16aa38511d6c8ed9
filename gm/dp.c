#include "gm/dp.h"

#define DP_RETRY_S 5 // after espd refused a transaction

void gm_dp_up(struct gm *gm, const struct dp_hello_ack *h, struct gm_out *out)
{
	struct gm_dp *dp = &gm->dp;

	dp->boot = h->boot_id;
	dp->generation = MAX_OF(dp->generation, h->generation);
	dp->n_workers = h->n_workers;
	snprintf(dp->backend, sizeof(dp->backend), "%.*s", DP_NAME_LEN - 1, h->backend);
	dp->done = 0;
	dp->state = GM_DP_IDLE;
	dp->dirty = true;
	gm_out_event(out, EV_GM_DP_UP, NULL, "boot=%016llx generation=%llu backend=\"%s\"",
		     (unsigned long long)dp->boot, (unsigned long long)h->generation, dp->backend);
}

void gm_dp_down(struct gm *gm, struct gm_out *out)
{
	gm->dp.state = GM_DP_DOWN;
	gm_out_event(out, EV_GM_DP_DOWN, NULL, "boot=%016llx", (unsigned long long)gm->dp.boot);
}

void gm_dp_result(struct gm *gm, mono_t now, const struct dp_result *r, struct gm_out *out)
{
	struct gm_dp *dp = &gm->dp;

	if (dp->state != GM_DP_BUSY)
		return;
	if (r->status == 0 && r->of != DP_COMMIT)
		return;
	dp->state = GM_DP_IDLE;
	if (r->status == 0) {
		dp->done = dp->generation;
		gm_out_event(out, EV_GM_INSTALL_POLICIES_SUCCESS, NULL, "generation=%llu",
			     (unsigned long long)r->generation);
		if (r->text[0] && strcmp(r->text, "ok") != 0)
			gm_out_log(out, LOG_M_DP, LOG_L_WARN, NULL, "espd says: %.*s",
				   (int)sizeof(r->text), r->text);
		return;
	}
	gm_out_log(out, LOG_M_DP, LOG_L_ERR, NULL, "espd refused generation=%llu status=%d: %.*s",
		   (unsigned long long)dp->generation, r->status, (int)sizeof(r->text), r->text);
	dp->dirty = true;
	dp->retry_at = mono_add_s(now, DP_RETRY_S);
}

// ---- the program ----

static void exempt_servers(const struct gm *gm, const struct gm_group *g, struct gm_program *p)
{
	for (size_t i = 0; i < g->conf.n_servers; i++) {
		gm_policy_exempt(p, &gm->conf->address, &g->conf.server[i], gm->conf->port);
		if (gm->conf->nat_port)
			gm_policy_exempt(p, &gm->conf->address, &g->conf.server[i],
					 gm->conf->nat_port);
	}
	for (size_t k = 0; k < g->keks.n; k++) {
		const struct endpoint *to = &g->keks.kek[k].group;

		for (size_t i = 0; to->addr.family && i < g->conf.n_servers; i++)
			gm_policy_exempt(p, &to->addr, &g->conf.server[i], to->port);
	}
}

static struct dp_group head_of(const struct gm_group *g, enum dp_standing standing)
{
	struct dp_group h = { .identity = g->conf.identity,
			      .table = g->conf.table,
			      .standing = (uint8_t)standing,
			      .closed = g->conf.fail_close.activate,
			      .n_ports = (uint8_t)g->conf.n_interfaces };

	snprintf(h.name, sizeof(h.name), "%s", g->conf.name);
	memcpy(h.port, g->conf.interface, sizeof(h.port));
	return h;
}

// Members may send in clear until they have, and work by, what we have.
static bool any_receive_only(const struct gm_teks *t)
{
	for (size_t i = 0; i < t->n_sets; i++) {
		if (t->set[i].receive_only)
			return true;
	}
	return false;
}

static void program_live(struct gm *gm, struct gm_group *g, mono_t now, struct gm_program *p,
			 struct gm_out *out)
{
	const struct dp_group head = head_of(g, DP_LIVE);
	const struct gm_policy_in in = {
		.teks = &g->teks,
		.sids = &g->sids,
		.boot = gm->dp.boot,
		.local = acl_conf_find(&gm->conf->acls, g->conf.local_acl),
		.direction = gm_direction(g, now),
		.accept_clear = !g->direction_set && any_receive_only(&g->teks),
	};
	bool want_sid = false;

	gm_policy_group(p, &head);
	gm_policy_add(p, now, &in, &want_sid);
	if (g->live_since == 0)
		g->live_since = p->generation;
	if (!want_sid || g->reg.state != GM_REG_IDLE)
		return;
	gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"no unused sender id\"");
	gm_reg_want(g, now);
}

static void program_instead(const struct gm *gm, const struct gm_group *g, struct gm_program *p)
{
	const struct dp_group head = head_of(g, g->registered ? DP_INSTEAD : DP_KEEP);

	gm_policy_group(p, &head);
	gm_policy_instead(p, acl_conf_find(&gm->conf->acls, g->conf.local_acl),
			  acl_conf_find(&gm->conf->acls, g->conf.fail_close.match_address));
}

// ---- groups that name the same traffic ----

// A line in clear takes from another group what that group frees as well, for the most part (the
// key servers' own datagrams): it matters when nothing is left.
static bool takes(const struct gm_line *by, const struct gm_line *of)
{
	if (!of->protect)
		return false;
	return by->protect ? flow_overlaps(&by->flow, &of->flow)
			   : flow_covers(&by->flow, &of->flow);
}

// The first line of a that takes something from a protected line of b; NULL: none.
static const struct gm_line *taken_by(const struct gm_set *a, const struct gm_set *b,
				      const struct gm_line **of)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < b->n; k++) {
			if (takes(&a->line[i], &b->line[k])) {
				*of = &b->line[k];
				return &a->line[i];
			}
		}
	}
	return NULL;
}

// Said once, and again when it came back after it was gone.
static void judge_overlap(struct gm *gm, size_t first, size_t second, mono_t now,
			  struct gm_out *out)
{
	struct gm_group *a = gm->group[first], *b = gm->group[second];
	const struct gm_set *sa = gm_teks_active(&a->teks, now);
	const struct gm_set *sb = gm_teks_active(&b->teks, now);
	const struct gm_line *by = NULL, *of = NULL;
	char fa[FLOW_STRLEN], fb[FLOW_STRLEN];

	if (sa && sb && gm_conf_share_interface(&a->conf, &b->conf))
		by = taken_by(sa, sb, &of);
	if (by && !(b->overlaps >> first & 1))
		gm_out_event(out, EV_GM_OVERLAP, &b->lc, "by=%s line=\"%s %s\" of=\"%s %s\"",
			     a->conf.name, by->protect ? "permit" : "deny", flow_str(&by->flow, fa),
			     of->protect ? "permit" : "deny", flow_str(&of->flow, fb));
	if (by)
		b->overlaps |= 1u << first;
	else
		b->overlaps &= ~(1u << first);
}

static void judge_overlaps(struct gm *gm, mono_t now, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		for (size_t k = i + 1; k < gm->n_groups; k++)
			judge_overlap(gm, i, k, now, out);
	}
}

void gm_dp_program(struct gm *gm, mono_t now, struct gm_out *out)
{
	struct gm_dp *dp = &gm->dp;

	if (dp->state != GM_DP_IDLE || !dp->dirty || gm->n_groups == 0 ||
	    !mono_due(dp->retry_at, now))
		return;
	out->program = gm_program_new(++dp->generation);
	for (size_t i = 0; i < gm->n_groups; i++) {
		struct gm_group *g = gm->group[i];
		bool reverts = g->conf.fail_close.revert && g->teks.n == 0;

		exempt_servers(gm, g, out->program);
		if (g->registered && !reverts)
			program_live(gm, g, now, out->program, out);
		else
			program_instead(gm, g, out->program);
	}
	judge_overlaps(gm, now, out);
	dp->dirty = false;
	dp->state = GM_DP_BUSY;
}
