// A member: what it can open, what it sends under, whom it asks for keys.
#include <string.h>

#include "tests/sim/coop_world.h"

#define REG_TIMEOUT 2500

// Keys end, a staged generation becomes the one to send under.
void gm_settle(struct world *w, size_t g)
{
	struct sim_gm *m = &w->gm[g];
	size_t kept = 0;

	m->open = 0;
	for (size_t i = 0; i < m->n_gen; i++) {
		if (m->gen[i].dies <= w->now)
			continue;
		m->open |= UINT64_C(1) << m->gen[i].slot;
		m->gen[kept++] = m->gen[i];
	}
	m->n_gen = kept;
	if (m->next != 0xff && m->next_at <= w->now) {
		m->tx = m->next;
		m->next = 0xff;
	}
	if (m->tx == 0xff || !(m->open & UINT64_C(1) << m->tx)) {
		m->tx = 0xff;
		m->registered = false;
	}
}

static int64_t life_left(const struct world *w, const struct sim_gm *m)
{
	int64_t best = 0;

	for (size_t i = 0; i < m->n_gen; i++) {
		if (m->gen[i].slot == m->tx || m->gen[i].slot == m->next)
			best = MAX_OF(best, m->gen[i].dies - w->now);
	}
	return best;
}

static bool wants(const struct world *w, const struct sim_gm *m)
{
	return !m->registered || life_left(w, m) < REREGISTER;
}

// Nothing has happened for long that could keep this key server from answering.
static bool sure_of(const struct world *w, size_t g, size_t ks)
{
	const struct coop_sids *s = &w->ks[ks].c.sids;

	return calm(w) && w->now - w->minted > 20000 && reach_gk(w, g, ks) &&
	       keys_can_register(w, ks, g) && s->limit - s->next + s->lent_n >= w->n_gm;
}

// One time-out for each key server that does not answer, in the order of its list.
static void no_answer(struct world *w, size_t g)
{
	struct sim_gm *m = &w->gm[g];
	size_t ks = m->list[m->asking];

	if (m->sure && sure_of(w, g, ks))
		violated(w, COOP_INV_I22, "gm%zu is not answered by ks%zu, which could", g, ks);
	m->busy = false;
	m->asking = (uint8_t)((m->asking + 1) % w->n_ks);
	if (m->asking == 0)
		m->wanting = m->wanting ? m->wanting : w->now;
}

void gm_timer(struct world *w, size_t g)
{
	struct sim_gm *m = &w->gm[g];
	int64_t again = (int64_t)rng_range(&w->rng, 700, 1500);

	gm_settle(w, g);
	if (m->busy)
		no_answer(w, g);
	if (wants(w, m)) {
		while (!w->ks[m->list[m->asking]].exists)
			m->asking = (uint8_t)((m->asking + 1) % w->n_ks);
		m->busy = true;
		m->sure = sure_of(w, g, m->list[m->asking]);
		m->life++;
		later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 1, w->delay),
					 .kind = T_REG,
					 .from = (uint8_t)g,
					 .to = m->list[m->asking],
					 .life = m->life });
		again = REG_TIMEOUT;
	}
	later(w, (struct thing){ .at = w->now + again, .kind = T_GM_TIMER, .to = (uint8_t)g });
}

static void gens_take(struct sim_gm *m, const struct sim_push *p)
{
	for (size_t i = 0; i < p->n; i++) {
		size_t k = 0;

		while (k < m->n_gen && m->gen[k].slot != p->gen[i].slot)
			k++;
		if (k == MAX_LIVE)
			continue;
		if (k == m->n_gen)
			m->gen[m->n_gen++].dies = p->gen[i].dies;
		m->gen[k].slot = p->gen[i].slot;
		m->gen[k].dies = MIN_OF(m->gen[k].dies, p->gen[i].dies);
	}
}

static void kek_take(struct sim_gm *m, uint64_t id, uint64_t seq)
{
	for (size_t i = 0; i < m->n_kek; i++) {
		if (m->kek[i].id == id)
			return;
	}
	if (m->n_kek == N_ELEMS(m->kek))
		memmove(&m->kek[0], &m->kek[1], --m->n_kek * sizeof(m->kek[0]));
	m->kek[m->n_kek].id = id;
	m->kek[m->n_kek++].seq = seq;
}

static bool same_epoch(const struct world *w, const struct sim_gm *m, uint8_t slot)
{
	return slot != 0xff && COOP_VER_EPOCH(w->gen[slot].ver) == m->epoch;
}

void gm_push(struct world *w, size_t g, size_t from, const struct sim_push *p)
{
	struct sim_gm *m = &w->gm[g];
	size_t k = 0;

	if (!reach_gk(w, g, from))
		return;
	gm_settle(w, g);
	while (k < m->n_kek && m->kek[k].id != p->kek)
		k++;
	if (!m->registered || k == m->n_kek)
		return;
	if (p->seq < m->kek[k].seq)
		return; // old
	if (p->seq > m->kek[k].seq) {
		m->kek[k].seq = p->seq;
		gens_take(m, p);
		kek_take(m, p->new_kek, 0);
		if (p->next != 0xff && p->next != m->tx && same_epoch(w, m, p->next)) {
			m->next_at = m->next == p->next ? MIN_OF(m->next_at, w->now + p->atd)
							: w->now + p->atd;
			m->next = p->next;
		} else if (p->next == 0xff && p->tx != m->tx && same_epoch(w, m, p->tx)) {
			m->tx = p->tx;
			m->next = 0xff;
		}
		gm_settle(w, g);
	}
	if (chance(w, w->loss / 3))
		return;
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 1, w->delay),
				 .kind = T_ACK,
				 .from = (uint8_t)g,
				 .to = (uint8_t)from,
				 .life = w->ks[from].life,
				 .len = p->round });
}

void gm_reply(struct world *w, size_t g, const struct sim_push *p, size_t from)
{
	struct sim_gm *m = &w->gm[g];

	if (!reach_gk(w, g, from))
		return;
	m->busy = false;
	m->asking = 0;
	m->registered = true;
	m->registered_at = w->now;
	m->wanting = 0;
	m->reg = ++w->regs;
	m->sid = p->sid;
	m->epoch = p->epoch;
	gens_take(m, p);
	kek_take(m, p->kek, p->seq);
	m->tx = p->tx;
	m->next = same_epoch(w, m, p->next) ? p->next : 0xff;
	m->next_at = w->now + p->atd;
	tell(w, "gm%zu registered at ks%zu: sid %u, sends %u, next %u in %lld", g, from, p->sid,
	     p->tx, p->next, (long long)p->atd);
	gm_settle(w, g);
}
