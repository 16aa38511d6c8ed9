// Main mode by signature: certificates, requests for them, and the jobs that sign and verify.
#include "common/ike/handshake.h"

#define REQUESTS_MAX 8	 // CAs named to the peer
#define REQUESTS_LEN 600 // octets of all of them: message 3 and 4 must not need fragments

// ---- which certificates we want, which are wanted of us ----

static void request_write(struct wr_chain *c, struct bytes ca)
{
	const struct isakmp_cert want = { ISAKMP_CERT_X509_SIG, ca };

	isakmp_cert_encode(c, ISAKMP_PL_CERTREQ, &want);
}

// Every CA we believe by name; when they are too many, one request without a name asks for
// anything (RFC 4945 3.2.7.2).
void sig_requests_write(const struct ike_sa *sa, struct wr_chain *c)
{
	const struct ike_pki *pki = sa->conf->pki;
	struct bytes ca[REQUESTS_MAX];
	size_t n = 0, len = 0;

	for (size_t i = 0; pki && i < pki->n; i++) {
		for (size_t k = 0; k < trust_n_ca(pki->tp[i].trust); k++, n++) {
			if (n < REQUESTS_MAX)
				ca[n] = trust_ca_subject(pki->tp[i].trust, k);
			len += n < REQUESTS_MAX ? ca[n].len : 0;
		}
	}
	if (n > REQUESTS_MAX || len > REQUESTS_LEN)
		request_write(c, BYTES(NULL, 0));
	else
		for (size_t i = 0; i < n; i++)
			request_write(c, ca[i]);
}

void sig_requests_keep(struct ike_sa *sa, const struct isakmp_chain *c)
{
	struct ike_handshake *hs = sa->hs;
	struct bytes ca[REQUESTS_MAX];
	const struct isakmp_pl *pl;
	size_t n = 0;

	for (size_t i = 0; n < REQUESTS_MAX && (pl = isakmp_chain_find(c, ISAKMP_PL_CERTREQ, i));
	     i++) {
		struct rd_err err = { NULL };
		struct isakmp_cert req;

		if (isakmp_cert_decode(pl->body, &req, &err) &&
		    req.encoding == ISAKMP_CERT_X509_SIG)
			ca[n++] = req.data;
	}
	// In aggressive mode an initiator has said who it is already.
	if (!main_by_signature(sa) ||
	    (hs->own && (n == 0 || (sa->aggressive && sa->role == IKE_INITIATOR))))
		return;
	if (!hs->pki)
		hs->pki = ike_pki_get(sa->conf->pki);
	hs->own = ike_auth_own(hs->pki, sa->suite.auth, ca, n);
}

void sig_own_choose(struct ike_sa *sa)
{
	struct ike_handshake *hs = sa->hs;

	hs->pki = ike_pki_get(sa->conf->pki);
	hs->own = ike_auth_own(hs->pki, sa->suite.auth, NULL, 0);
}

void sig_certs_write(const struct ike_trustpoint *tp, struct wr_chain *c)
{
	for (size_t i = 0; i < tp->n_own; i++) {
		const struct isakmp_cert cert = { ISAKMP_CERT_X509_SIG, cert_der(tp->own[i]) };

		isakmp_cert_encode(c, ISAKMP_PL_CERT, &cert);
	}
}

// ---- what is signed ----

static int digests_of(const struct ike_sa *sa, enum ike_role who, struct bytes id_body,
		      uint8_t digest[IKE_SIG_FORMS][HASH_MAX])
{
	enum hash_alg h = main_proof_hash(sa);
	struct bytes message = BYTES(digest[IKE_SIG_BARE], hash_len(h));
	int err = main_proof(sa, who, id_body, digest[IKE_SIG_BARE]);

	return err ? err : hash_parts(h, &message, 1, digest[IKE_SIG_REHASHED]);
}

static struct isakmp_id own_id(const struct ike_trustpoint *tp)
{
	return (struct isakmp_id){ .type = tp->id_type, .data = BYTES(tp->id, tp->id_len) };
}

static enum ike_reason sign_fill(struct ike_sa *sa, struct ike_auth_job *j)
{
	const struct ike_trustpoint *tp = sa->hs->own;
	uint8_t buf[IKE_ID_MAX + 16];
	struct isakmp_id id;
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	if (!tp)
		return IKE_R_NO_CREDENTIAL;
	id = own_id(tp);
	wr_init(&w, buf, sizeof(buf));
	isakmp_id_encode(&c, &id);
	if (!wr_ok(&w) ||
	    digests_of(sa, sa->role, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len), j->own.digest))
		return IKE_R_NO_MEMORY;
	j->own.form = sa->suite.auth == SIGN_RSA ||
				      ike_wire(sa->conf, &sa->peer.addr)->ecdsa_sign_bare_hash
			      ? IKE_SIG_BARE
			      : IKE_SIG_REHASHED;
	j->sign = true;
	j->own.tp = tp;
	j->own.hash = main_proof_hash(sa);
	return IKE_R_OK;
}

static int digests_fill(const struct ike_sa *sa, struct bytes id_body, struct ike_auth_verify *v)
{
	enum ike_role peer = sa->role == IKE_INITIATOR ? IKE_RESPONDER : IKE_INITIATOR;
	const struct gdoi_wire_opts *o = ike_wire(sa->conf, &sa->peer.addr);
	bool rsa = sa->suite.auth == SIGN_RSA;

	v->try_form[IKE_SIG_REHASHED] = !rsa;
	v->try_form[IKE_SIG_BARE] = rsa || o->accept_ecdsa_bare_hash || o->ecdsa_sign_bare_hash;
	v->hash = main_proof_hash(sa);
	return digests_of(sa, peer, id_body, v->digest);
}

