#include "common/crypto/trust.h"

#include <openssl/err.h>

#include "common/crypto/prf.h"
#include "common/crypto/trust_int.h"

// 112 bits: no SHA-1, no RSA below 2048 anywhere in a path.
#define TRUST_SECURITY_LEVEL 2

int trust_new(const struct trust_conf *conf, struct trust **out)
{
	struct trust *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->refs = 1;
	t->conf = *conf;
	pthread_mutex_init(&t->lock, NULL);
	t->ca = sk_X509_new_null();
	t->known = sk_X509_new_null();
	t->store = X509_STORE_new();
	if (!t->ca || !t->known || !t->store) {
		trust_free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

struct trust *trust_get(struct trust *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void trust_free(struct trust *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < t->n_crl; i++)
		X509_CRL_free(t->crl[i]);
	X509_STORE_free(t->store);
	sk_X509_pop_free(t->ca, X509_free);
	sk_X509_pop_free(t->known, X509_free);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

const struct trust_conf *trust_conf(const struct trust *t)
{
	return &t->conf;
}

struct cert *trust_ca(const struct trust *t, size_t i)
{
	struct cert *c;

	return cert_from_x509(sk_X509_value(t->ca, (int)i), &c) ? NULL : c;
}

// ---- from files ----

static int push(STACK_OF(X509) * to, X509 *x)
{
	if (!X509_up_ref(x))
		return -ENOMEM;
	if (!sk_X509_push(to, x)) {
		X509_free(x);
		return -ENOMEM;
	}
	return 0;
}

static int add_all(STACK_OF(X509) * to, X509_STORE *store, struct cert *const *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (push(to, c[i]->x) || (store && !X509_STORE_add_cert(store, c[i]->x)))
			return -ENOMEM;
	}
	return 0;
}

static void free_all(struct cert **c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cert_free(c[i]);
}

int trust_add_ca(struct trust *t, struct bytes pem, enum cert_reason *why)
{
	struct cert *c[CERT_PEM_MAX];
	size_t n;
	int err = cert_from_pem(pem, c, N_ELEMS(c), &n);

	*why = err ? CERT_R_MALFORMED : CERT_R_OK;
	for (size_t i = 0; !err && i < n; i++) {
		if (!cert_is_ca(c[i])) {
			*why = CERT_R_NOT_A_CA;
			err = -EINVAL;
		}
	}
	if (!err)
		err = add_all(t->ca, t->store, c, n);
	free_all(c, n);
	return err;
}

int trust_add_known(struct trust *t, struct bytes pem)
{
	struct cert *c[CERT_PEM_MAX];
	size_t n;
	int err = cert_from_pem(pem, c, N_ELEMS(c), &n);

	if (!err)
		err = add_all(t->known, NULL, c, n);
	free_all(c, n);
	return err;
}

size_t trust_n_ca(const struct trust *t)
{
	return (size_t)sk_X509_num(t->ca);
}

static struct bytes subject_of(X509 *x)
{
	const unsigned char *p = NULL;
	size_t len = 0;

	return X509_NAME_get0_der(X509_get_subject_name(x), &p, &len) ? BYTES(p, len)
								      : BYTES(NULL, 0);
}

struct bytes trust_ca_subject(const struct trust *t, size_t i)
{
	return subject_of(sk_X509_value(t->ca, (int)i));
}

bool trust_has_ca(const struct trust *t, struct bytes name)
{
	for (int i = 0; i < sk_X509_num(t->ca); i++) {
		if (bytes_eq(subject_of(sk_X509_value(t->ca, i)), name))
			return true;
	}
	for (int i = 0; i < sk_X509_num(t->known); i++) {
		if (bytes_eq(subject_of(sk_X509_value(t->known, i)), name))
			return true;
	}
	return false;
}

// ---- a path ----

enum cert_reason trust_reason_of(int x509_err)
{
	static const struct {
		int err;
		enum cert_reason why;
	} rows[] = {
		{ X509_V_OK, CERT_R_OK },
		{ X509_V_ERR_OUT_OF_MEM, CERT_R_NO_MEMORY },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_CERT_UNTRUSTED, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_AKID_SKID_MISMATCH, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_SUBJECT_ISSUER_MISMATCH, CERT_R_ISSUER_UNKNOWN },
		{ X509_V_ERR_CERT_SIGNATURE_FAILURE, CERT_R_BAD_SIGNATURE },
		{ X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, CERT_R_BAD_SIGNATURE },
		{ X509_V_ERR_CERT_HAS_EXPIRED, CERT_R_EXPIRED },
		{ X509_V_ERR_CERT_NOT_YET_VALID, CERT_R_NOT_YET_VALID },
		{ X509_V_ERR_INVALID_CA, CERT_R_NOT_A_CA },
		{ X509_V_ERR_INVALID_NON_CA, CERT_R_NOT_A_CA },
		{ X509_V_ERR_KEYUSAGE_NO_CERTSIGN, CERT_R_NOT_A_CA },
		{ X509_V_ERR_CERT_CHAIN_TOO_LONG, CERT_R_PATH_TOO_LONG },
		{ X509_V_ERR_PATH_LENGTH_EXCEEDED, CERT_R_PATH_TOO_LONG },
		{ X509_V_ERR_PERMITTED_VIOLATION, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_EXCLUDED_VIOLATION, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_SUBTREE_MINMAX, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_UNSUPPORTED_NAME_SYNTAX, CERT_R_NAME_CONSTRAINT },
		{ X509_V_ERR_EE_KEY_TOO_SMALL, CERT_R_WEAK_KEY },
		{ X509_V_ERR_CA_KEY_TOO_SMALL, CERT_R_WEAK_KEY },
		{ X509_V_ERR_CA_MD_TOO_WEAK, CERT_R_WEAK_DIGEST },
		{ X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION, CERT_R_CRITICAL_EXTENSION },
		{ X509_V_ERR_CERT_REVOKED, CERT_R_REVOKED },
		{ X509_V_ERR_UNABLE_TO_GET_CRL, CERT_R_STATUS_UNAVAILABLE },
		{ X509_V_ERR_DIFFERENT_CRL_SCOPE, CERT_R_STATUS_UNAVAILABLE },
		{ X509_V_ERR_CRL_HAS_EXPIRED, CERT_R_CRL_EXPIRED },
		{ X509_V_ERR_CRL_NOT_YET_VALID, CERT_R_CRL_BAD },
		{ X509_V_ERR_CRL_SIGNATURE_FAILURE, CERT_R_CRL_BAD },
		{ X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, CERT_R_CRL_BAD },
		{ X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, CERT_R_CRL_BAD },
		{ X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, CERT_R_CRL_BAD },
		{ X509_V_ERR_CRL_PATH_VALIDATION_ERROR, CERT_R_CRL_BAD },
		{ X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, CERT_R_CRL_BAD },
		{ X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, CERT_R_CRL_BAD },
	};

	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (rows[i].err == x509_err)
			return rows[i].why;
	}
	return CERT_R_INVALID;
}

