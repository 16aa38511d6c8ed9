#include "ks/keys.h"

#define SPI_FIRST 256 // 1 to 255 are reserved, RFC 4303 2.1

static void secret_random(struct secret *s, struct rng *rng, size_t len)
{
	uint8_t b[SECRET_MAX];

	BUG_ON(len > sizeof(b));
	rng_fill(rng, b, len);
	BUG_ON(secret_set(s, b, len) != 0);
	explicit_bzero(b, sizeof(b));
}

struct keystore *keystore_new(void)
{
	struct keystore *s = calloc(1, sizeof(*s));

	BUG_ON(!s);
	s->refs = 1;
	signer_init(&s->signer);
	return s;
}

struct keystore *keystore_get(struct keystore *s)
{
	if (s)
		s->refs++;
	return s;
}

void keystore_put(struct keystore *s)
{
	if (!s || --s->refs > 0)
		return;
	signer_fini(&s->signer);
	free(s);
}

void kek_new(const struct keys_maker *mk, const struct kek_params *p, struct keystore *store,
	     mono_t now, struct kek *out)
{
	*out = (struct kek){ .params = *p,
			     .store = keystore_get(store),
			     .born = now,
			     .dies = mono_add_s(now, p->life_s) };
	BUG_ON(signer_public(&store->signer, p->sign_label, out->pub, sizeof(out->pub),
			     &out->pub_len) != 0);
	BUG_ON(p->suite->iv_len > sizeof(out->iv));
	rng_fill(mk->rng, out->spi, sizeof(out->spi));
	rng_fill(mk->rng, out->iv, p->suite->iv_len);
	secret_random(&out->key, mk->rng, p->suite->key_len);
}

void kek_set_key(struct kek *k, const struct secret *iv_key)
{
	size_t iv_len = k->params.suite->iv_len;

	BUG_ON(iv_key->len != iv_len + k->params.suite->key_len);
	memcpy(k->iv, iv_key->b, iv_len);
	BUG_ON(secret_set(&k->key, iv_key->b + iv_len, k->params.suite->key_len) != 0);
}

void kek_fini(struct kek *k)
{
	keystore_put(k->store);
	explicit_bzero(k, sizeof(*k));
}

static uint32_t spi_new(const struct keys_maker *mk, const struct tek_gen *g, size_t n)
{
	for (;;) {
		uint32_t spi = rng_u32(mk->rng);
		bool used = spi < SPI_FIRST || mk->taken(mk->arg, spi);

		for (size_t i = 0; i < n && !used; i++)
			used = g->tek[i].spi == spi;
		if (!used)
			return spi;
	}
}

static void tek_new(struct tek *t, const struct policy_slot *slot, const struct keys_maker *mk,
		    mono_t now)
{
	t->suite = slot->suite;
	t->life_s = slot->life_s;
	t->dies = mono_add_s(now, slot->life_s);
	secret_random(&t->alg_key, mk->rng, slot->suite->alg_key_len);
	secret_random(&t->integrity_key, mk->rng, slot->suite->integrity_key_len);
}

void tek_gen_fini(struct tek_gen *g)
{
	for (size_t i = 0; i < g->policy->n_slot; i++) {
		secret_fini(&g->tek[i].alg_key);
		secret_fini(&g->tek[i].integrity_key);
	}
	free(g->tek);
	policy_put(g->policy);
	*g = (struct tek_gen){ 0 };
}

void keys_add_gen(struct keys *k, const struct keys_maker *mk, struct policy *p, mono_t now,
		  mono_t active)
{
	struct tek_gen g = { .born = now, .active = active, .drained = MONO_NEVER };

	if (k->n_gen == KEYS_MAX_GENS)
		tek_gen_fini(&k->gen[--k->n_gen]);
	g.tek = calloc(p->n_slot, sizeof(*g.tek));
	BUG_ON(!g.tek);
	g.policy = policy_get(p);
	for (size_t i = 0; i < p->n_slot; i++) {
		g.tek[i].spi = spi_new(mk, &g, i);
		tek_new(&g.tek[i], &p->slot[i], mk, now);
	}
	memmove(k->gen + 1, k->gen, k->n_gen * sizeof(k->gen[0]));
	g.serial = ++k->last_serial;
	k->gen[0] = g;
	k->n_gen++;
}

