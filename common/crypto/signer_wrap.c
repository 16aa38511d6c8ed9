#include <openssl/x509.h>

#include "common/crypto/hpke.h"
#include "common/crypto/sign_int.h"
#include "common/crypto/signer.h"

// PKCS#8, unencrypted. NULL: no memory. Freed with OPENSSL_clear_free.
static unsigned char *key_encode(EVP_PKEY *key, int *len)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;

	*len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : 0;
	PKCS8_PRIV_KEY_INFO_free(p8);
	return *len > 0 ? der : NULL;
}

static EVP_PKEY *key_decode(const uint8_t *der, size_t len)
{
	const unsigned char *p = der;
	PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)len);
	EVP_PKEY *key = p8 && p == der + len ? EVP_PKCS82PKEY(p8) : NULL;

	PKCS8_PRIV_KEY_INFO_free(p8);
	return key;
}

int signer_wrap(const struct signer *s, const char *label, const uint8_t to[HPKE_PUBLIC_LEN],
		struct bytes aad, uint8_t *out, size_t max, size_t *out_len)
{
	EVP_PKEY *key = signer_pkey(s, label);
	unsigned char *der;
	int len, err;

	if (!key)
		return -ENOENT;
	der = key_encode(key, &len);
	if (!der)
		return -ENOMEM;
	*out_len = (size_t)len + HPKE_OVERHEAD;
	err = *out_len > max ? -EMSGSIZE
			     : hpke_seal(to, BYTES_LIT(SIGNER_WRAP_INFO), aad,
					 BYTES(der, (size_t)len), out);
	OPENSSL_clear_free(der, (size_t)len);
	return err;
}

int signer_unwrap(struct signer *s, const char *label, const struct hpke_key *with,
		  struct bytes aad, struct bytes sealed)
{
	uint8_t *der;
	size_t len;
	int err;

	if (sealed.len < HPKE_OVERHEAD || sealed.len > SIGNER_WRAPPED_MAX)
		return -EBADMSG;
	len = sealed.len - HPKE_OVERHEAD;
	der = malloc(len + 1);
	if (!der)
		return -ENOMEM;
	err = hpke_open(with, BYTES_LIT(SIGNER_WRAP_INFO), aad, sealed, der);
	if (!err)
		err = signer_add(s, label, key_decode(der, len));
	explicit_bzero(der, len);
	free(der);
	return err;
}
