#include "common/pki/show.h"

#include <string.h>
#include <time.h>

#include "common/crypto/dn.h"

#define TIME_STRLEN 40
#define MAX_CRLS    TRUST_MAX_CRL

static const char *time_text(int64_t at, char buf[TIME_STRLEN])
{
	time_t t = (time_t)at;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(buf, TIME_STRLEN, "%H:%M:%S UTC %b %-d %Y", &tm) == 0)
		snprintf(buf, TIME_STRLEN, "%lld", (long long)at);
	return buf;
}

static bool wanted(const struct pki_view *v, const struct ike_trustpoint *tp)
{
	return !v->name || strcmp(v->name, tp->name) == 0;
}

// How a certificate stands in time.
static const char *standing(const struct cert *c, int64_t now)
{
	enum renew_stage s = renew_stage(cert_not_before(c), cert_not_after(c), now);

	return now < cert_not_before(c) ? "Not yet valid"
	       : s == RENEW_EXPIRED	? "Expired"
	       : s != RENEW_FINE	? "Expires soon"
					: "Available";
}

// ---- certificates ----

struct kind {
	const char *title, *json;
};
static const struct kind own_kind = { "Certificate", "own" },
			 chain_kind = { "Intermediate CA Certificate", "intermediate" },
			 ca_kind = { "CA Certificate", "ca" };

static void line(struct ctl_text *t, const char *label, const char *value)
{
	if (value[0])
		ctl_text_add(t, "  %s: %s\n", label, value);
}

static void block(struct ctl_text *t, const char *label, const char *value)
{
	if (value[0])
		ctl_text_add(t, "  %s:\n    %s\n", label, value);
}

static void cert_text(const struct pki_view *v, const struct ike_trustpoint *tp,
		      const struct cert *c, const struct kind *k, struct ctl_text *t)
{
	struct enrol_status st;
	char a[CERT_INFO_STRLEN], dn[DN_STRLEN], at[TIME_STRLEN], key[32];

	ctl_text_add(t, "%s\n  Status: %s\n", k->title, standing(c, v->now));
	line(t, "Certificate Serial Number (hex)", cert_serial(c, a, sizeof(a)));
	line(t, "Certificate Usage", cert_usage_text(c, a));
	line(t, "Extended Key Usage", cert_ext_usage_text(c, a));
	block(t, "Issuer", dn_text(cert_issuer(c), dn));
	block(t, "Subject", dn_text(cert_subject(c), dn));
	block(t, "Subject Alternative Names", cert_names_text(c, a));
	block(t, "CRL Distribution Points", cert_crl_url(c, a));
	block(t, "OCSP Responder", cert_ocsp_url(c, a));
	ctl_text_add(t, "  Validity Date:\n    start date: %s\n",
		     time_text(cert_not_before(c), at));
	ctl_text_add(t, "    end   date: %s\n", time_text(cert_not_after(c), at));
	if (k == &own_kind && enroller_status(v->e, tp->name, &st) && st.renew)
		ctl_text_add(t, "    renew date: %s\n", time_text(st.renew, at));
	line(t, "Public Key", cert_key_text(c, key));
	line(t, "Fingerprint SHA256", cert_fingerprint(c, a));
	ctl_text_add(t, "  Associated Trustpoints: %s\n\n", tp->name);
}

static json_t *cert_json(const struct pki_view *v, const struct ike_trustpoint *tp,
			 const struct cert *c, const struct kind *k)
{
	char a[CERT_INFO_STRLEN], dn[DN_STRLEN], key[32];
	json_t *o = json_object();

	json_object_set_new(o, "trustpoint", json_string(tp->name));
	json_object_set_new(o, "kind", json_string(k->json));
	json_object_set_new(o, "status", json_string(standing(c, v->now)));
	json_object_set_new(o, "serial", json_string(cert_serial(c, a, sizeof(a))));
	json_object_set_new(o, "subject", json_string(dn_text(cert_subject(c), dn)));
	json_object_set_new(o, "issuer", json_string(dn_text(cert_issuer(c), dn)));
	json_object_set_new(o, "names", json_string(cert_names_text(c, a)));
	json_object_set_new(o, "key", json_string(cert_key_text(c, key)));
	json_object_set_new(o, "usage", json_string(cert_usage_text(c, a)));
	json_object_set_new(o, "extended_usage", json_string(cert_ext_usage_text(c, a)));
	json_object_set_new(o, "not_before", json_integer(cert_not_before(c)));
	json_object_set_new(o, "not_after", json_integer(cert_not_after(c)));
	json_object_set_new(o, "fingerprint_sha256", json_string(cert_fingerprint(c, a)));
	json_object_set_new(o, "crl_url", json_string(cert_crl_url(c, a)));
	json_object_set_new(o, "ocsp_url", json_string(cert_ocsp_url(c, a)));
	return o;
}