X509_STORE_CTX *trust_ctx(const struct trust *t, int64_t now, X509 *cert, STACK_OF(X509) * helpers)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	if (!ctx || !X509_STORE_CTX_init(ctx, t->store, cert, helpers)) {
		X509_STORE_CTX_free(ctx);
		return NULL;
	}
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	X509_VERIFY_PARAM_set_depth(param, TRUST_MAX_PATH - 2);
	X509_VERIFY_PARAM_set_auth_level(param, TRUST_SECURITY_LEVEL);
	// A configured CA ends the path also when another CA signed it.
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	return ctx;
}

static STACK_OF(X509) * helpers_of(const struct trust *t, struct cert *const *certs, size_t n)
{
	STACK_OF(X509) *all = sk_X509_new_null();

	for (size_t i = 0; all && i < n; i++) {
		if (!sk_X509_push(all, certs[i]->x))
			goto fail;
	}
	for (int i = 0; all && i < sk_X509_num(t->known); i++) {
		if (!sk_X509_push(all, sk_X509_value(t->known, i)))
			goto fail;
	}
	return all;
fail:
	sk_X509_free(all);
	return NULL;
}

// The old CAs that OpenSSL still takes for some are none for us.
static enum cert_reason issuers_are_ca(STACK_OF(X509) * chain, int *depth)
{
	for (int i = 1; i < sk_X509_num(chain); i++) {
		if (X509_check_ca(sk_X509_value(chain, i)) != 1) {
			*depth = i;
			return CERT_R_NOT_A_CA;
		}
	}
	return CERT_R_OK;
}

static enum cert_reason path_of(X509_STORE_CTX *ctx, struct trust_path **out, int *depth)
{
	struct trust_path *p;
	enum cert_reason why;

	if (X509_verify_cert(ctx) != 1) {
		*depth = X509_STORE_CTX_get_error_depth(ctx);
		why = trust_reason_of(X509_STORE_CTX_get_error(ctx));
		return why == CERT_R_OK ? CERT_R_INVALID : why;
	}
	why = issuers_are_ca(X509_STORE_CTX_get0_chain(ctx), depth);
	if (why != CERT_R_OK)
		return why;
	p = calloc(1, sizeof(*p));
	if (p)
		p->chain = X509_STORE_CTX_get1_chain(ctx);
	if (!p || !p->chain) {
		free(p);
		return CERT_R_NO_MEMORY;
	}
	*out = p;
	return CERT_R_OK;
}

enum cert_reason trust_path(const struct trust *t, int64_t now, struct cert *const *certs, size_t n,
			    size_t peer, struct trust_path **out, int *depth)
{
	enum cert_reason why;
	STACK_OF(X509) * helpers;
	X509_STORE_CTX *ctx;
	int d = 0;

	*out = NULL;
	if (depth)
		*depth = 0;
	if (peer >= n)
		return CERT_R_MISSING;
	why = cert_usage(certs[peer]);
	if (why != CERT_R_OK)
		return why;
	helpers = helpers_of(t, certs, n);
	ctx = helpers ? trust_ctx(t, now, certs[peer]->x, helpers) : NULL;
	why = ctx ? path_of(ctx, out, &d) : CERT_R_NO_MEMORY;
	X509_STORE_CTX_free(ctx);
	sk_X509_free(helpers);
	ERR_clear_error();
	if (depth)
		*depth = d;
	return why;
}

