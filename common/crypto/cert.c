#include "common/crypto/cert.h"

#include <strings.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/crypto/cert_int.h"
#include "common/crypto/sign_int.h"

const char *cert_reason_name(enum cert_reason r)
{
	static const char *const names[] = {
#define X(sym, text) text,
		CERT_REASONS(X)
#undef X
	};

	return (unsigned)r < N_ELEMS(names) ? names[r] : "unknown";
}

// The key as sign.h verifies with it, which also refuses odd kinds and sizes. OpenSSL has decoded it
// with the certificate; to decode it again would cost more than to verify a signature.
static int take_key(struct cert *c)
{
	return pubkey_take(X509_get_pubkey(c->x), &c->key);
}

// Reads the extensions once, so that later calls (on any thread) only look.
static bool extensions_sound(X509 *x)
{
	(void)X509_check_purpose(x, -1, 0);
	return !(X509_get_extension_flags(x) & EXFLAG_INVALID);
}

int cert_decode(struct bytes der, struct cert **out)
{
	const unsigned char *p = der.p;
	struct cert *c;
	int err = -EBADMSG;

	*out = NULL;
	if (der.len > CERT_DER_MAX)
		return -EMSGSIZE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->refs = 1;
	c->x = der.len > 0 ? d2i_X509(NULL, &p, (long)der.len) : NULL;
	if (!c->x || p != der.p + der.len || !extensions_sound(c->x))
		goto fail;
	err = -ENOMEM;
	c->der = malloc(der.len);
	if (!c->der)
		goto fail;
	memcpy(c->der, der.p, der.len);
	c->der_len = der.len;
	err = take_key(c);
	if (err)
		goto fail;
	*out = c;
	return 0;
fail:
	ERR_clear_error();
	cert_free(c);
	return err;
}

struct cert *cert_get(struct cert *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void cert_free(struct cert *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	pubkey_free(c->key);
	X509_free(c->x);
	free(c->der);
	free(c);
}

int cert_from_x509(X509 *x, struct cert **out)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x, &der);
	int err = len > 0 ? cert_decode(BYTES(der, (size_t)len), out) : -ENOMEM;

	if (len <= 0)
		*out = NULL;
	OPENSSL_free(der);
	return err;
}

static int pem_each(BIO *bio, struct cert **out, size_t max, size_t *n)
{
	X509 *x;
	int err = 0;

	while (!err && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		err = *n == max ? -ENOSPC : cert_from_x509(x, &out[*n]);
		if (!err)
			(*n)++;
		X509_free(x);
	}
	if (!err && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		err = -EBADMSG; // it stopped at a broken block, not at the end
	return err;
}

int cert_from_pem(struct bytes pem, struct cert **out, size_t max, size_t *n)
{
	BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	int err = bio ? 0 : -ENOMEM;

	*n = 0;
	ERR_clear_error();
	if (!err)
		err = pem_each(bio, out, max, n);
	if (!err && *n == 0)
		err = -ENOENT;
	for (; err && *n > 0; (*n)--)
		cert_free(out[*n - 1]);
	BIO_free(bio);
	ERR_clear_error();
	return err;
}

char *cert_to_pem(const struct cert *const *c, size_t n)
{
	BIO *bio = BIO_new(BIO_s_mem());
	bool ok = bio;
	char *text = NULL, *p;
	long len;

	for (size_t i = 0; ok && i < n; i++)
		ok = PEM_write_bio_X509(bio, c[i]->x) == 1;
	if (ok) {
		len = BIO_get_mem_data(bio, &p);
		text = strndup(p, (size_t)len);
	}
	BIO_free(bio);
	return text;
}

struct bytes cert_der(const struct cert *c)
{
	return BYTES(c->der, c->der_len);
}

static struct bytes name_der(const X509_NAME *name)
{
	const unsigned char *p = NULL;
	size_t len = 0;

	return X509_NAME_get0_der(name, &p, &len) ? BYTES(p, len) : BYTES(NULL, 0);
}

struct bytes cert_subject(const struct cert *c)
{
	return name_der(X509_get_subject_name(c->x));
}

struct bytes cert_issuer(const struct cert *c)
{
	return name_der(X509_get_issuer_name(c->x));
}

const struct pubkey *cert_key(const struct cert *c)
{
	return c->key;
}

bool cert_is_ca(const struct cert *c)
{
	return X509_check_ca(c->x) == 1; // other positive values are old ways of guessing
}

bool cert_is_self_issued(const struct cert *c)
{
	return bytes_eq(cert_subject(c), cert_issuer(c));
}

bool cert_time_to_unix(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return false;
	*out = timegm(&tm);
	return true;
}

int64_t cert_not_before(const struct cert *c)
{
	int64_t t;

	return cert_time_to_unix(X509_get0_notBefore(c->x), &t) ? t : INT64_MAX;
}

int64_t cert_not_after(const struct cert *c)
{
	int64_t t;

	return cert_time_to_unix(X509_get0_notAfter(c->x), &t) ? t : 0;
}

const char *cert_serial(const struct cert *c, char *buf, size_t size)
{
	const ASN1_INTEGER *s = X509_get0_serialNumber(c->x);
	size_t at = 0;

	buf[0] = '\0';
	for (int i = 0; i < s->length && at + 4 < size; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%02X", i ? ":" : "", s->data[i]);
	return buf;
}

// RFC 4945 5.1.3.12: anyExtendedKeyUsage or id-kp-ipsecIKE, if there is such an extension.
static bool eku_allows_ike(const X509 *x)
{
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(x, NID_ext_key_usage, NULL, NULL);
	bool ok = false;

	for (int i = 0; i < sk_ASN1_OBJECT_num(eku) && !ok; i++) {
		int nid = OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, i));

		ok = nid == NID_ipsec_IKE || nid == NID_anyExtendedKeyUsage;
	}
	sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
	return ok;
}

