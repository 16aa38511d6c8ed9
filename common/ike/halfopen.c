#include "common/ike/halfopen.h"

#include "common/crypto/prf.h"
#include "common/ike/exchange.h"
#include "common/ike/info.h"
#include "common/ike/proposal.h"

#define SLOT_LIFE_S	   30
#define ANSWERS_PER_SECOND 20

// Every list a slot may be in: those of the same bucket by cookie, or by source; all in use, oldest
// first; all that are free (which uses BY_AGE's link).
enum list { BY_COOKIE, BY_SOURCE, BY_AGE, LIST_COUNT };

// What is looked at for each datagram, close together.
struct ike_halfopen_slot {
	bool used;
	uint8_t cky_i[ISAKMP_COOKIE_LEN], cky_r[ISAKMP_COOKIE_LEN];
	struct endpoint peer;
	mono_t born;
	struct half_body *body;	   // the slot's own, for good
	uint32_t next[LIST_COUNT]; // slots are named by index plus one; 0: none
	uint32_t prev;		   // in the list by age
};

struct half_body {
	struct ike_proposal suite;
	uint32_t doi, life_s;
	struct ike_peer_vids vids;
	uint8_t in_hash[32]; // SHA-256 of message 1
	uint16_t sai_len, reply_len;
	uint8_t sai[IKE_HALFOPEN_SAI_MAX];
	uint8_t reply[IKE_HALFOPEN_REPLY_MAX];
};

int ike_halfopen_init(struct ike_halfopen *h, struct rng *rng, mono_t now, size_t n_slots,
		      size_t per_source)
{
	struct half_body *bodies = calloc(n_slots, sizeof(*bodies));

	*h = (struct ike_halfopen){ .n_slots = n_slots, .per_source = per_source };
	h->slots = calloc(n_slots, sizeof(h->slots[0]));
	h->bucket[BY_COOKIE] = calloc(n_slots, sizeof(uint32_t));
	h->bucket[BY_SOURCE] = calloc(n_slots, sizeof(uint32_t));
	if (!bodies || !h->slots || !h->bucket[BY_COOKIE] || !h->bucket[BY_SOURCE]) {
		free(bodies);
		free(h->slots);
		free(h->bucket[BY_COOKIE]);
		free(h->bucket[BY_SOURCE]);
		*h = (struct ike_halfopen){ 0 };
		return -ENOMEM;
	}
	h->seed = (uint64_t)rng_u32(rng) << 32 | rng_u32(rng) | 1;
	for (size_t i = 0; i < n_slots; i++)
		h->slots[i] = (struct ike_halfopen_slot){
			.body = &bodies[i], .next[BY_AGE] = i + 1 < n_slots ? (uint32_t)i + 2 : 0
		};
	h->first_free = n_slots ? 1 : 0;
	ike_cookie_init(&h->jar, rng, now);
	h->answers_left = ANSWERS_PER_SECOND;
	h->answers_refill = mono_add_s(now, 1);
	return 0;
}

void ike_halfopen_fini(struct ike_halfopen *h)
{
	if (h->slots)
		free(h->slots[0].body);
	free(h->slots);
	free(h->bucket[BY_COOKIE]);
	free(h->bucket[BY_SOURCE]);
	ike_cookie_fini(&h->jar);
	*h = (struct ike_halfopen){ 0 };
}

// Under a seed that strangers do not know.
static uint32_t *bucket_of(const struct ike_halfopen *h, enum list l, const uint8_t *p, size_t len)
{
	uint64_t c = h->seed;

	for (size_t i = 0; i < len; i++)
		c = (c ^ p[i]) * UINT64_C(0x9e3779b97f4a7c15);
	c = (c ^ c >> 29 ^ h->seed) * UINT64_C(0xbf58476d1ce4e5b9);
	return &h->bucket[l][(c ^ c >> 32) % h->n_slots];
}

static uint32_t *cookie_bucket(const struct ike_halfopen *h, const uint8_t *cky_i)
{
	return bucket_of(h, BY_COOKIE, cky_i, ISAKMP_COOKIE_LEN);
}

static uint32_t *source_bucket(const struct ike_halfopen *h, const struct addr *a)
{
	return bucket_of(h, BY_SOURCE, a->b, addr_len(a));
}

static void link_into(struct ike_halfopen *h, struct ike_halfopen_slot *s, enum list l,
		      uint32_t *first)
{
	s->next[l] = *first;
	*first = (uint32_t)(s - h->slots) + 1;
}

