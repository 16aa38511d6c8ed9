// The rules of ks/ in short: when generations and KEKs are made, how a rekey goes out, who is
// registered.
#include <string.h>

#include "tests/sim/coop_world.h"

int64_t left_of(const struct world *w, const struct sim_ks *k, mono_t t)
{
	return mono_is_never(t) ? INT64_MAX : t.ms - ks_clock(w, k).ms;
}

static size_t slot_of(struct world *w, uint64_t id, uint64_t ver)
{
	for (size_t i = 0; i < w->n_gens; i++) {
		if (w->gen[i].id == id) {
			cover(COVER_SAME_GENERATION);
			return i;
		}
	}
	for (size_t i = 0; i < w->n_gens; i++) {
		if (w->gen[i].ver == ver && !w->diverged)
			violated(w, COOP_INV_I4, "two generations of one number");
	}
	BUG_ON(w->n_gens == MAX_GEN);
	w->gen[w->n_gens].id = id;
	w->gen[w->n_gens].ver = ver;
	return w->n_gens++;
}

static void put(struct world *w, size_t i, struct coop_put p)
{
	w->last_put = w->now;
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_PUT, .put = &p });
}

static struct coop_item *find(const struct sim_ks *k, uint8_t kind, struct bytes key)
{
	return coop_store_find(&k->c.store, kind, key);
}

static uint64_t u64_of(const struct coop_item *i)
{
	uint64_t v;

	memcpy(&v, i->body, sizeof(v));
	return v;
}

// Newest of a kind by version, then by key. active: only those in use already.
static const struct coop_item *newest(const struct world *w, const struct sim_ks *k, uint8_t kind,
				      bool active)
{
	const struct coop_item *best = NULL, *i = NULL;

	while ((i = coop_store_next(&k->c.store, i)) != NULL) {
		if (i->kind != kind || left_of(w, k, i->dies) <= 0 ||
		    (active && left_of(w, k, i->active) > 0))
			continue;
		if (!best || i->ver > best->ver ||
		    (i->ver == best->ver && memcmp(i->key, best->key, 8) > 0))
			best = i;
	}
	return best;
}

uint8_t slot_in(const struct world *w, const struct coop_item *gen)
{
	uint64_t id;

	if (!gen)
		return 0xff;
	memcpy(&id, gen->key, sizeof(id));
	for (size_t i = 0; i < w->n_gens; i++) {
		if (w->gen[i].id == id)
			return (uint8_t)i;
	}
	return 0xff;
}

// The next generation, and a KEK if it is time: both sides of a split make the same of one secret.
static void mint(struct world *w, size_t i, bool new_epoch, bool new_kek, bool early)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *chain = find(k, COOP_K_CHAIN, BYTES(NULL, 0));
	const struct coop_item *kek = newest(w, k, COOP_K_KEK, false);
	mono_t now = ks_clock(w, k);
	bool first = !newest(w, k, COOP_K_GEN, false);
	uint64_t secret, id, kek_id, after, ver;
	size_t slot;

	if (new_epoch || !chain) {
		secret = rng_u64(&k->rng);
		ver = COOP_EPOCH_VER(coop_epoch_new(&k->c), 1);
	} else {
		secret = u64_of(chain);
		ver = chain->ver + 1;
	}
	id = mix(secret + 1);
	kek_id = mix(secret + 2);
	after = mix(secret + 3);
	if (early)
		after ^= rng_u64(&k->rng);
	slot = slot_of(w, id, ver);
	cover(COVER_GENERATIONS);
	if (new_epoch)
		cover(COVER_EPOCHS);
	w->minted = w->now;
	tell(w, "ks%zu mints generation %zu (%u/%u)%s%s", i, slot, COOP_VER_EPOCH(ver),
	     COOP_VER_N(ver), new_epoch ? " new epoch" : "", early ? " early" : "");
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_GEN,
			       .key = BYTES_OF(id),
			       .ver = ver,
			       .dies = mono_add_ms(now, TEK_LIFE),
			       .active = first ? (mono_t){ 0 } : mono_add_ms(now, ATD) });
	// The chain moves last: whoever has it has the generation too, and none is left out.
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_CHAIN,
			       .ver = ver,
			       .body = BYTES_OF(after),
			       .dies = MONO_NEVER,
			       .active = mono_add_ms(now, TEK_LIFE - MINT_BEFORE) });
	if (new_kek || !kek || left_of(w, k, kek->dies) < KEK_BEFORE)
		put(w, i,
		    (struct coop_put){ .kind = COOP_K_KEK,
				       .key = BYTES_OF(kek_id),
				       .ver = ver,
				       .dies = mono_add_ms(now, KEK_LIFE) });
	k->known |= UINT64_C(1) << slot;
	k->keys_changed = true;
	k->round.live = false;
	k->next_round = w->now;
	k->next_mint = w->now + 3000;
}

