#include "tests/unit/vectors.h"

#include "common/crypto/crypto.h"
#include "common/ike/keymat.h"

// One case of NIST's CAVP response files for IKEv1 (SP 800-135): text lines "name = hex".
struct cavp {
	enum hash_alg hash;
	size_t n_ni, n_nr, n_gxy, n_psk;
	uint8_t cky_i[8], cky_r[8], ni[512], nr[512], gxy[1024], psk[512];
	uint8_t want[4][HASH_MAX]; // SKEYID, _d, _a, _e
	unsigned count;		   // of finished cases
};

enum cavp_auth { AUTH_SIGNATURE, AUTH_PUBLIC_KEY, AUTH_PSK };

// SKEYID of each authentication method, RFC 2409 section 5.
static void skeyid_of(const struct cavp *c, enum cavp_auth auth, struct secret *out)
{
	const struct bytes nonces[] = { BYTES(c->ni, c->n_ni), BYTES(c->nr, c->n_nr) };
	const struct bytes gxy = BYTES(c->gxy, c->n_gxy);
	const struct bytes cookies[] = { BYTES(c->cky_i, 8), BYTES(c->cky_r, 8) };
	uint8_t hash[HASH_MAX];
	struct secret psk;

	switch (auth) {
	case AUTH_SIGNATURE: // prf(Ni_b | Nr_b, g^xy)
		assert_int_equal(keymat_skeyid_sig(c->hash, gxy, nonces[0], nonces[1], out), 0);
		return;
	case AUTH_PUBLIC_KEY: // prf(hash(Ni_b | Nr_b), CKY-I | CKY-R)
		assert_int_equal(hash_parts(c->hash, nonces, 2, hash), 0);
		assert_int_equal(
			prf_secret(c->hash, BYTES(hash, hash_len(c->hash)), cookies, 2, out), 0);
		return;
	case AUTH_PSK: // prf(psk, Ni_b | Nr_b)
		assert_int_equal(secret_set(&psk, c->psk, c->n_psk), 0);
		assert_int_equal(keymat_skeyid_psk(c->hash, &psk, nonces[0], nonces[1], out), 0);
		return;
	}
}

static void check_case(struct cavp *c, enum cavp_auth auth)
{
	struct ike_skeyid k = { 0 };
	size_t n = hash_len(c->hash);

	skeyid_of(c, auth, &k.skeyid);
	assert_int_equal(keymat_derive(c->hash, BYTES(c->gxy, c->n_gxy), c->cky_i, c->cky_r, &k),
			 0);
	assert_int_equal(k.e.len, n);
	assert_memory_equal(k.skeyid.b, c->want[0], n);
	assert_memory_equal(k.d.b, c->want[1], n);
	assert_memory_equal(k.a.b, c->want[2], n);
	assert_memory_equal(k.e.b, c->want[3], n);
	c->count++;
}

static void take_line(struct cavp *c, enum cavp_auth auth, const char *name, const char *hex)
{
	if (!strcmp(name, "CKY_I"))
		assert_int_equal(unhex(hex, c->cky_i, 8), 8);
	else if (!strcmp(name, "CKY_R"))
		assert_int_equal(unhex(hex, c->cky_r, 8), 8);
	else if (!strcmp(name, "Ni"))
		c->n_ni = unhex(hex, c->ni, sizeof(c->ni));
	else if (!strcmp(name, "Nr"))
		c->n_nr = unhex(hex, c->nr, sizeof(c->nr));
	else if (!strcmp(name, "g^xy"))
		c->n_gxy = unhex(hex, c->gxy, sizeof(c->gxy));
	else if (!strcmp(name, "pre-shared-key"))
		c->n_psk = unhex(hex, c->psk, sizeof(c->psk));
	else if (!strcmp(name, "SKEYID"))
		unhex(hex, c->want[0], HASH_MAX);
	else if (!strcmp(name, "SKEYID_d"))
		unhex(hex, c->want[1], HASH_MAX);
	else if (!strcmp(name, "SKEYID_a"))
		unhex(hex, c->want[2], HASH_MAX);
	else if (!strcmp(name, "SKEYID_e")) { // the last line of a case
		unhex(hex, c->want[3], HASH_MAX);
		check_case(c, auth);
	}
}

