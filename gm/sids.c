#include "gm/sids.h"

void gm_sids_set(struct gm_sids *s, uint8_t bits, const uint32_t *value, size_t n)
{
	*s = (struct gm_sids){ .bits = bits };
	for (size_t i = 0; i < n && i < GM_MAX_SIDS; i++)
		s->sid[s->n++].value = value[i];
}

static size_t find(const struct gm_sids *s, uint64_t boot)
{
	size_t i = 0;

	// The one in use under this boot comes before one never used.
	while (i < s->n && (s->sid[i].spent || s->sid[i].boot != boot))
		i++;
	if (i < s->n)
		return i;
	for (i = 0; i < s->n && (s->sid[i].spent || s->sid[i].boot != 0);)
		i++;
	return i;
}

bool gm_sids_take(struct gm_sids *s, uint64_t boot, uint32_t *value)
{
	size_t i = find(s, boot);

	if (i == s->n)
		return false;
	s->sid[i].boot = boot;
	*value = s->sid[i].value;
	return true;
}

bool gm_sids_usable(const struct gm_sids *s, uint64_t boot)
{
	return find(s, boot) < s->n;
}

void gm_sids_spend(struct gm_sids *s, uint64_t boot)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->sid[i].boot == boot)
			s->sid[i].spent = true;
	}
}
