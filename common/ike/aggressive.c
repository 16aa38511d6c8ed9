// Aggressive mode: three messages, nothing hidden. Where it shares a step with main mode, it uses
// that one (main_mode.c, main_sig.c).
#include "common/ike/aggressive.h"

#include "common/crypto/prf.h"
#include "common/ike/handshake.h"
#include "common/ike/natt.h"
#include "common/ike/proposal.h"

#define SLOT_LIFE_S   10
#define DH_PER_SECOND 25
#define DH_NEWCOMERS  10 // of these, for sources that have no place: a few busy ones leave room
#define OPTIONAL                                                                                   \
	(PL_BIT(ISAKMP_PL_VID) | PL_BIT(ISAKMP_PL_NAT_D) | PL_BIT(ISAKMP_PL_CERTREQ) |             \
	 PL_BIT(ISAKMP_PL_NOTIFY))
#define VALUES                                                                                     \
	(PL_BIT(ISAKMP_PL_SA) | PL_BIT(ISAKMP_PL_KE) | PL_BIT(ISAKMP_PL_NONCE) |                   \
	 PL_BIT(ISAKMP_PL_ID))

static const struct ike_row rows[] = {
	// 1  HDR, SA, KE, Ni, IDii [, CERTREQ..]
	{ IKE_R_WAIT_KE, IKE_R_DERIVE, false, { VALUES, 0, OPTIONAL }, ISAKMP_PL_SA },
	// 2  HDR, SA, KE, Nr, IDir, HASH_R [, NAT-D..]
	{ IKE_I_WAIT_KE,
	  IKE_I_DERIVE,
	  false,
	  { VALUES | PL_BIT(ISAKMP_PL_HASH), 0, OPTIONAL },
	  ISAKMP_PL_SA },
	// 3  HDR, HASH_I [, NAT-D..], perhaps encrypted
	{ IKE_R_WAIT_AUTH, IKE_ESTABLISHED, false, { PL_BIT(ISAKMP_PL_HASH), 0, OPTIONAL }, 0 },
};
static const struct ike_row sig_rows[] = {
	{ IKE_R_WAIT_KE, IKE_R_DERIVE, false, { VALUES, 0, OPTIONAL }, ISAKMP_PL_SA },
	// 2  HDR, SA, KE, Nr, IDir, CERT.., SIG_R [, NAT-D..]
	{ IKE_I_WAIT_KE,
	  IKE_I_DERIVE,
	  false,
	  { VALUES | PL_BIT(ISAKMP_PL_SIG), 0, OPTIONAL | PL_BIT(ISAKMP_PL_CERT) },
	  ISAKMP_PL_SA },
	// 3  HDR, CERT.., SIG_I [, NAT-D..], perhaps encrypted
	{ IKE_R_WAIT_AUTH,
	  IKE_R_VERIFY,
	  false,
	  { PL_BIT(ISAKMP_PL_SIG), 0, OPTIONAL | PL_BIT(ISAKMP_PL_CERT) },
	  0 },
};

bool aggr_row(const struct ike_sa *sa, const struct isakmp_hdr *hdr, struct ike_row *row)
{
	const struct ike_row *found = main_by_signature(sa)
					      ? ike_row_find(sig_rows, N_ELEMS(sig_rows), sa->state)
					      : ike_row_find(rows, N_ELEMS(rows), sa->state);

	if (!found)
		return false;
	*row = *found;
	if (sa->state == IKE_R_WAIT_AUTH) // RFC 2409 5: protected or not, as the initiator likes
		row->encrypted = hdr->flags & ISAKMP_FLAG_E;
	return true;
}

// ---- where it is allowed ----

static bool psk_allows(const struct ike_conf *conf, const struct addr *peer)
{
	return conf->aggressive && conf->aggressive(conf->psk_arg, peer);
}

static const struct secret *psk_of_name(const struct ike_conf *conf, const struct isakmp_id *id)
{
	return conf->psk_of_name ? conf->psk_of_name(conf->psk_arg, id) : NULL;
}

