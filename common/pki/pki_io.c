#include "common/pki/pki_io.h"

#include <string.h>
#include <time.h>

#include "common/base/events.h"
#include "common/crypto/dn.h"
#include "common/pki/carry_io.h"
#include "common/pki/fetch_io.h"
#include "common/pki/files.h"
#include "common/pki/show.h"

#define CA_MAX	    65536
#define MAX_CA_ASKS 8

struct ca_ask { // an authenticate that waits for its certificate
	struct pki_io *p;
	struct ctl_req *req; // NULL: free
	char name[64], url[TRUST_URL_MAX], accept[CERT_FINGERPRINT_STRLEN];
};

struct pki_io {
	struct enrol_hooks h;
	struct enroller *e;
	struct carrier *carrier;
	struct fetcher *fetcher;
	struct ca_ask ca[MAX_CA_ASKS];
};

static void said(struct ctl_req *req, const char *text)
{
	struct ctl_text t = { 0 };

	if (ctl_req_json(req)) {
		ctl_reply_json(req, json_pack("{s:s}", "result", text));
		return;
	}
	ctl_text_add(&t, "%% %s\n", text);
	ctl_reply_text_take(req, &t);
}

static struct ike_trustpoint *find(const struct pki_io *p, const char *name, size_t *at)
{
	struct ike_pki *pki = enroller_pki(p->e);

	for (*at = 0; pki && *at < pki->n; (*at)++) {
		if (strcmp(pki->tp[*at].name, name) == 0)
			return &pki->tp[*at];
	}
	return NULL;
}

// ---- enroll ----

static void on_enrolled(void *arg, bool ok, const char *text)
{
	if (ok)
		said(arg, text);
	else
		ctl_reply_error(arg, text, "show crypto pki trustpoints status tells more");
}

static void enroll(struct pki_io *p, struct ctl_req *req)
{
	enroller_enroll(p->e, ctl_req_word(req, 3), ctl_req_word(req, 4) != NULL, on_enrolled, req);
}

static void cancel(struct pki_io *p, struct ctl_req *req)
{
	size_t at;
	const char *name = ctl_req_word(req, 4);
	const struct ike_trustpoint *tp = find(p, name, &at);

	if (!tp)
		ctl_reply_error(req, "no such trustpoint", NULL);
	else if (!enroller_cancel(p->e, name))
		ctl_reply_error(req, "no enrolment is under way", NULL);
	else
		said(req, tp->enrol.renew_percent ? "given up; auto_enroll asks again by itself"
						  : "given up");
}

// ---- authenticate ----

static struct cert *ca_decode(struct bytes body)
{
	struct cert *c;
	size_t n;

	if (cert_from_pem(body, &c, 1, &n) == 0)
		return c;
	return cert_decode(body, &c) == 0 ? c : NULL;
}

static int add_file(struct trust *t, const char *path, int (*add)(struct trust *t, struct bytes b))
{
	size_t len;
	char *b;
	int err = path[0] ? file_read(path, PKI_FILE_MAX, &b, &len) : -ENODATA;

	if (err)
		return err == -ENODATA ? 0 : err;
	err = add(t, BYTES(b, len));
	file_free(b, len);
	return err;
}

// What the configuration would have read, had the CA been there. NULL and *why.
static struct trust *trust_of(const struct ike_trustpoint *tp, const char *pem, const char **why)
{
	enum cert_reason bad;
	struct trust *t;

	*why = trust_new(trust_conf(tp->trust), &t) ? "no memory" : NULL;
	if (!*why && trust_add_ca(t, BYTES(pem, strlen(pem)), &bad))
		*why = cert_reason_name(bad);
	if (!*why && add_file(t, tp->enrol.chain_file, trust_add_known))
		*why = "the chain file cannot be read";
	if (!*why && add_file(t, tp->enrol.crl_file, trust_add_crl))
		*why = "the crl file holds no CRL of this CA";
	if (!*why)
		return t;
	trust_free(t);
	return NULL;
}

