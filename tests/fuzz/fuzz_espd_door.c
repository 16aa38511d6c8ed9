// What espd takes from its control socket: a row of messages, each one octet of type and two of
// length, then the octets of its union (the rest zero). Whatever is committed is then asked about
// one packet.
#include <stdlib.h>
#include <string.h>

#include "dataplane/txn.h"
#include "tests/fuzz/fuzz.h"

#define NOW	  ((mono_t){ 1000 })
#define MAX_RULES RULES_LINEAR_MAX // more would need DPDK's memory

static bool next(struct bytes *in, struct dp_msg *m)
{
	size_t len;

	memset(m, 0, sizeof(*m));
	if (in->len < 3)
		return false;
	m->type = in->p[0] % (DP_NOTE + 2);
	len = (size_t)(in->p[1] << 8 | in->p[2]);
	in->p += 3;
	in->len -= 3;
	if (len > in->len)
		len = in->len;
	memcpy(&m->u, in->p, len < sizeof(m->u) ? len : sizeof(m->u));
	in->p += len;
	in->len -= len;
	return true;
}

static void ask(const struct policy *p)
{
	const struct ip4 ip = {
		.src = 0x0a010002, .dst = 0x0a020002, .proto = 17, .sport = 848, .dport = 848
	};
	const struct rule *r = rules_match(p->rules, &ip, 1);

	if (r && r->out && r->out->key == NULL)
		abort();
	if (r)
		(void)rule_admits(r, 0x1001);
	(void)policy_exempts(p, &ip, true);
}

void fuzz_one(struct bytes input)
{
	static const struct txn_ports ports = {
		.n = 2, .are_protected = 2, .name = { "lan", "wan" }, .tap = { "tap0", "tap1" }
	};
	struct policy *now = NULL, *made;
	struct sa_store store;
	struct txn txn;
	struct dp_msg m;
	const char *why;

	sa_store_init(&store, 3, 16);
	txn_init(&txn, &store, &ports);
	while (next(&input, &m)) {
		// A commit adds rules by itself, and a group that is kept the rules it had.
		size_t n = txn.next ? txn.next->rules->n + txn.n_instead + txn.next->n_groups : 0;
		bool known = m.type == DP_BEGIN || m.type == DP_GROUP || m.type == DP_SA ||
			     m.type == DP_RULE || m.type == DP_EXEMPT || m.type == DP_COMMIT;

		if (!known || ((m.type == DP_RULE || m.type == DP_GROUP) && n >= MAX_RULES) ||
		    (m.type == DP_COMMIT && n > MAX_RULES))
			continue;
		why = NULL;
		if (txn_step(&txn, now, &m, NOW, &made, &why) < 0 && !why)
			abort();
		if (made) {
			ask(made);
			policy_free(now, &store);
			now = made;
		}
	}
	txn_abort(&txn);
	policy_free(now, &store);
	sa_store_fini(&store);
}
