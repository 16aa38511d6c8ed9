#include "ks/replica.h"

#include "common/wire/wr.h"
#include "ks/push.h"

#define VERSION	   4
#define PACK_FIRST 4096

void ks_blob_fini(struct ks_blob *b)
{
	if (b->p)
		explicit_bzero(b->p, b->len);
	free(b->p);
	*b = (struct ks_blob){ 0 };
}

// ---- small things ----

static void put_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static uint64_t get_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);

	return hi << 32 | rd_u32(r);
}

static void put_time(struct wr *w, mono_t t, int64_t base_ms)
{
	put_u64(w, (uint64_t)(mono_is_never(t) ? INT64_MAX : t.ms + base_ms));
}

#define TIME_MAX_MS (INT64_MAX / 4) // leaves room for every sum

static mono_t get_time(struct rd *r, int64_t base_ms)
{
	int64_t t = (int64_t)get_u64(r);

	if (t == INT64_MAX)
		return MONO_NEVER;
	if (t > TIME_MAX_MS || t < -TIME_MAX_MS) {
		rd_fail(r, "time out of range");
		return MONO_NEVER;
	}
	return (mono_t){ t - base_ms };
}

static void put_bool(struct wr *w, bool b)
{
	wr_u8(w, b ? 1 : 0);
}

static bool get_bool(struct rd *r)
{
	uint8_t b = rd_u8(r);

	if (b > 1)
		rd_fail(r, "neither yes nor no");
	return b == 1;
}

static void put_str(struct wr *w, const char *s)
{
	size_t n = strlen(s);

	wr_count8(w, n);
	wr_put(w, s, n);
}

static void get_str(struct rd *r, char *out, size_t size)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	out[0] = '\0';
	if (b.len >= size || (b.len > 0 && memchr(b.p, 0, b.len)))
		rd_fail(r, "text too long");
	else if (b.len > 0)
		snprintf(out, size, "%.*s", (int)b.len, (const char *)b.p);
}

static void put_secret(struct wr *w, const struct secret *s)
{
	wr_count8(w, s->len);
	wr_put(w, s->b, s->len);
}

// len: what it has to be.
static void get_secret(struct rd *r, size_t len, struct secret *s)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (b.len != len)
		rd_fail(r, "key of a wrong length");
	else if (secret_set(s, b.p, b.len))
		rd_fail(r, "key too long");
}

static void put_addr(struct wr *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_put(w, a->b, addr_len(a));
}

static void get_addr(struct rd *r, struct addr *a)
{
	uint8_t family = rd_u8(r);
	size_t len = family == 4 ? 4 : family == 6 ? 16 : 0;
	struct bytes b = rd_bytes(r, len);

	if (len == 0)
		rd_fail(r, "no such family of addresses");
	*a = b.len ? addr_from_bytes(b.p, b.len) : (struct addr){ 0 };
}

static void put_endpoint(struct wr *w, const struct endpoint *e)
{
	put_addr(w, &e->addr);
	wr_u16(w, e->port);
}

static void get_endpoint(struct rd *r, struct endpoint *e)
{
	get_addr(r, &e->addr);
	e->port = rd_u16(r);
}

// A group address and its TTL; without one, family 0.
static void put_group(struct wr *w, const struct endpoint *e, uint8_t ttl)
{
	put_bool(w, e->addr.family);
	if (e->addr.family)
		put_endpoint(w, e);
	wr_u8(w, ttl);
}

static void get_group(struct rd *r, struct endpoint *e, uint8_t *ttl)
{
	if (get_bool(r)) {
		get_endpoint(r, e);
		if (!addr_is_multicast(&e->addr))
			rd_fail(r, "no group address");
	}
	*ttl = rd_u8(r);
}

size_t ks_member_key(const struct member_name *n, uint8_t out[KS_MEMBER_KEY_MAX])
{
	struct wr w;

	wr_init(&w, out, KS_MEMBER_KEY_MAX);
	put_addr(&w, &n->addr);
	if (n->behind)
		put_u64(&w, n->behind);
	return w.len;
}

// ---- policy ----

