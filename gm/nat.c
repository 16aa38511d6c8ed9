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

	gm_out_event(out, EV_NAT_DETECTED, &g->lc,
		     "ks=%s behind=%s: rekeys pass this NAT; ESP does not, it keeps the hosts' own "
		     "addresses: data traffic needs a path without NAT",
		     endpoint_str(&n->ks, ks),
		     n->behind && n->ks_behind ? "both"
		     : n->behind	       ? "this-member"
					       : "key-server");
}

void gm_nat_registered(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	const struct ike_sa *sa = &g->reg.sa;

	g->nat = (struct gm_nat){ .behind = sa->behind_nat,
				  .ks_behind = sa->peer_behind_nat,
				  .side = natt_side(sa),
				  .local = sa->local,
				  .ks = sa->peer,
				  .keepalive = MONO_NEVER };
	if (!g->nat.behind && !g->nat.ks_behind)
		return;
	tell(g, out);
	if (g->nat.behind && gm->conf->nat_keepalive_s)
		g->nat.keepalive = mono_add_s(now, gm->conf->nat_keepalive_s);
}

void gm_nat_timer(struct gm *gm, struct gm_group *g, mono_t now, struct gm_out *out)
{
	const struct gm_kek *kek = gm_keks_current(&g->keks);

	if (!mono_due(g->nat.keepalive, now))
		return;
	g->nat.keepalive = MONO_NEVER;
	if (!g->nat.behind || gm->conf->nat_keepalive_s == 0) // reloaded without
		return;
	g->nat.keepalive = mono_add_s(now, gm->conf->nat_keepalive_s);
	if (!kek || kek->group.addr.family)
		return;
	gm_out_keepalive(out, &g->nat.local, &g->nat.ks);
	g->n.keepalives++;
}
