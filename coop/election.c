// Who leads. A term belongs to one id by construction (term mod 16), so no two key servers can ever
// lead in the same one. Nobody claims a term while anybody it hears both ways still follows
// someone, or would have someone else: that is the vote, and it costs no message of its own.
#include "coop/coop_int.h"

bool coop_better(uint8_t prio_a, const struct addr *a, uint8_t prio_b, const struct addr *b)
{
	return prio_a != prio_b ? prio_a > prio_b : addr_cmp(a, b) > 0;
}

uint64_t coop_conf_short(const struct coop *c)
{
	uint64_t v = 0;

	for (size_t i = 0; i < sizeof(v); i++)
		v = v << 8 | c->conf.digest[i];
	return v;
}

// More than half of the set has the configuration that we have: then it is not we who differ.
static bool most_agree(const struct coop *c)
{
	size_t n = 1;

	for (size_t i = 0; i < c->conf.n_peers; i++)
		n += c->peer[i].alive && c->peer[i].conf == coop_conf_short(c);
	return 2 * n > c->conf.n_peers + 1;
}

bool coop_eligible(const struct coop *c)
{
	return c->role != COOP_STARTING && !c->conf.maintenance && !c->unable &&
	       (!c->drift || c->force || most_agree(c));
}

bool coop_lead_is_fresh(const struct coop *c, mono_t now)
{
	if (c->role == COOP_PRIMARY && c->lead.id == c->conf.id)
		return true;
	return c->lead.term != 0 && c->lead.id != c->conf.id &&
	       !coop_passed(c->lead_seen, coop_dead_ms(c), now);
}

// Of those we hear both ways, and of ourselves.
static uint8_t best(const struct coop *c)
{
	uint8_t id = coop_eligible(c) ? c->conf.id : COOP_NOBODY;
	uint8_t priority = c->conf.priority;
	const struct addr *addr = &c->conf.addr;

	for (size_t i = 0; i < c->conf.n_peers; i++) {
		const struct coop_peer *p = &c->peer[i];

		if (!p->alive || !(p->flags & COOP_F_ELIGIBLE))
			continue;
		if (id != COOP_NOBODY && !coop_better(p->priority, &p->addr, priority, addr))
			continue;
		id = p->id;
		priority = p->priority;
		addr = &p->addr;
	}
	return id;
}

// Whoever was told that we choose it may act on that until it has heard otherwise, or has to take us
// for dead. So long nobody else is told so: two that claim cannot both have our vote.
static bool vote_is_bound(const struct coop *c, mono_t now)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		const struct coop_peer *p = &c->peer[i];

		bool acts = p->role == COOP_CLAIMING || p->role == COOP_PRIMARY;

		if (p->id != c->vote)
			continue;
		if (p->alive && acts)
			return true;
		return !coop_passed(p->heard, coop_dead_ms(c), now) &&
		       !coop_passed(c->voted, coop_dead_ms(c) + c->conf.hello_ms, now) &&
		       (acts || !mono_before(c->voted, p->echoed));
	}
	return false;
}

// Our last life may have chosen as well: it is forgotten when we were silent for the dead time.
uint8_t coop_choice(const struct coop *c, mono_t now)
{
	uint8_t id;

	if (c->role == COOP_CLAIMING)
		return c->conf.id;
	if (coop_lead_is_fresh(c, now))
		id = c->lead.id;
	else if (coop_passed(c->started, coop_dead_ms(c), now))
		id = best(c);
	else
		return COOP_NOBODY;
	return id == c->vote || !vote_is_bound(c, now) ? id : COOP_NOBODY;
}

// Each sign of life counts once, whoever passes it on: a dead primary is not kept alive by hearsay.
void coop_claim_heard(struct coop *c, mono_t now, const struct coop_claim *claim)
{
	uint64_t term, beat;

	if (claim->term == 0 || claim->id == c->conf.id)
		return;
	term = c->seen[claim->id].term;
	beat = c->seen[claim->id].beat;
	if (claim->term < term || (claim->term == term && claim->beat <= beat))
		return;
	c->seen[claim->id].term = claim->term;
	c->seen[claim->id].beat = claim->beat;
	c->max_term = MAX_OF(c->max_term, claim->term);
	if (claim->term < c->lead.term && coop_lead_is_fresh(c, now))
		return;
	c->lead = *claim;
	c->lead_seen = now;
}

// ---- the vote ----

// The successor of a hand-over leads before the others have heard of it.
static bool follows_us(const struct coop *c, const struct coop_peer *p, mono_t now)
{
	return p->choice == c->conf.id ||
	       (p->choice == c->handed_by && !coop_passed(c->handed, coop_dead_ms(c), now));
}

// In the majority policy. Those count who follow us, and of whom it is known that they heard us
// lately: a primary stops before any of them could take its silence for death, and does not claim
// again in what is left.
static int64_t within_ms(const struct coop *c)
{
	return coop_dead_ms(c) - c->conf.hello_ms / 2;
}

// When a quorum may have ended: nobody waits for the next hello to see that.
mono_t coop_quorum_check(const struct coop *c, mono_t now)
{
	mono_t at = MONO_NEVER;

	for (size_t i = 0; i < c->conf.n_peers && c->conf.split == COOP_MAJORITY; i++) {
		mono_t old = mono_add_ms(c->peer[i].echoed, within_ms(c));

		if (mono_before(now, old))
			at = mono_min(at, old);
	}
	return at;
}

static bool has_quorum(const struct coop *c, mono_t now)
{
	size_t n = 1;

	if (c->conf.split == COOP_CONTINUE)
		return true;
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		const struct coop_peer *p = &c->peer[i];

		n += p->alive && follows_us(c, p, now) &&
		     !coop_passed(p->echoed, within_ms(c), now);
	}
	return 2 * n > c->conf.n_peers + 1;
}

