// OCSP (RFC 6960): one question per certificate, asked with a nonce; the answer is believed from
// the CA itself or from a responder that the CA certified for it.
#include <openssl/err.h>

#include "common/crypto/trust_int.h"

#define CLOCK_SKEW_S 300
#define KEEP_MAX_S   3600 // a good status is believed no longer, whatever the responder says

static OCSP_CERTID *id_of(X509 *cert, X509 *issuer)
{
	// SHA-1 only names the issuer here; many responders know no other.
	return OCSP_cert_to_id(EVP_sha1(), cert, issuer);
}

static bool id_key(X509 *cert, X509 *issuer, uint8_t key[TRUST_KEY_LEN])
{
	OCSP_CERTID *id = id_of(cert, issuer);
	unsigned char *der = NULL;
	int len = id ? i2d_OCSP_CERTID(id, &der) : 0;

	if (len > 0)
		trust_key("ocsp", BYTES(der, (size_t)len), key);
	OPENSSL_free(der);
	OCSP_CERTID_free(id);
	return len > 0;
}

static bool known(struct trust *t, int64_t now, const uint8_t key[TRUST_KEY_LEN],
		  enum cert_reason *status)
{
	bool found = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < TRUST_MAX_OCSP && !found; i++) {
		if (t->ocsp[i].until > now && memcmp(t->ocsp[i].key, key, TRUST_KEY_LEN) == 0) {
			*status = t->ocsp[i].status;
			found = true;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return found;
}

static void keep(struct trust *t, const uint8_t key[TRUST_KEY_LEN], int64_t until,
		 enum cert_reason status)
{
	size_t at = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < TRUST_MAX_OCSP; i++) {
		if (memcmp(t->ocsp[i].key, key, TRUST_KEY_LEN) == 0) {
			at = i;
			break;
		}
		if (t->ocsp[i].until < t->ocsp[at].until)
			at = i;
	}
	memcpy(t->ocsp[at].key, key, TRUST_KEY_LEN);
	t->ocsp[at].until = until;
	t->ocsp[at].status = status;
	pthread_mutex_unlock(&t->lock);
}

// ---- asking ----

static bool request_build(struct trust_need *n)
{
	OCSP_CERTID *id = id_of(n->own->cert, n->own->issuer);
	int len;

	n->own->req = OCSP_REQUEST_new();
	if (!id || !n->own->req || !OCSP_request_add0_id(n->own->req, id)) {
		OCSP_CERTID_free(id);
		return false;
	}
	if (OCSP_request_add1_nonce(n->own->req, NULL, -1) != 1)
		return false;
	len = i2d_OCSP_REQUEST(n->own->req, &n->own->der);
	n->body = n->own->der;
	n->body_len = len > 0 ? (size_t)len : 0;
	return len > 0;
}

static struct trust_need *need_if(struct trust *t, int64_t now, const char *url, X509 *cert,
				  X509 *issuer, enum cert_reason *why)
{
	uint8_t key[TRUST_KEY_LEN], id[TRUST_KEY_LEN];
	struct trust_need *n;

	if (!trust_url_ok(BYTES(url, strlen(url))) || !id_key(cert, issuer, id))
		return NULL;
	trust_key(url, BYTES(id, sizeof(id)), key);
	if (trust_asked(t, now, key, why))
		return NULL;
	n = trust_need_new(TRUST_OCSP, url, key, cert, issuer);
	if (n && !request_build(n)) {
		trust_need_free(n);
		n = NULL;
	}
	return n;
}

static struct trust_need *need_for(struct trust *t, int64_t now, X509 *cert, X509 *issuer,
				   enum cert_reason *why)
{
	struct trust_need *need = need_if(t, now, t->conf.ocsp_url, cert, issuer, why);
	STACK_OF(OPENSSL_STRING) *urls = X509_get1_ocsp(cert);

	for (int i = 0; i < sk_OPENSSL_STRING_num(urls) && !need; i++)
		need = need_if(t, now, sk_OPENSSL_STRING_value(urls, i), cert, issuer, why);
	X509_email_free(urls);
	return need;
}

enum cert_reason trust_ocsp_status(struct trust *t, int64_t now, const struct trust_path *p, int i,
				   struct trust_need **need)
{
	X509 *cert = sk_X509_value(p->chain, i), *issuer = sk_X509_value(p->chain, i + 1);
	enum cert_reason why = CERT_R_STATUS_UNAVAILABLE;
	uint8_t key[TRUST_KEY_LEN];

