// Every hash, IV, key and decryption of a real GDOI key server's traces (3DES, SHA-1), through our
// code: main mode, GROUPKEY-PULL and the sealing of GROUPKEY-PUSH.
#include "tests/unit/vectors.h"

#include "common/crypto/crypto.h"
#include "common/crypto/sign.h"
#include "common/ike/protect.h"

#define H HASH_ALG_SHA1
#define C CIPHER_3DES_CBC

struct session {
	const json_t *j;
	uint8_t msg[10][2048];
	size_t len[10];
	struct isakmp_hdr hdr[10];
	struct isakmp_chain clear[4]; // messages 1-4
	struct ike_skeyid k;
	struct secret key;
	uint8_t iv[CIPHER_BLOCK_MAX];
	struct ike_sa sa;
};

static struct bytes body(const struct isakmp_chain *c, uint8_t type)
{
	const struct isakmp_pl *pl = isakmp_chain_find(c, type, 0);

	assert_non_null(pl);
	return pl->body;
}

static void assert_json(const json_t *o, const char *name, const void *got, size_t len)
{
	uint8_t want[1024];

	assert_int_equal(vectors_hex(o, name, want, sizeof(want)), len);
	assert_memory_equal(got, want, len);
}

static void load(struct session *s, const json_t *j)
{
	const json_t *messages = json_object_get(j, "messages");

	memset(s, 0, sizeof(*s));
	s->j = j;
	for (size_t i = 0; i < 10; i++) {
		struct rd_err err = { NULL };
		struct rd r;

		s->len[i] = unhex(json_string_value(json_array_get(messages, i)), s->msg[i],
				  sizeof(s->msg[i]));
		r = rd_of(BYTES(s->msg[i], s->len[i]), &err);
		assert_true(isakmp_hdr_decode(&r, &s->hdr[i]));
		if (i < 4)
			assert_true(isakmp_chain_decode(
				BYTES(s->msg[i] + ISAKMP_HDR_LEN, s->len[i] - ISAKMP_HDR_LEN),
				s->hdr[i].next, 0, &s->clear[i], &err));
	}
}

static void derive(struct session *s)
{
	const char *text = json_string_value(json_object_get(s->j, "psk_ascii"));
	uint8_t gxy[128];
	size_t n_gxy = vectors_hex(s->j, "gxy", gxy, sizeof(gxy));
	struct secret psk;

	assert_int_equal(secret_set(&psk, text, strlen(text)), 0);
	assert_int_equal(keymat_skeyid_psk(H, &psk, body(&s->clear[2], ISAKMP_PL_NONCE),
					   body(&s->clear[3], ISAKMP_PL_NONCE), &s->k.skeyid),
			 0);
	assert_int_equal(
		keymat_derive(H, BYTES(gxy, n_gxy), s->hdr[1].cky_i, s->hdr[1].cky_r, &s->k), 0);
	assert_int_equal(keymat_cipher_key(H, C, &s->k.e, &s->key), 0);
	assert_int_equal(keymat_iv_phase1(H, C, body(&s->clear[2], ISAKMP_PL_KE),
					  body(&s->clear[3], ISAKMP_PL_KE), s->iv),
			 0);
	assert_json(s->j, "skeyid", s->k.skeyid.b, 20);
	assert_json(s->j, "skeyid_d", s->k.d.b, 20);
	assert_json(s->j, "skeyid_a", s->k.a.b, 20);
	assert_json(s->j, "skeyid_e", s->k.e.b, 20);
	assert_json(s->j, "enc_key_3des", s->key.b, s->key.len);
	assert_json(s->j, "p1_iv0", s->iv, 8);
}

// Message 5 or 6: opened, compared, and its HASH computed anew.
static void proof(struct session *s, size_t i)
{
	const json_t *plaintext = json_object_get(s->j, "plaintext");
	uint8_t plain[2048], hash[HASH_MAX];
	size_t n = s->len[i] - ISAKMP_HDR_LEN;
	struct isakmp_chain c;
	struct rd_err err = { NULL };
	const struct isakmp_chain *own = &s->clear[i - 2], *peer = &s->clear[5 - i + 2];
	struct keymat_proof p = {
		.ke_own = body(own, ISAKMP_PL_KE),
		.ke_peer = body(peer, ISAKMP_PL_KE),
		.cky_own = i == 4 ? s->hdr[1].cky_i : s->hdr[1].cky_r,
		.cky_peer = i == 4 ? s->hdr[1].cky_r : s->hdr[1].cky_i,
		.sai = body(&s->clear[0], ISAKMP_PL_SA),
	};

	assert_int_equal(cipher_decrypt(C, &s->key, s->iv, s->msg[i] + ISAKMP_HDR_LEN, n, plain),
			 0);
	memcpy(s->iv, s->msg[i] + s->len[i] - 8, 8);
	assert_true(isakmp_chain_decode(BYTES(plain, n), s->hdr[i].next, 8, &c, &err));
	assert_json(plaintext, i == 4 ? "p1_msg5" : "p1_msg6", plain, n);
	p.id = body(&c, ISAKMP_PL_ID);
	assert_int_equal(keymat_proof(H, &s->k.skeyid, &p, hash), 0);
	assert_json(s->j, i == 4 ? "hash_i" : "hash_r", hash, 20);
	assert_memory_equal(body(&c, ISAKMP_PL_HASH).p, hash, 20);
}

// What phase 1 leaves behind, as protect.h wants it.
static void stand(struct session *s)
{
	assert_json(s->j, "p1_last_block", s->iv, 8);
	s->sa.state = IKE_ESTABLISHED;
	memcpy(s->sa.cky_i, s->hdr[1].cky_i, 8);
	memcpy(s->sa.cky_r, s->hdr[1].cky_r, 8);
	s->sa.keys.hash = H;
	s->sa.keys.cipher = C;
	s->sa.keys.skeyid_a = s->k.a;
	s->sa.keys.key = s->key;
	memcpy(s->sa.keys.last_block, s->iv, 8);
}

