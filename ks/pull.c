#include "ks/pull.h"

#include "common/crypto/cert.h"
#include "common/crypto/dn.h"
#include "common/crypto/prf.h"
#include "common/ike/info.h"
#include "common/ike/natt.h"
#include "common/wire/gdoi_pull.h"
#include "ks/core.h"
#include "ks/fanout.h"
#include "ks/nat.h"
#include "ks/rekey.h"
#include "ks/removal.h"
#include "ks/sa_build.h"
#include "ks/session.h"

// One datagram of a PULL on its way through this file.
struct call {
	struct ks *ks;
	mono_t now;
	struct ike_sa *sa;
	struct ks_session *session;
	const struct isakmp_hdr *hdr;
	struct bytes datagram;
	struct endpoint from, to;
	struct member_name name; // of this peer as a member
	struct ks_out *out;
};

static const struct gdoi_wire_opts *wire(const struct call *c)
{
	return ike_wire(&c->ks->ike, &c->sa->peer.addr);
}

static void drop(struct call *c, enum ks_drop why, const char *detail)
{
	ks_drop(c->ks, c->now, why, &c->from, detail, c->out);
}

// Refused: counted, told to the operator, and to the peer, which has proved to hold its key.
static void refuse(struct call *c, enum ks_drop why, uint16_t notify, const char *detail)
{
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	drop(c, why, detail);
	if (ike_info_notify(c->sa, notify, (struct bytes){ 0 }, buf, sizeof(buf), &msg) == 0)
		ks_out_send_copy(c->out, &c->to, &c->from, msg);
}

static void reply(struct call *c, struct ks_pull *p, struct bytes msg)
{
	if (ike_stored_reply(&p->stored, msg))
		drop(c, KS_DROP_PULL_INTERNAL, "no memory to keep the reply");
	ks_out_send_copy(c->out, &c->to, &c->from, msg);
}

// ---- judging ----

static bool authorized(const struct ks_group_conf *g, const struct ike_sa *sa)
{
	for (size_t i = 0; i < g->n_authorized; i++) {
		if (prefix_contains(&g->authorized[i], &sa->peer.addr))
			return true;
	}
	return ike_peer_is(sa, g->names, g->n_names) || g->n_authorized + g->n_names == 0;
}

// With a pre-shared key only the address is proved: an identity that is another address is a lie,
// unless a NAT stands before the peer.
static bool identity_fits(const struct ike_sa *sa)
{
	struct isakmp_id id = ike_id_view(&sa->peer_id);
	struct addr a;

	return sa->peer_behind_nat || !isakmp_id_to_addr(&id, &a) || addr_eq(&a, &sa->peer.addr);
}

// The subject of its certificate, whichever of its names it goes by and however often that is
// renewed; without one the identity that a key of its own proved. 0: only its address is proved.
static uint64_t proved_name(const struct ike_sa *sa)
{
	static const uint8_t is_subject = 0;
	const uint8_t *kind = sa->peer_cert ? &is_subject : &sa->peer_id.type;
	struct bytes part[] = { BYTES(kind, 1), BYTES(sa->peer_id.data, sa->peer_id.len) };
	uint8_t digest[HASH_MAX], folded[DN_FOLD_MAX];
	uint64_t name;

	if (!sa->peer_cert && !sa->name_proved)
		return 0;
	if (sa->peer_cert) { // a renewed certificate may spell the same name in other octets
		part[1] = BYTES(folded, dn_fold(cert_subject(sa->peer_cert), folded));
		if (part[1].len == 0)
			part[1] = cert_subject(sa->peer_cert);
	}
	BUG_ON(hash_parts(HASH_ALG_SHA256, part, N_ELEMS(part), digest) != 0);
	memcpy(&name, digest, sizeof(name));
	return name;
}

// By the address that we see, by the one behind a NAT, or by a proved name.
static bool is_excluded(const struct ks_group *g, const struct ike_sa *sa)
{
	struct addr inner = ks_nat_inner(sa);

	return removal_has(&g->removal, &sa->peer.addr) || removal_has(&g->removal, &inner) ||
	       removal_has_name(&g->removal, proved_name(sa));
}

static bool takes_ordered(const struct ike_sa *sa)
{
	return sa->peer_conclave &&
	       (sa->peer_features & VID_CONCLAVE_PRIVATE) == VID_CONCLAVE_PRIVATE;
}