const struct secret *aggr_psk(struct ike_sa *sa)
{
	const struct ike_conf *conf = sa->conf;
	struct isakmp_id id;
	const char *detail;
	const struct secret *s;

	if (sa->role == IKE_RESPONDER &&
	    main_id_check(ike_kept_view(&sa->hs->id), &id, &detail) == IKE_R_OK &&
	    (s = psk_of_name(conf, &id))) {
		sa->name_proved = true; // once its HASH is right: nobody else has this key
		return s;
	}
	return psk_allows(conf, &sa->peer.addr) ? conf->psk(conf->psk_arg, &sa->peer.addr) : NULL;
}

static bool allowed(const struct ike_conf *conf, const struct addr *peer,
		    const struct isakmp_id *id, const struct ike_proposal *p)
{
	if (p->auth != SIGN_NONE)
		return p->aggressive && ike_auth_own(conf->pki, p->auth, NULL, 0);
	if (id && psk_of_name(conf, id))
		return true;
	return psk_allows(conf, peer) && conf->psk(conf->psk_arg, peer);
}

bool ike_aggressive_wanted(const struct ike_conf *conf, const struct addr *peer)
{
	for (size_t i = 0; i < conf->n_proposals; i++) {
		if (allowed(conf, peer, NULL, &conf->proposals[i]))
			return true;
	}
	return false;
}

// ---- initiator ----

// The first proposal that may be used decides group and method of all: KE is in message 1.
enum ike_reason aggr_begin(struct ike_sa *sa)
{
	const struct ike_conf *conf = sa->conf;

	for (size_t i = 0; i < conf->n_proposals; i++) {
		if (!allowed(conf, &sa->peer.addr, NULL, &conf->proposals[i]))
			continue;
		sa->suite = sa->hs->asked = conf->proposals[i];
		return IKE_R_OK;
	}
	return IKE_R_NO_PROPOSAL;
}

static struct isakmp_id own_id(const struct ike_sa *sa)
{
	const struct ike_trustpoint *tp = sa->hs->own;
	struct isakmp_id named = { .type = 0 };

	if (main_by_signature(sa))
		return (struct isakmp_id){ .type = tp->id_type, .data = BYTES(tp->id, tp->id_len) };
	if (sa->role == IKE_INITIATOR && sa->conf->own_name)
		named = sa->conf->own_name(sa->conf->psk_arg, &sa->peer.addr);
	return named.type ? named : sa->conf->own_id;
}

// The body that our proof covers.
static enum ike_reason own_id_keep(struct ike_sa *sa)
{
	uint8_t buf[IKE_ID_MAX + 16];
	struct isakmp_id id = own_id(sa);
	struct wr w;
	struct wr_chain c = { &w, SIZE_MAX };

	wr_init(&w, buf, sizeof(buf));
	isakmp_id_encode(&c, &id);
	if (!wr_ok(&w))
		return IKE_R_NO_MEMORY;
	return ike_kept_set(&sa->hs->own_id, wr_view(&w, ISAKMP_PL_HDR_LEN, w.len), ISAKMP_PL_ID);
}

static void values_write(struct ike_sa *sa, struct wr_chain *c, struct ike_value *ke,
			 struct ike_value *nonce)
{
	struct isakmp_id id = own_id(sa);

	nonce->len = IKE_NONCE_LEN;
	rng_fill(sa->conf->rng, nonce->b, IKE_NONCE_LEN);
	wr_pl(c, ISAKMP_PL_KE, ike_value_view(ke));
	wr_pl(c, ISAKMP_PL_NONCE, ike_value_view(nonce));
	isakmp_id_encode(c, &id);
}

// 1  HDR, SA, KE, Ni, IDii [, CERTREQ..]
enum ike_reason aggr_out_1(struct ike_sa *sa, struct ike_out *out)
{
	struct ike_proposal same[IKE_MAX_PROPOSALS];
	struct wr w;
	struct wr_chain c;
	size_t n = 0, sa_at;

