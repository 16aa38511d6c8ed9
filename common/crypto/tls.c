#include "common/crypto/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/crypto/cert_int.h"
#include "common/crypto/sign_int.h"

#define PSK_LEN	      48 // of the suite's hash
#define IDENTITY_MAX  (2 * TLS_NAME_MAX + 32)
#define CERT_LIST_MAX 32768
#define LEVEL	      2 // 112 bits

static const uint8_t suite[] = { 0x13, 0x02 }; // TLS_AES_256_GCM_SHA384

struct tls_creds {
	unsigned refs;
	SSL_CTX *ctx;
	struct secret key;   // len 0: certificates
	struct trust *trust; // NULL: shared key
};

struct tls {
	struct tls_creds *creds;
	SSL *ssl;
	BIO *in, *out; // the ssl's
	enum tls_state state;
	const char *why;
	int64_t now;
	size_t id_len;
	char id[IDENTITY_MAX]; // both names, in their roles
	struct cert *peer;
	struct trust_path *path;
};

// ---- a shared key ----

static SSL_SESSION *psk_session(const struct tls *t)
{
	const struct bytes part[] = { BYTES_LIT("conclave tls key"), BYTES(t->id, t->id_len) };
	const struct secret *key = &t->creds->key;
	const SSL_CIPHER *c = SSL_CIPHER_find(t->ssl, suite);
	SSL_SESSION *s = SSL_SESSION_new();
	struct secret psk = { 0 };
	bool ok = s && c &&
		  prf_secret(HASH_ALG_SHA384, BYTES(key->b, key->len), part, N_ELEMS(part), &psk) ==
			  0;

	ok = ok && psk.len == PSK_LEN && SSL_SESSION_set1_master_key(s, psk.b, psk.len) &&
	     SSL_SESSION_set1_id_context(s, suite, sizeof(suite)) && SSL_SESSION_set_cipher(s, c) &&
	     SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	secret_fini(&psk);
	if (ok)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int on_psk_use(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len,
		      SSL_SESSION **s)
{
	struct tls *t = SSL_get_app_data(ssl);

	*s = NULL;
	if (md && EVP_MD_get_size(md) != PSK_LEN)
		return 0;
	*s = psk_session(t);
	*id = (const unsigned char *)t->id;
	*len = t->id_len;
	return *s != NULL;
}

// There is one key that could be right here: what is meant for others, or was said by us, ends.
static int on_psk_find(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **s)
{
	struct tls *t = SSL_get_app_data(ssl);

	*s = NULL;
	if (!bytes_eq(BYTES(id, len), BYTES(t->id, t->id_len))) {
		t->why = "names-differ";
		return 0;
	}
	*s = psk_session(t);
	return *s != NULL;
}

// ---- certificates ----

static enum cert_reason decode_all(const STACK_OF(X509) * from, struct cert **out, size_t *n)
{
	if (sk_X509_num(from) > TRUST_MAX_PATH)
		return CERT_R_TOO_MANY;
	for (*n = 0; (int)*n < sk_X509_num(from); (*n)++) {
		if (cert_from_x509(sk_X509_value(from, (int)*n), &out[*n]))
			return CERT_R_MALFORMED;
	}
	return *n > 0 ? CERT_R_OK : CERT_R_MISSING;
}

static int on_certificates(X509_STORE_CTX *x, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *t = SSL_get_app_data(ssl);
	struct cert *c[TRUST_MAX_PATH];
	size_t n = 0;
	enum cert_reason why = CERT_R_MISSING; // a shared key is agreed, and they show certificates

	(void)arg;
	if (t->creds->trust && !t->path) {
		why = decode_all(X509_STORE_CTX_get0_untrusted(x), c, &n);
		if (why == CERT_R_OK)
			why = trust_path(t->creds->trust, t->now, c, n, 0, &t->path, NULL);
		if (why == CERT_R_OK)
			t->peer = cert_get(c[0]);
		while (n > 0)
			cert_free(c[--n]);
	}
	if (why != CERT_R_OK)
		t->why = cert_reason_name(why);
	X509_STORE_CTX_set_error(x, why == CERT_R_OK ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
	return why == CERT_R_OK;
}

// ---- credentials ----

static SSL_CTX *ctx_new(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_method());

	if (!c)
		return NULL;
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
				       SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(c, CERT_LIST_MAX);
	SSL_CTX_set_security_level(c, LEVEL);
	SSL_CTX_set_cert_verify_callback(c, on_certificates, NULL);
	if (SSL_CTX_set_session_id_context(c, suite, sizeof(suite)) && // there are no ids to mix up
	    SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) &&
	    SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) && SSL_CTX_set_num_tickets(c, 0) &&
	    SSL_CTX_set_ciphersuites(c, "TLS_AES_256_GCM_SHA384") &&
	    SSL_CTX_set1_groups_list(c, "P-256:P-384:X25519"))
		return c;
	SSL_CTX_free(c);
	return NULL;
}

