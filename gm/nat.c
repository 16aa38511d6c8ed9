#include "gm/nat.h"

#include "common/ike/natt.h"
#include "gm/core.h"

void gm_nat_init(struct gm_nat *n)
{
	*n = (struct gm_nat){ .side = "no", .keepalive = MONO_NEVER };
}

static void tell(const struct gm_group *g, struct gm_out *out)
{
	const struct gm_nat *n = &g->nat;
	char ks[ENDPOINT_STRLEN];

	gm_out_event(out, EV_NAT_DETECTED, &g->lc, "ks=%s behind=%s: " NATT_MEANS,
		     endpoint_str(&n->ks, ks),
		     n->behind && n->ks_behind ? "both"
		     : n->behind	       ? "this-member"
					       : "key-server");
}

void gm_nat_conf(const struct gm *gm, struct gm_group *g, mono_t now)
{
	uint32_t s = gm->conf->nat_keepalive_s;

	g->nat.keepalive = g->nat.behind && s ? mono_add_s(now, s) : MONO_NEVER;
}

void gm_nat_registered(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	const struct ike_sa *sa = &g->reg.sa;

	g->nat = (struct gm_nat){ .behind = sa->behind_nat,
				  .ks_behind = sa->peer_behind_nat,
				  .side = natt_side(sa),
				  .local = sa->local,
				  .ks = sa->peer };
	if (natt_seen(sa))
		tell(g, out);
	gm_nat_conf(gm, g, now);
}

void gm_nat_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	const struct gm_kek *kek = gm_keks_current(&g->keks);

	if (!mono_due(g->nat.keepalive, now))
		return;
	gm_nat_conf(gm, g, now);
	if (!kek || kek->group.addr.family)
		return;
	gm_out_keepalive(out, &g->nat.local, &g->nat.ks);
	g->n.keepalives++;
}
