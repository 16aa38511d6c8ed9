// A key server: the real core, a disk of which any prefix may be what is left, and the rules of
// ks/ in short: when generations and KEKs are made, how a rekey goes out, who is registered.
#include <string.h>

#include "tests/sim/coop_world.h"

mono_t ks_clock(const struct world *w, const struct sim_ks *k)
{
	return (mono_t){ k->clock_off + w->now + w->now * k->ppm / 1000000 };
}

static int64_t left_of(const struct world *w, const struct sim_ks *k, mono_t t)
{
	return mono_is_never(t) ? INT64_MAX : t.ms - ks_clock(w, k).ms;
}

// ---- disk ----

static void store_copy(struct coop_store *to, const struct coop_store *from)
{
	const struct coop_item *i = NULL;
	struct coop_item *there;

	coop_store_init(to);
	while ((i = coop_store_next(from, i)) != NULL)
		(void)coop_store_join(to, i, &there);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	if (to->used)
		coop_store_fini(&to->store);
	*to = *from;
	if (from->used)
		store_copy(&to->store, &from->store);
}

static void write_fini(struct disk_write *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->item[i].body);
	free(d->item);
	*d = (struct disk_write){ 0 };
}

static void disk_put(struct coop_store *s, const struct coop_item *i)
{
	struct coop_item *there = coop_store_find(s, i->kind, BYTES(i->key, i->key_len));

	if (there)
		coop_store_drop(s, there);
	if (i->dies.ms != INT64_MIN)
		(void)coop_store_join(s, i, &there);
}

static void send_held(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	size_t kept = 0;

	for (size_t h = 0; h < k->n_held; h++) {
		if (k->held[h].no > k->c.durable_no) {
			k->held[kept++] = k->held[h];
			continue;
		}
		net_send(w, i, k->held[h].to, false, k->held[h].b, k->held[h].len);
		free(k->held[h].b);
	}
	k->n_held = kept;
}

void ks_disk(struct world *w, size_t i, uint64_t no)
{
	struct sim_ks *k = &w->ks[i];
	size_t n = 0;

	for (; n < k->n_writes && k->write[n].no <= no; n++) {
		struct disk_write *d = &k->write[n];

		if (!k->disk.used)
			coop_store_init(&k->disk.store);
		k->disk.used = true;
		k->disk.meta = d->meta;
		k->disk.stamp = k->disk.meta_at = w->now;
		k->disk.clock = ks_clock(w, k).ms;
		for (size_t j = 0; j < d->n; j++)
			disk_put(&k->disk.store, &d->item[j]);
		write_fini(d);
	}
	memmove(k->write, k->write + n, (k->n_writes - n) * sizeof(k->write[0]));
	k->n_writes -= n;
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_DURABLE, .no = no });
	send_held(w, i);
}

static void row_add(struct disk_write *d, const struct coop_item *i)
{
	struct coop_item *r;

	d->item = reallocarray(d->item, d->n + 1, sizeof(*d->item));
	BUG_ON(!d->item);
	r = &d->item[d->n++];
	*r = *i;
	r->body = NULL;
	if (i->len > 0) {
		r->body = malloc(i->len);
		BUG_ON(!r->body);
		memcpy(r->body, i->body, i->len);
	}
}

static void write_begin(struct world *w, size_t i, const struct coop_out *out)
{
	struct sim_ks *k = &w->ks[i];
	struct disk_write d = { .no = k->c.write_no, .meta = out->meta };

	BUG_ON(k->n_writes == N_ELEMS(k->write));
	for (size_t a = 0; a < out->n; a++) {
		const struct coop_act *act = &out->act[a];
		struct coop_item gone = { .kind = act->item_kind,
					  .key_len = act->key_len,
					  .dies = { INT64_MIN } };

		if (act->kind == COOP_ACT_SAVE)
			row_add(&d, act->item);
		if (act->kind == COOP_ACT_ERASE) {
			memcpy(gone.key, act->key, act->key_len);
			row_add(&d, &gone);
		}
	}
	k->write[k->n_writes++] = d;
	k->disk_free = MAX_OF(k->disk_free, w->now) + (int64_t)rng_range(&w->rng, 1, 30);
	later(w, (struct thing){ .at = k->disk_free,
				 .kind = T_DISK,
				 .to = (uint8_t)i,
				 .life = k->life,
				 .len = d.no });
}

