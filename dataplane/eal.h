// dataplane/eal.h - DPDK's environment from struct conf, and its traces removed at the end.
#pragma once
#include "dataplane/espd.h"

bool eal_wants_pci(const struct conf *c);	// some port is a PCI device
MUST_CHECK int eal_start(const struct conf *c); // lcore 0 is the main thread, 1.. the workers
void eal_stop(void);
