#include "common/crypto/dn.h"

#include <ctype.h>
#include <strings.h>

#include <openssl/err.h>

#include "common/crypto/cert_int.h"

static X509_NAME *name_decode(struct bytes der)
{
	const unsigned char *p = der.p;
	X509_NAME *n =
		der.len > 0 && der.len <= DN_MAX ? d2i_X509_NAME(NULL, &p, (long)der.len) : NULL;

	if (n && p != der.p + der.len) {
		X509_NAME_free(n);
		n = NULL;
	}
	if (!n)
		ERR_clear_error();
	return n;
}

const char *dn_text(struct bytes der, char buf[DN_STRLEN])
{
	X509_NAME *n = name_decode(der);
	BIO *bio = n ? BIO_new(BIO_s_mem()) : NULL;
	char *text = NULL;
	long len = 0;

	if (bio && X509_NAME_print_ex(bio, n, 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_get_mem_data(bio, &text);
	snprintf(buf, DN_STRLEN, "%.*s", text ? (int)len : 1, text ? text : "?");
	BIO_free(bio);
	X509_NAME_free(n);
	return buf;
}

// ---- one form of a name ----

static size_t text_fold(const uint8_t *in, size_t n, uint8_t *out)
{
	size_t len = 0;
	bool gap = false;

	for (size_t i = 0; i < n; i++) {
		if (in[i] == ' ') {
			gap = len > 0;
			continue;
		}
		if (gap)
			out[len++] = ' ';
		gap = false;
		out[len++] = (uint8_t)(in[i] < 0x80 ? tolower(in[i]) : in[i]);
	}
	return len;
}

static size_t field_put(uint8_t *out, size_t room, size_t at, const uint8_t *p, size_t n)
{
	if (at == 0 || n > 0xffff || room - at < 2 + n)
		return 0;
	out[at] = (uint8_t)(n >> 8);
	out[at + 1] = (uint8_t)n;
	memcpy(out + at + 2, p, n);
	return at + 2 + n;
}

// Its set, its type, its folded value. 0: does not fit, or is not text.
static size_t entry_fold(const X509_NAME_ENTRY *e, uint8_t *out, size_t at)
{
	const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(e);
	unsigned char *utf8 = NULL;
	int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));

	if (len < 0 || at == DN_FOLD_MAX) {
		ERR_clear_error();
		return 0;
	}
	out[at++] = (uint8_t)X509_NAME_ENTRY_set(e);
	at = field_put(out, DN_FOLD_MAX, at, OBJ_get0_data(type), OBJ_length(type));
	at = field_put(out, DN_FOLD_MAX, at, utf8, text_fold(utf8, (size_t)len, utf8));
	OPENSSL_free(utf8);
	return at;
}

size_t dn_fold(struct bytes der, uint8_t out[DN_FOLD_MAX])
{
	X509_NAME *n = name_decode(der);
	int count = n ? X509_NAME_entry_count(n) : 0;
	size_t len = 1;

	out[0] = 1; // of this form
	for (int i = 0; i < count && len > 0; i++)
		len = entry_fold(X509_NAME_get_entry(n, i), out, len);
	X509_NAME_free(n);
	return count > 0 ? len : 0;
}

// ---- reading "attribute=value, ..." ----

#define ATTR_NAME_MAX  32
#define ATTR_VALUE_MAX 128

struct attr {
	int nid;
	char value[ATTR_VALUE_MAX];
};

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

// Short names of X.520 in any case, and what people also write.
static int attr_nid(const char *name)
{
	static const struct {
		const char *name;
		int nid;
	} rows[] = {
		{ "cn", NID_commonName },
		{ "ou", NID_organizationalUnitName },
		{ "o", NID_organizationName },
		{ "c", NID_countryName },
		{ "l", NID_localityName },
		{ "st", NID_stateOrProvinceName },
		{ "dc", NID_domainComponent },
		{ "uid", NID_userId },
		{ "serialnumber", NID_serialNumber },
		{ "emailaddress", NID_pkcs9_emailAddress },
	};

	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (strcasecmp(rows[i].name, name) == 0)
			return rows[i].nid;
	}
	return NID_undef;
}

