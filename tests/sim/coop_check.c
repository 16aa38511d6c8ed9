#include <string.h>

#include "tests/sim/coop_world.h"

#define CALM_MS	     16000	// after the last change
#define GRACE_MS     14000	// of a member that nobody reached
#define ALONE_MS     5000	// without a primary it can be told nothing
#define LED_MS	     5000	// with one it can
#define SEQ_APART_MS 4000	// what comes this much later has a higher number, whoever sends it
#define SEQ_LEAP     (1u << 23) // higher ones are ahead of the time: their sender could not know it
#define POLICY_MS    5000	// until all have heard of a changed configuration
#define TIME_OFF_MS  3000

bool calm(const struct world *w)
{
	return w->now - w->changed > CALM_MS && (w->peace || (w->loss == 0 && w->rough == 0));
}

// ---- as it happens ----

static bool most_have(const struct world *w, uint8_t policy)
{
	size_t n = 0, all = 0;

	for (size_t i = 0; i < w->n_ks; i++) {
		all += w->ks[i].exists;
		n += w->ks[i].exists && w->ks[i].conf.digest[0] == policy;
	}
	return 2 * n > all;
}

static bool better(const struct coop_peer *p, const struct sim_ks *k)
{
	return p->priority != k->conf.priority ? p->priority > k->conf.priority
					       : addr_cmp(&p->addr, &k->conf.addr) > 0;
}

// By vote, as it sees the others: none that may lead is better, and all have chosen it.
void check_elected(struct world *w, size_t i)
{
	const struct sim_ks *k = &w->ks[i];

	for (size_t n = 0; n < k->c.conf.n_peers; n++) {
		const struct coop_peer *p = &k->c.peer[n];

		if (p->alive && p->flags & COOP_F_ELIGIBLE && better(p, k))
			violated(w, COOP_INV_I20, "ks%zu is elected, peer %zu is better", i, n);
		if (p->alive && p->choice != k->conf.id)
			violated(w, COOP_INV_I1, "ks%zu claims against the vote of peer %zu", i, n);
	}
	if (k->conf.maintenance)
		violated(w, COOP_INV_I13, "ks%zu is elected in maintenance", i);
}

// Of those that were elected. Who was told to take the role over has not asked.
static void alone_under_majority(struct world *w, size_t i)
{
	const struct sim_ks *k = &w->ks[i];

	for (size_t j = 0; j < w->n_ks; j++) {
		const struct sim_ks *other = &w->ks[j];

		if (j == i || !other->primary || !runs(w, j) || k->conf.split != COOP_MAJORITY ||
		    w->now - w->reconfigured < CALM_MS)
			continue;
		if (k->elected && other->elected)
			violated(w, COOP_INV_I1, "ks%zu and ks%zu lead at once, under majority", j,
				 i);
	}
}

void check_role(struct world *w, size_t i, uint64_t term)
{
	const struct sim_ks *k = &w->ks[i];

	if (!k->primary)
		return;
	alone_under_majority(w, i);
	for (size_t n = 0; n < w->n_terms; n++) {
		if (w->terms[n].term == term)
			violated(w, COOP_INV_I1, "term %llu of ks%u is claimed by ks%zu",
				 (unsigned long long)term, w->terms[n].ks, i);
	}
	if (w->n_terms < N_ELEMS(w->terms)) {
		w->terms[w->n_terms].term = term;
		w->terms[w->n_terms++].ks = (uint8_t)i;
	}
	if (w->now - w->policy_at > POLICY_MS && k->differed && !k->forced &&
	    !most_have(w, k->conf.digest[0]))
		violated(w, COOP_INV_I13, "ks%zu leads with another configuration", i);
}

