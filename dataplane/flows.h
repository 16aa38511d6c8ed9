// dataplane/flows.h - what the policy said about flows that one worker saw lately.
// The first packet of a flow is searched for among the rules; those behind it find the answer here,
// however many rules there are. A table of fixed size, two places for a flow: of three that want the
// same two, the one that has waited longest goes. Who fills it with packets of ever new flows slows a worker down to the speed of the search.
// Owns:   the table.
// From:   outbound.c, forward.c.     To: classify.
// Always: empty when another policy comes into force (policy.serial); same answer as the search.
// Never:  shared between workers; keeps what a fragment without ports was told.
#pragma once
#include "dataplane/classify.h"

#define FLOWS_BITS 11
#define FLOWS_MAX  (2u << FLOWS_BITS)

struct flow {
	uint64_t addrs, rest; // rest 0: free
	const struct rule *rule;
} __attribute__((aligned(32)));

struct flows {
	uint64_t serial; // of the policy the answers are from; 0: none
	struct flow flow[FLOWS_MAX]
		__attribute__((aligned(64))); // pairs, a cache line each; the younger first
};

// rules_match_burst of the policy with this serial.
void flows_match(struct flows *f, uint64_t serial, const struct rules *r,
		 const struct ip4 *const *ip, const uint8_t *port, size_t n,
		 const struct rule **out);
