#include "ks/replica_int.h"

// ---- policy ----

static void put_side(struct wr *w, const struct flow_side *s)
{
	rep_put_addr(w, &s->lo);
	rep_put_addr(w, &s->hi);
	wr_u16(w, s->port_lo);
	wr_u16(w, s->port_hi);
}

static void get_side(struct rd *r, struct flow_side *s)
{
	rep_get_addr(r, &s->lo);
	rep_get_addr(r, &s->hi);
	s->port_lo = rd_u16(r);
	s->port_hi = rd_u16(r);
	if (addr_cmp(&s->lo, &s->hi) > 0 || s->lo.family != s->hi.family || s->port_lo > s->port_hi)
		rd_fail(r, "range upside down");
}

static void put_rules(struct wr *w, const struct policy_rule *rule, size_t n)
{
	wr_count8(w, n);
	for (size_t i = 0; i < n; i++) {
		rep_put_bool(w, rule[i].permit);
		wr_u16(w, rule[i].slot);
		wr_u8(w, rule[i].flow.proto);
		put_side(w, &rule[i].flow.src);
		put_side(w, &rule[i].flow.dst);
	}
}

static size_t get_rules(struct rd *r, size_t n_slot, struct policy_rule *rule)
{
	size_t n = rd_u8(r);

	if (n > POLICY_MAX_RULES)
		rd_fail(r, "too many rules");
	for (size_t i = 0; i < n && rd_ok(r); i++) {
		rule[i].permit = rep_get_bool(r);
		rule[i].slot = rd_u16(r);
		rule[i].flow.proto = rd_u8(r);
		get_side(r, &rule[i].flow.src);
		get_side(r, &rule[i].flow.dst);
		if (rule[i].permit && rule[i].slot >= n_slot)
			rd_fail(r, "rule without a slot");
	}
	return n;
}

void rep_put_policy(struct wr *w, const struct policy *p)
{
	wr_count8(w, p->n_slot);
	for (size_t i = 0; i < p->n_slot; i++) {
		const struct policy_slot *s = &p->slot[i];

		wr_u16(w, s->sa_number);
		rep_put_str(w, s->suite->name);
		wr_u32(w, s->life_s);
		wr_u8(w, s->replay.mode);
		wr_u16(w, s->replay.window);
		rep_put_str(w, s->acl);
	}
	put_rules(w, p->ordered, p->n_ordered);
	put_rules(w, p->flat, p->n_flat);
	wr_u32(w, p->no_flat_at);
	rep_put_bool(w, p->receive_only);
}

static void get_slot(struct rd *r, struct policy *p, struct policy_slot *s)
{
	char suite[64];

	s->sa_number = rd_u16(r);
	rep_get_str(r, suite, sizeof(suite));
	s->life_s = rd_u32(r);
	s->replay.mode = rd_u8(r);
	s->replay.window = rd_u16(r);
	if (!replay_ok(s->replay))
		rd_fail(r, "anti-replay out of range");
	rep_get_str(r, s->acl, sizeof(s->acl));
	s->suite = rd_ok(r) ? suite_tek_named(suite) : NULL;
	if (!s->suite) {
		rd_fail(r, "transform not known here");
		return;
	}
	p->counter |= s->suite->counter_iv;
	p->life_s = MIN_OF(p->life_s, s->life_s);
}

struct policy *rep_get_policy(struct rd *r)
{
	struct policy *p = calloc(1, sizeof(*p));

	BUG_ON(!p);
	p->refs = 1;
	p->life_s = UINT32_MAX;
	p->n_slot = rd_u8(r);
	if (p->n_slot == 0 || p->n_slot > POLICY_MAX_RULES)
		rd_fail(r, "policy without slots, or with too many");
	for (size_t i = 0; i < p->n_slot && rd_ok(r); i++)
		get_slot(r, p, &p->slot[i]);
	if (rd_ok(r))
		p->n_ordered = get_rules(r, p->n_slot, p->ordered);
	if (rd_ok(r))
		p->n_flat = get_rules(r, p->n_slot, p->flat);
	p->no_flat_at = rd_u32(r);
	p->receive_only = rep_get_bool(r);
	if (rd_ok(r))
		return p;
	free(p);
	return NULL;
}

