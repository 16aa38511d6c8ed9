// Numbers that must never be given twice: terms, sequence numbers, sender ids. Each is divided by
// id, so that two sides of a split cannot meet, and what one life has used is either known to have
// been (by peers) or jumped over.
#include "coop/coop_int.h"

#define TERM_JUMP   (1u << 20) // the first of a life leaps: one that is lost may have used the next
#define SEQ_LEAP    (1u << 24)
#define SEQ_AGE	    26 // birthdays of KEKs are rounded down to 2^26 seconds, two years
#define SID_LOW	    4  // of a reservation: a quarter left, and the next is asked for
#define SID_ASK_MAX 64

// ---- terms ----

uint64_t coop_term_next(const struct coop *c)
{
	uint64_t n = c->max_term / COOP_IDS + 1;

	if (!c->claimed)
		n += rng_range(c->rng, 0, TERM_JUMP);
	return n * COOP_IDS + c->conf.id;
}

// ---- sequence numbers ----

// They follow the time that all key servers share: where two sides of a split rekey the same
// members, each rekey is newer than those that were sent before it, whoever sent them. Modulo 16
// they name who counts, so that no two key servers ever use the same one.
static uint64_t seq_birth(const struct coop *c, mono_t now, const struct coop_item *seq)
{
	uint64_t t = 0;

	if (!seq || seq->len != COOP_SEQ_BODY) // two sides that make the same KEK count alike
		return coop_pseudotime(c, now) / 1000 >> SEQ_AGE << SEQ_AGE;
	for (size_t i = 0; i < COOP_SEQ_BODY; i++)
		t = t << 8 | seq->body[i];
	return t;
}

uint32_t coop_seq_next(const struct coop *c, mono_t now, const struct coop_item *seq,
		       uint8_t body[COOP_SEQ_BODY])
{
	uint64_t birth = seq_birth(c, now, seq), t = coop_pseudotime(c, now) / 1000;
	uint64_t n = seq ? seq->ver + 1 : 1;

	if (t > birth)
		n = MAX_OF(n, (t - birth) * COOP_IDS);
	if (!c->confirmed_once && !c->proven) // nobody could tell us the time, nor what we did
		n += rng_range(c->rng, SEQ_LEAP, 2 * SEQ_LEAP);
	n += (c->conf.id + COOP_IDS - n % COOP_IDS) % COOP_IDS;
	for (size_t i = 0; i < COOP_SEQ_BODY; i++)
		body[i] = (uint8_t)(birth >> (56 - 8 * i));
	return n > UINT32_MAX ? 0 : (uint32_t)n;
}

// ---- sender ids ----

uint32_t coop_epoch(const struct coop *c)
{
	const struct coop_item *i = coop_store_find(&c->store, COOP_K_CHAIN, BYTES(NULL, 0));

	return i ? COOP_VER_EPOCH(i->ver) : 0;
}

// Odd ones follow even ones: see range_first.
uint32_t coop_epoch_new(const struct coop *c)
{
	return coop_epoch(c) + 1 + 2 * (uint32_t)rng_range(c->rng, 0, 0x7fff);
}

bool coop_epochs_apart(uint32_t a, uint32_t b)
{
	return (a ^ b) & 1;
}

// Of our sixteenth of all ids one half is for odd epochs, the other for even ones: while members
// go over from one epoch to the next, ids of both may be in use under the same keys.
static uint32_t range_size(const struct coop *c)
{
	return (uint32_t)(UINT64_C(1) << (c->conf.sid_bits - 5));
}

static uint32_t range_first(const struct coop *c, uint32_t epoch)
{
	return (2u * c->conf.id + (epoch & 1)) * range_size(c);
}

static uint32_t reservation(const struct coop *c)
{
	return MAX_OF(range_size(c) / 4, 2u);
}

// Do we know what of our range was ever given out? Of an epoch that we made ourselves we do.
bool coop_sids_proven(const struct coop *c)
{
	return c->proven || (c->sids.own_epoch != 0 && c->sids.own_epoch == coop_epoch(c));
}

bool coop_sid_take(struct coop *c, uint32_t n, uint32_t *first)
{
	struct coop_sids *s = &c->sids;

	if (s->epoch == 0 || s->epoch != coop_epoch(c))
		return false;
	if (s->limit - s->next >= n) {
		*first = range_first(c, s->epoch) + s->next;
		s->next += n;
		return true;
	}
	if (s->lent_n >= n) {
		*first = s->lent;
		s->lent += n;
		s->lent_n -= n;
		return true;
	}
	return false;
}

static void epoch_follow(struct coop *c, mono_t now)
{
	if (c->sids.epoch == coop_epoch(c))
		return;
	c->sids = (struct coop_sids){ .epoch = coop_epoch(c),
				      .empty_since = MONO_NEVER,
				      .asked = now };
}

