#include "common/crypto/cmp.h"

#include <openssl/cmp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/base/addr.h"
#include "common/crypto/dn.h"
#include "common/crypto/pkcs12.h"
#include "common/crypto/sign_int.h"
#include "common/crypto/trust_int.h"

#define EXTRA_MAX 16 // certificates of an answer that are looked at

struct cmp {
	OSSL_CMP_CTX *ctx;
	enum cmp_kind kind;
	struct trust *trust;
	cmp_exchange *exchange;
	void *arg;
	cmp_flaw *flaw;
	void *flaw_arg;
	int64_t now;
	struct trust_path *path; // of the new certificate
	char why[CMP_WHY_LEN];
};

const char *cmp_kind_name(enum cmp_kind k)
{
	static const char *const names[] = { "ir", "cr", "kur" };

	return (unsigned)k < N_ELEMS(names) ? names[k] : "?";
}

static void say(struct cmp *c, const char *fmt, ...) PRINTF(2, 3);

static void say(struct cmp *c, const char *fmt, ...)
{
	va_list ap;

	if (c->why[0]) // the first reason is the cause of those that follow
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

// ---- messages ----

static OSSL_CMP_MSG *decode(struct cmp *c, const uint8_t *b, size_t len)
{
	const unsigned char *p = b;
	OSSL_CMP_MSG *msg = len <= CMP_ANSWER_MAX ? d2i_OSSL_CMP_MSG(NULL, &p, (long)len) : NULL;

	if (msg && p == b + len)
		return msg;
	OSSL_CMP_MSG_free(msg);
	say(c, "the server's answer of %zu octets is no CMP message", len);
	return NULL;
}

static OSSL_CMP_MSG *transfer(OSSL_CMP_CTX *ctx, const OSSL_CMP_MSG *req)
{
	struct cmp *c = OSSL_CMP_CTX_get_transfer_cb_arg(ctx);
	OSSL_CMP_MSG *answer = NULL;
	unsigned char *out = NULL;
	int n = i2d_OSSL_CMP_MSG(req, &out);
	char why[CMP_WHY_LEN] = "no memory";
	uint8_t *b = NULL;
	size_t len = 0;

	if (n <= 0 || c->exchange(c->arg, BYTES(out, (size_t)n), &b, &len, why, sizeof(why)))
		say(c, "%s", why);
	else
		answer = decode(c, b, len);
	OPENSSL_free(out);
	free(b);
	return answer;
}

// ---- the certificate that came ----

static size_t gather(OSSL_CMP_CTX *ctx, X509 *own, struct cert *out[EXTRA_MAX + 1])
{
	STACK_OF(X509) *extra = OSSL_CMP_CTX_get1_extraCertsIn(ctx);
	size_t n = 0;

	if (cert_from_x509(own, &out[0]) == 0)
		n = 1;
	for (int i = 0; n > 0 && n <= EXTRA_MAX && i < sk_X509_num(extra); i++) {
		if (cert_from_x509(sk_X509_value(extra, i), &out[n]) == 0)
			n++;
	}
	sk_X509_pop_free(extra, X509_free);
	return n;
}

// What peers with the same CA would say of it.
static enum cert_reason judge(struct cmp *c, OSSL_CMP_CTX *ctx, X509 *x)
{
	struct cert *certs[EXTRA_MAX + 1];
	size_t n = gather(ctx, x, certs);
	enum cert_reason why = CERT_R_MALFORMED;

	trust_path_free(c->path);
	c->path = NULL;
	if (n > 0)
		why = trust_path(c->trust, c->now, certs, n, 0, &c->path, NULL);
	if (why == CERT_R_NOT_YET_VALID) // clocks differ by seconds: it will be
		why = trust_path(c->trust, cert_not_before(certs[0]), certs, n, 0, &c->path, NULL);
	for (size_t i = 0; i < n; i++)
		cert_free(certs[i]);
	return why;
}

static const char *flaw_of(struct cmp *c, X509 *x)
{
	struct cert *cert;
	const char *why;

	if (!c->flaw)
		return NULL;
	if (cert_from_x509(x, &cert))
		return cert_reason_name(CERT_R_MALFORMED);
	why = c->flaw(c->flaw_arg, cert);
	cert_free(cert);
	return why;
}

// RFC 4210 5.3.18: what we do not accept the CA is told of, in certConf.
static int confirm(OSSL_CMP_CTX *ctx, X509 *x, int fail_info, const char **text)
{
	struct cmp *c = OSSL_CMP_CTX_get_certConf_cb_arg(ctx);
	enum cert_reason bad;
	const char *why;

	if (fail_info != 0) {
		say(c, "the certificate is for another key than ours");
		return fail_info;
	}
	bad = judge(c, ctx, x);
	why = bad == CERT_R_OK ? flaw_of(c, x) : cert_reason_name(bad);
	if (!why)
		return 0;
	say(c, "the certificate that came is of no use: %s", why);
	*text = why;
	return 1 << OSSL_CMP_PKIFAILUREINFO_incorrectData;
}

// ---- the request ----

static GENERAL_NAME *name_from(const char *text)
{
	struct addr a;
	int type = addr_parse(text, &a) == 0 ? GEN_IPADD : strchr(text, '@') ? GEN_EMAIL : GEN_DNS;
	union {
		const char *c;
		char *v;
	} value = { .c = text };

	return text[0] ? a2i_GENERAL_NAME(NULL, NULL, NULL, type, value.v, 0) : NULL;
}

bool cmp_name_ok(const char *text)
{
	GENERAL_NAME *n = name_from(text);
	bool ok = n && strcspn(text, " /:*,") == strlen(text);

	if (n && strchr(text, ':')) {
		struct addr a;

		ok = addr_parse(text, &a) == 0;
	}
	GENERAL_NAME_free(n);
	ERR_clear_error();
	return ok;
}

static X509_NAME *subject_from(const char *text)
{
	uint8_t der[DN_MAX];
	const unsigned char *p = der;
	size_t len;

	return dn_parse(text, der, sizeof(der), &len) ? NULL : d2i_X509_NAME(NULL, &p, (long)len);
}

bool cmp_subject_ok(const char *text)
{
	X509_NAME *n = subject_from(text);
	bool ok = n && X509_NAME_entry_count(n) > 0;

	X509_NAME_free(n);
	return ok;
}

static bool set_names(struct cmp *c, const struct cmp_request *r)
{
	X509_NAME *subject = subject_from(r->subject);
	bool ok = subject && OSSL_CMP_CTX_set1_subjectName(c->ctx, subject) == 1;

	X509_NAME_free(subject);
	if (!ok)
		say(c, "\"%s\" is no subject: \"CN=gm1, O=Example\" would be one", r->subject);
	for (size_t i = 0; ok && i < r->n_names; i++) {
		GENERAL_NAME *n = name_from(r->name[i]);

		ok = n && OSSL_CMP_CTX_push1_subjectAltName(c->ctx, n) == 1;
		GENERAL_NAME_free(n);
		if (!ok)
			say(c, "\"%s\" is neither a host name nor an address", r->name[i]);
	}
	return ok;
}

// RFC 4945 5.1.3.2: digitalSignature is what IKE does. An extended key usage is not asked for
// (5.1.3.12).
static bool set_usage(struct cmp *c)
{
	X509_EXTENSIONS *exts = sk_X509_EXTENSION_new_null();
	X509_EXTENSION *e =
		X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, "critical,digitalSignature");

	if (!exts || !e || !sk_X509_EXTENSION_push(exts, e)) {
		X509_EXTENSION_free(e);
		sk_X509_EXTENSION_free(exts);
		return false;
	}
	if (OSSL_CMP_CTX_set0_reqExtensions(c->ctx, exts) == 1)
		return true;
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	return false;
}