typedef void each_cert(const struct pki_view *v, const struct ike_trustpoint *tp,
		       const struct cert *c, const struct kind *k, void *arg);

// Our own, what goes with it, then the CAs.
static void for_certs(const struct pki_view *v, each_cert *each, void *arg)
{
	for (size_t i = 0; v->pki && i < v->pki->n; i++) {
		const struct ike_trustpoint *tp = &v->pki->tp[i];

		if (!wanted(v, tp))
			continue;
		for (size_t k = 0; k < tp->n_own; k++)
			each(v, tp, tp->own[k], k ? &chain_kind : &own_kind, arg);
		for (size_t k = 0; k < trust_n_ca(tp->trust); k++) {
			struct cert *ca = trust_ca(tp->trust, k);

			if (ca)
				each(v, tp, ca, &ca_kind, arg);
			cert_free(ca);
		}
	}
}

static void each_text(const struct pki_view *v, const struct ike_trustpoint *tp,
		      const struct cert *c, const struct kind *k, void *arg)
{
	cert_text(v, tp, c, k, arg);
}

static void each_json(const struct pki_view *v, const struct ike_trustpoint *tp,
		      const struct cert *c, const struct kind *k, void *arg)
{
	json_array_append_new(arg, cert_json(v, tp, c, k));
}

void pki_show_certificates(const struct pki_view *v, struct ctl_text *t)
{
	for_certs(v, each_text, t);
}

json_t *pki_show_certificates_json(const struct pki_view *v)
{
	json_t *list = json_array();

	for_certs(v, each_json, list);
	return json_pack("{s:o}", "certificates", list);
}

// ---- trustpoints ----

static const char *methods_text(const struct trust_conf *c, char *buf, size_t size)
{
	static const char *const names[] = { "none", "crl", "ocsp" };
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < c->n_methods && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? " " : "",
				      names[c->methods[i]]);
	return buf;
}

static void named_cert(struct ctl_text *t, const char *title, const struct cert *c)
{
	char a[CERT_INFO_STRLEN], dn[DN_STRLEN];

	ctl_text_add(t, "  %s:\n    Subject Name:\n     %s\n", title, dn_text(cert_subject(c), dn));
	ctl_text_add(t, "    Serial Number (hex): %s\n", cert_serial(c, a, sizeof(a)));
	ctl_text_add(t, "    Fingerprint SHA256: %s\n", cert_fingerprint(c, a));
}

static void enrolment_text(const struct pki_view *v, const struct ike_trustpoint *tp,
			   struct ctl_text *t)
{
	struct enrol_status st = { 0 };
	char at[TIME_STRLEN];
	int64_t next;

	enroller_status(v->e, tp->name, &st);
	if (st.running)
		ctl_text_add(t, "  Enrollment under way\n");
	if (st.last[0])
		ctl_text_add(t, "  Last enrollment (%s):\n    %s\n", time_text(st.last_at, at),
			     st.last);
	if (st.failures)
		ctl_text_add(t, "  Failed attempts: %u\n", st.failures);
	next = st.retry ? st.retry : st.renew;
	if (next)
		ctl_text_add(t, "  Next enrollment attempt:\n    %s\n", time_text(next, at));
	ctl_text_add(t,
		     "  State:\n"
		     "    Keys generated ............. %s\n"
		     "    Issuing CA authenticated ... %s\n"
		     "    Certificate request(s) ..... %s\n",
		     tp->n_own ? "Yes (General Purpose)" : "No",
		     trust_n_ca(tp->trust) ? "Yes" : "No",
		     tp->n_own	  ? "Yes"
		     : st.running ? "Pending"
				  : "None");
}

static void trustpoint_text(const struct pki_view *v, const struct ike_trustpoint *tp,
			    struct ctl_text *t)
{
	const struct trust_conf *c = trust_conf(tp->trust);
	char m[64];

