#include "gm/grant.h"

#include "common/wire/suite.h"

#define TEK_LIFE_DEFAULT_S 28800 // RFC 2407 4.5
#define KEK_LIFE_DEFAULT_S 86400
#define SPI_MIN		   256 // RFC 4303 2.1 keeps the lower ones

static bool no(const char **why, const char *text)
{
	*why = text;
	return false;
}

// ---- what espd can do, by the numbers of the SAT ----

static const struct {
	uint8_t transform;
	uint16_t key_bits, auth;
	enum dp_suite suite;
} dp_suites[] = {
	{ ESP_AES_GCM_16, 128, 0, DP_SUITE_AES128_GCM16 },
	{ ESP_AES_GCM_16, 256, 0, DP_SUITE_AES256_GCM16 },
	{ ESP_AES_CBC, 128, IPSEC_AUTH_HMAC_SHA256, DP_SUITE_AES128_CBC_SHA256_128 },
	{ ESP_AES_CBC, 256, IPSEC_AUTH_HMAC_SHA256, DP_SUITE_AES256_CBC_SHA256_128 },
};

static enum dp_suite dp_suite_of(const struct suite_tek *row)
{
	for (size_t i = 0; i < N_ELEMS(dp_suites); i++) {
		if (row->proto == GDOI_PROTO_ESP && dp_suites[i].transform == row->transform &&
		    dp_suites[i].key_bits == row->key_bits && dp_suites[i].auth == row->auth)
			return dp_suites[i].suite;
	}
	return DP_SUITE_NONE;
}

// ---- the offer ----

static bool sat_judge(const struct gdoi_sat *sat, bool ours, const char **why)
{
	const struct suite_tek *row;
	struct flow flow;

	if (sat->proto != GDOI_PROTO_ESP && sat->proto != GDOI_PROTO_BYPASS)
		return no(why, "a security protocol other than ESP");
	if (!gdoi_sat_to_flow(sat, &flow))
		return no(why, "a selector that names no traffic");
	if (sat->proto == GDOI_PROTO_BYPASS)
		return ours || no(why, "a bypass line from a key server of another make");
	if (sat->replay.mode != REPLAY_NONE && !ours)
		return no(why, "anti-replay from a key server of another make");
	row = suite_tek_find(sat);
	if (!row || dp_suite_of(row) == DP_SUITE_NONE)
		return no(why, "a transform this member does not have");
	// RFC 2407 4.5 leaves it to the host what no Encapsulation Mode means: here, the one there is.
	if (sat->encap != 0 && sat->encap != IPSEC_ENCAP_TUNNEL)
		return no(why, "an encapsulation other than tunnel mode");
	if (sat->preserve != 0 && sat->preserve != IPSEC_PRESERVE_BOTH)
		return no(why, "tunnel mode without preservation of both addresses");
	if (sat->esn)
		return no(why, "extended sequence numbers in a group");
	if (sat->life_kb != 0)
		return no(why, "a lifetime in kilobytes, which no member of a group can count");
	if (sat->direction > IPSEC_DIR_SYMMETRIC)
		return no(why, "an unknown SA direction");
	if (sat->spi < SPI_MIN)
		return no(why, "a reserved SPI");
	return true;
}

static enum cipher_alg kek_cipher(const struct gdoi_sak *sak)
{
	if (sak->alg != GDOI_KEK_AES)
		return CIPHER_NONE;
	return sak->key_bits == 128   ? CIPHER_AES128_CBC
	       : sak->key_bits == 192 ? CIPHER_AES192_CBC
	       : sak->key_bits == 256 ? CIPHER_AES256_CBC
				      : CIPHER_NONE;
}

static enum sign_alg kek_sig(const struct gdoi_sak *sak)
{
	switch (sak->sig_alg) {
	case GDOI_SIG_RSA:
		return SIGN_RSA;
	case GDOI_SIG_ECDSA_256:
		return SIGN_ECDSA_P256;
	case GDOI_SIG_ECDSA_384:
		return SIGN_ECDSA_P384;
	case GDOI_SIG_ECDSA_521:
		return SIGN_ECDSA_P521;
	}
	return SIGN_NONE;
}

// ECDSA implies its hash; SIG_HASH_ALGORITHM, if there, has to agree (RFC 6407 5.3.5).
static enum hash_alg kek_sig_hash(const struct gdoi_sak *sak)
{
	static const enum hash_alg of[] = {
		[GDOI_SIG_HASH_SHA1] = HASH_ALG_SHA1,
		[GDOI_SIG_HASH_SHA256] = HASH_ALG_SHA256,
		[GDOI_SIG_HASH_SHA384] = HASH_ALG_SHA384,
		[GDOI_SIG_HASH_SHA512] = HASH_ALG_SHA512,
	};
	enum hash_alg implied = sign_alg_hash(kek_sig(sak));
	enum hash_alg said = sak->sig_hash < N_ELEMS(of) ? of[sak->sig_hash] : HASH_ALG_NONE;

