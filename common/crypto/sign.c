#include "common/crypto/sign.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/crypto/sign_int.h"

struct pubkey {
	EVP_PKEY *key;
	enum sign_alg alg;
	unsigned bits;
};

static const struct sign_row {
	const char *name;
	enum hash_alg hash;
	uint8_t coord_len;
	uint16_t bits;
	const char *curve;
} rows[] = {
	[SIGN_NONE] = { "none", HASH_ALG_NONE, 0, 0, NULL },
	[SIGN_RSA] = { "RSA", HASH_ALG_NONE, 0, 0, NULL },
	[SIGN_ECDSA_P256] = { "ECDSA-256", HASH_ALG_SHA256, 32, 256, "prime256v1" },
	[SIGN_ECDSA_P384] = { "ECDSA-384", HASH_ALG_SHA384, 48, 384, "secp384r1" },
	[SIGN_ECDSA_P521] = { "ECDSA-521", HASH_ALG_SHA512, 66, 521, "secp521r1" },
};

const char *sign_alg_name(enum sign_alg a)
{
	return (unsigned)a < N_ELEMS(rows) ? rows[a].name : "unknown";
}

enum hash_alg sign_alg_hash(enum sign_alg a)
{
	return (unsigned)a < N_ELEMS(rows) ? rows[a].hash : HASH_ALG_NONE;
}

size_t sign_coord_len(enum sign_alg a)
{
	return (unsigned)a < N_ELEMS(rows) ? rows[a].coord_len : 0;
}

// Exponents 1 and 2 and even ones are no RSA; those beyond 64 bits only cost the verifier.
static bool rsa_exponent_sane(const EVP_PKEY *key)
{
	BIGNUM *e = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) && BN_is_odd(e) &&
		  !BN_is_one(e) && BN_num_bits(e) <= 64;

	BN_free(e);
	return ok;
}

enum sign_alg sign_key_kind(const EVP_PKEY *key, unsigned *bits)
{
	unsigned n = (unsigned)EVP_PKEY_get_bits(key);
	char curve[32];

	if (bits)
		*bits = n;
	if (EVP_PKEY_is_a(key, "RSA"))
		return n >= RSA_BITS_MIN && n <= RSA_BITS_MAX && rsa_exponent_sane(key) ? SIGN_RSA
											: SIGN_NONE;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    !EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve),
					    NULL))
		return SIGN_NONE;
	for (unsigned a = SIGN_ECDSA_P256; a < N_ELEMS(rows); a++) {
		if (strcmp(curve, rows[a].curve) == 0)
			return (enum sign_alg)a;
	}
	return SIGN_NONE;
}

static EVP_PKEY *der_decode(struct bytes der)
{
	const unsigned char *p = der.p;
	EVP_PKEY *key = d2i_PUBKEY_ex(NULL, &p, (long)der.len, NULL, NULL);

	if (!key) { // RFC 6407 names no encoding: some send the PKCS#1 structure alone
		p = der.p;
		key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, (long)der.len);
	}
	if (key && p != der.p + der.len) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return key;
}

int pubkey_take(EVP_PKEY *key, struct pubkey **out)
{
	struct pubkey *k;
	unsigned bits = 0;
	enum sign_alg alg = key ? sign_key_kind(key, &bits) : SIGN_NONE;

	*out = NULL;
	if (alg == SIGN_NONE) {
		EVP_PKEY_free(key);
		return -EBADMSG;
	}
	k = malloc(sizeof(*k));
	if (!k) {
		EVP_PKEY_free(key);
		return -ENOMEM;
	}
	*k = (struct pubkey){ .key = key, .alg = alg, .bits = bits };
	*out = k;
	return 0;
}

int pubkey_decode(struct bytes der, struct pubkey **out)
{
	return pubkey_take(der.len > 0 && der.len <= PUBKEY_MAX ? der_decode(der) : NULL, out);
}

void pubkey_free(struct pubkey *k)
{
	if (k)
		EVP_PKEY_free(k->key);
	free(k);
}

int pubkey_encode(const struct pubkey *k, uint8_t *out, size_t max, size_t *len)
{
	unsigned char *p = out;
	int n = i2d_PUBKEY(k->key, NULL);

	if (n <= 0)
		return -ENOMEM;
	if ((size_t)n > max)
		return -EMSGSIZE;
	*len = (size_t)i2d_PUBKEY(k->key, &p);
	return 0;
}

struct bytes pubkey_pkcs1(struct bytes spki)
{
	const unsigned char *p = spki.p, *key = NULL;
	X509_PUBKEY *info = d2i_X509_PUBKEY(NULL, &p, (long)spki.len);
	ASN1_OBJECT *alg = NULL;
	struct bytes out = spki;
	int len = 0;

	// The key is the last thing in the structure.
	if (info && X509_PUBKEY_get0_param(&alg, &key, &len, NULL, info) == 1 &&
	    OBJ_obj2nid(alg) == NID_rsaEncryption && len > 0 && (size_t)len < spki.len)
		out = BYTES(p - len, (size_t)len);
	X509_PUBKEY_free(info);
	return out;
}

