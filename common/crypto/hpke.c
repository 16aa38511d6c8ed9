#include "common/crypto/hpke.h"

#include "common/crypto/aead.h"
#include "common/crypto/dh.h"
#include "common/crypto/prf.h"

#define MODE_BASE 0

// RFC 9180 4.1 and 5.1: what says which suite a derivation belongs to.
static const uint8_t kem_id[] = { 'K', 'E', 'M', 0x00, 0x10 };
static const uint8_t suite_id[] = { 'H', 'P', 'K', 'E', 0x00, 0x10, 0x00, 0x01, 0x00, 0x02 };

// ---- labelled HKDF, RFC 9180 4 ----

static int labeled_extract(struct bytes suite, struct bytes salt, struct bytes label,
			   struct bytes ikm, struct secret *out)
{
	static const uint8_t zeros[32];
	const struct bytes part[] = { BYTES_LIT("HPKE-v1"), suite, label, ikm };

	return prf_secret(HASH_ALG_SHA256, salt.len ? salt : BYTES_OF(zeros), part, N_ELEMS(part),
			  out);
}

// len is at most that of one block.
static int labeled_expand(struct bytes suite, const struct secret *prk, struct bytes label,
			  struct bytes info, uint8_t len, struct secret *out)
{
	const uint8_t head[] = { 0, len }, counter[] = { 1 };
	const struct bytes part[] = { BYTES_OF(head), BYTES_LIT("HPKE-v1"), suite, label,
				      info,	      BYTES_OF(counter) };
	int err = prf_secret(HASH_ALG_SHA256, BYTES(prk->b, prk->len), part, N_ELEMS(part), out);

	if (!err) {
		explicit_bzero(out->b + len, sizeof(out->b) - len);
		out->len = len;
	}
	return err;
}

// ---- the key of one message ----

struct context {
	struct secret key, nonce;
};

static void context_fini(struct context *c)
{
	secret_fini(&c->key);
	secret_fini(&c->nonce);
}

// RFC 9180 5.1, base mode.
static int schedule(const struct secret *shared, struct bytes info, struct context *out)
{
	const struct bytes suite = BYTES_OF(suite_id), none = BYTES(NULL, 0);
	struct secret psk = { 0 }, inf = { 0 }, secret = { 0 };
	uint8_t ctx[1 + 32 + 32] = { MODE_BASE };
	struct bytes c = BYTES_OF(ctx);
	int err = labeled_extract(suite, none, BYTES_LIT("psk_id_hash"), none, &psk);

	if (!err)
		err = labeled_extract(suite, none, BYTES_LIT("info_hash"), info, &inf);
	memcpy(ctx + 1, psk.b, 32);
	memcpy(ctx + 33, inf.b, 32);
	if (!err)
		err = labeled_extract(suite, BYTES(shared->b, shared->len), BYTES_LIT("secret"),
				      none, &secret);
	if (!err)
		err = labeled_expand(suite, &secret, BYTES_LIT("key"), c, AEAD_KEY_LEN, &out->key);
	if (!err)
		err = labeled_expand(suite, &secret, BYTES_LIT("base_nonce"), c, AEAD_NONCE_LEN,
				     &out->nonce);
	secret_fini(&secret);
	return err;
}

// RFC 9180 4.1, ExtractAndExpand: dh is what both sides have; enc and pub are in the open.
static int kem(const struct dh_secret *dh, const uint8_t *enc, const uint8_t *pub,
	       struct secret *out)
{
	const struct bytes suite = BYTES_OF(kem_id);
	uint8_t ctx[2 * HPKE_PUBLIC_LEN];
	struct secret prk;
	int err = labeled_extract(suite, BYTES(NULL, 0), BYTES_LIT("eae_prk"),
				  BYTES(dh->b, dh->len), &prk);

	memcpy(ctx, enc, HPKE_PUBLIC_LEN);
	memcpy(ctx + HPKE_PUBLIC_LEN, pub, HPKE_PUBLIC_LEN);
	if (!err)
		err = labeled_expand(suite, &prk, BYTES_LIT("shared_secret"), BYTES_OF(ctx), 32,
				     out);
	secret_fini(&prk);
	return err;
}

static int derive(const struct dh_job *j, const uint8_t *enc, const uint8_t *pub, struct bytes info,
		  struct context *out)
{
	struct secret shared = { 0 };
	int err = kem(&j->shared, enc, pub, &shared);

	if (!err)
		err = schedule(&shared, info, out);
	secret_fini(&shared);
	return err;
}

static int agree(struct dh_job *j, const uint8_t *peer)
{
	if (peer[0] != 4)
		return -EBADMSG;
	if (dh_job_set_peer(j, BYTES(peer + 1, HPKE_PUBLIC_LEN - 1)))
		return -EBADMSG;
	return dh_job_run(j);
}

// ---- keys ----

int hpke_key_new(struct hpke_key *k)
{
	struct dh_job *j = dh_job_new(DH_ECP256);
	int err = j ? dh_job_run(j) : -ENOMEM;

	*k = (struct hpke_key){ .public = { 4 } };
	if (!err)
		err = dh_job_private(j, &k->private);
	if (!err)
		memcpy(k->public + 1, j->own, HPKE_PUBLIC_LEN - 1);
	dh_job_free(j);
	return err;
}

void hpke_key_fini(struct hpke_key *k)
{
	explicit_bzero(k, sizeof(*k));
}

// ---- messages ----

int hpke_seal(const uint8_t to[HPKE_PUBLIC_LEN], struct bytes info, struct bytes aad,
	      struct bytes plain, uint8_t *out)
{
	struct dh_job *j = dh_job_new(DH_ECP256);
	struct context c = { 0 };
	int err = j ? agree(j, to) : -ENOMEM;

	if (!err) {
		out[0] = 4;
		memcpy(out + 1, j->own, HPKE_PUBLIC_LEN - 1);
		err = derive(j, out, to, info, &c);
	}
	if (!err)
		err = aead_seal(&c.key, c.nonce.b, aad, plain, out + HPKE_PUBLIC_LEN);
	context_fini(&c);
	dh_job_free(j);
	return err;
}

int hpke_open(const struct hpke_key *k, struct bytes info, struct bytes aad, struct bytes sealed,
	      uint8_t *out)
{
	struct context c = { 0 };
	struct dh_job *j;
	int err;

	if (sealed.len < HPKE_OVERHEAD)
		return -EBADMSG;
	j = dh_job_new(DH_ECP256);
	err = j ? dh_job_set_private(j, BYTES(k->private.b, k->private.len),
				     BYTES(k->public + 1, HPKE_PUBLIC_LEN - 1))
		: -ENOMEM;
	if (!err)
		err = agree(j, sealed.p);
	if (!err)
		err = derive(j, sealed.p, k->public, info, &c);
	if (!err)
		err = aead_open(&c.key, c.nonce.b, aad,
				BYTES(sealed.p + HPKE_PUBLIC_LEN, sealed.len - HPKE_PUBLIC_LEN),
				out);
	context_fini(&c);
	dh_job_free(j);
	return err;
}
