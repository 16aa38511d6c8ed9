#include "dataplane/crypto.h"

#include <intel-ipsec-mb.h>
#include <string.h>
#include <sys/random.h>

#include "common/crypto/secret.h"
#include "dataplane/esp_fmt.h"

#define POOL_IVS 64

struct crypto_key {
	struct gcm_key_data gcm; // counter suites; the rest of the struct is unused then
	uint8_t salt[ESP_SALT_LEN];
	uint8_t suite;
	DECLARE_ALIGNED(uint32_t enc[15 * 4], 16); // CBC suites
	DECLARE_ALIGNED(uint32_t dec[15 * 4], 16);
	DECLARE_ALIGNED(uint8_t ipad[64], 64);
	DECLARE_ALIGNED(uint8_t opad[64], 64);
} __attribute__((aligned(64)));

struct crypto_ctx {
	IMB_MGR *mgr;
	struct gcm_context_data gcm;
	// Random IVs: the key stream of AES-128 under a key of this context, drawn in slabs.
	struct gcm_key_data pool_key;
	uint64_t pool_slab;
	unsigned pool_left;
	uint8_t pool[POOL_IVS][16];
} __attribute__((aligned(64)));

static void *zalloc_aligned(size_t size)
{
	void *p = aligned_alloc(64, (size + 63) & ~(size_t)63);

	if (p)
		memset(p, 0, size);
	return p;
}

static void wipe_free(void *p, size_t size)
{
	if (p)
		explicit_bzero(p, size);
	free(p);
}

static IMB_MGR *mgr_new(void)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);

	if (mgr)
		init_mb_mgr_auto(mgr, NULL);
	return mgr;
}

const char *crypto_backend(void)
{
	static char name[32];
	IMB_MGR *mgr = mgr_new();
	const char *arch = "sse";

	if (!mgr)
		return "imb (out of memory)";
	if (mgr->used_arch == IMB_ARCH_AVX512)
		arch = mgr->features & IMB_FEATURE_VAES ? "vaes_avx512" : "avx512";
	else if (mgr->used_arch == IMB_ARCH_AVX2)
		arch = "avx2";
	else if (mgr->used_arch == IMB_ARCH_AVX)
		arch = "avx";
	else if (mgr->used_arch == IMB_ARCH_NOAESNI)
		arch = "without AES-NI";
	snprintf(name, sizeof(name), "imb %s %s", IMB_VERSION_STR, arch);
	free_mb_mgr(mgr);
	return name;
}

// HMAC states after the first block, RFC 2104: both pads are one SHA-256 block.
static void hmac_pads(IMB_MGR *mgr, const uint8_t *auth, size_t len, struct crypto_key *k)
{
	uint8_t block[64];

	memset(block, 0x36, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] ^= auth[i];
	IMB_SHA256_ONE_BLOCK(mgr, block, k->ipad);
	memset(block, 0x5c, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] ^= auth[i];
	IMB_SHA256_ONE_BLOCK(mgr, block, k->opad);
	explicit_bzero(block, sizeof(block));
}

struct crypto_key *crypto_key_new(unsigned suite, const uint8_t *key, const uint8_t *auth)
{
	const struct esp_suite *s = esp_suite_get(suite);
	struct crypto_key *k;
	IMB_MGR *mgr;

	if (!s || !(mgr = mgr_new()))
		return NULL;
	k = zalloc_aligned(sizeof(*k));
	if (k) {
		k->suite = (uint8_t)suite;
		if (s->counter)
			memcpy(k->salt, key + s->key_len - ESP_SALT_LEN, ESP_SALT_LEN);
		else
			hmac_pads(mgr, auth, s->auth_len, k);
		switch (suite) {
		case DP_SUITE_AES128_GCM16:
			IMB_AES128_GCM_PRE(mgr, key, &k->gcm);
			break;
		case DP_SUITE_AES256_GCM16:
			IMB_AES256_GCM_PRE(mgr, key, &k->gcm);
			break;
		case DP_SUITE_AES128_CBC_SHA256_128:
			IMB_AES_KEYEXP_128(mgr, key, k->enc, k->dec);
			break;
		default:
			IMB_AES_KEYEXP_256(mgr, key, k->enc, k->dec);
		}
	}
	free_mb_mgr(mgr);
	return k;
}

void crypto_key_free(struct crypto_key *k)
{
	wipe_free(k, sizeof(*k));
}

struct crypto_ctx *crypto_ctx_new(void)
{
	struct crypto_ctx *c = zalloc_aligned(sizeof(*c));
	uint8_t seed[16];

	if (!c)
		return NULL;
	c->mgr = mgr_new();
	if (!c->mgr || getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
		crypto_ctx_free(c);
		return NULL;
	}
	IMB_AES128_GCM_PRE(c->mgr, seed, &c->pool_key);
	explicit_bzero(seed, sizeof(seed));
	return c;
}

void crypto_ctx_free(struct crypto_ctx *c)
{
	if (!c)
		return;
	if (c->mgr)
		free_mb_mgr(c->mgr);
	wipe_free(c, sizeof(*c));
}