	for (size_t i = 0; i < sa->conf->n_proposals; i++) {
		const struct ike_proposal *p = &sa->conf->proposals[i];

		if (p->auth == sa->suite.auth && p->group == sa->suite.group &&
		    allowed(sa->conf, &sa->peer.addr, NULL, p))
			same[n++] = *p;
	}
	main_own_cookie(sa);
	if (main_by_signature(sa))
		sig_own_choose(sa);
	if (main_by_signature(sa) && !sa->hs->own)
		return IKE_R_NO_CREDENTIAL;
	if (own_id_keep(sa))
		return IKE_R_NO_MEMORY;
	c = main_begin(sa, &w, 0, out);
	sa_at = w.len;
	proposal_offer_these(&c, sa->conf, &sa->peer.addr, same, n);
	values_write(sa, &c, &sa->hs->ke_i, &sa->hs->ni);
	if (main_by_signature(sa))
		sig_requests_write(sa, &c);
	return main_finish_1(sa, &w, sa_at, out);
}

// What an answer has left behind that was none.
static void forget_answer(struct ike_sa *sa)
{
	struct ike_handshake *hs = sa->hs;

	sa->suite = hs->asked;
	memset(sa->cky_r, 0, sizeof(sa->cky_r));
	sa->doi = sa->life_s = 0;
	sa->peer_dpd = sa->peer_conclave = sa->peer_fragments = sa->peer_natt = false;
	sa->peer_major = sa->peer_minor = 0;
	sa->peer_features = 0;
	sa->behind_nat = sa->peer_behind_nat = sa->initial_contact = false;
	secret_fini(&sa->keys.key);
	secret_fini(&sa->keys.skeyid_a);
	explicit_bzero(&hs->k, sizeof(hs->k));
	hs->ke_r.len = hs->nr.len = 0;
	ike_kept_fini(&hs->chain);
}

bool aggr_is_asking(const struct ike_sa *sa)
{
	return sa->aggressive && sa->role == IKE_INITIATOR && sa->hs;
}

bool aggr_asks_on(struct ike_sa *sa, mono_t now, enum ike_reason why)
{
	bool ours = why == IKE_R_NO_MEMORY || why == IKE_R_BUSY || why == IKE_R_NO_CREDENTIAL ||
		    why == IKE_R_PSK_UNKNOWN; // no other answer would mend that

	if (!aggr_is_asking(sa) || ours || !sa->hs->resend.msg ||
	    ++sa->hs->wrong >= IKE_AGGR_ANSWERS)
		return false;
	sa->hs->last_refused = why;
	forget_answer(sa);
	ike_sa_set_state(sa, now, IKE_I_WAIT_KE);
	sa->deadline = sa->hs->resend.next;
	return true;
}

// The last one counts: whoever is on the path is faster than a key server that has to compute.
bool aggr_keep_other(struct ike_sa *sa, const struct ike_event *ev)
{
	if (!aggr_is_asking(sa) || (sa->state != IKE_I_DERIVE && sa->state != IKE_I_VERIFY))
		return false;
	if (ike_kept_set(&sa->hs->other, ev->datagram, 0) == IKE_R_OK) {
		sa->hs->other_from = ev->from;
		sa->hs->other_to = ev->to;
	}
	return true;
}

// 2: all that can be judged before the shared secret is there. The message is kept for the rest.
enum ike_reason aggr_in_2(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			  const struct isakmp_chain *c, const char **detail)
{
	const struct ike_proposal *mine = &sa->hs->asked;
	struct isakmp_id id;
	enum ike_reason why = main_id_check(pl_body_of(c, ISAKMP_PL_ID), &id, detail);

	if (why == IKE_R_OK)
		why = main_in_2(sa, hdr, c, detail);
	if (why == IKE_R_OK && (sa->suite.auth != mine->auth || sa->suite.group != mine->group))
		why = IKE_R_NO_PROPOSAL;
	if (why == IKE_R_OK)
		why = main_in_4(sa, c, detail);
	if (why == IKE_R_OK)
		why = ike_kept_set(&sa->hs->chain, c->all, c->pl[0].type);
	if (why != IKE_R_OK)
		forget_answer(sa);
	return why;
}

