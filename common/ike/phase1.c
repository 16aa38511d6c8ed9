#include "common/ike/phase1.h"

#include "common/ike/handshake.h"
#include "common/ike/info.h"
#include "common/ike/natt.h"

_Static_assert(FRAG_MAX_MSG <= IKE_DGRAM_MAX, "a whole of fragments is a message like any other");

// What each waiting state takes, each row under the drawing of its message.
#define BIT PL_BIT
#define FORM_SA                                                                                    \
	{                                                                                          \
		BIT(ISAKMP_PL_SA), 0, BIT(ISAKMP_PL_VID)                                           \
	}
#define FORM_KE                                                                                    \
	{                                                                                          \
		BIT(ISAKMP_PL_KE) | BIT(ISAKMP_PL_NONCE), 0,                                       \
			BIT(ISAKMP_PL_VID) | BIT(ISAKMP_PL_NAT_D) | BIT(ISAKMP_PL_CERTREQ)         \
	}
#define FORM_AUTH                                                                                  \
	{                                                                                          \
		BIT(ISAKMP_PL_ID) | BIT(ISAKMP_PL_HASH), 0,                                        \
			BIT(ISAKMP_PL_VID) | BIT(ISAKMP_PL_NOTIFY)                                 \
	}

#define FORM_SIG                                                                                   \
	{                                                                                          \
		BIT(ISAKMP_PL_ID) | BIT(ISAKMP_PL_SIG), 0,                                         \
			BIT(ISAKMP_PL_CERT) | BIT(ISAKMP_PL_CERTREQ) | BIT(ISAKMP_PL_VID) |        \
				BIT(ISAKMP_PL_NOTIFY)                                              \
	}

static const struct ike_row rows[] = {
	// 2  HDR, SA [, VID..]
	{ IKE_I_WAIT_SA, IKE_I_KEYGEN, false, FORM_SA, ISAKMP_PL_SA },
	// 3  HDR, KE, Ni [, NAT-D..]
	{ IKE_R_WAIT_KE, IKE_R_DERIVE, false, FORM_KE, 0 },
	// 4  HDR, KE, Nr [, NAT-D..]
	{ IKE_I_WAIT_KE, IKE_I_DERIVE, false, FORM_KE, 0 },
	// 5  HDR*, IDii, HASH_I [, N]
	{ IKE_R_WAIT_AUTH, IKE_ESTABLISHED, true, FORM_AUTH, 0 },
	// 6  HDR*, IDir, HASH_R [, N]
	{ IKE_I_WAIT_AUTH, IKE_ESTABLISHED, true, FORM_AUTH, 0 },
};
// The last two again, by signature.
static const struct ike_row sig_rows[] = {
	// 5  HDR*, IDii, CERT.., [CERTREQ..,] SIG_I [, N]
	{ IKE_R_WAIT_AUTH, IKE_R_VERIFY, true, FORM_SIG, 0 },
	// 6  HDR*, IDir, CERT.., SIG_R [, N]
	{ IKE_I_WAIT_AUTH, IKE_I_VERIFY, true, FORM_SIG, 0 },
};
#undef BIT

static const struct ike_row *main_row_of(const struct ike_sa *sa)
{
	const struct ike_row *row = NULL;

	if (main_by_signature(sa))
		row = ike_row_find(sig_rows, N_ELEMS(sig_rows), sa->state);
	return row ? row : ike_row_find(rows, N_ELEMS(rows), sa->state);
}

// room: for the rows of aggressive mode, of which one depends on the message's flags.
static const struct ike_row *row_of(const struct ike_sa *sa, const struct isakmp_hdr *hdr,
				    struct ike_row *room)
{
	if (sa->aggressive)
		return aggr_row(sa, hdr, room) ? room : NULL;
	return main_row_of(sa);
}

static void die(struct ike_sa *sa, enum ike_reason why, struct ike_out *out)
{
	ike_sa_kill(sa, why);
	out->dead = true;
}

static void in_datagram(struct ike_sa *sa, mono_t now, const struct ike_event *ev,
			struct ike_out *out);