static void put_side(struct wr *w, const struct flow_side *s)
{
	put_addr(w, &s->lo);
	put_addr(w, &s->hi);
	wr_u16(w, s->port_lo);
	wr_u16(w, s->port_hi);
}

static void get_side(struct rd *r, struct flow_side *s)
{
	get_addr(r, &s->lo);
	get_addr(r, &s->hi);
	s->port_lo = rd_u16(r);
	s->port_hi = rd_u16(r);
	if (addr_cmp(&s->lo, &s->hi) > 0 || s->lo.family != s->hi.family || s->port_lo > s->port_hi)
		rd_fail(r, "range upside down");
}

static void put_rules(struct wr *w, const struct policy_rule *rule, size_t n)
{
	wr_count8(w, n);
	for (size_t i = 0; i < n; i++) {
		put_bool(w, rule[i].permit);
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
		rule[i].permit = get_bool(r);
		rule[i].slot = rd_u16(r);
		rule[i].flow.proto = rd_u8(r);
		get_side(r, &rule[i].flow.src);
		get_side(r, &rule[i].flow.dst);
		if (rule[i].permit && rule[i].slot >= n_slot)
			rd_fail(r, "rule without a slot");
	}
	return n;
}

static void put_policy(struct wr *w, const struct policy *p)
{
	wr_count8(w, p->n_slot);
	for (size_t i = 0; i < p->n_slot; i++) {
		const struct policy_slot *s = &p->slot[i];

		wr_u16(w, s->sa_number);
		put_str(w, s->suite->name);
		wr_u32(w, s->life_s);
		put_str(w, s->acl);
	}
	put_rules(w, p->ordered, p->n_ordered);
	put_rules(w, p->flat, p->n_flat);
	wr_u32(w, p->no_flat_at);
}

static void get_slot(struct rd *r, struct policy *p, struct policy_slot *s)
{
	char suite[64];

	s->sa_number = rd_u16(r);
	get_str(r, suite, sizeof(suite));
	s->life_s = rd_u32(r);
	get_str(r, s->acl, sizeof(s->acl));
	s->suite = rd_ok(r) ? suite_tek_named(suite) : NULL;
	if (!s->suite) {
		rd_fail(r, "transform not known here");
		return;
	}
	p->counter |= s->suite->counter_iv;
	p->life_s = MIN_OF(p->life_s, s->life_s);
}

static struct policy *get_policy(struct rd *r)
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
	if (rd_ok(r))
		return p;
	free(p);
	return NULL;
}

// ---- keys ----

static void put_kek(struct wr *w, const struct kek *k, int64_t base_ms)
{
	const struct kek_params *p = &k->params;

	wr_put(w, k->spi, sizeof(k->spi));
	put_str(w, p->suite->name);
	wr_u8(w, (uint8_t)p->cipher);
	wr_u32(w, p->life_s);
	put_str(w, p->sign_label);
	wr_u8(w, (uint8_t)p->sign_alg);
	wr_u16(w, p->sign_bits);
	wr_u8(w, (uint8_t)p->sign_hash);
	wr_u8(w, (uint8_t)p->sign_form);
	wr_u16(w, p->lkh_degree);
	wr_u8(w, (uint8_t)p->ack);
	put_group(w, &p->group, p->ttl);
	wr_count16(w, k->pub_len);
	wr_put(w, k->pub, k->pub_len);
	wr_put(w, k->iv, sizeof(k->iv));
	put_secret(w, &k->key);
	put_time(w, k->born, base_ms);
	put_time(w, k->dies, base_ms);
	wr_u32(w, k->seq);
}

