#include "tests/perf/crowd_pki.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/perf/bare.h"

#define PEM_MAX 16384

struct crowd_pki {
	X509 *ca;
	EVP_PKEY *ca_key, *key;
	char *ca_pem, *key_pem;
};

static char *slurp(const char *dir, const char *name)
{
	char path[512], *b = calloc(1, PEM_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f || !b || fread(b, 1, PEM_MAX - 1, f) == 0) {
		free(b);
		b = NULL;
	}
	if (f)
		fclose(f);
	return b;
}

static EVP_PKEY *key_of(const char *pem)
{
	BIO *bio = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return key;
}

static X509 *cert_of(const char *pem)
{
	BIO *bio = pem ? BIO_new_mem_buf(pem, -1) : NULL;
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	return x;
}

struct crowd_pki *crowd_pki_open(const char *dir)
{
	struct crowd_pki *p = calloc(1, sizeof(*p));
	char *ca_key = slurp(dir, "ca.key");

	BUG_ON(!p);
	p->ca_pem = slurp(dir, "ca.pem");
	p->key_pem = slurp(dir, "member.key");
	p->ca = cert_of(p->ca_pem);
	p->ca_key = key_of(ca_key);
	p->key = key_of(p->key_pem);
	free(ca_key);
	if (p->ca && p->ca_key && p->key)
		return p;
	crowd_pki_close(p);
	return NULL;
}

void crowd_pki_close(struct crowd_pki *p)
{
	if (!p)
		return;
	X509_free(p->ca);
	EVP_PKEY_free(p->ca_key);
	EVP_PKEY_free(p->key);
	free(p->ca_pem);
	free(p->key_pem);
	free(p);
}

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	BUG_ON(!e || X509_add_ext(x, e, -1) != 1);
	X509_EXTENSION_free(e);
}

static X509 *issue(const struct crowd_pki *p, unsigned i)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	char cn[32], san[64];

	BUG_ON(!x || !name);
	snprintf(cn, sizeof(cn), "m%u", i);
	snprintf(san, sizeof(san), "DNS:m%u.crowd.example.net", i);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1000 + (long)i);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Example", -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
	X509_set_subject_name(x, name);
	X509_set_issuer_name(x, X509_get_subject_name(p->ca));
	X509_set_pubkey(x, p->key);
	extend(x, p->ca, NID_subject_alt_name, san);
	extend(x, p->ca, NID_key_usage, "critical,digitalSignature");
	extend(x, p->ca, NID_authority_key_identifier, "keyid");
	BUG_ON(X509_sign(x, p->ca_key, EVP_sha256()) == 0);
	X509_NAME_free(name);
	return x;
}

static struct cert *issue_cert(const struct crowd_pki *p, unsigned i)
{
	X509 *x = issue(p, i);
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);
	struct cert *c;

	BUG_ON(len <= 0 || cert_decode(BYTES(der, (size_t)len), &c) != 0);
	OPENSSL_free(der);
	X509_free(x);
	return c;
}

struct ike_pki *crowd_pki_member(const struct crowd_pki *p, unsigned i)
{
	static const struct trust_conf no_revocation = { 0 };
	struct ike_trustpoint *tp;
	struct ike_pki *pki;
	enum cert_reason why;
	size_t len;

	BUG_ON(ike_pki_new(&pki));
	tp = &pki->tp[pki->n++];
	snprintf(tp->name, sizeof(tp->name), "CROWD");
	snprintf(tp->label, sizeof(tp->label), "CROWD");
	BUG_ON(trust_new(&no_revocation, &tp->trust) ||
	       trust_add_ca(tp->trust, BYTES(p->ca_pem, strlen(p->ca_pem)), &why) ||
	       signer_add_pem(&pki->signer, tp->label, BYTES(p->key_pem, strlen(p->key_pem))));
	tp->signer = &pki->signer;
	tp->alg = signer_alg(&pki->signer, tp->label, NULL);
	tp->own[tp->n_own++] = issue_cert(p, i);
	tp->id_type = CERT_ID_FQDN;
	BUG_ON(cert_id(tp->own[0], tp->id_type, tp->id, sizeof(tp->id), &len));
	tp->id_len = (uint16_t)len;
	return pki;
}

double crowd_pki_path(const struct crowd_pki *p)
{
	struct cert *c = issue_cert(p, 0);
	double cost = bare_path(p->ca, cert_der(c));

	cert_free(c);
	return cost;
}