// The peer's message did not prove what it should. Where anybody could have sent it, another may
// be waiting already.
static void unproven(struct ike_sa *sa, mono_t now, enum ike_reason why, struct ike_out *out)
{
	struct ike_event ev = { .kind = IKE_EV_DATAGRAM };
	struct ike_kept other;

	if (!aggr_asks_on(sa, now, why)) {
		die(sa, why, out);
		return;
	}
	out->refused = why;
	other = sa->hs->other;
	if (!other.b)
		return;
	sa->hs->other = (struct ike_kept){ NULL };
	ev.datagram = ike_kept_view(&other);
	ev.from = sa->hs->other_from;
	ev.to = sa->hs->other_to;
	in_datagram(sa, now, &ev, out);
	ike_kept_fini(&other);
	if (out->refused == IKE_R_OK)
		out->refused = why;
}

// The message just written waits for an answer (initiator), or is the answer to the message just
// accepted (responder).
static enum ike_reason keep_sent(struct ike_sa *sa, mono_t now, const struct ike_out *out)
{
	struct bytes msg = BYTES(out->msg, out->msg_len);
	int err;

	bool answers = sa->role == IKE_RESPONDER || (sa->aggressive && sa->state != IKE_I_KEYGEN);

	if (answers)
		return ike_stored_reply(&sa->stored, msg) ? IKE_R_NO_MEMORY : IKE_R_OK;
	err = ike_resend_arm(&sa->hs->resend, &sa->conf->schedule, now, msg);
	sa->deadline = sa->hs->resend.next;
	return err ? IKE_R_NO_MEMORY : IKE_R_OK;
}

// Lends the DH job to the caller: a new one first, the same again for the second half.
static enum ike_reason lend_dh(struct ike_sa *sa, struct bytes peer_ke, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;

	if (!hs->dh)
		hs->dh = dh_job_new(sa->suite.group);
	if (!hs->dh)
		return IKE_R_NO_MEMORY;
	if (peer_ke.len > 0 && dh_job_set_peer(hs->dh, peer_ke))
		return IKE_R_BAD_KE;
	do {
		hs->dh_tag = rng_u64(sa->conf->rng);
	} while (hs->dh_tag == 0);
	hs->dh->tag = hs->dh_tag;
	out->dh = hs->dh;
	hs->dh = NULL;
	return IKE_R_OK;
}

static void start(struct ike_sa *sa, mono_t now, struct ike_out *out)
{
	enum ike_reason why;

	BUG_ON(sa->state != IKE_IDLE || sa->role != IKE_INITIATOR);
	sa->hs = handshake_new();
	why = sa->hs ? IKE_R_OK : IKE_R_NO_MEMORY;
	if (why == IKE_R_OK && sa->aggressive) {
		why = aggr_begin(sa);
		if (why == IKE_R_OK)
			why = lend_dh(sa, BYTES(NULL, 0), out);
	} else if (why == IKE_R_OK) {
		why = main_out_1(sa, out);
		if (why == IKE_R_OK)
			why = keep_sent(sa, now, out);
	}
	if (why != IKE_R_OK) {
		out->msg_len = 0;
		die(sa, why, out);
		return;
	}
	ike_sa_set_state(sa, now, sa->aggressive ? IKE_I_KEYGEN : IKE_I_WAIT_SA);
}

static void dh_keygen_done(struct ike_sa *sa, mono_t now, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;
	enum ike_reason why;

	hs->ke_i.len = hs->dh->own_len;
	memcpy(hs->ke_i.b, hs->dh->own, hs->dh->own_len);
	why = sa->aggressive ? aggr_out_1(sa, out) : main_out_3_4(sa, out);
	if (why == IKE_R_OK)
		why = keep_sent(sa, now, out);
	if (why != IKE_R_OK)
		die(sa, why, out);
	else
		ike_sa_set_state(sa, now, IKE_I_WAIT_KE);
}

// The shared secret was put to use: what came of it is on its way and the SA goes on to next, or it
// ends here.
static bool derived(struct ike_sa *sa, mono_t now, enum ike_reason why, enum ike_state next,
		    struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;

	if (!aggr_is_asking(sa)) { // else the next answer may want it
		dh_job_free(hs->dh);
		hs->dh = NULL;
	}
	if (why == IKE_R_OK && !out->auth)
		why = keep_sent(sa, now, out);
	if (why == IKE_R_OK) {
		ike_sa_set_state(sa, now, next);
		return true;
	}
	out->msg_len = 0;
	unproven(sa, now, why, out);
	return false;
}

