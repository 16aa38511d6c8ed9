#include "common/ike/handshake.h"
#include "common/ike/keylog.h"
#include "common/ike/natt.h"
#include "common/ike/proposal.h"

static const uint8_t no_cookie[ISAKMP_COOKIE_LEN];

static bool initiator(const struct ike_sa *sa)
{
	return sa->role == IKE_INITIATOR;
}

static void value_set(struct ike_value *v, struct bytes b)
{
	BUG_ON(b.len > sizeof(v->b)); // callers have checked the peer's lengths
	if (b.len > 0)
		memcpy(v->b, b.p, b.len);
	v->len = (uint16_t)b.len;
}

struct wr_chain main_begin(const struct ike_sa *sa, struct wr *w, uint8_t flags,
			   struct ike_out *out)
{
	struct isakmp_hdr hdr = { .exchange =
					  sa->aggressive ? ISAKMP_XCH_AGGRESSIVE : ISAKMP_XCH_MAIN,
				  .flags = flags };

	memcpy(hdr.cky_i, sa->cky_i, sizeof(hdr.cky_i));
	memcpy(hdr.cky_r, sa->cky_r, sizeof(hdr.cky_r));
	wr_init(w, out->msg, sizeof(out->msg));
	return isakmp_msg_begin(w, &hdr);
}

enum ike_reason main_finish(const struct ike_sa *sa, struct wr *w, struct ike_out *out)
{
	if (!isakmp_msg_end(w, 0))
		return IKE_R_NO_MEMORY;
	out->msg_len = w->len;
	out->from = sa->local;
	out->to = sa->peer;
	out->fragments = sa->peer_fragments;
	return IKE_R_OK;
}

void main_own_cookie(struct ike_sa *sa)
{
	do {
		rng_fill(sa->conf->rng, sa->cky_i, sizeof(sa->cky_i));
	} while (memcmp(sa->cky_i, no_cookie, sizeof(no_cookie)) == 0);
}

// SAi_b is what was sent, read back as the responder will.
enum ike_reason main_finish_1(struct ike_sa *sa, struct wr *w, size_t sa_at, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;
	struct rd_err err = { NULL };
	struct isakmp_chain own;

	if (main_finish(sa, w, out))
		return IKE_R_NO_MEMORY;
	if (!isakmp_chain_decode(wr_view(w, sa_at, w->len), ISAKMP_PL_SA, 0, &own, &err))
		BUG("our own message does not parse");
	hs->sai = malloc(own.pl[0].body.len);
	if (!hs->sai)
		return IKE_R_NO_MEMORY;
	hs->sai_len = own.pl[0].body.len;
	memcpy(hs->sai, own.pl[0].body.p, hs->sai_len);
	return IKE_R_OK;
}

// 1  HDR, SA [, VID..]
enum ike_reason main_out_1(struct ike_sa *sa, struct ike_out *out)
{
	struct wr w;
	struct wr_chain c;
	size_t sa_at;

	main_own_cookie(sa);
	c = main_begin(sa, &w, 0, out);
	sa_at = w.len;
	if (!proposal_offer(&c, sa->conf, &sa->peer.addr))
		return IKE_R_NO_PROPOSAL;
	return main_finish_1(sa, &w, sa_at, out);
}

// 2  HDR, SA [, VID..]: exactly one transform, one of ours, under the DOI we sent.
enum ike_reason main_in_2(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			  const struct isakmp_chain *c, const char **detail)
{
	struct gdoi_wire_opts opts = *ike_wire(sa->conf, &sa->peer.addr);
	struct ike_peer_vids vids = proposal_vids(c);
	const struct ike1_transform *t;
	struct rd_err err = { NULL };
	struct ike1_sa answer;

