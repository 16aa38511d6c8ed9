#include "gm/dp.h"

#define DP_RETRY_S 5 // after espd refused a transaction

static bool all_registered(const struct gm *gm)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (!gm->group[i]->registered)
			return false;
	}
	return gm->n_groups > 0;
}

static bool any_registered(const struct gm *gm)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (gm->group[i]->registered)
			return true;
	}
	return false;
}

// espd with a generation works on what a gmd before us gave it. It keeps that until every group
// has registered: a transaction names all groups, and one left out would travel in clear.
void gm_dp_up(struct gm *gm, const struct dp_hello_ack *h, struct gm_out *out)
{
	struct gm_dp *dp = &gm->dp;

	if (dp->boot != h->boot_id)
		dp->held = dp->boot == 0 && h->generation != 0;
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
		return;
	}
	gm_out_log(out, LOG_M_DP, LOG_L_ERR, NULL, "espd refused generation=%llu status=%d: %.*s",
		   (unsigned long long)dp->generation, r->status, (int)sizeof(r->text), r->text);
	dp->dirty = true;
	dp->retry_at = mono_add_s(now, DP_RETRY_S);
}

static struct gm_group *group_of_spi(const struct gm *gm, uint32_t spi)
{
	for (size_t i = 0; i < gm->n_groups; i++) {
		if (gm_teks_find(&gm->group[i]->teks, spi))
			return gm->group[i];
	}
	return NULL;
}

// The sender id in use runs out of counters: the spare one takes over, new ones are fetched.
void gm_dp_note(struct gm *gm, mono_t now, const struct dp_note *n, struct gm_out *out)
{
	struct gm_group *g = group_of_spi(gm, n->spi);

	if (!g || (n->kind != DP_NOTE_IV_SOON && n->kind != DP_NOTE_IV_GONE))
		return;
	gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"%s\" spi=0x%08X",
		     n->kind == DP_NOTE_IV_SOON ? "IV space runs low" : "IV space used up", n->spi);
	if (n->kind == DP_NOTE_IV_GONE) {
		gm_sids_spend(&g->sids, gm->dp.boot);
		gm->dp.dirty = true;
	}
	gm_reg_want(g, now);
}

static void program_group(struct gm *gm, struct gm_group *g, mono_t now, struct gm_program *p,
			  struct gm_out *out)
{
	const struct gm_policy_in in = {
		.group = g->conf.name,
		.teks = &g->teks,
		.sids = &g->sids,
		.boot = gm->dp.boot,
		.local = acl_conf_find(&gm->conf->acls, g->conf.local_acl),
	};
	bool want_sid = false;

	for (size_t i = 0; i < g->conf.n_servers; i++) {
		gm_policy_exempt(p, &gm->conf->address, &g->conf.server[i], GDOI_PORT);
		gm_policy_exempt(p, &gm->conf->address, &g->conf.server[i], GDOI_NATT_PORT);
		if (gm_server(gm, g, i).port != GDOI_PORT)
			gm_policy_exempt(p, &gm->conf->address, &g->conf.server[i],
					 gm_server(gm, g, i).port);
	}
	for (size_t k = 0; k < g->keks.n; k++) {
		const struct endpoint *to = &g->keks.kek[k].group;

		for (size_t i = 0; to->addr.family && i < g->conf.n_servers; i++)
			gm_policy_exempt(p, &to->addr, &g->conf.server[i], to->port);
	}
	if (!g->registered)
		return;
	gm_policy_add(p, now, &in, &want_sid);
	if (!want_sid || g->reg.state != GM_REG_IDLE)
		return;
	gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"no unused sender id\"");
	gm_reg_want(g, now);
}

void gm_dp_program(struct gm *gm, mono_t now, struct gm_out *out)
{
	struct gm_dp *dp = &gm->dp;

	if (dp->held && all_registered(gm))
		dp->held = false;
	if (dp->state != GM_DP_IDLE || !dp->dirty || dp->held || !any_registered(gm) ||
	    !mono_due(dp->retry_at, now))
		return;
	out->program = gm_program_new(++dp->generation);
	for (size_t i = 0; i < gm->n_groups; i++)
		program_group(gm, gm->group[i], now, out->program, out);
	dp->dirty = false;
	dp->state = GM_DP_BUSY;
}
