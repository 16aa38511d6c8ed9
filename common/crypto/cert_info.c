#include "common/crypto/cert_info.h"

#include <ctype.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/crypto/cert_int.h"

#define DIGEST_LEN 32

// ---- fingerprints ----

static bool digest_of(const struct cert *c, uint8_t out[DIGEST_LEN])
{
	unsigned len = DIGEST_LEN;

	return X509_digest(c->x, EVP_sha256(), out, &len) == 1 && len == DIGEST_LEN;
}

const char *cert_fingerprint(const struct cert *c, char buf[CERT_FINGERPRINT_STRLEN])
{
	uint8_t d[DIGEST_LEN] = { 0 };

	if (!digest_of(c, d))
		return "?";
	for (size_t i = 0; i < DIGEST_LEN; i++)
		snprintf(buf + 3 * i, 4, "%02X%s", d[i], i + 1 < DIGEST_LEN ? ":" : "");
	return buf;
}

static int nibble(char ch)
{
	return isdigit((unsigned char)ch)    ? ch - '0'
	       : isxdigit((unsigned char)ch) ? tolower((unsigned char)ch) - 'a' + 10
					     : -1;
}

static bool digest_parse(const char *text, uint8_t out[DIGEST_LEN])
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ':' || *text == ' ')
			continue;
		if (nibble(*text) < 0 || n == 2 * DIGEST_LEN)
			return false;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | nibble(*text));
		n++;
	}
	return n == 2 * DIGEST_LEN;
}

bool cert_fingerprint_ok(const char *text)
{
	uint8_t d[DIGEST_LEN];

	return digest_parse(text, d);
}

bool cert_fingerprint_is(const struct cert *c, const char *text)
{
	uint8_t is[DIGEST_LEN] = { 0 }, want[DIGEST_LEN];

	return digest_parse(text, want) && digest_of(c, is) && memcmp(is, want, DIGEST_LEN) == 0;
}

// ---- extensions as text ----

// What a BIO has gathered, on one line, without control octets.
static const char *take(BIO *bio, char *buf, size_t size)
{
	size_t n = 0;
	char *p;
	long len = BIO_get_mem_data(bio, &p);

	for (long i = 0; i < len && n + 1 < size; i++) {
		char ch = p[i] == '\n' ? ' ' : p[i];

		buf[n++] = ch >= ' ' && ch <= '~' ? ch : '?';
	}
	while (n > 0 && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
	BIO_free(bio);
	return buf;
}

static const char *ext_text(const struct cert *c, int nid, char buf[CERT_INFO_STRLEN])
{
	int at = X509_get_ext_by_NID(c->x, nid, -1);
	BIO *bio = at >= 0 ? BIO_new(BIO_s_mem()) : NULL;

	buf[0] = '\0';
	if (bio && X509V3_EXT_print(bio, X509_get_ext(c->x, at), 0, 0) != 1)
		BIO_puts(bio, "?");
	ERR_clear_error();
	return bio ? take(bio, buf, CERT_INFO_STRLEN) : buf;
}

const char *cert_usage_text(const struct cert *c, char buf[CERT_INFO_STRLEN])
{
	return ext_text(c, NID_key_usage, buf);
}

const char *cert_ext_usage_text(const struct cert *c, char buf[CERT_INFO_STRLEN])
{
	return ext_text(c, NID_ext_key_usage, buf);
}

const char *cert_names_text(const struct cert *c, char buf[CERT_INFO_STRLEN])
{
	return ext_text(c, NID_subject_alt_name, buf);
}

const char *cert_key_text(const struct cert *c, char buf[32])
{
	const EVP_PKEY *key = X509_get0_pubkey(c->x);
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;

	snprintf(buf, 32, "%s%d", rsa ? "RSA " : "EC P-", EVP_PKEY_get_bits(key));
	return buf;
}

// ---- addresses ----

static bool url_of(const GENERAL_NAME *n, char buf[CERT_INFO_STRLEN])
{
	BIO *bio;

	if (!n || n->type != GEN_URI || !(bio = BIO_new(BIO_s_mem())))
		return false;
	BIO_write(bio, ASN1_STRING_get0_data(n->d.uniformResourceIdentifier),
		  ASN1_STRING_length(n->d.uniformResourceIdentifier));
	take(bio, buf, CERT_INFO_STRLEN);
	return strncmp(buf, "http://", 7) == 0;
}

const char *cert_crl_url(const struct cert *c, char buf[CERT_INFO_STRLEN])
{
	CRL_DIST_POINTS *dps = X509_get_ext_d2i(c->x, NID_crl_distribution_points, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_DIST_POINT_num(dps); i++) {
		const DIST_POINT_NAME *n = sk_DIST_POINT_value(dps, i)->distpoint;

		for (int k = 0;
		     !found && n && n->type == 0 && k < sk_GENERAL_NAME_num(n->name.fullname); k++)
			found = url_of(sk_GENERAL_NAME_value(n->name.fullname, k), buf);
	}
	CRL_DIST_POINTS_free(dps);
	if (!found)
		buf[0] = '\0';
	return buf;
}

const char *cert_ocsp_url(const struct cert *c, char buf[CERT_INFO_STRLEN])
{
	AUTHORITY_INFO_ACCESS *aia = X509_get_ext_d2i(c->x, NID_info_access, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_ACCESS_DESCRIPTION_num(aia); i++) {
		const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(aia, i);

		if (OBJ_obj2nid(d->method) == NID_ad_OCSP)
			found = url_of(d->location, buf);
	}
	AUTHORITY_INFO_ACCESS_free(aia);
	if (!found)
		buf[0] = '\0';
	return buf;
}