// One "attribute=value"; a backslash takes the next octet as it is. NULL when it is not that;
// otherwise where the next one begins, or the end of the text.
static const char *attr_read(const char *p, struct attr *a)
{
	char name[ATTR_NAME_MAX];
	size_t n = strcspn(p = skip_space(p), "=, \t"), v = 0, keep = 0;

	if (n == 0 || n >= sizeof(name))
		return NULL;
	memcpy(name, p, n);
	name[n] = '\0';
	p = skip_space(p + n);
	a->nid = attr_nid(name);
	if (a->nid == NID_undef || *p != '=')
		return NULL;
	for (p = skip_space(p + 1); *p && *p != ','; p++) {
		bool escaped = *p == '\\' && p[1];

		if (escaped)
			p++;
		if (v + 1 >= sizeof(a->value) || iscntrl((unsigned char)*p))
			return NULL;
		a->value[v++] = *p;
		if (escaped || *p != ' ')
			keep = v; // blanks at the end do not count
	}
	a->value[keep] = '\0';
	if (keep == 0)
		return NULL;
	if (*p == ',')
		return *skip_space(p + 1) ? p + 1 : NULL;
	return p;
}

int dn_parse(const char *text, uint8_t *der, size_t max, size_t *len)
{
	X509_NAME *name = X509_NAME_new();
	struct attr a;
	int err = name ? 0 : -ENOMEM;
	struct bytes b = { NULL, 0 };
	const unsigned char *p = NULL;

	for (const char *at = text; !err && (at == text || *at);) {
		at = attr_read(at, &a);
		if (!at)
			err = -EINVAL;
		else if (!X509_NAME_add_entry_by_NID(name, a.nid, MBSTRING_UTF8,
						     (const unsigned char *)a.value, -1, 0,
						     0)) // at the front: DER has the general first
			err = -EINVAL;			 // beyond the attribute's own limits
	}
	if (!err && i2d_X509_NAME(name, NULL) > 0 && X509_NAME_get0_der(name, &p, &b.len))
		b.p = p;
	if (!err && (!b.p || b.len > max))
		err = b.p ? -EMSGSIZE : -ENOMEM;
	if (!err)
		memcpy(der, b.p, *len = b.len);
	X509_NAME_free(name);
	ERR_clear_error();
	return err;
}

// ---- patterns ----

static bool dn_pattern_ok(const char *text)
{
	struct attr a;
	const char *at = text;
	size_t n = 0;

	do {
		at = attr_read(at, &a);
	} while (at && *at && ++n < ID_PATTERN_ATTR);
	return at && !*at;
}

// Letters, digits, '-', '_' and dots; a star only as a whole first label.
static bool host_pattern_ok(const char *p)
{
	if (p[0] == '*' && p[1] == '.')
		p += 2;
	if (!*p || *p == '.')
		return false;
	for (; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
		if (*p == '.' && p[1] == '.')
			return false;
	}
	return true;
}

int id_pattern_parse(const char *text, struct id_pattern *out, const char **why)
{
	const char *at = strchr(text, '@');

	*out = (struct id_pattern){ 0 };
	*why = NULL;
	if (strlen(text) >= sizeof(out->text))
		*why = "longer than 159 characters";
	else if (prefix_parse(text, &out->prefix) == 0)
		out->type = CERT_ID_IPV4;
	else if (strchr(text, '=')) {
		out->type = CERT_ID_DN;
		if (!dn_pattern_ok(text))
			*why = "a DN pattern is \"attribute=value, ...\" of C, O, OU, CN, L, ST, "
			       "DC, UID";
	} else if (at) {
		out->type = CERT_ID_USER_FQDN;
		if (at == text || strchr(at + 1, '*') || !host_pattern_ok(at + 1) ||
		    (memchr(text, '*', (size_t)(at - text)) && at != text + 1))
			*why = "a mail pattern is \"name@host\" or \"*@host\"";
	} else {
		out->type = CERT_ID_FQDN;
		if (!host_pattern_ok(text))
			*why = "neither an address, a name, \"*.domain\", \"*@host\" nor "
			       "\"ou=value\"";
	}
	if (*why)
		return -EINVAL;
	snprintf(out->text, sizeof(out->text), "%s", text);
	return 0;
}

