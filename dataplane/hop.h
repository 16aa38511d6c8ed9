// dataplane/hop.h - where a route leads. Plain values, shared by routes.h and fwd.h.
#pragma once
#include <stdint.h>

enum hop_kind {
	HOP_NONE,
	HOP_LOCAL,    // the box itself
	HOP_UNUSABLE, // blackhole and kin, or out of no port of ours: drop
	HOP_PORT,
};

struct hop {
	uint32_t gw;  // host order; 0: the destination itself
	uint8_t kind; // enum hop_kind
	uint8_t port;
};
