#include "ks/sa_build.h"

#define IP_PROTO_UDP 17
#define LKH_PART_MAX 8192 // octets of arrays in one message

uint16_t ks_sig_hash_number(enum hash_alg h)
{
	switch (h) {
	case HASH_ALG_SHA1:
		return GDOI_SIG_HASH_SHA1;
	case HASH_ALG_SHA256:
		return GDOI_SIG_HASH_SHA256;
	case HASH_ALG_SHA384:
		return GDOI_SIG_HASH_SHA384;
	case HASH_ALG_SHA512:
		return GDOI_SIG_HASH_SHA512;
	default:
		BUG("hash without a GDOI number");
	}
}

uint16_t ks_sig_alg_number(enum sign_alg a)
{
	switch (a) {
	case SIGN_RSA:
		return GDOI_SIG_RSA;
	case SIGN_ECDSA_P256:
		return GDOI_SIG_ECDSA_256;
	case SIGN_ECDSA_P384:
		return GDOI_SIG_ECDSA_384;
	case SIGN_ECDSA_P521:
		return GDOI_SIG_ECDSA_521;
	default:
		BUG("signature without a GDOI number");
	}
}

void ks_build_sak(const struct gdoi_wire_opts *o, const struct kek *k, const struct endpoint *src,
		  const struct endpoint *dst, bool ack, mono_t now, struct gdoi_sak *out)
{
	*out = (struct gdoi_sak){
		.ip_proto = IP_PROTO_UDP,
		.src = gdoi_id_of_endpoint(src),
		.dst = gdoi_id_of_endpoint(dst),
		.alg = k->params.suite->alg,
		.key_bits = k->params.suite->key_bits,
		.life_s = o->send_total_life ? k->params.life_s : mono_left_s(k->dies, now),
		.sig_hash = ks_sig_hash_number(k->params.sign_hash),
		.sig_alg = ks_sig_alg_number(k->params.sign_alg),
		.sig_key_bits = k->params.sign_bits,
		.ack = !ack || !o->send_ack_request   ? 0
		       : k->params.ack == KEK_ACK_LKH ? GDOI_ACK_LKH_SHA256
						      : GDOI_ACK_KEK_SHA256,
	};
	memcpy(out->spi, k->spi, sizeof(out->spi));
}

static bool add_sat(const struct gdoi_wire_opts *o, const struct tek_gen *gen,
		    const struct policy_rule *r, bool ordered, mono_t now, struct gdoi_sa *out)
{
	struct gdoi_sat *sat;

	if (r->permit && mono_due(gen->tek[r->slot].dies, now))
		return true;
	if (out->n_sat == GDOI_MAX_SAT)
		return false;
	sat = &out->sat[out->n_sat++];
	*sat = (struct gdoi_sat){ .proto = GDOI_PROTO_BYPASS };
	if (r->permit) {
		const struct tek *t = &gen->tek[r->slot];

		suite_tek_to_sat(t->suite, sat);
		sat->spi = t->spi;
		sat->life_s = o->send_total_life ? t->life_s : mono_left_s(t->dies, now);
		sat->encap = IPSEC_ENCAP_TUNNEL;
		if (gen->policy->receive_only) // RFC 6407 5.5.1.1.2
			sat->direction = IPSEC_DIR_RECEIVER_ONLY;
		if (ordered)
			sat->replay = gen->policy->slot[r->slot].replay;
	}
	BUG_ON(!gdoi_sat_set_flow(sat, &r->flow)); // policy.c lets nothing else in
	return true;
}

bool ks_build_sats(const struct gdoi_wire_opts *o, const struct tek_gen *gen, bool ordered,
		   bool bypass, mono_t now, struct gdoi_sa *out)
{
	const struct policy *p = gen->policy;
	const struct policy_rule *rule = ordered ? p->ordered : p->flat;
	size_t n = ordered ? p->n_ordered : p->n_flat;

	for (size_t i = 0; i < n; i++) {
		if ((rule[i].permit || bypass) && !add_sat(o, gen, &rule[i], ordered, now, out))
			return false;
	}
	return true;
}

static struct bytes secret_view(const struct secret *s)
{
	return BYTES(s->b, s->len);
}

bool ks_build_teks(const struct tek_gen *gen, mono_t now, struct gdoi_kd *out)
{
	for (size_t i = 0; i < gen->policy->n_slot; i++) {
		const struct tek *t = &gen->tek[i];

		if (mono_due(t->dies, now))
			continue;
		if (out->n_tek == GDOI_MAX_TEK)
			return false;
		out->tek[out->n_tek++] = (struct gdoi_kd_tek){
			.spi = t->spi,
			.alg_key = secret_view(&t->alg_key),
			.integrity_key = secret_view(&t->integrity_key),
		};
	}
	return true;
}

// A view into the KEK's own SubjectPublicKeyInfo, of all of it or of what an RSA key is inside.
static struct bytes sig_key(const struct gdoi_wire_opts *o, const struct kek *k)
{
	struct bytes whole = BYTES(k->pub, k->pub_len);

	return o->sig_key_pkcs1 ? pubkey_pkcs1(whole) : whole;
}

void ks_build_kek(const struct gdoi_wire_opts *o, const struct kek *k, struct secret *joined,
		  struct gdoi_kd *out)
{
	size_t iv_len = k->params.suite->iv_len;

	BUG_ON(iv_len + k->key.len > sizeof(joined->b));
	memcpy(joined->b, k->iv, iv_len);
	memcpy(joined->b + iv_len, k->key.b, k->key.len);
	joined->len = (uint16_t)(iv_len + k->key.len);
	out->has_kek = true;
	memcpy(out->kek.spi, k->spi, sizeof(out->kek.spi));
	out->kek.alg_key = secret_view(joined);
	out->kek.sig_key = sig_key(o, k);
}

static void lkh_packet(const struct gdoi_wire_opts *o, const struct kek *k, struct gdoi_kd *out)
{
	out->has_lkh = true;
	memcpy(out->lkh.spi, k->spi, sizeof(out->lkh.spi));
	out->lkh.sig_key = sig_key(o, k);
}

void ks_build_branch(const struct gdoi_wire_opts *o, const struct kek *k, const struct lkh *tree,
		     uint16_t leaf, struct gdoi_kd *out)
{
	lkh_packet(o, k, out);
	lkh_download(tree, leaf, &out->lkh);
}

bool ks_build_update(const struct gdoi_wire_opts *o, const struct kek *k,
		     const struct lkh_update *u, size_t *next, struct gdoi_kd *out)
{
	size_t from = *next;

	lkh_packet(o, k, out);
	*next = lkh_cut(u, from, LKH_PART_MAX, &out->lkh);
	return *next > from || u->n_starts == 0;
}
