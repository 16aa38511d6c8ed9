#include "common/pki/enrol_work.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/pki/files.h"

struct enrol_work *enrol_work_new(const struct ike_trustpoint *tp)
{
	struct enrol_work *w = calloc(1, sizeof(*w));

	BUG_ON(!w);
	w->conf = tp->enrol;
	w->id_want = tp->id_want;
	w->trust = trust_get(tp->trust);
	return w;
}

void enrol_work_free(struct enrol_work *w)
{
	if (!w)
		return;
	trust_free(w->trust);
	secret_fini(&w->conf.secret);
	file_free(w->pem, w->pem_len);
	free(w);
}

static void say(struct enrol_work *w, const char *fmt, ...) PRINTF(2, 3);

static void say(struct enrol_work *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

// ---- the key ----

struct text { // of a file, with the key in it
	char *p;
	size_t len;
};

static bool write_new_key(struct enrol_work *w, const char *path, const struct text *key)
{
	int err = pki_file_write(path, BYTES(key->p, key->len), PKI_MODE_KEY);

	if (err)
		say(w, "cannot write %s: %s (the folder has to belong to the daemon's user)", path,
		    strerror(-err));
	return !err;
}

static bool wants_another_key(const struct enrol_work *w)
{
	return w->kind != CMP_KUR || w->conf.new_key;
}

// The key of an earlier attempt goes on where it left off, if it is of the kind wanted by now. When
// another key than the present one is wanted, the present one lying there does not count: the
// daemon was killed after it had replaced FILE, or a renewal under the same key did not succeed.
static bool goes_on(const struct enrol_work *w, const struct text *own, const struct text *key)
{
	struct bytes left = BYTES(key->p, key->len);

	if (own->p && pki_key_same(left, BYTES(own->p, own->len)))
		return !wants_another_key(w);
	return pki_key_is(left, w->conf.key_alg, w->conf.key_bits);
}

// The key of an earlier attempt, the present one, or a fresh one.
static bool find_key(struct enrol_work *w, const struct text *own, const char *path,
		     struct text *key)
{
	struct pki_bundle b;

	if (file_read(path, PKI_FILE_MAX, &key->p, &key->len) == 0 && goes_on(w, own, key))
		return true;
	file_free(key->p, key->len);
	*key = (struct text){ 0 };
	if (own->p && !wants_another_key(w)) {
		if (pki_from_pem(BYTES(own->p, own->len), NULL, BYTES(own->p, own->len), &b)) {
			say(w, "%s cannot be read", w->conf.file);
			return false;
		}
		*key = (struct text){ b.key_pem, b.key_len };
		b.key_pem = NULL;
		pki_bundle_fini(&b);
	} else if (pki_key_new(w->conf.key_alg, w->conf.key_bits, &key->p, &key->len)) {
		say(w, "no memory for a new key");
		return false;
	}
	return write_new_key(w, path, key);
}

// ---- the CA ----

// As long as the CA says, but ever longer: a CA that says "in a second" is asked some 250 times in
// a day, and takes a sixteenth longer at most.
static int pause_s(int wait_s, int waited)
{
	return MIN_OF(MAX_OF(wait_s, waited / 16), ENROL_POLL_MAX_S);
}

// Until the CA has decided.
static bool ask(struct enrol_work *w, struct cmp *c)
{
	int wait_s, waited = 0;

	for (;;) {
		enum cmp_progress p = cmp_go_on(c, time(NULL), &wait_s);

		if (p == CMP_FAILED)
			say(w, "%s", cmp_why(c));
		if (p != CMP_WAIT)
			return p == CMP_DONE;
		wait_s = pause_s(wait_s, waited);
		waited += wait_s;
		if (waited > ENROL_POLL_TOTAL_S) {
			say(w, "the CA has not decided for a day");
			return false;
		}
		if (!w->sleep(w->arg, wait_s)) {
			say(w, "interrupted");
			return false;
		}
	}
}

static bool keep(struct enrol_work *w, const struct text *key, const struct cmp *c)
{
	struct cert *certs[TRUST_MAX_PATH];
	const struct cert *all[TRUST_MAX_PATH];
	size_t n = cmp_chain(c, certs);
	int err;

	for (size_t i = 0; i < n; i++)
		all[i] = certs[i];
	w->pem = n > 0 ? pki_join(BYTES(key->p, key->len), all, n, &w->pem_len) : NULL;
	for (size_t i = 0; i < n; i++)
		cert_free(certs[i]);
	err = w->pem ? pki_file_write(w->conf.file, BYTES(w->pem, w->pem_len), PKI_MODE_KEY)
		     : -ENOMEM;
	if (err)
		say(w, "cannot write %s: %s", w->conf.file, strerror(-err));
	return !err;
}

const char *enrol_flaw(const struct cert *c, int id_want)
{
	return ike_cert_has_identity(c, id_want) ? NULL
						 : "it has no name of the kind that identity says";
}

static const char *flaw(void *arg, const struct cert *c)
{
	const struct enrol_work *w = arg;

	return enrol_flaw(c, w->id_want);
}

static bool enrol(struct enrol_work *w, const struct text *own, const struct text *key)
{
	struct cmp_request r = { .kind = w->kind,
				 .trust = w->trust,
				 .subject = w->conf.subject,
				 .n_names = w->conf.n_names,
				 .key = BYTES(key->p, key->len),
				 .reference = w->conf.reference,
				 .secret = &w->conf.secret,
				 .own = BYTES(own->p, own->len),
				 .exchange = w->exchange,
				 .arg = w->arg,
				 .flaw = flaw,
				 .flaw_arg = w };
	struct cmp *c;
	bool ok;

	memcpy(r.name, w->conf.name, sizeof(r.name));
	if (cmp_new(&r, &c, w->why))
		return false;
	ok = ask(w, c) && keep(w, key, c);
	cmp_free(c);
	return ok;
}

void enrol_work_run(struct enrol_work *w)
{
	char path[IKE_PATH_LEN + 8];
	struct text own = { 0 }, key = { 0 };
	int err = w->kind == CMP_IR ? 0 : file_read(w->conf.file, PKI_FILE_MAX, &own.p, &own.len);

	snprintf(path, sizeof(path), "%s.new", w->conf.file);
	if (err)
		say(w, "cannot read %s: %s", w->conf.file, strerror(-err));
	else
		w->done = find_key(w, &own, path, &key) && enrol(w, &own, &key);
	if (w->done)
		unlink(path);
	file_free(own.p, own.len);
	file_free(key.p, key.len);
}
