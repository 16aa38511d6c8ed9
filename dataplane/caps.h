// dataplane/caps.h - capabilities of the calling thread.
// From: main.c before DPDK starts its threads; worker.c, which keeps none.
#pragma once
#include <stdint.h>

#define CAPS_VDEV (1ull << 12 | 1ull << 13) // CAP_NET_ADMIN, CAP_NET_RAW: TAPs, routes, packets

// Gives up everything else, for good. Fails silently only when there is nothing to give up.
void caps_keep(uint64_t mask);
