#include "tests/unit/common/crypto/cmp_ca.h"

#include "common/crypto/cert_info.h"
#include "common/crypto/pkcs12.h"

#define SECRET "of the enrolment"

struct world {
	struct cmp_ca ca;
	struct trust *trust;
	struct secret secret;
	char *key;
	size_t key_len;
	struct cmp_request r;
	char why[CMP_WHY_LEN];
};

static EVP_PKEY *mp_key_of(struct bytes pem)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);

	BIO_free(b);
	assert_non_null(key);
	return key;
}

static void world_make(struct world *w, enum cmp_kind kind, const char *secret)
{
	static const struct trust_conf conf = { 0 };
	enum cert_reason why;

	*w = (struct world){ .why = "" };
	assert_int_equal(crypto_init(), 0);
	cmp_ca_init(&w->ca, secret);
	assert_int_equal(trust_new(&conf, &w->trust), 0);
	assert_int_equal(trust_add_ca(w->trust, mp_pem(w->ca.root.x), &why), 0);
	assert_int_equal(secret_set(&w->secret, SECRET, strlen(SECRET)), 0);
	assert_int_equal(pki_key_new(SIGN_ECDSA_P256, 0, &w->key, &w->key_len), 0);
	w->ca.subject_key = mp_key_of(BYTES(w->key, w->key_len));
	w->r = (struct cmp_request){ .kind = kind,
				     .trust = w->trust,
				     .subject = "CN=gm1, O=Example",
				     .n_names = 2,
				     .name = { "gm1.example.net", "192.0.2.2" },
				     .key = BYTES(w->key, w->key_len),
				     .reference = "gm1",
				     .secret = &w->secret,
				     .exchange = cmp_ca_exchange,
				     .arg = &w->ca };
}

static void world_end(struct world *w)
{
	explicit_bzero(w->key, w->key_len);
	free(w->key);
	trust_free(w->trust);
	cmp_ca_fini(&w->ca);
}

// One enrolment; the certificate, or NULL with w->why.
static struct cert *enrol(struct world *w)
{
	struct cert *chain[TRUST_MAX_PATH];
	enum cmp_progress p;
	struct cmp *c;
	int wait_s;
	size_t n;

	if (cmp_new(&w->r, &c, w->why))
		return NULL;
	for (unsigned i = 0; (p = cmp_go_on(c, time(NULL), &wait_s)) == CMP_WAIT; i++) {
		assert_in_range(wait_s, 1, 7);
		assert_true(i < 10);
	}
	snprintf(w->why, sizeof(w->why), "%s", cmp_why(c));
	n = p == CMP_DONE ? cmp_chain(c, chain) : 0;
	assert_int_equal(n, p == CMP_DONE ? 1 : 0);
	cmp_free(c);
	return n ? chain[0] : NULL;
}

static void expect(struct world *w, const char *words)
{
	struct cert *c = enrol(w);

	assert_null(c);
	if (!strstr(w->why, words))
		fail_msg("\"%s\" does not say \"%s\"", w->why, words);
}

static void a_reference_and_a_secret_get_a_certificate(void **state)
{
	struct world w;
	struct cert *c;
	char text[CERT_INFO_STRLEN];

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	c = enrol(&w);
	assert_non_null(c);
	assert_string_equal(cert_names_text(c, text), "DNS:gm1.example.net, IP Address:192.0.2.2");
	assert_string_equal(cert_usage_text(c, text), "Digital Signature");
	assert_int_equal(cert_usage(c), CERT_R_OK);
	assert_int_equal(w.ca.n_messages, 2); // ir, certConf
	cert_free(c);
	world_end(&w);
}

// The present certificate and its key, as one PEM text.
static char *own_of(struct world *w, const struct cert *c)
{
	char *pem = cert_to_pem(&c, 1), *all = calloc(1, w->key_len + strlen(pem) + 1);

	memcpy(all, w->key, w->key_len);
	strcat(all, pem);
	free(pem);
	return all;
}

