#include "ks/push.h"

#include "ks/fanout.h"
#include "ks/sa_build.h"

static bool build_sa(const struct ks_roll *r, unsigned variant, struct gdoi_push *m,
		     struct secret *kek_joined)
{
	const struct endpoint src = { r->ks->conf->address, r->ks->conf->port };
	const struct endpoint wherever = { { .family = src.addr.family }, GDOI_PORT };
	bool ordered = variant & KS_V_ORDERED;

	m->has_sa = true;
	if (r->kek) {
		m->sa.has_sak = true;
		ks_build_sak(&r->new_kek, &src, &wherever, variant & KS_V_ACK, r->now, &m->sa.sak);
		ks_build_kek(&r->new_kek, kek_joined, &m->kd);
	}
	if (!r->tek)
		return true;
	m->sa.has_gap = true;
	m->sa.gap = (struct gdoi_gap){ .has_atd = true,
				       .has_dtd = true,
				       .atd_s = (uint16_t)r->delays.atd_s,
				       .dtd_s = (uint16_t)r->delays.dtd_s };
	return ks_build_sats(&r->g->keys.gen[0], ordered, true, r->now, &m->sa) &&
	       ks_build_teks(&r->g->keys.gen[0], r->now, &m->kd);
}

// Signs what was written and encrypts it under the KEK in force (RFC 6407 4): its one IV, zero
// padding, Length of the padded message.
static bool seal(const struct kek *k, struct wr *w, struct bytes to_sign)
{
	const struct bytes part[] = { BYTES(GDOI_PUSH_LABEL, GDOI_PUSH_LABEL_LEN), to_sign };
	const struct kek_params *p = &k->params;
	uint8_t digest[HASH_MAX], sig[SIG_MAX];
	size_t sig_len, body;

	if (hash_parts(p->sign_hash, part, N_ELEMS(part), digest) ||
	    signer_sign(&k->store->signer, p->sign_label, p->sign_hash, digest, p->sign_form, sig,
			&sig_len) ||
	    !gdoi_push_end(w, BYTES(sig, sig_len)))
		return false;
	body = w->len - ISAKMP_HDR_LEN;
	wr_zero(w, (p->suite->iv_len - body % p->suite->iv_len) % p->suite->iv_len);
	if (!wr_ok(w))
		return false;
	isakmp_hdr_len_set(w->p, (uint32_t)w->len);
	return cipher_encrypt(p->cipher, &k->key, k->iv, w->p + ISAKMP_HDR_LEN,
			      w->len - ISAKMP_HDR_LEN, w->p + ISAKMP_HDR_LEN) == 0;
}

static bool write_push(struct ks *ks, const struct kek *k, const struct gdoi_push *m,
		       struct ks_push *p, unsigned variant)
{
	struct bytes to_sign;
	size_t sig_len;
	struct wr w;

	wr_init(&w, ks->buf, KS_DGRAM_MAX);
	if (signer_alg(&k->store->signer, k->params.sign_label, &sig_len) == SIGN_NONE ||
	    !gdoi_push_begin(&ks->ike.wire, &w, k->spi, m, sig_len, &to_sign) ||
	    !seal(k, &w, to_sign))
		return false;
	p->dgram[variant] = malloc(w.len);
	BUG_ON(!p->dgram[variant]);
	memcpy(p->dgram[variant], w.p, w.len);
	p->len[variant] = w.len;
	return true;
}

static bool build_variant(const struct ks_roll *r, struct ks_push *p, unsigned variant)
{
	struct gdoi_push *m = calloc(1, sizeof(*m));
	struct secret kek_joined = { 0 };
	bool ok;

	BUG_ON(!m);
	m->seq = p->seq;
	ok = build_sa(r, variant, m, &kek_joined) &&
	     write_push(r->ks, &r->g->keys.kek, m, p, variant);
	free(m);
	secret_fini(&kek_joined);
	return ok;
}

bool ks_push_init(const struct ks_group *g, struct ks_push *p)
{
	const struct kek *k = &g->keys.kek;

	*p = (struct ks_push){ .seq = k->seq + 1 };
	memcpy(p->spi, k->spi, sizeof(p->spi));
	return ks_ack_keys(k, p->ack_key) == 0;
}

// Every variant that a member of this group may need.
bool ks_push_build_roll(const struct ks_roll *r, struct ks_push *p)
{
	bool flat = r->g->conf->policy->no_flat_at == 0;

	for (unsigned v = 0; v < KS_V_COUNT; v++) {
		if ((v & KS_V_ACK) && !p->has_sak)
			continue;
		if (!(v & KS_V_ORDERED) && !flat)
			continue;
		if (!build_variant(r, p, v))
			return false;
	}
	return true;
}

// D(ESP, SPI 0), D(KEK, SPI 0): RFC 6407 5.9.
bool ks_push_build_clear(struct ks *ks, const struct ks_group *g, struct ks_push *p)
{
	struct gdoi_push *m = calloc(1, sizeof(*m));
	uint8_t spi[GDOI_TEK_SPI_LEN];
	bool ok;

	BUG_ON(!m);
	m->seq = p->seq;
	m->del[0] = gdoi_delete_teks(GDOI_PROTO_ESP, NULL, 0, spi);
	m->del[1] = gdoi_delete_kek(NULL);
	m->n_del = 2;
	ok = write_push(ks, &g->keys.kek, m, p, 0);
	free(m);
	return ok;
}