// Two sides that do not reach each other have chains of their own: not the same keys any more.
static void apart(struct world *w, size_t i)
{
	const struct coop_item *ours = find(&w->ks[i], COOP_K_CHAIN, BYTES(NULL, 0)), *theirs;

	for (size_t j = 0; j < w->n_ks && !whole(w); j++) {
		theirs = j != i && w->ks[j].up ? find(&w->ks[j], COOP_K_CHAIN, BYTES(NULL, 0))
					       : NULL;
		if (theirs && (COOP_VER_EPOCH(theirs->ver) != COOP_VER_EPOCH(ours->ver) ||
			       (theirs->ver == ours->ver && u64_of(theirs) != u64_of(ours))))
			w->asym_open = true;
	}
}

// Generations that came from elsewhere are held back until our members have them.
static void hold_back(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *gen = newest(w, k, COOP_K_GEN, false);
	mono_t active = mono_add_ms(ks_clock(w, k), ATD);
	uint8_t slot = slot_in(w, gen);

	if (slot == 0xff || k->known & UINT64_C(1) << slot)
		return;
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_GEN,
			       .key = BYTES(gen->key, gen->key_len),
			       .ver = gen->ver,
			       .dies = gen->dies,
			       .active = active });
	k->not_before[slot] = w->now + ATD;
	cover(COVER_HELD_BACK);
	tell(w, "ks%zu takes generation %u over", i, slot);
}

// ---- rekeys ----

static void keys_into(const struct world *w, const struct sim_ks *k, struct sim_push *p)
{
	const struct coop_item *i = NULL, *now = newest(w, k, COOP_K_GEN, true),
			       *next = newest(w, k, COOP_K_GEN, false);

	p->n = 0;
	while ((i = coop_store_next(&k->c.store, i)) != NULL && p->n < MAX_LIVE) {
		if (i->kind != COOP_K_GEN || left_of(w, k, i->dies) <= 0)
			continue;
		p->gen[p->n].slot = slot_in(w, i);
		p->gen[p->n++].dies = w->now + left_of(w, k, i->dies);
	}
	p->tx = slot_in(w, now);
	p->next = next != now ? slot_in(w, next) : 0xff;
	p->atd = next ? MAX_OF(left_of(w, k, next->active), 0) : 0;
	p->epoch = coop_epoch(&k->c);
}