// 3  HDR*, HASH_I [, NAT-D..]    or HDR*, CERT.., SIG_I [, NAT-D..]. NAT-D as seen before moving.
enum ike_reason aggr_out_3(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out)
{
	struct wr w;
	struct wr_chain c = main_begin(sa, &w, ISAKMP_FLAG_E, out);
	uint8_t hash[HASH_MAX];

	if (j) {
		sig_certs_write(j->own.tp, &c);
		wr_pl(&c, ISAKMP_PL_SIG, BYTES(j->own.sig, j->own.sig_len));
	} else if (main_proof(sa, IKE_INITIATOR, ike_kept_view(&sa->hs->own_id), hash)) {
		return IKE_R_NO_MEMORY;
	} else {
		wr_pl(&c, ISAKMP_PL_HASH, BYTES(hash, hash_len(sa->suite.hash)));
	}
	if (natt_write(sa, &c) || !wr_ok(&w))
		return IKE_R_NO_MEMORY;
	natt_move(sa);
	return main_encrypt(sa, &w, out);
}

// ---- responder ----

// 1, as far as a stranger's may cost: judged by the gate already but for the payloads' insides.
enum ike_reason aggr_in_1(struct ike_sa *sa, const struct isakmp_chain *c, const char **detail)
{
	struct bytes id = pl_body_of(c, ISAKMP_PL_ID);
	enum ike_reason why = main_in_3(sa, c, detail);

	return why == IKE_R_OK ? ike_kept_set(&sa->hs->id, id, ISAKMP_PL_ID) : why;
}

// Our SA payload gives back the transform that was chosen, as it was offered.
static bool answer_write(const struct ike_sa *sa, struct wr_chain *c)
{
	struct rd_err err = { NULL };
	struct ike1_sa offer;

	if (!ike1_sa_decode(ike_wire(sa->conf, &sa->peer.addr), BYTES(sa->hs->sai, sa->hs->sai_len),
			    &offer, &err))
		return false;
	for (size_t i = 0; i < offer.n; i++) {
		if (!proposal_matches(&sa->suite, &offer.t[i]))
			continue;
		proposal_answer(c, sa->conf, &offer, &offer.t[i]);
		return true;
	}
	return false;
}

// 2  HDR, SA, KE, Nr, IDir, HASH_R   or HDR, SA, KE, Nr, IDir, CERT.., SIG_R
static enum ike_reason out_2(struct ike_sa *sa, struct bytes proof, uint8_t type,
			     const struct ike_trustpoint *tp, struct ike_out *out)
{
	struct isakmp_id id = own_id(sa);
	struct wr w;
	struct wr_chain c = main_begin(sa, &w, 0, out);

	if (!answer_write(sa, &c))
		return IKE_R_BAD_PROPOSAL;
	wr_pl(&c, ISAKMP_PL_KE, ike_value_view(&sa->hs->ke_r));
	wr_pl(&c, ISAKMP_PL_NONCE, ike_value_view(&sa->hs->nr));
	isakmp_id_encode(&c, &id);
	if (tp) {
		sig_certs_write(tp, &c);
		sig_requests_write(sa, &c);
	}
	wr_pl(&c, type, proof);
	return natt_write(sa, &c) ? IKE_R_NO_MEMORY : main_finish(sa, &w, out);
}

enum ike_reason aggr_out_2(struct ike_sa *sa, const struct ike_auth_job *j, struct ike_out *out)
{
	uint8_t hash[HASH_MAX];

	if (j)
		return out_2(sa, BYTES(j->own.sig, j->own.sig_len), ISAKMP_PL_SIG, j->own.tp, out);
	if (main_proof(sa, IKE_RESPONDER, ike_kept_view(&sa->hs->own_id), hash))
		return IKE_R_NO_MEMORY;
	return out_2(sa, BYTES(hash, hash_len(sa->suite.hash)), ISAKMP_PL_HASH, NULL, out);
}