// May this peer have this group? RFC 6407 3.1; the answers do not tell which groups exist to
// peers that may not have them.
static struct ks_group *judge_group(struct call *c, uint32_t identity)
{
	struct ks_group *g = ks_group_by_identity(c->ks, identity);
	char text[80 + IKE_PEER_STRLEN], peer[IKE_PEER_STRLEN];

	if (!g) {
		snprintf(text, sizeof(text), "group=%u", identity);
		refuse(c, KS_DROP_PULL_UNKNOWN_GROUP, wire(c)->refused_group_notify, text);
		return NULL;
	}
	if (!ks_shared_may_register(g, c->now)) {
		refuse(c, KS_DROP_PULL_NO_KEYS, ISAKMP_N_INVALID_KEY_INFORMATION, g->name);
		return NULL;
	}
	if (!authorized(g->conf, c->sa)) {
		snprintf(text, sizeof(text), "group=%.40s identity=%s", g->name,
			 ike_peer_str(c->sa, peer));
		refuse(c, g->conf->n_names ? KS_DROP_PULL_IDENTITY : KS_DROP_PULL_UNAUTHORIZED,
		       wire(c)->refused_group_notify, text);
		return NULL;
	}
	if (is_excluded(g, c->sa)) {
		refuse(c, KS_DROP_PULL_EXCLUDED, ISAKMP_N_AUTHENTICATION_FAILED, g->name);
		return NULL;
	}
	if (!identity_fits(c->sa)) {
		refuse(c, KS_DROP_PULL_IDENTITY, ISAKMP_N_AUTHENTICATION_FAILED, g->name);
		return NULL;
	}
	if (!member_may_register(members_named(&g->members, &c->name), &g->conf->reg_limit,
				 c->now)) {
		refuse(c, KS_DROP_PULL_TOO_OFTEN, ISAKMP_N_INVALID_KEY_INFORMATION, g->name);
		return NULL;
	}
	if (!takes_ordered(c->sa) && g->keys.gen[0].policy->no_flat_at) {
		refuse(c, KS_DROP_PULL_POLICY_FORM, ISAKMP_N_ATTRIBUTES_NOT_SUPPORTED, g->name);
		return NULL;
	}
	return g;
}

// ---- message 2 ----

// Every living generation, newest first, as far as they fit: what others may still send under.
static void offer_gens(const struct gdoi_wire_opts *wire, struct ks_group *g, mono_t now,
		       struct ks_offer *o, struct gdoi_sa *sa)
{
	const struct policy *newest = g->keys.gen[0].policy;

	for (size_t i = 0; i < g->keys.n_gen; i++) {
		const struct tek_gen *gen = &g->keys.gen[i];
		bool bypass = i == 0 || !policy_eq(gen->policy, newest);
		size_t before = sa->n_sat;

		if (!o->ordered && gen->policy->no_flat_at)
			continue;
		if (!ks_build_sats(wire, gen, o->ordered, bypass, now, sa)) {
			sa->n_sat = before;
			return;
		}
		o->gen[o->n_gen++] = gen->serial;
	}
}

static struct gdoi_sa *offer_make(struct call *c, struct ks_group *g, struct ks_offer *o)
{
	const struct kek_params *kek = &g->keys.kek.params;
	bool by_group = ks_conf_by_group(g->conf, kek, &c->from.addr);
	struct gdoi_sa *sa = malloc(sizeof(*sa));
	uint32_t atd_s = mono_left_s(g->keys.gen[0].active, c->now);

	BUG_ON(!sa);
	sa->n_sat = 0;
	*o = (struct ks_offer){ .made = c->now,
				.seq = g->keys.kek.seq,
				.ordered = takes_ordered(c->sa),
				.ack = wire(c)->send_ack_request &&
				       ks_conf_asks_ack(g->conf, kek, &c->from.addr,
							c->sa->peer_conclave),
				.by_group = by_group };
	memcpy(o->kek_spi, g->keys.kek.spi, sizeof(o->kek_spi));
	sa->has_sak = true;
	ks_build_sak(wire(c), &g->keys.kek, &c->to, by_group ? &kek->group : &c->from, o->ack,
		     c->now, &sa->sak);
	if (wire(c)->send_kek_management_in_pull && ks_has_tree(g))
		sa->sak.management = GDOI_KEK_MANAGEMENT_LKH;
	sa->gap = (struct gdoi_gap){ .has_atd = atd_s > 0 && wire(c)->send_atd_in_pull,
				     .atd_s = (uint16_t)atd_s,
				     .has_pseudotime = o->ordered };
	if (o->ordered)
		sa->gap.pseudotime = ks_pseudo_at(&g->pseudo, c->now);
	sa->has_gap = sa->gap.has_atd || sa->gap.has_pseudotime;
	offer_gens(wire(c), g, c->now, o, sa);
	return sa;
}

