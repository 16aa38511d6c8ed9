// Signs of life: small datagrams, sent to every peer in each interval, and at once when what they
// say has changed. A peer lives when we hear it and it hears us: it echoes the time of our last
// hello, so that we know how old the newest is that reached it.
#include "coop/coop_int.h"

#define TERM_JUMP_MAX	(UINT64_C(1) << 40)
#define PSEUDO_JUMP_MAX 86400000u

static uint8_t flags_of(const struct coop *c)
{
	uint8_t f = 0;

	if (coop_eligible(c))
		f |= COOP_F_ELIGIBLE;
	if (c->conf.maintenance)
		f |= COOP_F_MAINTENANCE;
	if (c->drift)
		f |= COOP_F_DRIFT;
	if (c->conf.preempt)
		f |= COOP_F_PREEMPT;
	if (coop_sids_proven(c))
		f |= COOP_F_PROVEN;
	if (!mono_is_never(c->sids.empty_since))
		f |= COOP_F_NEED_SIDS;
	if (c->time_known)
		f |= COOP_F_TIME;
	return f;
}

static void hello_out(struct coop *c, mono_t now, size_t peer, struct coop_out *out)
{
	struct coop_frame f = { .type = COOP_HELLO };
	struct coop_hello *h = &f.hello;

	*h = (struct coop_hello){ .boot = c->boot,
				  .counter = ++c->counter,
				  .stamp = (uint64_t)now.ms,
				  .echo = c->peer[peer].stamp,
				  .max_term = c->max_term,
				  .lead = { .id = COOP_NOBODY },
				  .id = c->conf.id,
				  .role = (uint8_t)c->role,
				  .flags = flags_of(c),
				  .priority = c->conf.priority,
				  .choice = coop_choice(c, now),
				  .conf = coop_conf_short(c),
				  .pseudotime = coop_pseudotime(c, now) };
	if (coop_lead_is_fresh(c, now))
		h->lead = c->lead;
	coop_send(c, out, peer, &f);
}

static bool something_to_say(const struct coop *c, mono_t now)
{
	return c->said_role != c->role || c->said_choice != coop_choice(c, now) ||
	       c->said_term != c->lead.term;
}

void coop_hello_tick(struct coop *c, mono_t now, struct coop_out *out)
{
	bool due = mono_due(c->next_hello, now);

	if (!due && !something_to_say(c, now))
		return;
	if (due)
		c->next_hello = mono_add_ms(now, c->conf.hello_ms);
	if (c->role == COOP_PRIMARY) {
		c->lead.beat++;
		c->lead_seen = now;
	}
	c->said_role = (uint8_t)c->role;
	c->said_choice = coop_choice(c, now);
	c->said_term = c->lead.term;
	if (c->said_choice != COOP_NOBODY && c->said_choice != c->conf.id) {
		c->vote = c->said_choice;
		c->voted = now;
	}
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (c->peer[i].opened)
			hello_out(c, now, i, out);
	}
}

static bool lives(const struct coop *c, const struct coop_peer *p, mono_t now)
{
	return p->opened && !coop_passed(p->heard, coop_dead_ms(c), now) &&
	       !coop_passed(p->echoed, coop_dead_ms(c), now);
}

void coop_peers_refresh(struct coop *c, mono_t now, struct coop_out *out)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		struct coop_peer *p = &c->peer[i];
		bool was = p->alive;

		p->alive = lives(c, p, now);
		if (p->alive == was)
			continue;
		p->better_since = MONO_NEVER;
		if (!p->alive)
			p->slow = false;
		coop_log(out, p->alive ? EV_COOP_KS_REACH : EV_COOP_KS_UNREACH, i,
			 p->alive ? "heard both ways" : "silent, or deaf to us");
	}
}

// Who starts goes by those who run: what it thinks to have gone by since its last life rests on a
// clock that people set. Nobody has heard of it yet.
static void pseudotime_in(struct coop *c, mono_t now, const struct coop_peer *p, uint64_t theirs)
{
	uint64_t ours = coop_pseudotime(c, now);
	bool starting = c->role == COOP_STARTING, runs = p->role != COOP_STARTING;

	c->time_known |= runs;
	if (starting && runs && (p->flags & COOP_F_TIME) && !c->time_heard) {
		c->time_heard = true;
		c->pseudo_base += (int64_t)(theirs - ours);
	} else if ((runs || (starting && !c->time_heard)) && theirs > ours &&
		   (starting || theirs - ours <= PSEUDO_JUMP_MAX)) {
		c->pseudo_base += (int64_t)(theirs - ours);
	}
}

// An operator hears of it where the others are looked at, too.
static void drift_in(struct coop_peer *p, size_t peer, bool drift, struct coop_out *out)
{
	if (drift && !p->drift)
		coop_log(out, EV_COOP_CONFIG_MISMATCH, peer,
			 "its configuration differs from the one in force: it will not lead");
	p->drift = drift;
}

void coop_hello_in(struct coop *c, mono_t now, size_t peer, const struct coop_hello *h,
		   struct coop_out *out)
{
	struct coop_peer *p = &c->peer[peer];

	if (h->id != p->id || h->boot != p->boot || h->counter <= p->counter) {
		p->drops++; // of another life, replayed, or overtaken
		return;
	}
	if (MAX_OF(h->max_term, h->lead.term) > c->max_term + TERM_JUMP_MAX) {
		p->drops++;
		coop_log(out, EV_COOP_TERM_REFUSED, peer, "term too far ahead");
		return;
	}
	p->counter = h->counter;
	p->stamp = h->stamp;
	p->heard = now;
	if (h->echo != 0 && h->echo <= (uint64_t)now.ms && (int64_t)h->echo > p->echoed.ms)
		p->echoed.ms = (int64_t)h->echo;
	p->role = h->role;
	p->flags = h->flags;
	p->priority = h->priority;
	p->choice = h->choice;
	p->conf = h->conf;
	drift_in(p, peer, h->flags & COOP_F_DRIFT, out);
	c->max_term = MAX_OF(c->max_term, h->max_term);
	if (!lives(c, p, now))
		return;
	coop_claim_heard(c, now, &h->lead);
	pseudotime_in(c, now, p, h->pseudotime);
}
