// tests/unit/common/crypto/cmp_ca.h - a CA behind OpenSSL's CMP server object, in this process: it
// issues for the subject and the names that it is asked for. Not a line of the protocol is
// ours.
#pragma once
#include "tests/unit/common/crypto/make_pki.h"

#include <openssl/cmp.h>

#include "common/crypto/cmp.h"

struct cmp_ca {
	struct mp_node root, signer; // signer protects answers to signed requests
	OSSL_CMP_SRV_CTX *srv;
	EVP_PKEY *subject_key; // of whom it issues for: OpenSSL 3.0 does not tell
	X509 *other;	       // issued instead, when set
	unsigned polls;	       // to be asked so often before it decides
	unsigned n_issued, n_messages;
	bool reject;
	// Sees, and may change, every answer before it travels. NULL: none.
	void (*spoil)(uint8_t **b, size_t *len);
	int64_t from, until;
};

static inline X509 *cmp_ca_issue(struct cmp_ca *ca, const OSSL_CRMF_MSG *crm)
{
	const OSSL_CRMF_CERTTEMPLATE *t = OSSL_CRMF_MSG_get0_tmpl(crm);
	X509_EXTENSIONS *exts = OSSL_CRMF_CERTTEMPLATE_get0_extensions(t);
	X509 *x = X509_new();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1000 + (long)++ca->n_issued);
	ASN1_TIME_set(X509_getm_notBefore(x), (time_t)ca->from);
	ASN1_TIME_set(X509_getm_notAfter(x), (time_t)ca->until);
	X509_set_subject_name(x, OSSL_CRMF_CERTTEMPLATE_get0_subject(t));
	X509_set_issuer_name(x, X509_get_subject_name(ca->root.x));
	X509_set_pubkey(x, ca->subject_key);
	for (int i = 0; i < sk_X509_EXTENSION_num(exts); i++)
		X509_add_ext(x, sk_X509_EXTENSION_value(exts, i), -1);
	assert_true(X509_sign(x, ca->root.key, EVP_sha256()) > 0);
	return x;
}

static inline OSSL_CMP_PKISI *cmp_ca_request(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req, int id,
					     const OSSL_CRMF_MSG *crm, const X509_REQ *p10,
					     X509 **cert, STACK_OF(X509) * *chain,
					     STACK_OF(X509) * *pubs)
{
	struct cmp_ca *ca = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);

	(void)req, (void)id, (void)p10, (void)chain, (void)pubs;
	if (ca->reject)
		return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_rejection,
					       1 << OSSL_CMP_PKIFAILUREINFO_badCertTemplate,
					       "not\x01 this one");
	if (ca->polls > 0)
		return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, NULL);
	if (ca->other)
		X509_up_ref(ca->other);
	*cert = ca->other ? ca->other : cmp_ca_issue(ca, crm);
	return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static inline OSSL_CMP_PKISI *cmp_ca_rr(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req,
					const X509_NAME *issuer, const ASN1_INTEGER *serial)
{
	(void)srv, (void)req, (void)issuer, (void)serial;
	return NULL;
}

static inline int cmp_ca_genm(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req,
			      const STACK_OF(OSSL_CMP_ITAV) * in, STACK_OF(OSSL_CMP_ITAV) * *out)
{
	(void)srv, (void)req, (void)in, (void)out;
	return 0;
}

static inline void cmp_ca_error(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req,
				const OSSL_CMP_PKISI *si, const ASN1_INTEGER *code,
				const OSSL_CMP_PKIFREETEXT *text)
{
	(void)srv, (void)req, (void)si, (void)code, (void)text;
}

static inline int cmp_ca_confirm(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req, int id,
				 const ASN1_OCTET_STRING *hash, const OSSL_CMP_PKISI *si)
{
	(void)srv, (void)req, (void)id, (void)hash, (void)si;
	return 1;
}

