// tests/unit/common/crypto/make_pki.h - a certification authority of one's own, made while the
// test runs: keys, certificates with any extension, CRLs, OCSP answers. Nothing is stored, so
// nothing expires.
#pragma once
#include "tests/unit/unit.h"

#include <time.h>

#include <openssl/bn.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/base/bytes.h"
#include "common/crypto/cert.h"
#include "common/crypto/crypto.h"

#define MP_NOW ((int64_t)1800000000) // the tests' wall clock
#define MP_DAY ((int64_t)86400)

struct mp_node { // a certificate and its key
	EVP_PKEY *key;
	X509 *x;
};

struct mp_ext {
	int nid;
	const char *value; // as in openssl.cnf
};

struct mp_spec {
	const char *cn, *o, *ou;
	const char *key;      // "P-256" (default), "P-384", "P-521", "RSA2048", "RSA1024"
	int64_t from, until;  // relative to MP_NOW; 0, 0: a day either way
	const char *digest;   // default SHA256
	struct mp_ext ext[6]; // nid 0 ends
	long serial;
};

#define MP_CA_EXT                                                                                  \
	{ NID_basic_constraints, "critical,CA:TRUE" },                                             \
	{                                                                                          \
		NID_key_usage, "critical,keyCertSign,cRLSign"                                      \
	}

static inline EVP_PKEY *mp_key(const char *kind)
{
	EVP_PKEY *k;

	if (kind && strncmp(kind, "RSA", 3) == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 3));
	else
		k = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind ? kind : "P-256");
	assert_non_null(k);
	return k;
}

static inline void mp_name(X509_NAME *n, const struct mp_spec *s)
{
	const char *attr[] = { "O", s->o ? s->o : "Example", "OU", s->ou, "CN", s->cn };

	for (size_t i = 0; i < N_ELEMS(attr); i += 2) {
		if (attr[i + 1])
			assert_int_equal(X509_NAME_add_entry_by_txt(
						 n, attr[i], MBSTRING_UTF8,
						 (const unsigned char *)attr[i + 1], -1, -1, 0),
					 1);
	}
}

static inline void mp_ext(X509 *x, X509 *issuer, const struct mp_ext *e)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, e->nid, e->value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

// issuer NULL: self-signed.
static inline struct mp_node mp_issue(const struct mp_node *issuer, const struct mp_spec *s)
{
	struct mp_node n = { mp_key(s->key), X509_new() };
	const struct mp_node *by = issuer ? issuer : &n;
	static long next_serial = 100;
	bool dated = s->from || s->until;

	assert_non_null(n.x);
	X509_set_version(n.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(n.x), s->serial ? s->serial : next_serial++);
	ASN1_TIME_set(X509_getm_notBefore(n.x), (time_t)(MP_NOW + (dated ? s->from : -MP_DAY)));
	ASN1_TIME_set(X509_getm_notAfter(n.x), (time_t)(MP_NOW + (dated ? s->until : MP_DAY)));
	mp_name(X509_get_subject_name(n.x), s);
	X509_set_issuer_name(n.x, X509_get_subject_name(by->x));
	X509_set_pubkey(n.x, n.key);
	for (size_t i = 0; i < N_ELEMS(s->ext) && s->ext[i].nid; i++)
		mp_ext(n.x, by->x, &s->ext[i]);
	assert_true(X509_sign(n.x, by->key,
			      EVP_get_digestbyname(s->digest ? s->digest : "SHA256")) > 0);
	return n;
}

static inline struct mp_node mp_ca(const char *cn)
{
	return mp_issue(NULL, &(struct mp_spec){ .cn = cn, .ext = { MP_CA_EXT } });
}

static inline void mp_free(struct mp_node *n)
{
	EVP_PKEY_free(n->key);
	X509_free(n->x);
	*n = (struct mp_node){ 0 };
}

// DER and PEM, into one static buffer each: used at once.
static inline struct bytes mp_der(X509 *x)
{
	static unsigned char buf[CERT_DER_MAX];
	unsigned char *p = buf;
	int len = i2d_X509(x, &p);

	assert_in_range(len, 1, (int)sizeof(buf));
	return BYTES(buf, (size_t)len);
}

