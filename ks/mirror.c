#include "ks/mirror.h"

#include "ks/adopt.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/rekey.h"
#include "ks/replica_int.h"

#define VERSION	     1 // of all bodies
#define BODY_MAX     COOP_ITEM_MAX
#define CHAIN_LATE_S 6			  // so long one that is on its way is waited for
#define GONE_KEPT_S  (7 * INT64_C(86400)) // a split that lasts longer brings members back

struct body {
	uint8_t *p;
	struct wr w;
};

static void body_begin(struct body *b)
{
	b->p = malloc(BODY_MAX);
	BUG_ON(!b->p);
	wr_init(&b->w, b->p, BODY_MAX);
	wr_u8(&b->w, VERSION);
}

static void body_end(struct body *b)
{
	explicit_bzero(b->p, b->w.len);
	free(b->p);
}

static struct bytes body_view(const struct body *b)
{
	BUG_ON(!wr_ok(&b->w));
	return BYTES(b->p, b->w.len);
}

// False: of a version that is not known here.
static bool body_open(const struct coop_item *i, struct rd *r, struct rd_err *err)
{
	*r = rd_of(BYTES(i->body, i->len), err);
	return rd_u8(r) == VERSION || rd_fail(r, "written by another version");
}

static const struct coop_item *find(const struct ks_group *g, uint8_t kind, struct bytes key)
{
	return coop_store_find(&g->shared->coop.store, kind, key);
}

static const struct coop_item *next_of(const struct ks_group *g, uint8_t kind,
				       const struct coop_item *i)
{
	do {
		i = coop_store_next(&g->shared->coop.store, i);
	} while (i && i->kind != kind);
	return i;
}

// What names a member or a tombstone: too long for a key as it is, its digest.
static size_t name_key(const struct addr *a, uint64_t n, uint8_t out[COOP_KEY_MAX])
{
	uint8_t whole[KS_MEMBER_KEY_MAX], digest[HASH_MAX];
	const struct member_name name = { *a, n };
	const struct bytes part[] = { BYTES(whole, ks_member_key(&name, whole)) };

	if (part[0].len <= COOP_KEY_MAX) {
		memcpy(out, whole, part[0].len);
		return part[0].len;
	}
	BUG_ON(hash_parts(HASH_ALG_SHA256, part, 1, digest) != 0);
	memcpy(out, digest, COOP_KEY_MAX);
	return COOP_KEY_MAX;
}

// ---- chain ----

static bool chain_read(const struct ks_group *g, struct secret *secret, uint32_t *pseudo_epoch,
		       uint64_t *ver)
{
	const struct coop_item *i = find(g, COOP_K_CHAIN, BYTES(NULL, 0));
	struct rd_err err = { NULL };
	struct rd r;

	if (!i || !body_open(i, &r, &err))
		return false;
	*pseudo_epoch = rd_u32(&r);
	rep_get_secret(&r, CHAIN_SECRET_LEN, secret);
	*ver = i->ver;
	return rd_end(&r, 0) && *pseudo_epoch != 0;
}

static void chain_id(const struct secret *secret, uint8_t id[KEYS_GEN_ID_LEN])
{
	struct chain c;

	chain_begin(&c, secret, "id");
	rng_fill(&c.rng, id, KEYS_GEN_ID_LEN);
	chain_fini(&c);
}

static bool knows_gen(const struct ks_group *g, const uint8_t id[KEYS_GEN_ID_LEN])
{
	return find(g, COOP_K_GEN, BYTES(id, KEYS_GEN_ID_LEN)) != NULL;
}

// The chain may be behind the generations: whoever made one died before it could tell the rest.
static void chain_catch_up(const struct ks_group *g, struct secret *secret, uint64_t *ver)
{
	struct secret after = { 0 };
	uint8_t id[KEYS_GEN_ID_LEN];

	chain_id(secret, id);
	while (knows_gen(g, id)) {
		chain_next(secret, &after);
		*secret = after;
		++*ver;
		chain_id(secret, id);
	}
	if (g->keys.n_gen > 0)
		*ver = MAX_OF(*ver, g->keys.gen[0].ver);
	secret_fini(&after);
}

