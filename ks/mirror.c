#include "ks/mirror_int.h"

#include "common/crypto/prf.h"
#include "ks/core.h"
#include "ks/rekey.h"

#define BODY_MAX     COOP_ITEM_MAX
#define CHAIN_LATE_S 6 // so long one that is on its way is waited for

// ---- bodies and names ----

void mirror_begin(struct mirror_body *b)
{
	b->p = malloc(BODY_MAX);
	BUG_ON(!b->p);
	wr_init(&b->w, b->p, BODY_MAX);
	wr_u8(&b->w, MIRROR_VERSION);
}

void mirror_end(struct mirror_body *b)
{
	explicit_bzero(b->p, b->w.len);
	free(b->p);
}

struct bytes mirror_view(const struct mirror_body *b)
{
	BUG_ON(!wr_ok(&b->w));
	return BYTES(b->p, b->w.len);
}

// False: of a version that is not known here.
bool mirror_open(const struct coop_item *i, struct rd *r, struct rd_err *err)
{
	*r = rd_of(BYTES(i->body, i->len), err);
	return rd_u8(r) == MIRROR_VERSION || rd_fail(r, "written by another version");
}

const struct coop_item *mirror_find(const struct ks_group *g, uint8_t kind, struct bytes key)
{
	return coop_store_find(&g->shared->coop.store, kind, key);
}

const struct coop_item *mirror_next(const struct ks_group *g, uint8_t kind,
				    const struct coop_item *i)
{
	do {
		i = coop_store_next(&g->shared->coop.store, i);
	} while (i && i->kind != kind);
	return i;
}

// What names a member or a tombstone: too long for a key as it is, its digest.
size_t mirror_name(const struct addr *a, uint64_t n, uint8_t out[COOP_KEY_MAX])
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

struct chain_item {
	struct secret secret;
	uint64_t ver;
	uint32_t pseudo_epoch;
	uint8_t sid_bits;
};

// Followed by secret_fini of its secret.
static bool chain_read(const struct ks_group *g, struct chain_item *c, struct rd_err *err)
{
	const struct coop_item *i = mirror_find(g, COOP_K_CHAIN, BYTES(NULL, 0));
	struct rd r;

	*c = (struct chain_item){ 0 };
	if (!i || !mirror_open(i, &r, err))
		return false;
	c->ver = i->ver;
	c->pseudo_epoch = rd_u32(&r);
	c->sid_bits = rd_u8(&r);
	rep_get_secret(&r, CHAIN_SECRET_LEN, &c->secret);
	if (c->pseudo_epoch == 0 || c->sid_bits < 8 || c->sid_bits > 32)
		rd_fail(&r, "no chain");
	return rd_end(&r, 0);
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
	return mirror_find(g, COOP_K_GEN, BYTES(id, KEYS_GEN_ID_LEN)) != NULL;
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
	struct rd_err err = { NULL };
	struct secret mixed = { 0 };
	struct chain_item c;

	if (chain_read(g, &c, &err))
		chain_catch_up(g, &c.secret, &c.ver);
	else
		epoch = true;
	if (early || epoch) {
		chain_mix(&c.secret, ks->rng, &mixed);
		c.secret = mixed;
	}
	out->ver = epoch ? COOP_EPOCH_VER(coop_epoch_new(&g->shared->coop), 1) : c.ver + 1;
	chain_id(&c.secret, out->id);
	chain_begin(&out->teks, &c.secret, "teks");
	chain_begin(&out->kek, &c.secret, "kek");
	chain_next(&c.secret, &out->secret);
	secret_fini(&c.secret);
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
	const struct coop_item *i = mirror_find(g, COOP_K_CHAIN, BYTES(NULL, 0));

	return !i || i->ver <= g->keys.gen[0].ver ||
	       mono_due(mono_add_s(ks_rekey_tek_due(g), CHAIN_LATE_S), now);
}

static void put_chain(struct ks_group *g, mono_t now, const struct ks_mint *m, struct ks_out *out)
{
	struct coop_put p = { .kind = COOP_K_CHAIN, .ver = m->ver, .dies = MONO_NEVER };
	struct mirror_body b;

	g->shared->coop.conf.sid_bits = g->sids.bits; // of all, until there is another chain
	mirror_begin(&b);
	wr_u32(&b.w, g->pseudo.epoch);
	wr_u8(&b.w, g->sids.bits);
	rep_put_secret(&b.w, &m->secret);
	p.body = mirror_view(&b);
	ks_shared_put(g, now, &p, out);
	mirror_end(&b);
}

// ---- what was made here ----

void ks_mirror_made(struct ks_group *g, mono_t now, const struct ks_mint *m, bool has_kek,
		    struct ks_out *out)
{
	if (has_kek)
		mirror_put_kek(g, now, &g->keys.kek, out);
	ks_mirror_gens(g, now, out);
	put_chain(g, now, m, out); // last: whoever has it has the generation too
}

// ---- from items ----

static void apply_chain(struct ks_group *g, struct rd_err *err)
{
	struct chain_item c;

	if (chain_read(g, &c, err)) {
		g->pseudo.epoch = c.pseudo_epoch;
		g->sids.bits = g->shared->coop.conf.sid_bits = c.sid_bits;
	}
	secret_fini(&c.secret);
}

static void apply(struct ks *ks, struct ks_group *g, mono_t now, const struct coop_item *i,
		  struct ks_out *out)
{
	struct rd_err err = { NULL };
	struct logctx who;

	switch (i->kind) {
	case COOP_K_CHAIN:
		apply_chain(g, &err);
		break;
	case COOP_K_GEN:
		mirror_apply_gen(g, now, i, &err);
		break;
	case COOP_K_KEK:
		mirror_apply_kek(ks, g, now, i, &err);
		break;
	case COOP_K_SEQ:
		mirror_apply_seq(g, i);
		break;
	case COOP_K_MEMBER:
		mirror_apply_member(ks, g, now, i, out, &err);
		break;
	case COOP_K_BAN:
		mirror_apply_ban(g, i, out, &err);
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
	const struct coop_item *i = mirror_find(g, name->kind, BYTES(name->key, name->key_len));

	if (i)
		apply(ks, g, now, i, out);
}

void ks_mirror_apply_all(struct ks *ks, struct ks_group *g, mono_t now, struct ks_out *out)
{
	const struct coop_store *s = &g->shared->coop.store;

	for (const struct coop_item *i = coop_store_next(s, NULL); i; i = coop_store_next(s, i))
		apply(ks, g, now, i, out);
}