static void get_kek(struct rd *r, struct kek *k, int64_t base_ms)
{
	struct kek_params *p = &k->params;
	struct bytes pub;
	char suite[32];

	rd_copy(r, k->spi, sizeof(k->spi));
	get_str(r, suite, sizeof(suite));
	p->suite = suite_kek_named(suite);
	p->cipher = (enum cipher_alg)rd_u8(r);
	if (!p->suite || cipher_key_len(p->cipher) != p->suite->key_len ||
	    cipher_block_len(p->cipher) != p->suite->iv_len) {
		rd_fail(r, "cipher of the KEK not known here");
		return;
	}
	p->life_s = rd_u32(r);
	get_str(r, p->sign_label, sizeof(p->sign_label));
	p->sign_alg = (enum sign_alg)rd_u8(r);
	p->sign_bits = rd_u16(r);
	p->sign_hash = (enum hash_alg)rd_u8(r);
	p->sign_form = (enum rsa_form)rd_u8(r);
	p->lkh_degree = rd_u16(r);
	p->ack = (enum kek_ack)rd_u8(r);
	get_group(r, &p->group, &p->ttl);
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
	get_secret(r, p->suite->key_len, &k->key);
	k->born = get_time(r, base_ms);
	k->dies = get_time(r, base_ms);
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
		put_policy(w, g->policy);
	wr_u32(w, g->serial);
	put_time(w, g->born, base_ms);
	put_time(w, g->active, base_ms);
	put_time(w, g->drained, base_ms);
	for (size_t i = 0; i < g->policy->n_slot; i++) {
		wr_u32(w, g->tek[i].spi);
		put_time(w, g->tek[i].dies, base_ms);
		put_secret(w, &g->tek[i].alg_key);
		put_secret(w, &g->tek[i].integrity_key);
	}
}

static void get_tek(struct rd *r, const struct policy_slot *slot, struct tek *t, int64_t base_ms)
{
	t->suite = slot->suite;
	t->life_s = slot->life_s;
	t->spi = rd_u32(r);
	t->dies = get_time(r, base_ms);
	get_secret(r, slot->suite->alg_key_len, &t->alg_key);
	get_secret(r, slot->suite->integrity_key_len, &t->integrity_key);
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
	g->policy = policy == k->n_gen ? get_policy(r) : policy_get(k->gen[policy].policy);
	if (!g->policy)
		return false;
	g->tek = calloc(MAX_OF(g->policy->n_slot, 1u), sizeof(*g->tek));
	BUG_ON(!g->tek);
	g->serial = rd_u32(r);
	g->born = get_time(r, base_ms);
	g->active = get_time(r, base_ms);
	g->drained = get_time(r, base_ms);
	for (size_t i = 0; i < g->policy->n_slot; i++)
		get_tek(r, &g->policy->slot[i], &g->tek[i], base_ms);
	if (g->serial > k->last_serial)
		rd_fail(r, "serial from the future");
	return true;
}

static void put_keys(struct wr *w, const struct ks_group *g, int64_t base_ms)
{
	const struct keys *k = &g->keys;

	wr_u32(w, k->last_serial);
	wr_count8(w, k->n_gen);
	for (size_t i = 0; i < k->n_gen; i++)
		put_gen(w, k, &k->gen[i], base_ms);
	put_kek(w, &k->kek, base_ms);
	put_bool(w, k->old_kek.params.suite != NULL);
	if (k->old_kek.params.suite)
		put_kek(w, &k->old_kek, base_ms);
	wr_u8(w, (uint8_t)g->wanted);
	wr_u8(w, (uint8_t)g->removal.pending);
}

static void get_keys(struct rd *r, struct ks_group *g, int64_t base_ms)
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
	if (rd_ok(r) && get_bool(r))
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

// ---- sender ids and counters ----

static void put_run(struct wr *w, const struct ks_group *g)
{
	wr_u8(w, g->sids.bits);
	put_u64(w, g->sids.next);
	put_u64(w, g->registrations);
	wr_u32(w, g->rekeys_sent);
	wr_u32(w, g->retransmits);
}

static void get_run(struct rd *r, struct ks_group *g)
{
	struct sid_pool sids = { .bits = rd_u8(r), .next = get_u64(r) };
	uint64_t registrations = get_u64(r);
	uint32_t sent = rd_u32(r), again = rd_u32(r);

	if (sids.bits < 8 || sids.bits > 32 || sids.next > UINT64_C(1) << sids.bits)
		rd_fail(r, "sender ids out of range");
	if (!rd_end(r, 0))
		return;
	g->sids = sids;
	g->registrations = registrations;
	g->rekeys_sent = sent;
	g->retransmits = again;
}

