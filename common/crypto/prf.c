#include "common/crypto/prf.h"

#include "common/crypto/crypto_int.h"

#define BLOCK_MAX 128 // of SHA-512

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
	for (int a = HASH_ALG_MD5; a < HASH_ALG_COUNT; a++) {
		crypto_algs.md[a] = EVP_MD_fetch(NULL, rows[a].name, NULL);
		if (!crypto_algs.md[a] || EVP_MD_get_block_size(crypto_algs.md[a]) > BLOCK_MAX)
			return -ENOTSUP;
	}
	return 0;
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

// H(first | parts..)
static bool digest(EVP_MD_CTX *ctx, enum hash_alg alg, struct bytes first,
		   const struct bytes *parts, size_t n, uint8_t *out)
{
	bool ok = EVP_DigestInit_ex(ctx, crypto_algs.md[alg], NULL) &&
		  EVP_DigestUpdate(ctx, first.p, first.len);

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len);
	return ok && EVP_DigestFinal_ex(ctx, out, NULL);
}

int hash_parts(enum hash_alg alg, const struct bytes *parts, size_t n, uint8_t *out)
{
	EVP_MD_CTX *ctx;
	bool ok;

	if (!known(alg))
		return -EINVAL;
	ctx = EVP_MD_CTX_new();
	ok = ctx && digest(ctx, alg, BYTES(NULL, 0), parts, n, out);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

static void flip(uint8_t *block, size_t len, uint8_t with)
{
	for (size_t i = 0; i < len; i++)
		block[i] ^= with;
}

// H(K ^ opad | H(K ^ ipad | parts..)), RFC 2104; a key longer than a block is hashed first.
static bool hmac(EVP_MD_CTX *ctx, enum hash_alg alg, struct bytes key, const struct bytes *parts,
		 size_t n, uint8_t *out)
{
	size_t len = (size_t)EVP_MD_get_block_size(crypto_algs.md[alg]);
	uint8_t block[BLOCK_MAX] = { 0 };
	const struct bytes inner = BYTES(out, rows[alg].len);
	bool ok = true;

	if (key.len > len)
		ok = digest(ctx, alg, key, NULL, 0, block);
	else if (key.len > 0)
		memcpy(block, key.p, key.len);
	flip(block, len, 0x36);
	ok = ok && digest(ctx, alg, BYTES(block, len), parts, n, out);
	flip(block, len, 0x36 ^ 0x5c);
	ok = ok && digest(ctx, alg, BYTES(block, len), &inner, 1, out);
	explicit_bzero(block, sizeof(block));
	return ok;
}

// EVP_MAC does the same, in twice the time: it copies its contexts for each key.
int prf_parts(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
	      uint8_t *out)
{
	EVP_MD_CTX *ctx;
	bool ok;

	if (!known(alg))
		return -EINVAL;
	ctx = EVP_MD_CTX_new();
	ok = ctx && hmac(ctx, alg, key, parts, n, out);
	EVP_MD_CTX_free(ctx);
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