static void round_begin(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *it = NULL;
	struct sim_round *r = &k->round;

	*r = (struct sim_round){ .live = true, .id = ++w->rounds, .taken = w->now };
	while ((it = coop_store_next(&k->c.store, it)) != NULL && r->n_kek < N_ELEMS(r->kek)) {
		if (it->kind == COOP_K_KEK && left_of(w, k, it->dies) > 0)
			memcpy(&r->kek[r->n_kek++], it->key, 8);
	}
	for (size_t n = 0; n < r->n_kek; n++) {
		uint8_t body[COOP_SEQ_BODY];
		uint32_t seq = coop_seq_next(&k->c, ks_clock(w, k),
					     find(k, COOP_K_SEQ, BYTES_OF(r->kek[n])), body);

		r->seq[n] = seq;
		put(w, i,
		    (struct coop_put){ .kind = COOP_K_SEQ,
				       .key = BYTES_OF(r->kek[n]),
				       .ver = seq,
				       .body = BYTES_OF(body),
				       .dies = mono_add_ms(ks_clock(w, k), KEK_LIFE) });
	}
	cover(r->n_kek > 1 ? COVER_ROUNDS_MANY : COVER_ROUNDS);
	r->count = k->c.count;
	r->newest = slot_in(w, newest(w, k, COOP_K_GEN, false));
	k->keys_changed = false;
	k->next_round = w->now + 2000;
}

static bool gone(const struct sim_ks *k, const struct coop_item *m)
{
	const struct coop_item *ban = find(k, COOP_K_BAN, BYTES(m->key, m->key_len));

	return m->flags & COOP_MEMBER_GONE || (ban && ban->flags & COOP_BANNED);
}

static void push_to(struct world *w, size_t i, size_t gm, const struct sim_push *keys)
{
	const struct sim_ks *k = &w->ks[i];

	if (!k->primary)
		violated(w, COOP_INV_I17, "ks%zu sends a rekey", i);
	for (size_t n = 0; n < k->round.n_kek; n++) {
		struct sim_push *p;

		if (chance(w, w->loss / 3) || !reach_gk(w, gm, i))
			continue;
		p = malloc(sizeof(*p));
		BUG_ON(!p);
		*p = *keys;
		p->kek = k->round.kek[n];
		p->seq = k->round.seq[n];
		w->packets++;
		later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 1, w->delay),
					 .kind = T_PUSH,
					 .from = (uint8_t)i,
					 .to = (uint8_t)gm,
					 .push = p });
	}
}

static void round_send(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	struct sim_round *r = &k->round;
	const struct coop_item *it = NULL;
	struct sim_push keys = { .round = r->id };
	bool all = true;

	if (!newest(w, k, COOP_K_KEK, false)) {
		r->live = false; // nobody could read it
		return;
	}
	keys_into(w, k, &keys);
	told_keys(w, i, &keys);
	memcpy(&keys.new_kek, newest(w, k, COOP_K_KEK, false)->key, 8);

	while ((it = coop_store_next(&k->c.store, it)) != NULL) {
		if (it->kind != COOP_K_MEMBER || gone(k, it) || r->acked & 1u << it->key[0])
			continue;
		all = false;
		push_to(w, i, it->key[0], &keys);
	}
	for (size_t n = 0; n < r->n_kek && !r->sent; n++)
		check_seq(w, i, r->kek[n], r->seq[n], r->taken);
	r->sent = true;
	r->next = w->now + 1200;
	if (all) {
		r->live = false;
	} else if (++r->tries == 3) {
		r->live = false;
		k->keys_changed = true; // those that did not answer are tried again, anew
		k->next_round = w->now + 2000;
	}
}

void keys_ack(struct world *w, size_t i, size_t gm, uint64_t round)
{
	struct sim_round *r = &w->ks[i].round;

	if (w->ks[i].up && r->live && r->id == round)
		r->acked |= 1u << gm;
}

// ---- registration ----

static bool banned(const struct sim_ks *k, uint8_t gm)
{
	const struct coop_item *ban = find(k, COOP_K_BAN, BYTES_OF(gm));

	return ban && ban->flags & COOP_BANNED;
}

