#include "tests/unit/common/crypto/make_pki.h"

#include "common/crypto/dn.h"
#include "common/crypto/pkcs12.h"
#include "common/crypto/signer.h"

static struct mp_node gm_node(void)
{
	return mp_issue(
		NULL,
		&(struct mp_spec){ .cn = "gm1",
				   .ou = "branch",
				   .ext = { { NID_subject_alt_name,
					      "DNS:gm1.example.net,IP:192.0.2.1,IP:2001:db8::1,"
					      "email:Ops@Example.net,DNS:*.wild.example.net" } } });
}

static bool has(const struct cert *c, uint8_t type, const char *text)
{
	return cert_has_id(c, type, BYTES(text, strlen(text)));
}

static void identities_match_the_field_of_their_type_only(void **state)
{
	struct mp_node n = gm_node();
	struct cert *c = mp_cert(n.x);
	const uint8_t v4[] = { 192, 0, 2, 1 }, other[] = { 192, 0, 2, 2 };
	uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	(void)state;
	assert_true(has(c, CERT_ID_FQDN, "gm1.example.net"));
	assert_true(has(c, CERT_ID_FQDN, "GM1.Example.NET"));
	assert_false(has(c, CERT_ID_FQDN, "gm1.example.ne"));
	assert_false(has(c, CERT_ID_FQDN, "gm1"));
	assert_true(cert_has_id(c, CERT_ID_IPV4, BYTES_OF(v4)));
	assert_false(cert_has_id(c, CERT_ID_IPV4, BYTES_OF(other)));
	assert_true(cert_has_id(c, CERT_ID_IPV6, BYTES_OF(v6)));
	assert_false(cert_has_id(c, CERT_ID_IPV6, BYTES_OF(v4)));
	assert_true(has(c, CERT_ID_USER_FQDN, "Ops@EXAMPLE.net"));
	assert_false(has(c, CERT_ID_USER_FQDN, "ops@example.net"));
	assert_false(has(c, CERT_ID_USER_FQDN, "gm1.example.net"));
	assert_true(cert_has_id(c, CERT_ID_DN, cert_subject(c)));
	assert_false(cert_has_id(c, 11, BYTES_OF(v4)));
	cert_free(c);
	mp_free(&n);
}

static void wildcards_in_a_certificate_name_nobody(void **state)
{
	struct mp_node n = gm_node();
	struct cert *c = mp_cert(n.x);

	(void)state;
	assert_false(has(c, CERT_ID_FQDN, "a.wild.example.net"));
	assert_false(has(c, CERT_ID_FQDN, "*.wild.example.net"));
	cert_free(c);
	mp_free(&n);
}

static void an_empty_subject_is_no_identity(void **state)
{
	struct mp_node ca = mp_ca("ca"), n = mp_issue(&ca, &(struct mp_spec){ .cn = "x" });
	struct cert *c;
	X509_NAME *empty = X509_NAME_new();
	uint8_t id[CERT_DER_MAX];
	size_t len;

	(void)state;
	X509_set_subject_name(n.x, empty);
	assert_true(X509_sign(n.x, ca.key, EVP_sha256()) > 0);
	c = mp_cert(n.x);
	assert_false(cert_has_id(c, CERT_ID_DN, cert_subject(c)));
	assert_int_equal(cert_id(c, CERT_ID_DN, id, sizeof(id), &len), -ENOENT);
	X509_NAME_free(empty);
	cert_free(c);
	mp_free(&n);
	mp_free(&ca);
}

static void own_identity_is_read_from_the_certificate(void **state)
{
	struct mp_node n = gm_node();
	struct cert *c = mp_cert(n.x);
	uint8_t id[64];
	size_t len;

	(void)state;
	assert_int_equal(cert_id(c, CERT_ID_FQDN, id, sizeof(id), &len), 0);
	assert_int_equal(len, strlen("gm1.example.net"));
	assert_memory_equal(id, "gm1.example.net", len);
	assert_int_equal(cert_id(c, CERT_ID_IPV4, id, 3, &len), -EMSGSIZE);
	cert_free(c);
	mp_free(&n);
}