static bool set_key(struct cmp *c, struct bytes pem)
{
	EVP_PKEY *key;

	if (pki_key_from_pem(pem, NULL, &key)) {
		say(c, "the new private key cannot be read");
		return false;
	}
	if (OSSL_CMP_CTX_set0_newPkey(c->ctx, 1, key) == 1)
		return true;
	EVP_PKEY_free(key);
	return false;
}

// Who is believed: the CAs of the trustpoint, as they are.
static bool set_trust(struct cmp *c)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = store != NULL;

	for (int i = 0; ok && i < sk_X509_num(c->trust->ca); i++)
		ok = X509_STORE_add_cert(store, sk_X509_value(c->trust->ca, i)) == 1;
	if (ok && sk_X509_num(c->trust->ca) > 0)
		ok = OSSL_CMP_CTX_set1_recipient(
			     c->ctx, X509_get_subject_name(sk_X509_value(c->trust->ca, 0))) == 1;
	if (ok)
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (ok && OSSL_CMP_CTX_set0_trustedStore(c->ctx, store) == 1)
		return sk_X509_num(c->trust->known) == 0 || // an empty stack would break it later
		       OSSL_CMP_CTX_set1_untrusted(c->ctx, c->trust->known) == 1;
	X509_STORE_free(store);
	return false;
}