static bool send_2(struct call *c, struct ks_pull *p, struct ks_group *g)
{
	struct gdoi_sa *sa = offer_make(c, g, &p->offer);
	struct ike_nonces n = { .ni = BYTES(p->ni, p->ni_len) };
	struct ike_seal s;
	struct bytes msg;
	int err;

	ike_seal_begin(&s, &p->exch, c->ks->buf, KS_DGRAM_MAX);
	wr_pl(&s.chain, ISAKMP_PL_NONCE, BYTES_OF(p->nr));
	gdoi_sa_encode(wire(c), &s.chain, sa);
	err = ike_seal_end(&s, &p->exch, &n, &msg);
	free(sa);
	if (err) {
		drop(c, KS_DROP_PULL_INTERNAL, "message 2 could not be written");
		return false;
	}
	reply(c, p, msg);
	return true;
}

// ---- message 1 ----

// Decrypts, verifies HASH, judges the set of payloads of message n.
static bool open_message(struct call *c, struct ike_exch *x, int n, const struct ike_nonces *nonces,
			 struct isakmp_hashed *m)
{
	struct rd_err err = { NULL };
	const char *detail = NULL;
	enum ike_reason r;

	r = ike_exch_open(x, c->hdr, c->datagram, nonces, c->ks->plain, KS_DGRAM_MAX, m, &detail);
	if (r == IKE_R_OK) {
		struct bytes all = m->chain.all;

		if (gdoi_pull_open(wire(c), n, all, ISAKMP_PL_HASH, 0, m, &err))
			return true;
		refuse(c, KS_DROP_PULL_MALFORMED, ISAKMP_N_PAYLOAD_MALFORMED, err.why);
		return false;
	}
	drop(c, r == IKE_R_BAD_HASH ? KS_DROP_PULL_BAD_HASH : KS_DROP_PULL_MALFORMED,
	     detail ? detail : ike_reason_name(r));
	return false;
}

static void pull_in_1(struct call *c)
{
	struct ks_pull **slot = ks_pull_slot(c->session, c->now), *p;
	struct isakmp_hashed m;
	struct gdoi_pull1 pull1;
	struct rd_err err = { NULL };
	struct ike_exch x;
	struct ks_group *g;
	uint32_t identity;

	if (!slot) {
		drop(c, KS_DROP_PULL_BUSY, NULL);
		return;
	}
	if (ike_exch_init(&x, c->sa, GDOI_XCH_PULL, c->hdr->msgid)) {
		drop(c, KS_DROP_PULL_MALFORMED, "message id zero");
		return;
	}
	if (!open_message(c, &x, 1, &(struct ike_nonces){ 0 }, &m))
		return;
	ks_session_touch(c->sa, c->now);
	if (!gdoi_pull1_decode(&m, &pull1, &err)) {
		refuse(c, KS_DROP_PULL_MALFORMED, ISAKMP_N_PAYLOAD_MALFORMED, err.why);
		return;
	}
	if (!isakmp_id_to_group(wire(c), &pull1.id, &identity)) {
		refuse(c, KS_DROP_PULL_UNKNOWN_GROUP, ISAKMP_N_INVALID_ID_INFORMATION,
		       "identity is no number of four octets");
		return;
	}
	g = judge_group(c, identity);
	if (!g)
		return;
	ks_rekey_revive(c->ks, g, c->now); // a download without TEKs protects nothing
	p = calloc(1, sizeof(*p));
	BUG_ON(!p);
	p->exch = x;
	p->group = identity;
	p->ni_len = (uint8_t)pull1.nonce.len; // at most GDOI_NONCE_MAX
	memcpy(p->ni, pull1.nonce.p, pull1.nonce.len);
	rng_fill(c->ks->rng, p->nr, sizeof(p->nr));
	ike_stored_init(&p->stored);
	if (ike_stored_accept(&p->stored, c->datagram) || !send_2(c, p, g)) {
		ks_pull_free(p);
		return;
	}
	ks_pull_free(*slot);
	*slot = p;
}

