#include "tests/unit/common/crypto/make_pki.h"

#include "common/crypto/tls.h"

#define A "192.0.2.1"
#define B "192.0.2.2"

static struct tls_creds *creds_of(const char *text)
{
	struct secret key;
	struct tls_creds *c;

	assert_int_equal(secret_set(&key, text, strlen(text)), 0);
	assert_int_equal(tls_creds_key(&key, &c), 0);
	return c;
}

static struct tls *session(struct tls_creds *c, bool calls, const char *caller,
			   const char *listener)
{
	struct tls *t;

	assert_int_equal(tls_new(c, calls, caller, listener, MP_NOW, &t), 0);
	return t;
}

// Everything that one has to say, to the other, n octets at a time. True: there was something.
static bool carry(struct tls *from, struct tls *to, size_t n)
{
	uint8_t buf[4096];
	size_t len;
	bool any = false;

	while ((len = tls_take(from, buf, MIN_OF(n, sizeof(buf)))) > 0) {
		(void)tls_feed(to, BYTES(buf, len));
		any = true;
	}
	return any;
}

static void talk(struct tls *a, struct tls *b, size_t n)
{
	uint8_t none;
	bool any = true;

	for (int i = 0; i < 20 && any; i++) {
		any = carry(a, b, n);
		any |= carry(b, a, n);
	}
	// An alert that came when we were through already is seen by whoever reads.
	(void)tls_read(a, &none, 0);
	(void)tls_read(b, &none, 0);
}

static void is_open(struct tls *a, struct tls *b)
{
	struct secret x, y;
	uint8_t got[16];

	assert_int_equal(tls_state(a), TLS_OPEN);
	assert_int_equal(tls_state(b), TLS_OPEN);
	assert_int_equal(tls_export(a, "EXPORTER-test", 32, &x), 0);
	assert_int_equal(tls_export(b, "EXPORTER-test", 32, &y), 0);
	assert_true(secret_eq(&x, &y));
	assert_int_equal(tls_export(b, "EXPORTER-other", 32, &y), 0);
	assert_false(secret_eq(&x, &y));
	assert_true(tls_write(a, BYTES_LIT("hello")));
	carry(a, b, 7);
	assert_int_equal(tls_read(b, got, sizeof(got)), 5);
	assert_memory_equal(got, "hello", 5);
}

static void a_shared_key_opens(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef0123456789abcdef");

	(void)state;
	for (size_t n = 1; n < 5000; n = n * 10 + 3) {
		struct tls *a = session(c, true, A, B), *b = session(c, false, A, B);

		talk(a, b, n);
		is_open(a, b);
		assert_null(tls_peer(a));
		tls_close(b);
		talk(a, b, n);
		assert_int_equal(tls_state(a), TLS_CLOSED);
		tls_free(a);
		tls_free(b);
	}
	tls_creds_put(c);
}

static void fails(struct tls_creds *ca, struct tls_creds *cb, const char *caller_a,
		  const char *listener_a, const char *caller_b, const char *listener_b,
		  const char *why_b)
{
	struct tls *a = session(ca, true, caller_a, listener_a);
	struct tls *b = session(cb, false, caller_b, listener_b);
	struct secret none;

	talk(a, b, 1000);
	assert_int_equal(tls_state(b), TLS_FAILED);
	assert_int_equal(tls_state(a), TLS_FAILED);
	if (why_b)
		assert_string_equal(tls_why(b), why_b);
	assert_string_not_equal(tls_why(b), "");
	assert_false(tls_write(b, BYTES_LIT("x")));
	assert_int_equal(tls_export(b, "EXPORTER-test", 32, &none), -EINVAL);
	assert_false(tls_feed(b, BYTES_LIT("x")));
	tls_free(a);
	tls_free(b);
}

static void a_wrong_key_is_refused(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef"), *d = creds_of("0123456789abcdeg");

	(void)state;
	fails(c, d, A, B, A, B, "key-differs");
	tls_creds_put(c);
	tls_creds_put(d);
}

// A says something to B; whoever sits between sends it back to A, or on to C.
static void what_was_said_to_another_is_refused(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef");

	(void)state;
	fails(c, c, A, B, B, A, "names-differ");
	fails(c, c, A, B, A, "192.0.2.3", "names-differ");
	tls_creds_put(c);
}

static void a_short_key_is_none(void **state)
{
	struct secret key;
	struct tls_creds *c;

	(void)state;
	assert_int_equal(secret_set(&key, "0123456789abcde", 15), 0);
	assert_int_equal(tls_creds_key(&key, &c), -EINVAL);
	assert_null(c);
}