// ---- the rekey that is being sent ----

static void put_part_of(struct wr *w, const struct ks_part *part)
{
	size_t n = 0;

	for (size_t v = 0; v < KS_V_COUNT; v++)
		n += part->dgram[v] != NULL;
	wr_u32(w, part->seq);
	wr_count8(w, n);
	for (size_t v = 0; v < KS_V_COUNT; v++) {
		if (!part->dgram[v])
			continue;
		wr_u8(w, (uint8_t)v);
		wr_u32(w, (uint32_t)part->len[v]);
		wr_put(w, part->dgram[v], part->len[v]);
	}
}

static void put_push(struct wr *w, const struct ks_group *g, int64_t base_ms)
{
	const struct ks_push *p = &g->push;

	put_bool(w, p->live);
	put_bool(w, p->have);
	put_bool(w, p->has_sak);
	put_bool(w, p->clears);
	put_bool(w, p->tree);
	put_bool(w, p->ack_lkh);
	put_endpoint(w, &p->from);
	wr_u16(w, p->port);
	put_group(w, &p->group, p->ttl);
	wr_put(w, p->spi, sizeof(p->spi));
	wr_u32(w, p->seq);
	put_secret(w, &p->ack_key[0]);
	put_secret(w, &p->ack_key[1]);
	wr_count16(w, p->n_parts);
	for (size_t i = 0; i < p->n_parts; i++)
		put_part_of(w, &p->part[i]);
	put_time(w, p->started, base_ms);
	put_time(w, p->ended, base_ms);
}

static void get_dgram(struct rd *r, uint8_t **p, size_t *len)
{
	struct bytes b = rd_bytes(r, rd_u32(r));

	if (b.len > KS_DGRAM_MAX)
		rd_fail(r, "datagram too long");
	if (!rd_ok(r) || b.len == 0)
		return;
	*p = malloc(b.len);
	BUG_ON(!*p);
	memcpy(*p, b.p, b.len);
	*len = b.len;
}

static void get_part(struct rd *r, struct ks_part *part)
{
	size_t n;

	part->seq = rd_u32(r);
	n = rd_u8(r);
	for (size_t i = 0; i < n && rd_ok(r); i++) {
		size_t v = rd_u8(r);

		if (v >= KS_V_COUNT || part->dgram[v])
			rd_fail(r, "no such variant, or one that comes twice");
		else
			get_dgram(r, &part->dgram[v], &part->len[v]);
	}
}

static void get_ack_key(struct rd *r, struct secret *s)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (secret_set(s, b.p, b.len))
		rd_fail(r, "key too long");
}

static void get_push_parts(struct rd *r, struct ks_push *p)
{
	size_t n = rd_u16(r);

	if (rd_left(r) / (4 + 1) < n) {
		rd_fail(r, "more messages than octets");
		return;
	}
	p->part = calloc(n ? n : 1, sizeof(*p->part));
	BUG_ON(!p->part);
	for (; p->n_parts < n && rd_ok(r); p->n_parts++)
		get_part(r, &p->part[p->n_parts]);
}

static void get_push(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct ks_push *p = &g->push;

	p->live = get_bool(r);
	p->have = get_bool(r);
	p->has_sak = get_bool(r);
	p->clears = get_bool(r);
	p->tree = get_bool(r);
	p->ack_lkh = get_bool(r);
	get_endpoint(r, &p->from);
	p->port = rd_u16(r);
	get_group(r, &p->group, &p->ttl);
	rd_copy(r, p->spi, sizeof(p->spi));
	p->seq = rd_u32(r);
	get_ack_key(r, &p->ack_key[0]);
	get_ack_key(r, &p->ack_key[1]);
	get_push_parts(r, p);
	p->started = get_time(r, base_ms);
	p->ended = get_time(r, base_ms);
	if (p->n_parts == 0 || !p->have)
		rd_fail(r, "rekey without messages");
	if (!rd_end(r, 0))
		ks_push_fini(p);
}

// ---- key tree ----