static void unlink_from(struct ike_halfopen *h, struct ike_halfopen_slot *s, enum list l,
			uint32_t *first)
{
	while (*first != (uint32_t)(s - h->slots) + 1)
		first = &h->slots[*first - 1].next[l];
	*first = s->next[l];
}

static void occupy(struct ike_halfopen *h, struct ike_halfopen_slot *s)
{
	uint32_t own = (uint32_t)(s - h->slots) + 1;

	h->first_free = s->next[BY_AGE]; // claim() handed out the first
	s->used = true;
	link_into(h, s, BY_COOKIE, cookie_bucket(h, s->cky_i));
	link_into(h, s, BY_SOURCE, source_bucket(h, &s->peer.addr));
	s->prev = h->newest;
	s->next[BY_AGE] = 0;
	*(h->newest ? &h->slots[h->newest - 1].next[BY_AGE] : &h->oldest) = own;
	h->newest = own;
	h->n_used++;
}

static void release(struct ike_halfopen *h, struct ike_halfopen_slot *s)
{
	uint32_t next = s->next[BY_AGE];

	unlink_from(h, s, BY_COOKIE, cookie_bucket(h, s->cky_i));
	unlink_from(h, s, BY_SOURCE, source_bucket(h, &s->peer.addr));
	*(s->prev ? &h->slots[s->prev - 1].next[BY_AGE] : &h->oldest) = next;
	*(next ? &h->slots[next - 1].prev : &h->newest) = s->prev;
	link_into(h, s, BY_AGE, &h->first_free);
	s->used = false;
	h->n_used--;
}

// The slot of message 1 (cky_r NULL) or of message 3.
static struct ike_halfopen_slot *find(struct ike_halfopen *h, mono_t now,
				      const struct endpoint *peer, const uint8_t *cky_i,
				      const uint8_t *cky_r)
{
	for (uint32_t at = *cookie_bucket(h, cky_i); at; at = h->slots[at - 1].next[BY_COOKIE]) {
		struct ike_halfopen_slot *s = &h->slots[at - 1];

		if (memcmp(s->cky_i, cky_i, sizeof(s->cky_i)) == 0 &&
		    (!cky_r || memcmp(s->cky_r, cky_r, sizeof(s->cky_r)) == 0) &&
		    endpoint_eq(&s->peer, peer) && !mono_due(mono_add_s(s->born, SLOT_LIFE_S), now))
			return s;
	}
	return NULL;
}

// Of this source: how many, and the oldest, which stands last.
static size_t count_own(const struct ike_halfopen *h, const struct addr *a,
			struct ike_halfopen_slot **oldest)
{
	size_t n = 0;

	for (uint32_t at = *source_bucket(h, a); at; at = h->slots[at - 1].next[BY_SOURCE]) {
		if (addr_eq(&h->slots[at - 1].peer.addr, a)) {
			*oldest = &h->slots[at - 1];
			n++;
		}
	}
	return n;
}

// A free slot for a new handshake, the first of the list. When there is none, or the source has its
// share, the oldest of all, or of the source, makes room.
static struct ike_halfopen_slot *claim(struct ike_halfopen *h, mono_t now,
				       const struct endpoint *peer)
{
	struct ike_halfopen_slot *own_oldest = NULL;

	while (h->oldest && mono_due(mono_add_s(h->slots[h->oldest - 1].born, SLOT_LIFE_S), now))
		release(h, &h->slots[h->oldest - 1]);
	if (count_own(h, &peer->addr, &own_oldest) >= h->per_source && own_oldest) {
		release(h, own_oldest);
		h->n_evicted++;
	} else if (!h->first_free && h->oldest) {
		release(h, &h->slots[h->oldest - 1]);
		h->n_evicted++;
	}
	return h->first_free ? &h->slots[h->first_free - 1] : NULL;
}

// Why a stranger is not served, if this second's answers are not used up.
static void tell(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
		 const struct isakmp_hdr *hdr, enum ike_reason why, struct ike_out *out)
{
	uint16_t type = ike_reason_notify(why);

	if (mono_due(h->answers_refill, now)) {
		h->answers_left = ANSWERS_PER_SECOND;
		h->answers_refill = mono_add_s(now, 1);
	}
	if (type == 0 || h->answers_left == 0)
		return;
	h->answers_left--;
	out->msg_len =
		ike_info_clear(hdr->cky_i, hdr->cky_r, ike_wire(conf, &out->to.addr)->notify_doi,
			       type, conf->rng, out->msg, sizeof(out->msg));
}