void check_step(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *chain = coop_store_find(&k->c.store, COOP_K_CHAIN, BYTES(NULL, 0));
	const struct coop_item *conf = coop_store_find(&k->c.store, COOP_K_CONF, BYTES(NULL, 0));
	uint64_t pseudo = coop_pseudotime(&k->c, ks_clock(w, k));
	int64_t passed = ks_clock(w, k).ms - k->pseudo_at;

	k->differed = conf && conf->body[0] != k->conf.digest[0];
	if (chain && chain->ver < k->chain_ver)
		violated(w, COOP_INV_I8, "ks%zu goes back to generation %u", i,
			 COOP_VER_N(chain->ver));
	if (chain)
		k->chain_ver = chain->ver;
	if (k->c.role != COOP_STARTING && pseudo < k->pseudo)
		violated(w, COOP_INV_I11, "pseudotime of ks%zu goes back", i);
	if (k->pseudo != 0 && !w->time_off && (int64_t)(pseudo - k->pseudo) > passed + TIME_OFF_MS)
		violated(w, COOP_INV_I11, "pseudotime of ks%zu leaps", i);
	k->pseudo = k->c.role != COOP_STARTING ? pseudo : 0;
	k->pseudo_at = ks_clock(w, k).ms;
	if (k->c.committed == k->c.count)
		k->waiting = 0;
	else if (k->waiting == 0)
		k->waiting = ks_clock(w, k).ms;
	if (k->c.max_term > UINT64_C(1) << 39)
		violated(w, COOP_INV_I12, "ks%zu believes in term %llu", i,
			 (unsigned long long)k->c.max_term);
}

// Alone it may have begun with a wrong idea of the time. With others about it must not.
void check_started(struct world *w, size_t i)
{
	const struct sim_ks *k = &w->ks[i];
	int64_t ahead = (int64_t)coop_pseudotime(&k->c, ks_clock(w, k)) - w->now;
	bool alone = true;

	for (size_t p = 0; p < k->c.conf.n_peers; p++)
		alone &= !k->c.peer[p].alive || k->c.peer[p].role == COOP_STARTING;
	if (w->time_began && alone &&
	    (ahead > w->time_ahead + TIME_OFF_MS || ahead < w->time_ahead - TIME_OFF_MS))
		w->time_off = true;
	if (!w->time_began || ahead > w->time_ahead)
		w->time_ahead = ahead;
	w->time_began = true;
}

void check_seq(struct world *w, size_t i, uint64_t kek, uint64_t seq, int64_t taken)
{
	if (seq == 0)
		violated(w, COOP_INV_I7, "ks%zu has no sequence number left", i);
	for (size_t n = 0; n < w->n_used; n++) {
		if (w->used[n].kek == kek && w->used[n].seq == seq)
			violated(w, COOP_INV_I7, "ks%zu uses SEQ %llu again", i,
				 (unsigned long long)seq);
		if (w->used[n].kek == kek && w->used[n].at + SEQ_APART_MS < taken &&
		    w->used[n].seq > seq && w->used[n].seq < SEQ_LEAP && !w->time_off)
			violated(w, COOP_INV_I7, "ks%zu sends SEQ %llu after %llu", i,
				 (unsigned long long)seq, (unsigned long long)w->used[n].seq);
	}
	if (w->n_used == N_ELEMS(w->used))
		return;
	w->used[w->n_used].kek = kek;
	w->used[w->n_used].seq = seq;
	w->used[w->n_used++].at = w->now;
}

// ---- every second ----

// Which key servers one reaches over others, both ways.
static uint64_t component(const struct world *w, size_t i)
{
	uint64_t in = UINT64_C(1) << i, was = 0;

	while (in != was) {
		was = in;
		for (size_t a = 0; a < w->n_ks; a++) {
			for (size_t b = 0; b < w->n_ks; b++) {
				if (in & UINT64_C(1) << a && w->link[a][b] && !w->cut[a][b] &&
				    !w->cut[b][a])
					in |= UINT64_C(1) << b;
			}
		}
	}
	return in;
}

static bool knows(const struct sim_ks *k, size_t g)
{
	uint8_t key = (uint8_t)g;

	return k->up && coop_store_find(&k->c.store, COOP_K_MEMBER, BYTES_OF(key));
}

// A primary reaches it, and could have heard of it: it may have registered at a key server from
// which nobody here has heard since.
static bool led(const struct world *w, size_t g)
{
	for (size_t i = 0; i < w->n_ks; i++) {
		uint64_t in;

		if (!w->ks[i].primary || !reach_gk(w, g, i))
			continue;
		if (knows(&w->ks[i], g))
			return true;
		in = component(w, i);
		for (size_t k = 0; k < w->n_ks; k++) {
			if (in & UINT64_C(1) << k && knows(&w->ks[k], g))
				return true;
		}
	}
	return false;
}

