// Messages that nobody ought to send, in the place of a peer that is known: hellos of earlier,
// what is cut short, terms from the future, another group, the wrong way, hand-overs by who does
// not lead. The channel keeps strangers out; of a peer gone wrong none of these may move anything.
#include <string.h>

#include "tests/sim/coop_world.h"

void evil_seen(struct world *w, const struct thing *t)
{
	size_t at = w->n_old < MAX_OLD ? w->n_old++ : rng_range(&w->rng, 0, MAX_OLD - 1);

	size_t p = peer_index(w, t->to, t->from);

	if (t->len > sizeof(w->old[at].b) || p == COOP_PEERS ||
	    w->ks[t->to].c.peer[p].heard.ms != ks_clock(w, &w->ks[t->to]).ms)
		return; // it was not taken
	w->old[at].from = t->from;
	w->old[at].to = t->to;
	w->old[at].from_life = w->ks[t->from].life;
	w->old[at].to_life = w->ks[t->to].life;
	w->old[at].len = t->len;
	memcpy(w->old[at].b, t->b, t->len);
}

// ---- nothing moves ----

static bool same_peer(const struct coop_peer *a, const struct coop_peer *b)
{
	return a->heard.ms == b->heard.ms && a->echoed.ms == b->echoed.ms &&
	       a->counter == b->counter && a->choice == b->choice && a->role == b->role &&
	       a->flags == b->flags && a->told == b->told && a->opened == b->opened &&
	       a->boot == b->boot && memcmp(a->acked, b->acked, sizeof(a->acked)) == 0;
}

static bool same_core(const struct coop *a, const struct coop *b)
{
	for (size_t p = 0; p < a->conf.n_peers; p++) {
		if (!same_peer(&a->peer[p], &b->peer[p]))
			return false;
	}
	return a->role == b->role && a->term == b->term && a->max_term == b->max_term &&
	       a->lead.term == b->lead.term && a->lead.beat == b->lead.beat &&
	       a->lead.id == b->lead.id && a->lead_seen.ms == b->lead_seen.ms &&
	       a->count == b->count && a->own_back == b->own_back && a->store.n == b->store.n &&
	       memcmp(a->vector, b->vector, sizeof(a->vector)) == 0 &&
	       a->pseudo_base == b->pseudo_base && a->sids.limit == b->sids.limit &&
	       a->sids.next == b->sids.next && a->sids.lent_n == b->sids.lent_n;
}

static void in_vain(struct world *w, size_t to, size_t from, bool datagram, struct bytes b,
		    enum coop_cover what)
{
	struct sim_ks *k = &w->ks[to];
	static struct coop before; // large
	struct coop_event ev = { .kind = datagram ? COOP_EV_HELLO : COOP_EV_MSG,
				 .peer = peer_index(w, to, from),
				 .octets = b };

	if (ev.peer == COOP_PEERS)
		return;
	cover(what);
	for (int n = 0; n < 3; n++) // whatever is due comes first, and what comes of it
		ks_event(w, to, &(struct coop_event){ .kind = COOP_EV_TICK });
	before = k->c;
	ks_event(w, to, &ev);
	if (!same_core(&before, &k->c))
		violated(w, COOP_INV_I12, "%s in the name of ks%zu move ks%zu", cover_text(what),
			 from, to);
}

static struct bytes encoded(struct coop_frame *f, uint8_t out[512])
{
	struct wr w;

	f->version = COOP_VERSION;
	f->group = f->group ? f->group : 7;
	wr_init(&w, out, 512);
	coop_encode(&w, f);
	return BYTES(out, w.len);
}

static void crafted(struct world *w, size_t to, size_t from, struct coop_frame f,
		    enum coop_cover what)
{
	uint8_t b[512];

	in_vain(w, to, from, f.type == COOP_HELLO, encoded(&f, b), what);
}

// ---- what is sent ----

static void future_term(struct world *w, size_t to, size_t from, const struct coop_peer *p)
{
	uint64_t term = UINT64_C(1) << rng_range(&w->rng, 42, 63);
	struct coop_frame f = { .type = COOP_HELLO,
				.hello = { .boot = p->boot,
					   .counter = p->counter + 1,
					   .stamp = p->stamp + 1,
					   .max_term = term,
					   .id = p->id,
					   .lead.id = COOP_NOBODY,
					   .choice = p->id } };

	if (p->boot == 0)
		return;
	if (chance(w, 500)) {
		f.hello.lead = (struct coop_claim){ .term = term | p->id, .beat = 1, .id = p->id };
		f.hello.max_term = w->ks[to].c.max_term;
	}
	crafted(w, to, from, f, COVER_FUTURE_TERM);
}