static void put_tree(struct wr *w, const struct lkh *t)
{
	wr_u8(w, (uint8_t)t->alg);
	wr_u16(w, t->degree);
	wr_u16(w, t->free);
	wr_u32(w, t->n);
	wr_u32(w, t->n_stale);
	wr_u32(w, t->last_handle);
	for (uint32_t i = LKH_ROOT; i < t->n; i++) {
		const struct lkh_node *n = &t->node[i];

		wr_u16(w, n->parent);
		wr_u16(w, n->child);
		wr_u16(w, n->sibling);
		wr_u8(w, n->level);
		put_bool(w, n->stale);
		wr_u32(w, n->n_members);
		wr_u32(w, n->handle);
		put_secret(w, &n->data);
	}
}

static void get_node(struct rd *r, const struct lkh *t, struct lkh_node *n)
{
	size_t len = cipher_block_len(t->alg) + cipher_key_len(t->alg);
	struct bytes data;

	n->parent = rd_u16(r);
	n->child = rd_u16(r);
	n->sibling = rd_u16(r);
	n->level = rd_u8(r);
	n->stale = get_bool(r);
	n->n_members = rd_u32(r);
	n->handle = rd_u32(r);
	data = rd_bytes(r, rd_u8(r));
	if (data.len != 0 && data.len != len)
		rd_fail(r, "key of a wrong length");
	else if (secret_set(&n->data, data.p, data.len))
		rd_fail(r, "key too long");
	if (n->parent >= t->n || n->child >= t->n || n->sibling >= t->n)
		rd_fail(r, "key tree with a loose branch");
}

// Every node is free, or the child of one parent on a higher level: no loop, nothing lost.
static bool tree_is_whole(const struct lkh *t)
{
	bool *seen = calloc(t->n, sizeof(*seen)), ok = t->node[LKH_ROOT].parent == 0;
	uint32_t n = 2; // [0] and the root

	BUG_ON(!seen);
	seen[0] = seen[LKH_ROOT] = true;
	for (uint32_t i = LKH_ROOT; ok && i < t->n; i++) {
		for (uint16_t c = t->node[i].child; ok && c != 0; c = t->node[c].sibling) {
			ok = !seen[c] && t->node[c].parent == i &&
			     t->node[c].level < t->node[i].level;
			seen[c] = true;
			n++;
		}
	}
	for (uint16_t f = t->free; ok && f != 0; f = t->node[f].sibling) {
		ok = !seen[f] && t->node[f].child == 0 && t->node[f].n_members == 0;
		seen[f] = true;
		n++;
	}
	free(seen);
	return ok && n == t->n;
}

static void get_tree(struct rd *r, struct ks_group *g)
{
	struct lkh *t = &g->lkh;

	t->alg = (enum cipher_alg)rd_u8(r);
	t->degree = rd_u16(r);
	t->free = rd_u16(r);
	t->n = t->cap = rd_u32(r);
	t->n_stale = rd_u32(r);
	t->last_handle = rd_u32(r);
	if ((t->alg != CIPHER_AES128_CBC && t->alg != CIPHER_AES256_CBC) ||
	    t->degree < LKH_DEGREE_MIN || t->degree > LKH_DEGREE_MAX || t->n <= LKH_ROOT ||
	    t->n > LKH_NODES_MAX + 1u || rd_left(r) / 17 < t->n - 1 || t->free >= t->n) {
		rd_fail(r, "key tree out of range");
		*t = (struct lkh){ 0 };
		return;
	}
	t->node = calloc(t->n, sizeof(*t->node));
	BUG_ON(!t->node);
	for (uint32_t i = LKH_ROOT; i < t->n && rd_ok(r); i++)
		get_node(r, t, &t->node[i]);
	if (rd_ok(r) && !tree_is_whole(t))
		rd_fail(r, "key tree with a loose branch");
	if (!rd_end(r, 0))
		lkh_fini(t);
}

// ---- who is excluded ----

static void put_banned(struct wr *w, const struct removal *m)
{
	wr_count16(w, m->n);
	for (size_t i = 0; i < m->n; i++) {
		put_addr(w, &m->tombstone[i].who);
		put_u64(w, m->tombstone[i].proved);
	}
}