// ---- keys ----

static size_t slot_of(struct world *w, uint64_t id, uint64_t ver)
{
	for (size_t i = 0; i < w->n_gens; i++) {
		if (w->gen[i].id == id)
			return i;
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

static uint8_t slot_in(const struct world *w, const struct coop_item *gen)
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

	*r = (struct sim_round){ .live = true, .id = ++w->rounds };
	while ((it = coop_store_next(&k->c.store, it)) != NULL && r->n_kek < N_ELEMS(r->kek)) {
		if (it->kind == COOP_K_KEK && left_of(w, k, it->dies) > 0)
			memcpy(&r->kek[r->n_kek++], it->key, 8);
	}
	for (size_t n = 0; n < r->n_kek; n++) {
		uint8_t body[COOP_SEQ_BODY];
		uint32_t seq = coop_seq_next(&k->c, ks_clock(w, k),
					     find(k, COOP_K_SEQ, BYTES_OF(r->kek[n])), body);

		check_seq(w, i, r->kek[n], seq, r->id);
		r->seq[n] = seq;
		put(w, i,
		    (struct coop_put){ .kind = COOP_K_SEQ,
				       .key = BYTES_OF(r->kek[n]),
				       .ver = seq,
				       .body = BYTES_OF(body),
				       .dies = mono_add_ms(ks_clock(w, k), KEK_LIFE) });
	}
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
	memcpy(&keys.new_kek, newest(w, k, COOP_K_KEK, false)->key, 8);

	while ((it = coop_store_next(&k->c.store, it)) != NULL) {
		if (it->kind != COOP_K_MEMBER || gone(k, it) || r->acked & 1u << it->key[0])
			continue;
		all = false;
		push_to(w, i, it->key[0], &keys);
	}
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

void ks_ack(struct world *w, size_t i, size_t gm, uint64_t round)
{
	struct sim_round *r = &w->ks[i].round;

	if (w->ks[i].up && r->live && r->id == round)
		r->acked |= 1u << gm;
}

// ---- registration ----

static void reply(struct world *w, size_t i, const struct pending_reg *r)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *kek = newest(w, k, COOP_K_KEK, false);
	const struct coop_item *seq;
	struct sim_push *p = calloc(1, sizeof(*p));

	BUG_ON(!p);
	keys_into(w, k, p);
	if (p->epoch != r->epoch || p->tx == 0xff ||
	    COOP_VER_EPOCH(w->gen[p->tx].ver) != r->epoch) {
		free(p); // its sender id is for keys that are not in use (any more, or again)
		return;
	}
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
static void replies(struct world *w, size_t i)
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

void ks_register(struct world *w, size_t i, size_t gm, uint64_t life)
{
	struct sim_ks *k = &w->ks[i];
	uint8_t key = (uint8_t)gm;
	const struct coop_item *ban = find(k, COOP_K_BAN, BYTES_OF(key));
	const struct coop_item *gen = newest(w, k, COOP_K_GEN, true);
	struct pending_reg r = { .gm = (uint8_t)gm, .life = life, .epoch = coop_epoch(&k->c) };

	if (!coop_may_register(&k->c) || (ban && ban->flags & COOP_BANNED) || !gen ||
	    !newest(w, k, COOP_K_KEK, false) || k->n_regs == MAX_GM)
		return;
	// Ids of this epoch must not be used under keys of another.
	if (COOP_VER_EPOCH(gen->ver) != coop_epoch(&k->c) || !coop_sid_take(&k->c, 1, &r.sid))
		return;
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_MEMBER,
			       .key = BYTES_OF(key),
			       .body = BYTES_OF(gen->ver),
			       .dies = MONO_NEVER });
	r.count = k->c.count;
	k->reg[k->n_regs++] = r;
	replies(w, i);
}

