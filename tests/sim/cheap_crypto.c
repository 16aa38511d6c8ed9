#include "tests/sim/cheap_crypto.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/crypto/cipher.h"
#include "common/crypto/dh.h"
#include "common/crypto/prf.h"
#include "common/crypto/signer.h"

#define ODD  UINT64_C(0x9e3779b97f4a7c15)
#define BASE UINT64_C(0xd1342543de82ef95) // "generator": odd, so that x -> x * BASE loses nothing

// ld --wrap sends the calls of every other file here (tests/sim/meson.build).
int __wrap_hash_parts(enum hash_alg alg, const struct bytes *parts, size_t n, uint8_t *out);
int __wrap_prf_parts(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
		     uint8_t *out);
int __wrap_prf_secret(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
		      struct secret *out);
int __wrap_cipher_encrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			  const uint8_t *in, size_t len, uint8_t *out);
int __wrap_cipher_decrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			  const uint8_t *in, size_t len, uint8_t *out);
void __wrap_dh_job_free(struct dh_job *j);
int __wrap_dh_job_run(struct dh_job *j);
int __wrap_pubkey_decode(struct bytes der, struct pubkey **out);
void __wrap_pubkey_free(struct pubkey *k);
enum sign_alg __wrap_pubkey_alg(const struct pubkey *k);
unsigned __wrap_pubkey_bits(const struct pubkey *k);
size_t __wrap_pubkey_sig_len(const struct pubkey *k);
int __wrap_sign_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *hash,
		       struct bytes sig, enum rsa_form *form);
void __wrap_signer_fini(struct signer *s);
int __wrap_signer_generate(struct signer *s, const char *label, enum sign_alg a, unsigned bits);
int __wrap_signer_public(const struct signer *s, const char *label, uint8_t *out, size_t max,
			 size_t *len);
enum sign_alg __wrap_signer_alg(const struct signer *s, const char *label, size_t *sig_len);
int __wrap_signer_sign(const struct signer *s, const char *label, enum hash_alg h,
		       const uint8_t *hash, enum rsa_form form, uint8_t sig[SIG_MAX],
		       size_t *sig_len);

static struct rng source;

void cheap_seed(uint64_t seed)
{
	rng_seed(&source, seed);
}

// ---- mixing ----

struct mix {
	uint64_t h, word;
	size_t n;
};

static uint64_t stir(uint64_t h, uint64_t v)
{
	h = (h ^ v) * ODD;
	return h ^ h >> 29;
}

static uint64_t spread(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

// Octets in a row, however they are cut into parts.
static void mix_in(struct mix *m, const uint8_t *p, size_t len)
{
	uint64_t v;

	while (len > 0 && m->n % 8) {
		m->word |= (uint64_t)*p++ << m->n++ % 8 * 8;
		len--;
		if (m->n % 8 == 0) {
			m->h = stir(m->h, m->word);
			m->word = 0;
		}
	}
	for (; len >= 8; p += 8, len -= 8, m->n += 8) {
		memcpy(&v, p, 8);
		m->h = stir(m->h, v);
	}
	for (; len > 0; len--)
		m->word |= (uint64_t)*p++ << m->n++ % 8 * 8;
}

static uint64_t mix_end(const struct mix *m)
{
	return spread(stir(stir(m->h, m->word), m->n));
}

static void expand(uint64_t h, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t v = spread(h += ODD);

		memcpy(out + i, &v, len - i < 8 ? len - i : 8);
	}
}

static uint64_t digest(uint64_t key, const struct bytes *parts, size_t n)
{
	struct mix m = { .h = key };

	for (size_t i = 0; i < n; i++)
		mix_in(&m, parts[i].p, parts[i].len);
	return mix_end(&m);
}

uint64_t cheap_hash(const void *p, size_t len)
{
	struct bytes b = BYTES(p, len);

	return digest(1, &b, 1);
}

// ---- prf.h ----

int __wrap_hash_parts(enum hash_alg alg, const struct bytes *parts, size_t n, uint8_t *out)
{
	if (hash_len(alg) == 0)
		return -EINVAL;
	expand(digest((uint64_t)alg, parts, n), out, hash_len(alg));
	return 0;
}

int __wrap_prf_parts(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
		     uint8_t *out)
{
	if (hash_len(alg) == 0)
		return -EINVAL;
	expand(digest(digest(ODD + (uint64_t)alg, &key, 1), parts, n), out, hash_len(alg));
	return 0;
}

int __wrap_prf_secret(enum hash_alg alg, struct bytes key, const struct bytes *parts, size_t n,
		      struct secret *out)
{
	int err;

	secret_fini(out);
	err = __wrap_prf_parts(alg, key, parts, n, out->b);
	out->len = err ? 0 : (uint16_t)hash_len(alg);
	return err;
}

// ---- cipher.h: a stream from key and IV ----

