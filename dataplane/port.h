// dataplane/port.h - ports: an Ethernet device for the workers, a TAP twin for the kernel.
// From:   main.c at start and end.
// Always: a Linux interface under a port (net_af_packet, net_af_xdp) is silenced in the kernel: the
//         kernel must neither answer nor forward beside us.
#pragma once
#include "dataplane/espd.h"

// Creates TAP and rings and starts the device of conf. -errno after a line in the log.
MUST_CHECK int port_open(struct espd *d, const struct port_conf *conf, struct port *p);
void port_close(struct port *p);
