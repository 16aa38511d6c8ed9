#include "ks/push.h"

#include "ks/fanout.h"
#include "ks/mirror.h"
#include "ks/sa_build.h"

#define PARTS_MAX 4096

bool ks_has_tree(const struct ks_group *g)
{
	return g->lkh.node != NULL;
}

static void part_fini(struct ks_part *part)
{
	for (size_t v = 0; v < KS_V_COUNT; v++) {
		if (part->dgram[v])
			explicit_bzero(part->dgram[v], part->len[v]);
		free(part->dgram[v]);
	}
	explicit_bzero(part, sizeof(*part));
}

void ks_push_fini(struct ks_push *p)
{
	for (size_t i = 0; i < p->n_parts; i++)
		part_fini(&p->part[i]);
	free(p->part);
	explicit_bzero(p, sizeof(*p));
}

const struct ks_part *ks_push_part_under(const struct ks_push *p, const struct member *m,
					 const uint8_t spi[KEYS_KEK_SPI_LEN])
{
	if (!p->have)
		return NULL;
	if (!p->every)
		return memcmp(p->spi, spi, sizeof(p->spi)) == 0 ? &p->part[m ? m->part : 0] : NULL;
	for (size_t i = 0; i < p->n_parts; i++) {
		if (memcmp(p->part[i].spi, spi, sizeof(p->part[i].spi)) == 0)
			return &p->part[i];
	}
	return NULL;
}

// k: the KEK that it is sealed under.
static bool push_init(const struct ks *ks, const struct ks_group *g, const struct kek *k,
		      mono_t now, struct ks_push *p)
{
	*p = (struct ks_push){ .seq = k->seq,
			       .before = k->seq,
			       .ack_lkh = k->params.ack == KEK_ACK_LKH,
			       .from = { ks->conf->address, ks->conf->port },
			       .port = ks->ike.wire.push_port,
			       .group = k->params.group,
			       .ttl = k->params.ttl };
	memcpy(p->spi, k->spi, sizeof(p->spi));
	if (!k->store)
		return false;
	if (g->shared) {
		p->seq = ks_mirror_seq_next(g, now, k) - 1;
		p->commit = UINT64_MAX;
		if (p->seq == UINT32_MAX) // there is none left
			return false;
	}
	return ks_ack_keys(BYTES(k->key.b, k->key.len), k->spi, p->ack_key) == 0;
}

static const struct gdoi_wire_opts *ks_form(const struct ks *ks, size_t form)
{
	return form ? &ks->ike.form[form] : &ks->ike.wire;
}

static struct ks_part *part_add(struct ks_push *p)
{
	BUG_ON(p->n_parts == PARTS_MAX);
	p->part = reallocarray(p->part, p->n_parts + 1, sizeof(*p->part));
	BUG_ON(!p->part);
	p->part[p->n_parts] = (struct ks_part){ .seq = ++p->seq };
	return &p->part[p->n_parts++];
}

// ---- sealing ----

static size_t padding(const struct kek_params *p, size_t body)
{
	return (p->suite->iv_len - body % p->suite->iv_len) % p->suite->iv_len;
}

// Signs what was written and encrypts it under the KEK in force (RFC 6407 4): its one IV, zero
// padding, Length of the padded message.
static bool seal(const struct gdoi_wire_opts *o, const struct kek *k, size_t announced,
		 struct wr *w, struct bytes to_sign)
{
	const struct kek_params *p = &k->params;
	uint8_t digest[HASH_MAX], sig[SIG_MAX], hdr[ISAKMP_HDR_LEN];
	const struct bytes part[] = { BYTES(GDOI_PUSH_LABEL, GDOI_PUSH_LABEL_LEN), BYTES_OF(hdr),
				      BYTES(to_sign.p + sizeof(hdr), to_sign.len - sizeof(hdr)) };
	size_t sig_len, sent = to_sign.len + ISAKMP_PL_HDR_LEN + announced;