	opts.phase1_accept_doi1 = opts.phase1_doi == ISAKMP_DOI_IPSEC;
	if (!ike1_sa_decode(&opts, pl_body_of(c, ISAKMP_PL_SA), &answer, &err)) {
		*detail = err.why;
		return IKE_R_BAD_PROPOSAL;
	}
	if (answer.doi != opts.phase1_doi || answer.n != 1)
		return IKE_R_BAD_PROPOSAL;
	t = proposal_choose(sa->conf, &sa->peer.addr, &answer, &sa->suite);
	if (!t)
		return IKE_R_NO_PROPOSAL;
	// A cookie equal to ours would let our own words come back as the peer's.
	if (memcmp(hdr->cky_r, no_cookie, sizeof(no_cookie)) == 0 ||
	    memcmp(hdr->cky_r, sa->cky_i, sizeof(sa->cky_i)) == 0)
		return IKE_R_COOKIE_UNKNOWN;
	memcpy(sa->cky_r, hdr->cky_r, sizeof(sa->cky_r));
	sa->doi = answer.doi;
	sa->life_s = proposal_life(sa->conf, t);
	sa->peer_dpd = vids.dpd;
	sa->peer_conclave = vids.conclave;
	sa->peer_fragments = vids.fragments;
	sa->peer_natt = vids.natt;
	sa->peer_major = vids.major;
	sa->peer_minor = vids.minor;
	sa->peer_features = vids.features;
	return IKE_R_OK;
}

// KE and nonce of the peer into ke and n.
static enum ike_reason ke_keep(struct ike_sa *sa, const struct isakmp_chain *c,
			       struct ike_value *ke, struct ike_value *n, const char **detail)
{
	struct bytes theirs = pl_body_of(c, ISAKMP_PL_KE), nonce = pl_body_of(c, ISAKMP_PL_NONCE);
	struct rd_err err = { NULL };

	if (theirs.len != dh_public_len(sa->suite.group))
		return IKE_R_BAD_KE;
	if (!isakmp_nonce_check(nonce, ISAKMP_NONCE_MAX, &err)) {
		*detail = err.why;
		return IKE_R_MALFORMED;
	}
	value_set(ke, theirs);
	value_set(n, nonce);
	return IKE_R_OK;
}

// 3  HDR, KE, Ni [, CERTREQ..] [, NAT-D..]
enum ike_reason main_in_3(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail)
{
	enum ike_reason why = ke_keep(sa, c, &sa->hs->ke_i, &sa->hs->ni, detail);

	if (why == IKE_R_OK && natt_keep(sa, c))
		why = IKE_R_NO_MEMORY;
	if (why == IKE_R_OK)
		sig_requests_keep(sa, c);
	return why;
}

// 4  HDR, KE, Nr [, CERTREQ..] [, NAT-D..]
enum ike_reason main_in_4(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail)
{
	enum ike_reason why = ke_keep(sa, c, &sa->hs->ke_r, &sa->hs->nr, detail);

	// Our own value coming back is a reflection, not a peer.
	if (why == IKE_R_OK &&
	    bytes_eq(ike_value_view(&sa->hs->ke_r), ike_value_view(&sa->hs->ke_i)))
		return IKE_R_BAD_KE;
	if (why == IKE_R_OK && natt_keep(sa, c))
		why = IKE_R_NO_MEMORY;
	if (why == IKE_R_OK)
		sig_requests_keep(sa, c);
	return why;
}

// 3  HDR, KE, Ni    4  HDR, KE, Nr
enum ike_reason main_out_3_4(struct ike_sa *sa, struct ike_out *out)
{
	struct ike_value *nonce = initiator(sa) ? &sa->hs->ni : &sa->hs->nr;
	struct ike_value *ke = initiator(sa) ? &sa->hs->ke_i : &sa->hs->ke_r;
	struct wr w;
	struct wr_chain c = main_begin(sa, &w, 0, out);

	nonce->len = IKE_NONCE_LEN;
	rng_fill(sa->conf->rng, nonce->b, IKE_NONCE_LEN);
	wr_pl(&c, ISAKMP_PL_KE, ike_value_view(ke));
	wr_pl(&c, ISAKMP_PL_NONCE, ike_value_view(nonce));
	if (main_by_signature(sa))
		sig_requests_write(sa, &c);
	if (natt_write(sa, &c))
		return IKE_R_NO_MEMORY;
	return main_finish(sa, &w, out);
}

