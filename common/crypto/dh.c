#include "common/crypto/dh.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/param_build.h>

#include "common/crypto/crypto_int.h"

static struct dh_row {
	enum dh_group group;
	bool ecp;
	uint16_t field_len; // of p: a coordinate, or a MODP value
	const char *name, *ossl;
	EVP_PKEY *params; // the group without a key; constant after dh_init
	BIGNUM *top;	  // MODP: p - 1, the first of the large values that are degenerate
} rows[] = {
	{ DH_MODP2048, false, 256, "MODP-2048", "modp_2048", NULL, NULL },
	{ DH_MODP3072, false, 384, "MODP-3072", "modp_3072", NULL, NULL },
	{ DH_MODP4096, false, 512, "MODP-4096", "modp_4096", NULL, NULL },
	{ DH_ECP256, true, 32, "ECP-256", "P-256", NULL, NULL },
	{ DH_ECP384, true, 48, "ECP-384", "P-384", NULL, NULL },
	{ DH_ECP521, true, 66, "ECP-521", "P-521", NULL, NULL },
};

static const struct dh_row *row_of(enum dh_group g)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (rows[i].group == g)
			return &rows[i];
	}
	return NULL;
}

// A key of the row's group: its parameters, a public key, or a pair, as far as values are given.
// The public value is in OpenSSL's encoding (an EC point begins with 4).
static EVP_PKEY *key_from(const struct dh_row *r, const BIGNUM *priv, const BIGNUM *pub_modp,
			  struct bytes pub_ecp, int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, r->ecp ? "EC" : "DH", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	bool ok = ctx && bld &&
		  OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, r->ossl, 0);

	if (priv)
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv);
	if (pub_modp)
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PUB_KEY, pub_modp);
	if (pub_ecp.p)
		ok = ok && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, pub_ecp.p,
							    pub_ecp.len);
	params = ok ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

int dh_init(void)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct dh_row *r = &rows[i];

		r->params = key_from(r, NULL, NULL, BYTES(NULL, 0), EVP_PKEY_KEY_PARAMETERS);
		if (!r->params)
			return -ENOTSUP;
		if (!r->ecp && (!EVP_PKEY_get_bn_param(r->params, OSSL_PKEY_PARAM_FFC_P, &r->top) ||
				!BN_sub_word(r->top, 1)))
			return -ENOTSUP;
	}
	return 0;
}

size_t dh_public_len(enum dh_group g)
{
	const struct dh_row *r = row_of(g);

	return !r ? 0 : r->ecp ? 2u * r->field_len : r->field_len;
}

size_t dh_shared_len(enum dh_group g)
{
	const struct dh_row *r = row_of(g);

	return r ? r->field_len : 0;
}

const char *dh_name(enum dh_group g)
{
	const struct dh_row *r = row_of(g);

	return r ? r->name : "unknown";
}

struct dh_job *dh_job_new(enum dh_group g)
{
	struct dh_job *j = row_of(g) ? calloc(1, sizeof(*j)) : NULL;

	if (j)
		j->group = g;
	return j;
}

void dh_job_free(struct dh_job *j)
{
	if (!j)
		return;
	EVP_PKEY_free(j->own_key);
	explicit_bzero(j, sizeof(*j));
	free(j);
}

int dh_job_set_peer(struct dh_job *j, struct bytes ke)
{
	if (ke.len == 0 || ke.len != dh_public_len(j->group))
		return -EBADMSG;
	memcpy(j->peer, ke.p, ke.len);
	j->peer_len = (uint16_t)ke.len;
	return 0;
}

// The point as OpenSSL writes it: uncompressed, after an octet that says so.
static size_t point_encode(const uint8_t *xy, size_t len, uint8_t out[DH_PUBLIC_MAX + 1])
{
	out[0] = 4;
	memcpy(out + 1, xy, len);
	return len + 1;
}