static void a_certificate_gets_its_successor_and_another_one(void **state)
{
	struct world w;
	struct cert *c, *next;
	char *own;

	(void)state;
	for (int kind = CMP_CR; kind <= CMP_KUR; kind++) {
		world_make(&w, CMP_IR, SECRET);
		c = enrol(&w);
		assert_non_null(c);
		own = own_of(&w, c);
		cmp_ca_prove(&w.ca, NULL);
		w.r.kind = (enum cmp_kind)kind;
		w.r.own = BYTES(own, strlen(own));
		next = enrol(&w);
		assert_non_null(next);
		assert_false(bytes_eq(cert_der(c), cert_der(next)));
		assert_true(bytes_eq(cert_subject(c), cert_subject(next)));
		cert_free(c);
		cert_free(next);
		free(own);
		world_end(&w);
	}
}

static void a_refusal_is_told_with_the_reason_of_the_ca(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	w.ca.reject = true;
	expect(&w, "the CA refused");
	assert_non_null(strstr(w.why, "badCertTemplate"));
	assert_non_null(strstr(w.why, "not? this one")); // no control octets
	world_end(&w);
}

static void a_server_with_another_secret_is_not_believed(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, CMP_IR, "another one");
	expect(&w, "protected by another secret");
	world_end(&w);
}

static void a_server_of_another_ca_is_not_believed(void **state)
{
	struct world w, other;
	struct cert *c;
	char *own;

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	world_make(&other, CMP_IR, SECRET);
	c = enrol(&w);
	assert_non_null(c);
	own = own_of(&w, c);
	mp_free(&w.ca.signer);
	w.ca.signer = other.ca.signer;
	other.ca.signer = (struct mp_node){ 0 };
	cmp_ca_prove(&w.ca, NULL);
	w.r.kind = CMP_KUR;
	w.r.own = BYTES(own, strlen(own));
	expect(&w, "that the trustpoint's CA did not issue");
	cert_free(c);
	free(own);
	world_end(&w);
	world_end(&other);
}

static void a_certificate_that_peers_would_refuse_is_refused(void **state)
{
	int64_t now = time(NULL);
	struct world w;
	struct mp_node other = mp_ca("other");

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	w.ca.other = other.x;
	expect(&w, "another key than ours");
	world_end(&w);

	world_make(&w, CMP_IR, SECRET);
	w.ca.until = now - 30; // has ended already
	expect(&w, "certificate-expired");
	world_end(&w);

	world_make(&w, CMP_IR, SECRET);
	mp_free(&w.ca.root); // signs with a key that the trustpoint does not know
	w.ca.root = other;
	w.ca.other = NULL;
	expect(&w, "issuer-unknown");
	world_end(&w);
}

static void what_the_operator_wrote_wrong_is_told(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	w.r.subject = "gm1";
	expect(&w, "\"gm1\" is no subject");
	w.r.subject = "CN=gm1";
	w.r.key = BYTES("nothing", 7);
	expect(&w, "private key cannot be read");
	w.r.key = BYTES(w.key, w.key_len);
	w.r.kind = CMP_KUR;
	w.r.own = BYTES("nothing", 7);
	expect(&w, "present certificate and its key cannot be read");
	world_end(&w);
	assert_true(cmp_name_ok("gm1.example.net") && cmp_name_ok("192.0.2.2") &&
		    cmp_name_ok("2001:db8::1") && cmp_name_ok("ops@example.net"));
	assert_false(cmp_name_ok("") || cmp_name_ok("a b") || cmp_name_ok("http://x") ||
		     cmp_name_ok("*.example.net"));
	assert_true(cmp_subject_ok("CN=gm1, O=Example"));
	assert_false(cmp_subject_ok("") || cmp_subject_ok("Example"));
}

// ---- answers that no server gives ----