static inline struct bytes mp_pem(X509 *x)
{
	static char buf[2 * CERT_DER_MAX];
	BIO *b = BIO_new(BIO_s_mem());
	int len;

	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	len = BIO_read(b, buf, sizeof(buf));
	BIO_free(b);
	return BYTES(buf, (size_t)len);
}

static inline struct bytes mp_key_pem(EVP_PKEY *key)
{
	static char buf[8192];
	BIO *b = BIO_new(BIO_s_mem());
	int len;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, key, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_read(b, buf, sizeof(buf));
	BIO_free(b);
	return BYTES(buf, (size_t)len);
}

static inline struct cert *mp_cert(X509 *x)
{
	struct cert *c;

	assert_int_equal(cert_decode(mp_der(x), &c), 0);
	return c;
}

// A CRL of ca with one revoked serial (0: none); from and until relative to MP_NOW.
static inline struct bytes mp_crl(const struct mp_node *ca, long revoked, int64_t from,
				  int64_t until, const struct mp_ext *ext)
{
	static unsigned char buf[65536];
	unsigned char *p = buf;
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	int len;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x));
	X509_CRL_set1_lastUpdate(crl, ASN1_TIME_set(t, (time_t)(MP_NOW + from)));
	X509_CRL_set1_nextUpdate(crl, ASN1_TIME_set(t, (time_t)(MP_NOW + until)));
	if (revoked) {
		X509_REVOKED *r = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, revoked);
		X509_REVOKED_set_serialNumber(r, serial);
		X509_REVOKED_set_revocationDate(r, ASN1_TIME_set(t, (time_t)(MP_NOW + from)));
		X509_CRL_add0_revoked(crl, r);
		ASN1_INTEGER_free(serial);
	}
	if (ext) {
		X509V3_CTX ctx;
		X509_EXTENSION *e;

		X509V3_set_ctx(&ctx, ca->x, NULL, NULL, crl, 0);
		e = X509V3_EXT_conf_nid(NULL, &ctx, ext->nid, ext->value);
		assert_non_null(e);
		X509_CRL_add_ext(crl, e, -1);
		X509_EXTENSION_free(e);
	}
	assert_true(X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &p);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
	assert_in_range(len, 1, (int)sizeof(buf));
	return BYTES(buf, (size_t)len);
}

// The answer to an OCSP request, by signer: status is V_OCSP_CERTSTATUS_*.
static inline struct bytes mp_ocsp(struct bytes request, const struct mp_node *signer, int status,
				   int64_t from, int64_t until, bool with_nonce)
{
	static unsigned char buf[65536];
	unsigned char *p = buf;
	const unsigned char *q = request.p;
	OCSP_REQUEST *req = d2i_OCSP_REQUEST(NULL, &q, (long)request.len);
	OCSP_BASICRESP *bs = OCSP_BASICRESP_new();
	OCSP_RESPONSE *resp;
	ASN1_TIME *a = ASN1_TIME_set(NULL, (time_t)(MP_NOW + from));
	ASN1_TIME *b = ASN1_TIME_set(NULL, (time_t)(MP_NOW + until));
	ASN1_TIME *dead = ASN1_TIME_set(NULL, (time_t)(MP_NOW - MP_DAY));
	int len;

	assert_non_null(req);
	assert_int_equal(OCSP_request_onereq_count(req), 1);
	assert_non_null(OCSP_basic_add1_status(
		bs, OCSP_onereq_get0_id(OCSP_request_onereq_get0(req, 0)), status,
		OCSP_REVOKED_STATUS_UNSPECIFIED, dead, a, until ? b : NULL));
	if (with_nonce)
		OCSP_copy_nonce(bs, req);
	assert_int_equal(OCSP_basic_sign(bs, signer->x, signer->key, EVP_sha256(), NULL, 0), 1);
	resp = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, bs);
	len = i2d_OCSP_RESPONSE(resp, &p);
	OCSP_RESPONSE_free(resp);
	OCSP_BASICRESP_free(bs);
	OCSP_REQUEST_free(req);
	ASN1_TIME_free(a);
	ASN1_TIME_free(b);
	ASN1_TIME_free(dead);
	assert_in_range(len, 1, (int)sizeof(buf));
	return BYTES(buf, (size_t)len);
}
