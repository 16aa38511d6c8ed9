#include "tests/unit/unit.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "common/crypto/crypto.h"
#include "common/crypto/sign_int.h"
#include "common/crypto/signer.h"
#include "tests/vectors/rfc_crypto.h"

static struct signer signer;

static struct pubkey *public_of(const char *label)
{
	uint8_t der[PUBKEY_MAX];
	size_t len;
	struct pubkey *k;

	assert_int_equal(signer_public(&signer, label, der, sizeof(der), &len), 0);
	assert_int_equal(pubkey_decode(BYTES(der, len), &k), 0);
	return k;
}

static void digest_of(enum hash_alg h, const char *text, uint8_t out[HASH_MAX])
{
	const struct bytes b = BYTES(text, strlen(text));

	assert_int_equal(hash_parts(h, &b, 1, out), 0);
}

static void rsa_signs_and_verifies_in_both_forms(void **state)
{
	static const enum hash_alg hashes[] = { HASH_ALG_SHA1, HASH_ALG_SHA256, HASH_ALG_SHA384,
						HASH_ALG_SHA512 };
	struct pubkey *k = public_of("rsa");

	(void)state;
	assert_int_equal(pubkey_alg(k), SIGN_RSA);
	assert_int_equal(pubkey_bits(k), 2048);
	for (size_t i = 0; i < 2 * N_ELEMS(hashes); i++) {
		enum hash_alg h = hashes[i / 2];
		enum rsa_form form = i % 2 ? RSA_FORM_BARE : RSA_FORM_DIGESTINFO, seen;
		uint8_t digest[HASH_MAX], sig[SIG_MAX];
		size_t len;

		digest_of(h, "rekey", digest);
		assert_int_equal(signer_sign(&signer, "rsa", h, digest, form, sig, &len), 0);
		assert_int_equal(len, 256);
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, len), &seen), 0);
		assert_int_equal(seen, form);
		digest[0] ^= 1;
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, len), NULL), -EBADMSG);
		digest[0] ^= 1;
		for (size_t b = 0; b < len * 8; b += 97) { // any bit
			sig[b / 8] ^= (uint8_t)(1u << b % 8);
			assert_int_equal(sign_verify(k, h, digest, BYTES(sig, len), NULL),
					 -EBADMSG);
			sig[b / 8] ^= (uint8_t)(1u << b % 8);
		}
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, len - 1), NULL), -EBADMSG);
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, 0), NULL), -EBADMSG);
	}
	pubkey_free(k);
}

static void ecdsa_signs_and_verifies(void **state)
{
	static const struct {
		const char *label;
		enum sign_alg alg;
		enum hash_alg hash;
		size_t len;
	} rows[] = {
		{ "p256", SIGN_ECDSA_P256, HASH_ALG_SHA256, 64 },
		{ "p384", SIGN_ECDSA_P384, HASH_ALG_SHA384, 96 },
		{ "p521", SIGN_ECDSA_P521, HASH_ALG_SHA512, 132 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct pubkey *k = public_of(rows[i].label);
		uint8_t digest[HASH_MAX], sig[SIG_MAX], zero[SIG_MAX] = { 0 };
		size_t len;

		assert_int_equal(pubkey_alg(k), rows[i].alg);
		assert_int_equal(pubkey_sig_len(k), rows[i].len);
		for (int round = 0; round < 20; round++) { // r and s are short now and then
			digest_of(rows[i].hash, "rekey", digest);
			assert_int_equal(signer_sign(&signer, rows[i].label, rows[i].hash, digest,
						     RSA_FORM_BARE, sig, &len),
					 0);
			assert_int_equal(len, rows[i].len);
			assert_int_equal(
				sign_verify(k, rows[i].hash, digest, BYTES(sig, len), NULL), 0);
		}
		sig[3] ^= 4;
		assert_int_equal(sign_verify(k, rows[i].hash, digest, BYTES(sig, len), NULL),
				 -EBADMSG);
		assert_int_equal(sign_verify(k, rows[i].hash, digest, BYTES(zero, len), NULL),
				 -EBADMSG);
		assert_int_equal(sign_verify(k, HASH_ALG_SHA1, digest, BYTES(sig, len), NULL),
				 -EBADMSG);
		assert_int_equal(signer_sign(&signer, rows[i].label, HASH_ALG_SHA1, digest,
					     RSA_FORM_BARE, sig, &len),
				 -EINVAL);
		pubkey_free(k);
	}
}

// SubjectPublicKeyInfo around a point, as DER would have it.
static size_t spki_of(int bits, const uint8_t *xy, size_t len, uint8_t *out)
{
	static const char *prefix[] = {
		"3059301306072a8648ce3d020106082a8648ce3d03010703420004",
		"3076301006072a8648ce3d020106052b8104002203620004",
		"30819b301006072a8648ce3d020106052b810400230381860004",
	};
	size_t n = unhex(prefix[bits == 256 ? 0 : bits == 384 ? 1 : 2], out, 64);

	memcpy(out + n, xy, len);
	return n + len;
}

static void ecdsa_verifies_the_signatures_of_rfc_4754(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rfc4754_ecdsa); i++) {
		uint8_t xy[256], sig[256], der[PUBKEY_MAX], back[PUBKEY_MAX], digest[HASH_MAX];
		size_t n = unhex(rfc4754_ecdsa[i].pub, xy, sizeof(xy));
		size_t n_sig = unhex(rfc4754_ecdsa[i].sig, sig, sizeof(sig)), n_back;
		size_t n_der = spki_of(rfc4754_ecdsa[i].bits, xy, n, der);
		struct pubkey *k;
		enum hash_alg h;

		assert_int_equal(pubkey_decode(BYTES(der, n_der), &k), 0);
		h = sign_alg_hash(pubkey_alg(k));
		digest_of(h, "abc", digest);
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, n_sig), NULL), 0);
		digest[5] ^= 1;
		assert_int_equal(sign_verify(k, h, digest, BYTES(sig, n_sig), NULL), -EBADMSG);
		assert_int_equal(pubkey_encode(k, back, sizeof(back), &n_back), 0);
		assert_int_equal(n_back, n_der);
		assert_memory_equal(back, der, n_der);
		pubkey_free(k);
	}
}

