// DPDK's net_af_packet driver joins a fanout group with PACKET_FANOUT_FLAG_DEFRAG and has no
// argument to leave it: the kernel would then reassemble fragments before we see them, cut them to
// one buffer, and hide DF. This setsockopt() stands before libc's in the whole process and takes
// that flag away; everything else passes unchanged. It needs export_dynamic when linking, since
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
		fanout &= ~(PACKET_FANOUT_FLAG_DEFRAG << 16);
		value = &fanout;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