int __wrap_cipher_encrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			  const uint8_t *in, size_t len, uint8_t *out)
{
	struct bytes seed[] = { BYTES(key->b, key->len), BYTES(iv, cipher_block_len(alg)) };
	uint64_t at;

	if (cipher_key_len(alg) == 0 || key->len != cipher_key_len(alg) ||
	    len % cipher_block_len(alg))
		return -EINVAL;
	at = digest((uint64_t)alg, seed, N_ELEMS(seed));
	for (size_t i = 0; i < len; i += 8) { // blocks are multiples of 8
		uint64_t v;

		memcpy(&v, in + i, 8);
		v ^= spread(at += ODD);
		memcpy(out + i, &v, 8);
	}
	return 0;
}

int __wrap_cipher_decrypt(enum cipher_alg alg, const struct secret *key, const uint8_t *iv,
			  const uint8_t *in, size_t len, uint8_t *out)
{
	return __wrap_cipher_encrypt(alg, key, iv, in, len, out);
}

// ---- dh.h: g^x is x * BASE modulo 2^64 ----

static void put_public(struct dh_job *j, uint64_t x)
{
	uint64_t y = x * BASE;

	j->own_key = (void *)(uintptr_t)x;
	j->own_len = (uint16_t)dh_public_len(j->group);
	memcpy(j->own, &y, sizeof(y));
}

void __wrap_dh_job_free(struct dh_job *j)
{
	free(j);
}

int __wrap_dh_job_run(struct dh_job *j)
{
	uint64_t y;

	if (!j->own_key)
		put_public(j, rng_u64(&source) | 1);
	if (j->peer_len > 0) {
		memcpy(&y, j->peer, sizeof(y));
		j->shared.len = (uint16_t)dh_shared_len(j->group);
		expand(y * (uint64_t)(uintptr_t)j->own_key, j->shared.b, j->shared.len);
	}
	j->err = 0;
	return 0;
}

// ---- sign.h, signer.h: a signature is a hash under the public key, which no simulated forger
// tries ----

#define CHEAP_KEY_LEN 16
#define CHEAP_SIG_LEN 64

struct pubkey {
	uint8_t der[CHEAP_KEY_LEN];
};

struct signer_key {
	char label[SIGNER_LABEL_MAX];
	struct pubkey key;
};

int __wrap_pubkey_decode(struct bytes der, struct pubkey **out)
{
	*out = der.len == CHEAP_KEY_LEN ? malloc(sizeof(**out)) : NULL;
	if (!*out)
		return -EBADMSG;
	memcpy((*out)->der, der.p, der.len);
	return 0;
}

void __wrap_pubkey_free(struct pubkey *k)
{
	free(k);
}

enum sign_alg __wrap_pubkey_alg(const struct pubkey *k)
{
	(void)k;
	return SIGN_ECDSA_P256;
}

unsigned __wrap_pubkey_bits(const struct pubkey *k)
{
	(void)k;
	return 256;
}

size_t __wrap_pubkey_sig_len(const struct pubkey *k)
{
	(void)k;
	return CHEAP_SIG_LEN;
}

static void make_signature(const struct pubkey *k, enum hash_alg h, const uint8_t *hash,
			   uint8_t sig[CHEAP_SIG_LEN])
{
	struct bytes part[] = { BYTES_OF(k->der), BYTES(hash, hash_len(h)) };

	expand(digest(2, part, N_ELEMS(part)), sig, CHEAP_SIG_LEN);
}

int __wrap_sign_verify(const struct pubkey *k, enum hash_alg h, const uint8_t *hash,
		       struct bytes sig, enum rsa_form *form)
{
	uint8_t want[CHEAP_SIG_LEN];

	(void)form;
	make_signature(k, h, hash, want);
	return bytes_eq(BYTES_OF(want), sig) ? 0 : -EBADMSG;
}

void __wrap_signer_fini(struct signer *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->keys[i]);
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

int __wrap_signer_generate(struct signer *s, const char *label, enum sign_alg a, unsigned bits)
{
	struct signer_key *k = a == SIGN_ECDSA_P256 ? calloc(1, sizeof(*k)) : NULL;

	(void)bits;
	if (!k || s->n == SIGNER_MAX_KEYS)
		return -EINVAL;
	memcpy(k->label, label, strnlen(label, sizeof(k->label) - 1));
	rng_fill(&source, k->key.der, sizeof(k->key.der));
	s->keys[s->n++] = k;
	return 0;
}

int __wrap_signer_public(const struct signer *s, const char *label, uint8_t *out, size_t max,
			 size_t *len)
{
	const struct signer_key *k = find(s, label);

	if (!k || max < sizeof(k->key.der))
		return -ENOENT;
	memcpy(out, k->key.der, sizeof(k->key.der));
	*len = sizeof(k->key.der);
	return 0;
}

enum sign_alg __wrap_signer_alg(const struct signer *s, const char *label, size_t *sig_len)
{
	if (!find(s, label))
		return SIGN_NONE;
	if (sig_len)
		*sig_len = CHEAP_SIG_LEN;
	return SIGN_ECDSA_P256;
}

int __wrap_signer_sign(const struct signer *s, const char *label, enum hash_alg h,
		       const uint8_t *hash, enum rsa_form form, uint8_t sig[SIG_MAX],
		       size_t *sig_len)
{
	const struct signer_key *k = find(s, label);

	(void)form;
	if (!k)
		return -ENOENT;
	make_signature(&k->key, h, hash, sig);
	*sig_len = CHEAP_SIG_LEN;
	return 0;
}