static int creds_new(struct tls_creds **out)
{
	struct tls_creds *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->ctx = ctx_new();
	if (!c->ctx) {
		ERR_clear_error();
		free(c);
		return -ENOTSUP;
	}
	*out = c;
	return 0;
}

int tls_creds_key(const struct secret *key, struct tls_creds **out)
{
	int err;

	*out = NULL;
	if (key->len < TLS_KEY_MIN)
		return -EINVAL;
	err = creds_new(out);
	if (err)
		return err;
	(*out)->key = *key;
	SSL_CTX_set_verify((*out)->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_psk_use_session_callback((*out)->ctx, on_psk_use);
	SSL_CTX_set_psk_find_session_callback((*out)->ctx, on_psk_find);
	return 0;
}

static int creds_own(SSL_CTX *ctx, EVP_PKEY *key, struct cert *const *own, size_t n_own)
{
	if (SSL_CTX_use_certificate(ctx, own[0]->x) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return -EINVAL;
	for (size_t i = 1; i < n_own; i++) {
		if (SSL_CTX_add1_chain_cert(ctx, own[i]->x) != 1)
			return -EINVAL;
	}
	return 0;
}

int tls_creds_cert(const struct signer *s, const char *label, struct cert *const *own, size_t n_own,
		   struct trust *trust, struct tls_creds **out)
{
	EVP_PKEY *key = signer_pkey(s, label);
	int err;

	*out = NULL;
	if (!key || n_own == 0)
		return -ENOENT;
	err = creds_new(out);
	if (err)
		return err;
	(*out)->trust = trust_get(trust);
	SSL_CTX_set_verify((*out)->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	err = creds_own((*out)->ctx, key, own, n_own);
	if (err) {
		tls_creds_put(*out);
		*out = NULL;
	}
	ERR_clear_error();
	return err;
}

struct tls_creds *tls_creds_get(struct tls_creds *c)
{
	c->refs++;
	return c;
}

void tls_creds_put(struct tls_creds *c)
{
	if (!c || --c->refs > 0)
		return;
	SSL_CTX_free(c->ctx);
	trust_free(c->trust);
	secret_fini(&c->key);
	free(c);
}

// ---- a session ----

static bool ssl_new(struct tls *t, bool calls)
{
	t->ssl = SSL_new(t->creds->ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out) {
		BIO_free(t->in);
		BIO_free(t->out);
		return false;
	}
	BIO_set_mem_eof_return(t->in, -1); // empty: more will come
	SSL_set_bio(t->ssl, t->in, t->out);
	if (calls)
		SSL_set_connect_state(t->ssl);
	else
		SSL_set_accept_state(t->ssl);
	return SSL_set_app_data(t->ssl, t);
}

static const char *reason(const char *otherwise)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);

	if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_BINDER_DOES_NOT_VERIFY)
		return "key-differs";
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) > SSL_AD_REASON_OFFSET)
		return "refused-by-peer";
	return text ? text : otherwise;
}

static void fail(struct tls *t, const char *otherwise)
{
	t->state = TLS_FAILED;
	if (!t->why)
		t->why = reason(otherwise);
	ERR_clear_error();
}

