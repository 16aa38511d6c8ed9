// CRLs (RFC 5280 5, 6.3). OpenSSL judges scope and distribution points; it is shown only CRLs
// whose signature was already verified with the issuer's key.
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/crypto/dn.h"
#include "common/crypto/trust_int.h"

#define CLOCK_SKEW_S 300

static X509_CRL *crl_decode(struct bytes b)
{
	const unsigned char *p = b.p;
	X509_CRL *crl = NULL;
	BIO *bio;

	if (b.len == 0 || b.len > TRUST_CRL_MAX)
		return NULL;
	if (b.p[0] == 0x30) // DER
		return d2i_X509_CRL(NULL, &p, (long)b.len);
	bio = BIO_new_mem_buf(b.p, (int)b.len);
	if (bio)
		crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return crl;
}

static bool signed_by(X509_CRL *crl, X509 *ca)
{
	return X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
	       (!(X509_get_extension_flags(ca) & EXFLAG_KUSAGE) ||
		(X509_get_key_usage(ca) & KU_CRL_SIGN)) &&
	       X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1;
}

static int64_t this_update(const X509_CRL *crl)
{
	int64_t t;

	return cert_time_to_unix(X509_CRL_get0_lastUpdate(crl), &t) ? t : INT64_MAX;
}

static int64_t next_update(const X509_CRL *crl)
{
	int64_t t;

	return cert_time_to_unix(X509_CRL_get0_nextUpdate(crl), &t) ? t : 0;
}

// Two CRLs of one CA for the same distribution point: the newer counts.
static bool same_scope(X509_CRL *a, X509_CRL *b)
{
	ASN1_OCTET_STRING *ia, *ib;
	int la = X509_CRL_get_ext_by_NID(a, NID_issuing_distribution_point, -1);
	int lb = X509_CRL_get_ext_by_NID(b, NID_issuing_distribution_point, -1);

	if (X509_NAME_cmp(X509_CRL_get_issuer(a), X509_CRL_get_issuer(b)) != 0)
		return false;
	if (la < 0 || lb < 0)
		return la < 0 && lb < 0;
	ia = X509_EXTENSION_get_data(X509_CRL_get_ext(a, la));
	ib = X509_EXTENSION_get_data(X509_CRL_get_ext(b, lb));
	return ASN1_OCTET_STRING_cmp(ia, ib) == 0;
}