// Certificates are copied together, since the job outlives the datagram. Other encodings, and more
// than IKE_MAX_CERTS, are left out (RFC 4945 3.3.10).
static enum ike_reason certs_fill(const struct isakmp_chain *c, struct ike_auth_verify *v)
{
	const struct isakmp_pl *pl;
	struct isakmp_cert cert;
	size_t at = 0;

	v->der = malloc(c->all.len);
	if (!v->der)
		return IKE_R_NO_MEMORY;
	for (size_t i = 0;
	     v->n_certs < IKE_MAX_CERTS && (pl = isakmp_chain_find(c, ISAKMP_PL_CERT, i)); i++) {
		struct rd_err err = { NULL };

		if (!isakmp_cert_decode(pl->body, &cert, &err) ||
		    cert.encoding != ISAKMP_CERT_X509_SIG || cert.data.len == 0)
			continue;
		memcpy(v->der + at, cert.data.p, cert.data.len);
		v->cert[v->n_certs++] = BYTES(v->der + at, cert.data.len);
		at += cert.data.len;
	}
	return IKE_R_OK;
}

static enum ike_reason verify_fill(struct ike_sa *sa, const struct isakmp_chain *c,
				   struct bytes id_body, struct ike_auth_job *j,
				   const char **detail)
{
	struct bytes sig = pl_body_of(c, ISAKMP_PL_SIG);
	struct ike_auth_verify *v = &j->peer;
	struct isakmp_id id;
	enum ike_reason why = main_id_check(id_body, &id, detail);

	if (why == IKE_R_OK && (sig.len == 0 || sig.len > SIG_MAX))
		why = IKE_R_BAD_SIGNATURE;
	if (why == IKE_R_OK && digests_fill(sa, id_body, v))
		why = IKE_R_NO_MEMORY;
	if (why == IKE_R_OK)
		why = certs_fill(c, v);
	if (why != IKE_R_OK)
		return why;
	j->verify = true;
	v->id_type = id.type;
	v->id_len = (uint16_t)id.data.len;
	memcpy(v->id, id.data.p, id.data.len);
	if (!sa->peer_behind_nat)
		v->from = sa->peer.addr;
	v->sig_len = (uint16_t)sig.len;
	memcpy(v->sig, sig.p, sig.len);
	return IKE_R_OK;
}

// ---- jobs and messages ----

static struct ike_auth_job *job_new(const struct ike_sa *sa)
{
	struct ike_auth_job *j = ike_auth_job_new();

	if (!j)
		return NULL;
	j->pki = ike_pki_get(sa->hs->pki ? sa->hs->pki : sa->conf->pki);
	memcpy(j->cky_i, sa->cky_i, sizeof(j->cky_i));
	memcpy(j->cky_r, sa->cky_r, sizeof(j->cky_r));
	j->alg = sa->suite.auth;
	j->now = sa->conf->wall_clock();
	return j;
}

static enum ike_reason lend(struct ike_sa *sa, struct ike_auth_job *j, enum ike_reason why,
			    struct ike_out *out)
{
	if (why != IKE_R_OK) {
		ike_auth_job_free(j);
		return why;
	}
	do {
		sa->hs->auth_tag = rng_u64(sa->conf->rng);
	} while (sa->hs->auth_tag == 0);
	j->tag = sa->hs->auth_tag;
	out->auth = j;
	return IKE_R_OK;
}

enum ike_reason sig_start(struct ike_sa *sa, struct ike_out *out)
{
	struct ike_auth_job *j = job_new(sa);

	return j ? lend(sa, j, sign_fill(sa, j), out) : IKE_R_NO_MEMORY;
}

enum ike_reason sig_judge(struct ike_sa *sa, const struct isakmp_chain *c, struct bytes id_body,
			  bool sign, struct ike_out *out)
{
	struct ike_auth_job *j = job_new(sa);
	enum ike_reason why = j ? verify_fill(sa, c, id_body, j, &out->detail) : IKE_R_NO_MEMORY;

	if (why == IKE_R_OK && sign)
		why = sign_fill(sa, j);
	if (why == IKE_R_OK)
		main_notifies_keep(sa, c);
	return lend(sa, j, why, out);
}

// 5  HDR*, IDii, CERT.., [CERTREQ..,] SIG_I    6  HDR*, IDir, CERT.., SIG_R
enum ike_reason sig_in_5_6(struct ike_sa *sa, const struct isakmp_chain *c, struct ike_out *out)
{
	bool sign = sa->role == IKE_RESPONDER;

	if (sign)
		sig_requests_keep(sa, c);
	return sig_judge(sa, c, pl_body_of(c, ISAKMP_PL_ID), sign, out);
}

enum ike_reason sig_out_5_6(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out)
{
	const struct ike_trustpoint *tp = j->own.tp;
	struct isakmp_id id = own_id(tp);
	struct wr w;
	struct wr_chain c = main_begin(sa, &w, ISAKMP_FLAG_E, out);

	isakmp_id_encode(&c, &id);
	sig_certs_write(tp, &c);
	if (sa->role == IKE_INITIATOR)
		sig_requests_write(sa, &c);
	wr_pl(&c, ISAKMP_PL_SIG, BYTES(j->own.sig, j->own.sig_len));
	return wr_ok(&w) ? main_encrypt(sa, &w, out) : IKE_R_NO_MEMORY;
}