// Message 1 as far as it can be understood: SA first, vendor ids beside it.
static enum ike_reason decode_1(const struct gdoi_wire_opts *o, const struct isakmp_hdr *hdr,
				struct bytes datagram, struct isakmp_chain *chain,
				struct ike1_sa *offer, const char **detail)
{
	static const struct ike_row row = {
		.form = { PL_BIT(ISAKMP_PL_SA), PL_BIT(ISAKMP_PL_VID), PL_BIT(ISAKMP_PL_VID) },
		.first = ISAKMP_PL_SA,
	};
	struct bytes payloads = BYTES(datagram.p + ISAKMP_HDR_LEN, datagram.len - ISAKMP_HDR_LEN);
	struct rd_err err = { NULL };
	enum ike_reason why = ike_row_check_hdr(&row, hdr);

	if (why != IKE_R_OK)
		return why;
	if (!isakmp_chain_decode(payloads, hdr->next, 0, chain, &err)) {
		*detail = err.why;
		return IKE_R_MALFORMED;
	}
	why = ike_row_check_chain(&row, chain, detail);
	if (why != IKE_R_OK)
		return why;
	if (!ike1_sa_decode(o, chain->pl[0].body, offer, &err)) {
		*detail = err.why;
		return IKE_R_BAD_PROPOSAL;
	}
	return chain->pl[0].body.len > IKE_HALFOPEN_SAI_MAX ? IKE_R_BAD_PROPOSAL : IKE_R_OK;
}

static enum ike_reason answer_1(struct ike_halfopen_slot *s, const struct ike_conf *conf,
				const struct ike1_sa *offer, const struct ike1_transform *t)
{
	struct isakmp_hdr hdr = { .exchange = ISAKMP_XCH_MAIN };
	struct wr w;
	struct wr_chain c;

	memcpy(hdr.cky_i, s->cky_i, sizeof(hdr.cky_i));
	memcpy(hdr.cky_r, s->cky_r, sizeof(hdr.cky_r));
	wr_init(&w, s->body->reply, sizeof(s->body->reply));
	c = isakmp_msg_begin(&w, &hdr);
	proposal_answer(&c, conf, offer, t);
	if (!isakmp_msg_end(&w, 0))
		return IKE_R_BAD_PROPOSAL; // attributes too long to be given back
	s->body->reply_len = (uint16_t)w.len;
	return IKE_R_OK;
}

static enum ike_reason open_slot(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
				 struct bytes datagram, const struct isakmp_hdr *hdr,
				 const struct endpoint *from, struct ike_out *out)
{
	struct isakmp_chain chain;
	struct ike1_sa offer;
	const struct ike1_transform *t;
	struct ike_proposal suite;
	struct ike_halfopen_slot *s;
	enum ike_reason why =
		decode_1(ike_wire(conf, &from->addr), hdr, datagram, &chain, &offer, &out->detail);

	if (why != IKE_R_OK)
		return why;
	t = proposal_choose(conf, &from->addr, &offer, &suite);
	if (!t)
		return conf->pki || conf->psk(conf->psk_arg, &from->addr) ? IKE_R_NO_PROPOSAL
									  : IKE_R_PSK_UNKNOWN;
	s = claim(h, now, from);
	if (!s || ike_cookie_make(&h->jar, now, from, hdr->cky_i, s->cky_r) ||
	    hash_parts(HASH_ALG_SHA256, &datagram, 1, s->body->in_hash))
		return s ? IKE_R_NO_MEMORY : IKE_R_HALFOPEN_FULL;
	memcpy(s->cky_i, hdr->cky_i, sizeof(s->cky_i));
	s->peer = *from;
	s->born = now;
	s->body->suite = suite;
	s->body->doi = offer.doi;
	s->body->life_s = proposal_life(conf, t);
	s->body->vids = proposal_vids(&chain);
	s->body->sai_len = (uint16_t)chain.pl[0].body.len;
	memcpy(s->body->sai, chain.pl[0].body.p, s->body->sai_len);
	why = answer_1(s, conf, &offer, t);
	if (why != IKE_R_OK)
		return why;
	occupy(h, s);
	memcpy(out->msg, s->body->reply, s->body->reply_len);
	out->msg_len = s->body->reply_len;
	return IKE_R_OK;
}