void ks_exclude(struct world *w, size_t i, size_t gm)
{
	struct sim_ks *k = &w->ks[i];
	uint8_t key = (uint8_t)gm;

	tell(w, "ks%zu: gm%zu is excluded", i, gm);
	w->gm[gm].excluded = true;
	put(w, i,
	    (struct coop_put){ .kind = COOP_K_BAN,
			       .key = BYTES_OF(key),
			       .flags = COOP_BANNED,
			       .dies = MONO_NEVER });
	k->shut_out = true;
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

static void lead(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	const struct coop_item *gen = newest(w, k, COOP_K_GEN, false);

	if (!k->primary || !coop_may_mint(&k->c))
		return;
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

// ---- the core ----

static void role(struct world *w, size_t i, const struct coop_act *a)
{
	struct sim_ks *k = &w->ks[i];
	bool was = k->primary;

	k->primary = a->role == COOP_PRIMARY;
	k->round.live = false;
	tell(w, "ks%zu %s term %llu%s", i, k->primary ? "leads" : "follows",
	     (unsigned long long)a->no, a->fresh ? " afresh" : "");
	if (k->primary) {
		k->keys_changed = true;
		k->next_round = w->now;
		k->want_epoch |= a->fresh;
		// A member that somebody excluded while nobody led, or elsewhere.
	}
	if (was != k->primary)
		w->role_changed = w->now;
	check_role(w, i, a->no);
}

static void applied(struct world *w, size_t i, const struct coop_item *it)
{
	struct sim_ks *k = &w->ks[i];

	switch (it->kind) {
	case COOP_K_GEN:
		if (!(k->known & UINT64_C(1) << slot_in(w, it))) {
			if (k->primary)
				hold_back(w, i);
			k->known |= UINT64_C(1) << slot_in(w, it);
			k->keys_changed = true;
		}
		break;
	case COOP_K_KEK:
	case COOP_K_MEMBER:
		k->keys_changed = true;
		break;
	case COOP_K_BAN:
		k->shut_out = true;
		break;
	}
}

static void perform(struct world *w, size_t i, const struct coop_act *a, const struct coop_out *out)
{
	struct sim_ks *k = &w->ks[i];
	size_t to = MAX_KS;

	switch (a->kind) {
	case COOP_ACT_SEND:
		for (size_t j = 0; j < w->n_ks; j++) {
			if (addr_eq(&w->ks[j].conf.addr, &k->conf.peer[a->peer]))
				to = j;
		}
		BUG_ON(to == MAX_KS);
		if (a->datagram || a->no <= k->c.durable_no) {
			net_send(w, i, to, a->datagram, out->octets + a->at, a->len);
			break;
		}
		BUG_ON(k->n_held == N_ELEMS(k->held));
		k->held[k->n_held] = (struct held){ a->no, (uint8_t)to, a->len, malloc(a->len) };
		BUG_ON(!k->held[k->n_held].b);
		memcpy(k->held[k->n_held++].b, out->octets + a->at, a->len);
		break;
	case COOP_ACT_META:
		write_begin(w, i, out);
		break;
	case COOP_ACT_APPLY:
		tell(w, "ks%zu learns kind %u key %02x ver %llx", i, a->item->kind, a->item->key[0],
		     (unsigned long long)a->item->ver);
		break;
	case COOP_ACT_ROLE:
		role(w, i, a);
		break;
	case COOP_ACT_COMMITTED:
		k->committed = MAX_OF(k->committed, a->no);
		break;
	case COOP_ACT_REINIT:
		k->want_epoch |= w->now - k->epoch_at > 20000;
		break;
	case COOP_ACT_LOG:
		tell(w, "ks%zu %s peer %zu: %s", i, event_mnemonic(a->event), a->peer, a->text);
		break;
	case COOP_ACT_SAVE:
	case COOP_ACT_ERASE:
	case COOP_ACT_CLOSE:
		break;
	}
}

static void schedule(struct world *w, size_t i, mono_t wake)
{
	struct sim_ks *k = &w->ks[i];
	int64_t at = w->now + MAX_OF(wake.ms - ks_clock(w, k).ms, 1);

	if (k->round.live && k->round.sent)
		at = MIN_OF(at, MAX_OF(k->round.next, w->now + 1));
	if (k->wake_at > w->now && k->wake_at <= at)
		return;
	k->wake_at = at;
	later(w, (struct thing){ .at = at, .kind = T_WAKE, .to = (uint8_t)i, .life = k->life });
}

// A step may lead to puts, which are steps again: what it said is taken out of its hands first.
void ks_event(struct world *w, size_t i, const struct coop_event *ev)
{
	struct sim_ks *k = &w->ks[i];
	struct coop_out out;
	uint64_t applied_keys[64];
	uint8_t applied_kind[64];
	size_t n = 0;

	w->steps++;
	coop_step(&k->c, ks_clock(w, k), ev, &k->out);
	out = k->out;
	coop_out_init(&k->out);
	for (size_t a = 0; a < out.n; a++) {
		const struct coop_act *act = &out.act[a];

		perform(w, i, act, &out);
		if (act->kind == COOP_ACT_APPLY && n < N_ELEMS(applied_kind) &&
		    act->item->key_len <= 8) {
			applied_keys[n] = 0;
			memcpy(&applied_keys[n], act->item->key, act->item->key_len);
			applied_kind[n++] = act->item->kind;
		}
	}
	check_step(w, i);
	for (size_t a = 0; a < n; a++) {
		size_t len = applied_kind[a] == COOP_K_MEMBER || applied_kind[a] == COOP_K_BAN ||
					     applied_kind[a] == COOP_K_SIDS
				     ? 1
				     : 8;
		const struct coop_item *it = find(k, applied_kind[a], BYTES(&applied_keys[a], len));

		if (it)
			applied(w, i, it);
	}
	schedule(w, i, out.wake);
	if (!k->out.act)
		k->out = out;
	else
		coop_out_fini(&out);
	k->out.n = 0;
	replies(w, i);
}

void ks_wake(struct world *w, size_t i)
{
	ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_TICK });
	lead(w, i);
}