static void key_usage_follows_rfc4945(void **state)
{
	static const struct {
		struct mp_ext ext;
		enum cert_reason want;
	} rows[] = {
		{ { 0, NULL }, CERT_R_OK },
		{ { NID_key_usage, "critical,digitalSignature" }, CERT_R_OK },
		{ { NID_key_usage, "critical,nonRepudiation" }, CERT_R_OK },
		{ { NID_key_usage, "critical,keyEncipherment" }, CERT_R_KEY_USAGE },
		{ { NID_ext_key_usage, "1.3.6.1.5.5.7.3.17" }, CERT_R_OK },
		{ { NID_ext_key_usage, "anyExtendedKeyUsage" }, CERT_R_OK },
		{ { NID_ext_key_usage, "serverAuth,clientAuth" }, CERT_R_EXT_KEY_USAGE },
		{ { NID_ext_key_usage, "serverAuth,1.3.6.1.5.5.7.3.17" }, CERT_R_OK },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct mp_node n =
			mp_issue(NULL, &(struct mp_spec){ .cn = "x", .ext = { rows[i].ext } });
		struct cert *c = mp_cert(n.x);

		assert_int_equal(cert_usage(c), rows[i].want);
		cert_free(c);
		mp_free(&n);
	}
}

static void truncated_and_extended_certificates_are_refused(void **state)
{
	struct mp_node n = gm_node();
	struct bytes der = mp_der(n.x);
	uint8_t buf[CERT_DER_MAX];
	struct cert *c;

	(void)state;
	memcpy(buf, der.p, der.len);
	buf[der.len] = 0;
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(cert_decode(BYTES(buf, len), &c), -EBADMSG);
	assert_int_equal(cert_decode(BYTES(buf, der.len + 1), &c), -EBADMSG);
	assert_int_equal(cert_decode(BYTES(buf, CERT_DER_MAX + 1), &c), -EMSGSIZE);
	mp_free(&n);
}

static void pem_files_are_read_whole_or_not_at_all(void **state)
{
	struct mp_node n = gm_node();
	struct bytes pem = mp_pem(n.x);
	char two[2 * CERT_DER_MAX];
	struct cert *c[2];
	size_t len;

	(void)state;
	snprintf(two, sizeof(two), "text before\n%.*s%.*s", (int)pem.len, (const char *)pem.p,
		 (int)pem.len, (const char *)pem.p);
	assert_int_equal(cert_from_pem(BYTES(two, strlen(two)), c, 2, &len), 0);
	assert_int_equal(len, 2);
	cert_free(c[0]);
	cert_free(c[1]);
	assert_int_equal(cert_from_pem(BYTES(two, strlen(two)), c, 1, &len), -ENOSPC);
	two[strlen(two) - 80] = '!'; // in the second block
	assert_int_equal(cert_from_pem(BYTES(two, strlen(two)), c, 2, &len), -EBADMSG);
	assert_int_equal(cert_from_pem(BYTES_LIT("nothing here"), c, 2, &len), -ENOENT);
	mp_free(&n);
}