static void public_keys_are_taken_in_both_encodings(void **state)
{
	uint8_t der[PUBKEY_MAX], digest[HASH_MAX], sig[SIG_MAX];
	size_t len, n_sig;
	struct pubkey *k;

	(void)state;
	assert_int_equal(signer_public(&signer, "rsa", der, sizeof(der), &len), 0);
	// An RSA-2048 SubjectPublicKeyInfo has 24 octets before the RSAPublicKey.
	assert_int_equal(len, 294);
	assert_int_equal(pubkey_decode(BYTES(der + 24, len - 24), &k), 0);
	digest_of(HASH_ALG_SHA256, "x", digest);
	assert_int_equal(
		signer_sign(&signer, "rsa", HASH_ALG_SHA256, digest, RSA_FORM_BARE, sig, &n_sig),
		0);
	assert_int_equal(sign_verify(k, HASH_ALG_SHA256, digest, BYTES(sig, n_sig), NULL), 0);
	pubkey_free(k);
}

// The private operation on any block at all.
static size_t rsa_raw(EVP_PKEY *key, const uint8_t *block, size_t len, uint8_t sig[SIG_MAX])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t n = SIG_MAX;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, block, len), 1);
	EVP_PKEY_CTX_free(ctx);
	return n;
}

static void rsa_blocks_with_anything_else_in_them_are_refused(void **state)
{
	enum { LEN = 256, INFO = 19, HASH = 32, TAIL = INFO + HASH };
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)LEN * 8);
	uint8_t digest[HASH_MAX], right[LEN], bad[LEN], sig[SIG_MAX], der[PUBKEY_MAX], *p = der;
	int der_len = i2d_PUBKEY(key, &p);
	struct pubkey *k;

	(void)state;
	assert_int_equal(pubkey_decode(BYTES(der, (size_t)der_len), &k), 0);
	digest_of(HASH_ALG_SHA256, "rekey", digest);
	assert_true(rsa_block(HASH_ALG_SHA256, digest, RSA_FORM_DIGESTINFO, right, LEN));
#define VERDICT(block)                                                                             \
	sign_verify(k, HASH_ALG_SHA256, digest, BYTES(sig, rsa_raw(key, block, LEN, sig)), NULL)
	assert_int_equal(VERDICT(right), 0);
	// Short padding, garbage behind the hash: what small exponents let anyone forge.
	memset(bad, 0x5a, LEN);
	memcpy(bad, right, 10);
	bad[10] = 0;
	memcpy(bad + 11, right + LEN - TAIL, TAIL);
	assert_int_equal(VERDICT(bad), -EBADMSG);
	memcpy(bad, right, LEN); // garbage in the padding
	bad[100] = 0;
	assert_int_equal(VERDICT(bad), -EBADMSG);
	memcpy(bad, right, LEN); // block type 2
	bad[1] = 2;
	assert_int_equal(VERDICT(bad), -EBADMSG);
	memcpy(bad, right, LEN); // parameters missing from DigestInfo
	bad[LEN - HASH - 4] ^= 1;
	assert_int_equal(VERDICT(bad), -EBADMSG);
	memset(bad, 0, LEN); // no padding at all
	memcpy(bad + LEN - HASH, digest, HASH);
	assert_int_equal(VERDICT(bad), -EBADMSG);
