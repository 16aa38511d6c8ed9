#include "common/crypto/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "common/crypto/cert_int.h"
#include "common/crypto/sign_int.h"

#define PKCS12_ITERATIONS 100000

void pki_bundle_fini(struct pki_bundle *b)
{
	if (b->key_pem)
		explicit_bzero(b->key_pem, b->key_len);
	free(b->key_pem);
	cert_free(b->own);
	for (size_t i = 0; i < b->n_chain; i++)
		cert_free(b->chain[i]);
	*b = (struct pki_bundle){ 0 };
}

// A memory BIO that is wiped when freed.
static int key_to_pem(EVP_PKEY *key, char **pem, size_t *len)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	int err = -ENOMEM;

	*pem = NULL;
	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
		*len = (size_t)BIO_get_mem_data(bio, &p);
		*pem = malloc(*len + 1);
		if (*pem) {
			memcpy(*pem, p, *len);
			(*pem)[*len] = '\0';
			err = 0;
		}
	}
	BIO_free(bio);
	return err;
}

static bool belongs(const struct cert *c, const EVP_PKEY *key)
{
	return EVP_PKEY_eq(X509_get0_pubkey(c->x), key) == 1;
}

// Takes what it uses of certs and frees the rest.
static int bundle_fill(struct pki_bundle *out, EVP_PKEY *key, struct cert **certs, size_t n)
{
	int err = sign_key_kind(key, NULL) == SIGN_NONE
			  ? -EBADMSG
			  : key_to_pem(key, &out->key_pem, &out->key_len);

	for (size_t i = 0; i < n; i++) {
		if (err) {
			cert_free(certs[i]);
		} else if (!out->own && belongs(certs[i], key)) {
			out->own = certs[i];
		} else if (out->n_chain < PKI_CHAIN_MAX) {
			out->chain[out->n_chain++] = certs[i];
		} else {
			cert_free(certs[i]);
			err = -ENOSPC;
		}
	}
	if (!err && !out->own)
		err = n > 0 ? -EKEYREJECTED : -ENOENT;
	if (err)
		pki_bundle_fini(out);
	return err;
}

static int certs_of(X509 *own, STACK_OF(X509) * others, struct cert **out, size_t *n)
{
	int err = own ? cert_from_x509(own, &out[0]) : 0;

	*n = own && !err ? 1 : 0;
	for (int i = 0; !err && i < sk_X509_num(others); i++) {
		err = *n == PKI_CHAIN_MAX + 1 ? -ENOSPC
					      : cert_from_x509(sk_X509_value(others, i), &out[*n]);
		if (!err)
			(*n)++;
	}
	for (; err && *n > 0; (*n)--)
		cert_free(out[*n - 1]);
	return err;
}

int pki_from_pkcs12(struct bytes der, const char *pass, struct pki_bundle *out)
{
	const unsigned char *p = der.p;
	PKCS12 *p12 = der.len <= PKI_FILE_MAX ? d2i_PKCS12(NULL, &p, (long)der.len) : NULL;
	EVP_PKEY *key = NULL;
	X509 *own = NULL;
	STACK_OF(X509) *others = NULL;
	struct cert *certs[PKI_CHAIN_MAX + 1];
	size_t n;
	int err = 0;

	*out = (struct pki_bundle){ 0 };
	if (!p12)
		err = -EBADMSG;
	else if (!PKCS12_verify_mac(p12, pass, -1))
		err = -EACCES;
	else if (!PKCS12_parse(p12, pass, &key, &own, &others))
		err = -EBADMSG;
	else if (!key)
		err = -ENOENT;
	if (!err)
		err = certs_of(own, others, certs, &n);
	if (!err)
		err = bundle_fill(out, key, certs, n);
	EVP_PKEY_free(key);
	X509_free(own);
	sk_X509_pop_free(others, X509_free);
	PKCS12_free(p12);
	ERR_clear_error();
	return err;
}

// Never asks on the terminal: a file that wants a passphrase is refused without one.
static int given_pass(char *buf, int size, int rw, void *arg)
{
	const char *pass = arg;
	size_t len = pass ? strlen(pass) : 0;

	(void)rw;
	if (!pass || len > (size_t)size)
		return -1;
	memcpy(buf, pass, len);
	return (int)len;
}

int pki_key_from_pem(struct bytes pem, const char *pass, EVP_PKEY **key)
{
	BIO *bio = pem.len <= PKI_FILE_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	union {
		const char *c;
		void *v;
	} arg = { .c = pass };
	int why;

	*key = bio ? PEM_read_bio_PrivateKey(bio, NULL, given_pass, arg.v) : NULL;
	BIO_free(bio);
	if (*key)
		return 0;
	why = ERR_GET_REASON(ERR_peek_last_error());
	if (memmem(pem.p, pem.len, "PRIVATE KEY-----", 16) == NULL)
		return -ENOENT;
	return why == PEM_R_BAD_DECRYPT || why == PEM_R_BAD_PASSWORD_READ ||
			       memmem(pem.p, pem.len, "ENCRYPTED", 9)
		       ? -EACCES
		       : -EBADMSG;
}