// ---- messages 3 and 4 ----

// Still the group, the member's right to it, and the keys that message 2 offered?
static struct ks_group *judge_offer(struct call *c, const struct ks_pull *p)
{
	struct ks_group *g = judge_group(c, p->group);
	bool alive = true;

	if (!g)
		return NULL;
	for (size_t i = 0; i < p->offer.n_gen; i++)
		alive = alive && keys_find_gen(&g->keys, p->offer.gen[i]);
	if (!alive || !ks_rekey_can_catch_up(g, p->offer.kek_spi, p->offer.seq)) {
		refuse(c, KS_DROP_PULL_KEYS_CHANGED, ISAKMP_N_INVALID_KEY_INFORMATION, g->name);
		return NULL;
	}
	return g;
}

// Also an older generation that is still in use may have counter modes.
static bool offers_counter(struct ks_group *g, const struct ks_offer *o)
{
	for (size_t i = 0; i < o->n_gen; i++) {
		if (keys_find_gen(&g->keys, o->gen[i])->policy->counter)
			return true;
	}
	return false;
}

// A group whose members need more ids than there are would end its keys with every registration.
#define SIDS_RENEW_S 300

static bool take_sids(struct call *c, struct ks_group *g, const struct ks_offer *o,
		      const struct gdoi_pull3 *m, struct gdoi_kd *kd)
{
	bool asked = m->has_gap && m->gap.has_sid_request;
	size_t n = asked ? m->gap.sid_request : 1;

	if (!offers_counter(g, o) || (!asked && !wire(c)->sid_without_request))
		return true;
	n = MAX_OF(1, MIN_OF(n, KS_SIDS_MAX));
	if (g->shared) {
		if (!ks_shared_take_sids(g, n, kd->sid.sid)) {
			refuse(c, KS_DROP_PULL_NO_SID, ISAKMP_N_INVALID_KEY_INFORMATION, g->name);
			return false;
		}
	} else if (!sid_take(&g->sids, n, kd->sid.sid)) {
		if (g->sids_renewed.ms == 0 ||
		    mono_due(mono_add_s(g->sids_renewed, SIDS_RENEW_S), c->now))
			ks_rekey_renew_sids(c->ks, g, c->now, c->out);
		refuse(c, KS_DROP_PULL_NO_SID, ISAKMP_N_INVALID_KEY_INFORMATION, g->name);
		return false;
	}
	kd->has_sid = true;
	kd->sid.bits = g->sids.bits;
	kd->sid.n = n;
	return true;
}

// A place in the key tree: the member's own when it registers again.
static bool take_leaf(struct call *c, struct ks_group *g, uint16_t *leaf)
{
	const struct member *m = members_named(&g->members, &c->name);

	*leaf = m ? m->leaf : 0;
	if (!ks_has_tree(g) || *leaf)
		return true;
	if (lkh_join(&g->lkh, c->ks->rng, leaf) == 0)
		return true;
	refuse(c, KS_DROP_PULL_MEMBERS_FULL, ISAKMP_N_AUTHENTICATION_FAILED, g->name);
	return false;
}

static void give_back_leaf(struct call *c, struct ks_group *g, uint16_t leaf)
{
	const struct member *m = members_named(&g->members, &c->name);

	if (leaf && !(m && m->leaf == leaf))
		lkh_leave(&g->lkh, leaf);
}

static bool seal_4(struct call *c, struct ks_pull *p, struct ks_group *g, uint16_t leaf,
		   struct gdoi_kd *kd, struct bytes *msg)
{
	struct ike_nonces n = { BYTES(p->ni, p->ni_len), BYTES_OF(p->nr) };
	const struct kek *kek = ks_rekey_kek(g, p->offer.kek_spi);
	struct secret kek_joined = { 0 };
	struct ike_seal s;
	bool ok = true;