static void keylog(const struct ike_sa *sa)
{
#if CONCLAVE_KEYLOG
	const struct ike_keylog k = { sa->cky_i, sa->cky_r, &sa->hs->k.skeyid, &sa->hs->k.a,
				      &sa->hs->k.e };

	if (sa->conf->keylog)
		sa->conf->keylog(sa->conf->keylog_arg, &k);
#else
	(void)sa;
#endif
}

static enum ike_reason skeyid(struct ike_sa *sa, const struct dh_secret *gxy)
{
	struct ike_handshake *hs = sa->hs;
	struct bytes ni = ike_value_view(&hs->ni), nr = ike_value_view(&hs->nr);
	const struct secret *psk;
	int err;

	if (main_by_signature(sa)) {
		err = keymat_skeyid_sig(sa->suite.hash, BYTES(gxy->b, gxy->len), ni, nr,
					&hs->k.skeyid);
	} else {
		psk = sa->aggressive ? aggr_psk(sa)
				     : sa->conf->psk(sa->conf->psk_arg, &sa->peer.addr);
		if (!psk)
			return IKE_R_PSK_UNKNOWN;
		err = keymat_skeyid_psk(sa->suite.hash, psk, ni, nr, &hs->k.skeyid);
	}
	return err ? IKE_R_NO_MEMORY : IKE_R_OK;
}

enum ike_reason main_keys(struct ike_sa *sa, const struct dh_secret *gxy)
{
	struct ike_handshake *hs = sa->hs;
	enum hash_alg h = sa->suite.hash;
	enum ike_reason why = skeyid(sa, gxy);
	int err;

	if (why != IKE_R_OK)
		return why;
	err = keymat_derive(h, BYTES(gxy->b, gxy->len), sa->cky_i, sa->cky_r, &hs->k);
	if (err == 0)
		err = keymat_cipher_key(h, sa->suite.cipher, &hs->k.e, &sa->keys.key);
	if (err == 0)
		err = keymat_iv_phase1(h, sa->suite.cipher, ike_value_view(&hs->ke_i),
				       ike_value_view(&hs->ke_r), hs->iv);
	if (err)
		return IKE_R_NO_MEMORY;
	sa->keys.hash = h;
	sa->keys.cipher = sa->suite.cipher;
	sa->keys.skeyid_a = hs->k.a;
	keylog(sa);
	return IKE_R_OK;
}

// ECDSA brings its own hash, which then makes the prf of the proof too (RFC 2409 5.1).
enum hash_alg main_proof_hash(const struct ike_sa *sa)
{
	enum hash_alg h = sign_alg_hash(sa->suite.auth);

	return h == HASH_ALG_NONE ? sa->suite.hash : h;
}

int main_proof(const struct ike_sa *sa, enum ike_role who, struct bytes id, uint8_t out[HASH_MAX])
{
	const struct ike_handshake *hs = sa->hs;
	bool i = who == IKE_INITIATOR;
	const struct keymat_proof p = {
		.ke_own = ike_value_view(i ? &hs->ke_i : &hs->ke_r),
		.ke_peer = ike_value_view(i ? &hs->ke_r : &hs->ke_i),
		.cky_own = i ? sa->cky_i : sa->cky_r,
		.cky_peer = i ? sa->cky_r : sa->cky_i,
		.sai = BYTES(hs->sai, hs->sai_len),
		.id = id,
	};

	return keymat_proof(main_proof_hash(sa), &hs->k.skeyid, &p, out);
}

// Zero padding to the block, Length over it, encryption behind the header (RFC 2409 appendix B).
enum ike_reason main_encrypt(struct ike_sa *sa, struct wr *w, struct ike_out *out)
{
	size_t block = cipher_block_len(sa->suite.cipher), len;

	wr_zero(w, (block - (w->len - ISAKMP_HDR_LEN) % block) % block);
	if (main_finish(sa, w, out))
		return IKE_R_NO_MEMORY;
	len = out->msg_len - ISAKMP_HDR_LEN;
	if (cipher_encrypt(sa->suite.cipher, &sa->keys.key, sa->hs->iv, out->msg + ISAKMP_HDR_LEN,
			   len, out->msg + ISAKMP_HDR_LEN))
		return IKE_R_NO_MEMORY;
	memcpy(sa->hs->iv, out->msg + out->msg_len - block, block);
	return IKE_R_OK;
}