static bool set_secret(struct cmp *c, const struct cmp_request *r)
{
	size_t len = strlen(r->reference);

	return OSSL_CMP_CTX_set1_referenceValue(c->ctx, (const unsigned char *)r->reference,
						(int)len) == 1 &&
	       OSSL_CMP_CTX_set1_secretValue(c->ctx, r->secret->b, r->secret->len) == 1;
}

static bool set_chain(struct cmp *c, const struct pki_bundle *b)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	bool ok = chain != NULL;

	for (size_t i = 0; ok && i < b->n_chain; i++)
		ok = sk_X509_push(chain, b->chain[i]->x) > 0;
	ok = ok && OSSL_CMP_CTX_set1_extraCertsOut(c->ctx, chain) == 1 &&
	     (c->kind != CMP_KUR || OSSL_CMP_CTX_set1_oldCert(c->ctx, b->own->x) == 1);
	sk_X509_free(chain);
	return ok;
}

static bool set_own(struct cmp *c, const struct cmp_request *r)
{
	struct pki_bundle b;
	EVP_PKEY *key = NULL;
	bool ok = false;

	if (pki_from_pem(r->own, NULL, r->own, &b)) {
		say(c, "the present certificate and its key cannot be read");
		return false;
	}
	if (pki_key_from_pem(BYTES(b.key_pem, b.key_len), NULL, &key) == 0)
		ok = OSSL_CMP_CTX_set1_cert(c->ctx, b.own->x) == 1 &&
		     OSSL_CMP_CTX_set1_pkey(c->ctx, key) == 1 && set_chain(c, &b);
	EVP_PKEY_free(key);
	pki_bundle_fini(&b);
	return ok;
}

static bool set_up(struct cmp *c, const struct cmp_request *r)
{
	OSSL_CMP_CTX *ctx = c->ctx;

	return set_trust(c) && set_names(c, r) && set_usage(c) && set_key(c, r->key) &&
	       (r->kind == CMP_IR ? set_secret(c, r) : set_own(c, r)) &&
	       OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_SUBJECTALTNAME_NODEFAULT, 1) == 1 &&
	       OSSL_CMP_CTX_set_option(ctx, OSSL_CMP_OPT_LOG_VERBOSITY, OSSL_CMP_LOG_EMERG) == 1 &&
	       OSSL_CMP_CTX_set_transfer_cb(ctx, transfer) == 1 &&
	       OSSL_CMP_CTX_set_transfer_cb_arg(ctx, c) == 1 &&
	       OSSL_CMP_CTX_set_certConf_cb(ctx, confirm) == 1 &&
	       OSSL_CMP_CTX_set_certConf_cb_arg(ctx, c) == 1;
}