static void garbage_ends_a_session(void **state)
{
	static const char *const said[] = { "GET / HTTP/1.1\r\n\r\n",
					    "\x16\x03\x01\xff\xff\x01\x00\x00\x00\x00" };
	struct tls_creds *c = creds_of("0123456789abcdef");

	(void)state;
	for (size_t i = 0; i < N_ELEMS(said); i++) {
		struct tls *b = session(c, false, A, B);

		assert_false(tls_feed(b, BYTES(said[i], i ? 10 : strlen(said[i]))));
		assert_int_equal(tls_state(b), TLS_FAILED);
		tls_free(b);
	}
	tls_creds_put(c);
}

static void a_changed_record_ends_a_session(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef");
	struct tls *a = session(c, true, A, B), *b = session(c, false, A, B);
	uint8_t buf[256];
	size_t len;

	(void)state;
	talk(a, b, 1000);
	assert_true(tls_write(a, BYTES_LIT("hello")));
	len = tls_take(a, buf, sizeof(buf));
	buf[len - 1] ^= 1;
	assert_true(tls_feed(b, BYTES(buf, len)));
	assert_int_equal(tls_read(b, buf, sizeof(buf)), 0);
	assert_int_equal(tls_state(b), TLS_FAILED);
	tls_free(a);
	tls_free(b);
	tls_creds_put(c);
}

static void a_record_sent_twice_ends_a_session(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef");
	struct tls *a = session(c, true, A, B), *b = session(c, false, A, B);
	uint8_t buf[256], got[8];
	size_t len;

	(void)state;
	talk(a, b, 1000);
	assert_true(tls_write(a, BYTES_LIT("hello")));
	len = tls_take(a, buf, sizeof(buf));
	assert_true(tls_feed(b, BYTES(buf, len)));
	assert_true(tls_feed(b, BYTES(buf, len)));
	assert_int_equal(tls_read(b, got, sizeof(got)), 5);
	assert_int_equal(tls_read(b, got, sizeof(got)), 0);
	assert_int_equal(tls_state(b), TLS_FAILED);
	tls_free(a);
	tls_free(b);
	tls_creds_put(c);
}

// ---- certificates ----

struct house {
	struct mp_node root, ks[2];
	struct cert *cert[2];
	struct trust *trust;
	struct signer signer;
	struct tls_creds *creds[2];
};

static struct tls_creds *creds_of_node(struct house *h, const char *label, const struct mp_node *n,
				       struct cert **cert)
{
	struct tls_creds *c;

	*cert = mp_cert(n->x);
	assert_int_equal(signer_add_pem(&h->signer, label, mp_key_pem(n->key)), 0);
	assert_int_equal(tls_creds_cert(&h->signer, label, cert, 1, h->trust, &c), 0);
	return c;
}

static void house_make(struct house *h, const char *key, const struct trust_conf *conf)
{
	const struct mp_spec ks1 = { .cn = "ks1", .key = key, .serial = 11 };
	const struct mp_spec ks2 = { .cn = "ks2", .key = key, .serial = 12 };
	enum cert_reason why;

	h->root = mp_ca("root");
	h->ks[0] = mp_issue(&h->root, &ks1);
	h->ks[1] = mp_issue(&h->root, &ks2);
	assert_int_equal(trust_new(conf, &h->trust), 0);
	assert_int_equal(trust_add_ca(h->trust, mp_pem(h->root.x), &why), 0);
	signer_init(&h->signer);
	h->creds[0] = creds_of_node(h, "ks1", &h->ks[0], &h->cert[0]);
	h->creds[1] = creds_of_node(h, "ks2", &h->ks[1], &h->cert[1]);
}

static void house_end(struct house *h)
{
	for (size_t i = 0; i < 2; i++) {
		tls_creds_put(h->creds[i]);
		cert_free(h->cert[i]);
		mp_free(&h->ks[i]);
	}
	signer_fini(&h->signer);
	trust_free(h->trust);
	mp_free(&h->root);
}