// ---- keys ----

void rep_put_kek(struct wr *w, const struct kek *k)
{
	const struct kek_params *p = &k->params;

	wr_put(w, k->spi, sizeof(k->spi));
	rep_put_str(w, p->suite->name);
	wr_u8(w, (uint8_t)p->cipher);
	wr_u32(w, p->life_s);
	rep_put_str(w, p->sign_label);
	wr_u8(w, (uint8_t)p->sign_alg);
	wr_u16(w, p->sign_bits);
	wr_u8(w, (uint8_t)p->sign_hash);
	wr_u8(w, (uint8_t)p->sign_form);
	wr_u16(w, p->lkh_degree);
	wr_u8(w, (uint8_t)p->ack);
	rep_put_group(w, &p->group, p->ttl);
	wr_count16(w, k->pub_len);
	wr_put(w, k->pub, k->pub_len);
	wr_put(w, k->iv, sizeof(k->iv));
	rep_put_secret(w, &k->key);
}

static void put_kek(struct wr *w, const struct kek *k, int64_t base_ms)
{
	rep_put_kek(w, k);
	rep_put_time(w, k->born, base_ms);
	rep_put_time(w, k->dies, base_ms);
	wr_u32(w, k->seq);
}

void rep_get_kek(struct rd *r, struct kek *k)
{
	struct kek_params *p = &k->params;
	struct bytes pub;
	char suite[32];

	rd_copy(r, k->spi, sizeof(k->spi));
	rep_get_str(r, suite, sizeof(suite));
	p->suite = suite_kek_named(suite);
	p->cipher = (enum cipher_alg)rd_u8(r);
	if (!p->suite || cipher_key_len(p->cipher) != p->suite->key_len ||
	    cipher_block_len(p->cipher) != p->suite->iv_len) {
		rd_fail(r, "cipher of the KEK not known here");
		return;
	}
	p->life_s = rd_u32(r);
	rep_get_str(r, p->sign_label, sizeof(p->sign_label));
	p->sign_alg = (enum sign_alg)rd_u8(r);
	p->sign_bits = rd_u16(r);
	p->sign_hash = (enum hash_alg)rd_u8(r);
	p->sign_form = (enum rsa_form)rd_u8(r);
	p->lkh_degree = rd_u16(r);
	p->ack = (enum kek_ack)rd_u8(r);
	rep_get_group(r, &p->group, &p->ttl);
	if (p->ack > KEK_ACK_ANY)
		rd_fail(r, "acknowledgements of no known kind");
	if (p->lkh_degree == 1 || p->lkh_degree > LKH_DEGREE_MAX)
		rd_fail(r, "degree of the key tree out of range");
	if (hash_len(p->sign_hash) == 0 ||
	    (p->sign_form != RSA_FORM_DIGESTINFO && p->sign_form != RSA_FORM_BARE))
		rd_fail(r, "signature not known here");
	pub = rd_bytes(r, rd_u16(r));
	if (pub.len > sizeof(k->pub))
		rd_fail(r, "public key too long");
	else if (pub.len > 0)
		memcpy(k->pub, pub.p, pub.len);
	k->pub_len = pub.len;
	rd_copy(r, k->iv, sizeof(k->iv));
	rep_get_secret(r, p->suite->key_len, &k->key);
}

static void get_kek(struct rd *r, struct kek *k, int64_t base_ms)
{
	rep_get_kek(r, k);
	k->born = rep_get_time(r, base_ms);
	k->dies = rep_get_time(r, base_ms);
	k->seq = rd_u32(r);
}