static unsigned run_file(const char *name, enum cavp_auth auth)
{
	static const struct {
		const char *mark;
		enum hash_alg hash;
	} marks[] = { { "[SHA-1]", HASH_ALG_SHA1 },
		      { "[SHA-224]", HASH_ALG_SHA224 },
		      { "[SHA-256]", HASH_ALG_SHA256 },
		      { "[SHA-384]", HASH_ALG_SHA384 },
		      { "[SHA-512]", HASH_ALG_SHA512 } };
	static struct cavp c;
	char line[4096], key[64], hex[4096];
	FILE *f = fopen(vectors_path(name), "re");

	assert_non_null(f);
	memset(&c, 0, sizeof(c));
	while (fgets(line, sizeof(line), f)) {
		for (size_t i = 0; i < N_ELEMS(marks); i++) {
			if (!strncmp(line, marks[i].mark, strlen(marks[i].mark)))
				c.hash = marks[i].hash;
		}
		if (line[0] != '[' && sscanf(line, "%63s = %4095s", key, hex) == 2)
			take_line(&c, auth, key, hex);
	}
	fclose(f);
	return c.count;
}

static void nist_signature_cases_hold(void **state)
{
	(void)state;
	assert_int_equal(run_file("nist-cavp-ikev1/ikev1_dsa.rsp", AUTH_SIGNATURE), 280);
}

static void nist_public_key_cases_hold(void **state)
{
	(void)state;
	assert_int_equal(run_file("nist-cavp-ikev1/ikev1_pke.rsp", AUTH_PUBLIC_KEY), 280);
}

static void nist_pre_shared_key_cases_hold(void **state)
{
	(void)state;
	assert_int_equal(run_file("nist-cavp-ikev1/ikev1_psk.rsp", AUTH_PSK), 280);
}

static void long_cipher_keys_are_expanded(void **state)
{
	// 256 bits of key out of a 160-bit SKEYID_e: K1 | the first 12 octets of K2.
	static const uint8_t zero;
	const struct bytes first = BYTES(&zero, 1);
	struct secret e = { .len = 20, .b = { 1, 2, 3 } }, key;
	uint8_t k1[HASH_MAX], k2[HASH_MAX];
	struct bytes last = BYTES(k1, 20);

	(void)state;
	assert_int_equal(prf_parts(HASH_ALG_SHA1, BYTES(e.b, 20), &first, 1, k1), 0);
	assert_int_equal(prf_parts(HASH_ALG_SHA1, BYTES(e.b, 20), &last, 1, k2), 0);
	assert_int_equal(keymat_cipher_key(HASH_ALG_SHA1, CIPHER_AES256_CBC, &e, &key), 0);
	assert_int_equal(key.len, 32);
	assert_memory_equal(key.b, k1, 20);
	assert_memory_equal(key.b + 20, k2, 12);
	for (size_t i = 32; i < SECRET_MAX; i++)
		assert_int_equal(key.b[i], 0);
	// Long enough: the leftmost octets as they are.
	assert_int_equal(keymat_cipher_key(HASH_ALG_SHA1, CIPHER_AES128_CBC, &e, &key), 0);
	assert_int_equal(key.len, 16);
	assert_memory_equal(key.b, e.b, 16);
	assert_int_equal(keymat_cipher_key(HASH_ALG_SHA1, CIPHER_NONE, &e, &key), -EINVAL);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nist_signature_cases_hold),
		cmocka_unit_test(nist_public_key_cases_hold),
		cmocka_unit_test(nist_pre_shared_key_cases_hold),
		cmocka_unit_test(long_cipher_keys_are_expanded),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
