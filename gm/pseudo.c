#include "gm/pseudo.h"

struct pseudotime gm_pseudo_at(const struct gm_pseudo *p, mono_t now)
{
	if (p->told.epoch == 0)
		return p->told;
	return (struct pseudotime){ p->told.epoch, p->told.ms + (now.ms - p->at.ms) };
}

static int64_t moved(const struct gm_pseudo *p, const struct pseudotime *told, mono_t at)
{
	return told->epoch == p->told.epoch ? told->ms - gm_pseudo_at(p, at).ms : 0;
}

int64_t gm_pseudo_pull(struct gm_pseudo *p, const struct pseudotime *told, mono_t at)
{
	int64_t by = moved(p, told, at);

	p->told = *told;
	p->at = at;
	return by;
}

int64_t gm_pseudo_push(struct gm_pseudo *p, const struct pseudotime *told, mono_t at)
{
	return moved(p, told, at) < 0 ? 0 : gm_pseudo_pull(p, told, at);
}

uint16_t gm_pseudo_window(const struct gm_teks *t)
{
	uint16_t least = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct replay *r = &t->tek[i].replay;

		if (r->mode == REPLAY_TIME && (least == 0 || r->window < least))
			least = r->window;
	}
	return least;
}

bool gm_pseudo_jumped(struct gm_pseudo *p, int64_t moved_ms, uint16_t window_s)
{
	int64_t half_ms = (int64_t)window_s * 500;

	if (window_s == 0 || (moved_ms <= half_ms && moved_ms >= -half_ms))
		return false;
	p->n_jumps++;
	return true;
}