static void dh_derive_done(struct ike_sa *sa, mono_t now, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;
	bool initiator = sa->role == IKE_INITIATOR;
	enum ike_reason why;

	if (!initiator) { // message 4 first: it draws Nr, which the keys need
		hs->ke_r.len = hs->dh->own_len;
		memcpy(hs->ke_r.b, hs->dh->own, hs->dh->own_len);
		why = main_out_3_4(sa, out);
		if (why == IKE_R_OK)
			why = main_keys(sa, &hs->dh->shared);
	} else {
		natt_move(sa);
		why = main_keys(sa, &hs->dh->shared);
		if (why == IKE_R_OK)
			why = main_by_signature(sa) ? sig_start(sa, out) : main_out_5_6(sa, out);
	}
	derived(sa, now, why,
		out->auth   ? IKE_I_SIGN
		: initiator ? IKE_I_WAIT_AUTH
			    : IKE_R_WAIT_AUTH,
		out);
}

static void dh_aggressive_done(struct ike_sa *sa, mono_t now, struct ike_out *out)
{
	enum ike_state next = sa->state;
	enum ike_reason why = aggr_derived(sa, out, &next);

	if (derived(sa, now, why, next, out))
		out->established = next == IKE_ESTABLISHED;
}

static void dh_done(struct ike_sa *sa, mono_t now, struct dh_job *dh, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;

	if (!hs || hs->dh_tag == 0 || dh->tag != hs->dh_tag) { // of a handshake that is no more
		dh_job_free(dh);
		return;
	}
	hs->dh = dh;
	hs->dh_tag = 0;
	if (dh->err) {
		unproven(sa, now,
			 dh->err == -EBADMSG  ? IKE_R_BAD_KE
			 : dh->err == -EAGAIN ? IKE_R_BUSY
					      : IKE_R_NO_MEMORY,
			 out);
		return;
	}
	if (sa->state == IKE_I_KEYGEN)
		dh_keygen_done(sa, now, out);
	else if (sa->aggressive)
		dh_aggressive_done(sa, now, out);
	else
		dh_derive_done(sa, now, out);
}

// Tells the peer why, once: whoever sends us nonsense does not get a datagram for each.
static void tell(struct ike_sa *sa, enum ike_reason why, struct ike_out *out)
{
	uint16_t type = ike_reason_notify(why);

	if (type == 0 || sa->hs->told)
		return;
	sa->hs->told = true;
	out->msg_len =
		ike_info_clear(sa->cky_i, sa->cky_r, ike_wire(sa->conf, &sa->peer.addr)->notify_doi,
			       type, sa->conf->rng, out->msg, sizeof(out->msg));
	out->from = sa->local;
	out->to = sa->peer;
}

// The peer has proved what its job says, or failed for good: whoever could read our messages and
// still signs wrongly has nothing better to offer.
static enum ike_reason auth_take(struct ike_sa *sa, struct ike_auth_job *j, struct ike_out *out)
{
	const struct ike_auth_verify *v = &j->peer;
	const struct isakmp_id id = { .type = v->id_type, .data = BYTES(v->id, v->id_len) };

	if (j->need) // nobody fetched it
		j->reason = IKE_R_BAD_CERTIFICATE;
	if (j->reason != IKE_R_OK) {
		out->refused = j->reason;
		out->detail = j->cert == CERT_R_OK ? NULL : cert_reason_name(j->cert);
		tell(sa, j->reason, out);
		return j->reason;
	}
	if (j->verify) {
		main_id_keep(sa, &id);
		sa->peer_cert = j->who;
		j->who = NULL;
		if (sa->role == IKE_RESPONDER)
			natt_follow(sa, &sa->hs->from, &sa->hs->to);
	}
	if (!j->sign)
		return IKE_R_OK;
	if (!sa->aggressive)
		return sig_out_5_6(sa, j, out);
	return sa->role == IKE_INITIATOR ? aggr_out_3(sa, j, out) : aggr_out_2(sa, j, out);
}

static void auth_done(struct ike_sa *sa, mono_t now, struct ike_auth_job *j, struct ike_out *out)
{
	struct ike_handshake *hs = sa->hs;
	enum ike_reason why;

	if (!hs || hs->auth_tag == 0 || j->tag != hs->auth_tag) { // of a handshake that is no more
		ike_auth_job_free(j);
		return;
	}
	hs->auth_tag = 0;
	why = auth_take(sa, j, out);
	if (why == IKE_R_OK && j->sign)
		why = keep_sent(sa, now, out);
	ike_auth_job_free(j);
	if (why != IKE_R_OK) {
		unproven(sa, now, why, out);
		return;
	}
	ike_sa_set_state(sa, now,
			 sa->state == IKE_I_SIGN   ? IKE_I_WAIT_AUTH
			 : sa->state == IKE_R_SIGN ? IKE_R_WAIT_AUTH
						   : IKE_ESTABLISHED);
	out->established = sa->state == IKE_ESTABLISHED;
}