static bool all_choose_us(const struct coop *c)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (c->peer[i].alive && c->peer[i].choice != c->conf.id)
			return false;
	}
	return true;
}

// Takes effect when the term is durable.
void coop_claim(struct coop *c)
{
	c->leads = c->role == COOP_PRIMARY || (c->role == COOP_CLAIMING && c->leads);
	c->term = coop_term_next(c);
	c->claimed = true;
	c->max_term = c->term;
	c->role = COOP_CLAIMING;
	c->claim_write = 0;
	c->dirty = true;
}

static void become(struct coop *c, enum coop_role role, struct coop_out *out, enum event_id event,
		   const char *why)
{
	struct coop_act *a;

	c->role = role;
	a = coop_act(out, COOP_ACT_ROLE);
	a->role = role;
	a->no = c->term;
	a->fresh =
		role == COOP_PRIMARY && (coop_epoch(c) == 0 || (!c->confirmed_once && !c->proven));
	coop_log(out, event, COOP_PEERS, why);
}

static void lead(struct coop *c, mono_t now, struct coop_out *out)
{
	c->lead = (struct coop_claim){ .term = c->term,
				       .id = c->conf.id,
				       .priority = c->conf.priority,
				       .addr = c->conf.addr };
	c->lead_seen = now;
	c->leads = true;
	c->handover_to = COOP_NOBODY;
	become(c, COOP_PRIMARY, out, EV_COOP_KS_TRANS_TO_PRI, "new term");
}

static void resign(struct coop *c, struct coop_out *out, const char *why)
{
	c->term = 0;
	c->leads = false;
	c->handover_to = COOP_NOBODY;
	if (c->lead.id == c->conf.id)
		c->lead = (struct coop_claim){ .id = COOP_NOBODY };
	become(c, COOP_SECONDARY, out, EV_COOP_KS_TRANS_TO_SEC, why);
}

// ---- what a key server does about it ----

static void primary(struct coop *c, mono_t now, struct coop_out *out)
{
	bool rival = c->lead.term > c->term && coop_lead_is_fresh(c, now);

	if (rival &&
	    (c->lead.id == c->handover_to ||
	     !coop_better(c->conf.priority, &c->conf.addr, c->lead.priority, &c->lead.addr) ||
	     !coop_eligible(c))) {
		resign(c, out, c->lead.id == c->handover_to ? "handed over" : "a better one leads");
		return;
	}
	if (!has_quorum(c, now)) {
		coop_log(out, EV_COOP_NO_QUORUM, COOP_PEERS, "split-policy majority");
		resign(c, out, "no quorum");
		return;
	}
	if (rival)
		coop_claim(c); // the worse one sees the higher term, and steps back
}

// Much may have changed since it claimed.
static void claiming(struct coop *c, mono_t now, struct coop_out *out)
{
	primary(c, now, out);
	if (c->role != COOP_CLAIMING)
		return;
	if (!coop_eligible(c))
		resign(c, out, "may not lead any more");
	else if (c->claim_write != 0 && c->durable_no >= c->claim_write)
		lead(c, now, out);
}

static void starting(struct coop *c, mono_t now, struct coop_out *out)
{
	size_t n_alive = 0, n_told = 0;

	for (size_t i = 0; i < c->conf.n_peers; i++) {
		n_alive += c->peer[i].alive;
		n_told += c->peer[i].alive && c->peer[i].confirmed;
	}
	if (n_alive > n_told && !coop_passed(c->started, 3 * (int64_t)c->conf.start_ms, now))
		return;
	if (!coop_passed(c->started, c->conf.start_ms, now) &&
	    !(n_alive > 0 && coop_lead_is_fresh(c, now)))
		return;
	become(c, COOP_SECONDARY, out, EV_COOP_KS_TRANS_TO_SEC, "started");
}

static void secondary(struct coop *c, mono_t now, struct coop_out *out)
{
	if (coop_lead_is_fresh(c, now) || coop_choice(c, now) != c->conf.id || !all_choose_us(c) ||
	    !has_quorum(c, now))
		return;
	coop_log(out, EV_COOP_KS_ELECTION, COOP_PEERS, "all who live choose this one");
	coop_claim(c);
}

void coop_elect(struct coop *c, mono_t now, struct coop_out *out)
{
	switch (c->role) {
	case COOP_STARTING:
		starting(c, now, out);
		break;
	case COOP_SECONDARY:
		secondary(c, now, out);
		break;
	case COOP_CLAIMING:
		claiming(c, now, out);
		break;
	case COOP_PRIMARY:
		primary(c, now, out);
		break;
	}
}

// ---- configuration drift ----

void coop_drift_check(struct coop *c, struct coop_out *out)
{
	const struct coop_item *i = coop_store_find(&c->store, COOP_K_CONF, BYTES(NULL, 0));
	bool same = i && bytes_eq(BYTES(i->body, i->len), BYTES_OF(c->conf.digest));

	if (c->role == COOP_PRIMARY && !same) {
		coop_put_own(c,
			     &(struct coop_put){ .kind = COOP_K_CONF,
						 .body = BYTES_OF(c->conf.digest),
						 .dies = MONO_NEVER },
			     out);
		same = true;
	}
	if (c->drift == (i && !same))
		return;
	c->drift = i && !same;
	if (c->drift)
		coop_log(out, EV_COOP_CONFIG_MISMATCH, COOP_PEERS,
			 "ours differs from the one in force: this key server will not lead");
}
