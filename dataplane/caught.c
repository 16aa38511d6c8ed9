// Traffic of the box itself and the policy: what passes in any case, and a note of what does not.
#include "dataplane/own.h"
#include "dataplane/worker.h"

static bool on_link(const struct worker *w, uint32_t addr)
{
	const struct hop *h;

	fwd_lookup(&w->d->fwd, &addr, &h, 1);
	return h->kind == HOP_PORT && h->gw == 0;
}

static enum own_free own_free(const struct worker *w, const struct pkt *p, bool out)
{
	const struct own_row *row = own_find(w->d->conf.own, &p->ip, out);

	if (!row)
		return OWN_NO;
	return own_judge(row, &p->ip, on_link(w, out ? p->ip.dst : p->ip.src));
}

bool own_passes(struct worker *w, const struct pkt *p, const struct rule *rule, bool out)
{
	bool closed = rule ? rule->origin == DP_FROM_CLOSED
			   : !policy_covers(w->policy, out ? p->out : p->in);
	enum own_free f;

	if (w->policy && policy_exempts(w->policy, &p->ip, out))
		return true;
	f = own_free(w, p, out);
	return f == OWN_FREE || (f == OWN_CLOSED && closed);
}

// What is meant for other boxes as well, or encrypted as everything there is, surprises nobody
// unless it is a protocol that boxes depend on.
void own_caught(struct worker *w, const struct pkt *p, const struct rule *rule, enum dp_caught what)
{
	struct dp_note *n = &w->caught.note;

	if (what != DP_CAUGHT_DROPPED &&
	    !own_find(w->d->conf.own, &p->ip, what == DP_CAUGHT_ENCRYPTED))
		return;
	w->st.path[PATH_OWN_CAUGHT]++;
	if (__atomic_load_n(&w->caught.full, __ATOMIC_ACQUIRE))
		return;
	*n = (struct dp_note){ .kind = DP_NOTE_OWN_CAUGHT,
			       .caught = (uint8_t)what,
			       .family = 4,
			       .proto = p->ip.proto,
			       .sport = p->ip.sport,
			       .dport = p->ip.dport };
	be32_put(n->src, p->ip.src);
	be32_put(n->dst, p->ip.dst);
	if (rule) {
		n->line = rule->line;
		n->origin = rule->origin;
		memcpy(n->group, w->policy->group[rule->group].name, sizeof(n->group));
	}
	__atomic_store_n(&w->caught.full, 1, __ATOMIC_RELEASE);
}
