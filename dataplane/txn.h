// dataplane/txn.h - messages of gmd become a policy: built aside, checked whole, then handed over.
// Owns:   the policy being built, until it is taken.
// From:   door_io.c with every BEGIN, EXEMPT, GROUP, SA, RULE, COMMIT.
// To:     sadb, classify.
// Always: the answer to a bad message names what is wrong; the transaction is then dead until the
//         next BEGIN, and the policy in force stays.
// Never:  touches what workers read.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/mono.h"
#include "dataplane/classify.h"
#include "dataplane/dp_api.h"
#include "dataplane/sadb.h"

#define TXN_MAX_EXEMPT 1024
#define TXN_REMARK_LEN 128

struct exempt {
	uint32_t local, remote;
	uint16_t port;
	uint8_t proto;
};

// What a group's rules see and the control thread counts; written by one worker each.
struct section_count {
	uint64_t unknown_spi;
	uint64_t last_spi; // the one seen last
} __attribute__((aligned(64)));

// One group of a policy.
struct section {
	char name[DP_NAME_LEN];
	uint32_t identity;
	uint8_t ports; // where it applies, a bit each
	bool live;     // its rules are the group's own; else what was put in their place
	bool closed;
	uint64_t unknown_told; // notes.c
	mono_t unknown_next;
	struct section_count *n; // per worker
};

// Everything one commit decides, behind one pointer.
struct policy {
	uint64_t generation; // as gmd counts
	uint64_t serial;     // no two policies of this process have the same
	uint8_t ports;	     // that some group names
	struct sadb *sadb;
	struct rules *rules;
	size_t n_groups;
	struct section group[DP_MAX_GROUPS];
	size_t n_exempt;
	struct exempt exempt[TXN_MAX_EXEMPT];
};

void policy_free(struct policy *p, struct sa_store *st);

// Does some group say what becomes of this port's traffic?
static inline bool policy_covers(const struct policy *p, unsigned port)
{
	return p && (p->ports >> port & 1);
}

// Control traffic of this box: from or to its own address, as gmd named it.
bool policy_exempts(const struct policy *p, const struct ip4 *ip, bool from_box);

// The ports that groups can name.
struct txn_ports {
	unsigned n;
	uint8_t are_protected; // a bit each
	const char *name[DP_MAX_PORTS], *tap[DP_MAX_PORTS];
};

struct txn {
	struct sa_store *store;
	uint64_t serial; // of the last policy handed over
	struct txn_ports ports;
	struct policy *next;	       // NULL outside a transaction
	bool dead;		       // an earlier message was refused
	bool kept;		       // the section under way is of a group that stays as it is
	size_t n_instead, cap_instead; // rules that stand behind those of live groups
	struct instead {
		struct dp_rule rule;
		uint8_t group;
	} * instead;
	char remark[TXN_REMARK_LEN]; // what was odd; "" for nothing
};

void txn_init(struct txn *t, struct sa_store *store, const struct txn_ports *ports);
void txn_abort(struct txn *t);
// One message; standing is the policy in force, NULL before the first. 0: taken, nothing to say. 1: a commit, *out is the caller's to publish. -errno:
// refused, *why is for gmd; later messages of the same transaction are refused with -ECANCELED,
// which needs no answer but for the commit.
MUST_CHECK int txn_step(struct txn *t, const struct policy *standing, const struct dp_msg *m,
			mono_t now, struct policy **out, const char **why);