// 3: the proof of the identity that message 1 named.
enum ike_reason aggr_in_3(struct ike_sa *sa, const struct isakmp_chain *c, struct ike_out *out)
{
	struct bytes id = ike_kept_view(&sa->hs->id);

	if (natt_keep(sa, c))
		return IKE_R_NO_MEMORY;
	if (main_by_signature(sa))
		return sig_judge(sa, c, id, false, out);
	return main_hash_judge(sa, c, id, &out->detail);
}

// ---- both, when the shared secret is there ----

static enum ike_reason initiator_proof(struct ike_sa *sa, struct ike_out *out)
{
	const struct ike_kept *k = &sa->hs->chain;
	struct rd_err err = { NULL };
	struct isakmp_chain c;
	enum ike_reason why;

	if (!isakmp_chain_decode(ike_kept_view(k), k->type, 0, &c, &err))
		return IKE_R_MALFORMED; // it was read before
	if (main_by_signature(sa))
		return sig_judge(sa, &c, pl_body_of(&c, ISAKMP_PL_ID), true, out);
	why = main_hash_judge(sa, &c, pl_body_of(&c, ISAKMP_PL_ID), &out->detail);
	return why == IKE_R_OK ? aggr_out_3(sa, NULL, out) : why;
}

enum ike_reason aggr_derived(struct ike_sa *sa, struct ike_out *out, enum ike_state *next)
{
	struct ike_handshake *hs = sa->hs;
	bool initiator = sa->role == IKE_INITIATOR;
	enum ike_reason why;

	if (!initiator) {
		hs->ke_r.len = hs->dh->own_len;
		memcpy(hs->ke_r.b, hs->dh->own, hs->dh->own_len);
		hs->nr.len = IKE_NONCE_LEN;
		rng_fill(sa->conf->rng, hs->nr.b, IKE_NONCE_LEN);
	}
	why = main_keys(sa, &hs->dh->shared);
	if (why == IKE_R_OK && main_by_signature(sa) && !hs->own)
		why = IKE_R_NO_CREDENTIAL;
	if (why == IKE_R_OK && !initiator)
		why = own_id_keep(sa);
	if (why != IKE_R_OK)
		return why;
	if (initiator) {
		*next = main_by_signature(sa) ? IKE_I_VERIFY : IKE_ESTABLISHED;
		return initiator_proof(sa, out);
	}
	*next = main_by_signature(sa) ? IKE_R_SIGN : IKE_R_WAIT_AUTH;
	return main_by_signature(sa) ? sig_start(sa, out) : aggr_out_2(sa, NULL, out);
}

// ---- the gate ----

struct ike_aggr_slot {
	mono_t born;
	struct endpoint peer;
	uint8_t cky_i[ISAKMP_COOKIE_LEN], cky_r[ISAKMP_COOKIE_LEN];
	bool used;
};

int ike_aggr_init(struct ike_aggr *g, mono_t now, size_t n_slots, size_t per_source)
{
	*g = (struct ike_aggr){ .n_slots = n_slots, .per_source = per_source };
	g->left = DH_PER_SECOND;
	g->refill = mono_add_s(now, 1);
	g->slot = calloc(n_slots, sizeof(g->slot[0]));
	return g->slot ? 0 : -ENOMEM;
}

void ike_aggr_fini(struct ike_aggr *g)
{
	free(g->slot);
	*g = (struct ike_aggr){ .n_slots = 0 };
}

static bool is_old(const struct ike_aggr_slot *s, mono_t now)
{
	return !s->used || mono_due(mono_add_s(s->born, SLOT_LIFE_S), now);
}