static enum ike_reason handle_aggressive(struct ike_sa *sa, const struct isakmp_hdr *hdr,
					 const struct isakmp_chain *c, struct ike_out *out)
{
	enum ike_reason why;

	switch (sa->state) {
	case IKE_R_WAIT_KE:
		why = aggr_in_1(sa, c, &out->detail);
		return why == IKE_R_OK ? lend_dh(sa, ike_value_view(&sa->hs->ke_i), out) : why;
	case IKE_I_WAIT_KE:
		why = aggr_in_2(sa, hdr, c, &out->detail);
		return why == IKE_R_OK ? lend_dh(sa, ike_value_view(&sa->hs->ke_r), out) : why;
	default: // the rows leave only the one that waits for message 3
		return aggr_in_3(sa, c, out);
	}
}

static enum ike_reason handle(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			      const struct isakmp_chain *c, struct ike_out *out)
{
	enum ike_reason why;

	switch (sa->state) {
	case IKE_I_WAIT_SA:
		why = main_in_2(sa, hdr, c, &out->detail);
		return why == IKE_R_OK ? lend_dh(sa, BYTES(NULL, 0), out) : why;
	case IKE_R_WAIT_KE:
		why = main_in_3(sa, c, &out->detail);
		return why == IKE_R_OK ? lend_dh(sa, ike_value_view(&sa->hs->ke_i), out) : why;
	case IKE_I_WAIT_KE:
		why = main_in_4(sa, c, &out->detail);
		return why == IKE_R_OK ? lend_dh(sa, ike_value_view(&sa->hs->ke_r), out) : why;
	default: // the rows leave only the two that wait for a proof
		return main_by_signature(sa) ? sig_in_5_6(sa, c, out)
					     : main_in_5_6(sa, c, &out->detail);
	}
}

// A message of main mode, decrypted if need be, against its row and its handler. Nothing but the
// handler's own fields has changed when it returns anything but IKE_R_OK.
static enum ike_reason judge(struct ike_sa *sa, const struct ike_row *row,
			     const struct isakmp_hdr *hdr, struct bytes msg, struct ike_out *out)
{
	uint8_t plain[IKE_DGRAM_MAX], next_iv[CIPHER_BLOCK_MAX] = { 0 };
	struct bytes payloads = BYTES(msg.p + ISAKMP_HDR_LEN, msg.len - ISAKMP_HDR_LEN);
	size_t pad = 0;
	struct isakmp_chain chain;
	struct rd_err err = { NULL };
	enum ike_reason why = ike_row_check_hdr(row, hdr);

	if (why == IKE_R_OK && row->encrypted) {
		why = main_decrypt(sa, msg, plain, next_iv);
		payloads.p = plain;
		pad = cipher_block_len(sa->suite.cipher);
	}
	if (why != IKE_R_OK)
		return why;
	if (!isakmp_chain_decode(payloads, hdr->next, pad, &chain, &err)) {
		out->detail = err.why;
		// Garbage behind a cipher is the other key, not another grammar.
		return row->encrypted ? IKE_R_AUTH_FAILED : IKE_R_MALFORMED;
	}
	why = ike_row_check_chain(row, &chain, &out->detail);
	if (why == IKE_R_OK)
		why = sa->aggressive ? handle_aggressive(sa, hdr, &chain, out)
				     : handle(sa, hdr, &chain, out);
	if (why == IKE_R_OK && row->encrypted)
		memcpy(sa->hs->iv, next_iv, sizeof(sa->hs->iv));
	return why;
}