static void reply(struct world *w, size_t i, const struct pending_reg *r)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *kek = newest(w, k, COOP_K_KEK, false);
	const struct coop_item *seq;
	struct sim_push *p = calloc(1, sizeof(*p));

	BUG_ON(!p);
	keys_into(w, k, p);
	if (banned(k, r->gm) || p->epoch != r->epoch || p->tx == 0xff ||
	    COOP_VER_EPOCH(w->gen[p->tx].ver) != r->epoch) {
		// Excluded meanwhile, or its sender id is for keys that are not in use.
		free(p);
		return;
	}
	told_keys(w, i, p);
	p->sid = r->sid;
	memcpy(&p->kek, kek->key, 8);
	seq = find(k, COOP_K_SEQ, BYTES_OF(p->kek));
	p->seq = seq ? seq->ver : 0;
	later(w, (struct thing){ .at = w->now + (int64_t)rng_range(&w->rng, 1, w->delay),
				 .kind = T_REPLY,
				 .from = (uint8_t)i,
				 .to = r->gm,
				 .life = r->life,
				 .push = p });
}

// Those whose records are safe get their keys.
void keys_replies(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	size_t kept = 0;

	for (size_t n = 0; n < k->n_regs; n++) {
		if (k->reg[n].count > k->committed)
			k->reg[kept++] = k->reg[n];
		else
			reply(w, i, &k->reg[n]);
	}
	k->n_regs = kept;
}

bool keys_can_register(const struct world *w, size_t i, size_t gm)
{
	const struct sim_ks *k = &w->ks[i];
	const struct coop_item *gen = newest(w, k, COOP_K_GEN, true);

	// Ids of this epoch must not be used under keys of another.
	return coop_may_register(&k->c) && !banned(k, (uint8_t)gm) && gen &&
	       newest(w, k, COOP_K_KEK, false) && k->n_regs < MAX_GM &&
	       COOP_VER_EPOCH(gen->ver) == coop_epoch(&k->c);
}

void keys_register(struct world *w, size_t i, size_t gm, uint64_t life)
{
	struct sim_ks *k = &w->ks[i];
	uint8_t key = (uint8_t)gm;
	const struct coop_item *gen = newest(w, k, COOP_K_GEN, true);
	struct pending_reg r = { .gm = (uint8_t)gm, .life = life, .epoch = coop_epoch(&k->c) };

	if (!keys_can_register(w, i, gm) || !coop_sid_take(&k->c, 1, &r.sid))
		return;
	if (r.sid >> (SID_BITS - 4) != k->conf.id)
		cover(COVER_BORROWED);
	cover(COVER_REGISTERED);
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_MEMBER,
			       .key = BYTES_OF(key),
			       .body = BYTES_OF(gen->ver),
			       .dies = MONO_NEVER });
	r.count = k->c.count;
	k->reg[k->n_regs++] = r;
	keys_replies(w, i);
}

// Of two words of one version, spoken on two sides of a split, the one that excludes counts.
void keys_ban(struct world *w, size_t i, size_t gm, bool banned)
{
	struct sim_ks *k = &w->ks[i];
	struct sim_gm *m = &w->gm[gm];
	uint8_t key = (uint8_t)gm;
	const struct coop_item *ban;

	tell(w, "ks%zu: gm%zu is %s", i, gm, banned ? "excluded" : "readmitted");
	cover(banned ? COVER_EXCLUDED : COVER_READMITTED);
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_BAN,
			       .key = BYTES_OF(key),
			       .flags = banned ? COOP_BANNED : 0,
			       .dies = MONO_NEVER });
	k->shut_out |= banned;
	ban = find(k, COOP_K_BAN, BYTES_OF(key));
	if (ban->ver > m->ban_ver || (ban->ver == m->ban_ver && banned))
		m->excluded = banned;
	m->ban_ver = MAX_OF(m->ban_ver, ban->ver);
	if (!m->excluded)
		m->excused = w->now + 60000; // it has to find out for itself
}

static void ban_counts(struct sim_gm *m, const struct coop_store *s, uint8_t key)
{
	const struct coop_item *ban = coop_store_find(s, COOP_K_BAN, BYTES_OF(key));

	if (!ban || ban->ver < m->ban_ver)
		return;
	m->excluded = (ban->ver == m->ban_ver && m->excluded) || ban->flags & COOP_BANNED;
	m->ban_ver = ban->ver;
}