#undef VERDICT
	pubkey_free(k);
	EVP_PKEY_free(key);
}

static void damaged_public_keys_never_crash(void **state)
{
	uint8_t der[PUBKEY_MAX], bad[PUBKEY_MAX];
	size_t len;
	struct pubkey *k;

	(void)state;
	assert_int_equal(signer_public(&signer, "p256", der, sizeof(der), &len), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(pubkey_decode(BYTES(der, cut), &k), -EBADMSG);
	memcpy(bad, der, len);
	bad[len] = 0; // an octet too many
	assert_int_equal(pubkey_decode(BYTES(bad, len + 1), &k), -EBADMSG);
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(bad, der, len);
		bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (pubkey_decode(BYTES(bad, len), &k) == 0)
			pubkey_free(k);
	}
	memset(bad, 0, sizeof(bad));
	assert_int_equal(pubkey_decode(BYTES(bad, sizeof(bad)), &k), -EBADMSG);
}

static void rsa_with_exponent_one_is_refused(void **state)
{
	uint8_t der[PUBKEY_MAX];
	size_t len;
	struct pubkey *k;

	(void)state;
	assert_int_equal(signer_public(&signer, "rsa", der, sizeof(der), &len), 0);
	assert_int_equal(der[len - 1], 1);	  // 65537 is 01 00 01
	memcpy(der + len - 3, "\x00\x00\x01", 3); // not minimal DER, and 1
	assert_int_equal(pubkey_decode(BYTES(der, len), &k), -EBADMSG);
	memcpy(der + len - 3, "\x01\x00\x02", 3); // even
	assert_int_equal(pubkey_decode(BYTES(der, len), &k), -EBADMSG);
}

static void keys_come_from_pem_files_by_label(void **state)
{
	static const char pem[] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3FHThmoVus3jPZb5\n"
		"kvypnafm7wk05wl1WcJ/FhTIin+hRANCAAQkQqXMDs0BX6PKMdyOK7xwv0LWDLyi\n"
		"AIXggiywQjXpcG/Ji9flAhGkonEC+jVJ33nry0vyRrgJRc3f59UJu/19\n"
		"-----END PRIVATE KEY-----\n";
	char path[] = "/tmp/conclave_sign_test_XXXXXX";
	int fd = mkstemp(path);
	struct signer s;
	size_t sig_len;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem, sizeof(pem) - 1), sizeof(pem) - 1);
	signer_init(&s);
	assert_int_equal(signer_load(&s, "rekey", path), 0);
	assert_int_equal(signer_load(&s, "rekey", path), -EEXIST);
	assert_int_equal(signer_alg(&s, "rekey", &sig_len), SIGN_ECDSA_P256);
	assert_int_equal(sig_len, 64);
	assert_int_equal(signer_alg(&s, "other", NULL), SIGN_NONE);
	assert_int_equal(signer_load(&s, "none", "/nonexistent"), -ENOENT);
	assert_int_equal(ftruncate(fd, 50), 0);
	assert_int_equal(signer_load(&s, "cut", path), -EBADMSG);
	close(fd);
	unlink(path);
	signer_fini(&s);
}

static int setup(void **state)
{
	(void)state;
	signer_init(&signer);
	return crypto_init() || signer_generate(&signer, "rsa", SIGN_RSA, 2048) ||
	       signer_generate(&signer, "p256", SIGN_ECDSA_P256, 0) ||
	       signer_generate(&signer, "p384", SIGN_ECDSA_P384, 0) ||
	       signer_generate(&signer, "p521", SIGN_ECDSA_P521, 0);
}

static int teardown(void **state)
{
	(void)state;
	signer_fini(&signer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rsa_signs_and_verifies_in_both_forms),
		cmocka_unit_test(ecdsa_signs_and_verifies),
		cmocka_unit_test(ecdsa_verifies_the_signatures_of_rfc_4754),
		cmocka_unit_test(public_keys_are_taken_in_both_encodings),
		cmocka_unit_test(rsa_blocks_with_anything_else_in_them_are_refused),
		cmocka_unit_test(damaged_public_keys_never_crash),
		cmocka_unit_test(rsa_with_exponent_one_is_refused),
		cmocka_unit_test(keys_come_from_pem_files_by_label),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
