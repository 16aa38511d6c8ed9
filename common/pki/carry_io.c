#include "common/pki/carry_io.h"

#include <string.h>

#include <event2/event.h>

#include "common/base/jobs_io.h"
#include "common/pki/files.h"

#define MAX_JOBS 8
#define AT_NAME	 3 // words of the command
#define AT_FORM	 4
#define AT_FILE	 5
#define AT_PASS	 7
#define PASS_MIN 8

struct carry { // one command
	struct carrier *c;
	struct ctl_req *req;
	bool out, pkcs12, has_pass;
	char name[64], pass[256];
	uint8_t *in; // what came, or what the trustpoint has
	size_t in_len;
	// -- result --
	int err;
	struct pki_bundle bundle;
	uint8_t *file; // for the operator
	size_t file_len;
};

struct carrier {
	struct enroller *e;
	struct jobs *jobs;
	struct event *ready;
};

static void wipe_free(uint8_t *b, size_t len)
{
	if (b)
		explicit_bzero(b, len);
	free(b);
}

static void carry_free(struct carry *k)
{
	wipe_free(k->in, k->in_len);
	wipe_free(k->file, k->file_len);
	pki_bundle_fini(&k->bundle);
	explicit_bzero(k, sizeof(*k));
	free(k);
}

static void drop(void *job)
{
	struct carry *k = job;

	ctl_reply_error(k->req, "the daemon stops", NULL);
	carry_free(k);
}

// ---- on the thread ----

static void run_in(struct carry *k)
{
	const char *pass = k->has_pass ? k->pass : NULL;
	struct bytes b = BYTES(k->in, k->in_len);

	k->err = k->pkcs12 ? pki_from_pkcs12(b, k->has_pass ? k->pass : "", &k->bundle)
			   : pki_from_pem(b, pass, b, &k->bundle);
}

static void run_out(struct carry *k)
{
	struct bytes b = BYTES(k->in, k->in_len);

	k->err = pki_from_pem(b, NULL, b, &k->bundle);
	if (!k->err && k->pkcs12)
		k->err = pki_to_pkcs12(&k->bundle, k->name, k->pass, &k->file, &k->file_len);
	else if (!k->err)
		k->err = pki_to_pem(&k->bundle, k->pass, &k->file, &k->file_len);
}

static void run(void *job)
{
	struct carry *k = job;

	if (k->out)
		run_out(k);
	else
		run_in(k);
}

// ---- on the loop ----

static void refuse(struct ctl_req *req, int err)
{
	switch (err) {
	case -EACCES:
		ctl_reply_error(req, "the file wants another password", "… password WORD");
		break;
	case -ENOENT:
		ctl_reply_error(req, "the file holds no private key, or no certificate",
				"key, certificate and intermediates belong into one file");
		break;
	case -EKEYREJECTED:
		ctl_reply_error(req, "no certificate of the file belongs to its key", NULL);
		break;
	case -ENOSPC:
		ctl_reply_error(req, "the file holds more certificates than are right", NULL);
		break;
	default:
		ctl_reply_error(req, "the file does not decode, or its key is of no use here",
				"RSA 2048-4096 or ECDSA P-256, P-384, P-521");
	}
}

static void finish_in(struct carry *k)
{
	char why[CMP_WHY_LEN];

	if (enroller_import(k->c->e, k->name, &k->bundle, why))
		ctl_reply_error(k->req, why, NULL);
	else if (ctl_req_json(k->req))
		ctl_reply_json(k->req, json_pack("{s:b}", "imported", true));
	else
		ctl_reply_text(k->req, "% The certificate is in use from the next phase 1 on.\n");
}

static void finish(struct carry *k)
{
	if (k->err)
		refuse(k->req, k->err);
	else if (k->out)
		ctl_reply_file(k->req, AT_FILE, BYTES(k->file, k->file_len),
			       "% Key and certificates are written, encrypted.\n");
	else
		finish_in(k);
	carry_free(k);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct carrier *c = arg;
	struct carry *k;

	(void)fd, (void)what;
	while ((k = jobs_take(c->jobs)))
		finish(k);
}

static void put(struct carrier *c, struct carry *k)
{
	if (jobs_put(c->jobs, k))
		return;
	ctl_reply_error(k->req, "too many at once", "again in a moment");
	carry_free(k);
}

static struct carry *carry_new(struct carrier *c, struct ctl_req *req)
{
	const char *pass = ctl_req_word(req, AT_PASS);
	struct carry *k = calloc(1, sizeof(*k));

	BUG_ON(!k);
	k->c = c;
	k->req = req;
	k->pkcs12 = strcmp(ctl_req_word(req, AT_FORM), "pkcs12") == 0;
	k->has_pass = pass;
	snprintf(k->name, sizeof(k->name), "%s", ctl_req_word(req, AT_NAME));
	snprintf(k->pass, sizeof(k->pass), "%s", pass ? pass : "");
	return k;
}

void carrier_import(struct carrier *c, struct ctl_req *req)
{
	struct bytes file;
	struct carry *k;

	if (!ctl_req_file(req, &file)) {
		ctl_reply_want_file(req, AT_FILE);
		return;
	}
	k = carry_new(c, req);
	k->in = malloc(file.len + 1);
	BUG_ON(!k->in);
	memcpy(k->in, file.p, file.len);
	k->in_len = file.len;
	put(c, k);
}

static const struct ike_trustpoint *find(const struct ike_pki *p, const char *name)
{
	for (size_t i = 0; p && i < p->n; i++) {
		if (strcmp(p->tp[i].name, name) == 0)
			return &p->tp[i];
	}
	return NULL;
}

void carrier_export(struct carrier *c, struct ctl_req *req)
{
	const struct ike_trustpoint *tp = find(enroller_pki(c->e), ctl_req_word(req, AT_NAME));
	const char *why = !tp		   ? "no such trustpoint"
			  : !tp->enrol.set ? "its key and certificate are files of yours already"
			  : !tp->enrol.exportable ? "enrollment.exportable is not set"
			  : tp->n_own == 0	  ? "the trustpoint has no certificate yet"
			  : strlen(ctl_req_word(req, AT_PASS)) < PASS_MIN
				  ? "a password of 8 characters or more is right"
				  : NULL;
	struct carry *k;
	char *b;

	if (why) {
		ctl_reply_error(req, why, NULL);
		return;
	}
	k = carry_new(c, req);
	k->out = true;
	k->err = file_read(tp->enrol.file, PKI_FILE_MAX, &b, &k->in_len);
	k->in = (uint8_t *)b;
	if (k->err) {
		ctl_reply_error(req, "the trustpoint's file cannot be read", tp->enrol.file);
		carry_free(k);
		return;
	}
	put(c, k);
}

// ---- life ----

int carrier_new(struct event_base *base, struct enroller *e, struct carrier **out)
{
	struct carrier *c = calloc(1, sizeof(*c));
	int err = c ? jobs_new(1, MAX_JOBS, run, drop, &c->jobs) : -ENOMEM;

	*out = NULL;
	if (!err) {
		c->e = e;
		c->ready = event_new(base, jobs_fd(c->jobs), EV_READ | EV_PERSIST, on_ready, c);
		err = c->ready && event_add(c->ready, NULL) == 0 ? 0 : -ENOMEM;
	}
	if (err)
		carrier_free(c);
	else
		*out = c;
	return err;
}

void carrier_free(struct carrier *c)
{
	if (!c)
		return;
	if (c->ready)
		event_free(c->ready);
	jobs_free(c->jobs);
	free(c);
}
