#include "ks/plan.h"

#include "ks/push.h"

struct ks_plan ks_plan_running(const struct ks_group *g)
{
	const struct kek *k = &g->keys.kek;

	return (struct ks_plan){ policy_get(g->keys.gen[0].policy), k->params,
				 keystore_get(k->store), g->sids.bits };
}

struct keystore *ks_plan_kek(const struct ks *ks, const struct ks_group *g, struct kek_params *out)
{
	struct keystore *store = ks->conf->store;

	*out = g->conf->kek;
	if (g->shared)
		(void)ks_sharing_pick(ks, g, out, &store); // none: nothing is made yet
	return store;
}

struct ks_plan ks_plan_staged(const struct ks *ks, const struct ks_group *g)
{
	struct ks_plan p = { .policy = policy_get(g->conf->policy), .sid_bits = g->conf->sid_bits };

	p.store = keystore_get(ks_plan_kek(ks, g, &p.kek));
	return p;
}

void ks_plan_fini(struct ks_plan *p)
{
	policy_put(p->policy);
	keystore_put(p->store);
	*p = (struct ks_plan){ 0 };
}

bool ks_plan_fits_tree(const struct ks_group *g, const struct kek_params *want)
{
	if (!ks_has_tree(g))
		return want->lkh_degree == 0;
	return want->lkh_degree == g->lkh.degree && want->cipher == g->lkh.alg;
}

bool ks_plan_kek_differs(const struct ks *ks, const struct ks_group *g)
{
	struct kek_params want_now;
	const struct keystore *store = ks_plan_kek(ks, g, &want_now);
	const struct kek_params *have = &g->keys.kek.params, *want = &want_now;
	const struct kek *k = &g->keys.kek;
	uint8_t pub[PUBKEY_MAX];
	size_t len;

	if (have->suite != want->suite || have->life_s != want->life_s ||
	    have->sign_hash != want->sign_hash || have->sign_form != want->sign_form ||
	    have->ack != want->ack || have->ttl != want->ttl ||
	    !endpoint_eq(&have->group, &want->group) || !ks_plan_fits_tree(g, want) ||
	    signer_public(&store->signer, want->sign_label, pub, sizeof(pub), &len))
		return true;
	return !bytes_eq(BYTES(pub, len), BYTES(k->pub, k->pub_len));
}

bool ks_plan_is_staged(const struct ks *ks, const struct ks_group *g)
{
	if (g->keys.n_gen == 0)
		return false;
	return ks_plan_kek_differs(ks, g) || !policy_eq(g->keys.gen[0].policy, g->conf->policy) ||
	       g->sids.bits != g->conf->sid_bits;
}

bool ks_plan_starts_over(const struct ks_group *g)
{
	return g->sids.bits != g->conf->sid_bits || !ks_plan_fits_tree(g, &g->conf->kek);
}