// Takes crl. An older one than the one we have is let go, so nobody undoes a revocation by
// showing yesterday's list.
static int keep(struct trust *t, X509_CRL *crl)
{
	size_t at = 0, oldest = 0;
	int err = 0;

	pthread_mutex_lock(&t->lock);
	for (; at < t->n_crl && !same_scope(t->crl[at], crl); at++) {
		if (next_update(t->crl[at]) < next_update(t->crl[oldest]))
			oldest = at;
	}
	if (at < t->n_crl && this_update(crl) < this_update(t->crl[at])) {
		X509_CRL_free(crl);
		err = -ESTALE;
	} else {
		if (at == TRUST_MAX_CRL)
			at = oldest;
		if (at == t->n_crl)
			t->n_crl++;
		else
			X509_CRL_free(t->crl[at]);
		t->crl[at] = crl;
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}

static bool signed_by_any(X509_CRL *crl, STACK_OF(X509) * cas)
{
	for (int i = 0; i < sk_X509_num(cas); i++) {
		if (signed_by(crl, sk_X509_value(cas, i)))
			return true;
	}
	return false;
}

int trust_add_crl(struct trust *t, struct bytes b)
{
	X509_CRL *crl = crl_decode(b);
	int err = -EBADMSG;

	if (crl && (signed_by_any(crl, t->ca) || signed_by_any(crl, t->known)))
		err = keep(t, crl);
	else
		X509_CRL_free(crl);
	ERR_clear_error();
	return err;
}

enum cert_reason trust_crl_answer(struct trust *t, int64_t now, const struct trust_need *need,
				  struct bytes body)
{
	X509_CRL *crl = crl_decode(body);
	enum cert_reason why = CERT_R_OK;

	if (!crl || !signed_by(crl, need->own->issuer) || this_update(crl) > now + CLOCK_SKEW_S)
		why = CERT_R_CRL_BAD;
	else if (next_update(crl) <= now)
		why = CERT_R_CRL_EXPIRED;
	if (why != CERT_R_OK) {
		X509_CRL_free(crl);
		return why;
	}
	return keep(t, crl) ? CERT_R_CRL_BAD : CERT_R_OK;
}

static STACK_OF(X509_CRL) * crls_of(struct trust *t, const X509_NAME *issuer)
{
	STACK_OF(X509_CRL) *found = sk_X509_CRL_new_null();

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; found && i < t->n_crl; i++) {
		if (X509_NAME_cmp(X509_CRL_get_issuer(t->crl[i]), issuer) == 0 &&
		    sk_X509_CRL_push(found, t->crl[i]))
			X509_CRL_up_ref(t->crl[i]);
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static enum cert_reason judge(struct trust *t, int64_t now, const struct trust_path *p, X509 *cert)
{
	STACK_OF(X509_CRL) *crls = crls_of(t, X509_get_issuer_name(cert));
	X509_STORE_CTX *ctx = NULL;
	enum cert_reason why = CERT_R_STATUS_UNAVAILABLE;

	if (crls && sk_X509_CRL_num(crls) > 0) {
		ctx = trust_ctx(t, now, cert, p->chain);
		why = CERT_R_NO_MEMORY;
	}
	if (ctx) {
		X509_STORE_CTX_set0_crls(ctx, crls);
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_CRL_CHECK);
		(void)X509_verify_cert(ctx);
		why = trust_reason_of(X509_STORE_CTX_get_error(ctx));
	}
	X509_STORE_CTX_free(ctx);
	sk_X509_CRL_pop_free(crls, X509_CRL_free);
	return why;
}

// The next address of this certificate that was not asked just now. *why: how the last one went.
static bool url_of(struct trust *t, int64_t now, struct bytes url, X509 *cert,
		   uint8_t key[TRUST_KEY_LEN], enum cert_reason *why)
{
	const unsigned char *p = NULL;
	size_t len = 0;
	char what[TRUST_URL_MAX + 4];

	if (!trust_url_ok(url))
		return false;
	X509_NAME_get0_der(X509_get_issuer_name(cert), &p, &len);
	snprintf(what, sizeof(what), "crl%.*s", (int)url.len, (const char *)url.p);
	trust_key(what, BYTES(p, len), key);
	return !trust_asked(t, now, key, why);
}

static struct trust_need *need_if(struct trust *t, int64_t now, struct bytes url, X509 *cert,
				  X509 *issuer, enum cert_reason *why)
{
	uint8_t key[TRUST_KEY_LEN];
	char text[TRUST_URL_MAX];

	if (!url_of(t, now, url, cert, key, why))
		return NULL;
	snprintf(text, sizeof(text), "%.*s", (int)url.len, (const char *)url.p);
	return trust_need_new(TRUST_CRL, text, key, cert, issuer);
}

// The configured address, then those of the certificate.
static struct trust_need *need_for(struct trust *t, int64_t now, X509 *cert, X509 *issuer,
				   enum cert_reason *why)
{
	struct bytes conf = BYTES(t->conf.crl_url, strlen(t->conf.crl_url));
	struct trust_need *need = need_if(t, now, conf, cert, issuer, why);
	CRL_DIST_POINTS *dps = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);

	for (int i = 0; i < sk_DIST_POINT_num(dps) && !need; i++) {
		DIST_POINT_NAME *dpn = sk_DIST_POINT_value(dps, i)->distpoint;
		int n = dpn && dpn->type == 0 ? sk_GENERAL_NAME_num(dpn->name.fullname) : 0;

		for (int j = 0; j < n && !need; j++) {
			GENERAL_NAME *gn = sk_GENERAL_NAME_value(dpn->name.fullname, j);

			if (gn->type == GEN_URI)
				need = need_if(
					t, now,
					BYTES(gn->d.uniformResourceIdentifier->data,
					      (size_t)gn->d.uniformResourceIdentifier->length),
					cert, issuer, why);
		}
	}
	CRL_DIST_POINTS_free(dps);
	return need;
}

enum cert_reason trust_crl_status(struct trust *t, int64_t now, const struct trust_path *p, int i,
				  struct trust_need **need)
{
	X509 *cert = sk_X509_value(p->chain, i), *issuer = sk_X509_value(p->chain, i + 1);
	enum cert_reason why = judge(t, now, p, cert), asked = CERT_R_OK;

	if (why == CERT_R_OK || why == CERT_R_REVOKED)
		return why;
	*need = need_for(t, now, cert, issuer, &asked);
	if (*need)
		return CERT_R_STATUS_WANTED;
	return asked != CERT_R_OK ? asked : why;
}

size_t trust_crls(struct trust *t, struct trust_crl_info *out, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	for (; n < t->n_crl && n < max; n++) {
		const unsigned char *p = NULL;
		size_t len = 0;
		char text[DN_STRLEN];

		X509_NAME_get0_der(X509_CRL_get_issuer(t->crl[n]), &p, &len);
		snprintf(out[n].issuer, sizeof(out[n].issuer), "%s", dn_text(BYTES(p, len), text));
		out[n].this_update = this_update(t->crl[n]);
		out[n].next_update = next_update(t->crl[n]);
		out[n].n_revoked =
			(size_t)MAX_OF(0, sk_X509_REVOKED_num(X509_CRL_get_REVOKED(t->crl[n])));
	}
	pthread_mutex_unlock(&t->lock);
	return n;
}