	if (implied == HASH_ALG_NONE)
		return said;
	return sak->sig_hash == 0 || said == implied ? implied : HASH_ALG_NONE;
}

static bool sak_judge(const struct gdoi_sak *sak, bool sha1, const char **why)
{
	if (sak->ip_proto != 17)
		return no(why, "rekeys over another protocol than UDP");
	if (sak->alg == GDOI_KEK_AES &&
	    sak->key_bits == 0) // RFC 6407 5.3.3: it has no other length
		return no(why, "an AES KEK without KEK_KEY_LENGTH");
	if (kek_cipher(sak) == CIPHER_NONE)
		return no(why, "a KEK algorithm this member does not accept");
	if (kek_sig(sak) == SIGN_NONE || kek_sig_hash(sak) == HASH_ALG_NONE)
		return no(why, "a rekey signature this member does not accept");
	if (kek_sig_hash(sak) == HASH_ALG_SHA1 && !sha1)
		return no(why, "rekeys signed over SHA-1 (accept_sha1 would allow it)");
	return true;
}

bool gm_offer_judge(const struct gdoi_sa *sa, struct gm_accept accept, const char **why)
{
	if (sa->has_sak && !sak_judge(&sa->sak, accept.sha1, why))
		return false;
	if (sa->has_gap && sa->gap.has_pseudotime && !accept.ours)
		return no(why, "pseudotime from a key server of another make");
	for (size_t i = 0; i < sa->n_sat; i++) {
		if (!sat_judge(&sa->sat[i], accept.ours, why))
			return false;
	}
	return true;
}

bool gm_offer_has_counter(const struct gdoi_sa *sa)
{
	for (size_t i = 0; i < sa->n_sat; i++) {
		const struct suite_tek *row = suite_tek_find(&sa->sat[i]);

		if (sa->sat[i].proto == GDOI_PROTO_ESP && row && row->counter_iv)
			return true;
	}
	return false;
}

// ---- keys ----

static uint8_t dir_of(const struct gdoi_sat *sat)
{
	// RFC 6407 5.5.1.1.2: as seen by the member that gets the payload.
	if (sat->direction == IPSEC_DIR_SENDER_ONLY)
		return DP_DIR_OUT;
	return sat->direction == IPSEC_DIR_RECEIVER_ONLY ? DP_DIR_IN : DP_DIR_BOTH;
}

static bool tek_read(const struct gdoi_sat *sat, const struct gdoi_kd_tek *kd, struct gm_tek *out,
		     const char **why)
{
	const struct suite_tek *row = suite_tek_find(sat);

	if (!row || !kd)
		return no(why, "no key for an SPI");
	if (kd->alg_key.len != row->alg_key_len || kd->integrity_key.len != row->integrity_key_len)
		return no(why, "a key of another length than its transform");
	*out = (struct gm_tek){
		.spi = sat->spi,
		.suite = (uint8_t)dp_suite_of(row),
		.dir = dir_of(sat),
		.counter_iv = row->counter_iv,
		.transform = row->name,
		.replay = sat->replay,
		.life_s = sat->life_s ? sat->life_s : TEK_LIFE_DEFAULT_S,
	};
	if (secret_set(&out->key, kd->alg_key.p, kd->alg_key.len) < 0 ||
	    secret_set(&out->auth, kd->integrity_key.p, kd->integrity_key.len) < 0)
		return no(why, "a key of another length than its transform");
	return true;
}

// One SPI may stand in several lines, but then it is one SA.
static bool tek_put(struct gm_grant *g, const struct gm_tek *k, const char **why)
{
	for (size_t i = 0; i < g->n_teks; i++) {
		if (g->tek[i].spi != k->spi)
			continue;
		if (g->tek[i].suite != k->suite || g->tek[i].dir != k->dir)
			return no(why, "one SPI with two transforms");
		if (!replay_eq(g->tek[i].replay, k->replay))
			return no(why, "one SPI with two anti-replay windows");
		return true;
	}
	if (g->n_teks == GM_MAX_TEKS)
		return no(why, "too many keys");
	g->tek[g->n_teks++] = *k;
	return true;
}

static bool line_read(const struct gdoi_sat *sat, const struct gdoi_kd *kd, struct gm_grant *out,
		      const char **why)
{
	struct gm_line *l = &out->line[out->n_lines];
	struct gm_tek k = { 0 };
	bool ok = true;

	*l = (struct gm_line){ .protect = sat->proto == GDOI_PROTO_ESP };
	if (!gdoi_sat_to_flow(sat, &l->flow))
		return no(why, "a selector that names no traffic");
	if (l->protect) {
		l->spi = sat->spi;
		ok = tek_read(sat, gdoi_kd_find_tek(kd, sat->spi), &k, why) &&
		     tek_put(out, &k, why);
		explicit_bzero(&k, sizeof(k));
	}
	out->n_lines++;
	return ok;
}

