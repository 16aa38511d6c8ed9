// dataplane/receive.h - what comes in: frames of ports and of the kernel, sorted by what they are.
// From: worker.c, once per turn and source.   To: esp_in, forward, outbound, punt.
// Always: only IPv4 is forwarded; control of the link goes between port and kernel; IPv6 beyond
//         the link and VLANs are dropped by name until they can be judged.
#pragma once
#include "dataplane/worker.h"

void receive_port(struct worker *w, struct port *port, uint16_t queue);
void receive_kernel(struct worker *w, struct port *port);