	ctl_text_add(t, "Trustpoint %s:\n", tp->name);
	for (size_t i = 0; i < trust_n_ca(tp->trust); i++) {
		struct cert *ca = trust_ca(tp->trust, i);

		if (ca)
			named_cert(t, "Issuing CA certificate configured", ca);
		cert_free(ca);
	}
	if (trust_n_ca(tp->trust) == 0)
		ctl_text_add(t, "  CA certificate not configured\n");
	if (tp->n_own > 0)
		named_cert(t, "Router General Purpose certificate configured", tp->own[0]);
	line(t, "Enrollment URL", tp->enrol.url);
	line(t, "Revocation check", methods_text(c, m, sizeof(m)));
	line(t, "CRL from", c->crl_url);
	line(t, "OCSP from", c->ocsp_url);
	if (v->status)
		enrolment_text(v, tp, t);
	ctl_text_add(t, "\n");
}

static json_t *trustpoint_json(const struct pki_view *v, const struct ike_trustpoint *tp)
{
	const struct trust_conf *c = trust_conf(tp->trust);
	struct enrol_status st = { 0 };
	json_t *o = json_object();
	char m[64];

	enroller_status(v->e, tp->name, &st);
	json_object_set_new(o, "name", json_string(tp->name));
	json_object_set_new(o, "cas", json_integer((json_int_t)trust_n_ca(tp->trust)));
	json_object_set_new(o, "certificate", json_boolean(tp->n_own > 0));
	json_object_set_new(o, "enrollment_url", json_string(tp->enrol.url));
	json_object_set_new(o, "revocation", json_string(methods_text(c, m, sizeof(m))));
	json_object_set_new(o, "crl_url", json_string(c->crl_url));
	json_object_set_new(o, "ocsp_url", json_string(c->ocsp_url));
	json_object_set_new(o, "enrolling", json_boolean(st.running));
	json_object_set_new(o, "failures", json_integer(st.failures));
	json_object_set_new(o, "renew_at", json_integer(st.renew));
	json_object_set_new(o, "retry_at", json_integer(st.retry));
	json_object_set_new(o, "last", json_string(st.last));
	json_object_set_new(o, "last_at", json_integer(st.last_at));
	return o;
}

void pki_show_trustpoints(const struct pki_view *v, struct ctl_text *t)
{
	for (size_t i = 0; v->pki && i < v->pki->n; i++)
		trustpoint_text(v, &v->pki->tp[i], t);
}

json_t *pki_show_trustpoints_json(const struct pki_view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; v->pki && i < v->pki->n; i++)
		json_array_append_new(list, trustpoint_json(v, &v->pki->tp[i]));
	return json_pack("{s:o}", "trustpoints", list);
}

// ---- CRLs ----

void pki_show_crls(const struct pki_view *v, struct ctl_text *t)
{
	struct trust_crl_info crl[MAX_CRLS];
	char at[TIME_STRLEN];

	for (size_t i = 0; v->pki && i < v->pki->n; i++) {
		size_t n = trust_crls(v->pki->tp[i].trust, crl, N_ELEMS(crl));

		for (size_t k = 0; k < n; k++) {
			ctl_text_add(t, "CRL Issuer Name:\n    %s\n", crl[k].issuer);
			ctl_text_add(t, "    LastUpdate: %s (%lld seconds ago)\n",
				     time_text(crl[k].this_update, at),
				     (long long)(v->now - crl[k].this_update));
			ctl_text_add(t, "    NextUpdate: %s\n", time_text(crl[k].next_update, at));
			ctl_text_add(t, "    Revoked certificates: %zu\n", crl[k].n_revoked);
			ctl_text_add(t, "    Associated Trustpoints: %s\n\n", v->pki->tp[i].name);
		}
	}
}

json_t *pki_show_crls_json(const struct pki_view *v)
{
	struct trust_crl_info crl[MAX_CRLS];
	json_t *list = json_array();

	for (size_t i = 0; v->pki && i < v->pki->n; i++) {
		size_t n = trust_crls(v->pki->tp[i].trust, crl, N_ELEMS(crl));

		for (size_t k = 0; k < n; k++)
			json_array_append_new(
				list, json_pack("{s:s, s:s, s:I, s:I, s:I}", "trustpoint",
						v->pki->tp[i].name, "issuer", crl[k].issuer,
						"last_update", (json_int_t)crl[k].this_update,
						"next_update", (json_int_t)crl[k].next_update,
						"revoked", (json_int_t)crl[k].n_revoked));
	}
	return json_pack("{s:o}", "crls", list);
}