static void cut_short(struct world *w, size_t to, size_t from, const uint8_t *b, size_t len)
{
	uint8_t less[256];
	size_t n = rng_range(&w->rng, 0, len - 1);

	memcpy(less, b, n);
	if (n > COOP_FRAME_LEN && chance(w, 500)) { // and says so
		less[10] = (uint8_t)((n - COOP_FRAME_LEN) >> 8);
		less[11] = (uint8_t)(n - COOP_FRAME_LEN);
	}
	in_vain(w, to, from, true, BYTES(less, n), COVER_CUT_SHORT);
}

// One that is not to be let in: of another id, address or version. The link is closed, and comes
// back with the real one behind it.
static void wrong_open(struct world *w, size_t to, size_t from, const struct coop_peer *p)
{
	struct coop_frame f = { .type = COOP_OPEN,
				.open = { .ver_min = 1,
					  .ver_max = 1,
					  .id = w->ks[from].conf.id,
					  .addr = p->addr,
					  .boot = rng_u64(&w->rng) | 1 } };
	uint64_t refused = covered.n[COVER_REFUSED];
	uint8_t b[512];

	if (w->peace || !p->link)
		return;
	switch (rng_range(&w->rng, 0, 2)) {
	case 0:
		f.open.id = w->ks[to].conf.id;
		break;
	case 1:
		f.open.addr.b[1] ^= 1;
		break;
	default:
		f.open.ver_min = f.open.ver_max = COOP_VERSION + 1;
		break;
	}
	cover(COVER_WRONG_OPEN);
	ks_event(w, to,
		 &(struct coop_event){ .kind = COOP_EV_MSG,
				       .peer = peer_index(w, to, from),
				       .octets = encoded(&f, b) });
	if (covered.n[COVER_REFUSED] != refused + 1 || p->opened)
		violated(w, COOP_INV_I19, "ks%zu lets a wrong peer in", to);
}

static void one_message(struct world *w, size_t to, size_t from, const uint8_t *b, size_t len)
{
	const struct sim_ks *k = &w->ks[to];
	const struct coop_peer *p = &k->c.peer[peer_index(w, to, from)];

	switch (rng_range(&w->rng, 0, 9)) {
	case 0:
		future_term(w, to, from, p);
		break;
	case 1:
		cut_short(w, to, from, b, len);
		break;
	case 2:
		crafted(w, to, from,
			(struct coop_frame){ .type = COOP_VECTOR,
					     .group = 8,
					     .vector = { 0, 0xffff, { 9, 9, 9, 9 } } },
			COVER_WRONG_GROUP);
		break;
	case 3:
		in_vain(w, to, from, false, BYTES(b, len), COVER_WRONG_WAY);
		break;
	case 4:
		crafted(w, to, from,
			(struct coop_frame){ .type = COOP_HANDOVER,
					     .handover = { k->c.lead.term + (p->id == k->c.lead.id),
							   k->conf.id } },
			COVER_WRONG_HANDOVER);
		break;
	case 5:
		crafted(w, to, from,
			(struct coop_frame){ .type = COOP_SID_GIVE,
					     .give = { k->c.sids.epoch, k->c.boot,
						       k->c.sids.serial + 2, 1, 5 } },
			COVER_WRONG_GIFT);
		break;
	case 6:
		wrong_open(w, to, from, p);
		break;
	default:
		in_vain(w, to, from, true, BYTES(b, len), COVER_REPLAYED);
		break;
	}
}

void evil(struct world *w)
{
	size_t n = w->n_old ? rng_range(&w->rng, 0, w->n_old - 1) : 0;
	size_t to = w->old[n].to, from = w->old[n].from;

	if (w->old[n].len > 0 && runs(w, to) && w->old[n].to_life == w->ks[to].life &&
	    w->old[n].from_life == w->ks[from].life && peer_index(w, to, from) != COOP_PEERS)
		one_message(w, to, from, w->old[n].b, w->old[n].len);
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 200, 4000),
				 .kind = T_EVIL });
}