	memcpy(hdr, to_sign.p, sizeof(hdr));
	gdoi_push_hdr_as_signed(o, sent + padding(p, sent - sizeof(hdr)), hdr);
	if (hash_parts(p->sign_hash, part, N_ELEMS(part), digest) ||
	    signer_sign(&k->store->signer, p->sign_label, p->sign_hash, digest, p->sign_form, sig,
			&sig_len) ||
	    !gdoi_push_end(w, BYTES(sig, sig_len)))
		return false;
	wr_zero(w, padding(p, w->len - ISAKMP_HDR_LEN));
	if (!wr_ok(w))
		return false;
	isakmp_hdr_len_set(w->p, (uint32_t)w->len);
	return cipher_encrypt(p->cipher, &k->key, k->iv, w->p + ISAKMP_HDR_LEN,
			      w->len - ISAKMP_HDR_LEN, w->p + ISAKMP_HDR_LEN) == 0;
}

static bool write_push(struct ks *ks, const struct kek *k, const struct gdoi_push *m,
		       struct ks_part *part, unsigned variant)
{
	const struct gdoi_wire_opts *o = ks_form(ks, variant / KS_V_FORM);
	struct bytes to_sign;
	size_t sig_len;
	struct wr w;

	wr_init(&w, ks->buf, KS_DGRAM_MAX);
	if (signer_alg(&k->store->signer, k->params.sign_label, &sig_len) == SIGN_NONE ||
	    !gdoi_push_begin(o, &w, k->spi, m, sig_len, &to_sign) ||
	    !seal(o, k, sig_len, &w, to_sign))
		return false;
	part->dgram[variant] = malloc(w.len);
	BUG_ON(!part->dgram[variant]);
	memcpy(part->dgram[variant], w.p, w.len);
	part->len[variant] = w.len;
	return true;
}

// ---- content ----

// next: the first array of the key tree that is still to be sent; moved on.
static bool build_kek(const struct ks_roll *r, unsigned variant, size_t *next, struct gdoi_push *m,
		      struct secret *joined)
{
	const struct endpoint src = { r->ks->conf->address, r->ks->conf->port };
	const struct endpoint wherever = { { .family = src.addr.family }, GDOI_PORT };
	const struct gdoi_wire_opts *o = ks_form(r->ks, variant / KS_V_FORM);

	m->sa.has_sak = true;
	ks_build_sak(o, &r->new_kek, &src,
		     variant & KS_V_GROUP ? &r->new_kek.params.group : &wherever,
		     variant & KS_V_ACK, r->now, &m->sa.sak);
	if (!ks_has_tree(r->g)) {
		ks_build_kek(o, &r->new_kek, joined, &m->kd);
		return true;
	}
	m->sa.sak.management = GDOI_KEK_MANAGEMENT_LKH;
	return ks_build_update(o, &r->new_kek, &r->update, next, &m->kd);
}

// Those before the newest, as far as they fit: members of another part of the set may never have
// heard of them.
static void build_older(const struct ks_roll *r, const struct gdoi_wire_opts *o, bool ordered,
			struct gdoi_push *m)
{
	const struct keys *k = &r->g->keys;

	for (size_t i = 1; i < k->n_gen; i++) {
		size_t n_sat = m->sa.n_sat, n_tek = m->kd.n_tek;
		bool bypass = !policy_eq(k->gen[i].policy, k->gen[0].policy);

		if (!ordered && k->gen[i].policy->no_flat_at)
			continue;
		if (!ks_build_sats(o, &k->gen[i], ordered, bypass, r->now, &m->sa) ||
		    !ks_build_teks(&k->gen[i], r->now, &m->kd)) {
			m->sa.n_sat = n_sat;
			m->kd.n_tek = n_tek;
			return;
		}
	}
}

static bool build_sa(const struct ks_roll *r, unsigned variant, size_t *next, struct gdoi_push *m,
		     struct secret *joined)
{
	bool ordered = variant & KS_V_ORDERED;

