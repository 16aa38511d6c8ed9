// dataplane/rtnl.h - rtnetlink messages into plain structs.
// From:   kernel_io.c with whole messages of the kernel.
// Spec:   rtnetlink(7); linux/rtnetlink.h, linux/neighbour.h.
// Never:  state, allocation, logs.
#pragma once
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/hop.h"
#include "dataplane/routes.h"

#define RTNL_MAX_PORTS 8

// Kernel interfaces that are twins of ports: ifindex[i] belongs to port i.
struct rtnl_ports {
	unsigned n;
	int ifindex[RTNL_MAX_PORTS];
};

struct rtnl_neigh {
	uint32_t ip;
	uint8_t port;
	uint8_t mac[6];
	bool usable; // it has an address that may be used
	bool stale;  // the kernel would like it confirmed
};

struct rtnl_addr {
	uint32_t ip;
	uint8_t port;
};

struct rtnl_addr6 {
	uint8_t ip[16];
	int ifindex;
};

// False: not an IPv4 route of a table that forwards.
bool rtnl_route(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct route *out);
// False: not IPv4, or not on a port.
bool rtnl_neigh(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct rtnl_neigh *out);
bool rtnl_addr(const struct nlmsghdr *h, const struct rtnl_ports *ports, struct rtnl_addr *out);
// An IPv6 address of any interface of the box. False: not IPv6.
bool rtnl_addr6(const struct nlmsghdr *h, struct rtnl_addr6 *out);