static void dn_text_and_der_are_each_others_inverse(void **state)
{
	uint8_t der[DN_MAX];
	size_t len;
	char text[DN_STRLEN];

	(void)state;
	assert_int_equal(
		dn_parse("CN=gm1, ou = branch office ,O=Ex\\,ample,c=DE", der, sizeof(der), &len),
		0);
	assert_string_equal(dn_text(BYTES(der, len), text),
			    "CN=gm1,OU=branch office,O=Ex\\,ample,C=DE");
	assert_int_equal(dn_parse("", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("gm1", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("xx=gm1", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("CN=", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("CN=a,", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("C=DEU", der, sizeof(der), &len), -EINVAL);
	assert_int_equal(dn_parse("CN=gm1", der, 4, &len), -EMSGSIZE);
	assert_string_equal(dn_text(BYTES_LIT("\x30\x05garbage"), text), "?");
}

static size_t fold_of(const char *o, const char *cn, int type, uint8_t out[DN_FOLD_MAX])
{
	X509_NAME *n = X509_NAME_new();
	unsigned char *der = NULL;
	size_t len;
	int der_len;

	X509_NAME_add_entry_by_NID(n, NID_organizationName, type, (const uint8_t *)o, -1, -1, 0);
	X509_NAME_add_entry_by_NID(n, NID_commonName, type, (const uint8_t *)cn, -1, -1, 0);
	der_len = i2d_X509_NAME(n, &der);
	assert_true(der_len > 0);
	len = dn_fold(BYTES(der, (size_t)der_len), out);
	OPENSSL_free(der);
	X509_NAME_free(n);
	return len;
}

static void one_name_has_one_form_however_it_is_spelled(void **state)
{
	uint8_t a[DN_FOLD_MAX], b[DN_FOLD_MAX];
	size_t n = fold_of("Example Corp", "gm1", V_ASN1_PRINTABLESTRING, a);

	(void)state;
	assert_true(n > 0);
	assert_int_equal(fold_of("Example Corp", "gm1", V_ASN1_UTF8STRING, b), n);
	assert_memory_equal(a, b, n);
	assert_int_equal(fold_of(" EXAMPLE  corp ", "GM1", V_ASN1_UTF8STRING, b), n);
	assert_memory_equal(a, b, n);
	assert_int_equal(fold_of("Example Corp", "gm2", V_ASN1_UTF8STRING, b), n);
	assert_memory_not_equal(a, b, n);
	assert_int_not_equal(fold_of("ExampleCorp", "gm1", V_ASN1_UTF8STRING, b), n);
	assert_int_equal(dn_fold(BYTES_LIT("\x30\x05garbage"), a), 0);
	assert_int_equal(dn_fold(BYTES(NULL, 0), a), 0);
}

static void patterns_match_what_they_say(void **state)
{
	static const struct {
		const char *pattern;
		uint8_t type;
		const char *id;
		bool want;
	} rows[] = {
		{ "192.0.2.0/24", CERT_ID_IPV4, "\xc0\x00\x02\x07", true },
		{ "192.0.2.0/24", CERT_ID_IPV4, "\xc0\x01\x03\x07", false },
		{ "192.0.2.0/24", CERT_ID_FQDN, "192.0.2.7", false },
		{ "gm1.example.net", CERT_ID_FQDN, "GM1.example.net", true },
		{ "gm1.example.net", CERT_ID_FQDN, "gm10.example.net", false },
		{ "*.example.net", CERT_ID_FQDN, "gm1.example.net", true },
		{ "*.example.net", CERT_ID_FQDN, "a.b.example.net", true },
		{ "*.example.net", CERT_ID_FQDN, "example.net", false },
		{ "*.example.net", CERT_ID_FQDN, ".example.net", false },
		{ "*.example.net", CERT_ID_FQDN, "gm1.notexample.net", false },
		{ "*.example.net", CERT_ID_USER_FQDN, "gm1.example.net", false },
		{ "*@example.net", CERT_ID_USER_FQDN, "ops@example.net", true },
		{ "*@example.net", CERT_ID_USER_FQDN, "@example.net", false },
		{ "ops@example.net", CERT_ID_USER_FQDN, "Ops@example.net", false },
		{ "ops@example.net", CERT_ID_USER_FQDN, "ops@Example.net", true },
	};
	struct id_pattern p;
	const char *why;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		size_t len = rows[i].type == CERT_ID_IPV4 ? 4 : strlen(rows[i].id);

		assert_int_equal(id_pattern_parse(rows[i].pattern, &p, &why), 0);
		if (id_pattern_match(&p, rows[i].type, BYTES(rows[i].id, len)) != rows[i].want)
			fail_msg("%s against %s", rows[i].pattern, rows[i].id);
	}
}

static void dn_patterns_ask_for_any_combination_of_attributes(void **state)
{
	static const struct {
		const char *pattern;
		bool want;
	} rows[] = {
		{ "ou=branch", true },
		{ "OU=Branch, O=example", true },
		{ "o=Example,ou=branch", true },
		{ "ou=bran", false },
		{ "ou=bran*", true },
		{ "ou=branch*", false },
		{ "cn=gm*,ou=branch", true },
		{ "cn=gm*,ou=hq", false },
		{ "c=DE", false },
	};
	struct mp_node n = gm_node();
	struct cert *c = mp_cert(n.x);
	struct id_pattern p;
	const char *why;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		assert_int_equal(id_pattern_parse(rows[i].pattern, &p, &why), 0);
		if (id_pattern_match(&p, CERT_ID_DN, cert_subject(c)) != rows[i].want)
			fail_msg("%s", rows[i].pattern);
		assert_false(id_pattern_match(&p, CERT_ID_DN, BYTES_LIT("\x30\x03garbage")));
	}
	cert_free(c);
	mp_free(&n);
}

static void patterns_that_say_nothing_are_refused(void **state)
{
	static const char *const bad[] = {
		"",	    "*",    "ou=",	 "foo=bar", "a@*.b",   "@host",	      "a*@host",
		"exa mple", "a..b", "ou=a,,o=b", "*.",	    "a.*.net", "192.0.2.1/33"
	};
	struct id_pattern p;
	const char *why;

	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		if (id_pattern_parse(bad[i], &p, &why) != -EINVAL)
			fail_msg("%s", bad[i]);
		assert_non_null(why);
	}
}

static void pkcs12_carries_key_and_chain_there_and_back(void **state)
{
	struct mp_node ca = mp_ca("ca"), n = mp_issue(&ca, &(struct mp_spec){ .cn = "gm1" });
	struct bytes key = mp_key_pem(n.key), own = mp_pem(n.x);
	char certs[4 * CERT_DER_MAX];
	struct pki_bundle a, b;
	struct signer s;
	uint8_t *der;
	size_t len, at;

	(void)state;
	at = (size_t)snprintf(certs, sizeof(certs), "%.*s", (int)own.len, (const char *)own.p);
	own = mp_pem(ca.x); // the CA first: order must not matter
	memmove(certs + own.len, certs, at);
	memcpy(certs, own.p, own.len);
	assert_int_equal(pki_from_pem(key, NULL, BYTES(certs, own.len + at), &a), 0);
	assert_int_equal(a.n_chain, 1);
	assert_int_equal(pki_to_pkcs12(&a, "gm1", "correct horse", &der, &len), 0);
	assert_int_equal(pki_from_pkcs12(BYTES(der, len), "wrong", &b), -EACCES);
	assert_int_equal(pki_from_pkcs12(BYTES(der, len / 2), "correct horse", &b), -EBADMSG);
	assert_int_equal(pki_from_pkcs12(BYTES(der, len), "correct horse", &b), 0);
	assert_true(bytes_eq(cert_der(a.own), cert_der(b.own)));
	assert_int_equal(b.n_chain, 1);
	assert_true(bytes_eq(cert_der(a.chain[0]), cert_der(b.chain[0])));
	signer_init(&s);
	assert_int_equal(signer_add_pem(&s, "ID", BYTES(b.key_pem, b.key_len)), 0);
	assert_int_equal(signer_alg(&s, "ID", NULL), SIGN_ECDSA_P256);
	signer_fini(&s);
	free(der);
	pki_bundle_fini(&a);
	pki_bundle_fini(&b);
	mp_free(&n);
	mp_free(&ca);
}

static void a_certificate_of_another_key_is_noticed(void **state)
{
	struct mp_node a = mp_ca("a"), b = mp_ca("b");
	struct pki_bundle out;

	(void)state;
	assert_int_equal(pki_from_pem(mp_key_pem(a.key), NULL, mp_pem(b.x), &out), -EKEYREJECTED);
	assert_int_equal(pki_from_pem(mp_pem(a.x), NULL, mp_pem(a.x), &out), -ENOENT);
	mp_free(&a);
	mp_free(&b);
}

static void an_encrypted_key_wants_its_passphrase(void **state)
{
	struct mp_node a = mp_ca("a");
	BIO *bio = BIO_new(BIO_s_mem());
	char pem[4096], pass[] = "secret";
	struct pki_bundle out;
	int len;

	(void)state;
	assert_int_equal(
		PEM_write_bio_PKCS8PrivateKey(bio, a.key, EVP_aes_256_cbc(), pass, 6, NULL, NULL),
		1);
	len = BIO_read(bio, pem, sizeof(pem));
	BIO_free(bio);
	assert_int_equal(pki_from_pem(BYTES(pem, (size_t)len), NULL, mp_pem(a.x), &out), -EACCES);
	assert_int_equal(pki_from_pem(BYTES(pem, (size_t)len), "no", mp_pem(a.x), &out), -EACCES);
	assert_int_equal(pki_from_pem(BYTES(pem, (size_t)len), pass, mp_pem(a.x), &out), 0);
	pki_bundle_fini(&out);
	mp_free(&a);
}

static int setup(void **state)
{
	(void)state;
	return crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identities_match_the_field_of_their_type_only),
		cmocka_unit_test(wildcards_in_a_certificate_name_nobody),
		cmocka_unit_test(an_empty_subject_is_no_identity),
		cmocka_unit_test(own_identity_is_read_from_the_certificate),
		cmocka_unit_test(key_usage_follows_rfc4945),
		cmocka_unit_test(truncated_and_extended_certificates_are_refused),
		cmocka_unit_test(pem_files_are_read_whole_or_not_at_all),
		cmocka_unit_test(dn_text_and_der_are_each_others_inverse),
		cmocka_unit_test(one_name_has_one_form_however_it_is_spelled),
		cmocka_unit_test(patterns_match_what_they_say),
		cmocka_unit_test(dn_patterns_ask_for_any_combination_of_attributes),
		cmocka_unit_test(patterns_that_say_nothing_are_refused),
		cmocka_unit_test(pkcs12_carries_key_and_chain_there_and_back),
		cmocka_unit_test(a_certificate_of_another_key_is_noticed),
		cmocka_unit_test(an_encrypted_key_wants_its_passphrase),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
