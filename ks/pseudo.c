#include "ks/pseudo.h"

#include "common/base/err.h"

void ks_pseudo_start(struct ks_pseudo *p, struct rng *rng, mono_t now)
{
	p->epoch = (uint32_t)rng_range(rng, 1, UINT32_MAX);
	p->ahead_ms = -now.ms;
	p->told_ms = 0;
}

void ks_pseudo_forward(struct ks_pseudo *p, int64_t ms)
{
	p->ahead_ms += ms;
}

void ks_pseudo_told(struct ks_pseudo *p, mono_t now)
{
	p->told_ms = MAX_OF(p->told_ms, now.ms + p->ahead_ms);
}

void ks_pseudo_resume(struct ks_pseudo *p, mono_t now)
{
	p->ahead_ms = MAX_OF(p->ahead_ms, p->told_ms - now.ms);
}

struct pseudotime ks_pseudo_at(const struct ks_pseudo *p, mono_t now)
{
	int64_t ms = now.ms + p->ahead_ms;

	return (struct pseudotime){ p->epoch, ms < 0 ? 0 : ms };
}
