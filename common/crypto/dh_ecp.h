// common/crypto/dh_ecp.h - the arithmetic of Diffie-Hellman on curves; nobody but dh.c includes it.
// OpenSSL's EVP calls do the same inside, but copy, look up and check again for every key: they
// take 88 us where this takes 63 (P-256, 3.0.22).
// Always: scalars are private BIGNUMs, cleared when freed; both multiplications run in constant
//         time (one point and one scalar each).
#pragma once
#include <openssl/ec.h>

#include "common/crypto/dh.h"

EC_GROUP *ecp_group_new(const char *curve); // constant, shared by threads; NULL: not there
// A fresh scalar, or the one in x; NULL: out of memory, or x is none of the group's.
BIGNUM *ecp_scalar_new(const EC_GROUP *g);
BIGNUM *ecp_scalar_from(const EC_GROUP *g, struct bytes x);
// x | y of scalar * G, each len octets.
MUST_CHECK bool ecp_public(const EC_GROUP *g, const BIGNUM *scalar, size_t len, uint8_t *xy);
// x of scalar * peer, len octets. False: peer is not on the curve. The curves have cofactor 1, and
// infinity has no x | y form, so nothing else is left to check (RFC 6989 2.3).
MUST_CHECK bool ecp_shared(const EC_GROUP *g, const BIGNUM *scalar, const uint8_t *peer, size_t len,
			   uint8_t *x);
