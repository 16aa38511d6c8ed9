#include "common/ike/proposal.h"

#include <stdio.h>

#define LIFE_DEFAULT_S 86400

// Numbers of RFC 2409 appendix A beside ours. What is missing here cannot be negotiated.
static const struct cipher_row {
	enum cipher_alg cipher;
	uint16_t enc, key_bits;
} ciphers[] = {
	{ CIPHER_AES128_CBC, IKE1_ENC_AES_CBC, 128 },
	{ CIPHER_AES256_CBC, IKE1_ENC_AES_CBC, 256 },
};
static const struct hash_row {
	enum hash_alg hash;
	uint16_t num;
} hashes[] = {
	{ HASH_ALG_SHA256, IKE1_HASH_SHA256 },
	{ HASH_ALG_SHA384, IKE1_HASH_SHA384 },
	{ HASH_ALG_SHA512, IKE1_HASH_SHA512 },
};

static const struct auth_row {
	enum sign_alg alg;
	uint16_t num;
} auths[] = {
	{ SIGN_NONE, IKE1_AUTH_PSK },
	{ SIGN_RSA, IKE1_AUTH_RSA_SIG },
	{ SIGN_ECDSA_P256, IKE1_AUTH_ECDSA_256 },
	{ SIGN_ECDSA_P384, IKE1_AUTH_ECDSA_384 },
	{ SIGN_ECDSA_P521, IKE1_AUTH_ECDSA_521 },
};

static const struct cipher_row *cipher_row(enum cipher_alg c)
{
	for (size_t i = 0; i < N_ELEMS(ciphers); i++) {
		if (ciphers[i].cipher == c)
			return &ciphers[i];
	}
	return NULL;
}

static const struct hash_row *hash_row(enum hash_alg h)
{
	for (size_t i = 0; i < N_ELEMS(hashes); i++) {
		if (hashes[i].hash == h)
			return &hashes[i];
	}
	return NULL;
}

static uint16_t auth_num(enum sign_alg a)
{
	for (size_t i = 0; i < N_ELEMS(auths); i++) {
		if (auths[i].alg == a)
			return auths[i].num;
	}
	return 0;
}

const char *ike_proposal_str(const struct ike_proposal *p, char buf[IKE_PROPOSAL_STRLEN])
{
	snprintf(buf, IKE_PROPOSAL_STRLEN, "%s/%s/%s%s%s", cipher_name(p->cipher),
		 hash_name(p->hash), dh_name(p->group), p->auth ? "/" : "",
		 p->auth ? sign_alg_name(p->auth) : "");
	return buf;
}

static uint32_t own_life(const struct ike_conf *conf)
{
	return conf->life_s ? conf->life_s : LIFE_DEFAULT_S;
}

// MD5("FRAGMENTATION") and what it is good for; receivers look at the first 16 octets.
static const uint8_t vid_fragments[20] = { 0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8,
					   0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6,
					   0xc2, 0xd3, 0x80, 0x00, 0x00, 0x00 };

static bool shows_fragments(const struct isakmp_chain *c)
{
	const struct isakmp_pl *pl;

	for (size_t i = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_VID, i)); i++) {
		if (pl->body.len >= 16 && memcmp(pl->body.p, vid_fragments, 16) == 0)
			return true;
	}
	return false;
}

static void vids_write(struct wr_chain *c, const struct ike_conf *conf)
{
	uint8_t own[GDOI_VID_LEN];

	memcpy(own, vid_conclave, sizeof(own));
	own[14] = (uint8_t)(conf->features >> 8);
	own[15] = (uint8_t)conf->features;
	wr_pl(c, ISAKMP_PL_VID, BYTES_OF(own));
	wr_pl(c, ISAKMP_PL_VID, BYTES(vid_dpd, GDOI_VID_LEN));
	if (conf->natt_port)
		wr_pl(c, ISAKMP_PL_VID, BYTES(vid_natt, GDOI_VID_LEN));
	if (!conf->no_fragments)
		wr_pl(c, ISAKMP_PL_VID, BYTES_OF(vid_fragments));
}

static void transform_of(const struct ike_proposal *p, uint8_t num, uint32_t life_s,
			 struct ike1_transform *t)
{
	const struct cipher_row *c = cipher_row(p->cipher);
	const struct hash_row *h = hash_row(p->hash);

	BUG_ON(!c || !h);
	*t = (struct ike1_transform){
		.num = num,
		.enc = c->enc,
		.key_bits = c->key_bits,
		.hash = h->num,
		.auth = auth_num(p->auth),
		.group = (uint16_t)p->group,
		.life_s = life_s,
	};
}

