// dataplane/txn.h - messages of gmd become a policy: built aside, checked whole, then handed over.
// Owns:   the policy being built, until it is taken.
// From:   ctl_io.c with every BEGIN, SA, RULE, EXEMPT, COMMIT.
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

#define TXN_MAX_EXEMPT 256

struct exempt {
	uint32_t local, remote;
	uint16_t port;
	uint8_t proto;
};

// Everything one commit decides, behind one pointer.
struct policy {
	uint64_t generation;
	struct sadb *sadb;
	struct rules *rules;
	size_t n_exempt;
	struct exempt exempt[TXN_MAX_EXEMPT];
};

void policy_free(struct policy *p, struct sa_store *st);
// Control traffic of this box: from or to its own address, as gmd named it.
bool policy_exempts(const struct policy *p, const struct ip4 *ip, bool from_box);

struct txn {
	struct sa_store *store;
	struct policy *next; // NULL outside a transaction
	bool dead;	     // an earlier message was refused
};

void txn_init(struct txn *t, struct sa_store *store);
void txn_abort(struct txn *t);
// One message. 0: taken, nothing to say. 1: a commit, *out is the caller's to publish. -errno:
// refused, *why is for gmd; later messages of the same transaction are refused with -ECANCELED,
// which needs no answer but for the commit.
MUST_CHECK int txn_step(struct txn *t, const struct dp_msg *m, mono_t now, struct policy **out,
			const char **why);
