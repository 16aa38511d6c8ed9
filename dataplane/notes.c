#include "dataplane/notes.h"

#define UNKNOWN_MS 1000

static void iv_note(const struct sa *sa, unsigned n_workers, notes_tell *tell, void *arg)
{
	struct iv_state *v = sa->iv;
	struct dp_note n = { .spi = sa->spi };
	bool soon = false, gone = false;

	for (unsigned w = 0; w < n_workers; w++) {
		uint64_t last = __atomic_load_n(&v->n[w].last, __ATOMIC_RELAXED);
		uint64_t max = v->n[w].space.max;

		soon |= last >= max / 4 * 3;
		gone |= last >= max;
		if (last > n.count)
			n.count = last;
	}
	if (soon && !v->told_soon) {
		n.kind = DP_NOTE_IV_SOON;
		v->told_soon = true;
		tell(arg, &n);
	}
	if (gone && !v->told_gone) {
		n.kind = DP_NOTE_IV_GONE;
		v->told_gone = true;
		tell(arg, &n);
	}
}

void notes_sas(struct sadb *db, unsigned n_workers, mono_t now, notes_tell *tell, void *arg)
{
	for (size_t i = 0; i < db->n; i++) {
		struct sa *sa = &db->sas[i];
		bool expired = mono_due((mono_t){ sa->expires_ms }, now);

		if (sa->iv)
			iv_note(sa, n_workers, tell, arg);
		if (expired && !sa->state->told_expired)
			tell(arg, &(struct dp_note){ .kind = DP_NOTE_EXPIRED, .spi = sa->spi });
		sa->state->told_expired = expired;
	}
}

void notes_unknown_spi(struct notes *s, uint64_t total, uint32_t last_spi, mono_t now,
		       notes_tell *tell, void *arg)
{
	struct dp_note n = { .kind = DP_NOTE_INVALID_SPI, .spi = last_spi };

	if (total == s->unknown_told || !mono_due(s->unknown_next, now))
		return;
	n.count = total - s->unknown_told;
	s->unknown_told = total;
	s->unknown_next = mono_add_ms(now, UNKNOWN_MS);
	tell(arg, &n);
}