	m->has_sa = true;
	if (r->kek && !build_kek(r, variant, next, m, joined))
		return false;
	m->sa.has_gap = r->tek || ordered;
	m->sa.gap = (struct gdoi_gap){ .has_pseudotime = ordered };
	if (ordered)
		m->sa.gap.pseudotime = ks_pseudo_at(&r->g->pseudo, r->now);
	if (!r->tek)
		return true;
	m->sa.gap.has_atd = m->sa.gap.has_dtd = true;
	m->sa.gap.atd_s = (uint16_t)r->delays.atd_s;
	m->sa.gap.dtd_s = (uint16_t)r->delays.dtd_s;
	if (!ks_build_sats(ks_form(r->ks, variant / KS_V_FORM), &r->g->keys.gen[0], ordered, true,
			   r->now, &m->sa) ||
	    !ks_build_teks(&r->g->keys.gen[0], r->now, &m->kd))
		return false;
	if (r->all)
		build_older(r, ks_form(r->ks, variant / KS_V_FORM), ordered, m);
	return true;
}

// Every TEK but those of the new generation, by name (RFC 6407 5.9). spi: room for them.
static void build_deletes(const struct ks_roll *r, struct gdoi_push *m, uint8_t *spi)
{
	const struct keys *k = &r->g->keys;
	uint32_t old[KEYS_MAX_GENS * POLICY_MAX_RULES];
	size_t n = 0;

	for (size_t i = 1; r->replace && i < k->n_gen; i++) {
		for (size_t s = 0; s < k->gen[i].policy->n_slot; s++)
			old[n++] = k->gen[i].tek[s].spi;
	}
	if (n > 0)
		m->del[m->n_del++] = gdoi_delete_teks(GDOI_PROTO_ESP, old, n, spi);
}

static bool build_variant(const struct ks_roll *r, struct ks_part *part, unsigned variant,
			  size_t *next)
{
	struct gdoi_push *m = calloc(1, sizeof(*m));
	uint8_t del[KEYS_MAX_GENS * POLICY_MAX_RULES * GDOI_TEK_SPI_LEN];
	struct secret joined = { 0 };
	bool ok;

	BUG_ON(!m);
	m->seq = part->seq;
	build_deletes(r, m, del);
	ok = build_sa(r, variant, next, m, &joined) && write_push(r->ks, r->seal, m, part, variant);
	free(m);
	secret_fini(&joined);
	return ok;
}

// May a member need this variant? Every form of the policy there is, with and without the request
// for acknowledgements, as its peers read it; to the group only one.
static bool is_needed(const struct ks_roll *r, unsigned v)
{
	bool flat = r->g->keys.gen[0].policy->no_flat_at == 0;
	size_t form = v / KS_V_FORM;

	if (form >= MAX_OF(r->ks->ike.n_forms, 1u) || (form && v & KS_V_GROUP))
		return false;

	if ((v & (KS_V_ACK | KS_V_GROUP)) && !r->kek)
		return false;
	if (v & KS_V_GROUP)
		return r->new_kek.params.group.addr.family && !(v & KS_V_ORDERED) == flat &&
		       !(v & KS_V_ACK) == !r->new_kek.params.ack;
	return (v & KS_V_ORDERED) || flat;
}

static bool build_part(const struct ks_roll *r, struct ks_part *part, size_t *next)
{
	size_t from = *next;

	for (unsigned v = 0; v < KS_V_COUNT; v++) {
		size_t here = from;

		if (!is_needed(r, v))
			continue;
		if (!build_variant(r, part, v, &here))
			return false;
		*next = here;
	}
	return true;
}

// ends: of each part, the first array that is not in it.
static void assign_parts(const struct ks_roll *r, const struct ks_push *p, const size_t *ends)
{
	for (struct member *m = r->g->members.first; m; m = m->next) {
		size_t start, part = 0;

		m->part = 0;
		if (m->leaf == 0)
			continue;
		start = lkh_start_of(&r->g->lkh, &r->update, m->leaf);
		while (part + 1 < p->n_parts && start >= ends[part])
			part++;
		m->part = (uint16_t)part;
	}
}

static void assign_first(struct ks_group *g)
{
	for (struct member *m = g->members.first; m; m = m->next)
		m->part = 0;
}

void ks_push_forms(const struct ks *ks, struct ks_group *g)
{
	for (struct member *m = g->members.first; m; m = m->next)
		m->form = (uint8_t)ike_form(&ks->ike, &m->remote.addr);
}