void ks_mirror_mint(struct ks *ks, const struct ks_group *g, bool early, bool epoch,
		    struct ks_mint *out)
{
	struct secret secret = { 0 }, mixed = { 0 };
	uint32_t pseudo_epoch;
	uint64_t ver;

	if (chain_read(g, &secret, &pseudo_epoch, &ver))
		chain_catch_up(g, &secret, &ver);
	else
		epoch = true;
	if (early || epoch) {
		chain_mix(&secret, ks->rng, &mixed);
		secret = mixed;
	}
	out->ver = epoch ? COOP_EPOCH_VER(coop_epoch_new(&g->shared->coop), 1) : ver + 1;
	chain_id(&secret, out->id);
	chain_begin(&out->teks, &secret, "teks");
	chain_begin(&out->kek, &secret, "kek");
	chain_next(&secret, &out->secret);
	secret_fini(&secret);
	secret_fini(&mixed);
}

void ks_mirror_mint_fini(struct ks_mint *m)
{
	chain_fini(&m->teks);
	chain_fini(&m->kek);
	secret_fini(&m->secret);
}

bool ks_mirror_is_due(const struct ks_group *g, mono_t now)
{
	const struct coop_item *i = find(g, COOP_K_CHAIN, BYTES(NULL, 0));

	return !i || i->ver <= g->keys.gen[0].ver ||
	       mono_due(mono_add_s(ks_rekey_tek_due(g), CHAIN_LATE_S), now);
}

static void put_chain(struct ks_group *g, mono_t now, const struct ks_mint *m, struct ks_out *out)
{
	struct coop_put p = { .kind = COOP_K_CHAIN, .ver = m->ver, .dies = MONO_NEVER };
	struct body b;

	body_begin(&b);
	wr_u32(&b.w, g->pseudo.epoch);
	rep_put_secret(&b.w, &m->secret);
	p.body = body_view(&b);
	ks_shared_put(g, now, &p, out);
	body_end(&b);
}

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
	struct body b;

	body_begin(&b);
	rep_put_policy(&b.w, gen->policy);
	for (size_t i = 0; i < gen->policy->n_slot; i++) {
		wr_u32(&b.w, gen->tek[i].spi);
		rep_put_secret(&b.w, &gen->tek[i].alg_key);
		rep_put_secret(&b.w, &gen->tek[i].integrity_key);
	}
	p.body = body_view(&b);
	ks_shared_put(g, now, &p, out);
	body_end(&b);
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
	if (!body_open(i, &r, err) || i->key_len != sizeof(gen->id))
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
static void take_newest(struct ks_group *g, mono_t now)
{
	struct tek_gen *gen = &g->keys.gen[0];
	struct ks_delays d = ks_rekey_delays(g, now);
	mono_t active = mono_add_s(now, d.atd_s);

	if (g->shared->led && mono_before(gen->active, active))
		gen->active = active;
	keys_drain_old(&g->keys, mono_add_s(gen->active, d.dtd_s));
}

static void apply_gen(struct ks_group *g, mono_t now, const struct coop_item *i, struct rd_err *err)
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
		take_newest(g, now);
}

void ks_mirror_gens(struct ks_group *g, mono_t now, struct ks_out *out)
{
	for (size_t i = g->keys.n_gen; i-- > 0;)
		put_gen(g, now, &g->keys.gen[i], out);
}

// ---- KEKs ----

// In flags. Flags win: who has told members that it is over wins over who goes on with it.
#define KEK_CLOSED 1

static void put_kek(struct ks_group *g, mono_t now, const struct kek *k, struct ks_out *out)
{
	struct coop_put p = {
		.kind = COOP_K_KEK, .key = BYTES_OF(k->spi), .ver = k->ver, .dies = k->dies
	};
	struct body b;

	body_begin(&b);
	rep_put_kek(&b.w, k);
	p.body = body_view(&b);
	ks_shared_put(g, now, &p, out);
	body_end(&b);
}