static void put_gen(struct wr *w, const struct keys *k, const struct tek_gen *g, int64_t base_ms)
{
	uint8_t policy = 0;

	// The first generation that shares it names it.
	while (k->gen[policy].policy != g->policy)
		policy++;
	wr_u8(w, policy);
	if (g == &k->gen[policy])
		rep_put_policy(w, g->policy);
	wr_u32(w, g->serial);
	rep_put_time(w, g->born, base_ms);
	rep_put_time(w, g->active, base_ms);
	rep_put_time(w, g->drained, base_ms);
	for (size_t i = 0; i < g->policy->n_slot; i++) {
		wr_u32(w, g->tek[i].spi);
		rep_put_time(w, g->tek[i].dies, base_ms);
		rep_put_secret(w, &g->tek[i].alg_key);
		rep_put_secret(w, &g->tek[i].integrity_key);
	}
}

static void get_tek(struct rd *r, const struct policy_slot *slot, struct tek *t, int64_t base_ms)
{
	t->suite = slot->suite;
	t->life_s = slot->life_s;
	t->spi = rd_u32(r);
	t->dies = rep_get_time(r, base_ms);
	rep_get_secret(r, slot->suite->alg_key_len, &t->alg_key);
	rep_get_secret(r, slot->suite->integrity_key_len, &t->integrity_key);
}

// True when the generation is there to be freed, right or not.
static bool get_gen(struct rd *r, struct keys *k, int64_t base_ms)
{
	struct tek_gen *g = &k->gen[k->n_gen];
	uint8_t policy = rd_u8(r);

	if (!rd_ok(r) || policy > k->n_gen) {
		rd_fail(r, "generation without a policy");
		return false;
	}
	g->policy = policy == k->n_gen ? rep_get_policy(r) : policy_get(k->gen[policy].policy);
	if (!g->policy)
		return false;
	g->tek = calloc(MAX_OF(g->policy->n_slot, 1u), sizeof(*g->tek));
	BUG_ON(!g->tek);
	g->serial = rd_u32(r);
	g->born = rep_get_time(r, base_ms);
	g->active = rep_get_time(r, base_ms);
	g->drained = rep_get_time(r, base_ms);
	for (size_t i = 0; i < g->policy->n_slot; i++)
		get_tek(r, &g->policy->slot[i], &g->tek[i], base_ms);
	if (g->serial > k->last_serial)
		rd_fail(r, "serial from the future");
	return true;
}

void rep_put_keys(struct wr *w, const struct ks_group *g, int64_t base_ms)
{
	const struct keys *k = &g->keys;

	wr_u32(w, k->last_serial);
	wr_count8(w, k->n_gen);
	for (size_t i = 0; i < k->n_gen; i++)
		put_gen(w, k, &k->gen[i], base_ms);
	put_kek(w, &k->kek, base_ms);
	rep_put_bool(w, k->old_kek.params.suite != NULL);
	if (k->old_kek.params.suite)
		put_kek(w, &k->old_kek, base_ms);
	wr_u8(w, (uint8_t)g->wanted);
	wr_u8(w, (uint8_t)g->removal.pending);
}

void rep_get_keys(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct keys *k = &g->keys;
	size_t n;

	k->last_serial = rd_u32(r);
	n = rd_u8(r);
	if (n == 0 || n > KEYS_MAX_GENS)
		rd_fail(r, "no generation, or too many");
	for (size_t i = 0; i < n && rd_ok(r); i++)
		k->n_gen += get_gen(r, k, base_ms);
	if (rd_ok(r))
		get_kek(r, &k->kek, base_ms);
	if (rd_ok(r) && rep_get_bool(r))
		get_kek(r, &k->old_kek, base_ms);
	g->wanted = (enum ks_wanted)rd_u8(r);
	if (g->wanted > KS_WANT_REPLACE)
		rd_fail(r, "wants no known rekey");
	g->removal.pending = rd_u8(r);
	if (g->removal.pending > REMOVAL_SHUT_OUT)
		rd_fail(r, "removal in no state");
	if (!rd_end(r, 0)) {
		keys_end_all(k);
		*k = (struct keys){ 0 };
		g->wanted = KS_WANT_NOTHING;
		g->removal.pending = REMOVAL_NONE;
	}
}
