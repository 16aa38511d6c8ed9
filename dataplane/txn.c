#include "dataplane/txn.h"

#include <stdio.h>
#include <string.h>

void policy_free(struct policy *p, struct sa_store *st)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n_groups; i++)
		free(p->group[i].n);
	rules_free(p->rules);
	sadb_free(p->sadb, st);
	free(p);
}

bool policy_exempts(const struct policy *p, const struct ip4 *ip, bool from_box)
{
	uint32_t local = from_box ? ip->src : ip->dst, remote = from_box ? ip->dst : ip->src;
	uint16_t port = from_box ? ip->sport : ip->dport;

	for (size_t i = 0; i < p->n_exempt; i++) {
		const struct exempt *e = &p->exempt[i];

		if (e->local == local && e->remote == remote && e->proto == ip->proto &&
		    !ip->opaque && e->port == port)
			return true;
	}
	return false;
}

void txn_init(struct txn *t, struct sa_store *store, const struct txn_ports *ports)
{
	*t = (struct txn){ .store = store, .ports = *ports };
}

void txn_abort(struct txn *t)
{
	policy_free(t->next, t->store);
	t->next = NULL;
	t->dead = false;
	free(t->instead);
	t->instead = NULL;
	t->n_instead = t->cap_instead = 0;
}