// With a shared key nothing but that key opens the session.
static void shake(struct tls *t)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(t->ssl);
	if (r == 1 && (t->creds->trust ? t->peer != NULL : SSL_session_reused(t->ssl)))
		t->state = TLS_OPEN;
	else if (r == 1 || SSL_get_error(t->ssl, r) != SSL_ERROR_WANT_READ)
		fail(t, "handshake-failed");
	ERR_clear_error();
}

int tls_new(struct tls_creds *creds, bool calls, const char *caller, const char *listener,
	    int64_t now, struct tls **out)
{
	struct tls *t = calloc(1, sizeof(*t));
	int n;

	*out = NULL;
	if (!t)
		return -ENOMEM;
	t->creds = tls_creds_get(creds);
	t->now = now;
	n = snprintf(t->id, sizeof(t->id), "conclave %s > %s", caller, listener);
	if (n < 0 || (size_t)n >= sizeof(t->id)) {
		tls_free(t);
		return -EINVAL;
	}
	t->id_len = (size_t)n;
	if (!ssl_new(t, calls)) {
		tls_free(t);
		return -ENOMEM;
	}
	if (calls)
		shake(t);
	*out = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	trust_path_free(t->path);
	cert_free(t->peer);
	tls_creds_put(t->creds);
	free(t);
}

enum tls_state tls_state(const struct tls *t)
{
	return t->state;
}

const char *tls_why(const struct tls *t)
{
	return t->why ? t->why : "";
}

bool tls_feed(struct tls *t, struct bytes in)
{
	size_t done = 0;

	if (t->state != TLS_SHAKING && t->state != TLS_OPEN)
		return false;
	if (in.len > 0 && (!BIO_write_ex(t->in, in.p, in.len, &done) || done != in.len))
		fail(t, "no-memory");
	else if (t->state == TLS_SHAKING)
		shake(t);
	return t->state != TLS_FAILED;
}

size_t tls_take(struct tls *t, uint8_t *out, size_t max)
{
	size_t n = 0;

	return BIO_read_ex(t->out, out, max, &n) ? n : 0;
}

size_t tls_read(struct tls *t, uint8_t *out, size_t max)
{
	size_t n = 0;
	int r, err;

	if (t->state != TLS_OPEN)
		return 0;
	ERR_clear_error();
	r = SSL_read_ex(t->ssl, out, max, &n);
	err = SSL_get_error(t->ssl, r);
	if (err == SSL_ERROR_ZERO_RETURN)
		t->state = TLS_CLOSED;
	else if (r != 1 && err != SSL_ERROR_WANT_READ)
		fail(t, "record-refused");
	ERR_clear_error();
	return n;
}

bool tls_write(struct tls *t, struct bytes plain)
{
	size_t done = 0;

	if (t->state != TLS_OPEN)
		return false;
	ERR_clear_error();
	if (plain.len > 0 &&
	    (SSL_write_ex(t->ssl, plain.p, plain.len, &done) != 1 || done != plain.len))
		fail(t, "write-failed");
	return t->state == TLS_OPEN;
}

void tls_close(struct tls *t)
{
	if (t->state == TLS_OPEN)
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

const struct cert *tls_peer(const struct tls *t)
{
	return t->peer;
}

struct trust *tls_trust(const struct tls *t)
{
	return t->creds->trust;
}

enum cert_reason tls_status(const struct tls *t, int64_t now, struct trust_need **need)
{
	*need = NULL;
	if (!t->creds->trust)
		return CERT_R_OK;
	if (!t->path)
		return CERT_R_MISSING;
	if (cert_not_after(t->peer) < now)
		return CERT_R_EXPIRED;
	return trust_status(t->creds->trust, now, t->path, need, NULL);
}

int tls_export(const struct tls *t, const char *label, size_t len, struct secret *out)
{
	secret_fini(out);
	if (t->state != TLS_OPEN || len > SECRET_MAX)
		return -EINVAL;
	if (SSL_export_keying_material(t->ssl, out->b, len, label, strlen(label),
				       (const unsigned char *)t->id, t->id_len, 1) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	out->len = (uint16_t)len;
	return 0;
}