enum cert_reason cert_usage(const struct cert *c)
{
	uint32_t flags = X509_get_extension_flags(c->x);

	if ((flags & EXFLAG_KUSAGE) &&
	    !(X509_get_key_usage(c->x) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)))
		return CERT_R_KEY_USAGE;
	if ((flags & EXFLAG_XKUSAGE) && !eku_allows_ike(c->x))
		return CERT_R_EXT_KEY_USAGE;
	return CERT_R_OK;
}

// The subjectAltName of an identity type, and its octets. Empty for every other kind of name.
static struct bytes alt_name(const GENERAL_NAME *gn, uint8_t type)
{
	const ASN1_STRING *s = NULL;
	int want = 0;

	if (type == CERT_ID_FQDN && gn->type == GEN_DNS)
		s = gn->d.dNSName;
	if (type == CERT_ID_USER_FQDN && gn->type == GEN_EMAIL)
		s = gn->d.rfc822Name;
	if (type == CERT_ID_IPV4 && gn->type == GEN_IPADD)
		s = gn->d.iPAddress, want = 4;
	if (type == CERT_ID_IPV6 && gn->type == GEN_IPADD)
		s = gn->d.iPAddress, want = 16;
	if (!s || (want && s->length != want))
		return BYTES(NULL, 0);
	return BYTES(s->data, (size_t)s->length);
}

// FQDN: all of it without case. Mail address: what stands before the @ as it is.
static bool name_eq(uint8_t type, struct bytes a, struct bytes b)
{
	const uint8_t *at = a.p;
	size_t exact;

	if (a.len == 0 || a.len != b.len || memchr(a.p, '*', a.len) || memchr(a.p, '\0', a.len))
		return false;
	if (type == CERT_ID_USER_FQDN)
		at = memchr(a.p, '@', a.len);
	exact = at ? (size_t)(at - a.p) : a.len;
	return memcmp(a.p, b.p, exact) == 0 &&
	       strncasecmp((const char *)a.p + exact, (const char *)b.p + exact, a.len - exact) ==
		       0;
}

static bool is_name(uint8_t type)
{
	return type == CERT_ID_FQDN || type == CERT_ID_USER_FQDN;
}

bool cert_has_id(const struct cert *c, uint8_t type, struct bytes id)
{
	GENERAL_NAMES *names;
	bool found = false;

	if (id.len == 0)
		return false;
	if (type == CERT_ID_DN) // an empty Subject is 30 00 and names nobody
		return id.len > 2 && bytes_eq(id, cert_subject(c));
	names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		struct bytes b = alt_name(sk_GENERAL_NAME_value(names, i), type);

		found = b.len > 0 && (is_name(type) ? name_eq(type, b, id) : bytes_eq(b, id));
	}
	GENERAL_NAMES_free(names);
	return found;
}

int cert_id(const struct cert *c, uint8_t type, uint8_t *out, size_t max, size_t *len)
{
	struct bytes b = type == CERT_ID_DN ? cert_subject(c) : BYTES(NULL, 0);
	GENERAL_NAMES *names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	int err = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && b.len == 0; i++)
		b = alt_name(sk_GENERAL_NAME_value(names, i), type);
	if (b.len == 0 || (type == CERT_ID_DN && b.len <= 2))
		err = -ENOENT;
	else if (b.len > max)
		err = -EMSGSIZE;
	else
		memcpy(out, b.p, *len = b.len);
	GENERAL_NAMES_free(names);
	return err;
}
