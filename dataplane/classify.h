// dataplane/classify.h - which rule decides about a packet: the first that matches.
// Few rules are searched one by one; many go through rte_acl (classify_acl.c), with the same
// answer. Ports of a later fragment are unknown: such a packet matches a rule that names ports
// when the rule protects or drops, never when it lets pass (RFC 4301 7, towards safety); both
// members decide alike, because they look at the same inner packet.
// Owns:   the rules of one policy, immutable once published.
// From:   txn.c builds; worker.c asks.
// Never:  IPv6 packets (rules for them are kept for later, worker.c forwards none).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "dataplane/dp_api.h"
#include "dataplane/ip4.h"
#include "dataplane/sadb.h"

#define RULES_LINEAR_MAX 16 // longer lists use rte_acl
#define CLASSIFY_BURST	 64

#define RULES_ALL_PORTS 0xffu

struct rule {
	const struct sa *out; // of the same policy; NULL: none, drop
	uint32_t spi_in[DP_MAX_SPI_IN];
	uint32_t line;
	uint8_t action, n_spi_in;
	uint8_t group;	// of the same policy
	uint8_t origin; // enum dp_origin
	bool accept_clear, send_clear, names_ports;
};

// One IPv4 rule as the search sees it; host order.
struct rule_key {
	uint32_t src_lo, src_hi, dst_lo, dst_hi;
	uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
	uint8_t proto;
	uint8_t ports; // of espd, a bit each, where the rule applies
};

struct rte_acl_ctx;

struct rules {
	struct rule *rule;
	struct rule_key *key;
	size_t n, max;
	struct rte_acl_ctx *acl; // NULL: search one by one
};

struct rules *rules_new(void);
// IPv6 rules are checked and left out. 0, or -errno and a sentence in *why.
MUST_CHECK int rules_add(struct rules *r, const struct dp_rule *in, uint8_t group, uint8_t ports,
			 const struct sadb *db, const char **why);
// Adds rule i of another list, as a rule of group; its SA is looked up in db.
MUST_CHECK int rules_keep(struct rules *r, const struct rules *from, size_t i, uint8_t group,
			  uint8_t ports, const struct sadb *db, const char **why);
MUST_CHECK int rules_seal(struct rules *r, const char **why); // after the last; before publishing
void rules_free(struct rules *r);

// The rule for a packet that comes or goes by this port; NULL: none.
const struct rule *rules_match(const struct rules *r, const struct ip4 *ip, uint8_t port);
void rules_match_burst(const struct rules *r, const struct ip4 *const *ip, const uint8_t *port,
		       size_t n, const struct rule **out);

bool rule_admits(const struct rule *rule, uint32_t spi); // may the flow arrive under this SA?

// classify_acl.c
MUST_CHECK int rules_acl_build(struct rules *r);
void rules_acl_free(struct rules *r);
void rules_acl_match(const struct rules *r, const struct ip4 *const *ip, const uint8_t *port,
		     size_t n, const struct rule **out);
