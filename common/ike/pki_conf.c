#include "common/ike/pki_conf.h"

#include <time.h>

#include <unistd.h>

#include "common/base/file_io.h"
#include "common/base/log.h"
#include "common/ike/enrol_conf.h"

#define FILE_LEN 1024

struct tp_in {
	char name[64];
	char ca[FILE_LEN], chain[FILE_LEN], certificate[FILE_LEN], key[FILE_LEN], pkcs12[FILE_LEN];
	struct secret passphrase;
	int identity;
	char crl[FILE_LEN];
	struct trust_conf conf;
	struct ike_enrol enrol;
	// of the reading
	struct settings *s;
	struct set_node *n;
};

static const struct set_choice identities[] = {
	{ "address", IKE_ID_ADDRESS }, { "fqdn", IKE_ID_FQDN }, { "user-fqdn", IKE_ID_MAIL },
	{ "dn", IKE_ID_DN },	       { "auto", IKE_ID_AUTO }, { NULL, 0 }
};

static void read_method(struct settings *s, struct set_node *n, void *out)
{
	static const struct set_choice methods[] = {
		{ "none", TRUST_NONE }, { "crl", TRUST_CRL }, { "ocsp", TRUST_OCSP }, { NULL, 0 }
	};
	struct trust_conf *c = &((struct tp_in *)out)->conf;
	const char *text = settings_text(s, n);

	for (const struct set_choice *m = methods; text && m->name; m++) {
		if (strcmp(m->name, text) == 0) {
			c->methods[c->n_methods++] = (enum trust_method)m->value;
			return;
		}
	}
	if (text)
		settings_complain(s, n, "revocation",
				  "\"%s\": \"crl\", \"ocsp\" or \"none\" is right", text);
}

static void read_enrollment(struct settings *s, struct set_node *n, void *out)
{
	ike_settings_read_enrol(s, n, &((struct tp_in *)out)->enrol);
}

#define IN(field) offsetof(struct tp_in, field)
static const struct set_row tp_rows[] = {
	{ "name", SET_STR, IN(name), .size = 64, .required = true, .help = "of the trustpoint" },
	{ "ca", SET_STR, IN(ca), .size = FILE_LEN, .required = true,
	  .help = "PEM file of CA certificates that are believed" },
	{ "chain", SET_STR, IN(chain), .size = FILE_LEN, .def = "",
	  .help = "PEM file of intermediates: sent with the own certificate, known for peers" },
	{ "certificate", SET_STR, IN(certificate), .size = FILE_LEN, .def = "",
	  .help = "own certificate, PEM; its file may hold intermediates too" },
	{ "key", SET_STR, IN(key), .size = FILE_LEN, .def = "",
	  .help = "its private key, PEM: RSA 2048-4096 or ECDSA P-256, P-384, P-521" },
	{ "pkcs12", SET_STR, IN(pkcs12), .size = FILE_LEN, .def = "",
	  .help = "instead of certificate and key: both in a PKCS#12 file" },
	{ "enrollment", SET_GROUP, .each = read_enrollment,
	  .help = "instead of these: the daemon gets its certificate itself, by CMP" },
	{ "passphrase", SET_SECRET, IN(passphrase), .help = "of pkcs12 or of an encrypted key" },
	{ "identity", SET_CHOICE, IN(identity), .choices = identities, .def = "auto",
	  .help = "own phase 1 identity, out of the certificate: address, fqdn, user-fqdn, dn; "
		  "auto: fqdn if it has one, else dn" },
	{ "revocation", SET_EACH, .each = read_method, .min = 1, .max = TRUST_MAX_METHODS,
	  .required = true,
	  .help = "\"crl\", \"ocsp\", \"none\" in the order to try; without \"none\" a peer whose "
		  "status nobody knows is refused" },
	{ "crl", SET_STR, IN(crl), .size = FILE_LEN, .def = "",
	  .help = "file or http:// address; absent: the certificate's distribution point" },
	{ "ocsp", SET_STR, IN(conf.ocsp_url), .size = TRUST_URL_MAX, .def = "",
	  .help = "http:// address; absent: the one in the certificate" },
};

// ---- files ----

// A file named by word. NULL, and the complaint made, when it cannot be read.
static char *file_of(struct tp_in *in, const char *word, const char *name, size_t *len)
{
	char path[2 * FILE_LEN], *b = NULL;
	int err = settings_beside(in->s, name, path, sizeof(path))
			  ? file_read(path, PKI_FILE_MAX - 1, &b, len)
			  : -ENAMETOOLONG;

	if (err)
		settings_complain(in->s, in->n, word, "%s: %s", path, strerror(-err));
	return b;
}

