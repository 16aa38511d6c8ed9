#include "ks/timers.h"

#include "ks/phase1.h"
#include "ks/rekey.h"
#include "ks/session.h"

#define SWEEP_MS 1000

static bool is_crowded(const struct ike_table *t)
{
	return t->n > t->capacity / 4 * 3;
}

static bool sa_is_over(const struct ike_sa *sa, bool crowded, mono_t now)
{
	return sa->state == IKE_DEAD ||
	       (sa->state == IKE_ESTABLISHED && mono_due(ks_session_idle_at(sa, crowded), now));
}

// Dropping moves entries of the table: the walk may see some twice, which does no harm.
static void sweep_sas(struct ks *ks, mono_t now, struct ks_out *out)
{
	struct ike_sa *sa;
	size_t at = 0, n;

	while ((sa = ike_table_next(&ks->sas, &at))) {
		n = ks->sas.n;
		if (sa_is_over(sa, is_crowded(&ks->sas), now))
			ks_sa_drop(ks, sa);
		else if (mono_due(sa->deadline, now))
			ks_sa_timer(ks, sa, now, out);
		else
			ks_sa_dpd(ks, sa, now, out);
		if (ks->sas.n < n)
			at--;
	}
}

void ks_timers_run(struct ks *ks, mono_t now, struct ks_out *out)
{
	if (mono_due(ks->sweep, now)) {
		sweep_sas(ks, now, out);
		ks->sweep = MONO_NEVER;
	}
	for (size_t i = 0; i < ks->n_groups; i++) {
		ks_shared_tick(ks->group[i], now, out);
		if (mono_due(ks_rekey_next(ks->group[i], now), now))
			ks_rekey_timer(ks, ks->group[i], now, out);
	}
}

mono_t ks_timers_next(struct ks *ks, mono_t now)
{
	mono_t next;

	if (ks->sas.n == 0)
		ks->sweep = MONO_NEVER;
	else if (mono_is_never(ks->sweep))
		ks->sweep = mono_add_ms(now, SWEEP_MS);
	next = ks->sweep;
	for (size_t i = 0; i < ks->n_groups; i++) {
		const struct ks_group *g = ks->group[i];

		next = mono_min(next, ks_rekey_next(g, now));
		if (g->shared)
			next = mono_min(next, g->shared->wake);
	}
	return next;
}
