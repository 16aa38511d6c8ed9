#include "common/base/iface_io.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

unsigned iface_of(const struct addr *own)
{
	struct ifaddrs *all;
	unsigned index = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *a = all; a && !index; a = a->ifa_next) {
		struct sockaddr_storage ss = { 0 };
		struct endpoint e;

		if (!a->ifa_addr)
			continue;
		if (a->ifa_addr->sa_family == AF_INET)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in));
		else if (a->ifa_addr->sa_family == AF_INET6)
			memcpy(&ss, a->ifa_addr, sizeof(struct sockaddr_in6));
		if (endpoint_from_sockaddr(&ss, &e) == 0 && addr_eq(&e.addr, own))
			index = if_nametoindex(a->ifa_name);
	}
	freeifaddrs(all);
	return index;
}