// 5  HDR*, IDii, HASH_I    6  HDR*, IDir, HASH_R
enum ike_reason main_out_5_6(struct ike_sa *sa, struct ike_out *out)
{
	size_t hash_size = hash_len(sa->suite.hash), id_at;
	uint8_t hash[HASH_MAX];
	struct wr w;
	struct wr_chain c = main_begin(sa, &w, ISAKMP_FLAG_E, out);

	id_at = w.len + 4; // its body, behind the generic header
	isakmp_id_encode(&c, &sa->conf->own_id);
	if (!wr_ok(&w) || main_proof(sa, sa->role, wr_view(&w, id_at, w.len), hash))
		return IKE_R_NO_MEMORY;
	wr_pl(&c, ISAKMP_PL_HASH, BYTES(hash, hash_size));
	return main_encrypt(sa, &w, out);
}

enum ike_reason main_decrypt(const struct ike_sa *sa, struct bytes msg, uint8_t *plain,
			     uint8_t next_iv[CIPHER_BLOCK_MAX])
{
	size_t block = cipher_block_len(sa->suite.cipher), len = msg.len - ISAKMP_HDR_LEN;
	const uint8_t *body = msg.p + ISAKMP_HDR_LEN;

	if (len == 0 || len % block)
		return IKE_R_MALFORMED;
	if (cipher_decrypt(sa->suite.cipher, &sa->keys.key, sa->hs->iv, body, len, plain))
		return IKE_R_NO_MEMORY;
	memcpy(next_iv, body + len - block, block);
	return IKE_R_OK;
}

void main_notifies_keep(struct ike_sa *sa, const struct isakmp_chain *c)
{
	const struct isakmp_pl *pl;
	struct isakmp_notify n;

	for (size_t i = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_NOTIFY, i)); i++) {
		struct rd_err err = { NULL };

		if (isakmp_notify_decode(pl->body, &n, &err) && n.type == ISAKMP_N_INITIAL_CONTACT)
			sa->initial_contact = true;
	}
}

enum ike_reason main_id_check(struct bytes body, struct isakmp_id *id, const char **detail)
{
	struct rd_err err = { NULL };

	if (isakmp_id_decode(body, id, &err) && isakmp_id_port_ok(id) && id->data.len > 0 &&
	    id->data.len <= IKE_ID_MAX)
		return IKE_R_OK;
	*detail = err.why;
	return IKE_R_BAD_ID;
}

void main_id_keep(struct ike_sa *sa, const struct isakmp_id *id)
{
	sa->peer_id.type = id->type;
	sa->peer_id.len = (uint16_t)id->data.len;
	memcpy(sa->peer_id.data, id->data.p, id->data.len);
}

enum ike_reason main_hash_judge(struct ike_sa *sa, const struct isakmp_chain *c,
				struct bytes id_body, const char **detail)
{
	enum ike_role peer = initiator(sa) ? IKE_RESPONDER : IKE_INITIATOR;
	struct bytes hash = pl_body_of(c, ISAKMP_PL_HASH);
	uint8_t want[HASH_MAX];
	struct isakmp_id id;
	enum ike_reason why;

	if (main_proof(sa, peer, id_body, want))
		return IKE_R_NO_MEMORY;
	if (hash.len != hash_len(sa->suite.hash) || !bytes_eq_ct(hash.p, want, hash.len))
		return IKE_R_AUTH_FAILED;
	why = main_id_check(id_body, &id, detail);
	if (why != IKE_R_OK)
		return why;
	main_id_keep(sa, &id);
	main_notifies_keep(sa, c);
	return IKE_R_OK;
}

// 5  HDR*, IDii, HASH_I [, N]    6  HDR*, IDir, HASH_R [, N]: HASH before anything else is
// believed.
enum ike_reason main_in_5_6(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail)
{
	return main_hash_judge(sa, c, pl_body_of(c, ISAKMP_PL_ID), detail);
}
