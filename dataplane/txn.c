#include "dataplane/txn.h"

void policy_free(struct policy *p, struct sa_store *st)
{
	if (!p)
		return;
	rules_free(p->rules);
	sadb_free(p->sadb, st);
	free(p);
}

bool policy_exempts(const struct policy *p, const struct ip4 *ip, bool from_box)
{
	uint32_t local = from_box ? ip->src : ip->dst, remote = from_box ? ip->dst : ip->src;

	for (size_t i = 0; i < p->n_exempt; i++) {
		const struct exempt *e = &p->exempt[i];

		if (e->local == local && e->remote == remote && e->proto == ip->proto &&
		    !ip->opaque && (e->port == ip->sport || e->port == ip->dport))
			return true;
	}
	return false;
}

void txn_init(struct txn *t, struct sa_store *store)
{
	*t = (struct txn){ .store = store };
}

void txn_abort(struct txn *t)
{
	policy_free(t->next, t->store);
	t->next = NULL;
	t->dead = false;
}

static int begin(struct txn *t, uint64_t generation, const char **why)
{
	txn_abort(t);
	*why = "out of memory";
	t->next = calloc(1, sizeof(*t->next));
	if (!t->next)
		return -ENOMEM;
	t->next->generation = generation;
	t->next->sadb = sadb_new();
	t->next->rules = rules_new();
	if (t->next->sadb && t->next->rules)
		return 0;
	txn_abort(t);
	return -ENOMEM;
}

static int exempt(struct txn *t, const struct dp_exempt *in, const char **why)
{
	struct policy *p = t->next;

	*why = "only UDP and TCP can be exempt";
	if (in->proto != 6 && in->proto != 17)
		return -EINVAL;
	*why = "unknown family";
	if (in->family == 6)
		return 0;
	if (in->family != 4)
		return -EINVAL;
	*why = "too many exemptions";
	if (p->n_exempt == TXN_MAX_EXEMPT)
		return -ENOSPC;
	p->exempt[p->n_exempt++] = (struct exempt){ .local = be32_get(in->local),
						    .remote = be32_get(in->remote),
						    .port = in->port,
						    .proto = in->proto };
	return 0;
}

static int commit(struct txn *t, uint64_t generation, struct policy **out, const char **why)
{
	int err;

	*why = "commit of another generation than was begun";
	if (t->next->generation != generation)
		return -EINVAL;
	err = rules_seal(t->next->rules, why);
	if (err)
		return err;
	*out = t->next;
	t->next = NULL;
	return 1;
}

static int step(struct txn *t, const struct dp_msg *m, mono_t now, struct policy **out,
		const char **why)
{
	switch (m->type) {
	case DP_SA:
		return sadb_add(t->next->sadb, t->store, &m->u.sa, now, why);
	case DP_RULE:
		return rules_add(t->next->rules, &m->u.rule, t->next->sadb, why);
	case DP_EXEMPT:
		return exempt(t, &m->u.exempt, why);
	default:
		return commit(t, m->u.generation, out, why);
	}
}

int txn_step(struct txn *t, const struct dp_msg *m, mono_t now, struct policy **out,
	     const char **why)
{
	int err;

	*out = NULL;
	if (m->type == DP_BEGIN)
		return begin(t, m->u.generation, why);
	*why = "an earlier message of this transaction was refused";
	if (t->dead)
		return -ECANCELED;
	*why = "no transaction was begun";
	if (!t->next)
		return -EINVAL;
	err = step(t, m, now, out, why);
	if (err < 0) {
		txn_abort(t);
		t->dead = true;
	}
	return err;
}
