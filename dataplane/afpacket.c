// DPDK's net_af_packet driver joins a fanout group with PACKET_FANOUT_FLAG_DEFRAG and _ROLLOVER and
// has no argument to leave them. With the first the kernel would reassemble fragments before we see
// them, cut them to one buffer, and hide DF; with the second a flow moves to another queue when its
// own is full, and so to a worker that has not seen what came before (windows.h). This setsockopt()
// stands before libc's in the whole process and takes both away; all else passes unchanged. It needs export_dynamic when linking, since
// drivers are loaded at run time.
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int fanout;

	if (level == SOL_PACKET && name == PACKET_FANOUT && len == sizeof(fanout)) {
		memcpy(&fanout, value, sizeof(fanout));
		fanout &= ~((PACKET_FANOUT_FLAG_DEFRAG | PACKET_FANOUT_FLAG_ROLLOVER) << 16);
		value = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