const uint8_t *ike_aggr_known(const struct ike_aggr *g, mono_t now, const uint8_t *cky_i,
			      const struct endpoint *from)
{
	for (size_t i = 0; i < g->n_slots; i++) {
		const struct ike_aggr_slot *s = &g->slot[i];

		if (!is_old(s, now) && memcmp(s->cky_i, cky_i, sizeof(s->cky_i)) == 0 &&
		    endpoint_eq(&s->peer, from))
			return s->cky_r;
	}
	return NULL;
}

// A place, if this source has not had its share of late and this second's work is not used up. When
// all are taken the oldest makes room.
static struct ike_aggr_slot *claim(struct ike_aggr *g, mono_t now, const struct endpoint *from)
{
	struct ike_aggr_slot *place = NULL;
	size_t own = 0;

	if (mono_due(g->refill, now)) {
		g->left = DH_PER_SECOND;
		g->refill = mono_add_s(now, 1);
	}
	for (size_t i = 0; i < g->n_slots; i++) {
		struct ike_aggr_slot *s = &g->slot[i];

		if (!is_old(s, now))
			own += addr_eq(&s->peer.addr, &from->addr);
		if (!place || !s->used || (place->used && mono_before(s->born, place->born)))
			place = s;
	}
	if (own >= g->per_source || g->left <= (own > 0 ? DH_NEWCOMERS : 0))
		return NULL;
	return place;
}

static bool anywhere(const struct ike_conf *conf)
{
	for (size_t i = 0; i < conf->n_proposals; i++) {
		if (conf->proposals[i].auth != SIGN_NONE && conf->proposals[i].aggressive)
			return true;
	}
	return conf->aggressive || conf->psk_of_name;
}

static const struct ike1_transform *choose(const struct ike_conf *conf, const struct addr *peer,
					   const struct isakmp_id *id, const struct ike1_sa *offer,
					   struct ike_proposal *out, bool *any)
{
	*any = false;
	for (size_t i = 0; i < conf->n_proposals; i++) {
		if (!allowed(conf, peer, id, &conf->proposals[i]))
			continue;
		*any = true;
		for (size_t k = 0; k < offer->n; k++) {
			if (proposal_matches(&conf->proposals[i], &offer->t[k])) {
				*out = conf->proposals[i];
				return &offer->t[k];
			}
		}
	}
	return NULL;
}

static enum ike_reason decode_1(const struct gdoi_wire_opts *o, const struct isakmp_hdr *hdr,
				struct bytes datagram, struct isakmp_chain *chain,
				struct ike1_sa *offer, struct isakmp_id *id, const char **detail)
{
	struct bytes payloads = BYTES(datagram.p + ISAKMP_HDR_LEN, datagram.len - ISAKMP_HDR_LEN);
	struct rd_err err = { NULL };
	enum ike_reason why = ike_row_check_hdr(&rows[0], hdr);

	if (why != IKE_R_OK)
		return why;
	if (!isakmp_chain_decode(payloads, hdr->next, 0, chain, &err)) {
		*detail = err.why;
		return IKE_R_MALFORMED;
	}
	why = ike_row_check_chain(&rows[0], chain, detail);
	if (why == IKE_R_OK)
		why = main_id_check(pl_body_of(chain, ISAKMP_PL_ID), id, detail);
	if (why == IKE_R_OK && !ike1_sa_decode(o, chain->pl[0].body, offer, &err)) {
		*detail = err.why;
		why = IKE_R_BAD_PROPOSAL;
	}
	return why;
}

static struct ike_sa *sa_new(const struct ike_aggr_call *call, const uint8_t *cky_i,
			     const uint8_t *cky_r, const struct isakmp_chain *chain,
			     const struct ike1_sa *offer, const struct ike1_transform *t,
			     const struct ike_proposal *suite)
{
	struct ike_peer_vids v = proposal_vids(chain);
	const struct ike_responder_seed seed = {
		.conf = call->conf,
		.local = *call->to,
		.peer = *call->from,
		.cky_i = cky_i,
		.cky_r = cky_r,
		.doi = offer->doi,
		.suite = *suite,
		.life_s = proposal_life(call->conf, t),
		.peer_dpd = v.dpd,
		.peer_conclave = v.conclave,
		.peer_fragments = v.fragments,
		.peer_natt = v.natt,
		.peer_major = v.major,
		.peer_minor = v.minor,
		.peer_features = v.features,
		.sai = chain->pl[0].body,
	};
	struct ike_sa *sa = malloc(sizeof(*sa));

	if (sa && ike_sa_init_responder(sa, call->now, &seed)) {
		free(sa);
		return NULL;
	}
	if (sa) {
		sa->aggressive = true;
		sa->deadline = mono_add_s(call->now, SLOT_LIFE_S);
	}
	return sa;
}