static void get_banned(struct rd *r, struct removal *m)
{
	size_t n = rd_u16(r);

	if (n > TOMBSTONES_MAX || rd_left(r) / 13 < n) {
		rd_fail(r, "too many tombstones");
		return;
	}
	m->tombstone = calloc(n ? n : 1, sizeof(*m->tombstone));
	BUG_ON(!m->tombstone);
	for (; m->n < n && rd_ok(r); m->n++) {
		get_addr(r, &m->tombstone[m->n].who);
		m->tombstone[m->n].proved = get_u64(r);
	}
	if (!rd_end(r, 0))
		removal_fini(m);
}

// ---- members ----

static void put_member(struct wr *w, const struct member *m, int64_t base_ms)
{
	put_str(w, m->identity);
	put_u64(w, m->proved);
	put_endpoint(w, &m->remote);
	put_endpoint(w, &m->local);
	put_u64(w, m->behind);
	put_bool(w, m->inner.family);
	if (m->inner.family)
		put_addr(w, &m->inner);
	put_time(w, m->registered, base_ms);
	put_bool(w, m->conclave);
	wr_u8(w, m->major);
	wr_u8(w, m->minor);
	put_bool(w, m->ordered);
	put_bool(w, m->ack_asked);
	put_bool(w, m->by_group);
	put_bool(w, m->acked_ever);
	wr_u16(w, m->leaf);
	wr_u8(w, (uint8_t)m->push);
	wr_u16(w, m->part);
	wr_u32(w, m->registrations);
	wr_u32(w, m->rekeys_sent);
	wr_u32(w, m->retransmits);
	wr_u32(w, m->acks_received);
	wr_u32(w, m->acks_missed);
	wr_u32(w, m->missed_in_row);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++) {
		wr_u32(w, m->sent_seq[i]);
		wr_u32(w, m->acked_seq[i]);
	}
}

static void read_member(struct rd *r, struct member *m, int64_t base_ms)
{
	get_str(r, m->identity, sizeof(m->identity));
	m->proved = get_u64(r);
	get_endpoint(r, &m->remote);
	get_endpoint(r, &m->local);
	m->behind = get_u64(r);
	if (get_bool(r))
		get_addr(r, &m->inner);
	m->registered = get_time(r, base_ms);
	m->conclave = get_bool(r);
	m->major = rd_u8(r);
	m->minor = rd_u8(r);
	m->ordered = get_bool(r);
	m->ack_asked = get_bool(r);
	m->by_group = get_bool(r);
	m->acked_ever = get_bool(r);
	m->leaf = rd_u16(r);
	m->push = (enum member_push)rd_u8(r);
	m->part = rd_u16(r);
	if (m->push > MEMBER_PUSH_MISSED)
		rd_fail(r, "member in no state");
	m->registrations = rd_u32(r);
	m->rekeys_sent = rd_u32(r);
	m->retransmits = rd_u32(r);
	m->acks_received = rd_u32(r);
	m->acks_missed = rd_u32(r);
	m->missed_in_row = rd_u32(r);
	for (size_t i = 0; i < MEMBER_SEQ_SHOWN; i++) {
		m->sent_seq[i] = rd_u32(r);
		m->acked_seq[i] = rd_u32(r);
	}
}

static void get_member(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct member in = { 0 }, *m;
	struct member_name name;

	read_member(r, &in, base_ms);
	name = member_name(&in);
	if (in.leaf != 0 && (in.leaf >= g->lkh.n || g->lkh.node[in.leaf].n_members != 1 ||
			     g->lkh.node[in.leaf].child != 0))
		rd_fail(r, "member without a leaf in the key tree");
	if (rd_ok(r) && members_named(&g->members, &name))
		rd_fail(r, "two members of one name");
	if (!rd_end(r, 0))
		return;
	m = members_add(&g->members, &in.remote, NULL);
	if (!m) {
		rd_fail(r, "too many members");
		return;
	}
	in.prev = m->prev;
	in.next = m->next;
	in.chain = m->chain;
	*m = in;
}

// ---- parts ----