static void open_pull(struct session *s)
{
	static const char *const names[] = { "pull_msg1", "pull_msg2", "pull_msg3", "pull_msg4" };
	const json_t *plaintext = json_object_get(s->j, "plaintext");
	uint8_t plain[4][2048], nonce[2][GDOI_NONCE_MAX], again[2048];
	struct isakmp_hashed m;
	struct ike_nonces n = { { NULL, 0 }, { NULL, 0 } };
	struct ike_exch x, back;
	const char *detail;

	assert_int_equal(ike_exch_init(&x, &s->sa, GDOI_XCH_PULL, s->hdr[6].msgid), 0);
	assert_json(s->j, "pull_iv0", x.iv, 8);
	for (size_t i = 0; i < 4; i++) {
		struct bytes d = BYTES(s->msg[6 + i], s->len[6 + i]), msg;
		struct ike_seal seal;

		back = x;
		d.p = s->msg[6 + i];
		assert_int_equal(ike_exch_open(&x, &s->hdr[6 + i], d, &n, plain[i],
					       sizeof(plain[i]), &m, &detail),
				 IKE_R_OK);
		// Without padding: the trace's reader cut it off.
		assert_json(plaintext, names[i], plain[i], d.len - ISAKMP_HDR_LEN);
		// Sealed by us from the same payloads: the very same octets on the wire.
		ike_seal_begin(&seal, &back, again, sizeof(again));
		for (size_t k = 1; k < m.chain.n; k++)
			wr_pl(&seal.chain, m.chain.pl[k].type, m.chain.pl[k].body);
		assert_int_equal(ike_seal_end(&seal, &back, &n, &msg), 0);
		assert_int_equal(msg.len, d.len);
		assert_memory_equal(msg.p, d.p, d.len);
		if (i < 2) {
			struct bytes b = body(&m.chain, ISAKMP_PL_NONCE);

			memcpy(nonce[i], b.p, b.len);
			*(i == 0 ? &n.ni : &n.nr) = BYTES(nonce[i], b.len);
		}
	}
}

static void run_session(const json_t *j)
{
	static struct session s;

	load(&s, j);
	derive(&s);
	proof(&s, 4);
	proof(&s, 5);
	stand(&s);
	open_pull(&s);
}

static void loopback_trace_is_reproduced(void **state)
{
	json_t *j = vectors_json("gdoi-loopback-pull.json");

	(void)state;
	run_session(j);
	json_decref(j);
}

static void three_clients_are_reproduced(void **state)
{
	json_t *j = vectors_json("gdoi-threeclients.json");
	const json_t *clients = json_object_get(j, "clients");

	(void)state;
	assert_int_equal(json_array_size(clients), 3);
	for (size_t i = 0; i < 3; i++)
		run_session(json_array_get(clients, i));
	json_decref(j);
}

// Decrypted, its signature's hash rebuilt (Length without padding), the signature opened.
static void open_push(const json_t *push, const json_t *kek)
{
	uint8_t msg[2048], plain[2048], iv[8], hash[HASH_MAX], hdr[ISAKMP_HDR_LEN], der[PUBKEY_MAX];
	size_t len = vectors_hex(push, "message", msg, sizeof(msg)), n = len - ISAKMP_HDR_LEN;
	struct secret key = { .len = 24 };
	struct rd_err err = { NULL };
	struct isakmp_chain c;
	const struct isakmp_pl *sig;
	struct pubkey *k;
	enum rsa_form form;

	assert_int_equal(vectors_hex(kek, "key_3des", key.b, 24), 24);
	vectors_hex(kek, "iv", iv, sizeof(iv));
	assert_int_equal(cipher_decrypt(C, &key, iv, msg + ISAKMP_HDR_LEN, n, plain), 0);
	assert_true(isakmp_chain_decode(BYTES(plain, n), msg[16], 8, &c, &err));
	assert_json(push, "plaintext", plain, n);
	sig = isakmp_chain_find(&c, ISAKMP_PL_SIG, 0);
	assert_non_null(sig);
	memcpy(hdr, msg, sizeof(hdr));
	isakmp_hdr_len_set(hdr, (uint32_t)(ISAKMP_HDR_LEN + c.all.len));
	assert_json(push, "signed_hdr", hdr, sizeof(hdr));
	const struct bytes parts[] = { BYTES_LIT("rekey"), BYTES_OF(hdr),
				       BYTES(plain, (size_t)(sig->whole.p - plain)) };

	assert_int_equal(hash_parts(H, parts, 3, hash), 0);
	assert_json(push, "sha1_signed", hash, 20);
	len = vectors_hex(kek, "sig_pubkey_spki_der", der, sizeof(der));
	assert_int_equal(pubkey_decode(BYTES(der, len), &k), 0);
	assert_int_equal(sign_verify(k, H, hash, sig->body, &form), 0);
	assert_int_equal(form, RSA_FORM_BARE);
	pubkey_free(k);
}

static void pushes_open_and_verify(void **state)
{
	json_t *j = vectors_json("gdoi-threeclients.json");
	const json_t *pushes = json_object_get(j, "pushes");

	(void)state;
	assert_int_equal(json_array_size(pushes), 2);
	for (size_t i = 0; i < 2; i++)
		open_push(json_array_get(pushes, i), json_object_get(j, "kek"));
	json_decref(j);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_trace_is_reproduced),
		cmocka_unit_test(three_clients_are_reproduced),
		cmocka_unit_test(pushes_open_and_verify),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