void crypto_random_iv(struct crypto_ctx *c, uint8_t iv[16])
{
	if (c->pool_left == 0) {
		uint8_t nonce[ESP_NONCE_LEN] = { 0 }, tag[ESP_ICV_LEN];

		memcpy(nonce, &c->pool_slab, sizeof(c->pool_slab));
		c->pool_slab++;
		memset(c->pool, 0, sizeof(c->pool));
		IMB_AES128_GCM_ENC(c->mgr, &c->pool_key, &c->gcm, c->pool[0], c->pool[0],
				   sizeof(c->pool), nonce, nonce, 0, tag, sizeof(tag));
		c->pool_left = POOL_IVS;
	}
	memcpy(iv, c->pool[--c->pool_left], 16);
}

// In constant time.
static bool icv_eq(const uint8_t *a, const uint8_t *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, ESP_ICV_LEN);
	memcpy(y, b, ESP_ICV_LEN);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static void gcm_one(struct crypto_ctx *c, struct crypto_op *op, bool seal,
		    const struct esp_nonce *nonce, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	bool wide = k->suite == DP_SUITE_AES256_GCM16;
	aes_gcm_enc_dec_t run;

	if (seal)
		run = wide ? c->mgr->gcm256_enc : c->mgr->gcm128_enc;
	else
		run = wide ? c->mgr->gcm256_dec : c->mgr->gcm128_dec;
	run(&k->gcm, &c->gcm, op->text, op->text, op->text_len, nonce->b, op->esp, ESP_HLEN, tag,
	    ESP_ICV_LEN);
}

static void cbc_done(const IMB_JOB *job, bool seal)
{
	struct crypto_op *op = job->user_data;

	if (!seal)
		op->ok = job->status == IMB_STATUS_COMPLETED &&
			 bytes_eq_ct(job->auth_tag_output, op->text + op->text_len, ESP_ICV_LEN);
	else if (job->status != IMB_STATUS_COMPLETED)
		op->ok = false;
}

static void cbc_submit(struct crypto_ctx *c, struct crypto_op *op, bool seal, uint8_t *tag)
{
	const struct crypto_key *k = op->key;
	IMB_JOB *job = IMB_GET_NEXT_JOB(c->mgr);

	job->cipher_mode = IMB_CIPHER_CBC;
	job->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	job->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	job->enc_keys = k->enc;
	job->dec_keys = k->dec;
	job->key_len_in_bytes = k->suite == DP_SUITE_AES128_CBC_SHA256_128 ? 16 : 32;
	job->src = op->esp;
	job->dst = op->text;
	job->iv = op->text - 16;
	job->iv_len_in_bytes = 16;
	job->cipher_start_src_offset_in_bytes = (uint64_t)(op->text - op->esp);
	job->msg_len_to_cipher_in_bytes = op->text_len;
	job->hash_alg = IMB_AUTH_HMAC_SHA_256;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = (uint64_t)(op->text - op->esp) + op->text_len;
	job->u.HMAC._hashed_auth_key_xor_ipad = k->ipad;
	job->u.HMAC._hashed_auth_key_xor_opad = k->opad;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = ESP_ICV_LEN;
	job->user_data = op;
	for (job = IMB_SUBMIT_JOB(c->mgr); job; job = IMB_GET_COMPLETED_JOB(c->mgr))
		cbc_done(job, seal);
}

static void run(struct crypto_ctx *c, struct crypto_op *ops, size_t n, bool seal)
{
	uint8_t tags[CRYPTO_BURST][ESP_ICV_LEN] NO_AUTO_INIT;
	struct esp_nonce nonce[CRYPTO_BURST] NO_AUTO_INIT;
	bool any_cbc = false;
	IMB_JOB *job;

	// Written in pieces and read whole: not right before it is read.
	for (size_t i = 0; i < n; i++)
		nonce[i] = esp_nonce_of(ops[i].key->salt, ops[i].esp + ESP_HLEN);

	for (size_t i = 0; i < n; i++) {
		struct crypto_op *op = &ops[i];
		uint8_t *icv = op->text + op->text_len;

		op->ok = seal;
		if (op->key->suite >= DP_SUITE_AES128_CBC_SHA256_128) {
			cbc_submit(c, op, seal, seal ? icv : tags[i]);
			any_cbc = true;
			continue;
		}
		gcm_one(c, op, seal, &nonce[i], seal ? icv : tags[i]);
		if (!seal)
			op->ok = icv_eq(tags[i], icv);
	}
	if (any_cbc)
		while ((job = IMB_FLUSH_JOB(c->mgr)))
			cbc_done(job, seal);
}

void crypto_seal(struct crypto_ctx *c, struct crypto_op *ops, size_t n)
{
	BUG_ON(n > CRYPTO_BURST);
	run(c, ops, n, true);
}

void crypto_open(struct crypto_ctx *c, struct crypto_op *ops, size_t n)
{
	BUG_ON(n > CRYPTO_BURST);
	run(c, ops, n, false);
}