// A word that nobody holds any more was lost with a disk, or before it was on one.
void keys_recount_bans(struct world *w)
{
	for (size_t g = 0; g < w->n_gm; g++) {
		struct sim_gm *m = &w->gm[g];

		if (m->ban_ver == 0)
			continue;
		m->ban_ver = 0;
		if (m->excluded)
			m->excused = w->now + 60000; // if it is not any more
		m->excluded = false;
		for (size_t i = 0; i < w->n_ks; i++) {
			if (w->ks[i].disk.used && w->ks[i].exists)
				ban_counts(m, &w->ks[i].disk.store, (uint8_t)g);
			if (w->ks[i].up)
				ban_counts(m, &w->ks[i].c.store, (uint8_t)g);
		}
	}
}

void keys_unknown(struct world *w, size_t i)
{
	uint64_t body = w->now;

	cover(COVER_UNKNOWN_ITEM);
	put(w, i,
	    (struct coop_put){ .kind = 200,
			       .key = BYTES_OF(w->ks[i].conf.id),
			       .body = BYTES_OF(body),
			       .dies = MONO_NEVER });
}

// ---- what a primary has to do ----

// The chain says when its next is due. When it is ahead of the generations that we know, one is
// still on its way to us: for a while we wait for it.
static bool due(const struct world *w, const struct sim_ks *k, const struct coop_item *gen)
{
	int64_t left = left_of(w, k, gen->dies);

	return left < MINT_BEFORE &&
	       (left < MINT_BEFORE - 6000 ||
		left_of(w, k, find(k, COOP_K_CHAIN, BYTES(NULL, 0))->active) <= 0);
}

void keys_lead(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *gen;

	if (!k->primary || !coop_may_mint(&k->c))
		return;
	gen = newest(w, k, COOP_K_GEN, false);
	if (w->now >= k->next_mint) {
		if (k->want_epoch || !gen || !newest(w, k, COOP_K_KEK, false)) {
			w->asym_open |= w->n_gens > 0 && !whole(w);
			k->epoch_at = w->now;
			mint(w, i, true, true, true);
		} else if (k->shut_out) {
			w->asym_open |= !whole(w);
			mint(w, i, false, true, true);
		} else if (due(w, k, gen)) {
			mint(w, i, false, false, false);
		} else {
			goto none;
		}
		apart(w, i);
		w->diverged |= w->asym_open;
		k->want_epoch = k->shut_out = false;
	}
none:
	if (k->keys_changed && !k->round.live && w->now >= k->next_round)
		round_begin(w, i);
	if (k->round.live && k->round.count <= k->committed &&
	    (!k->round.sent || w->now >= k->round.next))
		round_send(w, i);
}

static bool bans(const struct sim_ks *k)
{
	const struct coop_item *i = NULL;

	while ((i = coop_store_next(&k->c.store, i)) != NULL) {
		if (i->kind == COOP_K_BAN && i->flags & COOP_BANNED)
			return true;
	}
	return false;
}

void keys_learnt(struct world *w, size_t i, const struct coop_item *it)
{
	struct sim_ks *k = &w->ks[i];

	switch (it->kind) {
	case COOP_K_GEN:
		if (!(k->known & UINT64_C(1) << slot_in(w, it))) {
			if (k->primary) {
				hold_back(w, i);
				k->shut_out |= bans(k); // of which its makers may not have known
			}
			k->known |= UINT64_C(1) << slot_in(w, it);
			k->keys_changed = true;
		}
		break;
	case COOP_K_KEK:
	case COOP_K_MEMBER:
		k->keys_changed = true;
		break;
	case COOP_K_BAN:
		k->shut_out |= it->flags & COOP_BANNED;
		break;
	}
}
