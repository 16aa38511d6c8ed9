// The role changes hands while both live: by an operator's word, for maintenance, or because a
// better one that was told to preempt has been well for long enough. The successor is told when it
// holds everything; it claims the next term at once, and its first hello ends ours.
#include "coop/coop_int.h"

static bool may_follow(const struct coop_peer *p)
{
	return p->alive && p->link && (p->flags & COOP_F_ELIGIBLE);
}

static size_t best_peer(const struct coop *c)
{
	size_t best = COOP_PEERS;

	for (size_t i = 0; i < c->conf.n_peers; i++) {
		const struct coop_peer *p = &c->peer[i];

		if (may_follow(p) && (best == COOP_PEERS ||
				      coop_better(p->priority, &p->addr, c->peer[best].priority,
						  &c->peer[best].addr)))
			best = i;
	}
	return best;
}

static int64_t patience_ms(const struct coop *c)
{
	return 2 * coop_dead_ms(c);
}

void coop_handover_start(struct coop *c, mono_t now, size_t to)
{
	c->handover_to = c->peer[to].id;
	c->handover_sent = false;
	c->handover_end = mono_add_ms(now, patience_ms(c));
}

void coop_handover_command(struct coop *c, mono_t now, struct coop_out *out)
{
	size_t to = best_peer(c);

	if (c->role == COOP_SECONDARY && c->drift) {
		c->force = true; // the operator has seen the alarm, and wants this configuration
		return;
	}
	if (c->role != COOP_PRIMARY || c->handover_to != COOP_NOBODY)
		return; // or it is on its way
	if (to == COOP_PEERS) {
		coop_log(out, EV_COOP_NO_SUCCESSOR, COOP_PEERS, "nobody else may lead");
		return;
	}
	coop_handover_start(c, now, to);
}

// It has been better than us, and well, for the whole of the hold-down.
static size_t preemptor(struct coop *c, mono_t now)
{
	size_t to = COOP_PEERS;

	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];

		if (!may_follow(p) || !(p->flags & COOP_F_PREEMPT) ||
		    p->priority <= c->conf.priority) {
			p->better_since = MONO_NEVER;
			continue;
		}
		if (mono_is_never(p->better_since))
			p->better_since = now;
		if (coop_passed(p->better_since, c->conf.preempt_hold_ms, now) &&
		    (to == COOP_PEERS ||
		     coop_better(p->priority, &p->addr, c->peer[to].priority, &c->peer[to].addr)))
			to = i;
	}
	return to;
}

static void tell_successor(struct coop *c, mono_t now, struct coop_out *out)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];
		struct coop_frame f = { .type = COOP_HANDOVER,
					.handover = { c->term, c->handover_to } };

		if (p->id != c->handover_to)
			continue;
		if (!may_follow(p) || mono_due(c->handover_end, now)) {
			c->handover_to = COOP_NOBODY; // it did not take it: we lead on
			p->better_since = MONO_NEVER;
			return;
		}
		if (c->handover_sent || p->acked[c->conf.id] < c->count)
			return;
		c->handover_sent = true;
		coop_send(c, out, i, &f);
	}
}

void coop_handover_tick(struct coop *c, mono_t now, struct coop_out *out)
{
	size_t to = COOP_PEERS;

	if (c->role != COOP_PRIMARY)
		return;
	if (c->handover_to == COOP_NOBODY) {
		to = c->conf.maintenance ? best_peer(c) : preemptor(c, now);
		if (to != COOP_PEERS)
			coop_handover_start(c, now, to);
	}
	if (c->handover_to != COOP_NOBODY)
		tell_successor(c, now, out);
}

void coop_handover_in(struct coop *c, mono_t now, size_t peer, const struct coop_handover *h)
{
	if (h->to != c->conf.id || c->role != COOP_SECONDARY || !coop_eligible(c) ||
	    !coop_lead_is_fresh(c, now) || h->term != c->lead.term ||
	    c->lead.id != c->peer[peer].id)
		return;
	c->handed_by = c->peer[peer].id;
	c->handed = now;
	coop_claim(c);
}
