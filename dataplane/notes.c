#include "dataplane/notes.h"

#include <string.h>

#define UNKNOWN_MS 1000
#define CAUGHT_MS  5000

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

static void unknown_spi(struct section *g, unsigned n_workers, mono_t now, notes_tell *tell,
			void *arg)
{
	struct dp_note n = { .kind = DP_NOTE_INVALID_SPI };
	uint64_t total = 0;

	for (unsigned w = 0; w < n_workers; w++) {
		uint64_t spi = __atomic_load_n(&g->n[w].last_spi, __ATOMIC_RELAXED);

		total += __atomic_load_n(&g->n[w].unknown_spi, __ATOMIC_RELAXED);
		if (spi)
			n.spi = (uint32_t)spi;
	}
	if (total == g->unknown_told || !mono_due(g->unknown_next, now))
		return;
	n.count = total - g->unknown_told;
	memcpy(n.group, g->name, sizeof(n.group));
	g->unknown_told = total;
	g->unknown_next = mono_add_ms(now, UNKNOWN_MS);
	tell(arg, &n);
}

void notes_unknown_spi(struct policy *p, unsigned n_workers, mono_t now, notes_tell *tell,
		       void *arg)
{
	for (size_t i = 0; i < p->n_groups; i++)
		unknown_spi(&p->group[i], n_workers, now, tell, arg);
}

void notes_own_caught(struct notes *s, uint64_t total, struct caught *const *c, size_t n,
		      mono_t now, notes_tell *tell, void *arg)
{
	bool told = false;

	if (total == s->caught_told || !mono_due(s->caught_next, now))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!__atomic_load_n(&c[i]->full, __ATOMIC_ACQUIRE))
			continue;
		if (!told) {
			c[i]->note.count = total - s->caught_told;
			tell(arg, &c[i]->note);
		}
		told = true;
		__atomic_store_n(&c[i]->full, 0, __ATOMIC_RELEASE);
	}
	if (!told)
		return;
	s->caught_told = total;
	s->caught_next = mono_add_ms(now, CAUGHT_MS);
}
