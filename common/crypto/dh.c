#include "common/crypto/dh.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/param_build.h>

#include "common/crypto/crypto_int.h"
#include "common/crypto/dh_ecp.h"

static struct dh_row {
	enum dh_group group;
	bool ecp;
	uint16_t field_len; // of p: a coordinate, or a MODP value
	const char *name, *ossl;
	// The group without a key; constant after dh_init.
	EC_GROUP *curve;
	EVP_PKEY *params; // MODP, and
	BIGNUM *top;	  // p - 1, the first of the large values that are degenerate
} rows[] = {
	{ DH_MODP2048, false, 256, "MODP-2048", "modp_2048", NULL, NULL, NULL },
	{ DH_MODP3072, false, 384, "MODP-3072", "modp_3072", NULL, NULL, NULL },
	{ DH_MODP4096, false, 512, "MODP-4096", "modp_4096", NULL, NULL, NULL },
	{ DH_ECP256, true, 32, "ECP-256", "P-256", NULL, NULL, NULL },
	{ DH_ECP384, true, 48, "ECP-384", "P-384", NULL, NULL, NULL },
	{ DH_ECP521, true, 66, "ECP-521", "P-521", NULL, NULL, NULL },
};

static const struct dh_row *row_of(enum dh_group g)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (rows[i].group == g)
			return &rows[i];
	}
	return NULL;
}