static void bad_file(struct tp_in *in, const char *word, const char *file, int err)
{
	const char *why = err == -ENOENT	 ? "holds no certificate or no key"
			  : err == -EACCES	 ? "wants another passphrase"
			  : err == -EKEYREJECTED ? "key and certificate do not belong together"
			  : err == -ENOSPC	 ? "holds more certificates than are right"
			  : err == -EBADMSG	 ? "does not decode, or its key is of no use here"
						 : strerror(-err);

	settings_complain(in->s, in->n, word, "%s: %s", file, why);
}

// ---- trust ----

static bool is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0;
}

// What is still to come is no mistake.
static bool is_to_come(const struct tp_in *in, const char *path)
{
	return in->enrol.set && access(path, F_OK) < 0 && errno == ENOENT;
}

// For when the CA is accepted later.
static void keep_path(struct tp_in *in, const char *word, const char *name, char out[IKE_PATH_LEN])
{
	if (name[0] && !settings_beside(in->s, name, out, IKE_PATH_LEN))
		settings_complain(in->s, in->n, word, "the path is too long");
}

static void read_ca(struct tp_in *in, struct trust *t)
{
	size_t len = 0;
	char *pem;
	enum cert_reason why;
	int err;

	keep_path(in, "ca", in->ca, in->enrol.ca_file);
	keep_path(in, "chain", in->chain, in->enrol.chain_file);
	keep_path(in, "crl", is_url(in->crl) ? "" : in->crl, in->enrol.crl_file);
	if (is_to_come(in, in->enrol.ca_file)) {
		log_warn(CONF, NULL, "trustpoint=%s: no CA yet: crypto pki authenticate %s",
			 in->name, in->name);
		return;
	}
	pem = file_of(in, "ca", in->ca, &len);
	err = pem ? trust_add_ca(t, BYTES(pem, len), &why) : 0;
	if (err == -EINVAL)
		settings_complain(in->s, in->n, "ca",
				  "%s: %s: basicConstraints CA:TRUE is what makes a CA", in->ca,
				  cert_reason_name(why));
	else if (err)
		bad_file(in, "ca", in->ca, err);
	free(pem);
}

static void read_crl(struct tp_in *in, struct trust *t)
{
	size_t len = 0;
	char *b;
	int err;

	if (in->crl[0] == '\0' || is_url(in->crl) || trust_n_ca(t) == 0)
		return; // without a CA nobody can say whose it is
	b = file_of(in, "crl", in->crl, &len);
	err = b ? trust_add_crl(t, BYTES(b, len)) : 0;
	if (err)
		settings_complain(in->s, in->n, "crl",
				  "%s: no CRL (PEM or DER) signed by a CA of this trustpoint",
				  in->crl);
	free(b);
}

static struct trust *read_trust(struct tp_in *in)
{
	struct trust *t;
	size_t len = strlen(in->crl);

	if (is_url(in->crl) && len < sizeof(in->conf.crl_url))
		memcpy(in->conf.crl_url, in->crl, len + 1);
	else if (is_url(in->crl))
		settings_complain(in->s, in->n, "crl", "an address of up to %d octets is right",
				  TRUST_URL_MAX - 1);
	if (in->conf.ocsp_url[0] && !is_url(in->conf.ocsp_url))
		settings_complain(in->s, in->n, "ocsp", "\"%s\" does not begin with http://",
				  in->conf.ocsp_url);
	BUG_ON(trust_new(&in->conf, &t));
	read_ca(in, t);
	return t;
}

// ---- ourselves ----

static int bundle_of(struct tp_in *in, const char *pass, struct pki_bundle *b, const char **word)
{
	size_t key_len = 0, cert_len = 0;
	char *key = NULL, *cert = NULL;
	int err = -ECANCELED; // already complained about

	if (in->enrol.set) {
		*word = "enrollment.file";
		key = file_of(in, *word, in->enrol.file, &key_len);
		if (key)
			err = pki_from_pem(BYTES(key, key_len), NULL, BYTES(key, key_len), b);
	} else if (in->pkcs12[0]) {
		*word = "pkcs12";
		key = file_of(in, *word, in->pkcs12, &key_len);
		if (key)
			err = pki_from_pkcs12(BYTES(key, key_len), pass, b);
	} else {
		*word = "certificate";
		key = file_of(in, "key", in->key, &key_len);
		cert = file_of(in, *word, in->certificate, &cert_len);
		if (key && cert)
			err = pki_from_pem(BYTES(key, key_len), pass, BYTES(cert, cert_len), b);
	}
	file_free(key, key_len);
	file_free(cert, cert_len);
	return err;
}

static bool own_add(struct ike_trustpoint *tp, struct cert *c)
{
	if (cert_is_self_issued(c) && tp->n_own > 0) { // peers have their trust anchors
		cert_free(c);
		return true;
	}
	if (tp->n_own == N_ELEMS(tp->own)) {
		cert_free(c);
		return false;
	}
	tp->own[tp->n_own++] = c;
	return true;
}

