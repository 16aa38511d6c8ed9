// dataplane/own6.h - the box's own IPv6 addresses.
// espd forwards no IPv6. What it does with IPv6 is hand the box what is for the box, and send what
// the box itself says (the control plane over IPv6); so it has to know which addresses are its own.
// Owns:   struct own6 (written by the control thread), struct own6_table (read by workers).
// From:   kernel_io.c puts, sweeps and builds; fwd.c publishes; receive.c asks.
// Always: a frame between two strangers is neither punted nor sent, whatever the kernel would do.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

#define OWN6_MAX     64
#define OWN6_HDR_LEN 40

// What the kernel has told. An address counts as often as it is on some interface.
struct own6 {
	size_t n;
	bool dirty; // differs from what was last built
	struct own6_entry {
		uint8_t addr[16];
		int ifindex;
		uint8_t seen; // dump in which it was last named
	} e[OWN6_MAX];
};

struct own6_table {
	uint32_t n;
	uint8_t addr[OWN6_MAX][16];
};

// -ENOSPC when the table is full: the address is not served.
MUST_CHECK int own6_put(struct own6 *o, const uint8_t addr[16], int ifindex, uint8_t seen);
void own6_remove(struct own6 *o, const uint8_t addr[16], int ifindex);
// Drops what the dump with number seen did not name.
void own6_sweep(struct own6 *o, uint8_t seen);
void own6_build(const struct own6 *o, struct own6_table *out);

// ip6 points at len octets of an IPv6 packet. Of own, or of anybody's group or link.
bool own6_is_for_box(const struct own6_table *t, const uint8_t *ip6, size_t len);
bool own6_is_from_box(const struct own6_table *t, const uint8_t *ip6, size_t len);
