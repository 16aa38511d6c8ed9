#include "common/ike/keymat.h"

#define NONCE_MAX 256 // RFC 2409 5

static struct bytes of_secret(const struct secret *s)
{
	return BYTES(s->b, s->len);
}

int keymat_skeyid_psk(enum hash_alg h, const struct secret *psk, struct bytes ni, struct bytes nr,
		      struct secret *skeyid)
{
	const struct bytes parts[] = { ni, nr };

	return prf_secret(h, of_secret(psk), parts, N_ELEMS(parts), skeyid);
}

int keymat_skeyid_sig(enum hash_alg h, struct bytes gxy, struct bytes ni, struct bytes nr,
		      struct secret *skeyid)
{
	uint8_t key[2 * NONCE_MAX];

	if (ni.len > NONCE_MAX || nr.len > NONCE_MAX)
		return -EMSGSIZE;
	memcpy(key, ni.p, ni.len);
	memcpy(key + ni.len, nr.p, nr.len);
	return prf_secret(h, BYTES(key, ni.len + nr.len), &gxy, 1, skeyid);
}

int keymat_derive(enum hash_alg h, struct bytes gxy, const uint8_t cky_i[IKE_COOKIE_LEN],
		  const uint8_t cky_r[IKE_COOKIE_LEN], struct ike_skeyid *k)
{
	static const uint8_t count[] = { 0, 1, 2 };
	struct bytes parts[] = { { NULL, 0 }, // SKEYID_d has no predecessor
				 gxy,
				 BYTES(cky_i, IKE_COOKIE_LEN),
				 BYTES(cky_r, IKE_COOKIE_LEN),
				 BYTES(&count[0], 1) };
	struct bytes key = of_secret(&k->skeyid);
	int err = prf_secret(h, key, parts, N_ELEMS(parts), &k->d);

	if (err == 0) {
		parts[0] = of_secret(&k->d);
		parts[4] = BYTES(&count[1], 1);
		err = prf_secret(h, key, parts, N_ELEMS(parts), &k->a);
	}
	if (err == 0) {
		parts[0] = of_secret(&k->a);
		parts[4] = BYTES(&count[2], 1);
		err = prf_secret(h, key, parts, N_ELEMS(parts), &k->e);
	}
	return err;
}

// Ka = K1 | K2 | ..., K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1): RFC 2409 appendix B.
static int expand(enum hash_alg h, const struct secret *skeyid_e, size_t want, struct secret *key)
{
	static const uint8_t zero;
	size_t block = hash_len(h);
	struct bytes last = BYTES(&zero, 1);
	int err = 0;

	if (block == 0)
		return -EINVAL;
	for (size_t at = 0; at < want && err == 0; at += block) {
		if (at + block > SECRET_MAX)
			return -EMSGSIZE;
		err = prf_parts(h, of_secret(skeyid_e), &last, 1, key->b + at);
		last = BYTES(key->b + at, block);
	}
	return err;
}

int keymat_cipher_key(enum hash_alg h, enum cipher_alg c, const struct secret *skeyid_e,
		      struct secret *key)
{
	size_t want = cipher_key_len(c);
	int err;

	secret_fini(key);
	if (want == 0)
		return -EINVAL;
	if (skeyid_e->len >= want)
		return secret_set(key, skeyid_e->b, want);
	err = expand(h, skeyid_e, want, key);
	explicit_bzero(key->b + want, SECRET_MAX - want); // what the last block had too much
	key->len = err ? 0 : (uint16_t)want;
	return err;
}

int keymat_proof(enum hash_alg h, const struct secret *skeyid, const struct keymat_proof *p,
		 uint8_t out[HASH_MAX])
{
	const struct bytes parts[] = { p->ke_own,
				       p->ke_peer,
				       BYTES(p->cky_own, IKE_COOKIE_LEN),
				       BYTES(p->cky_peer, IKE_COOKIE_LEN),
				       p->sai,
				       p->id };

	return prf_parts(h, of_secret(skeyid), parts, N_ELEMS(parts), out);
}

// The leftmost cipher block of hash(a | b).
static int iv_of(enum hash_alg h, enum cipher_alg c, struct bytes a, struct bytes b,
		 uint8_t iv[CIPHER_BLOCK_MAX])
{
	const struct bytes parts[] = { a, b };
	uint8_t digest[HASH_MAX];
	int err = hash_parts(h, parts, N_ELEMS(parts), digest);

	if (err == 0)
		memcpy(iv, digest, cipher_block_len(c));
	return err;
}

int keymat_iv_phase1(enum hash_alg h, enum cipher_alg c, struct bytes ke_i, struct bytes ke_r,
		     uint8_t iv[CIPHER_BLOCK_MAX])
{
	return iv_of(h, c, ke_i, ke_r, iv);
}

int keymat_iv_exchange(enum hash_alg h, enum cipher_alg c, const uint8_t *last_block,
		       uint32_t msgid, uint8_t iv[CIPHER_BLOCK_MAX])
{
	const uint8_t id[4] = { (uint8_t)(msgid >> 24), (uint8_t)(msgid >> 16),
				(uint8_t)(msgid >> 8), (uint8_t)msgid };

	return iv_of(h, c, BYTES(last_block, cipher_block_len(c)), BYTES_OF(id), iv);
}
