#include "common/crypto/cipher.h"

#include <limits.h>

#include "common/crypto/crypto_int.h"

static const struct cipher_row {
	uint8_t key_len, block_len;
	bool weak;
	const char *name, *ossl;
} rows[CIPHER_COUNT] = {
	[CIPHER_NONE] = { 0, 0, true, "none", NULL },
	[CIPHER_3DES_CBC] = { 24, 8, true, "3DES-CBC", "DES-EDE3-CBC" },
	[CIPHER_AES128_CBC] = { 16, 16, false, "AES-128-CBC", "AES-128-CBC" },
	[CIPHER_AES192_CBC] = { 24, 16, false, "AES-192-CBC", "AES-192-CBC" },
	[CIPHER_AES256_CBC] = { 32, 16, false, "AES-256-CBC", "AES-256-CBC" },
};

int cipher_init(void)
{
	for (int a = CIPHER_NONE + 1; a < CIPHER_COUNT; a++) {
		crypto_algs.cipher[a] = EVP_CIPHER_fetch(NULL, rows[a].ossl, NULL);
		if (!crypto_algs.cipher[a])
			return -ENOTSUP;
	}
	return 0;
}

size_t cipher_key_len(enum cipher_alg alg)
{
	return (unsigned)alg < CIPHER_COUNT ? rows[alg].key_len : 0;
}

size_t cipher_block_len(enum cipher_alg alg)
{
	return (unsigned)alg < CIPHER_COUNT ? rows[alg].block_len : 0;
}

const char *cipher_name(enum cipher_alg alg)
{
	return (unsigned)alg < CIPHER_COUNT ? rows[alg].name : "unknown";
}

bool cipher_is_weak(enum cipher_alg alg)
{
	return (unsigned)alg >= CIPHER_COUNT || rows[alg].weak;
}

static int cbc(enum cipher_alg alg, const struct secret *key, const uint8_t *iv, const uint8_t *in,
	       size_t len, uint8_t *out, int encrypt)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0;
	bool ok;

	if ((unsigned)alg >= CIPHER_COUNT || !crypto_algs.cipher[alg] ||
	    key->len != rows[alg].key_len || len % rows[alg].block_len || len > INT_MAX)
		return -EINVAL;
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && EVP_CipherInit_ex2(ctx, crypto_algs.cipher[alg], key->b, iv, encrypt, NULL) &&
	     EVP_CIPHER_CTX_set_padding(ctx, 0) && EVP_CipherUpdate(ctx, out, &n, in, (int)len) &&
	     (size_t)n == len;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int cipher_encrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
		   const uint8_t *in, size_t len, uint8_t *out)
{
	return cbc(alg, key, iv, in, len, out, 1);
}

int cipher_decrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
		   const uint8_t *in, size_t len, uint8_t *out)
{
	return cbc(alg, key, iv, in, len, out, 0);
}