// Times on disk go by the clock of the life that wrote them: all are moved to the new one.
static void load(struct world *w, struct sim_ks *k)
{
	struct coop_item *i = NULL;
	int64_t shift = ks_clock(w, k).ms - k->disk.clock - (w->now - k->disk.stamp);

	while ((i = coop_store_next(&k->disk.store, i)) != NULL) {
		if (!mono_is_never(i->dies))
			i->dies.ms += shift;
		i->active.ms += shift;
		coop_load(&k->c, i);
	}
	k->disk.stamp = w->now;
	k->disk.clock = ks_clock(w, k).ms;
}

void ks_start(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];
	uint64_t seed = rng_u64(&w->rng);

	k->up = true;
	k->life++;
	k->clock_off = (int64_t)rng_range(&w->rng, 1000, 1u << 30) - w->now;
	k->ppm = (int64_t)rng_range(&w->rng, 0, 1000) - 500;
	rng_seed(&k->rng, seed);
	coop_init(&k->c, &k->conf, &k->rng, ks_clock(w, k), k->disk.used ? &k->disk.meta : NULL,
		  k->disk.used ? (uint64_t)(w->now - k->disk.meta_at) : 0);
	if (k->disk.used)
		load(w, k);
	k->committed = 0;
	k->known = 0;
	k->primary = k->keys_changed = k->shut_out = k->want_epoch = false;
	k->round.live = false;
	k->chain_ver = k->pseudo = 0;
	k->wake_at = 0;
	for (const struct coop_item *it = coop_store_next(&k->c.store, NULL); it;
	     it = coop_store_next(&k->c.store, it)) {
		if (it->kind == COOP_K_GEN)
			k->known |= UINT64_C(1) << slot_in(w, it);
	}
	tell(w, "ks%zu starts%s", i, k->disk.used ? "" : " empty");
	net_links(w);
	schedule(w, i, ks_clock(w, k));
}

void ks_free(struct sim_ks *k)
{
	for (size_t n = 0; n < k->n_writes; n++)
		write_fini(&k->write[n]);
	for (size_t n = 0; n < k->n_held; n++)
		free(k->held[n].b);
	k->n_writes = k->n_held = k->n_regs = 0;
	coop_fini(&k->c);
	coop_out_fini(&k->out);
}

// What was not safe yet is lost.
void ks_kill(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	tell(w, "ks%zu is killed", i);
	if (k->primary)
		w->role_changed = w->now;
	k->up = k->primary = false;
	k->life++;
	ks_free(k);
	net_links(w);
}

void ks_configure(struct world *w, size_t i)
{
	struct sim_ks *k = &w->ks[i];

	if (k->up)
		ks_event(w, i, &(struct coop_event){ .kind = COOP_EV_CONF, .conf = &k->conf });
	net_links(w);
}
