#include "ks/phase1.h"

#include "ks/nat.h"
#include "ks/session.h"

static struct ks_source *source_of(struct ks *ks, const struct addr *a)
{
	uint32_t h = ks->sources.seed;

	for (size_t i = 0; i < addr_len(a); i++)
		h = (h ^ a->b[i]) * 0x01000193u;
	return &ks->sources.by[(h ^ h >> 16) % KS_SOURCE_BUCKETS];
}

// A flood from many addresses, none of which has more than its share: whoever is honest shows its
// key within a second, so the oldest that has not is the one to lose.
static void make_room(struct ks_call *c)
{
	struct ks_sources *all = &c->ks->sources;
	struct ks_session *s = TAILQ_FIRST(&all->unproven);

	if (all->n_unproven < all->max_unproven && c->ks->sas.n < c->ks->sas.capacity)
		return;
	if (!s)
		s = TAILQ_FIRST(&all->proven);
	if (!s)
		return;
	ks_drop(c->ks, c->now, KS_DROP_MADE_ROOM, &s->sa->peer, NULL, c->out);
	ks_sa_drop(c->ks, s->sa);
}

// A place for one that has yet to show its key. KS_DROP_COUNT: taken; else why not.
static enum ks_drop place_take(struct ks_call *c, const struct addr *a)
{
	struct ks_sources *all = &c->ks->sources;
	struct ks_source *s = source_of(c->ks, a);

	if (s->unproven >= all->max_unproven_each)
		return KS_DROP_UNPROVEN;
	if (s->all >= all->max)
		return KS_DROP_SOURCE_FULL;
	make_room(c);
	s->unproven++;
	s->all++;
	all->n_unproven++;
	return KS_DROP_COUNT;
}

static void shown(struct ks *ks, const struct ike_sa *sa)
{
	struct ks_session *s = sa->owner;

	if (s->proven)
		return;
	s->proven = true;
	source_of(ks, &sa->peer.addr)->unproven--;
	ks->sources.n_unproven--;
}

static void place_give_back(struct ks *ks, const struct ike_sa *sa)
{
	shown(ks, sa);
	source_of(ks, &sa->peer.addr)->all--;
}

void ks_sa_drop(struct ks *ks, struct ike_sa *sa)
{
	const struct ks_session *s = sa->owner;

	place_give_back(ks, sa);
	ks->n_kept -= s->kept;
	ks_session_close(sa);
	ike_table_drop(&ks->sas, sa);
}

// SAs that members keep leave half of the table to those who register.
static void proven(struct ks *ks, mono_t now, struct ike_sa *sa)
{
	const struct ike_dpd_conf *dpd = &ks->conf->ike.dpd;
	bool wanted = sa->peer_features & VID_CONCLAVE_KEEP ||
		      (sa->peer_conclave && sa->peer_behind_nat) ||
		      (dpd->interval_s > 0 && sa->peer_dpd);
	bool kept = wanted && ks->n_kept < ks->sas.capacity / 2;

	shown(ks, sa);
	ks->n_kept += kept;
	ks_session_proven(sa, now, kept, dpd);
	ks_session_stand(sa->owner, kept ? NULL : &ks->sources.proven);
}

static void tell_established(const struct ike_sa *sa, struct ks_out *out)
{
	char peer[ENDPOINT_STRLEN], name[IKE_PEER_STRLEN], suite[IKE_PROPOSAL_STRLEN];
	struct logctx who;

	logctx_set(&who, "peer=%s", endpoint_str(&sa->peer, peer));
	ks_out_event(out, EV_IKE_ESTABLISHED, &who, "identity=%.100s suite=%s",
		     ike_peer_str(sa, name), ike_proposal_str(&sa->suite, suite));
}

static void send_message(const struct ike_out *o, struct ks_out *out)
{
	struct bytes msg = BYTES(o->msg, o->msg_len);
	uint8_t buf[FRAG_SIZE];
	const uint8_t *p;
	size_t len;

	for (size_t n = 0; (len = frag_cut(msg, o->fragments, n, &p, buf)); n++)
		ks_out_send_copy(out, &o->from, &o->to, BYTES(p, len));
}