// A trailing star stands for the rest, if there is some.
static bool value_match(const char *pattern, struct bytes v)
{
	size_t n = strlen(pattern);
	bool star = n > 0 && pattern[n - 1] == '*';

	if (memchr(v.p, '\0', v.len))
		return false;
	if (star)
		return v.len >= n && strncasecmp(pattern, (const char *)v.p, n - 1) == 0;
	return v.len == n && strncasecmp(pattern, (const char *)v.p, n) == 0;
}

static bool dn_has(const X509_NAME *name, const struct attr *want)
{
	bool found = false;

	for (int i = -1; !found && (i = X509_NAME_get_index_by_NID(name, want->nid, i)) >= 0;) {
		ASN1_STRING *s = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
		unsigned char *utf8 = NULL;
		int len = ASN1_STRING_to_UTF8(&utf8, s);

		found = len > 0 && value_match(want->value, BYTES(utf8, (size_t)len));
		OPENSSL_free(utf8);
	}
	return found;
}

static bool dn_match(const char *pattern, struct bytes id)
{
	X509_NAME *name = name_decode(id);
	struct attr a;
	bool ok = name;

	for (const char *at = pattern; ok && *at;)
		ok = (at = attr_read(at, &a)) && dn_has(name, &a);
	X509_NAME_free(name);
	return ok;
}

// "*.example.net" is any name that ends in ".example.net" and has something before it.
static bool host_match(const char *pattern, struct bytes id)
{
	size_t n = strlen(pattern);

	if (memchr(id.p, '\0', id.len))
		return false;
	if (pattern[0] != '*')
		return id.len == n && strncasecmp(pattern, (const char *)id.p, n) == 0;
	pattern++, n--;
	return id.len > n && id.p[0] != '.' &&
	       strncasecmp(pattern, (const char *)id.p + id.len - n, n) == 0;
}

static bool mail_match(const char *pattern, struct bytes id)
{
	const char *host = strchr(pattern, '@');
	const uint8_t *at = memchr(id.p, '@', id.len);
	size_t user, pattern_user = (size_t)(host - pattern);

	if (!at || at == id.p || memchr(id.p, '\0', id.len))
		return false;
	user = (size_t)(at - id.p);
	if (pattern[0] != '*' && (user != pattern_user || memcmp(pattern, id.p, user) != 0))
		return false;
	return host_match(host + 1, BYTES(at + 1, id.len - user - 1));
}

bool id_pattern_match(const struct id_pattern *p, uint8_t type, struct bytes id)
{
	struct addr a;

	if (id.len == 0)
		return false;
	if (p->type == CERT_ID_IPV4) {
		if (!(type == CERT_ID_IPV4 && id.len == 4) &&
		    !(type == CERT_ID_IPV6 && id.len == 16))
			return false;
		a = addr_from_bytes(id.p, id.len);
		return prefix_contains(&p->prefix, &a);
	}
	if (type != p->type)
		return false;
	switch (p->type) {
	case CERT_ID_FQDN:
		return host_match(p->text, id);
	case CERT_ID_USER_FQDN:
		return mail_match(p->text, id);
	case CERT_ID_DN:
		return dn_match(p->text, id);
	default:
		return false;
	}
}

bool id_pattern_match_cert(const struct id_pattern *p, const struct cert *c)
{
	GENERAL_NAMES *names;
	bool found = false;

	if (p->type == CERT_ID_DN)
		return id_pattern_match(p, CERT_ID_DN, cert_subject(c));
	names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *gn = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *s = gn->type == GEN_DNS     ? gn->d.dNSName
				       : gn->type == GEN_EMAIL ? gn->d.rfc822Name
				       : gn->type == GEN_IPADD ? gn->d.iPAddress
							       : NULL;
		uint8_t type = gn->type == GEN_DNS     ? CERT_ID_FQDN
			       : gn->type == GEN_EMAIL ? CERT_ID_USER_FQDN
			       : s && s->length == 4   ? CERT_ID_IPV4
						       : CERT_ID_IPV6;

		found = s && id_pattern_match(p, type, BYTES(s->data, (size_t)s->length));
	}
	GENERAL_NAMES_free(names);
	return found;
}
