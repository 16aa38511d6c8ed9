#include "common/crypto/aead.h"

#include <limits.h>

#include "common/crypto/crypto_int.h"

static EVP_CIPHER *gcm;

int aead_init(void)
{
	if (!gcm)
		gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	return gcm ? 0 : -ENOTSUP;
}

// A context with key, nonce and associated data in it, or NULL.
static EVP_CIPHER_CTX *begin(const struct secret *key, const uint8_t *nonce, struct bytes aad,
			     int seal)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n;

	if (ctx && EVP_CipherInit_ex2(ctx, gcm, key->b, nonce, seal, NULL) &&
	    (aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.len)))
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static bool right(const struct secret *key, struct bytes aad, struct bytes in)
{
	return gcm && key->len == AEAD_KEY_LEN && aad.len <= INT_MAX && in.len <= INT_MAX;
}

int aead_seal(const struct secret *key, const uint8_t nonce[AEAD_NONCE_LEN], struct bytes aad,
	      struct bytes plain, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	int n = 0, rest = 0;
	bool ok;

	if (!right(key, aad, plain))
		return -EINVAL;
	ctx = begin(key, nonce, aad, 1);
	ok = ctx && (plain.len == 0 || EVP_CipherUpdate(ctx, out, &n, plain.p, (int)plain.len)) &&
	     EVP_CipherFinal_ex(ctx, out + n, &rest) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, out + plain.len);
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

int aead_open(const struct secret *key, const uint8_t nonce[AEAD_NONCE_LEN], struct bytes aad,
	      struct bytes sealed, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[AEAD_TAG_LEN];
	int n = 0, rest = 0, err = -ENOMEM;
	size_t len;

	if (!right(key, aad, sealed))
		return -EINVAL;
	if (sealed.len < AEAD_TAG_LEN)
		return -EBADMSG;
	len = sealed.len - AEAD_TAG_LEN;
	memcpy(tag, sealed.p + len, sizeof(tag));
	ctx = begin(key, nonce, aad, 0);
	if (ctx && (len == 0 || EVP_CipherUpdate(ctx, out, &n, sealed.p, (int)len)) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, tag))
		err = EVP_CipherFinal_ex(ctx, out + n, &rest) ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	if (err)
		explicit_bzero(out, len);
	return err;
}
