#include "dataplane/caps.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

void caps_keep(uint64_t mask)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct now[2], d[2] = { 0 };

	if (syscall(SYS_capget, &h, now) < 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t keep = now[i].permitted & (uint32_t)(mask >> 32 * i);

		d[i].effective = d[i].permitted = keep;
	}
	syscall(SYS_capset, &h, d);
}
