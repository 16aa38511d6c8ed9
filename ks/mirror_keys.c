#include "ks/adopt.h"
#include "ks/mirror_int.h"
#include "ks/rekey.h"

// ---- generations of TEKs ----

static mono_t gen_last(const struct tek_gen *gen)
{
	mono_t t = gen->tek[0].dies;

	for (size_t i = 1; i < gen->policy->n_slot; i++) {
		if (mono_before(t, gen->tek[i].dies))
			t = gen->tek[i].dies;
	}
	return t;
}

static void put_gen(struct ks_group *g, mono_t now, const struct tek_gen *gen, struct ks_out *out)
{
	struct coop_put p = { .kind = COOP_K_GEN,
			      .key = BYTES_OF(gen->id),
			      .ver = gen->ver,
			      .dies = gen_last(gen),
			      .active = gen->active };
	struct mirror_body b;

	mirror_begin(&b);
	rep_put_policy(&b.w, gen->policy);
	for (size_t i = 0; i < gen->policy->n_slot; i++) {
		wr_u32(&b.w, gen->tek[i].spi);
		rep_put_secret(&b.w, &gen->tek[i].alg_key);
		rep_put_secret(&b.w, &gen->tek[i].integrity_key);
	}
	p.body = mirror_view(&b);
	ks_shared_put(g, now, &p, out);
	mirror_end(&b);
}

static uint32_t longest_life_s(const struct policy *p)
{
	uint32_t life_s = 0;

	for (size_t i = 0; i < p->n_slot; i++)
		life_s = MAX_OF(life_s, p->slot[i].life_s);
	return life_s;
}

static void get_teks(struct rd *r, const struct coop_item *i, struct tek_gen *gen)
{
	gen->born = mono_add_s(i->dies, -(int64_t)longest_life_s(gen->policy));
	for (size_t n = 0; n < gen->policy->n_slot && rd_ok(r); n++) {
		const struct policy_slot *slot = &gen->policy->slot[n];
		struct tek *t = &gen->tek[n];

		t->suite = slot->suite;
		t->life_s = slot->life_s;
		t->spi = rd_u32(r);
		t->dies = mono_add_s(gen->born, slot->life_s);
		rep_get_secret(r, slot->suite->alg_key_len, &t->alg_key);
		rep_get_secret(r, slot->suite->integrity_key_len, &t->integrity_key);
	}
}

static bool get_gen(const struct coop_item *i, struct tek_gen *gen, struct rd_err *err)
{
	struct rd r;

	*gen = (struct tek_gen){ .ver = i->ver, .active = i->active, .drained = MONO_NEVER };
	if (!mirror_open(i, &r, err) || i->key_len != sizeof(gen->id))
		return rd_fail(&r, "no generation");
	memcpy(gen->id, i->key, sizeof(gen->id));
	gen->policy = rep_get_policy(&r);
	if (!gen->policy)
		return false;
	gen->tek = calloc(gen->policy->n_slot, sizeof(*gen->tek));
	BUG_ON(!gen->tek);
	get_teks(&r, i, gen);
	if (rd_end(&r, 0))
		return true;
	tek_gen_fini(gen);
	return false;
}

static struct tek_gen *gen_named(struct keys *k, struct bytes id)
{
	for (size_t i = 0; i < k->n_gen; i++) {
		if (bytes_eq(BYTES_OF(k->gen[i].id), id))
			return &k->gen[i];
	}
	return NULL;
}

// The policy of generations before and after is one object, so that it is compared once.
static void share_policy(const struct keys *k, struct tek_gen *gen)
{
	for (size_t i = 0; i < k->n_gen; i++) {
		if (policy_eq(k->gen[i].policy, gen->policy)) {
			policy_put(gen->policy);
			gen->policy = policy_get(k->gen[i].policy);
			return;
		}
	}
}

static void gen_times(struct tek_gen *gen, const struct coop_item *i)
{
	if (mono_before(gen->active, i->active))
		gen->active = i->active;
	for (size_t n = 0; n < gen->policy->n_slot; n++)
		gen->tek[n].dies = mono_min(gen->tek[n].dies, i->dies);
}

// To our own members it is news, however long others have it: nobody sends under it before all
// have heard of it.
static void hold_back(struct ks_group *g, mono_t now)
{
	struct tek_gen *gen = &g->keys.gen[0];
	mono_t active = mono_add_s(now, ks_rekey_delays(g, now).atd_s);

	if (g->shared->led && mono_before(gen->active, active))
		gen->active = active;
}

