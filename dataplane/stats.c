#include "dataplane/stats.h"

static const char *const path_names[] = {
#define X(sym, name, help) name,
	PATHS(X)
#undef X
};

static const char *const drop_names[] = {
#define X(sym, name, help) name,
	DROPS(X)
#undef X
};

const char *stats_name(size_t i)
{
	return i < PATH_COUNT ? path_names[i] : drop_names[i - PATH_COUNT];
}

uint64_t stats_sum(const struct stats *const *s, size_t n, size_t i)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < n; k++) {
		const uint64_t *v = i < PATH_COUNT ? &s[k]->path[i] : &s[k]->drop[i - PATH_COUNT];

		sum += __atomic_load_n(v, __ATOMIC_RELAXED);
	}
	return sum;
}