// Out of anyone's reach for a while, and for a while after: what it misses is not held against us.
static void excuses(struct world *w)
{
	for (size_t g = 0; g < w->n_gm; g++) {
		struct sim_gm *m = &w->gm[g];

		if (!led(w, g))
			m->led_since = w->now;
		if (w->now - m->led_since >= LED_MS)
			m->alone_since = w->now;
		if (w->now - m->alone_since > ALONE_MS || !m->registered)
			m->excused = w->now + GRACE_MS;
	}
	if (!whole(w))
		w->whole_since = w->now;
	if (w->now - w->whole_since > 30000)
		w->asym_open = false;
}

static bool stands(const struct world *w, const struct sim_gm *m)
{
	return m->registered && !m->excluded && m->excused <= w->now;
}

static void nonce(struct world *w, size_t g)
{
	struct sim_gm *m = &w->gm[g];
	uint32_t *owner = &w->sid_owner[m->tx][m->sid & ((1 << SID_BITS) - 1)];

	if (*owner != 0 && *owner != m->reg)
		violated(w, COOP_INV_I9, "gm%zu sends under generation %u with sid %u of another",
			 g, m->tx, m->sid);
	*owner = m->reg;
}

// A key server that was lost, or taken out, may have been the only one to know a generation.
static bool known(const struct world *w, uint8_t slot)
{
	for (size_t i = 0; i < w->n_ks; i++) {
		if (w->ks[i].up && w->ks[i].known & UINT64_C(1) << slot)
			return true;
	}
	return false;
}

static void traffic(struct world *w)
{
	for (size_t a = 0; a < w->n_gm; a++) {
		struct sim_gm *from = &w->gm[a];

		if (!from->registered)
			continue;
		nonce(w, a);
		if (!stands(w, from) || w->asym_open)
			continue;
		for (size_t b = 0; b < w->n_gm; b++) {
			const struct sim_gm *to = &w->gm[b];

			if (a == b || !stands(w, to) || !reach_gg(w, a, b) ||
			    to->open & UINT64_C(1) << from->tx || !known(w, from->tx))
				continue;
			violated(w,
				 w->now - from->registered_at < 3000  ? COOP_INV_I2
				 : w->now - w->role_changed < 2 * ATD ? COOP_INV_I3
								      : COOP_INV_I5,
				 "gm%zu sends under generation %u, gm%zu cannot open it", a,
				 from->tx, b);
			return;
		}
	}
}

static bool could_lead(const struct world *w, size_t i, uint64_t in)
{
	const struct sim_ks *k = &w->ks[i];

	if (!coop_may_register(&k->c) && coop_epoch(&k->c) != 0)
		return false; // starting, or maintained
	if (k->c.drift && !k->c.force)
		return false;
	// Neighbours and itself: a majority that is reached over others only does not vote.
	return k->conf.split == COOP_CONTINUE ||
	       (size_t)2 * (size_t)__builtin_popcountll(in) > k->conf.n_peers + 1;
}

static void agreement(struct world *w, uint64_t in, size_t first)
{
	uint64_t pseudo = coop_pseudotime(&w->ks[first].c, ks_clock(w, &w->ks[first]));

	for (size_t i = first + 1; i < w->n_ks; i++) {
		struct sim_ks *k = &w->ks[i];
		int64_t d;

		if (!(in & UINT64_C(1) << i))
			continue;
		d = (int64_t)(coop_pseudotime(&k->c, ks_clock(w, k)) - pseudo);
		if (d > 3000 || d < -3000)
			violated(w, COOP_INV_I11, "ks%zu and ks%zu are %lld ms apart", first, i,
				 (long long)d);
	}
}

static void leadership(struct world *w)
{
	for (size_t i = 0; i < w->n_ks; i++) {
		uint64_t in;
		int n = 0, may = 0;

		if (!w->ks[i].up)
			continue;
		in = component(w, i);
		if (in & ((UINT64_C(1) << i) - 1))
			continue; // judged already
		for (size_t k = i; k < w->n_ks; k++) {
			if (!(in & UINT64_C(1) << k))
				continue;
			n += w->ks[k].primary;
			may += could_lead(w, k, in);
		}
		// Of a hand-over the old one hears one message later.
		if (n > 1 && w->now - w->role_changed > 2 * (int64_t)w->delay)
			violated(w, COOP_INV_I1, "%d primaries around ks%zu", n, i);
		if (n == 0 && may > 0 && w->now - w->changed > CALM_MS + 8000 &&
		    w->ks[i].conf.split == COOP_CONTINUE)
			violated(w, COOP_INV_I15, "nobody leads around ks%zu", i);
		agreement(w, in, i);
	}
}

