#include "ks/elapsed.h"

#include <string.h>

#include "common/base/err.h"

bool ks_elapsed(const struct ks_stamp *then, const struct ks_clocks *now, int64_t *base_ms)
{
	bool same_boot = strcmp(then->clocks.boot, now->boot) == 0;
	int64_t wall = now->wall_ms - then->clocks.wall_ms;
	int64_t proved = same_boot ? now->mono_ms - then->clocks.mono_ms : now->mono_ms;
	bool known = same_boot ? proved >= 0 : wall >= 0;

	proved = MAX_OF(MAX_OF(proved, wall), 0);
	*base_ms = then->age_ms + proved - now->mono_ms;
	return known;
}