int cmp_new(const struct cmp_request *r, struct cmp **out, char why[CMP_WHY_LEN])
{
	struct cmp *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->kind = r->kind;
	c->trust = r->trust;
	c->exchange = r->exchange;
	c->arg = r->arg;
	c->flaw = r->flaw;
	c->flaw_arg = r->flaw_arg;
	c->ctx = OSSL_CMP_CTX_new(NULL, NULL);
	if (c->ctx && set_up(c, r)) {
		*out = c;
		return 0;
	}
	snprintf(why, CMP_WHY_LEN, "%s", c->why[0] ? c->why : "no memory");
	cmp_free(c);
	ERR_clear_error();
	return -EINVAL;
}

void cmp_free(struct cmp *c)
{
	if (!c)
		return;
	trust_path_free(c->path);
	OSSL_CMP_CTX_free(c->ctx);
	free(c);
}

// ---- going on ----

// What OpenSSL complained about last, in words that say where to look.
static void say_openssl(struct cmp *c)
{
	static const struct {
		int reason;
		const char *text;
	} known[] = {
		{ CMP_R_ERROR_VALIDATING_PROTECTION,
		  "the answer is protected by another secret, or by a certificate that the "
		  "trustpoint's CA did not issue" },
		{ CMP_R_MISSING_PROTECTION, "the answer is not protected" },
		{ CMP_R_UNEXPECTED_PKIBODY, "the answer is none to this question" },
		{ CMP_R_TRANSACTIONID_UNMATCHED, "the answer is to another transaction" },
		{ CMP_R_RECIPNONCE_UNMATCHED, "the answer is to another question (nonce)" },
	};
	unsigned long e = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(e);

	for (size_t i = 0; i < N_ELEMS(known); i++) {
		if (ERR_GET_LIB(e) == ERR_LIB_CMP && ERR_GET_REASON(e) == known[i].reason)
			reason = known[i].text;
	}
	say(c, "%s", reason ? reason : "the exchange failed");
}

// Its text comes from the network: what cannot be shown is not.
static void say_refused(struct cmp *c)
{
	char status[CMP_WHY_LEN - 64];

	if (!OSSL_CMP_CTX_snprint_PKIStatus(c->ctx, status, sizeof(status)))
		return;
	for (char *p = status; *p; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	}
	say(c, "the CA refused: %s", status);
}

enum cmp_progress cmp_go_on(struct cmp *c, int64_t now, int *wait_s)
{
	static const int types[] = { OSSL_CMP_IR, OSSL_CMP_CR, OSSL_CMP_KUR };
	int check_after = 0, status, got;

	c->now = now;
	ERR_clear_error();
	got = OSSL_CMP_try_certreq(c->ctx, types[c->kind], NULL, &check_after);
	if (got < 0) {
		*wait_s = MAX_OF(1, check_after);
		return CMP_WAIT;
	}
	if (got > 0 && c->path && OSSL_CMP_CTX_get0_newCert(c->ctx))
		return CMP_DONE;
	status = OSSL_CMP_CTX_get_status(c->ctx);
	if (status == OSSL_CMP_PKISTATUS_rejection)
		say_refused(c);
	say_openssl(c);
	ERR_clear_error();
	return CMP_FAILED;
}

const char *cmp_why(const struct cmp *c)
{
	return c->why;
}

// Without the CA itself: peers have it.
size_t cmp_chain(const struct cmp *c, struct cert *out[TRUST_MAX_PATH])
{
	int last = sk_X509_num(c->path->chain) - 1;
	size_t n = 0;

	for (int i = 0; i <= last && n < TRUST_MAX_PATH; i++) {
		if (i > 0 && i == last)
			break;
		if (cert_from_x509(sk_X509_value(c->path->chain, i), &out[n]))
			break;
		n++;
	}
	return n;
}