// What we reserved counts once a peer holds the reservation: our own disk may be put back.
static void confirm(struct coop *c)
{
	struct coop_sids *s = &c->sids;
	uint64_t witnessed = 0;

	if (s->reserved == s->limit)
		return;
	for (size_t i = 0; i < c->conf.n_peers; i++)
		witnessed = MAX_OF(witnessed, c->peer[i].acked[c->conf.id]);
	if (s->own_epoch == s->epoch || c->conf.n_peers == 0)
		witnessed = c->durable_count;
	if (witnessed >= s->reserved_count && c->durable_count >= s->reserved_count)
		s->limit = s->reserved;
}

static void reserve(struct coop *c, struct coop_out *out)
{
	struct coop_sids *s = &c->sids;
	const struct coop_item *i;
	uint32_t had;

	if (!coop_sids_proven(c) || s->reserved != s->limit ||
	    (s->limit - s->next) * SID_LOW > reservation(c))
		return;
	i = coop_store_find(&c->store, COOP_K_SIDS, BYTES_OF(c->conf.id));
	had = i && COOP_VER_EPOCH(i->ver) == s->epoch ? COOP_VER_N(i->ver) : 0;
	if (s->limit == 0) // the first of this life: what the last one left is not counted up
		s->limit = s->next = s->reserved = had;
	if (had >= range_size(c))
		return;
	s->reserved = MIN_OF(had + reservation(c), range_size(c));
	coop_put_own(c,
		     &(struct coop_put){ .kind = COOP_K_SIDS,
					 .key = BYTES_OF(c->conf.id),
					 .ver = COOP_EPOCH_VER(s->epoch, s->reserved),
					 .dies = MONO_NEVER },
		     out);
	s->reserved_count = c->count;
}

static size_t lender(const struct coop *c)
{
	size_t to = COOP_PEERS;

	for (size_t i = 0; i < c->conf.n_peers; i++) {
		const struct coop_peer *p = &c->peer[i];

		if (p->alive && p->link && (p->flags & COOP_F_PROVEN) &&
		    (to == COOP_PEERS || p->role == COOP_PRIMARY))
			to = i;
	}
	return to;
}

static void borrow(struct coop *c, mono_t now, struct coop_out *out)
{
	struct coop_sids *s = &c->sids;
	struct coop_frame f = { .type = COOP_SID_ASK, .ask = { .epoch = s->epoch } };
	size_t to = lender(c);

	if (!coop_passed(s->asked, 2 * (int64_t)c->conf.hello_ms, now))
		return;
	s->asked = now;
	if (to == COOP_PEERS) {
		if (c->role != COOP_STARTING && mono_is_never(s->empty_since))
			s->empty_since = now;
		return;
	}
	f.ask.serial = s->serial = rng_u32(c->rng) | 1;
	f.ask.n = (uint16_t)MIN_OF(reservation(c), SID_ASK_MAX);
	coop_send(c, out, to, &f);
}

void coop_sids_ask_in(struct coop *c, size_t peer, const struct coop_sid_ask *a,
		      struct coop_out *out)
{
	struct coop_sids *s = &c->sids;
	struct coop_frame f = {
		.type = COOP_SID_GIVE,
		.give = { .epoch = a->epoch, .boot = c->peer[peer].boot, .serial = a->serial }
	};
	uint32_t n = MIN_OF(a->n, s->limit - s->next);

	if (a->epoch != s->epoch || s->epoch != coop_epoch(c))
		return;
	if (n > 0) {
		f.give.first = range_first(c, s->epoch) + s->next;
		f.give.n = (uint16_t)n;
		s->next += n;
	}
	coop_send(c, out, peer, &f);
}

void coop_sids_give_in(struct coop *c, mono_t now, const struct coop_sid_give *g)
{
	struct coop_sids *s = &c->sids;

	if (g->epoch != s->epoch || g->boot != c->boot || s->serial == 0 || g->serial != s->serial)
		return;
	s->serial = 0;
	if (g->n > 0) {
		s->lent = g->first;
		s->lent_n = g->n;
		s->empty_since = MONO_NEVER;
	} else if (mono_is_never(s->empty_since)) {
		s->empty_since = now;
	}
}

static bool peers_need(const struct coop *c)
{
	for (size_t i = 0; i < c->conf.n_peers; i++) {
		if (c->peer[i].alive && (c->peer[i].flags & COOP_F_NEED_SIDS))
			return true;
	}
	return false;
}

void coop_sids_tick(struct coop *c, mono_t now, struct coop_out *out)
{
	struct coop_sids *s = &c->sids;

	if (coop_epoch(c) == 0)
		return;
	epoch_follow(c, now);
	confirm(c);
	reserve(c, out);
	if (s->limit > s->next || s->lent_n > 0) {
		s->empty_since = MONO_NEVER;
	} else if (s->reserved == s->limit || coop_passed(s->asked, coop_dead_ms(c), now)) {
		borrow(c, now, out);
	}
	if (c->role == COOP_PRIMARY && (!mono_is_never(s->empty_since) || peers_need(c)))
		coop_act(out, COOP_ACT_REINIT);
}
