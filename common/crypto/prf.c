#include "common/crypto/prf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "common/crypto/crypto_int.h"

static const struct hash_row {
	uint8_t len;
	bool weak;
	const char *name; // ours and OpenSSL's
} rows[HASH_ALG_COUNT] = {
	[HASH_ALG_NONE] = { 0, true, "none" },	     [HASH_ALG_MD5] = { 16, true, "MD5" },
	[HASH_ALG_SHA1] = { 20, true, "SHA1" },	     [HASH_ALG_SHA224] = { 28, false, "SHA224" },
	[HASH_ALG_SHA256] = { 32, false, "SHA256" }, [HASH_ALG_SHA384] = { 48, false, "SHA384" },
	[HASH_ALG_SHA512] = { 64, false, "SHA512" },
};

static bool known(enum hash_alg alg)
{
	return (unsigned)alg < HASH_ALG_COUNT && crypto_algs.md[alg];
}

int prf_init(void)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	int err = hmac ? 0 : -ENOTSUP;

	for (int a = HASH_ALG_MD5; a < HASH_ALG_COUNT && err == 0; a++) {
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
							 (char *)rows[a].name, 0),
			OSSL_PARAM_construct_end(),
		};

		crypto_algs.md[a] = EVP_MD_fetch(NULL, rows[a].name, NULL);
		crypto_algs.hmac[a] = EVP_MAC_CTX_new(hmac);
		if (!crypto_algs.md[a] || !crypto_algs.hmac[a] ||
		    !EVP_MAC_CTX_set_params(crypto_algs.hmac[a], params))
			err = -ENOTSUP;
	}
	EVP_MAC_free(hmac); // the templates hold their own reference
	return err;
}

size_t hash_len(enum hash_alg alg)
{
	return (unsigned)alg < HASH_ALG_COUNT ? rows[alg].len : 0;
}

const char *hash_name(enum hash_alg alg)
{
	return (unsigned)alg < HASH_ALG_COUNT ? rows[alg].name : "unknown";
}

bool hash_is_weak(enum hash_alg alg)
{
	return (unsigned)alg >= HASH_ALG_COUNT || rows[alg].weak;
}

int hash_parts(enum hash_alg alg, const struct bytes *parts, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx;
	bool ok;

	if (!known(alg))
		return -EINVAL;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestInit_ex(ctx, crypto_algs.md[alg], NULL);
	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int prf_parts(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
	      uint8_t *out)
{
	static const uint8_t nothing[1];
	EVP_MAC_CTX *ctx;
	bool ok;

	if (!known(alg))
		return -EINVAL;
	if (key.len == 0) // an empty key is a key; a null pointer would mean "keep the last one"
		key.p = nothing;
	ctx = EVP_MAC_CTX_dup(crypto_algs.hmac[alg]);
	ok = ctx && EVP_MAC_init(ctx, key.p, key.len, NULL);
	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, parts[i].p, parts[i].len);
	ok = ok && EVP_MAC_final(ctx, out, NULL, rows[alg].len);
	EVP_MAC_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int prf_secret(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
	       struct secret *out)
{
	int err;

	secret_fini(out);
	err = prf_parts(alg, key, parts, n, out->b);
	out->len = err ? 0 : rows[alg].len;
	return err;
}