void mirror_apply_gen(struct ks_group *g, mono_t now, const struct coop_item *i, struct rd_err *err)
{
	struct keys *k = &g->keys;
	struct tek_gen *there = gen_named(k, BYTES(i->key, i->key_len)), gen;

	if (there) {
		gen_times(there, i);
		return;
	}
	if (mono_due(i->dies, now) || !get_gen(i, &gen, err))
		return;
	share_policy(k, &gen);
	if (!keys_insert_gen(k, &gen)) {
		tek_gen_fini(&gen);
		return;
	}
	g->shared->keys_came |= g->shared->led;
	if (gen_named(k, BYTES(i->key, i->key_len)) == &k->gen[0])
		hold_back(g, now);
	// Also one that comes after what is newer: items have no order.
	keys_drain_old(k, mono_add_s(k->gen[0].active, ks_rekey_delays(g, now).dtd_s));
}

void ks_mirror_gens(struct ks_group *g, mono_t now, struct ks_out *out)
{
	for (size_t i = g->keys.n_gen; i-- > 0;)
		put_gen(g, now, &g->keys.gen[i], out);
}

// ---- KEKs ----

// In flags. Flags win: who has told members that it is over wins over who goes on with it.
#define KEK_CLOSED 1

void mirror_put_kek(struct ks_group *g, mono_t now, const struct kek *k, struct ks_out *out)
{
	struct coop_put p = {
		.kind = COOP_K_KEK, .key = BYTES_OF(k->spi), .ver = k->ver, .dies = k->dies
	};
	struct mirror_body b;

	mirror_begin(&b);
	rep_put_kek(&b.w, k);
	p.body = mirror_view(&b);
	ks_shared_put(g, now, &p, out);
	mirror_end(&b);
}

static uint32_t seq_of(const struct ks_group *g, struct bytes spi)
{
	const struct coop_item *i = mirror_find(g, COOP_K_SEQ, spi);

	return i ? (uint32_t)i->ver : 0;
}

static bool get_kek(const struct ks *ks, const struct ks_group *g, const struct coop_item *i,
		    struct kek *k, struct rd_err *err)
{
	struct rd r;

	*k = (struct kek){ .dies = i->dies, .ver = i->ver };
	if (!mirror_open(i, &r, err))
		return false;
	rep_get_kek(&r, k);
	if (!rd_end(&r, 0) || !bytes_eq(BYTES_OF(k->spi), BYTES(i->key, i->key_len))) {
		kek_fini(k);
		return rd_fail(&r, "no KEK");
	}
	k->born = mono_add_s(k->dies, -(int64_t)k->params.life_s);
	k->seq = seq_of(g, BYTES_OF(k->spi));
	(void)ks_adopt_signer(ks, k); // without it registrations are served, and no rekeys sent
	return true;
}

static bool kek_beats(const struct coop_item *a, const struct coop_item *b)
{
	return !b || a->ver > b->ver ||
	       (a->ver == b->ver && memcmp(a->key, b->key, KEYS_KEK_SPI_LEN) > 0);
}

static bool is_kek(const struct coop_item *i, mono_t now)
{
	return i->kind == COOP_K_KEK && i->key_len == KEYS_KEK_SPI_LEN && !mono_due(i->dies, now);
}

void ks_mirror_close_keks(struct ks_group *g, mono_t now, struct bytes but, struct ks_out *out)
{
	const struct coop_item *i = NULL;

	while ((i = mirror_next(g, COOP_K_KEK, i)) != NULL) {
		if (is_kek(i, now) && !(i->flags & KEK_CLOSED) &&
		    !bytes_eq(BYTES(i->key, i->key_len), but))
			ks_shared_put(g, now,
				      &(struct coop_put){ .kind = COOP_K_KEK,
							  .flags = KEK_CLOSED,
							  .key = BYTES(i->key, i->key_len),
							  .ver = i->ver,
							  .body = BYTES(i->body, i->len),
							  .dies = i->dies },
				      out);
	}
}

// Insertion by rank; those for which there is no room are the oldest.
static void rank(const struct coop_item *best[KS_MIRROR_KEKS], size_t *n, const struct coop_item *i)
{
	size_t at = *n;

	while (at > 0 && kek_beats(i, best[at - 1]))
		at--;
	if (at == KS_MIRROR_KEKS)
		return;
	*n = MIN_OF(*n + 1, (size_t)KS_MIRROR_KEKS);
	memmove(best + at + 1, best + at, (*n - at - 1) * sizeof(best[0]));
	best[at] = i;
}

void ks_mirror_keks(const struct ks *ks, const struct ks_group *g, mono_t now,
		    enum ks_mirror_which which, struct ks_mirror_keks *out)
{
	const struct coop_item *best[KS_MIRROR_KEKS], *i = NULL;
	struct rd_err err = { NULL };
	size_t n = 0;