// Message 1: a new handshake, or the repetition of one that has its answer.
static enum ike_reason in_1(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
			    struct bytes datagram, const struct isakmp_hdr *hdr,
			    const struct endpoint *from, struct ike_out *out)
{
	struct ike_halfopen_slot *s = find(h, now, from, hdr->cky_i, NULL);
	uint8_t hash[32];

	if (!s)
		return open_slot(h, conf, now, datagram, hdr, from, out);
	if (hash_parts(HASH_ALG_SHA256, &datagram, 1, hash) ||
	    memcmp(hash, s->body->in_hash, sizeof(hash)) != 0)
		return IKE_R_UNEXPECTED_MESSAGE; // another offer under the same cookie
	memcpy(out->msg, s->body->reply, s->body->reply_len);
	out->msg_len = s->body->reply_len;
	return IKE_R_DUPLICATE;
}

static struct ike_sa *make_sa(const struct ike_halfopen_slot *s, const struct ike_conf *conf,
			      mono_t now, const struct endpoint *local)
{
	const struct half_body *b = s->body;
	const struct ike_responder_seed seed = {
		.conf = conf,
		.local = *local,
		.peer = s->peer,
		.cky_i = s->cky_i,
		.cky_r = s->cky_r,
		.doi = b->doi,
		.suite = b->suite,
		.life_s = b->life_s,
		.peer_dpd = b->vids.dpd,
		.peer_conclave = b->vids.conclave,
		.peer_fragments = b->vids.fragments,
		.peer_natt = b->vids.natt,
		.peer_major = b->vids.major,
		.peer_minor = b->vids.minor,
		.peer_features = b->vids.features,
		.sai = BYTES(b->sai, b->sai_len),
	};
	struct ike_sa *sa = malloc(sizeof(*sa));

	if (sa && ike_sa_init_responder(sa, now, &seed)) {
		free(sa);
		sa = NULL;
	}
	return sa;
}

// Message 3: the cookie proves the address, the slot knows the rest. The slot goes only when the
// message was a good one.
static enum ike_reason in_3(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
			    struct bytes datagram, const struct isakmp_hdr *hdr,
			    const struct endpoint *from, const struct endpoint *to,
			    struct ike_out *out, struct ike_sa **made)
{
	const struct ike_event ev = {
		.kind = IKE_EV_DATAGRAM, .datagram = datagram, .from = *from, .to = *to
	};
	struct ike_halfopen_slot *s;
	struct ike_sa *sa;

	if (!ike_cookie_check(&h->jar, now, from, hdr->cky_i, hdr->cky_r))
		return IKE_R_COOKIE_UNKNOWN;
	s = find(h, now, from, hdr->cky_i, hdr->cky_r);
	if (!s)
		return IKE_R_COOKIE_UNKNOWN;
	sa = make_sa(s, conf, now, to);
	if (!sa)
		return IKE_R_NO_MEMORY;
	ike_sa_step(sa, now, &ev, out);
	if (!out->dh) {
		ike_sa_fini(sa);
		free(sa);
		return out->refused;
	}
	release(h, s);
	*made = sa;
	return IKE_R_OK;
}

void ike_halfopen_in(struct ike_halfopen *h, const struct ike_conf *conf, mono_t now,
		     struct bytes datagram, const struct endpoint *from, const struct endpoint *to,
		     struct ike_out *out, struct ike_sa **made)
{
	static const uint8_t no_cookie[ISAKMP_COOKIE_LEN];
	struct rd_err err = { NULL };
	struct rd r = rd_of(datagram, &err);
	struct isakmp_hdr hdr;

	*made = NULL;
	ike_out_clear(out);
	out->from = *to;
	out->to = *from;
	if (datagram.len > IKE_DGRAM_MAX || !isakmp_hdr_decode(&r, &hdr)) {
		out->refused = IKE_R_MALFORMED;
		out->detail = err.why ? err.why : "datagram too long";
		return;
	}
	if (hdr.exchange != ISAKMP_XCH_MAIN || hdr.msgid != 0 ||
	    memcmp(hdr.cky_i, no_cookie, sizeof(no_cookie)) == 0)
		out->refused = IKE_R_BAD_EXCHANGE;
	else if (memcmp(hdr.cky_r, no_cookie, sizeof(no_cookie)) == 0)
		out->refused = in_1(h, conf, now, datagram, &hdr, from, out);
	else
		out->refused = in_3(h, conf, now, datagram, &hdr, from, to, out, made);
	if (out->refused != IKE_R_OK && out->msg_len == 0)
		tell(h, conf, now, &hdr, out->refused, out);
}