	if (!id_key(cert, issuer, key))
		return CERT_R_NO_MEMORY;
	if (known(t, now, key, &why))
		return why;
	*need = need_for(t, now, cert, issuer, &why);
	return *need ? CERT_R_STATUS_WANTED : why == CERT_R_OK ? CERT_R_STATUS_UNAVAILABLE : why;
}

// ---- the answer ----

// Trusted: the issuer alone, which the path made sure of. So the signer is the issuer or somebody
// it certified, and OCSP_basic_verify asks the latter for its extended key usage.
static bool answer_authentic(OCSP_BASICRESP *bs, int64_t now, X509 *issuer)
{
	X509_STORE *store = X509_STORE_new();
	STACK_OF(X509) *certs = sk_X509_new_null();
	bool ok =
		store && certs && X509_STORE_add_cert(store, issuer) && sk_X509_push(certs, issuer);

	if (ok) {
		X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

		X509_VERIFY_PARAM_set_time(param, (time_t)now);
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		ok = OCSP_basic_verify(bs, certs, store, 0) == 1;
	}
	sk_X509_free(certs);
	X509_STORE_free(store);
	return ok;
}

static enum cert_reason status_in(OCSP_BASICRESP *bs, const struct trust_need *need, int64_t now,
				  int64_t *until)
{
	OCSP_CERTID *id = id_of(need->own->cert, need->own->issuer);
	ASN1_GENERALIZEDTIME *this_upd = NULL, *next_upd = NULL;
	int status = -1, why = -1;
	int64_t this_t, next_t = now + KEEP_MAX_S;
	bool found = id && OCSP_resp_find_status(bs, id, &status, &why, NULL, &this_upd, &next_upd);

	OCSP_CERTID_free(id);
	if (!found || !cert_time_to_unix(this_upd, &this_t) || this_t > now + CLOCK_SKEW_S)
		return CERT_R_OCSP_BAD;
	if (next_upd && (!cert_time_to_unix(next_upd, &next_t) || next_t + CLOCK_SKEW_S <= now))
		return CERT_R_OCSP_BAD;
	if (!next_upd) // fresh each time: RFC 6960 2.4
		next_t = this_t + CLOCK_SKEW_S <= now ? 0 : now;
	if (next_t == 0)
		return CERT_R_OCSP_BAD;
	*until = MAX_OF(MIN_OF(next_t, now + KEEP_MAX_S), now + TRUST_RETRY_S);
	return status == V_OCSP_CERTSTATUS_GOOD	     ? CERT_R_OK
	       : status == V_OCSP_CERTSTATUS_REVOKED ? CERT_R_REVOKED
						     : CERT_R_OCSP_UNKNOWN;
}

static enum cert_reason judge(struct trust *t, int64_t now, const struct trust_need *need,
			      OCSP_BASICRESP *bs)
{
	int nonce = OCSP_check_nonce(need->own->req, bs);
	enum cert_reason status;
	uint8_t key[TRUST_KEY_LEN];
	int64_t until = 0;

	// An answer made in advance has no nonce; one with another nonce is somebody else's.
	if ((nonce != 1 && nonce != -1) || !answer_authentic(bs, now, need->own->issuer))
		return CERT_R_OCSP_BAD;
	status = status_in(bs, need, now, &until);
	if (status == CERT_R_OCSP_BAD || !id_key(need->own->cert, need->own->issuer, key))
		return CERT_R_OCSP_BAD;
	keep(t, key, until, status);
	return CERT_R_OK;
}

enum cert_reason trust_ocsp_answer(struct trust *t, int64_t now, const struct trust_need *need,
				   struct bytes body)
{
	const unsigned char *p = body.p;
	OCSP_RESPONSE *r =
		body.len <= TRUST_OCSP_MAX ? d2i_OCSP_RESPONSE(NULL, &p, (long)body.len) : NULL;
	OCSP_BASICRESP *bs = NULL;
	enum cert_reason why = CERT_R_OCSP_BAD;

	if (r && OCSP_response_status(r) == OCSP_RESPONSE_STATUS_SUCCESSFUL)
		bs = OCSP_response_get1_basic(r);
	if (bs)
		why = judge(t, now, need, bs);
	OCSP_BASICRESP_free(bs);
	OCSP_RESPONSE_free(r);
	return why;
}