// What follows from an accepted message: it is remembered, message 5 is answered (unless a job has
// to look at it first), state moves.
static enum ike_reason accept(struct ike_sa *sa, mono_t now, const struct ike_row *row,
			      const struct ike_event *ev, struct ike_out *out)
{
	if (ike_stored_accept(&sa->stored, ev->datagram))
		return IKE_R_NO_MEMORY;
	sa->hs->from = ev->from;
	sa->hs->to = ev->to;
	if (sa->state == IKE_R_WAIT_AUTH && !out->auth) {
		enum ike_reason why;

		natt_follow(sa, &ev->from, &ev->to);
		why = sa->aggressive ? IKE_R_OK : main_out_5_6(sa, out);
		if (why == IKE_R_OK && !sa->aggressive)
			why = keep_sent(sa, now, out);
		if (why != IKE_R_OK)
			return why;
	}
	if (!aggr_is_asking(sa))
		ike_resend_clear(&sa->hs->resend);
	ike_sa_set_state(sa, now, (enum ike_state)row->next);
	out->established = sa->state == IKE_ESTABLISHED;
	return IKE_R_OK;
}

static void refuse(struct ike_sa *sa, enum ike_reason why, struct ike_out *out)
{
	out->refused = why;
	if (why == IKE_R_DUPLICATE || !sa->hs)
		return;
	sa->hs->last_refused = why;
	tell(sa, why, out);
}

// What a peer's error notify says of us.
static enum ike_reason reason_of_notify(uint16_t type)
{
	switch (type) {
	case ISAKMP_N_NO_PROPOSAL_CHOSEN:
		return IKE_R_NO_PROPOSAL;
	case ISAKMP_N_AUTHENTICATION_FAILED:
		return IKE_R_AUTH_FAILED;
	case ISAKMP_N_INVALID_CERTIFICATE:
		return IKE_R_BAD_CERTIFICATE;
	case ISAKMP_N_INVALID_CERT_AUTHORITY:
		return IKE_R_UNKNOWN_CA;
	case ISAKMP_N_INVALID_SIGNATURE:
		return IKE_R_BAD_SIGNATURE;
	case ISAKMP_N_INVALID_ID_INFORMATION:
		return IKE_R_BAD_ID;
	default:
		return IKE_R_OK;
	}
}

// An error notify without protection can come from anybody on the path: it never ends the
// handshake. It explains a timeout, and takes away some patience (see timer).
static void in_clear_notify(struct ike_sa *sa, const struct isakmp_hdr *hdr, struct bytes msg,
			    struct ike_out *out)
{
	uint16_t type = ike_info_clear_type(hdr, msg);
	enum ike_reason why = reason_of_notify(type);

	if (type == 0)
		out->refused = IKE_R_MALFORMED;
	if (!sa->hs || why == IKE_R_OK)
		return;
	sa->hs->hinted = true;
	if (sa->hs->last_refused == IKE_R_OK)
		sa->hs->last_refused = why;
}

static bool ours(const struct ike_sa *sa, const struct isakmp_hdr *hdr)
{
	static const uint8_t none[ISAKMP_COOKIE_LEN];
	bool aggressive_1 = sa->aggressive && sa->role == IKE_RESPONDER &&
			    memcmp(hdr->cky_r, none, sizeof(none)) == 0;
	bool unknown_yet = sa->state == IKE_I_WAIT_SA || aggr_is_asking(sa);

	return memcmp(sa->cky_i, hdr->cky_i, sizeof(sa->cky_i)) == 0 &&
	       (aggressive_1 || unknown_yet ||
		memcmp(sa->cky_r, hdr->cky_r, sizeof(sa->cky_r)) == 0);
}

// A piece of a message; the last missing one makes it whole, and it goes the way of any other.
static void in_fragment(struct ike_sa *sa, mono_t now, const struct ike_event *ev,
			struct ike_out *out)
{
	struct ike_event whole = { .kind = IKE_EV_DATAGRAM, .from = ev->from, .to = ev->to };
	struct rd_err err = { NULL };
	struct ike_fragment f;
	uint8_t *msg = NULL;
	size_t len = 0;

	if (sa->conf->no_fragments || !frag_decode(ev->datagram, &f, &err)) {
		out->refused = IKE_R_BAD_FRAGMENT;
		out->detail = err.why;
		return;
	}
	if (frag_add(&sa->frag, &f, &msg, &len) < 0)
		out->refused = IKE_R_BAD_FRAGMENT;
	whole.datagram = BYTES(msg, len);
	if (msg && frag_is(whole.datagram))
		out->refused = IKE_R_BAD_FRAGMENT; // a fragment of fragments
	else if (msg)
		in_datagram(sa, now, &whole, out);
	free(msg);
}

