#include "ks/sid.h"

void sid_pool_reset(struct sid_pool *p, uint8_t bits)
{
	*p = (struct sid_pool){ .bits = bits };
}

uint64_t sid_pool_left(const struct sid_pool *p)
{
	return (UINT64_C(1) << p->bits) - p->next;
}

bool sid_take(struct sid_pool *p, size_t n, uint32_t *out)
{
	if (n > sid_pool_left(p))
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint32_t)p->next++;
	return true;
}