// A key of a MODP group: its parameters, or a pair when both values are given.
static EVP_PKEY *modp_key(const struct dh_row *r, const BIGNUM *priv, const BIGNUM *pub,
			  int selection)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	bool ok = ctx && bld &&
		  OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, r->ossl, 0);

	if (priv)
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, priv);
	if (pub)
		ok = ok && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PUB_KEY, pub);
	params = ok ? OSSL_PARAM_BLD_to_param(bld) : NULL;
	if (params && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static bool modp_init(struct dh_row *r)
{
	r->params = modp_key(r, NULL, NULL, EVP_PKEY_KEY_PARAMETERS);
	return r->params && EVP_PKEY_get_bn_param(r->params, OSSL_PKEY_PARAM_FFC_P, &r->top) &&
	       BN_sub_word(r->top, 1);
}

int dh_init(void)
{
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct dh_row *r = &rows[i];

		if (r->ecp)
			r->curve = ecp_group_new(r->ossl);
		if (r->ecp ? !r->curve : !modp_init(r))
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

// With code of its own in OpenSSL: 65 us, where ECP-384 takes a millisecond.
bool dh_is_quick(enum dh_group g)
{
	return g == DH_ECP256;
}

struct dh_job *dh_job_new(enum dh_group g)
{
	struct dh_job *j = row_of(g) ? calloc(1, sizeof(*j)) : NULL;

	if (j)
		j->group = g;
	return j;
}

static void own_key_free(struct dh_job *j)
{
	const struct dh_row *r = row_of(j->group);

	if (r && r->ecp)
		BN_clear_free(j->own_key);
	else
		EVP_PKEY_free(j->own_key);
	j->own_key = NULL;
}

void dh_job_free(struct dh_job *j)
{
	if (!j)
		return;
	own_key_free(j);
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

// ---- MODP ----

// The peer's value beside the group's constant parameters. NULL unless 1 < y < p - 1. The groups'
// primes are safe ones, so what is left has a large order (RFC 6989 2.1).
static EVP_PKEY *modp_public(const struct dh_row *r, struct bytes y)
{
	BIGNUM *bn = BN_bin2bn(y.p, (int)y.len, NULL);
	bool sane = bn && BN_cmp(bn, BN_value_one()) > 0 && BN_cmp(bn, r->top) < 0;
	EVP_PKEY *key = sane ? EVP_PKEY_new() : NULL;

	BN_free(bn);
	if (key && EVP_PKEY_copy_parameters(key, r->params) == 1 &&
	    EVP_PKEY_set1_encoded_public_key(key, y.p, y.len) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

// OpenSSL pads the value to the size of p.
static int modp_export(const struct dh_row *r, struct dh_job *j)
{
	unsigned char *buf = NULL;
	size_t len = EVP_PKEY_get1_encoded_public_key(j->own_key, &buf);

	if (len == r->field_len)
		memcpy(j->own, buf, len);
	OPENSSL_free(buf);
	return len == r->field_len ? 0 : -ENOMEM;
}

static int modp_make(const struct dh_row *r, struct dh_job *j)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, r->params, NULL);
	EVP_PKEY *key = NULL;
	bool ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, &key) == 1;

	EVP_PKEY_CTX_free(ctx);
	if (!ok)
		return -ENOMEM;
	j->own_key = key;
	return modp_export(r, j);
}

static int modp_set(const struct dh_row *r, struct dh_job *j, struct bytes x, struct bytes own)
{
	BIGNUM *bx = BN_bin2bn(x.p, (int)x.len, NULL);
	BIGNUM *by = BN_bin2bn(own.p, (int)own.len, NULL);

	j->own_key = bx && by ? modp_key(r, bx, by, EVP_PKEY_KEYPAIR) : NULL;
	BN_clear_free(bx);
	BN_free(by);
	return j->own_key ? modp_export(r, j) : -EINVAL;
}

// The peer's value is already known to be sound, so OpenSSL's own check, another exponentiation,
// is left out; and padding is asked for, or OpenSSL would drop leading zeros.
static bool modp_derive(const struct dh_row *r, struct dh_job *j)
{
	EVP_PKEY *peer = modp_public(r, BYTES(j->peer, j->peer_len));
	EVP_PKEY_CTX *ctx = peer ? EVP_PKEY_CTX_new_from_pkey(NULL, j->own_key, NULL) : NULL;
	size_t len = sizeof(j->shared.b);
	bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_CTX_set_dh_pad(ctx, 1) == 1 &&
		  EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		  EVP_PKEY_derive(ctx, j->shared.b, &len) == 1 && len == r->field_len;

	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return ok;
}

// ---- ECP ----

static int ecp_make(const struct dh_row *r, struct dh_job *j)
{
	j->own_key = ecp_scalar_new(r->curve);
	return j->own_key && ecp_public(r->curve, j->own_key, r->field_len, j->own) ? 0 : -ENOMEM;
}

static int ecp_set(const struct dh_row *r, struct dh_job *j, struct bytes x, struct bytes own)
{
	j->own_key = ecp_scalar_from(r->curve, x);
	if (!j->own_key)
		return -EINVAL;
	if (!ecp_public(r->curve, j->own_key, r->field_len, j->own))
		return -ENOMEM;
	return memcmp(j->own, own.p, own.len) == 0 ? 0 : -EINVAL;
}

// ---- jobs ----

static int make_own(const struct dh_row *r, struct dh_job *j)
{
	int err = r->ecp ? ecp_make(r, j) : modp_make(r, j);

	if (err)
		own_key_free(j);
	else
		j->own_len = (uint16_t)dh_public_len(r->group);
	return err;
}

int dh_job_set_private(struct dh_job *j, struct bytes x, struct bytes own)
{
	const struct dh_row *r = row_of(j->group);
	int err;

	if (!r || own.len != dh_public_len(j->group))
		return -EINVAL;
	own_key_free(j);
	err = r->ecp ? ecp_set(r, j, x, own) : modp_set(r, j, x, own);
	if (err)
		own_key_free(j);
	else
		j->own_len = (uint16_t)own.len;
	return err;
}

int dh_job_private(const struct dh_job *j, struct secret *out)
{
	const struct dh_row *r = row_of(j->group);

	*out = (struct secret){ .len = 0 };
	if (!r || !r->ecp || !j->own_key ||
	    BN_bn2binpad(j->own_key, out->b, r->field_len) != r->field_len)
		return -EINVAL;
	out->len = r->field_len;
	return 0;
}

static int derive(const struct dh_row *r, struct dh_job *j)
{
	bool ok = r->ecp ? ecp_shared(r->curve, j->own_key, j->peer, r->field_len, j->shared.b)
			 : modp_derive(r, j);

	if (!ok) {
		explicit_bzero(&j->shared, sizeof(j->shared));
		return -EBADMSG;
	}
	j->shared.len = r->field_len;
	return 0;
}

static int run(struct dh_job *j)
{
	const struct dh_row *r = row_of(j->group);
	int err = r ? 0 : -EINVAL;

	if (!err && !j->own_key)
		err = make_own(r, j);
	if (err || j->peer_len == 0)
		return err;
	return derive(r, j);
}

int dh_job_run(struct dh_job *j)
{
	j->err = run(j);
	return j->err;
}
