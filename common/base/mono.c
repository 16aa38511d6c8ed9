#include "common/base/mono.h"

#include <time.h>

mono_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (mono_t){ (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
}