// What one step of phase 1 asks for. sa may be NULL (a stranger's datagram); it may be gone
// afterwards.
static void carry_out(struct ks *ks, mono_t now, struct ike_sa *sa, const struct endpoint *from,
		      struct ike_out *o, struct ks_out *out)
{
	if (o->msg_len > 0)
		send_message(o, out);
	if (sa && o->dh)
		ks_out_dh(out, o->dh, sa->cky_i, sa->cky_r);
	if (o->auth)
		ks_out_auth(out, o->auth);
	if (o->refused != IKE_R_OK)
		ks_drop_ike(ks, now, o->refused, from, o->detail, out);
	if (sa && o->established) {
		ks->n_phase1++;
		proven(ks, now, sa);
		tell_established(sa, out);
		ks_nat_arrived(ks, sa, out);
	}
	if (sa && o->dead) {
		if (o->refused == IKE_R_OK && sa->reason != IKE_R_EXPIRED)
			ks_drop_ike(ks, now, sa->reason, &sa->peer, NULL, out);
		ks_sa_drop(ks, sa);
	}
}

void ks_sa_timer(struct ks *ks, struct ike_sa *sa, mono_t now, struct ks_out *out)
{
	struct ike_event ev = { .kind = IKE_EV_TIMER };
	struct ike_out o;

	ike_sa_step(sa, now, &ev, &o);
	carry_out(ks, now, sa, &sa->peer, &o, out);
}

static void refuse_sa(struct ks_call *c, struct ike_sa *sa, struct ike_out *o, enum ks_drop why)
{
	dh_job_free(o->dh);
	ike_sa_fini(sa);
	free(sa);
	ks_drop(c->ks, c->now, why, &c->ev->from, NULL, c->out);
}

static void new_sa(struct ks_call *c, struct ike_sa *sa, struct ike_out *o)
{
	enum ks_drop why = place_take(c, &sa->peer.addr);

	if (why != KS_DROP_COUNT) {
		refuse_sa(c, sa, o, why);
		return;
	}
	ks_session_open(sa, c->now);
	if (ike_table_put(&c->ks->sas, sa)) {
		place_give_back(c->ks, sa);
		ks_session_close(sa);
		refuse_sa(c, sa, o, KS_DROP_TABLE_FULL);
		return;
	}
	ks_session_stand(sa->owner, &c->ks->sources.unproven);
	carry_out(c->ks, c->now, sa, &c->ev->from, o, c->out);
}

// The SA of a datagram of phase 1. Message 1 of aggressive mode names only half of it.
static struct ike_sa *sa_of(const struct ks_call *c, const struct isakmp_hdr *hdr)
{
	struct ike_sa *sa = ike_table_find(&c->ks->sas, hdr->cky_i, hdr->cky_r);
	const uint8_t *cky_r;

	if (sa || hdr->exchange != ISAKMP_XCH_AGGRESSIVE)
		return sa;
	cky_r = ike_aggr_known(&c->ks->aggressive, c->now, hdr->cky_i, &c->ev->from);
	return cky_r ? ike_table_find(&c->ks->sas, hdr->cky_i, cky_r) : NULL;
}

static void stranger_in(struct ks_call *c, const struct isakmp_hdr *hdr, struct ike_out *o,
			struct ike_sa **made)
{
	const struct ks_event *ev = c->ev;
	const struct ike_aggr_call call = { &c->ks->ike, c->now, c->msg, &ev->from, &ev->to };

	if (hdr->exchange == ISAKMP_XCH_AGGRESSIVE)
		ike_aggr_in(&c->ks->aggressive, &call, o, made);
	else
		ike_halfopen_in(&c->ks->halfopen, &c->ks->ike, c->now, c->msg, &ev->from, &ev->to,
				o, made);
}

void ks_phase1_in(struct ks_call *c, const struct isakmp_hdr *hdr)
{
	const struct ks_event *ev = c->ev;
	struct ike_sa *sa = sa_of(c, hdr);
	struct ike_event in = {
		.kind = IKE_EV_DATAGRAM, .datagram = c->msg, .from = ev->from, .to = ev->to
	};
	struct ike_out o;

	if (sa) {
		ike_sa_step(sa, c->now, &in, &o);
		carry_out(c->ks, c->now, sa, &ev->from, &o, c->out);
		return;
	}
	stranger_in(c, hdr, &o, &sa);
	if (sa)
		new_sa(c, sa, &o);
	else
		carry_out(c->ks, c->now, NULL, &ev->from, &o, c->out);
}

// ---- informational ----

// Is the key server still there, and what of our own question? (RFC 3706)
static void dpd_in(struct ks_call *c, struct ike_sa *sa, const struct ike_info *info)
{
	struct ks_session *s = sa->owner;
	uint64_t stale = c->ks->dpd.stale;
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	for (size_t i = 0; i < info->n_notify; i++) {
		if (ike_dpd_answer(&s->dpd, sa, c->now, &info->notify[i], &c->ks->dpd, buf, &msg)) {
			if (s->dpd.fresh) // a repetition may be anybody's
				ks_nat_follow(c, sa);
			ks_out_send_copy(c->out, &sa->local, &sa->peer, msg);
		}
	}
	if (c->ks->dpd.stale > stale)
		ks_drop_ike(c->ks, c->now, IKE_R_REPLAY, &c->ev->from, "R-U-THERE", c->out);
}