static void certificates_open(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "P-521", "RSA2048" };

	(void)state;
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		struct house h;
		struct tls *a, *b;
		struct trust_need *need;

		house_make(&h, kinds[i], &(struct trust_conf){ 0 });
		a = session(h.creds[0], true, A, B);
		b = session(h.creds[1], false, A, B);
		talk(a, b, 100000);
		is_open(a, b);
		assert_true(bytes_eq(cert_der(tls_peer(a)), cert_der(h.cert[1])));
		assert_true(bytes_eq(cert_der(tls_peer(b)), cert_der(h.cert[0])));
		assert_int_equal(tls_status(a, MP_NOW, &need), CERT_R_OK);
		assert_int_equal(tls_status(a, MP_NOW + 2 * MP_DAY, &need), CERT_R_EXPIRED);
		tls_free(a);
		tls_free(b);
		house_end(&h);
	}
}

static void a_revoked_certificate_is_told(void **state)
{
	static const struct trust_conf crl = { 1, { TRUST_CRL } };
	struct house h;
	struct tls *a, *b;
	struct trust_need *need;

	(void)state;
	house_make(&h, NULL, &crl);
	a = session(h.creds[0], true, A, B);
	b = session(h.creds[1], false, A, B);
	talk(a, b, 100000);
	assert_int_equal(tls_state(b), TLS_OPEN);
	assert_int_equal(tls_status(b, MP_NOW, &need), CERT_R_STATUS_UNAVAILABLE);
	assert_int_equal(trust_add_crl(h.trust, mp_crl(&h.root, 11, -100, MP_DAY, NULL)), 0);
	assert_int_equal(tls_status(b, MP_NOW, &need), CERT_R_REVOKED);
	assert_int_equal(tls_status(a, MP_NOW, &need), CERT_R_OK);
	tls_free(a);
	tls_free(b);
	house_end(&h);
}

static void a_certificate_of_another_ca_is_refused(void **state)
{
	struct house h, g;

	(void)state;
	house_make(&h, NULL, &(struct trust_conf){ 0 });
	house_make(&g, NULL, &(struct trust_conf){ 0 });
	fails(h.creds[0], g.creds[1], A, B, A, B, NULL);
	house_end(&h);
	house_end(&g);
}

static void an_expired_certificate_is_refused(void **state)
{
	const struct mp_spec old = { .cn = "ks1", .from = -9 * MP_DAY, .until = -MP_DAY };
	struct house h;
	struct cert *cert;
	struct mp_node n;
	struct tls_creds *c;

	(void)state;
	house_make(&h, NULL, &(struct trust_conf){ 0 });
	n = mp_issue(&h.root, &old);
	c = creds_of_node(&h, "old", &n, &cert);
	// The caller is through before the listener has looked: it is told when it reads.
	struct tls *a = session(c, true, A, B), *b = session(h.creds[1], false, A, B);
	talk(a, b, 100000);
	assert_int_equal(tls_state(a), TLS_FAILED);
	assert_int_equal(tls_state(b), TLS_FAILED);
	assert_string_equal(tls_why(b), "certificate-expired");
	tls_free(a);
	tls_free(b);
	tls_creds_put(c);
	cert_free(cert);
	mp_free(&n);
	house_end(&h);
}

static void a_key_and_certificates_do_not_meet(void **state)
{
	struct tls_creds *c = creds_of("0123456789abcdef");
	struct house h;

	(void)state;
	house_make(&h, NULL, &(struct trust_conf){ 0 });
	fails(c, h.creds[1], A, B, A, B, NULL);
	fails(h.creds[0], c, A, B, A, B, NULL);
	house_end(&h);
	tls_creds_put(c);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	struct house h;
	struct tls_creds *c;

	(void)state;
	house_make(&h, NULL, &(struct trust_conf){ 0 });
	assert_int_equal(tls_creds_cert(&h.signer, "ks1", &h.cert[1], 1, h.trust, &c), -EINVAL);
	assert_int_equal(tls_creds_cert(&h.signer, "ks9", &h.cert[1], 1, h.trust, &c), -ENOENT);
	house_end(&h);
}

static int start(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_key_opens),
		cmocka_unit_test(a_wrong_key_is_refused),
		cmocka_unit_test(what_was_said_to_another_is_refused),
		cmocka_unit_test(a_short_key_is_none),
		cmocka_unit_test(garbage_ends_a_session),
		cmocka_unit_test(a_changed_record_ends_a_session),
		cmocka_unit_test(a_record_sent_twice_ends_a_session),
		cmocka_unit_test(certificates_open),
		cmocka_unit_test(a_revoked_certificate_is_told),
		cmocka_unit_test(a_certificate_of_another_ca_is_refused),
		cmocka_unit_test(an_expired_certificate_is_refused),
		cmocka_unit_test(a_key_and_certificates_do_not_meet),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