static void put_part(struct wr *w, const struct ks_group *g, enum ks_part_kind part,
		     const struct member *m, int64_t base_ms)
{
	wr_u8(w, VERSION);
	switch (part) {
	case KS_PART_KEYS:
		put_keys(w, g, base_ms);
		break;
	case KS_PART_RUN:
		put_run(w, g);
		break;
	case KS_PART_PUSH:
		put_push(w, g, base_ms);
		break;
	case KS_PART_TREE:
		put_tree(w, &g->lkh);
		break;
	case KS_PART_BANNED:
		put_banned(w, &g->removal);
		break;
	case KS_PART_MEMBER:
		put_member(w, m, base_ms);
		break;
	default:
		BUG("no such part");
	}
}

void ks_replica_pack(const struct ks_group *g, enum ks_part_kind part, const struct member *m,
		     int64_t base_ms, struct ks_blob *out)
{
	for (size_t cap = PACK_FIRST;; cap *= 2) {
		uint8_t *p = malloc(cap);
		struct wr w;

		BUG_ON(!p);
		wr_init(&w, p, cap);
		put_part(&w, g, part, m, base_ms);
		if (wr_ok(&w)) {
			*out = (struct ks_blob){ p, w.len };
			return;
		}
		explicit_bzero(p, cap);
		free(p);
	}
}

bool ks_replica_unpack(struct ks_group *g, enum ks_part_kind part, struct bytes in, int64_t base_ms,
		       struct rd_err *why)
{
	struct rd r = rd_of(in, why);

	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "written by another version");
	switch (part) {
	case KS_PART_KEYS:
		get_keys(&r, g, base_ms);
		break;
	case KS_PART_RUN:
		get_run(&r, g);
		break;
	case KS_PART_PUSH:
		get_push(&r, g, base_ms);
		break;
	case KS_PART_TREE:
		get_tree(&r, g);
		break;
	case KS_PART_BANNED:
		get_banned(&r, &g->removal);
		break;
	case KS_PART_MEMBER:
		get_member(&r, g, base_ms);
		break;
	default:
		rd_fail(&r, "part not known here");
	}
	return rd_ok(&r);
}

static bool has_part(const struct ks_group *g, enum ks_part_kind part)
{
	switch (part) {
	case KS_PART_KEYS:
	case KS_PART_RUN:
		return true;
	case KS_PART_PUSH:
		return g->push.have;
	case KS_PART_TREE:
		return ks_has_tree(g);
	case KS_PART_BANNED:
		return g->removal.n > 0;
	default:
		return false;
	}
}

// FNV-1a: to see a change, not to resist anybody.
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}
#define MIX(h, field) mix(h, &(field), sizeof(field))

uint64_t ks_replica_mark(const struct ks_group *g, enum ks_part_kind part)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (!has_part(g, part))
		return 0;
	switch (part) {
	case KS_PART_KEYS:
		h = MIX(h, g->keys.last_serial);
		h = MIX(h, g->keys.kek.spi);
		h = MIX(h, g->keys.kek.seq);
		h = MIX(h, g->removal.pending);
		return MIX(h, g->wanted);
	case KS_PART_RUN:
		h = MIX(h, g->sids.bits);
		h = MIX(h, g->sids.next);
		return MIX(h, g->registrations);
	case KS_PART_PUSH:
		h = MIX(h, g->push.live);
		h = MIX(h, g->push.have);
		h = MIX(h, g->push.spi);
		return MIX(h, g->push.seq);
	case KS_PART_TREE: // a new tree has a new KEK, joins make handles, leaving changes a count
		h = MIX(h, g->keys.kek.spi);
		h = MIX(h, g->lkh.last_handle);
		h = MIX(h, g->lkh.n_stale);
		h = MIX(h, g->lkh.free);
		return MIX(h, g->lkh.node[LKH_ROOT].n_members);
	case KS_PART_BANNED:
		for (size_t i = 0; i < g->removal.n; i++) {
			h = MIX(h, g->removal.tombstone[i].who);
			h = MIX(h, g->removal.tombstone[i].proved);
		}
		return h;
	default:
		return h;
	}
}