static int begin(struct txn *t, uint64_t generation, const char **why)
{
	txn_abort(t);
	*why = "out of memory";
	t->next = calloc(1, sizeof(*t->next));
	if (!t->next)
		return -ENOMEM;
	t->next->generation = generation;
	t->remark[0] = '\0';
	t->kept = false;
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

// ---- sections ----

static const struct section *standing_of(const struct policy *p, const struct dp_group *in)
{
	for (size_t i = 0; p && i < p->n_groups; i++) {
		if (p->group[i].live && p->group[i].identity == in->identity &&
		    strncmp(p->group[i].name, in->name, DP_NAME_LEN) == 0)
			return &p->group[i];
	}
	return NULL;
}

// What stands for a group stays: its SAs as they are, its rules as they are.
static int keep(struct txn *t, const struct policy *standing, const struct section *old,
		const char **why)
{
	struct policy *p = t->next;
	const uint8_t was = (uint8_t)(old - standing->group), is = (uint8_t)(p->n_groups - 1);
	int err = 0;

	for (size_t i = 0; !err && i < standing->sadb->n; i++)
		if (strcmp(standing->sadb->sas[i].group, old->name) == 0)
			err = sadb_keep(p->sadb, &standing->sadb->sas[i], why);
	for (size_t i = 0; !err && i < standing->rules->n; i++)
		if (standing->rules->rule[i].group == was)
			err = rules_keep(p->rules, standing->rules, i, is, p->group[is].ports,
					 p->sadb, why);
	return err;
}

static uint8_t port_bit(struct txn *t, const char *group, const char *name)
{
	for (unsigned i = 0; i < t->ports.n; i++) {
		if (strcmp(t->ports.name[i], name) && strcmp(t->ports.tap[i], name))
			continue;
		if (t->ports.are_protected >> i & 1)
			return (uint8_t)(1u << i);
		snprintf(t->remark, sizeof(t->remark), "group %s: port %s is not protected", group,
			 name);
		return 0;
	}
	snprintf(t->remark, sizeof(t->remark), "group %s: there is no port %s", group, name);
	return 0;
}

static uint8_t ports_of(struct txn *t, const char *group, const struct dp_group *in)
{
	char name[DP_PORT_LEN];
	uint8_t bits = 0;

	if (in->n_ports == 0)
		return t->ports.are_protected;
	for (unsigned i = 0; i < in->n_ports; i++) {
		snprintf(name, sizeof(name), "%.*s", DP_PORT_LEN - 1, in->port[i]);
		bits |= port_bit(t, group, name);
	}
	return bits;
}

static const char *group_wrong(const struct policy *p, const struct dp_group *in)
{
	if (in->standing < DP_LIVE || in->standing > DP_INSTEAD)
		return "unknown standing of a group";
	if (in->table != 0)
		return "only the main routing table (0) is forwarded by";
	if (in->n_ports > DP_MAX_PORTS)
		return "too many ports of a group";
	if (p->n_groups == DP_MAX_GROUPS)
		return "too many groups";
	for (size_t i = 0; i < p->n_groups; i++)
		if (strncmp(p->group[i].name, in->name, DP_NAME_LEN - 1) == 0)
			return "group named twice";
	return NULL;
}

static int group(struct txn *t, const struct policy *standing, const struct dp_group *in,
		 const char **why)
{
	const size_t size = STATS_MAX_WORKERS * sizeof(struct section_count);
	const struct section *old = in->standing == DP_KEEP ? standing_of(standing, in) : NULL;
	struct policy *p = t->next;
	struct section *s = &p->group[p->n_groups];

	*why = group_wrong(p, in);
	if (*why)
		return -EINVAL;
	*s = (struct section){ .identity = in->identity,
			       .live = in->standing == DP_LIVE || old,
			       .closed = in->closed != 0,
			       .n = aligned_alloc(64, size) };
	*why = "out of memory";
	if (!s->n)
		return -ENOMEM;
	memset(s->n, 0, size);
	snprintf(s->name, sizeof(s->name), "%.*s", DP_NAME_LEN - 1, in->name);
	s->ports = ports_of(t, s->name, in);
	p->ports |= s->ports;
	p->n_groups++;
	t->kept = old != NULL;
	return old ? keep(t, standing, old, why) : 0;
}

static int sa(struct txn *t, const struct dp_sa *in, mono_t now, const char **why)
{
	struct policy *p = t->next;

	*why = "an SA of no group";
	if (p->n_groups == 0)
		return -EINVAL;
	return t->kept ? 0
		       : sadb_add(p->sadb, t->store, in, p->group[p->n_groups - 1].name, now, why);
}

static int instead_add(struct txn *t, const struct dp_rule *in, const char **why)
{
	*why = "too many rules";
	if (t->n_instead == DP_MAX_RULES)
		return -ENOSPC;
	if (t->n_instead == t->cap_instead) {
		size_t cap = t->cap_instead ? 2 * t->cap_instead : 16;
		struct instead *more = reallocarray(t->instead, cap, sizeof(*more));

		*why = "out of memory";
		if (!more)
			return -ENOMEM;
		t->instead = more;
		t->cap_instead = cap;
	}
	t->instead[t->n_instead++] =
		(struct instead){ .rule = *in, .group = (uint8_t)(t->next->n_groups - 1) };
	return 0;
}

static int rule(struct txn *t, const struct dp_rule *in, const char **why)
{
	struct policy *p = t->next;
	const struct section *s;

	*why = "a rule of no group";
	if (p->n_groups == 0)
		return -EINVAL;
	s = &p->group[p->n_groups - 1];
	if (t->kept)
		return 0;
	if (!s->live)
		return instead_add(t, in, why);
	return rules_add(p->rules, in, (uint8_t)(p->n_groups - 1), s->ports, p->sadb, why);
}

// ---- the end ----

static int close_group(struct policy *p, size_t i, const char **why)
{
	struct dp_rule all = { .action = DP_DROP,
			       .family = 4,
			       .sport_hi = UINT16_MAX,
			       .dport_hi = UINT16_MAX,
			       .origin = DP_FROM_CLOSED };

	memset(all.src_hi, 0xff, 4);
	memset(all.dst_hi, 0xff, 4);
	return rules_add(p->rules, &all, (uint8_t)i, p->group[i].ports, p->sadb, why);
}

// Behind the rules of live groups: first what others have in their place, then their doors.
static int put_in_place(struct txn *t, const char **why)
{
	struct policy *p = t->next;
	int err = 0;

	for (size_t i = 0; !err && i < t->n_instead; i++) {
		const struct instead *in = &t->instead[i];

		err = rules_add(p->rules, &in->rule, in->group, p->group[in->group].ports, p->sadb,
				why);
	}
	for (size_t i = 0; !err && i < p->n_groups; i++)
		if (!p->group[i].live && p->group[i].closed)
			err = close_group(p, i, why);
	return err;
}

static int commit(struct txn *t, uint64_t generation, struct policy **out, const char **why)
{
	int err;

	*why = "commit of another generation than was begun";
	if (t->next->generation != generation)
		return -EINVAL;
	err = put_in_place(t, why);
	if (!err)
		err = rules_seal(t->next->rules, why);
	if (err)
		return err;
	t->next->serial = ++t->serial;
	*out = t->next;
	t->next = NULL;
	txn_abort(t);
	return 1;
}

static int step(struct txn *t, const struct policy *standing, const struct dp_msg *m, mono_t now,
		struct policy **out, const char **why)
{
	switch (m->type) {
	case DP_GROUP:
		return group(t, standing, &m->u.group, why);
	case DP_SA:
		return sa(t, &m->u.sa, now, why);
	case DP_RULE:
		return rule(t, &m->u.rule, why);
	case DP_EXEMPT:
		return exempt(t, &m->u.exempt, why);
	default:
		return commit(t, m->u.generation, out, why);
	}
}

int txn_step(struct txn *t, const struct policy *standing, const struct dp_msg *m, mono_t now,
	     struct policy **out, const char **why)
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
	err = step(t, standing, m, now, out, why);
	if (err < 0) {
		txn_abort(t);
		t->dead = true;
	}
	return err;
}