enum sign_alg pubkey_alg(const struct pubkey *k)
{
	return k->alg;
}

unsigned pubkey_bits(const struct pubkey *k)
{
	return k->bits;
}

size_t pubkey_sig_len(const struct pubkey *k)
{
	return k->alg == SIGN_RSA ? (k->bits + 7) / 8 : 2 * sign_coord_len(k->alg);
}

// DER of DigestInfo up to the hash (RFC 8017 9.2, note 1).
static struct bytes digest_info(enum hash_alg h)
{
#define SHA2_INFO(id, len)                                                                         \
	{                                                                                          \
		0x30, 0x11 + len, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,      \
			0x04, 0x02, id, 0x05, 0x00, 0x04, len                                      \
	}
	static const uint8_t md5[] = { 0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48,
				       0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10 };
	static const uint8_t sha1[] = { 0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
					0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14 };
	static const uint8_t sha256[] = SHA2_INFO(1, 32), sha384[] = SHA2_INFO(2, 48),
			     sha512[] = SHA2_INFO(3, 64);
#undef SHA2_INFO

	switch (h) {
	case HASH_ALG_MD5:
		return BYTES_OF(md5);
	case HASH_ALG_SHA1:
		return BYTES_OF(sha1);
	case HASH_ALG_SHA256:
		return BYTES_OF(sha256);
	case HASH_ALG_SHA384:
		return BYTES_OF(sha384);
	case HASH_ALG_SHA512:
		return BYTES_OF(sha512);
	default:
		return BYTES(NULL, 0);
	}
}

bool rsa_block(enum hash_alg h, const uint8_t *digest, enum rsa_form form, uint8_t *out, size_t len)
{
	struct bytes info = form == RSA_FORM_DIGESTINFO ? digest_info(h) : BYTES(NULL, 0);
	size_t tail = info.len + hash_len(h);

	if (hash_len(h) == 0 || (form == RSA_FORM_DIGESTINFO && !info.p) || len < tail + 11)
		return false; // RFC 8017 asks for eight octets of padding at least
	memset(out, 0xff, len - tail);
	out[0] = 0;
	out[1] = 1;
	out[len - tail - 1] = 0;
	if (info.p)
		memcpy(out + len - tail, info.p, info.len);
	memcpy(out + len - hash_len(h), digest, hash_len(h));
	return true;
}

// The block a signature opens to, without looking at its padding.
static int rsa_open(EVP_PKEY *key, struct bytes sig, uint8_t *out, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool ok = ctx && EVP_PKEY_verify_recover_init(ctx) == 1 &&
		  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
		  EVP_PKEY_verify_recover(ctx, out, len, sig.p, sig.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -EBADMSG;
}

static int rsa_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *digest,
		      struct bytes sig, enum rsa_form *form)
{
	static const enum rsa_form forms[] = { RSA_FORM_DIGESTINFO, RSA_FORM_BARE };
	uint8_t opened[SIG_MAX], want[SIG_MAX];
	size_t len = sizeof(opened);

	if (rsa_open(k->key, sig, opened, &len) || len != sig.len)
		return -EBADMSG;
	for (size_t i = 0; i < N_ELEMS(forms); i++) {
		if (rsa_block(h, digest, forms[i], want, len) && memcmp(opened, want, len) == 0) {
			if (form)
				*form = forms[i];
			return 0;
		}
	}
	return -EBADMSG;
}

// r | s to the DER that OpenSSL wants. Returns its length, 0 when out of memory.
static size_t ecdsa_der(struct bytes sig, uint8_t out[SIG_MAX])
{
	int half = (int)(sig.len / 2), n = 0;
	ECDSA_SIG *es = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig.p, half, NULL), *s = BN_bin2bn(sig.p + half, half, NULL);
	unsigned char *p = out;

	if (es && r && s && ECDSA_SIG_set0(es, r, s)) {
		r = s = NULL; // es owns them now
		n = i2d_ECDSA_SIG(es, &p);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(es);
	return n > 0 ? (size_t)n : 0;
}

static int ecdsa_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *digest,
			struct bytes sig)
{
	uint8_t der[SIG_MAX];
	size_t len;
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (h != sign_alg_hash(k->alg))
		return -EBADMSG;
	len = ecdsa_der(sig, der);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->key, NULL);
	ok = len > 0 && ctx && EVP_PKEY_verify_init(ctx) == 1 &&
	     EVP_PKEY_verify(ctx, der, len, digest, hash_len(h)) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -EBADMSG;
}

int sign_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *digest, struct bytes sig,
		enum rsa_form *form)
{
	if (sig.len != pubkey_sig_len(k) || sig.len > SIG_MAX)
		return -EBADMSG;
	return k->alg == SIGN_RSA ? rsa_verify(k, h, digest, sig, form)
				  : ecdsa_verify(k, h, digest, sig);
}
