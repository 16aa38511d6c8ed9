#include "gm/timers.h"

static void group_run(struct gm *gm, struct gm_group *g, mono_t before, mono_t now,
		      struct gm_out *out)
{
	size_t keys = g->teks.n;

	if (gm_teks_age(&g->teks, before, now)) {
		gm->dp.dirty = true;
		gm_out_log(out, LOG_M_TEKS, LOG_L_INFO, &g->lc, "keys turned: had=%zu have=%zu",
			   keys, g->teks.n);
	}
	gm_keks_send_acks(&g->keks, now, out);
	gm_keks_age(&g->keks, now);
	gm_nat_timer(gm, g, now, out);
	if (mono_due(g->renew_at, now)) {
		g->renew_at = MONO_NEVER;
		gm_out_event(out, EV_GM_RE_REGISTER, &g->lc, "reason=\"%s\"", g->renew_why);
		gm_reg_want(g, now);
	}
	if (mono_due(g->recovery.at, now)) {
		gm_recovery_begin(&g->recovery);
		g->n.recoveries++;
		gm_out_event(out, EV_GM_RECOVERY_REGISTRATION, &g->lc,
			     "reason=\"traffic under SPIs that we lack\" packets=%llu",
			     (unsigned long long)g->n.unknown_spi);
		gm_reg_want_next(g, now);
	}
	if (mono_due(g->return_at, now)) {
		g->return_at = MONO_NEVER;
		gm_out_event(out, EV_GM_RE_REGISTER, &g->lc,
			     "reason=\"first key server may be back\"");
		gm_reg_want_first(g, now);
	}
	gm_reg_timer(gm, g, now, out);
}

void gm_timers_run(struct gm *gm, mono_t before, mono_t now, struct gm_out *out)
{
	for (size_t i = 0; i < gm->n_groups; i++)
		group_run(gm, gm->group[i], before, now, out);
}

static mono_t group_next(const struct gm_group *g, mono_t now)
{
	mono_t next = gm_teks_next(&g->teks, now);

	next = mono_min(next, gm_keks_next(&g->keks));
	next = mono_min(next, g->renew_at);
	next = mono_min(next, g->nat.keepalive);
	next = mono_min(next, mono_min(g->recovery.at, g->return_at));
	return mono_min(next, gm_reg_next(&g->reg));
}

mono_t gm_timers_next(const struct gm *gm, mono_t now)
{
	mono_t next = MONO_NEVER;

	for (size_t i = 0; i < gm->n_groups; i++)
		next = mono_min(next, group_next(gm->group[i], now));
	if (gm->dp.state == GM_DP_IDLE && gm->dp.dirty && !mono_due(gm->dp.retry_at, now))
		next = mono_min(next, gm->dp.retry_at);
	return next;
}
