// common/base/flow.h - which packets: one ACL line, one TEK selector, one dataplane rule.
// A flow is a box in 5-tuple space: ranges of source and destination addresses and ports, and one
// IP protocol or any. Ranges (not prefixes) because policy subtracts deny lines from permit lines
// and what remains is not a prefix (RFC 4301 4.4.1.2 selectors are ranges too).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"

#define FLOW_STRLEN 256

struct flow_side {
	struct addr lo, hi;	   // inclusive, same family
	uint16_t port_lo, port_hi; // inclusive, host order; 0..65535 is any
};

struct flow {
	uint8_t proto; // IP protocol, 0 any
	struct flow_side src, dst;
};

// One line of an access list. In group policy permit means protect, deny means send in clear.
struct acl_line {
	bool permit;
	struct flow flow;
};

bool flow_eq(const struct flow *a, const struct flow *b);
bool flow_overlaps(const struct flow *a, const struct flow *b);
bool flow_covers(const struct flow *outer, const struct flow *inner);
void flow_side_any(struct flow_side *s, uint8_t family);	    // every address and port
void flow_side_prefix(struct flow_side *s, const struct prefix *p); // every port

// a minus b as disjoint boxes: writes at most max and returns how many there are (may exceed max).
// Returns 1 with out[0] = a when they do not overlap, 0 when b covers a. A deny of one protocol
// under a permit of any protocol cannot be cut out of the box (protocols have no ranges on the
// wire): -EOPNOTSUPP.
int flow_subtract(const struct flow *a, const struct flow *b, struct flow *out, size_t max);

// IOS spelling as `show crypto gdoi ... acl` prints it:
// "udp 10.0.0.0 0.255.255.255 port = 848 any"; host A for single addresses, "range A B" for the
// rest. Returns buf.
const char *flow_str(const struct flow *f, char buf[FLOW_STRLEN]);

// "ip" (0), "tcp", "udp", "icmp", "esp", "ospf"... or the number; -EINVAL when neither.
MUST_CHECK int ip_proto_parse(const char *text, uint8_t *out);
const char *ip_proto_str(uint8_t proto, char buf[8]);
