#include "common/crypto/signer.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/crypto/sign_int.h"

struct signer_key {
	char label[SIGNER_LABEL_MAX];
	EVP_PKEY *key;
	enum sign_alg alg;
	unsigned bits;
};

void signer_init(struct signer *s)
{
	*s = (struct signer){ 0 };
}

void signer_fini(struct signer *s)
{
	for (size_t i = 0; i < s->n; i++) {
		EVP_PKEY_free(s->keys[i]->key);
		free(s->keys[i]);
	}
	*s = (struct signer){ 0 };
}

static const struct signer_key *find(const struct signer *s, const char *label)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->keys[i]->label, label) == 0)
			return s->keys[i];
	}
	return NULL;
}

EVP_PKEY *signer_pkey(const struct signer *s, const char *label)
{
	const struct signer_key *k = find(s, label);

	return k ? k->key : NULL;
}

static int room_for(const struct signer *s, const char *label)
{
	if (find(s, label))
		return -EEXIST;
	if (s->n == SIGNER_MAX_KEYS)
		return -ENOSPC;
	return label[0] && strlen(label) < SIGNER_LABEL_MAX ? 0 : -EINVAL;
}

// Takes the key, also when it fails.
static int add(struct signer *s, const char *label, EVP_PKEY *key)
{
	unsigned bits = 0;
	enum sign_alg alg = key ? sign_key_kind(key, &bits) : SIGN_NONE;
	struct signer_key *k = alg == SIGN_NONE ? NULL : calloc(1, sizeof(*k));

	if (!k) {
		EVP_PKEY_free(key);
		return alg == SIGN_NONE ? -EBADMSG : -ENOMEM;
	}
	k->key = key;
	k->alg = alg;
	k->bits = bits;
	memcpy(k->label, label, strlen(label)); // calloc left the NUL, room_for checked the length
	s->keys[s->n++] = k;
	return 0;
}

int signer_add(struct signer *s, const char *label, EVP_PKEY *key)
{
	int err = room_for(s, label);

	if (err) {
		EVP_PKEY_free(key);
		return err;
	}
	return add(s, label, key);
}

// An encrypted PEM would make OpenSSL ask on the terminal; a daemon has none.
static int no_passphrase(char *buf, int size, int rw, void *arg)
{
	(void)buf, (void)size, (void)rw, (void)arg;
	return -1;
}

int signer_load(struct signer *s, const char *label, const char *pem_path)
{
	int err = room_for(s, label);
	EVP_PKEY *key;
	FILE *f;

	if (err)
		return err;
	f = fopen(pem_path, "re");
	if (!f)
		return -errno;
	key = PEM_read_PrivateKey_ex(f, NULL, no_passphrase, NULL, NULL, NULL);
	fclose(f);
	return add(s, label, key);
}

int signer_add_pem(struct signer *s, const char *label, struct bytes pem)
{
	int err = room_for(s, label);
	BIO *bio;
	EVP_PKEY *key;

	if (err)
		return err;
	bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	if (!bio)
		return -ENOMEM;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	return add(s, label, key);
}

int signer_generate(struct signer *s, const char *label, enum sign_alg a, unsigned bits)
{
	int err = room_for(s, label);

	if (err)
		return err;
	switch (a) {
	case SIGN_RSA:
		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return -EINVAL;
		return add(s, label, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits));
	case SIGN_ECDSA_P256:
		return add(s, label, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
	case SIGN_ECDSA_P384:
		return add(s, label, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
	case SIGN_ECDSA_P521:
		return add(s, label, EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-521"));
	default:
		return -EINVAL;
	}
}

int signer_share(struct signer *s, const char *label, const struct signer *from,
		 const char *its_label)
{
	const struct signer_key *k = find(from, its_label);
	int err = k ? room_for(s, label) : -ENOENT;

	if (err)
		return err;
	return EVP_PKEY_up_ref(k->key) == 1 ? add(s, label, k->key) : -ENOMEM;
}

int signer_public(const struct signer *s, const char *label, uint8_t *out, size_t max, size_t *len)
{
	const struct signer_key *k = find(s, label);
	unsigned char *p = out;
	int n = k ? i2d_PUBKEY(k->key, NULL) : 0;

	if (!k)
		return -ENOENT;
	if (n <= 0)
		return -ENOMEM;
	if ((size_t)n > max)
		return -EMSGSIZE;
	*len = (size_t)i2d_PUBKEY(k->key, &p);
	return 0;
}

enum sign_alg signer_alg(const struct signer *s, const char *label, size_t *sig_len)
{
	const struct signer_key *k = find(s, label);

	if (!k)
		return SIGN_NONE;
	if (sig_len)
		*sig_len = k->alg == SIGN_RSA ? (k->bits + 7) / 8 : 2 * sign_coord_len(k->alg);
	return k->alg;
}

// We build the whole block ourselves, as for verification; OpenSSL only raises it to d.
static int rsa_sign(const struct signer_key *k, enum hash_alg h, const uint8_t *digest,
		    enum rsa_form form, uint8_t *sig, size_t *sig_len)
{
	uint8_t block[SIG_MAX];
	size_t len = (k->bits + 7) / 8;
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (!rsa_block(h, digest, form, block, len))
		return -EINVAL;
	*sig_len = SIG_MAX;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->key, NULL);
	ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	     EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1 &&
	     EVP_PKEY_sign(ctx, sig, sig_len, block, len) == 1 && *sig_len == len;
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -ENOMEM;
}

// DER to r | s of fixed size.
static bool ecdsa_flatten(const uint8_t *der, size_t len, size_t coord, uint8_t *out)
{
	const unsigned char *p = der;
	ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)len);
	bool ok = es && BN_bn2binpad(ECDSA_SIG_get0_r(es), out, (int)coord) == (int)coord &&
		  BN_bn2binpad(ECDSA_SIG_get0_s(es), out + coord, (int)coord) == (int)coord;

	ECDSA_SIG_free(es);
	return ok;
}

static int ecdsa_sign(const struct signer_key *k, enum hash_alg h, const uint8_t *digest,
		      uint8_t *sig, size_t *sig_len)
{
	uint8_t der[SIG_MAX];
	size_t len = sizeof(der), coord = sign_coord_len(k->alg);
	EVP_PKEY_CTX *ctx;
	bool ok;

	if (h != sign_alg_hash(k->alg))
		return -EINVAL;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->key, NULL);
	ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	     EVP_PKEY_sign(ctx, der, &len, digest, hash_len(h)) == 1 &&
	     ecdsa_flatten(der, len, coord, sig);
	EVP_PKEY_CTX_free(ctx);
	*sig_len = 2 * coord;
	return ok ? 0 : -ENOMEM;
}

int signer_sign(const struct signer *s, const char *label, enum hash_alg h, const uint8_t *digest,
		enum rsa_form form, uint8_t sig[SIG_MAX], size_t *sig_len)
{
	const struct signer_key *k = find(s, label);

	if (!k)
		return -ENOENT;
	return k->alg == SIGN_RSA ? rsa_sign(k, h, digest, form, sig, sig_len)
				  : ecdsa_sign(k, h, digest, sig, sig_len);
}
