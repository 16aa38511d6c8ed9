#include "common/ike/auth.h"

#include <stdlib.h>

// How far a job has come: what was found stays over its runs.
struct ike_auth_work {
	size_t n, peer; // certificates decoded; which is the peer's own
	struct cert *cert[IKE_MAX_CERTS];
	struct trust_path *path;
	struct trust *trust; // that has the path
	bool proved;	     // the signature is right
};

int ike_pki_new(struct ike_pki **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->refs = 1;
	signer_init(&(*out)->signer);
	return 0;
}

struct ike_pki *ike_pki_get(struct ike_pki *p)
{
	if (p)
		__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

static void trustpoint_fini(struct ike_trustpoint *tp)
{
	for (size_t i = 0; i < tp->n_own; i++)
		cert_free(tp->own[i]);
	trust_free(tp->trust);
	secret_fini(&tp->enrol.secret);
}

void ike_pki_put(struct ike_pki *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < p->n; i++)
		trustpoint_fini(&p->tp[i]);
	signer_fini(&p->signer);
	free(p);
}

int ike_pki_copy(const struct ike_pki *p, size_t but, struct ike_pki **out)
{
	struct ike_pki *c;
	int err = ike_pki_new(&c);

	for (size_t i = 0; !err && i < p->n; i++) {
		struct ike_trustpoint *tp = &c->tp[c->n++];

		*tp = p->tp[i];
		tp->trust = trust_get(tp->trust);
		if (i == but)
			tp->n_own = 0;
		for (size_t k = 0; k < tp->n_own; k++)
			tp->own[k] = cert_get(tp->own[k]);
		tp->signer = tp->n_own > 0 ? &c->signer : NULL;
		if (tp->signer)
			err = signer_share(&c->signer, tp->label, &p->signer, tp->label);
	}
	*out = err ? NULL : c;
	if (err)
		ike_pki_put(c);
	return err;
}

// ---- our own ----

static bool identity_try(struct ike_trustpoint *tp, const struct cert *c, uint8_t type)
{
	size_t len;

	if (cert_id(c, type, tp->id, sizeof(tp->id), &len))
		return false;
	tp->id_type = type;
	tp->id_len = (uint16_t)len;
	return true;
}

static bool identity_choose(struct ike_trustpoint *tp, const struct cert *c)
{
	switch (tp->id_want) {
	case IKE_ID_ADDRESS:
		return identity_try(tp, c, CERT_ID_IPV4) || identity_try(tp, c, CERT_ID_IPV6);
	case IKE_ID_FQDN:
		return identity_try(tp, c, CERT_ID_FQDN);
	case IKE_ID_MAIL:
		return identity_try(tp, c, CERT_ID_USER_FQDN);
	case IKE_ID_DN:
		return identity_try(tp, c, CERT_ID_DN);
	default:
		return identity_try(tp, c, CERT_ID_FQDN) || identity_try(tp, c, CERT_ID_DN);
	}
}

bool ike_cert_has_identity(const struct cert *c, int id_want)
{
	struct ike_trustpoint tp = { .id_want = id_want };

	return identity_choose(&tp, c);
}

// Room for all of a bundle: both hold the same number. What is self-issued stays behind, since
// peers have their trust anchors.
int ike_trustpoint_own(struct ike_pki *p, struct ike_trustpoint *tp, struct pki_bundle *b)
{
	int err = signer_add_pem(&p->signer, tp->name, BYTES(b->key_pem, b->key_len));

	if (err)
		return err;
	_Static_assert(sizeof(tp->label) == sizeof(tp->name),
		       "the key is called as its trustpoint");
	memcpy(tp->label, tp->name, sizeof(tp->label));
	tp->signer = &p->signer;
	tp->alg = signer_alg(&p->signer, tp->label, NULL);
	tp->own[tp->n_own++] = b->own;
	b->own = NULL;
	for (size_t i = 0; i < b->n_chain; i++) {
		if (cert_is_self_issued(b->chain[i]))
			cert_free(b->chain[i]);
		else
			tp->own[tp->n_own++] = b->chain[i];
	}
	b->n_chain = 0;
	return identity_choose(tp, tp->own[0]) ? 0 : -ENOENT;
}

struct ike_auth_job *ike_auth_job_new(void)
{
	struct ike_auth_job *j = calloc(1, sizeof(*j));

	if (j)
		j->work = calloc(1, sizeof(*j->work));
	if (j && !j->work) {
		free(j);
		return NULL;
	}
	return j;
}

void ike_auth_job_free(struct ike_auth_job *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->work->n; i++)
		cert_free(j->work->cert[i]);
	trust_path_free(j->work->path);
	trust_need_free(j->need);
	cert_free(j->who);
	ike_pki_put(j->pki);
	free(j->work);
	free(j->peer.der);
	free(j);
}

// What cannot be read is left out: RFC 4945 3.3.10.2.
static void decode(struct ike_auth_job *j)
{
	struct ike_auth_work *w = j->work;

	for (size_t i = 0; i < j->peer.n_certs && w->n < IKE_MAX_CERTS; i++) {
		if (cert_decode(j->peer.cert[i], &w->cert[w->n]) == 0)
			w->n++;
	}
}