static const char *ca_put_to_use(struct pki_io *p, size_t at, const char *pem)
{
	const char *why = NULL;
	struct ike_pki *next;
	struct trust *t;

	if (ike_pki_copy(enroller_pki(p->e), SIZE_MAX, &next))
		return "no memory";
	t = trust_of(&next->tp[at], pem, &why);
	if (!t) {
		ike_pki_put(next);
		return why;
	}
	trust_free(next->tp[at].trust);
	next->tp[at].trust = t;
	p->h.take(p->h.arg, next);
	enroller_config(p->e);
	return NULL;
}

static const char *ca_keep(struct pki_io *p, const char *name, const char *pem)
{
	size_t at;
	const struct ike_trustpoint *tp = find(p, name, &at);
	const char *why = tp ? ca_put_to_use(p, at, pem) : "the trustpoint is gone";

	if (why)
		return why;
	tp = find(p, name, &at); // of the pki that is in force now
	if (pki_file_write(tp->enrol.ca_file, BYTES(pem, strlen(pem)), PKI_MODE_CERT))
		return "in use until the next start: the folder of the ca file cannot be written";
	return NULL;
}

static void ca_take(struct ca_ask *a, const struct cert *c, struct ctl_req *req)
{
	const struct cert *const one[] = { c };
	char print[CERT_FINGERPRINT_STRLEN], dn[DN_STRLEN], *pem = cert_to_pem(one, 1);
	const char *why = pem ? ca_keep(a->p, a->name, pem) : "no memory";

	free(pem);
	if (why) {
		ctl_reply_error(req, why, NULL);
		return;
	}
	event_log(EV_PKI_CA, NULL, "trustpoint=%s ca=\"%s\" sha256=%s", a->name,
		  dn_text(cert_subject(c), dn), cert_fingerprint(c, print));
	said(req, "Trustpoint CA certificate accepted.");
}

// What IOS shows before it asks "Do you accept this certificate?". Here the answer is the same
// command with the fingerprint, so that a script has to know it too.
static void ca_present(const struct ca_ask *a, const struct cert *c, struct ctl_req *req)
{
	char print[CERT_FINGERPRINT_STRLEN], dn[DN_STRLEN];
	struct ctl_text t = { 0 };

	dn_text(cert_subject(c), dn);
	cert_fingerprint(c, print);
	if (ctl_req_json(req)) {
		ctl_reply_json(req, json_pack("{s:b, s:s, s:s}", "accepted", false, "subject", dn,
					      "fingerprint_sha256", print));
		return;
	}
	ctl_text_add(&t,
		     "Certificate has the following attributes:\n"
		     "       Subject: %s\n"
		     "  Fingerprint SHA256: %s\n\n"
		     "%% Nothing is accepted yet. When the CA's people confirm this fingerprint:\n"
		     "  crypto pki authenticate %s fingerprint %s\n",
		     dn, print, a->name, print);
	ctl_reply_text_take(req, &t);
}

static void ca_judge(struct ca_ask *a, const struct cert *c, struct ctl_req *req)
{
	size_t at;
	const struct ike_trustpoint *tp = find(a->p, a->name, &at);
	const char *want = a->accept[0] ? a->accept : tp ? tp->enrol.fingerprint : "";

	if (!cert_is_ca(c))
		ctl_reply_error(req, "what came is no CA certificate (basicConstraints)", a->url);
	else if (want[0] && !cert_fingerprint_is(c, want))
		ctl_reply_error(req, "the fingerprint is another one: this is not the CA you mean",
				"crypto pki authenticate NAME shows what came");
	else if (want[0])
		ca_take(a, c, req);
	else
		ca_present(a, c, req);
}

static void on_ca(void *arg, int status, struct bytes body)
{
	struct ca_ask *a = arg;
	struct ctl_req *req = a->req;
	struct cert *c = body.len > 0 ? ca_decode(body) : NULL;
	char text[TRUST_URL_MAX + 64];

	if (c) {
		ca_judge(a, c, req);
	} else {
		snprintf(text, sizeof(text), "no certificate from %s (HTTP status %d, %zu octets)",
			 a->url, status, body.len);
		ctl_reply_error(req, text, "is enrollment.ca_url right?");
	}
	cert_free(c);
	a->req = NULL;
}

static struct ca_ask *free_ask(struct pki_io *p)
{
	for (size_t i = 0; i < N_ELEMS(p->ca); i++) {
		if (!p->ca[i].req)
			return &p->ca[i];
	}
	return NULL;
}