static void cut_short(uint8_t **b, size_t *len)
{
	(void)b;
	*len = *len / 2;
}

static void made_longer(uint8_t **b, size_t *len)
{
	*b = realloc(*b, *len + 16);
	memset(*b + *len, 0, 16);
	*len += 16;
}

static void empty(uint8_t **b, size_t *len)
{
	(void)b;
	*len = 0;
}

static void too_large(uint8_t **b, size_t *len)
{
	free(*b);
	*len = CMP_ANSWER_MAX + 1;
	*b = calloc(1, *len);
}

static void an_answer_that_is_none_ends_the_attempt(void **state)
{
	void (*const spoils[])(uint8_t **, size_t *) = { cut_short, made_longer, empty, too_large };
	struct world w;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(spoils); i++) {
		world_make(&w, CMP_IR, SECRET);
		w.ca.spoil = spoils[i];
		expect(&w, "is no CMP message");
		world_end(&w);
	}
}

static size_t flip_at;

static void flip(uint8_t **b, size_t *len)
{
	if (*len > 0)
		(*b)[flip_at % *len] ^= 0x20;
}

// Whatever octet of an answer is changed: it is protected, or no message any more.
static void no_changed_octet_goes_unnoticed(void **state)
{
	struct world w;

	(void)state;
	for (flip_at = 0; flip_at < 1100; flip_at += 13) {
		struct cert *c;

		world_make(&w, CMP_IR, SECRET);
		w.ca.spoil = flip;
		c = enrol(&w);
		assert_null(c);
		assert_true(w.why[0] != '\0');
		world_end(&w);
	}
}

static int no_answer(void *arg, struct bytes m, uint8_t **b, size_t *len, char *why, size_t size)
{
	(void)arg, (void)m;
	*b = NULL;
	*len = 0;
	snprintf(why, size, "nobody is there");
	return -EIO;
}

static void what_the_transport_says_is_passed_on(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, CMP_IR, SECRET);
	w.r.exchange = no_answer;
	expect(&w, "nobody is there");
	world_end(&w);
}

static void fingerprints_are_compared_however_they_are_written(void **state)
{
	struct mp_node ca = mp_ca("root");
	struct cert *c = mp_cert(ca.x);
	char print[CERT_FINGERPRINT_STRLEN], bare[65];
	size_t n = 0;

	(void)state;
	cert_fingerprint(c, print);
	for (const char *p = print; *p; p++) {
		if (*p != ':')
			bare[n++] = *p >= 'A' ? (char)(*p + 32) : *p;
	}
	bare[n] = '\0';
	assert_true(cert_fingerprint_is(c, print) && cert_fingerprint_is(c, bare));
	bare[10] = bare[10] == '0' ? '1' : '0';
	assert_false(cert_fingerprint_is(c, bare));
	assert_true(cert_fingerprint_ok(bare));
	bare[63] = '\0';
	assert_false(cert_fingerprint_ok(bare) || cert_fingerprint_ok("") ||
		     cert_fingerprint_ok("x"));
	cert_free(c);
	mp_free(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reference_and_a_secret_get_a_certificate),
		cmocka_unit_test(a_certificate_gets_its_successor_and_another_one),
		cmocka_unit_test(a_refusal_is_told_with_the_reason_of_the_ca),
		cmocka_unit_test(a_server_with_another_secret_is_not_believed),
		cmocka_unit_test(a_server_of_another_ca_is_not_believed),
		cmocka_unit_test(a_certificate_that_peers_would_refuse_is_refused),
		cmocka_unit_test(what_the_operator_wrote_wrong_is_told),
		cmocka_unit_test(an_answer_that_is_none_ends_the_attempt),
		cmocka_unit_test(no_changed_octet_goes_unnoticed),
		cmocka_unit_test(what_the_transport_says_is_passed_on),
		cmocka_unit_test(fingerprints_are_compared_however_they_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
