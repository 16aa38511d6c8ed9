#include "common/ike/enrol_conf.h"

#include <string.h>

enum key_choice { KEY_EC256, KEY_EC384, KEY_EC521, KEY_RSA2048, KEY_RSA3072, KEY_RSA4096 };

static const struct {
	enum sign_alg alg;
	unsigned bits;
} key_kind[] = {
	[KEY_EC256] = { SIGN_ECDSA_P256, 0 }, [KEY_EC384] = { SIGN_ECDSA_P384, 0 },
	[KEY_EC521] = { SIGN_ECDSA_P521, 0 }, [KEY_RSA2048] = { SIGN_RSA, 2048 },
	[KEY_RSA3072] = { SIGN_RSA, 3072 },   [KEY_RSA4096] = { SIGN_RSA, 4096 },
};

static const struct set_choice keys[] = { { "ec-256", KEY_EC256 },
					  { "ec-384", KEY_EC384 },
					  { "ec-521", KEY_EC521 },
					  { "rsa-2048", KEY_RSA2048 },
					  { "rsa-3072", KEY_RSA3072 },
					  { "rsa-4096", KEY_RSA4096 },
					  { NULL, 0 } };

struct enrol_in {
	struct ike_enrol e;
	char file[IKE_PATH_LEN];
	int key;
};

static void read_name(struct settings *s, struct set_node *n, void *out)
{
	struct ike_enrol *e = &((struct enrol_in *)out)->e;
	const char *text = settings_text(s, n);

	if (text && (strlen(text) >= CMP_NAME_LEN || !cmp_name_ok(text)))
		settings_complain(s, n, "names",
				  "\"%s\" is neither a host name nor an address nor a mail address",
				  text);
	else if (text)
		snprintf(e->name[e->n_names++], CMP_NAME_LEN, "%s", text);
}

#define IN(field) offsetof(struct enrol_in, field)
static const struct set_row rows[] = {
	{ "url", SET_STR, IN(e.url), .size = TRUST_URL_MAX, .def = "",
	  .help = "CMP server: http://HOST[:PORT]/PATH; empty: crypto pki import brings the "
		  "certificate" },
	{ "file", SET_STR, IN(file), .size = IKE_PATH_LEN, .required = true,
	  .help = "where the daemon keeps its key and certificate (PEM, mode 0600): its user "
		  "writes to that folder" },
	{ "subject", SET_STR, IN(e.subject), .size = sizeof(((struct ike_enrol *)0)->subject),
	  .def = "", .help = "as \"CN=gm1, O=Example\"" },
	{ "names", SET_EACH, .each = read_name, .min = 1, .max = CMP_MAX_NAMES,
	  .help = "subjectAltName asked for: host names, addresses, mail addresses" },
	{ "key", SET_CHOICE, IN(key), .choices = keys, .def = "ec-256",
	  .help = "of new keys: ec-256, ec-384, ec-521, rsa-2048, rsa-3072, rsa-4096" },
	{ "reference", SET_STR, IN(e.reference), .size = CMP_NAME_LEN, .def = "",
	  .help = "with secret: how the CA knows us until we have a certificate" },
	{ "secret", SET_SECRET, IN(e.secret), .help = "what proves the first request" },
	{ "auto_enroll", SET_U32, IN(e.renew_percent), .max = 95, .def = "0",
	  .help = "renew after so many percent of the lifetime (10 to 95), enroll at the start "
		  "without a certificate; 0: only crypto pki enroll does" },
	{ "regenerate", SET_BOOL, IN(e.new_key), .def = "false", .help = "a new key each time" },
	{ "exportable", SET_BOOL, IN(e.exportable), .def = "false",
	  .help = "crypto pki export may hand out the key" },
	{ "ca_url", SET_STR, IN(e.ca_url), .size = TRUST_URL_MAX, .def = "",
	  .help = "http:// address of the CA's certificate, for crypto pki authenticate" },
	{ "fingerprint", SET_STR, IN(e.fingerprint), .size = CERT_FINGERPRINT_STRLEN, .def = "",
	  .help = "SHA-256 of that certificate: taken without a question when it is this one" },
};

static bool is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0;
}

static void judge(struct settings *s, struct set_node *n, const struct ike_enrol *e)
{
	if (e->url[0] && !is_url(e->url))
		settings_complain(s, n, "url", "\"%s\" does not begin with http://", e->url);
	if (e->ca_url[0] && !is_url(e->ca_url))
		settings_complain(s, n, "ca_url", "\"%s\" does not begin with http://", e->ca_url);
	if ((e->url[0] || e->renew_percent) && (!e->url[0] || !e->subject[0]))
		settings_complain(s, n, e->url[0] ? "subject" : "url",
				  "is missing: url and subject are what enrolment wants");
	else if (e->url[0] && !cmp_subject_ok(e->subject))
		settings_complain(s, n, "subject",
				  "\"%s\" is no name; \"CN=gm1, O=Example\" would be one",
				  e->subject);
	if (e->renew_percent > 0 && e->renew_percent < 10)
		settings_complain(s, n, "auto_enroll", "%u: 0, or 10 to 95 is right",
				  e->renew_percent);
	if ((e->reference[0] == '\0') != (e->secret.len == 0))
		settings_complain(s, n, "reference", "reference and secret come together");
	if (e->fingerprint[0] && !cert_fingerprint_ok(e->fingerprint))
		settings_complain(s, n, "fingerprint", "64 hexadecimal digits (SHA-256) are right");
}

void ike_settings_read_enrol(struct settings *s, struct set_node *n, struct ike_enrol *out)
{
	unsigned before = settings_n_errors(s);
	struct enrol_in in = { 0 };

	settings_group(s, n, rows, N_ELEMS(rows), &in);
	if (settings_n_errors(s) == before)
		judge(s, n, &in.e);
	if (!settings_beside(s, in.file, in.e.file, sizeof(in.e.file)))
		settings_complain(s, n, "file", "the path is too long");
	in.e.key_alg = key_kind[in.key].alg;
	in.e.key_bits = key_kind[in.key].bits;
	in.e.set = true;
	*out = in.e;
	secret_fini(&in.e.secret);
}

static bool same_path(const char *a, const char *b)
{
	return a[0] && strcmp(a, b) == 0;
}

void ike_settings_judge_enrol(struct settings *s, struct set_node *n, const struct ike_pki *pki)
{
	const struct ike_trustpoint *last = &pki->tp[pki->n - 1];
	const struct ike_enrol *e = &last->enrol;

	for (const struct ike_trustpoint *tp = pki->tp; tp < last; tp++) {
		if (strcmp(tp->name, last->name) == 0)
			settings_complain(s, n, "name", "\"%s\" is there twice", last->name);
		if (same_path(tp->enrol.file, e->file))
			settings_complain(s, n, "file", "trustpoint %s has it too", tp->name);
	}
	if (same_path(e->file, e->ca_file) || same_path(e->file, e->chain_file) ||
	    same_path(e->file, e->crl_file))
		settings_complain(
			s, n, "file",
			"is the file of ca, chain or crl; the daemon would write over it");
}

void ike_settings_describe_enrol(FILE *to)
{
	settings_describe(to, "trustpoints.enrollment = { … }", rows, N_ELEMS(rows));
}