bool ks_push_build(const struct ks_roll *r, struct ks_push *p)
{
	size_t *ends = calloc(PARTS_MAX, sizeof(*ends)), next = 0;
	bool ok = push_init(r->ks, r->g, r->seal, r->now, p), more = ok;

	BUG_ON(!ends);
	ks_push_forms(r->ks, r->g);
	p->has_sak = r->kek;
	p->tree = r->kek && ks_has_tree(r->g);
	while (more) {
		ok = build_part(r, part_add(p), &next);
		ends[p->n_parts - 1] = next;
		more = ok && p->tree && next < r->update.n_starts;
	}
	if (!ok)
		ks_push_fini(p);
	else if (p->tree)
		assign_parts(r, p, ends);
	else
		assign_first(r->g);
	free(ends);
	return ok;
}

// HDR*, SEQ, D(KEK), SIG; with teks, D(all TEKs) before it and all KEKs.
static bool build_delete(struct ks *ks, const struct kek *under, bool teks, struct ks_part *part)
{
	struct gdoi_push *m = calloc(1, sizeof(*m));
	uint8_t spi[GDOI_TEK_SPI_LEN];
	bool ok = true;

	BUG_ON(!m);
	if (teks)
		m->del[m->n_del++] = gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, spi);
	m->del[m->n_del++] = gdoi_delete_kek(teks ? NULL : under->spi);
	m->seq = part->seq;
	for (unsigned form = 0; ok && form < MAX_OF(ks->ike.n_forms, 1u); form++)
		ok = write_push(ks, under, m, part, form * KS_V_FORM);
	free(m);
	return ok;
}

// ---- under every KEK that members may hold ----

static bool every_init(const struct ks *ks, struct ks_group *g, const struct kek *under, mono_t now,
		       struct ks_push *p)
{
	bool ok = push_init(ks, g, &under[0], now, p);

	p->every = true;
	ks_push_forms(ks, g);
	assign_first(g);
	return ok;
}

static bool part_under(const struct ks_group *g, const struct kek *k, mono_t now,
		       struct ks_part *part)
{
	memcpy(part->spi, k->spi, sizeof(part->spi));
	part->seq = ks_mirror_seq_next(g, now, k);
	return part->seq != 0 && k->store &&
	       ks_ack_keys(BYTES(k->key.b, k->key.len), k->spi, part->ack_key) == 0;
}

bool ks_push_build_every(const struct ks_roll *r, const struct kek *under, size_t n,
			 struct ks_push *p)
{
	bool ok = every_init(r->ks, r->g, under, r->now, p);
	struct ks_roll one = *r;

	p->has_sak = n > 1;
	for (size_t i = 0; i < n && ok; i++) {
		struct ks_part *part = part_add(p);
		size_t none = 0;

		one.seal = &under[i];
		one.kek = part->has_sak = i > 0; // the first is the one that all are to have
		ok = part_under(r->g, &under[i], r->now, part) && build_part(&one, part, &none);
	}
	if (ok)
		p->seq = p->part[0].seq;
	else
		ks_push_fini(p);
	explicit_bzero(&one, sizeof(one));
	return ok;
}

bool ks_push_delete_every(struct ks *ks, struct ks_group *g, const struct kek *under, size_t n,
			  bool teks, mono_t now, struct ks_push *p)
{
	bool ok = every_init(ks, g, under, now, p);

	p->clears = true;
	for (size_t i = 0; i < n && ok; i++) {
		struct ks_part *part = part_add(p);

		ok = part_under(g, &under[i], now, part) && build_delete(ks, &under[i], teks, part);
	}
	if (ok)
		p->seq = p->part[0].seq;
	else
		ks_push_fini(p);
	return ok;
}

bool ks_push_build_delete(struct ks *ks, struct ks_group *g, bool teks, mono_t now,
			  struct ks_push *p)
{
	const struct kek *k = &g->keys.kek;
	bool ok = push_init(ks, g, k, now, p);

	p->clears = true;
	ks_push_forms(ks, g);
	ok = ok && build_delete(ks, k, teks, part_add(p));
	if (ok)
		assign_first(g);
	else
		ks_push_fini(p);
	return ok;
}