// The peer's value beside the group's constant parameters. For an EC point OpenSSL checks that it
// is on the curve while it decodes.
static EVP_PKEY *public_from(const struct dh_row *r, const uint8_t *encoded, size_t len)
{
	EVP_PKEY *key = EVP_PKEY_new();

	if (key && EVP_PKEY_copy_parameters(key, r->params) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(key, encoded, len) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

// NULL unless 1 < y < p - 1. The groups' primes are safe ones, so what is left has a large order
// (RFC 6989 2.1).
static EVP_PKEY *modp_public(const struct dh_row *r, struct bytes y)
{
	BIGNUM *bn = BN_bin2bn(y.p, (int)y.len, NULL);
	bool sane = bn && BN_cmp(bn, BN_value_one()) > 0 && BN_cmp(bn, r->top) < 0;

	BN_free(bn);
	return sane ? public_from(r, y.p, y.len) : NULL;
}

// NULL unless the point is on the curve. The curves have cofactor 1, and infinity has no x | y
// form, so nothing else is left to check (RFC 6989 2.3).
static EVP_PKEY *ecp_public(const struct dh_row *r, struct bytes xy)
{
	uint8_t point[DH_PUBLIC_MAX + 1];

	return public_from(r, point, point_encode(xy.p, xy.len, point));
}

// Own public value out of the key, in the wire's form.
static int export_own(const struct dh_row *r, struct dh_job *j)
{
	size_t want = dh_public_len(r->group), skip = r->ecp ? 1 : 0;
	unsigned char *buf = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(j->own_key, &buf);
	int err = -ENOMEM;

	if (len == want + skip) { // OpenSSL pads a MODP value to the size of p
		memcpy(j->own, buf + skip, want);
		j->own_len = (uint16_t)want;
		err = 0;
	}
	OPENSSL_free(buf);
	return err;
}

static int make_own(const struct dh_row *r, struct dh_job *j)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, r->params, NULL);
	EVP_PKEY *key = NULL;
	bool ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, &key) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return -ENOMEM;
	j->own_key = key;
	return export_own(r, j);
}

int dh_job_set_private(struct dh_job *j, struct bytes x, struct bytes own)
{
	const struct dh_row *r = row_of(j->group);
	uint8_t point[DH_PUBLIC_MAX + 1];
	BIGNUM *bx, *by = NULL;
	EVP_PKEY *key = NULL;

	if (!r || own.len != dh_public_len(j->group))
		return -EINVAL;
	bx = BN_bin2bn(x.p, (int)x.len, NULL);
	if (r->ecp) {
		size_t len = point_encode(own.p, own.len, point);

		key = key_from(r, bx, NULL, BYTES(point, len), EVP_PKEY_KEYPAIR);
	} else {
		by = BN_bin2bn(own.p, (int)own.len, NULL);
		key = key_from(r, bx, by, BYTES(NULL, 0), EVP_PKEY_KEYPAIR);
	}
	BN_clear_free(bx);
	BN_free(by);
	if (!key)
		return -EINVAL;
	EVP_PKEY_free(j->own_key);
	j->own_key = key;
	return export_own(r, j);
}

int dh_job_private(const struct dh_job *j, struct secret *out)
{
	const struct dh_row *r = row_of(j->group);
	BIGNUM *x = NULL;
	bool ok = r && r->ecp && j->own_key &&
		  EVP_PKEY_get_bn_param(j->own_key, OSSL_PKEY_PARAM_PRIV_KEY, &x) == 1 &&
		  BN_bn2binpad(x, out->b, r->field_len) == r->field_len;

	BN_clear_free(x);
	if (ok)
		out->len = r->field_len;
	else
		secret_fini(out);
	return ok ? 0 : -EINVAL;
}

// The peer's value is already known to be sound, so OpenSSL's own check, another exponentiation,
// is left out.
static int derive(const struct dh_row *r, struct dh_job *j, EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, j->own_key, NULL);
	size_t len = sizeof(j->shared.b);
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1;

	if (!r->ecp) // OpenSSL would drop leading zeros
		ok = ok && EVP_PKEY_CTX_set_dh_pad(ctx, 1) == 1;
	ok = ok && EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
	     EVP_PKEY_derive(ctx, j->shared.b, &len) == 1 && len == r->field_len;
	EVP_PKEY_CTX_free(ctx);
	if (!ok) {
		explicit_bzero(&j->shared, sizeof(j->shared));
		return -EBADMSG;
	}
	j->shared.len = (uint16_t)len;
	return 0;
}

static int run(struct dh_job *j)
{
	const struct dh_row *r = row_of(j->group);
	EVP_PKEY *peer;
	int err;

	if (!r)
		return -EINVAL;
	if (!j->own_key && (err = make_own(r, j)))
		return err;
	if (j->peer_len == 0)
		return 0;
	peer = r->ecp ? ecp_public(r, BYTES(j->peer, j->peer_len))
		      : modp_public(r, BYTES(j->peer, j->peer_len));
	err = peer ? derive(r, j, peer) : -EBADMSG;
	EVP_PKEY_free(peer);
	return err;
}

int dh_job_run(struct dh_job *j)
{
	j->err = run(j);
	return j->err;
}