void trust_path_free(struct trust_path *p)
{
	if (!p)
		return;
	sk_X509_pop_free(p->chain, X509_free);
	free(p);
}

// ---- revocation: which method when ----

void trust_key(const char *what, struct bytes b, uint8_t key[TRUST_KEY_LEN])
{
	struct bytes parts[] = { BYTES(what, strlen(what) + 1), b };

	if (hash_parts(HASH_ALG_SHA256, parts, N_ELEMS(parts), key))
		memset(key, 0, TRUST_KEY_LEN); // out of memory: what shares this key is refused
}

bool trust_asked(struct trust *t, int64_t now, const uint8_t key[TRUST_KEY_LEN],
		 enum cert_reason *why)
{
	bool asked = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < TRUST_MAX_ASKED; i++) {
		if (t->asked[i].until > now && memcmp(t->asked[i].key, key, TRUST_KEY_LEN) == 0) {
			*why = t->asked[i].why;
			asked = true;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return asked;
}

// The entry that ends first makes room.
static void note_asked(struct trust *t, int64_t now, const uint8_t key[TRUST_KEY_LEN],
		       enum cert_reason why)
{
	size_t at = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < TRUST_MAX_ASKED; i++) {
		if (t->asked[i].until < t->asked[at].until)
			at = i;
	}
	memcpy(t->asked[at].key, key, TRUST_KEY_LEN);
	t->asked[at].until = now + (why == CERT_R_OK ? TRUST_AGAIN_S : TRUST_RETRY_S);
	t->asked[at].why = why;
	pthread_mutex_unlock(&t->lock);
}

// Printable, plain http, and short enough to keep.
bool trust_url_ok(struct bytes url)
{
	if (url.len <= 7 || url.len >= TRUST_URL_MAX || memcmp(url.p, "http://", 7) != 0)
		return false;
	for (size_t i = 0; i < url.len; i++) {
		if (url.p[i] <= ' ' || url.p[i] >= 0x7f)
			return false;
	}
	return true;
}

static enum cert_reason status_of(struct trust *t, int64_t now, const struct trust_path *p, int i,
				  struct trust_need **need)
{
	enum cert_reason why = CERT_R_STATUS_UNAVAILABLE;

	for (size_t m = 0; m < t->conf.n_methods; m++) {
		switch (t->conf.methods[m]) {
		case TRUST_NONE:
			return CERT_R_OK;
		case TRUST_CRL:
			why = trust_crl_status(t, now, p, i, need);
			break;
		case TRUST_OCSP:
			why = trust_ocsp_status(t, now, p, i, need);
			break;
		}
		if (why == CERT_R_OK || why == CERT_R_REVOKED || why == CERT_R_STATUS_WANTED)
			return why;
	}
	return why;
}

enum cert_reason trust_status(struct trust *t, int64_t now, const struct trust_path *p,
			      struct trust_need **need, int *depth)
{
	enum cert_reason why = CERT_R_OK;

	*need = NULL;
	// The last one is a CA of ours: nobody could revoke it but the operator.
	for (int i = 0; why == CERT_R_OK && i + 1 < sk_X509_num(p->chain); i++) {
		if (t->conf.n_methods > 0)
			why = status_of(t, now, p, i, need);
		if (depth)
			*depth = i;
	}
	ERR_clear_error();
	return why;
}

// ---- needs ----

struct trust_need *trust_need_new(enum trust_method m, const char *url,
				  const uint8_t key[TRUST_KEY_LEN], X509 *cert, X509 *issuer)
{
	struct trust_need *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->own = calloc(1, sizeof(*n->own));
	if (!n->own) {
		free(n);
		return NULL;
	}
	n->method = m;
	snprintf(n->url, sizeof(n->url), "%s", url);
	X509_up_ref(cert);
	X509_up_ref(issuer);
	memcpy(n->own->key, key, TRUST_KEY_LEN);
	n->own->cert = cert;
	n->own->issuer = issuer;
	return n;
}

void trust_need_free(struct trust_need *n)
{
	if (!n)
		return;
	X509_free(n->own->cert);
	X509_free(n->own->issuer);
	OCSP_REQUEST_free(n->own->req);
	OPENSSL_free(n->own->der);
	free(n->own);
	free(n);
}

enum cert_reason trust_answer(struct trust *t, int64_t now, const struct trust_need *need,
			      struct bytes body)
{
	enum cert_reason why = CERT_R_STATUS_UNAVAILABLE;

	if (body.len > 0)
		why = need->method == TRUST_CRL ? trust_crl_answer(t, now, need, body)
						: trust_ocsp_answer(t, now, need, body);
	note_asked(t, now, need->own->key, why);
	ERR_clear_error();
	return why;
}
