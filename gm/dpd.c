#include "gm/dpd.h"

const struct ike_dpd_conf *gm_dpd_conf(const struct gm *gm, const struct gm_group *g)
{
	static const struct ike_dpd_conf behind_nat = { GM_DPD_NAT_S, GM_DPD_NAT_RETRY_S, false };
	static const struct ike_dpd_conf answers_only;

	if (gm->conf->ike.dpd.interval_s > 0)
		return &gm->conf->ike.dpd;
	return g->nat.behind ? &behind_nat : &answers_only;
}

static bool wanted(const struct gm *gm, const struct gm_group *g)
{
	return gm_dpd_conf(gm, g)->interval_s > 0;
}

static size_t index_of(const struct gm_group *g, const struct addr *ks)
{
	size_t i = 0;

	while (i < g->conf.n_servers && !addr_eq(&g->conf.server[i], ks))
		i++;
	return i;
}

size_t gm_dpd_first(const struct gm_group *g)
{
	for (size_t i = 0; i < g->conf.n_servers; i++) {
		if (!g->reg.dead[i])
			return i;
	}
	return 0;
}

static void mark_dead(struct gm_group *g, const struct addr *ks, const char *why,
		      struct gm_out *out)
{
	size_t i = index_of(g, ks);
	char text[ADDR_STRLEN], next[ADDR_STRLEN];

	if (i == g->conf.n_servers || g->reg.dead[i])
		return;
	g->reg.dead[i] = true;
	addr_str(&g->conf.server[gm_dpd_first(g)], next);
	gm_out_event(out, EV_IKE_PEER_DEAD, &g->lc,
		     "ks=%s reason=\"%s\" keys go on; next registration begins with ks=%s",
		     addr_str(ks, text), why, next);
}

void gm_dpd_alive(struct gm_group *g, const struct addr *ks, struct gm_out *out)
{
	size_t i = index_of(g, ks);
	char text[ADDR_STRLEN];

	if (i == g->conf.n_servers || !g->reg.dead[i])
		return;
	g->reg.dead[i] = false;
	gm_out_event(out, EV_IKE_PEER_ALIVE, &g->lc, "ks=%s", addr_str(ks, text));
}

void gm_dpd_keep(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	static const struct ike_dpd_conf answers_only;
	struct gm_reg *r = &g->reg;
	bool keep = wanted(gm, g) && r->sa.peer_dpd;

	r->probing = false;
	r->probe = MONO_NEVER;
	r->linger = keep ? MONO_NEVER : mono_add_s(now, GM_LINGER_S);
	ike_dpd_init(&r->dpd, keep ? gm_dpd_conf(gm, g) : &answers_only, now, gm->rng);
	gm_dpd_alive(g, &r->sa.peer.addr, out);
	if (wanted(gm, g) && !keep)
		gm_out_log(out, LOG_M_IKE, LOG_L_WARN, &g->lc,
			   "the key server knows no dead peer detection: phase 1 is not kept");
}

void gm_dpd_in(struct gm *gm, struct gm_group *g, mono_t now, const struct ike_info *info,
	       struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	uint64_t stale = gm->dpd.stale;
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	for (size_t i = 0; i < info->n_notify; i++) {
		if (ike_dpd_answer(&r->dpd, &r->sa, now, &info->notify[i], &gm->dpd, buf, &msg))
			gm_out_send(out, &r->sa.local, &r->sa.peer, msg);
	}
	if (gm->dpd.stale > stale)
		gm_refuse(gm, now, out, IKE_R_REPLAY, &r->sa.peer, "R-U-THERE");
}

void gm_dpd_rekey_heard(struct gm_group *g, mono_t now, const struct addr *ks, bool acked,
			struct gm_out *out)
{
	struct gm_reg *r = &g->reg;

	gm_dpd_alive(g, ks, out);
	if (r->state != GM_REG_IDLE || !r->sa_used || !addr_eq(&r->sa.peer.addr, ks))
		return;
	ike_dpd_heard(&r->dpd, now);
	if (acked)
		ike_dpd_sent(&r->dpd, now);
}

// Members whose SAs end together do not come back together.
void gm_dpd_lost(struct gm *gm, struct gm_group *g, mono_t now)
{
	if (wanted(gm, g) && g->registered)
		g->reg.probe = mono_add_ms(now, (int64_t)rng_range(gm->rng, 0, GM_PROBE_JITTER_MS));
}

void gm_dpd_probe_failed(struct gm *gm, struct gm_group *g, mono_t now, const char *why,
			 struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	int64_t ms = (int64_t)gm_dpd_conf(gm, g)->interval_s * 1000;

	r->probing = false;
	r->probe = mono_add_ms(now, ms + (int64_t)rng_range(gm->rng, 0, (uint64_t)ms / 4));
	mark_dead(g, &r->sa.peer.addr, why, out);
}

bool gm_dpd_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	struct gm_reg *r = &g->reg;
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	switch (ike_dpd_due(&r->dpd, &r->sa, now, &gm->dpd, buf, &msg)) {
	case IKE_DPD_NOTHING:
		return false;
	case IKE_DPD_ASK:
		if (msg.len > 0)
			gm_out_send(out, &r->sa.local, &r->sa.peer, msg);
		return false;
	case IKE_DPD_DEAD:
		break;
	}
	mark_dead(g, &r->sa.peer.addr, "no answer to R-U-THERE", out);
	r->probe = now;
	return true;
}