bool gm_grant_read(const struct gdoi_sa *sa, const struct gdoi_kd *kd, struct gm_grant *out,
		   const char **why)
{
	out->n_teks = out->n_lines = 0;
	out->has_atd = sa->has_gap && sa->gap.has_atd;
	out->has_dtd = sa->has_gap && sa->gap.has_dtd;
	out->atd_s = out->has_atd ? sa->gap.atd_s : 0;
	out->dtd_s = out->has_dtd ? sa->gap.dtd_s : 0;
	if (kd->has_kek && kd->has_lkh)
		return no(why, "a KEK both alone and from a key tree");
	if (sa->has_sak != (kd->has_kek || kd->has_lkh))
		return no(why, "KEK policy and KEK not together");
	if (sa->n_sat > GM_MAX_LINES)
		return no(why, "too many lines");
	for (size_t i = 0; i < sa->n_sat; i++) {
		if (!line_read(&sa->sat[i], kd, out, why))
			return false;
	}
	if (out->n_lines > 0 && out->n_teks == 0)
		return no(why, "a policy without traffic keys: all would travel in clear");
	return true;
}

// ---- KEK ----

static bool sig_key_read(const struct gdoi_wire_opts *o, struct bytes sig_key, struct gm_kek *out,
			 const char **why)
{
	struct pubkey *key = NULL;
	bool ok;

	if (out->sig_alg == SIGN_RSA && !o->accept_sig_key_pkcs1 &&
	    pubkey_pkcs1(sig_key).len == sig_key.len)
		return no(why, "a public key that is no SubjectPublicKeyInfo");
	if (sig_key.len == 0 || sig_key.len > sizeof(out->sig_key) ||
	    pubkey_decode(sig_key, &key) < 0)
		return no(why, "no usable public key for rekeys");
	ok = pubkey_alg(key) == out->sig_alg;
	pubkey_free(key);
	if (!ok)
		return no(why, "a public key of another kind than the rekey signature");
	memcpy(out->sig_key, sig_key.p, sig_key.len);
	out->sig_key_len = sig_key.len;
	return true;
}

// Where rekeys come to when that is no member's own address. Port 0 says nothing (RFC 6407 5.3).
static struct endpoint group_of(const struct gdoi_id *dst)
{
	struct endpoint e;

	if (!gdoi_id_to_endpoint(dst, &e) || !addr_is_multicast(&e.addr))
		return (struct endpoint){ 0 };
	if (e.port == 0)
		e.port = GDOI_PORT;
	return e;
}

// IV, then key.
static bool key_read(struct bytes iv_key, struct gm_kek *out, const char **why)
{
	size_t iv_len = cipher_block_len(out->cipher), key_len = cipher_key_len(out->cipher);

	if (iv_key.len != iv_len + key_len)
		return no(why, "a KEK of another length than its algorithm");
	memcpy(out->iv, iv_key.p, iv_len);
	return secret_set(&out->key, iv_key.p + iv_len, key_len) == 0;
}

// The KEK is the end of our branch, our own key its beginning.
static bool tree_read(const struct gdoi_kd_lkh *kd, const struct gm_lkh *held,
		      struct gm_lkh *branch, struct gm_kek *out, const char **why)
{
	const struct secret *root, *leaf;
	size_t iv_len = cipher_block_len(out->cipher);

	if (held && (held->n == 0 || held->alg != out->cipher))
		return no(why, "an update of a key tree that we have no branch of");
	if (held ? gm_lkh_apply(held, kd, branch, why) == GM_LKH_REFUSED
		 : !gm_lkh_store(out->cipher, kd, branch, why))
		return false;
	if (branch->n == 0)
		return true; // nothing for us
	root = gm_lkh_kek(branch);
	leaf = gm_lkh_leaf(branch);
	return key_read(BYTES(root->b, root->len), out, why) &&
	       secret_set(&out->leaf, leaf->b + iv_len, leaf->len - iv_len) == 0;
}

bool gm_grant_read_kek(const struct gdoi_wire_opts *o, const struct gdoi_sa *sa,
		       const struct gdoi_kd *kd, const struct gm_lkh *held, struct gm_lkh *branch,
		       struct gm_kek *out, const char **why)
{
	const struct gdoi_sak *sak = &sa->sak;
	const uint8_t *spi = kd->has_lkh ? kd->lkh.spi : kd->kek.spi;

	*out = (struct gm_kek){
		.cipher = kek_cipher(sak),
		.sig_hash = kek_sig_hash(sak),
		.sig_alg = kek_sig(sak),
		.ack = sak->ack,
		.group = group_of(&sak->dst),
		.life_s = sak->life_s ? sak->life_s : KEK_LIFE_DEFAULT_S,
	};
	memcpy(out->spi, sak->spi, sizeof(out->spi));
	gm_lkh_fini(branch);
	if (memcmp(spi, sak->spi, sizeof(sak->spi)) != 0)
		return no(why, "a KEK under another SPI than its policy");
	if (!sig_key_read(o, kd->has_lkh ? kd->lkh.sig_key : kd->kek.sig_key, out, why))
		return false;
	return kd->has_lkh ? tree_read(&kd->lkh, held, branch, out, why)
			   : key_read(kd->kek.alg_key, out, why);
}
