// dataplane/punt_io.h - the kernel's side of the ports: TAP descriptors against rings.
// From: main.c's loop.   To: the kernel; workers through the rings of struct port.
#pragma once
#include "dataplane/espd.h"

#define PUNT_WRITE_MAX 256 // per turn and port: workers may punt faster than the kernel takes

void punt_io_to_kernel(struct espd *d);			  // what the workers punted
void punt_io_from_kernel(struct espd *d, struct port *p); // what the TAP holds now
bool punt_io_pending(const struct espd *d);