static void in_datagram(struct ike_sa *sa, mono_t now, const struct ike_event *ev,
			struct ike_out *out)
{
	uint8_t exchange = sa->aggressive ? ISAKMP_XCH_AGGRESSIVE : ISAKMP_XCH_MAIN;
	const struct ike_row *row;
	struct ike_row room;
	struct rd_err err = { NULL };
	struct rd r = rd_of(ev->datagram, &err);
	struct isakmp_hdr hdr;
	struct bytes again;
	enum ike_reason why;

	if (ev->datagram.len > IKE_DGRAM_MAX || !isakmp_hdr_decode(&r, &hdr)) {
		out->refused = IKE_R_MALFORMED;
		out->detail = err.why ? err.why : "datagram too long";
	} else if (!endpoint_eq(&sa->peer, &ev->from) && !natt_may_follow(sa, &ev->from, &ev->to)) {
		out->refused = IKE_R_WRONG_SOURCE;
	} else if (!ours(sa, &hdr)) {
		out->refused = IKE_R_COOKIE_UNKNOWN;
	} else if (hdr.exchange == ISAKMP_XCH_INFO) {
		in_clear_notify(sa, &hdr, ev->datagram, out);
	} else if (hdr.exchange != exchange || hdr.msgid != 0) {
		out->refused = IKE_R_BAD_EXCHANGE;
	} else if (frag_is(ev->datagram)) {
		in_fragment(sa, now, ev, out);
	} else if (ike_stored_repeat(&sa->stored, ev->datagram, &again)) {
		out->refused = IKE_R_DUPLICATE;
		out->msg_len = MIN_OF(again.len, sizeof(out->msg));
		memcpy(out->msg, again.p ? again.p : out->msg, out->msg_len);
		out->from = sa->local;
		out->to = sa->peer;
		out->fragments = sa->peer_fragments;
	} else if (aggr_keep_other(sa, ev)) {
		return;
	} else if (!(row = row_of(sa, &hdr, &room))) {
		out->refused = IKE_R_UNEXPECTED_MESSAGE;
	} else {
		why = judge(sa, row, &hdr, ev->datagram, out);
		if (why == IKE_R_OK)
			why = accept(sa, now, row, ev, out);
		if (why != IKE_R_OK)
			refuse(sa, why, out);
	}
}

// The peer said no, and did not answer the repetition either: whoever forged that would have to
// hold back the peer's answer as well, and could then do so anyhow.
static bool gives_up_early(const struct ike_sa *sa)
{
	return sa->hs && sa->hs->hinted && sa->hs->resend.sent >= 2;
}

static void timer(struct ike_sa *sa, mono_t now, struct ike_out *out)
{
	struct ike_resend *r = sa->hs ? &sa->hs->resend : NULL;
	enum ike_reason why;

	if (!mono_due(sa->deadline, now) || sa->state == IKE_DEAD)
		return;
	if (sa->state == IKE_ESTABLISHED) {
		die(sa, IKE_R_EXPIRED, out);
		return;
	}
	if (sa->role == IKE_INITIATOR && r && r->msg && !gives_up_early(sa) &&
	    ike_resend_due(r, &sa->conf->schedule, now) == IKE_RESEND_AGAIN) {
		out->msg_len = MIN_OF(r->len, sizeof(out->msg));
		memcpy(out->msg, r->msg, out->msg_len);
		out->from = sa->local;
		out->to = sa->peer;
		out->fragments = sa->peer_fragments;
		sa->deadline = r->next;
		return;
	}
	why = sa->hs ? sa->hs->last_refused : IKE_R_OK;
	die(sa, why == IKE_R_OK ? IKE_R_TIMEOUT : why, out);
}

void ike_sa_step(struct ike_sa *sa, mono_t now, const struct ike_event *ev, struct ike_out *out)
{
	ike_out_clear(out);
	switch (ev->kind) {
	case IKE_EV_START:
		start(sa, now, out);
		break;
	case IKE_EV_DATAGRAM:
		in_datagram(sa, now, ev, out);
		break;
	case IKE_EV_DH_DONE:
		dh_done(sa, now, ev->dh, out);
		break;
	case IKE_EV_AUTH_DONE:
		auth_done(sa, now, ev->auth, out);
		break;
	case IKE_EV_TIMER:
		timer(sa, now, out);
		break;
	}
}
