// dataplane/kernel_io.h - mirrors the kernel's IPv4 routes, neighbours and addresses into fwd.
// Listens to rtnetlink and dumps at start; whenever the kernel says that messages were lost, or an
// interface or address changed (routes then vanish without a word), it dumps again and removes
// what is no longer there.
// Routes through a port's TAP become routes through the port; every other route becomes UNUSABLE,
// so that its packets are dropped rather than sent by a wider route.
// Owns: the netlink socket, a copy of the kernel's tables.   From: main.c's loop.
// Spec: rtnetlink(7).   Never: changes the kernel, but to ask for a neighbour.
#pragma once
#include "common/base/mono.h"
#include "dataplane/espd.h"

struct kernel_io;

MUST_CHECK int kernel_io_new(struct espd *d, struct kernel_io **out); // dumps everything
void kernel_io_free(struct kernel_io *k);
int kernel_io_fd(const struct kernel_io *k);
void kernel_io_read(struct kernel_io *k, mono_t now); // when readable
void kernel_io_tick(struct kernel_io *k, mono_t now); // now and then: dumps due, neighbours in use
void kernel_io_resolve(struct kernel_io *k, uint8_t port, uint32_t ip);