int pki_from_pem(struct bytes key_pem, const char *pass, struct bytes certs_pem,
		 struct pki_bundle *out)
{
	EVP_PKEY *key;
	struct cert *certs[PKI_CHAIN_MAX + 1];
	size_t n;
	int err = pki_key_from_pem(key_pem, pass, &key);

	*out = (struct pki_bundle){ 0 };
	ERR_clear_error();
	if (!err)
		err = cert_from_pem(certs_pem, certs, N_ELEMS(certs), &n);
	if (!err)
		err = bundle_fill(out, key, certs, n);
	EVP_PKEY_free(key);
	return err;
}

static STACK_OF(X509) * stack_of(const struct pki_bundle *b)
{
	STACK_OF(X509) *s = sk_X509_new_null();

	for (size_t i = 0; s && i < b->n_chain; i++) {
		if (!sk_X509_push(s, b->chain[i]->x)) {
			sk_X509_free(s);
			return NULL;
		}
	}
	return s;
}

int pki_to_pkcs12(const struct pki_bundle *b, const char *name, const char *pass, uint8_t **der,
		  size_t *len)
{
	EVP_PKEY *key = NULL;
	int err = pki_key_from_pem(BYTES(b->key_pem, b->key_len), NULL, &key);
	STACK_OF(X509) *chain = stack_of(b);
	PKCS12 *p12 = NULL;
	unsigned char *buf = NULL;
	int n = 0;

	*der = NULL;
	if (!err && chain)
		p12 = PKCS12_create(pass, name, key, b->own->x, chain, NID_aes_256_cbc,
				    NID_aes_256_cbc, PKCS12_ITERATIONS, -1, 0);
	if (p12 && PKCS12_set_mac(p12, pass, -1, NULL, 0, PKCS12_ITERATIONS, EVP_sha256()))
		n = i2d_PKCS12(p12, &buf);
	if (n > 0 && (*der = malloc((size_t)n)))
		memcpy(*der, buf, *len = (size_t)n);
	if (n > 0)
		OPENSSL_clear_free(buf, (size_t)n);
	PKCS12_free(p12);
	sk_X509_free(chain);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return err ? err : *der ? 0 : -ENOMEM;
}

// PKCS#8 under PBES2. PEM_write_bio_PKCS8PrivateKey would count to 2048 only.
static bool write_encrypted(BIO *bio, EVP_PKEY *key, const char *pass)
{
	PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
	X509_ALGOR *how = PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), PKCS12_ITERATIONS, NULL, 0, NULL,
					    NID_hmacWithSHA256);
	X509_SIG *sealed =
		plain && how ? PKCS8_set0_pbe(pass, (int)strlen(pass), plain, how) : NULL;
	bool ok = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;

	if (!sealed)
		X509_ALGOR_free(how);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(plain);
	return ok;
}

int pki_to_pem(const struct pki_bundle *b, const char *pass, uint8_t **pem, size_t *len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = NULL;
	int err = pki_key_from_pem(BYTES(b->key_pem, b->key_len), NULL, &key);
	bool ok = !err && bio && write_encrypted(bio, key, pass) &&
		  PEM_write_bio_X509(bio, b->own->x) == 1;
	char *p;

	for (size_t i = 0; ok && i < b->n_chain; i++)
		ok = PEM_write_bio_X509(bio, b->chain[i]->x) == 1;
	*len = ok ? (size_t)BIO_get_mem_data(bio, &p) : 0;
	*pem = ok ? malloc(*len + 1) : NULL;
	if (*pem) {
		memcpy(*pem, p, *len);
		(*pem)[*len] = '\0';
	}
	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return err ? err : *pem ? 0 : -ENOMEM;
}

int pki_key_new(enum sign_alg a, unsigned bits, char **pem, size_t *len)
{
	EVP_PKEY *key = NULL;
	int err;

	*pem = NULL;
	if (a == SIGN_RSA && bits >= 2048 && bits <= RSA_BITS_MAX)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	else if (a == SIGN_ECDSA_P256)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	else if (a == SIGN_ECDSA_P384)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
	else if (a == SIGN_ECDSA_P521)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521");
	else
		return -EINVAL;
	err = key ? key_to_pem(key, pem, len) : -ENOMEM;
	EVP_PKEY_free(key);
	return err;
}

bool pki_key_is(struct bytes pem, enum sign_alg a, unsigned bits)
{
	EVP_PKEY *key;
	unsigned has = 0;
	bool is = pki_key_from_pem(pem, NULL, &key) == 0 && sign_key_kind(key, &has) == a &&
		  (a != SIGN_RSA || has == bits);

	EVP_PKEY_free(key);
	ERR_clear_error();
	return is;
}

bool pki_key_same(struct bytes pem, struct bytes other)
{
	EVP_PKEY *a, *b = NULL;
	bool same = pki_key_from_pem(pem, NULL, &a) == 0 &&
		    pki_key_from_pem(other, NULL, &b) == 0 && EVP_PKEY_eq(a, b) == 1;

	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	ERR_clear_error();
	return same;
}