static void read_chain(struct tp_in *in, struct ike_trustpoint *tp)
{
	struct cert *c[PKI_CHAIN_MAX];
	size_t len = 0, n = 0;
	char *pem;
	int err;

	if (in->chain[0] == '\0')
		return;
	pem = file_of(in, "chain", in->chain, &len);
	err = pem ? trust_add_known(tp->trust, BYTES(pem, len)) : 0;
	if (pem && !err && tp->n_own > 0)
		err = cert_from_pem(BYTES(pem, len), c, N_ELEMS(c), &n);
	for (size_t i = 0; i < n; i++) {
		if (!own_add(tp, c[i]))
			err = -ENOSPC;
	}
	if (err)
		bad_file(in, "chain", in->chain, err);
	free(pem);
}

// Would a peer with the same CA accept us?
static void judge_own(struct tp_in *in, const struct ike_trustpoint *tp)
{
	struct trust_path *path;
	int depth;
	enum cert_reason why =
		trust_path(tp->trust, time(NULL), tp->own, tp->n_own, 0, &path, &depth);

	trust_path_free(path);
	if (why == CERT_R_EXPIRED || why == CERT_R_NOT_YET_VALID)
		log_warn(CONF, NULL, "trustpoint=%s certificate=%d: %s: peers will refuse it",
			 tp->name, depth, cert_reason_name(why));
	else if (why != CERT_R_OK)
		settings_complain(in->s, in->n, "certificate",
				  "%s: peers would refuse it (certificate %d of the path): an own "
				  "certificate leads to the trustpoint's ca and may sign",
				  cert_reason_name(why), depth);
}

static void own_take(struct tp_in *in, struct ike_pki *pki, struct ike_trustpoint *tp,
		     struct pki_bundle *b)
{
	int err = ike_trustpoint_own(pki, tp, b);

	if (err == -ENOENT)
		settings_complain(in->s, in->n, "identity",
				  "the certificate has no such name; its subjectAltName has to");
	else if (err)
		bad_file(in, "key", in->key, err);
}

// Which files are our own: none is right too (it only believes). False when they contradict.
static bool own_files(struct tp_in *in, bool *any)
{
	bool files = in->certificate[0] || in->key[0];

	*any = in->enrol.set ? !is_to_come(in, in->enrol.file) : files || in->pkcs12[0];
	if (in->enrol.set && (files || in->pkcs12[0])) {
		settings_complain(in->s, in->n, "enrollment",
				  "takes the place of certificate, key and pkcs12: leave them out");
		return false;
	}
	if (in->pkcs12[0] ? files : files && (!in->certificate[0] || !in->key[0])) {
		settings_complain(in->s, in->n, "certificate",
				  "certificate and key together, or pkcs12 alone, is right");
		return false;
	}
	return true;
}

static const char *own_file(const struct tp_in *in)
{
	return in->enrol.set ? in->enrol.file : in->pkcs12[0] ? in->pkcs12 : in->certificate;
}

static void read_own(struct tp_in *in, struct ike_pki *pki, struct ike_trustpoint *tp)
{
	char pass[SECRET_MAX + 1] = "";
	struct pki_bundle b;
	const char *word;
	bool any;
	int err;

	if (!own_files(in, &any) || !any)
		return;
	memcpy(pass, in->passphrase.b, in->passphrase.len);
	err = bundle_of(in, in->passphrase.len ? pass : NULL, &b, &word);
	explicit_bzero(pass, sizeof(pass));
	if (err) {
		if (err != -ECANCELED)
			bad_file(in, word, own_file(in), err);
		return;
	}
	own_take(in, pki, tp, &b);
	pki_bundle_fini(&b);
}

void ike_settings_read_trustpoint(struct settings *s, struct set_node *n, struct ike_settings *out)
{
	struct tp_in in = { .s = s, .n = n };
	unsigned before = settings_n_errors(s);
	struct ike_trustpoint *tp;

	settings_group(s, n, tp_rows, N_ELEMS(tp_rows), &in);
	if (!out->pki)
		BUG_ON(ike_pki_new(&out->pki));
	if (settings_n_errors(s) == before && out->pki->n < IKE_MAX_TRUSTPOINTS) {
		tp = &out->pki->tp[out->pki->n++];
		snprintf(tp->name, sizeof(tp->name), "%s", in.name);
		tp->id_want = in.identity;
		tp->trust = read_trust(&in);
		tp->enrol = in.enrol;
		ike_settings_judge_enrol(s, n, out->pki);
		read_own(&in, out->pki, tp);
		read_chain(&in, tp);
		read_crl(&in, tp->trust);
		if (settings_n_errors(s) == before && tp->n_own > 0)
			judge_own(&in, tp);
	}
	secret_fini(&in.passphrase);
	secret_fini(&in.enrol.secret);
}

void ike_settings_describe_trustpoints(FILE *to)
{
	settings_describe(to, "trustpoints = ( { … } )", tp_rows, N_ELEMS(tp_rows));
	ike_settings_describe_enrol(to);
}