	for (size_t i = 0; i < p->offer.n_gen && ok; i++)
		ok = ks_build_teks(keys_find_gen(&g->keys, p->offer.gen[i]), p->offer.made, kd);
	if (ok) {
		if (leaf)
			ks_build_branch(wire(c), kek, &g->lkh, leaf, kd);
		else
			ks_build_kek(wire(c), kek, &kek_joined, kd);
		ike_seal_begin(&s, &p->exch, c->ks->buf, KS_DGRAM_MAX);
		gdoi_seq_encode(&s.chain, p->offer.seq);
		gdoi_kd_encode(wire(c), &s.chain, kd);
		ok = ike_seal_end(&s, &p->exch, &n, msg) == 0;
	}
	secret_fini(&kek_joined);
	return ok;
}

static struct member *record(struct call *c, struct ks_pull *p, struct ks_group *g, uint16_t leaf)
{
	struct isakmp_id id = ike_id_view(&c->sa->peer_id);
	struct member *old = members_named(&g->members, &c->name), before, *m;
	char name[ISAKMP_ID_STRLEN];

	if (old) {
		before = *old;
		ks_fanout_forget(&g->push, old);
		members_del(&g->members, old);
	}
	m = members_add(&g->members, &c->from, old ? &before : NULL);
	BUG_ON(!m); // room_for_member
	snprintf(m->identity, sizeof(m->identity), "%.*s", (int)sizeof(m->identity) - 1,
		 isakmp_id_str(&id, name));
	m->local = c->to;
	m->behind = c->name.behind;
	m->inner = ks_nat_inner(c->sa);
	m->registered = c->now;
	member_count_registration(m, &g->conf->reg_limit, c->now);
	m->proved = proved_name(c->sa);
	m->conclave = c->sa->peer_conclave;
	m->major = c->sa->peer_major;
	m->minor = c->sa->peer_minor;
	m->ordered = p->offer.ordered;
	m->ack_asked = p->offer.ack;
	m->by_group = p->offer.by_group;
	m->next_ack = m->ack_asked;
	m->next_by_group = m->by_group;
	m->leaf = leaf;
	m->home = g->shared ? g->shared->coop.conf.id : 0;
	memcpy(m->told_kek, p->offer.kek_spi, sizeof(m->told_kek));
	m->told_seq = p->offer.seq;
	m->form = (uint8_t)ike_form(&c->ks->ike, &c->from.addr);
	return m;
}

static void registered(struct call *c, struct ks_pull *p, struct ks_group *g, uint16_t leaf,
		       const struct gdoi_kd *kd)
{
	struct member *m = record(c, p, g, leaf);
	char gm[MEMBER_STRLEN], sids[48] = "";
	struct logctx who;

	ks_group_logctx(g, &who);
	if (kd->has_sid)
		snprintf(sids, sizeof(sids), " sid=%u+%zu", kd->sid.sid[0], kd->sid.n);
	g->registrations++;
	ks_pseudo_told(&g->pseudo, c->now);
	c->ks->n_pulls++;
	ks_out_touch(c->out, g->identity, c->name);
	ks_out_event(c->out, EV_KS_GM_REGISTERED, &who, "gm=%s identity=%s seq=%u policy=%s%s",
		     member_str(m, gm), m->identity, p->offer.seq, m->ordered ? "ordered" : "flat",
		     sids);
	ks_nat_tell(g, c->sa, c->out);
	if (ks_rekey_is_behind(g, p->offer.kek_spi, p->offer.seq))
		ks_fanout_catch_up(g, m, c->now, c->out);
}

// Identities behind a NAT cost their inventor nothing: they are bounded.
static bool room_for_member(struct call *c, struct ks_group *g)
{
	const struct member_name *n = &c->name;

	if (members_named(&g->members, n))
		return true;
	if (n->behind && members_at(&g->members, &n->addr) >= MEMBERS_PER_NAT &&
	    !ks_removal_make_room(g, &n->addr, c->now, c->out))
		return false;
	return g->members.n < MEMBERS_MAX || ks_removal_make_room(g, NULL, c->now, c->out);
}