static inline int cmp_ca_poll(OSSL_CMP_SRV_CTX *srv, const OSSL_CMP_MSG *req, int id,
			      OSSL_CMP_MSG **cert_req, int64_t *check_after)
{
	struct cmp_ca *ca = OSSL_CMP_SRV_CTX_get0_custom_ctx(srv);

	(void)req, (void)id;
	*cert_req = NULL;
	*check_after = ca->polls > 0 && --ca->polls > 0 ? 7 : 0;
	return 1;
}

// How it proves itself from now on: by a secret, or (NULL) by its certificate.
static inline void cmp_ca_prove(struct cmp_ca *ca, const char *secret)
{
	X509_STORE *store = X509_STORE_new();
	OSSL_CMP_CTX *ctx;

	OSSL_CMP_SRV_CTX_free(ca->srv);
	ca->srv = OSSL_CMP_SRV_CTX_new(NULL, NULL);
	assert_non_null(ca->srv);
	assert_int_equal(OSSL_CMP_SRV_CTX_init(ca->srv, ca, cmp_ca_request, cmp_ca_rr, cmp_ca_genm,
					       cmp_ca_error, cmp_ca_confirm, cmp_ca_poll),
			 1);
	ctx = OSSL_CMP_SRV_CTX_get0_cmp_ctx(ca->srv);
	OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_LOG_VERBOSITY, OSSL_CMP_LOG_EMERG);
	X509_STORE_add_cert(store, ca->root.x);
	OSSL_CMP_CTX_set0_trustedStore(ctx, store);
	if (secret) {
		OSSL_CMP_CTX_set1_referenceValue(ctx, (const unsigned char *)"ca", 2);
		OSSL_CMP_CTX_set1_secretValue(ctx, (const unsigned char *)secret,
					      (int)strlen(secret));
	} else {
		OSSL_CMP_CTX_set1_cert(ctx, ca->signer.x);
		OSSL_CMP_CTX_set1_pkey(ctx, ca->signer.key);
	}
}

static inline void cmp_ca_init(struct cmp_ca *ca, const char *secret)
{
	int64_t now = time(NULL);
	int64_t from = now - MP_NOW - 3600, until = from + 9 * MP_DAY;
	struct mp_spec root = { .cn = "root", .from = from, .until = until, .ext = { MP_CA_EXT } };
	struct mp_spec signer = { .cn = "cmp",
				  .from = from,
				  .until = until,
				  .ext = { { NID_key_usage, "critical,digitalSignature" } } };

	*ca = (struct cmp_ca){ .from = now - 60, .until = now + MP_DAY };
	ca->root = mp_issue(NULL, &root);
	ca->signer = mp_issue(&ca->root, &signer);
	cmp_ca_prove(ca, secret);
}

static inline void cmp_ca_fini(struct cmp_ca *ca)
{
	OSSL_CMP_SRV_CTX_free(ca->srv);
	mp_free(&ca->root);
	mp_free(&ca->signer);
	EVP_PKEY_free(ca->subject_key);
}

// A cmp_exchange: arg is the struct cmp_ca.
static inline int cmp_ca_exchange(void *arg, struct bytes message, uint8_t **answer, size_t *len,
				  char *why, size_t why_size)
{
	struct cmp_ca *ca = arg;
	const unsigned char *p = message.p;
	OSSL_CMP_MSG *req = d2i_OSSL_CMP_MSG(NULL, &p, (long)message.len), *rsp;
	unsigned char *out = NULL;

	(void)why, (void)why_size;
	ca->n_messages++;
	assert_non_null(req);
	rsp = OSSL_CMP_SRV_process_request(ca->srv, req);
	assert_non_null(rsp);
	*len = (size_t)i2d_OSSL_CMP_MSG(rsp, &out);
	*answer = malloc(*len + 1); // the callee's promise is malloc
	memcpy(*answer, out, *len);
	OPENSSL_free(out);
	OSSL_CMP_MSG_free(req);
	OSSL_CMP_MSG_free(rsp);
	if (ca->spoil)
		ca->spoil(answer, len);
	return 0;
}