static void availability(struct world *w)
{
	for (size_t g = 0; g < w->n_gm; g++) {
		struct sim_gm *m = &w->gm[g];
		bool any = false;

		for (size_t i = 0; i < w->n_ks; i++)
			any |= w->ks[i].up && coop_may_register(&w->ks[i].c) && reach_gk(w, g, i) &&
			       led(w, g);
		if (!any || m->excluded || w->now - w->changed < CALM_MS)
			m->wanting = m->wanting ? w->now : 0;
		else if (m->wanting && w->now - m->wanting > 60000)
			violated(w, COOP_INV_I18, "gm%zu asks in vain for a minute", g);
	}
}

void check_sample(struct world *w)
{
	w->samples++;
	for (size_t g = 0; g < w->n_gm; g++)
		gm_settle(w, g);
	excuses(w);
	traffic(w);
	availability(w);
	if (!calm(w))
		return;
	leadership(w);
	if (w->now > w->quiet + 25000 && w->role_changed > w->quiet + 24000)
		violated(w, COOP_INV_I20, "a role changed although nothing happens");
}

// ---- when all is whole and quiet ----

static bool same_item(const struct coop_item *a, const struct coop_item *b)
{
	return b && a->ver == b->ver && a->flags == b->flags && a->by == b->by &&
	       a->len == b->len && (a->len == 0 || memcmp(a->body, b->body, a->len) == 0);
}

static void same_items(struct world *w, size_t a, size_t b)
{
	const struct coop_store *sa = &w->ks[a].c.store, *sb = &w->ks[b].c.store;
	const struct coop_item *i = NULL, *other;

	while ((i = coop_store_next(sa, i)) != NULL) {
		other = coop_store_find(sb, i->kind, BYTES(i->key, i->key_len));
		if (!same_item(i, other) && i->dies.ms - ks_clock(w, &w->ks[a]).ms > 5000)
			violated(w, COOP_INV_I14, "ks%zu and ks%zu differ in kind %u key %02x", a,
				 b, i->kind, i->key[0]);
	}
}

// Two sides that excluded different members have made two of one version: the greater key survives,
// as for who makes and tells them. Not the one that is just being told.
static const struct coop_item *newest_kek(const struct world *w, const struct sim_ks *k)
{
	const struct coop_item *i = NULL, *best = NULL;
	int64_t fresh = ks_clock(w, k).ms + KEK_LIFE - 8000;

	while ((i = coop_store_next(&k->c.store, i)) != NULL) {
		if (i->kind != COOP_K_KEK || i->dies.ms >= fresh)
			continue;
		if (!best || i->ver > best->ver ||
		    (i->ver == best->ver && memcmp(i->key, best->key, sizeof(uint64_t)) > 0))
			best = i;
	}
	return best;
}

static bool has_kek(const struct sim_gm *m, const struct coop_item *kek)
{
	uint64_t id;

	memcpy(&id, kek->key, sizeof(id));
	for (size_t k = 0; k < m->n_kek; k++) {
		if (m->kek[k].id == id)
			return true;
	}
	return false;
}

static void members_at_end(struct world *w, const struct sim_ks *k)
{
	const struct coop_item *kek = newest_kek(w, k);

	for (size_t g = 0; g < w->n_gm; g++) {
		const struct sim_gm *m = &w->gm[g];

		if (m->excluded && m->registered && kek && has_kek(m, kek))
			violated(w, COOP_INV_I10, "gm%zu was excluded and has the KEK", g);
		if (!m->excluded && stands(w, m) && kek && !has_kek(m, kek))
			violated(w, COOP_INV_I6, "gm%zu has not got the KEK", g);
		if (!m->excluded && !m->registered)
			violated(w, COOP_INV_I18, "gm%zu is not registered", g);
	}
}

void check_end(struct world *w)
{
	size_t first = MAX_KS;

	for (size_t i = 0; i < w->n_ks; i++) {
		if (!w->ks[i].up)
			continue;
		if (first == MAX_KS)
			first = i;
		if (w->now - w->last_put > 9000) {
			same_items(w, first, i);
			same_items(w, i, first);
		}
	}
	if (w->now - w->last_put > 12000 && w->last_items - w->last_put > 10000)
		violated(w, COOP_INV_I16, "items are still sent");
	if (first != MAX_KS)
		members_at_end(w, &w->ks[first]);
}
