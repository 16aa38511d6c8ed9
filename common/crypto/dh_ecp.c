#include "common/crypto/dh_ecp.h"

#include <openssl/bn.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>

#define POINT_MAX (DH_PUBLIC_MAX + 1)

EC_GROUP *ecp_group_new(const char *curve)
{
	return EC_GROUP_new_by_curve_name_ex(NULL, NULL, EC_curve_nist2nid(curve));
}

BIGNUM *ecp_scalar_new(const EC_GROUP *g)
{
	BIGNUM *k = BN_secure_new();
	BN_CTX *ctx = BN_CTX_secure_new();
	bool ok = k && ctx;

	do {
		ok = ok && BN_priv_rand_range_ex(k, EC_GROUP_get0_order(g), 0, ctx) == 1;
	} while (ok && BN_is_zero(k));
	BN_CTX_free(ctx);
	if (ok)
		return k;
	BN_clear_free(k);
	return NULL;
}

BIGNUM *ecp_scalar_from(const EC_GROUP *g, struct bytes x)
{
	BIGNUM *k = BN_bin2bn(x.p, (int)x.len, BN_secure_new());

	if (k && !BN_is_zero(k) && BN_cmp(k, EC_GROUP_get0_order(g)) < 0)
		return k;
	BN_clear_free(k);
	return NULL;
}

// The point is written uncompressed, after an octet that says so.
bool ecp_public(const EC_GROUP *g, const BIGNUM *scalar, size_t len, uint8_t *xy)
{
	uint8_t point[POINT_MAX];
	EC_POINT *p = EC_POINT_new(g);
	BN_CTX *ctx = BN_CTX_secure_new();
	bool ok = p && ctx && EC_POINT_mul(g, p, scalar, NULL, NULL, ctx) == 1 &&
		  EC_POINT_point2oct(g, p, POINT_CONVERSION_UNCOMPRESSED, point, sizeof(point),
				     ctx) == 1 + 2 * len;

	if (ok)
		memcpy(xy, point + 1, 2 * len);
	BN_CTX_free(ctx);
	EC_POINT_free(p);
	return ok;
}

// OpenSSL looks whether the point is on the curve while it reads it.
static bool point_read(const EC_GROUP *g, const uint8_t *xy, size_t len, EC_POINT *p, BN_CTX *ctx)
{
	uint8_t point[POINT_MAX] = { POINT_CONVERSION_UNCOMPRESSED };

	memcpy(point + 1, xy, 2 * len);
	return EC_POINT_oct2point(g, p, point, 1 + 2 * len, ctx) == 1;
}

bool ecp_shared(const EC_GROUP *g, const BIGNUM *scalar, const uint8_t *peer, size_t len,
		uint8_t *x)
{
	EC_POINT *p = EC_POINT_new(g), *q = EC_POINT_new(g);
	BIGNUM *bx = BN_secure_new();
	BN_CTX *ctx = BN_CTX_secure_new();
	bool ok = p && q && bx && ctx && point_read(g, peer, len, p, ctx) &&
		  EC_POINT_mul(g, q, NULL, p, scalar, ctx) == 1 &&
		  EC_POINT_get_affine_coordinates(g, q, bx, NULL, ctx) == 1 &&
		  BN_bn2binpad(bx, x, (int)len) == (int)len;

	BN_CTX_free(ctx);
	BN_clear_free(bx);
	EC_POINT_clear_free(q);
	EC_POINT_free(p);
	return ok;
}