// Only what is configured gets this far: a place is claimed, and the SA takes its first step.
static enum ike_reason admit(struct ike_aggr *g, const struct ike_aggr_call *call,
			     const struct isakmp_hdr *hdr, const struct isakmp_chain *chain,
			     const struct ike1_sa *offer, const struct isakmp_id *id,
			     struct ike_out *out, struct ike_sa **made)
{
	const struct ike_event ev = { .kind = IKE_EV_DATAGRAM,
				      .datagram = call->datagram,
				      .from = *call->from,
				      .to = *call->to };
	struct ike_proposal suite;
	struct ike_aggr_slot *s;
	bool any;
	const struct ike1_transform *t =
		choose(call->conf, &call->from->addr, id, offer, &suite, &any);

	if (!t)
		return any ? IKE_R_NO_PROPOSAL : IKE_R_AGGRESSIVE;
	if (pl_body_of(chain, ISAKMP_PL_KE).len != dh_public_len(suite.group))
		return IKE_R_BAD_KE;
	s = claim(g, call->now, call->from);
	if (!s)
		return IKE_R_HALFOPEN_FULL;
	*s = (struct ike_aggr_slot){ .used = true, .born = call->now, .peer = *call->from };
	memcpy(s->cky_i, hdr->cky_i, sizeof(s->cky_i));
	rng_fill(call->conf->rng, s->cky_r, sizeof(s->cky_r));
	g->left--;
	*made = sa_new(call, s->cky_i, s->cky_r, chain, offer, t, &suite);
	if (!*made)
		return IKE_R_NO_MEMORY;
	ike_sa_step(*made, call->now, &ev, out);
	if (out->dh)
		return IKE_R_OK;
	ike_sa_fini(*made);
	free(*made);
	*made = NULL;
	return out->refused;
}

void ike_aggr_in(struct ike_aggr *g, const struct ike_aggr_call *call, struct ike_out *out,
		 struct ike_sa **made)
{
	static const uint8_t none[ISAKMP_COOKIE_LEN];
	struct rd_err err = { NULL };
	struct rd r = rd_of(call->datagram, &err);
	struct isakmp_chain chain;
	struct isakmp_hdr hdr;
	struct isakmp_id id;
	struct ike1_sa offer;

	*made = NULL;
	ike_out_clear(out);
	out->from = *call->to;
	out->to = *call->from;
	if (!anywhere(call->conf))
		out->refused = IKE_R_AGGRESSIVE;
	else if (call->datagram.len > IKE_DGRAM_MAX || !isakmp_hdr_decode(&r, &hdr))
		out->refused = IKE_R_MALFORMED;
	else if (hdr.exchange != ISAKMP_XCH_AGGRESSIVE || hdr.msgid != 0 ||
		 memcmp(hdr.cky_i, none, sizeof(none)) == 0)
		out->refused = IKE_R_BAD_EXCHANGE;
	else if (memcmp(hdr.cky_r, none, sizeof(none)) != 0)
		out->refused = IKE_R_COOKIE_UNKNOWN;
	else
		out->refused = decode_1(ike_wire(call->conf, &call->from->addr), &hdr,
					call->datagram, &chain, &offer, &id, &out->detail);
	if (out->refused == IKE_R_OK)
		out->refused = admit(g, call, &hdr, &chain, &offer, &id, out, made);
}