// Newest first: by version, and of one version by name, so that all key servers agree.
static bool is_newer(const struct tek_gen *a, const struct tek_gen *b)
{
	return a->ver != b->ver ? a->ver > b->ver : memcmp(a->id, b->id, sizeof(a->id)) > 0;
}

bool keys_insert_gen(struct keys *k, struct tek_gen *gen)
{
	size_t at = 0;

	while (at < k->n_gen && is_newer(&k->gen[at], gen))
		at++;
	if (at == KEYS_MAX_GENS)
		return false;
	if (k->n_gen == KEYS_MAX_GENS)
		tek_gen_fini(&k->gen[--k->n_gen]);
	memmove(k->gen + at + 1, k->gen + at, (k->n_gen - at) * sizeof(k->gen[0]));
	gen->serial = ++k->last_serial;
	k->gen[at] = *gen;
	k->n_gen++;
	return true;
}

void keys_drop_newest(struct keys *k)
{
	BUG_ON(k->n_gen < 2);
	tek_gen_fini(&k->gen[0]);
	memmove(k->gen, k->gen + 1, --k->n_gen * sizeof(k->gen[0]));
}

struct tek_gen *keys_find_gen(struct keys *k, uint32_t serial)
{
	for (size_t i = 0; i < k->n_gen; i++) {
		if (k->gen[i].serial == serial)
			return &k->gen[i];
	}
	return NULL;
}

void keys_drain_old(struct keys *k, mono_t when)
{
	for (size_t i = 1; i < k->n_gen; i++)
		k->gen[i].drained = mono_min(k->gen[i].drained, when);
}

mono_t tek_gen_dies(const struct tek_gen *g)
{
	mono_t t = MONO_NEVER;

	for (size_t i = 0; i < g->policy->n_slot; i++)
		t = mono_min(t, g->tek[i].dies);
	return t;
}

static mono_t tek_gen_last(const struct tek_gen *g)
{
	mono_t t = g->born;

	for (size_t i = 0; i < g->policy->n_slot; i++) {
		if (mono_before(t, g->tek[i].dies))
			t = g->tek[i].dies;
	}
	return t;
}

static bool gen_is_over(const struct tek_gen *g, mono_t now)
{
	return mono_due(tek_gen_last(g), now) || mono_due(g->drained, now);
}

void keys_expire(struct keys *k, mono_t now)
{
	size_t kept = 1;

	for (size_t i = 1; i < k->n_gen; i++) {
		if (gen_is_over(&k->gen[i], now))
			tek_gen_fini(&k->gen[i]);
		else
			k->gen[kept++] = k->gen[i];
	}
	k->n_gen = kept;
}

void keys_end_all(struct keys *k)
{
	for (size_t i = 0; i < k->n_gen; i++)
		tek_gen_fini(&k->gen[i]);
	k->n_gen = 0;
	kek_fini(&k->kek);
	kek_fini(&k->old_kek);
}

void keys_shorten(struct keys *k, mono_t when)
{
	for (size_t g = 0; g < k->n_gen; g++) {
		for (size_t i = 0; i < k->gen[g].policy->n_slot; i++)
			k->gen[g].tek[i].dies = mono_min(k->gen[g].tek[i].dies, when);
	}
}

bool keys_has_spi(const struct keys *k, uint32_t spi)
{
	for (size_t i = 0; i < k->n_gen; i++) {
		for (size_t j = 0; j < k->gen[i].policy->n_slot; j++) {
			if (k->gen[i].tek[j].spi == spi)
				return true;
		}
	}
	return false;
}

mono_t keys_next_expiry(const struct keys *k)
{
	mono_t t = MONO_NEVER;

	for (size_t i = 1; i < k->n_gen; i++)
		t = mono_min(t, mono_min(k->gen[i].drained, tek_gen_last(&k->gen[i])));
	return t;
}