// On demand: the last registration under this SA is of a group that was sent a rekey since.
static void demand(const struct ks *ks, struct ks_session *s, mono_t now)
{
	for (size_t i = 0; i < KS_PULLS_PER_SA; i++) {
		const struct ks_pull *p = s->pull[i];
		const struct ks_group *g = p && p->done ? ks_group_by_identity(ks, p->group) : NULL;

		if (g && g->push.have && mono_before(s->dpd.heard, g->push.started))
			ike_dpd_sent(&s->dpd, now);
	}
}

static void tell_dead(const struct ike_sa *sa, struct ks_out *out)
{
	char peer[ENDPOINT_STRLEN], name[IKE_PEER_STRLEN];
	struct logctx who;

	logctx_set(&who, "peer=%s", endpoint_str(&sa->peer, peer));
	ks_out_event(out, EV_IKE_PEER_DEAD, &who, "identity=%.100s does not answer R-U-THERE",
		     ike_peer_str(sa, name));
}

bool ks_sa_dpd(struct ks *ks, struct ike_sa *sa, mono_t now, struct ks_out *out)
{
	struct ks_session *s = sa->owner;
	uint8_t buf[IKE_INFO_BUF];
	struct bytes msg;

	if (sa->state != IKE_ESTABLISHED)
		return true;
	if (s->dpd.conf.on_demand)
		demand(ks, s, now);
	switch (ike_dpd_due(&s->dpd, sa, now, &ks->dpd, buf, &msg)) {
	case IKE_DPD_NOTHING:
		return true;
	case IKE_DPD_ASK:
		if (msg.len > 0)
			ks_out_send_copy(out, &sa->local, &sa->peer, msg);
		return true;
	case IKE_DPD_DEAD:
		break;
	}
	tell_dead(sa, out);
	ks_sa_drop(ks, sa);
	return false;
}

void ks_info_in(struct ks_call *c, const struct isakmp_hdr *hdr)
{
	const struct ks_event *ev = c->ev;
	struct ike_sa *sa = ike_table_find(&c->ks->sas, hdr->cky_i, hdr->cky_r);
	const char *detail = NULL;
	struct ike_info info;
	enum ike_reason r;

	if (!(hdr->flags & ISAKMP_FLAG_E)) {
		ks_drop(c->ks, c->now, KS_DROP_INFO_CLEAR, &ev->from, NULL, c->out);
		return;
	}
	if (!sa || sa->state != IKE_ESTABLISHED || c->msg.len > IKE_DGRAM_MAX) {
		ks_drop(c->ks, c->now, KS_DROP_INFO_NO_SA, &ev->from, NULL, c->out);
		return;
	}
	r = ike_info_open(sa, hdr, c->msg, c->ks->plain, &info, &detail);
	if (r != IKE_R_OK)
		ks_drop_ike(c->ks, c->now, r, &ev->from, detail, c->out);
	if (r != IKE_R_OK)
		return;
	if (info.deletes_sa) {
		ks_sa_drop(c->ks, sa);
		return;
	}
	dpd_in(c, sa, &info);
	ks_session_touch(sa, c->now);
}

void ks_dh_done(struct ks_call *c)
{
	const struct ks_dh *dh = &c->ev->dh;
	struct ike_sa *sa = ike_table_find(&c->ks->sas, dh->cky_i, dh->cky_r);
	struct ike_event in = { .kind = IKE_EV_DH_DONE, .dh = dh->job };
	struct ike_out o;

	if (!sa) {
		dh_job_free(dh->job);
		return;
	}
	ike_sa_step(sa, c->now, &in, &o);
	carry_out(c->ks, c->now, sa, &sa->peer, &o, c->out);
}

void ks_auth_done(struct ks_call *c)
{
	struct ike_auth_job *job = c->ev->auth;
	struct ike_sa *sa = ike_table_find(&c->ks->sas, job->cky_i, job->cky_r);
	struct ike_event in = { .kind = IKE_EV_AUTH_DONE, .auth = job };
	struct ike_out o;

	if (!sa) {
		ike_auth_job_free(job);
		return;
	}
	ike_sa_step(sa, c->now, &in, &o);
	carry_out(c->ks, c->now, sa, &sa->peer, &o, c->out);
}
