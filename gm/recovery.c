#include "gm/recovery.h"

#include "common/base/err.h"

void gm_recovery_init(struct gm_recovery *r)
{
	*r = (struct gm_recovery){ .at = MONO_NEVER, .not_before = { INT64_MIN }, .factor = 1 };
}

static void count(struct gm_recovery *r, mono_t now, uint64_t n)
{
	if (mono_due(r->window, now)) {
		r->window = mono_add_s(now, GM_RECOVERY_WINDOW_S);
		r->seen = 0;
	}
	r->seen += n;
}

bool gm_recovery_note(struct gm_recovery *r, mono_t now, uint64_t n, uint32_t interval_s,
		      struct rng *rng)
{
	if (interval_s == 0 || !mono_is_never(r->at) || !mono_due(r->not_before, now))
		return false;
	count(r, now, n);
	if (r->seen < GM_RECOVERY_PACKETS)
		return false;
	r->seen = 0;
	r->at = mono_add_ms(now, (int64_t)rng_range(rng, 0, (uint64_t)interval_s * 100));
	r->not_before = mono_add_s(r->at, (int64_t)interval_s * r->factor);
	return true;
}

void gm_recovery_begin(struct gm_recovery *r)
{
	r->at = MONO_NEVER;
	r->asked = true;
}

void gm_recovery_done(struct gm_recovery *r, bool news)
{
	if (news)
		r->factor = 1;
	else if (r->asked)
		r->factor = MIN_OF(r->factor * 2, (uint32_t)GM_RECOVERY_FACTOR);
	r->asked = false;
}