	out->n = 0;
	while ((i = mirror_next(g, COOP_K_KEK, i)) != NULL) {
		enum ks_mirror_which is = i->flags & KEK_CLOSED ? KS_KEKS_CLOSED : KS_KEKS_OPEN;

		if (is_kek(i, now) && which & is)
			rank(best, &n, i);
	}
	for (size_t k = 0; k < n; k++) {
		struct kek *to = &out->kek[out->n];

		if (!get_kek(ks, g, best[k], to, &err))
			continue;
		if (to->store)
			out->n++;
		else
			kek_fini(to);
	}
}

void ks_mirror_keks_fini(struct ks_mirror_keks *k)
{
	for (size_t i = 0; i < k->n; i++)
		kek_fini(&k->kek[i]);
	k->n = 0;
}

void mirror_apply_kek(const struct ks *ks, struct ks_group *g, mono_t now,
		      const struct coop_item *i, struct rd_err *err)
{
	const struct coop_item *best = NULL, *k = NULL;
	struct kek fresh;

	bool known = bytes_eq(BYTES_OF(g->keys.kek.spi), BYTES(i->key, i->key_len)) ||
		     bytes_eq(BYTES_OF(g->keys.old_kek.spi), BYTES(i->key, i->key_len));

	while ((k = mirror_next(g, COOP_K_KEK, k)) != NULL) {
		if (is_kek(k, now) && !(k->flags & KEK_CLOSED) && kek_beats(k, best))
			best = k;
	}
	if (!best)
		return;
	if (bytes_eq(BYTES_OF(g->keys.kek.spi), BYTES(best->key, best->key_len))) {
		g->keys.kek.dies = mono_min(g->keys.kek.dies, best->dies);
	} else if (get_kek(ks, g, best, &fresh, err)) {
		kek_fini(&g->keys.old_kek);
		g->keys.old_kek = g->keys.kek;
		g->keys.kek = fresh;
		explicit_bzero(&fresh, sizeof(fresh));
	}
	g->shared->keys_came |= g->shared->led && !known;
}

// ---- sequence numbers ----

uint32_t ks_mirror_seq_next(const struct ks_group *g, mono_t now, const struct kek *under)
{
	uint8_t body[COOP_SEQ_BODY];

	return coop_seq_next(&g->shared->coop, now,
			     mirror_find(g, COOP_K_SEQ, BYTES_OF(under->spi)), body);
}

// Used up: nobody uses it again. It lives as long as the KEK.
static void put_seq(struct ks_group *g, mono_t now, struct bytes spi, uint32_t seq,
		    struct ks_out *out)
{
	const struct coop_item *kek = mirror_find(g, COOP_K_KEK, spi);
	uint8_t body[COOP_SEQ_BODY];

	if (!kek)
		return;
	(void)coop_seq_next(&g->shared->coop, now, mirror_find(g, COOP_K_SEQ, spi), body);
	ks_shared_put(g, now,
		      &(struct coop_put){ .kind = COOP_K_SEQ,
					  .key = spi,
					  .ver = seq,
					  .body = BYTES_OF(body),
					  .dies = kek->dies },
		      out);
}

void mirror_apply_seq(struct ks_group *g, const struct coop_item *i)
{
	struct kek *k[] = { &g->keys.kek, &g->keys.old_kek };

	for (size_t n = 0; n < N_ELEMS(k); n++) {
		if (bytes_eq(BYTES_OF(k[n]->spi), BYTES(i->key, i->key_len)))
			k[n]->seq = MAX_OF(k[n]->seq, (uint32_t)i->ver);
	}
}

// ---- the rekey that is on its way ----

void ks_mirror_push(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct ks_push *p = &g->push;
	struct mirror_body b;

	if (!p->every)
		put_seq(g, now, BYTES_OF(p->spi), p->seq, out);
	for (size_t i = 0; p->every && i < p->n_parts; i++)
		put_seq(g, now, BYTES_OF(p->part[i].spi), p->part[i].seq, out);
	mirror_begin(&b);
	rep_put_bool(&b.w, p->live || p->reminding);
	rep_put_bool(&b.w, p->clears);
	ks_shared_put(g, now,
		      &(struct coop_put){
			      .kind = COOP_K_PUSH, .body = mirror_view(&b), .dies = MONO_NEVER },
		      out);
	mirror_end(&b);
}

bool ks_mirror_begun(const struct ks_group *g, struct ks_mirror_begun *out)
{
	const struct coop_item *i = mirror_find(g, COOP_K_PUSH, BYTES(NULL, 0));
	struct rd_err err = { NULL };
	struct rd r;

	if (!i || !mirror_open(i, &r, &err))
		return false;
	out->live = rep_get_bool(&r);
	out->clears = rep_get_bool(&r);
	return rd_end(&r, 0);
}