// Have we what this method of authentication needs?
static bool usable(const struct ike_conf *conf, const struct addr *peer,
		   const struct ike_proposal *p)
{
	if (p->auth == SIGN_NONE)
		return conf->psk(conf->psk_arg, peer);
	return ike_auth_own(conf->pki, p->auth, NULL, 0);
}

static struct ike1_sa offer_of(const struct ike_conf *conf, const struct addr *peer)
{
	uint32_t doi = ike_wire(conf, peer)->phase1_doi;

	return (struct ike1_sa){
		.doi = doi,
		.situation = doi == ISAKMP_DOI_IPSEC ? IPSEC_SIT_IDENTITY_ONLY : GDOI_SITUATION,
		.proposal = 1,
	};
}

static void offer_add(struct ike1_sa *sa, const struct ike_conf *conf, const struct ike_proposal *p)
{
	if (sa->n == IKE1_MAX_TRANSFORMS)
		return;
	transform_of(p, (uint8_t)(sa->n + 1), own_life(conf), &sa->t[sa->n]);
	sa->n++;
}

bool proposal_offer(struct wr_chain *c, const struct ike_conf *conf, const struct addr *peer)
{
	struct ike1_sa sa = offer_of(conf, peer);

	for (size_t i = 0; i < conf->n_proposals; i++) {
		if (usable(conf, peer, &conf->proposals[i]))
			offer_add(&sa, conf, &conf->proposals[i]);
	}
	ike1_sa_encode(c, &sa);
	vids_write(c, conf);
	return sa.n > 0;
}

void proposal_offer_these(struct wr_chain *c, const struct ike_conf *conf, const struct addr *peer,
			  const struct ike_proposal *list, size_t n)
{
	struct ike1_sa sa = offer_of(conf, peer);

	for (size_t i = 0; i < n; i++)
		offer_add(&sa, conf, &list[i]);
	ike1_sa_encode(c, &sa);
	vids_write(c, conf);
}

void proposal_answer(struct wr_chain *c, const struct ike_conf *conf, const struct ike1_sa *offer,
		     const struct ike1_transform *t)
{
	struct ike1_sa sa = {
		.doi = offer->doi,
		.situation = offer->situation,
		.proposal = offer->proposal,
		.spi = offer->spi,
		.n = 1,
	};

	sa.t[0] = *t;
	ike1_sa_encode(c, &sa);
	vids_write(c, conf);
}

bool proposal_matches(const struct ike_proposal *p, const struct ike1_transform *t)
{
	const struct cipher_row *c = cipher_row(p->cipher);
	const struct hash_row *h = hash_row(p->hash);

	return c && h && !t->unknown && t->auth == auth_num(p->auth) && t->enc == c->enc &&
	       t->key_bits == c->key_bits && t->hash == h->num && t->group == p->group;
}

const struct ike1_transform *proposal_choose(const struct ike_conf *conf, const struct addr *peer,
					     const struct ike1_sa *offer, struct ike_proposal *out)
{
	for (size_t i = 0; i < conf->n_proposals; i++) {
		for (size_t k = 0; k < offer->n; k++) {
			if (proposal_matches(&conf->proposals[i], &offer->t[k]) &&
			    usable(conf, peer, &conf->proposals[i])) {
				*out = conf->proposals[i];
				return &offer->t[k];
			}
		}
	}
	return NULL;
}

uint32_t proposal_life(const struct ike_conf *conf, const struct ike1_transform *t)
{
	return t->life_s ? MIN_OF(t->life_s, own_life(conf)) : own_life(conf);
}

struct ike_peer_vids proposal_vids(const struct isakmp_chain *c)
{
	struct ike_peer_vids v = { .dpd = isakmp_vid_has(c, vid_dpd),
				   .natt = isakmp_vid_has(c, vid_natt),
				   .fragments = shows_fragments(c) };
	const struct isakmp_pl *pl;

	v.conclave = isakmp_vid_conclave(c, &v.features);
	for (size_t i = 0; v.conclave && (pl = isakmp_chain_find(c, ISAKMP_PL_VID, i)); i++) {
		if (pl->body.len == GDOI_VID_LEN &&
		    memcmp(pl->body.p, vid_conclave, VID_CONCLAVE_PREFIX_LEN) == 0) {
			v.major = pl->body.p[12];
			v.minor = pl->body.p[13];
			break;
		}
	}
	return v;
}