static void pull_in_3(struct call *c, struct ks_pull *p)
{
	struct ike_nonces nonces = { BYTES(p->ni, p->ni_len), BYTES_OF(p->nr) };
	struct isakmp_hashed m;
	struct gdoi_pull3 pull3;
	struct rd_err err = { NULL };
	struct gdoi_kd *kd;
	struct ks_group *g;
	struct bytes msg;
	uint16_t leaf;

	if (!open_message(c, &p->exch, 3, &nonces, &m))
		return;
	natt_follow(c->sa, &c->from, &c->to);
	ks_session_touch(c->sa, c->now);
	p->done = true; // whatever comes of it, this exchange has had its message 3
	if (ike_stored_accept(&p->stored, c->datagram) ||
	    !gdoi_pull3_decode(wire(c), &m, &pull3, &err)) {
		refuse(c, KS_DROP_PULL_MALFORMED, ISAKMP_N_PAYLOAD_MALFORMED, err.why);
		return;
	}
	g = judge_offer(c, p);
	if (!g)
		return;
	if (!room_for_member(c, g)) {
		refuse(c, KS_DROP_PULL_MEMBERS_FULL, ISAKMP_N_AUTHENTICATION_FAILED, g->name);
		return;
	}
	kd = calloc(1, sizeof(*kd));
	BUG_ON(!kd);
	if (take_sids(c, g, &p->offer, &pull3, kd) && take_leaf(c, g, &leaf)) {
		if (seal_4(c, p, g, leaf, kd, &msg)) {
			reply(c, p, msg);
			ks_out_waits_for(c->out, g->identity);
			registered(c, p, g, leaf, kd);
		} else {
			give_back_leaf(c, g, leaf);
			drop(c, KS_DROP_PULL_INTERNAL, "message 4 could not be written");
		}
	}
	free(kd);
}

// ---- entry ----

// Message 4 was lost. Rekeys that went out since then were nothing to a member without their KEK:
// the last comes behind the answer; when there were more the answer is worth nothing, and the member
// is told to begin again.
static void repeat_4(struct call *c, const struct ks_pull *p, struct bytes msg)
{
	struct ks_group *g = ks_group_by_identity(c->ks, p->group);
	struct member *m = g ? members_named(&g->members, &c->name) : NULL;

	if (!m || !ks_rekey_can_catch_up(g, p->offer.kek_spi, p->offer.seq)) {
		refuse(c, KS_DROP_PULL_KEYS_CHANGED, ISAKMP_N_INVALID_KEY_INFORMATION,
		       "message 4 is out of date");
		return;
	}
	ks_out_send_copy(c->out, &c->to, &c->from, msg);
	ks_out_waits_for(c->out, p->group);
	if (ks_rekey_is_behind(g, p->offer.kek_spi, p->offer.seq))
		ks_fanout_catch_up(g, m, c->now, c->out);
}

static void pull_dispatch(struct call *c)
{
	struct ks_pull *p = ks_pull_find(c->session, c->hdr->msgid);
	struct bytes again;

	if (!p) {
		pull_in_1(c);
	} else if (ike_stored_repeat(&p->stored, c->datagram, &again)) {
		drop(c, KS_DROP_PULL_REPEATED, NULL);
		if (again.len > 0 && p->done) {
			repeat_4(c, p, again);
		} else if (again.len > 0) {
			ks_out_send_copy(c->out, &c->to, &c->from, again);
			ks_out_waits_for(c->out, p->group);
		}
	} else if (p->done) {
		drop(c, KS_DROP_PULL_REPLAY, NULL);
	} else {
		pull_in_3(c, p);
	}
}

void ks_pull_in(struct ks *ks, mono_t now, const struct isakmp_hdr *hdr, struct bytes datagram,
		const struct endpoint *from, const struct endpoint *to, struct ks_out *out)
{
	struct call c = { .ks = ks,
			  .now = now,
			  .sa = ike_table_find(&ks->sas, hdr->cky_i, hdr->cky_r),
			  .hdr = hdr,
			  .datagram = datagram,
			  .from = *from,
			  .to = *to,
			  .out = out };

	if (!c.sa || c.sa->state != IKE_ESTABLISHED) {
		drop(&c, KS_DROP_PULL_NO_SA, NULL);
		return;
	}
	if (!endpoint_eq(from, &c.sa->peer) && !natt_may_follow(c.sa, from, to)) {
		drop(&c, KS_DROP_PULL_SOURCE, NULL);
		return;
	}
	c.session = c.sa->owner;
	c.name = ks_nat_name(c.sa);
	pull_dispatch(&c);
	explicit_bzero(ks->plain, datagram.len);
}