// The peer's own certificate: the first that names the identity it claims (RFC 4945 3.3.10.3: no
// order may be expected).
static enum cert_reason pick(struct ike_auth_job *j)
{
	const struct ike_auth_verify *p = &j->peer;
	struct ike_auth_work *w = j->work;

	if (w->n == 0)
		return j->peer.n_certs > 0 ? CERT_R_MALFORMED : CERT_R_MISSING;
	if (p->id_type == CERT_ID_IPV4 || p->id_type == CERT_ID_IPV6) {
		struct addr a = addr_from_bytes(p->id, p->id_len);

		if (p->from.family && !addr_eq(&a, &p->from))
			return CERT_R_ID_MISMATCH;
	}
	for (w->peer = 0; w->peer < w->n; w->peer++) {
		if (cert_has_id(w->cert[w->peer], p->id_type, BYTES(p->id, p->id_len)))
			return pubkey_alg(cert_key(w->cert[w->peer])) == j->alg ? CERT_R_OK
										: CERT_R_KEY_KIND;
	}
	return CERT_R_ID_MISMATCH;
}

// Any trustpoint will do. Of several refusals the one that got further says more.
static enum cert_reason find_path(struct ike_auth_job *j)
{
	struct ike_auth_work *w = j->work;
	enum cert_reason best = CERT_R_ISSUER_UNKNOWN, why;
	int depth;

	for (size_t i = 0; i < j->pki->n; i++) {
		why = trust_path(j->pki->tp[i].trust, j->now, w->cert, w->n, w->peer, &w->path,
				 &depth);
		if (why == CERT_R_OK) {
			w->trust = j->pki->tp[i].trust;
			return CERT_R_OK;
		}
		if (best == CERT_R_ISSUER_UNKNOWN) {
			best = why;
			j->depth = depth;
		}
	}
	return best;
}

// IKEv1's RSA signature is over the bare hash and nothing else (RFC 2409 5.1).
static bool signature_right(struct ike_auth_job *j)
{
	const struct ike_auth_verify *p = &j->peer;
	const struct pubkey *key = cert_key(j->work->cert[j->work->peer]);
	enum rsa_form rsa = RSA_FORM_BARE;

	for (int f = 0; f < IKE_SIG_FORMS; f++) {
		if (p->try_form[f] &&
		    sign_verify(key, p->hash, p->digest[f], BYTES(p->sig, p->sig_len), &rsa) == 0) {
			j->own.form = (enum ike_sig_form)f;
			return rsa == RSA_FORM_BARE;
		}
	}
	return false;
}

static enum ike_reason of_cert(struct ike_auth_job *j, enum cert_reason why)
{
	j->cert = why;
	switch (why) {
	case CERT_R_OK:
		return IKE_R_OK;
	case CERT_R_ISSUER_UNKNOWN:
		return IKE_R_UNKNOWN_CA;
	case CERT_R_ID_MISMATCH:
		return IKE_R_BAD_ID;
	case CERT_R_NO_MEMORY:
		return IKE_R_NO_MEMORY;
	default:
		return IKE_R_BAD_CERTIFICATE;
	}
}

static enum ike_reason prove(struct ike_auth_job *j)
{
	enum cert_reason why;

	decode(j);
	why = pick(j);
	if (why == CERT_R_OK)
		why = find_path(j);
	if (why != CERT_R_OK)
		return of_cert(j, why);
	j->work->proved = signature_right(j);
	return j->work->proved ? IKE_R_OK : IKE_R_BAD_SIGNATURE;
}

static enum ike_reason verify(struct ike_auth_job *j)
{
	struct ike_auth_work *w = j->work;
	enum ike_reason why = w->proved ? IKE_R_OK : prove(j);

	if (why != IKE_R_OK)
		return why;
	j->need_of = w->trust;
	why = of_cert(j, trust_status(w->trust, j->now, w->path, &j->need, &j->depth));
	if (why == IKE_R_OK && !j->who) {
		j->who = w->cert[w->peer];
		w->cert[w->peer] = NULL;
	}
	return why;
}

static enum ike_reason sign(struct ike_auth_sign *s)
{
	if (signer_sign(s->tp->signer, s->tp->label, s->hash, s->digest[s->form], RSA_FORM_BARE,
			s->sig, &s->sig_len))
		return IKE_R_NO_CREDENTIAL;
	return IKE_R_OK;
}

void ike_auth_job_run(struct ike_auth_job *j)
{
	trust_need_free(j->need);
	j->need = NULL;
	j->rounds++;
	j->reason = j->verify ? verify(j) : IKE_R_OK;
	if (j->reason == IKE_R_OK && j->sign)
		j->reason = sign(&j->own);
}

static bool asked_for(const struct ike_trustpoint *tp, const struct bytes *cas, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (trust_has_ca(tp->trust, cas[i]))
			return true;
	}
	return false;
}

const struct ike_trustpoint *ike_auth_own(const struct ike_pki *p, enum sign_alg alg,
					  const struct bytes *cas, size_t n_cas)
{
	const struct ike_trustpoint *first = NULL;

	for (size_t i = 0; p && i < p->n; i++) {
		const struct ike_trustpoint *tp = &p->tp[i];

		if (!tp->signer || tp->alg != alg)
			continue;
		if (asked_for(tp, cas, n_cas))
			return tp;
		if (!first)
			first = tp;
	}
	return first;
}
