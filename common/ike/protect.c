#include "common/ike/protect.h"

#include "common/crypto/prf.h"

int ike_exch_init(struct ike_exch *x, const struct ike_sa *sa, uint8_t exchange, uint32_t msgid)
{
	*x = (struct ike_exch){ .sa = sa, .exchange = exchange, .msgid = msgid };
	if (sa->state != IKE_ESTABLISHED || msgid == 0)
		return -EINVAL;
	return keymat_iv_exchange(sa->keys.hash, sa->keys.cipher, sa->keys.last_block, msgid,
				  x->iv);
}

uint32_t ike_msgid_new(struct rng *rng)
{
	uint32_t id;

	do {
		id = rng_u32(rng);
	} while (id == 0);
	return id;
}

static int hash_of(const struct ike_exch *x, const struct ike_nonces *n, struct bytes covered,
		   uint8_t out[HASH_MAX])
{
	const struct ike_keys *k = &x->sa->keys;
	const uint8_t id[4] = { (uint8_t)(x->msgid >> 24), (uint8_t)(x->msgid >> 16),
				(uint8_t)(x->msgid >> 8), (uint8_t)x->msgid };
	const struct bytes parts[] = { BYTES_OF(id), n->ni, n->nr, covered };

	return prf_parts(k->hash, BYTES(k->skeyid_a.b, k->skeyid_a.len), parts, N_ELEMS(parts),
			 out);
}

static enum ike_reason check_envelope(const struct ike_exch *x, const struct isakmp_hdr *hdr,
				      struct bytes datagram, size_t cap, const char **detail)
{
	size_t block = cipher_block_len(x->sa->keys.cipher);

	if (hdr->exchange != x->exchange || hdr->msgid != x->msgid)
		return IKE_R_BAD_EXCHANGE;
	if ((hdr->flags & ~ISAKMP_FLAG_C) != ISAKMP_FLAG_E)
		return IKE_R_BAD_FLAGS;
	if (datagram.len <= ISAKMP_HDR_LEN || (datagram.len - ISAKMP_HDR_LEN) % block) {
		*detail = "ciphertext is not whole blocks";
		return IKE_R_MALFORMED;
	}
	if (datagram.len - ISAKMP_HDR_LEN > cap) {
		*detail = "datagram too long";
		return IKE_R_MALFORMED;
	}
	return IKE_R_OK;
}

enum ike_reason ike_exch_open(struct ike_exch *x, const struct isakmp_hdr *hdr,
			      struct bytes datagram, const struct ike_nonces *n, uint8_t *plain,
			      size_t cap, struct isakmp_hashed *m, const char **detail)
{
	const struct ike_keys *k = &x->sa->keys;
	size_t block = cipher_block_len(k->cipher), len;
	uint8_t want[HASH_MAX];
	struct rd_err err = { NULL };
	enum ike_reason why = check_envelope(x, hdr, datagram, cap, detail);

	if (why != IKE_R_OK)
		return why;
	len = datagram.len - ISAKMP_HDR_LEN;
	if (cipher_decrypt(k->cipher, &k->key, x->iv, datagram.p + ISAKMP_HDR_LEN, len, plain))
		return IKE_R_NO_MEMORY;
	if (!isakmp_hashed_decode(BYTES(plain, len), hdr->next, block, m, &err)) {
		*detail = err.why;
		return IKE_R_MALFORMED;
	}
	if (hash_of(x, n, m->covered, want))
		return IKE_R_NO_MEMORY;
	if (m->hash.len != hash_len(k->hash) || !bytes_eq_ct(m->hash.p, want, m->hash.len))
		return IKE_R_BAD_HASH;
	memcpy(x->iv, datagram.p + datagram.len - block, block);
	return IKE_R_OK;
}

void ike_seal_begin(struct ike_seal *s, const struct ike_exch *x, uint8_t *buf, size_t cap)
{
	struct isakmp_hdr hdr = {
		.exchange = x->exchange,
		.flags = ISAKMP_FLAG_E,
		.msgid = x->msgid,
	};

	memcpy(hdr.cky_i, x->sa->cky_i, sizeof(hdr.cky_i));
	memcpy(hdr.cky_r, x->sa->cky_r, sizeof(hdr.cky_r));
	wr_init(&s->w, buf, cap);
	s->chain = isakmp_msg_begin(&s->w, &hdr);
	wr_hash_begin(&s->chain, hash_len(x->sa->keys.hash), &s->hash);
}

int ike_seal_end(struct ike_seal *s, struct ike_exch *x, const struct ike_nonces *n,
		 struct bytes *msg)
{
	const struct ike_keys *k = &x->sa->keys;
	size_t block = cipher_block_len(k->cipher), len;
	uint8_t hash[HASH_MAX], *body = s->w.p + ISAKMP_HDR_LEN;
	int err;

	wr_hash_end(&s->chain, &s->hash);
	if (!wr_ok(&s->w))
		return -EMSGSIZE;
	err = hash_of(x, n, BYTES(s->w.p + s->hash.covered_at, s->hash.covered_len), hash);
	if (err)
		return err;
	memcpy(s->w.p + s->hash.hash_at, hash, s->hash.hash_len);
	wr_zero(&s->w, (block - (s->w.len - ISAKMP_HDR_LEN) % block) % block);
	if (!isakmp_msg_end(&s->w, 0))
		return -EMSGSIZE;
	len = s->w.len - ISAKMP_HDR_LEN;
	err = cipher_encrypt(k->cipher, &k->key, x->iv, body, len, body);
	if (err)
		return err;
	memcpy(x->iv, body + len - block, block);
	*msg = BYTES(s->w.p, s->w.len);
	return 0;
}
