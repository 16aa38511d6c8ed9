#include "ks/phase1.h"

#include "common/ike/info.h"
#include "ks/session.h"

static uint16_t *unproven_of(struct ks *ks, const struct addr *a)
{
	uint32_t h = ks->unproven.seed;

	for (size_t i = 0; i < addr_len(a); i++)
		h = (h ^ a->b[i]) * 0x01000193u;
	return &ks->unproven.by_source[(h ^ h >> 16) % KS_UNPROVEN_BUCKETS];
}

static bool unproven_take(struct ks *ks, const struct addr *a)
{
	uint16_t *n = unproven_of(ks, a);

	if (*n >= ks->unproven.max_per_source || ks->unproven.n >= ks->unproven.max)
		return false;
	(*n)++;
	ks->unproven.n++;
	return true;
}

static void unproven_give_back(struct ks *ks, const struct ike_sa *sa)
{
	struct ks_session *s = sa->owner;

	if (s->proven)
		return;
	s->proven = true;
	--*unproven_of(ks, &sa->peer.addr);
	ks->unproven.n--;
}

void ks_sa_drop(struct ks *ks, struct ike_sa *sa)
{
	unproven_give_back(ks, sa);
	ks_session_close(sa);
	ike_table_drop(&ks->sas, sa);
}

static void tell_established(const struct ike_sa *sa, struct ks_out *out)
{
	char peer[ENDPOINT_STRLEN], name[IKE_PEER_STRLEN], suite[IKE_PROPOSAL_STRLEN];
	struct logctx who;

	logctx_set(&who, "peer=%s", endpoint_str(&sa->peer, peer));
	ks_out_event(out, EV_IKE_ESTABLISHED, &who, "identity=%.100s suite=%s",
		     ike_peer_str(sa, name), ike_proposal_str(&sa->suite, suite));
}

static void send_message(const struct endpoint *local, const struct ike_out *o, struct ks_out *out)
{
	struct bytes msg = BYTES(o->msg, o->msg_len);
	uint8_t buf[FRAG_SIZE];
	const uint8_t *p;
	size_t len;

	for (size_t n = 0; (len = frag_cut(msg, o->fragments, n, &p, buf)); n++)
		ks_out_send_copy(out, local, &o->to, BYTES(p, len));
}

// What one step of phase 1 asks for. sa may be NULL (a stranger's datagram); it may be gone
// afterwards.
static void carry_out(struct ks *ks, mono_t now, struct ike_sa *sa, const struct endpoint *local,
		      const struct endpoint *from, struct ike_out *o, struct ks_out *out)
{
	if (o->msg_len > 0)
		send_message(local, o, out);
	if (o->dh)
		ks_out_dh(out, o->dh, sa->cky_i, sa->cky_r);
	if (o->auth)
		ks_out_auth(out, o->auth);
	if (o->refused != IKE_R_OK)
		ks_drop_ike(ks, now, o->refused, from, o->detail, out);
	if (o->established) {
		ks->n_phase1++;
		unproven_give_back(ks, sa);
		ks_session_touch(sa, now);
		tell_established(sa, out);
	}
	if (o->dead) {
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
	carry_out(ks, now, sa, ks_session_local(sa), &sa->peer, &o, out);
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
	if (!unproven_take(c->ks, &sa->peer.addr)) {
		refuse_sa(c, sa, o, KS_DROP_UNPROVEN);
		return;
	}
	ks_session_open(sa, &c->ev->to, c->now);
	if (ike_table_put(&c->ks->sas, sa)) {
		unproven_give_back(c->ks, sa);
		ks_session_close(sa);
		refuse_sa(c, sa, o, KS_DROP_TABLE_FULL);
		return;
	}
	carry_out(c->ks, c->now, sa, &c->ev->to, &c->ev->from, o, c->out);
}

void ks_main_mode_in(struct ks_call *c, const struct isakmp_hdr *hdr)
{
	const struct ks_event *ev = c->ev;
	struct ike_sa *sa = ike_table_find(&c->ks->sas, hdr->cky_i, hdr->cky_r);
	struct ike_event in = { .kind = IKE_EV_DATAGRAM,
				.datagram = ev->datagram,
				.from = ev->from };
	struct ike_out o;

	if (sa) {
		ike_sa_step(sa, c->now, &in, &o);
		carry_out(c->ks, c->now, sa, ks_session_local(sa), &ev->from, &o, c->out);
		return;
	}
	ike_halfopen_in(&c->ks->halfopen, &c->ks->ike, c->now, ev->datagram, &ev->from, &o, &sa);
	if (sa)
		new_sa(c, sa, &o);
	else
		carry_out(c->ks, c->now, NULL, &ev->to, &ev->from, &o, c->out);
}

// ---- informational ----

// Is the key server still there? (RFC 3706)
static void answer_dpd(struct ks_call *c, struct ike_sa *sa, const struct ike_info *info)
{
	struct ks_session *s = sa->owner;
	uint8_t data[4], buf[IKE_INFO_BUF];
	struct bytes msg;
	bool stale;

	for (size_t i = 0; i < info->n_notify; i++) {
		if (ike_dpd_notify(&s->dpd, c->now, &info->notify[i], data, &stale) &&
		    ike_info_notify(sa, ISAKMP_N_R_U_THERE_ACK, BYTES_OF(data), buf, sizeof(buf),
				    &msg) == 0)
			ks_out_send_copy(c->out, &s->local, &sa->peer, msg);
		if (stale)
			ks_drop_ike(c->ks, c->now, IKE_R_REPLAY, &c->ev->from, "R-U-THERE", c->out);
	}
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
	if (!sa || sa->state != IKE_ESTABLISHED || ev->datagram.len > IKE_DGRAM_MAX) {
		ks_drop(c->ks, c->now, KS_DROP_INFO_NO_SA, &ev->from, NULL, c->out);
		return;
	}
	r = ike_info_open(sa, hdr, ev->datagram, c->ks->plain, &info, &detail);
	if (r != IKE_R_OK)
		ks_drop_ike(c->ks, c->now, r, &ev->from, detail, c->out);
	if (r != IKE_R_OK)
		return;
	if (info.deletes_sa) {
		ks_sa_drop(c->ks, sa);
		return;
	}
	ks_session_touch(sa, c->now);
	answer_dpd(c, sa, &info);
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
	carry_out(c->ks, c->now, sa, ks_session_local(sa), &sa->peer, &o, c->out);
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
	carry_out(c->ks, c->now, sa, ks_session_local(sa), &sa->peer, &o, c->out);
}
