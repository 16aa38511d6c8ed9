// dataplane/routes.h - every IPv4 route the kernel has, and which one wins for its prefix.
// The kernel keeps routes of one prefix side by side (tables, metrics); forwarding wants the best.
// Owns:   the array, sorted by prefix, then rank.
// From:   kernel_io.c.
// Never:  netlink, rte_*, the forwarding table itself.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "dataplane/hop.h"

struct route {
	uint32_t dst; // host order
	uint8_t len;
	uint8_t seen;  // dump in which it was last seen
	uint64_t rank; // lowest wins; with the prefix, what the kernel knows a route by
	struct hop hop;
};

struct routes {
	struct route *r;
	size_t n, cap;
};

void routes_fini(struct routes *t);
MUST_CHECK int routes_put(struct routes *t, const struct route *r); // new, or replaces its equal
void routes_remove(struct routes *t, const struct route *r); // the one of its prefix and rank
// The winner of a prefix, NULL if there is none. Valid until the next change.
const struct route *routes_best(const struct routes *t, uint32_t dst, uint8_t len);