static uint32_t seq_of(const struct ks_group *g, struct bytes spi)
{
	const struct coop_item *i = find(g, COOP_K_SEQ, spi);

	return i ? (uint32_t)i->ver : 0;
}

static bool get_kek(const struct ks *ks, const struct ks_group *g, const struct coop_item *i,
		    struct kek *k, struct rd_err *err)
{
	struct rd r;

	*k = (struct kek){ .dies = i->dies, .ver = i->ver };
	if (!body_open(i, &r, err))
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

void ks_mirror_close_keks(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct coop_item *i = NULL;

	while ((i = next_of(g, COOP_K_KEK, i)) != NULL) {
		if (is_kek(i, now) && !(i->flags & KEK_CLOSED))
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

void ks_mirror_keks(const struct ks *ks, const struct ks_group *g, mono_t now, bool closed,
		    struct ks_mirror_keks *out)
{
	const struct coop_item *best[KS_MIRROR_KEKS], *i = NULL;
	struct rd_err err = { NULL };
	size_t n = 0;

	out->n = 0;
	while ((i = next_of(g, COOP_K_KEK, i)) != NULL) {
		if (is_kek(i, now) && (closed || !(i->flags & KEK_CLOSED)))
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

static void apply_kek(const struct ks *ks, struct ks_group *g, mono_t now,
		      const struct coop_item *i, struct rd_err *err)
{
	const struct coop_item *best = NULL, *k = NULL;
	struct kek fresh;

	bool known = bytes_eq(BYTES_OF(g->keys.kek.spi), BYTES(i->key, i->key_len)) ||
		     bytes_eq(BYTES_OF(g->keys.old_kek.spi), BYTES(i->key, i->key_len));

	while ((k = next_of(g, COOP_K_KEK, k)) != NULL) {
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

	return coop_seq_next(&g->shared->coop, now, find(g, COOP_K_SEQ, BYTES_OF(under->spi)),
			     body);
}

// Used up: nobody uses it again. It lives as long as the KEK.
static void put_seq(struct ks_group *g, mono_t now, struct bytes spi, uint32_t seq,
		    struct ks_out *out)
{
	const struct coop_item *kek = find(g, COOP_K_KEK, spi);
	uint8_t body[COOP_SEQ_BODY];

	if (!kek)
		return;
	(void)coop_seq_next(&g->shared->coop, now, find(g, COOP_K_SEQ, spi), body);
	ks_shared_put(g, now,
		      &(struct coop_put){ .kind = COOP_K_SEQ,
					  .key = spi,
					  .ver = seq,
					  .body = BYTES_OF(body),
					  .dies = kek->dies },
		      out);
}

static void apply_seq(struct ks_group *g, const struct coop_item *i)
{
	struct kek *k[] = { &g->keys.kek, &g->keys.old_kek };

	for (size_t n = 0; n < N_ELEMS(k); n++) {
		if (bytes_eq(BYTES_OF(k[n]->spi), BYTES(i->key, i->key_len)))
			k[n]->seq = MAX_OF(k[n]->seq, (uint32_t)i->ver);
	}
}

// ---- what was made here ----

void ks_mirror_made(struct ks_group *g, mono_t now, const struct ks_mint *m, bool has_kek,
		    struct ks_out *out)
{
	if (has_kek)
		put_kek(g, now, &g->keys.kek, out);
	ks_mirror_gens(g, now, out);
	put_chain(g, now, m, out); // last: whoever has it has the generation too
}

// ---- the rekey that is on its way ----

void ks_mirror_push(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct ks_push *p = &g->push;
	struct body b;

	if (!p->every)
		put_seq(g, now, BYTES_OF(p->spi), p->seq, out);
	for (size_t i = 0; p->every && i < p->n_parts; i++)
		put_seq(g, now, BYTES_OF(p->part[i].spi), p->part[i].seq, out);
	body_begin(&b);
	rep_put_bool(&b.w, p->live || p->reminding);
	rep_put_bool(&b.w, p->clears);
	ks_shared_put(g, now,
		      &(struct coop_put){
			      .kind = COOP_K_PUSH, .body = body_view(&b), .dies = MONO_NEVER },
		      out);
	body_end(&b);
}

bool ks_mirror_begun(const struct ks_group *g, struct ks_mirror_begun *out)
{
	const struct coop_item *i = find(g, COOP_K_PUSH, BYTES(NULL, 0));
	struct rd_err err = { NULL };
	struct rd r;

	if (!i || !body_open(i, &r, &err))
		return false;
	out->live = rep_get_bool(&r);
	out->clears = rep_get_bool(&r);
	return rd_end(&r, 0);
}

// ---- members ----

static void put_member(struct ks_group *g, mono_t now, const struct member *m, struct body *b)
{
	uint64_t since = coop_pseudotime(&g->shared->coop, now);

	wr_u8(&b->w, m->home);
	rep_put_str(&b->w, m->identity);
	rep_put_u64(&b->w, m->proved);
	rep_put_endpoint(&b->w, &m->remote);
	rep_put_u64(&b->w, m->behind);
	rep_put_bool(&b->w, m->inner.family);
	if (m->inner.family)
		rep_put_addr(&b->w, &m->inner);
	rep_put_u64(&b->w, since + (uint64_t)(m->registered.ms - now.ms));
	rep_put_bool(&b->w, m->conclave);
	wr_u8(&b->w, m->major);
	wr_u8(&b->w, m->minor);
	rep_put_bool(&b->w, m->ordered);
	rep_put_bool(&b->w, m->ack_asked);
	rep_put_bool(&b->w, m->by_group);
	rep_put_bool(&b->w, m->acked_ever);
	wr_u32(&b->w, m->registrations);
	wr_put(&b->w, m->told_kek, sizeof(m->told_kek));
	wr_u32(&b->w, m->told_seq);
}

static bool get_member(const struct ks_group *g, mono_t now, const struct coop_item *i,
		       struct member *m, struct rd_err *err)
{
	uint64_t pseudo = coop_pseudotime(&g->shared->coop, now), since;
	struct rd r;

	if (!body_open(i, &r, err))
		return false;
	m->home = rd_u8(&r);
	rep_get_str(&r, m->identity, sizeof(m->identity));
	m->proved = rep_get_u64(&r);
	rep_get_endpoint(&r, &m->remote);
	m->behind = rep_get_u64(&r);
	if (rep_get_bool(&r))
		rep_get_addr(&r, &m->inner);
	since = rep_get_u64(&r);
	m->registered = mono_add_ms(now, -(int64_t)(since < pseudo ? pseudo - since : 0));
	m->conclave = rep_get_bool(&r);
	m->major = rd_u8(&r);
	m->minor = rd_u8(&r);
	m->ordered = rep_get_bool(&r);
	m->ack_asked = rep_get_bool(&r);
	m->by_group = rep_get_bool(&r);
	m->acked_ever = rep_get_bool(&r);
	m->registrations = rd_u32(&r);
	rd_copy(&r, m->told_kek, sizeof(m->told_kek));
	m->told_seq = rd_u32(&r);
	return rd_end(&r, 0);
}

void ks_mirror_member(struct ks_group *g, mono_t now, const struct member_name *n,
		      struct ks_out *out)
{
	const struct member *m = members_named(&g->members, n);
	uint8_t key[COOP_KEY_MAX];
	struct coop_put p = { .kind = COOP_K_MEMBER,
			      .key = BYTES(key, name_key(&n->addr, n->behind, key)) };
	const struct coop_item *there = find(g, COOP_K_MEMBER, p.key);
	struct body b;

	if (!m && (!there || there->flags & COOP_MEMBER_GONE))
		return;
	body_begin(&b);
	if (m) {
		put_member(g, now, m, &b);
	} else {
		rep_put_addr(&b.w, &n->addr);
		rep_put_u64(&b.w, n->behind);
	}
	p.flags = m ? 0 : COOP_MEMBER_GONE;
	p.dies = m ? MONO_NEVER : mono_add_s(now, GONE_KEPT_S);
	p.body = body_view(&b);
	ks_shared_put(g, now, &p, out);
	body_end(&b);
}

static void drop_member(struct ks_group *g, struct member *m)
{
	ks_fanout_forget(&g->push, m);
	members_del(&g->members, m);
}

static void apply_gone(struct ks_group *g, const struct coop_item *i, struct rd_err *err)
{
	struct member_name n = { 0 };
	struct member *m;
	struct rd r;

	if (!body_open(i, &r, err))
		return;
	rep_get_addr(&r, &n.addr);
	n.behind = rep_get_u64(&r);
	if (!rd_end(&r, 0))
		return;
	m = members_named(&g->members, &n);
	if (m)
		drop_member(g, m);
}

// Counters of what was sent to it are each key server's own.
static void keep_own(struct member *m, const struct member *in)
{
	m->home = in->home;
	memcpy(m->identity, in->identity, sizeof(m->identity));
	m->proved = in->proved;
	m->behind = in->behind;
	m->inner = in->inner;
	m->registered = in->registered;
	m->conclave = in->conclave;
	m->major = in->major;
	m->minor = in->minor;
	m->ordered = in->ordered;
	m->ack_asked = in->ack_asked;
	m->by_group = in->by_group;
	m->acked_ever = in->acked_ever;
	m->registrations = in->registrations;
	memcpy(m->told_kek, in->told_kek, sizeof(m->told_kek));
	m->told_seq = in->told_seq;
}

static void apply_member(const struct ks *ks, struct ks_group *g, mono_t now,
			 const struct coop_item *i, struct ks_out *out, struct rd_err *err)
{
	struct member in = { 0 }, *m;
	struct member_name name;

	if (i->flags & COOP_MEMBER_GONE) {
		apply_gone(g, i, err);
		return;
	}
	if (!get_member(g, now, i, &in, err))
		return;
	name = member_name(&in);
	m = members_named(&g->members, &name);
	if (m && m->registrations == in.registrations && m->home == in.home) {
		keep_own(m, &in); // the same registration: what is known of it has changed
		return;
	}
	if (m)
		drop_member(g, m);
	m = members_add(&g->members, &in.remote, NULL);
	if (!m)
		return;
	keep_own(m, &in);
	m->local = (struct endpoint){ ks->conf->address,
				      m->behind ? ks->conf->nat_port : ks->conf->port };
	if (coop_may_mint(&g->shared->coop) && ks_rekey_is_behind(g, m->told_kek, m->told_seq))
		ks_fanout_catch_up(g, m, now, out);
}

// ---- who is excluded ----

static struct bytes ban_key(const struct tombstone *t, uint8_t key[COOP_KEY_MAX])
{
	return BYTES(key, name_key(&t->who, t->proved, key));
}

static void put_ban(struct ks_group *g, mono_t now, const struct tombstone *t, bool banned,
		    struct ks_out *out)
{
	uint8_t key[COOP_KEY_MAX];
	struct body b;

	body_begin(&b);
	rep_put_addr(&b.w, &t->who);
	rep_put_u64(&b.w, t->proved);
	rep_put_u64(&b.w, g->keys.kek.ver);
	ks_shared_put(g, now,
		      &(struct coop_put){ .kind = COOP_K_BAN,
					  .flags = banned ? COOP_BANNED : 0,
					  .key = ban_key(t, key),
					  .body = body_view(&b),
					  .dies = MONO_NEVER },
		      out);
	body_end(&b);
}

static bool get_ban(const struct coop_item *i, struct tombstone *t, uint64_t *ver,
		    struct rd_err *err)
{
	struct rd r;

	if (!body_open(i, &r, err))
		return false;
	rep_get_addr(&r, &t->who);
	t->proved = rep_get_u64(&r);
	*ver = rep_get_u64(&r);
	return rd_end(&r, 0);
}

void ks_mirror_bans(struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct coop_item *i = NULL;
	struct rd_err err = { NULL };
	uint8_t key[COOP_KEY_MAX];
	struct tombstone t;
	uint64_t ver;

	for (size_t n = 0; n < g->removal.n; n++) {
		i = find(g, COOP_K_BAN, ban_key(&g->removal.tombstone[n], key));
		if (!i || !(i->flags & COOP_BANNED))
			put_ban(g, now, &g->removal.tombstone[n], true, out);
	}
	for (i = next_of(g, COOP_K_BAN, NULL); i; i = next_of(g, COOP_K_BAN, i)) {
		if (i->flags & COOP_BANNED && get_ban(i, &t, &ver, &err) &&
		    !removal_has_tombstone(&g->removal, &t))
			put_ban(g, now, &t, false, out); // an item that is there stays where it is
	}
}

static void apply_ban(struct ks_group *g, const struct coop_item *i, struct ks_out *out,
		      struct rd_err *err)
{
	struct tombstone t = { 0 };
	uint64_t ver;

	if (!get_ban(i, &t, &ver, err))
		return;
	if (!(i->flags & COOP_BANNED)) {
		removal_take(&g->removal, &t);
	} else if (!removal_has_tombstone(&g->removal, &t)) {
		ks_removal_learn(g, &t, out);
		g->shared->ban_came |= g->shared->led;
	}
}

bool ks_mirror_ban_is_open(const struct ks_group *g)
{
	const struct coop_item *i = NULL;
	struct rd_err err = { NULL };
	struct tombstone t;
	uint64_t ver;

	while ((i = next_of(g, COOP_K_BAN, i)) != NULL) {
		if (i->flags & COOP_BANNED && get_ban(i, &t, &ver, &err) && ver >= g->keys.kek.ver)
			return true;
	}
	return false;
}

// ---- from items ----

static void apply_chain(struct ks_group *g)
{
	struct secret secret = { 0 };
	uint32_t epoch;
	uint64_t ver;

	if (chain_read(g, &secret, &epoch, &ver))
		g->pseudo.epoch = epoch;
	secret_fini(&secret);
}

static void apply(struct ks *ks, struct ks_group *g, mono_t now, const struct coop_item *i,
		  struct ks_out *out)
{
	struct rd_err err = { NULL };
	struct logctx who;

	switch (i->kind) {
	case COOP_K_CHAIN:
		apply_chain(g);
		break;
	case COOP_K_GEN:
		apply_gen(g, now, i, &err);
		break;
	case COOP_K_KEK:
		apply_kek(ks, g, now, i, &err);
		break;
	case COOP_K_SEQ:
		apply_seq(g, i);
		break;
	case COOP_K_MEMBER:
		apply_member(ks, g, now, i, out, &err);
		break;
	case COOP_K_BAN:
		apply_ban(g, i, out, &err);
		break;
	default: // coop's own, or of a later version
		break;
	}
	if (!err.why)
		return;
	ks_group_logctx(g, &who);
	ks_out_event(out, EV_COOP_PACKET_DROPPED, &who, "item kind=%u by=%u is of no use here: %s",
		     i->kind, i->by, err.why);
}

void ks_mirror_apply(struct ks *ks, struct ks_group *g, mono_t now, const struct ks_item_name *name,
		     struct ks_out *out)
{
	const struct coop_item *i = find(g, name->kind, BYTES(name->key, name->key_len));

	if (i)
		apply(ks, g, now, i, out);
}

void ks_mirror_apply_all(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct coop_store *s = &g->shared->coop.store;

	for (const struct coop_item *i = coop_store_next(s, NULL); i; i = coop_store_next(s, i))
		apply(ks, g, now, i, out);
}