static void authenticate(struct pki_io *p, struct ctl_req *req)
{
	const char *name = ctl_req_word(req, 3), *accept = ctl_req_word(req, 5);
	struct fetch_ask ask = { .max = CA_MAX };
	size_t at;
	const struct ike_trustpoint *tp = find(p, name, &at);
	struct ca_ask *a = free_ask(p);
	const char *why = !tp  ? "no such trustpoint"
			  : !a ? "too many at once"
			  : trust_n_ca(tp->trust) > 0
				  ? "the trustpoint has its CA: remove the ca file and reload first"
			  : tp->enrol.ca_url[0] == '\0'
				  ? "the trustpoint has no enrollment.ca_url in the configuration"
			  : accept && !cert_fingerprint_ok(accept)
				  ? "a fingerprint is 64 hexadecimal digits (SHA-256)"
				  : NULL;

	if (why) {
		ctl_reply_error(req, why, NULL);
		return;
	}
	*a = (struct ca_ask){ .p = p, .req = req };
	snprintf(a->name, sizeof(a->name), "%s", name);
	memcpy(a->url, tp->enrol.ca_url, sizeof(a->url));
	snprintf(a->accept, sizeof(a->accept), "%s", accept ? accept : "");
	ask.url = a->url;
	if (fetch_start(p->fetcher, &ask, on_ca, a))
		on_ca(a, 0, BYTES(NULL, 0));
}

// ---- show ----

static const struct {
	const char *word;
	void (*text)(const struct pki_view *v, struct ctl_text *t);
	json_t *(*json)(const struct pki_view *v);
} shows[] = {
	{ "certificates", pki_show_certificates, pki_show_certificates_json },
	{ "trustpoints", pki_show_trustpoints, pki_show_trustpoints_json },
	{ "crls", pki_show_crls, pki_show_crls_json },
};

static void show(struct pki_io *p, struct ctl_req *req)
{
	const char *what = ctl_req_word(req, 3), *more = ctl_req_word(req, 4);
	struct pki_view v = { .pki = enroller_pki(p->e), .e = p->e, .now = time(NULL) };
	struct ctl_text t = { 0 };

	v.status = what[0] == 't' && more;
	v.name = what[0] == 'c' ? more : NULL;
	for (size_t i = 0; i < N_ELEMS(shows); i++) {
		if (strcmp(shows[i].word, what) != 0)
			continue;
		if (ctl_req_json(req)) {
			ctl_reply_json(req, shows[i].json(&v));
			return;
		}
		shows[i].text(&v, &t);
	}
	ctl_reply_text_take(req, &t);
}

void pki_io_command(struct pki_io *p, struct ctl_req *req)
{
	const char *what = ctl_req_word(req, 2);

	if (strcmp(ctl_req_word(req, 0), "show") == 0)
		show(p, req);
	else if (strcmp(ctl_req_word(req, 0), "no") == 0)
		cancel(p, req);
	else if (strcmp(what, "enroll") == 0)
		enroll(p, req);
	else if (strcmp(what, "import") == 0)
		carrier_import(p->carrier, req);
	else if (strcmp(what, "export") == 0)
		carrier_export(p->carrier, req);
	else
		authenticate(p, req);
}

// ---- life ----

int pki_io_new(struct event_base *base, struct rng *rng, const struct enrol_hooks *h,
	       struct pki_io **out)
{
	struct pki_io *p = calloc(1, sizeof(*p));
	int err = p ? fetcher_new(base, &p->fetcher) : -ENOMEM;

	*out = NULL;
	if (!err) {
		p->h = *h;
		err = enroller_new(base, rng, h, &p->e);
	}
	if (!err)
		err = carrier_new(base, p->e, &p->carrier);
	if (err)
		pki_io_free(p);
	else
		*out = p;
	return err;
}

void pki_io_free(struct pki_io *p)
{
	if (!p)
		return;
	carrier_free(p->carrier);
	enroller_free(p->e);
	fetcher_free(p->fetcher);
	for (size_t i = 0; i < N_ELEMS(p->ca); i++) {
		if (p->ca[i].req)
			ctl_reply_error(p->ca[i].req, "the daemon stops", NULL);
	}
	free(p);
}

void pki_io_config(struct pki_io *p)
{
	enroller_config(p->e);
}
