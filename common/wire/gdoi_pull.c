#include "common/wire/gdoi_pull.h"

// Which payloads each message has; vendor ids are covered by HASH and otherwise ignored.
static const struct isakmp_form pull_form[] = {
	[1] = { PL_BIT(ISAKMP_PL_HASH) | PL_BIT(ISAKMP_PL_NONCE) | PL_BIT(ISAKMP_PL_ID), 0,
		PL_BIT(ISAKMP_PL_VID) },
	[2] = { PL_BIT(ISAKMP_PL_HASH) | PL_BIT(ISAKMP_PL_NONCE) | PL_BIT(ISAKMP_PL_SA), 0,
		PL_BIT(ISAKMP_PL_VID) },
	[3] = { PL_BIT(ISAKMP_PL_HASH), PL_BIT(GDOI_PL_GAP), PL_BIT(ISAKMP_PL_VID) },
	[4] = { PL_BIT(ISAKMP_PL_HASH) | PL_BIT(GDOI_PL_KD), PL_BIT(GDOI_PL_SEQ),
		PL_BIT(ISAKMP_PL_VID) },
};

bool gdoi_pull_open(const struct gdoi_wire_opts *o, int n, struct bytes payloads, uint8_t first,
		    size_t pad, struct isakmp_hashed *out, struct rd_err *err)
{
	struct isakmp_form form;

	BUG_ON(n < 1 || n > 4);
	form = pull_form[n];
	if (o->pull_ignore_extra)
		form.repeat |= ~(form.required | form.optional);
	return isakmp_hashed_decode(payloads, first, pad, out, err) &&
	       isakmp_chain_judge(&out->chain, &form, err);
}

static struct bytes pull_body(const struct isakmp_hashed *m, uint8_t type)
{
	return isakmp_chain_find(&m->chain, type, 0)->body;
}

// The group: RFC 6407 5.1, the three octets after the type are zero.
bool gdoi_pull1_decode(const struct isakmp_hashed *m, struct gdoi_pull1 *out, struct rd_err *err)
{
	struct bytes id = pull_body(m, ISAKMP_PL_ID);
	struct rd r = rd_of(id, err);

	out->nonce = pull_body(m, ISAKMP_PL_NONCE);
	if (!isakmp_nonce_check(out->nonce, GDOI_NONCE_MAX, err) ||
	    !isakmp_id_decode(id, &out->id, err))
		return false;
	if (out->id.proto != 0 || out->id.port != 0)
		return rd_fail(&r, "protocol and port of a group identity not zero");
	return true;
}

bool gdoi_pull2_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull2 *out, struct rd_err *err)
{
	struct bytes sa = pull_body(m, ISAKMP_PL_SA);
	struct rd r = rd_of(sa, err);

	out->nonce = pull_body(m, ISAKMP_PL_NONCE);
	if (!isakmp_nonce_check(out->nonce, GDOI_NONCE_MAX, err) ||
	    !gdoi_sa_decode(o, sa, &out->sa, err))
		return false;
	if (out->sa.has_sak && out->sa.sak.management != 0 && !o->accept_kek_management_in_pull)
		return rd_fail(&r, "kek management algorithm in a pull");
	if (out->sa.has_gap && out->sa.gap.has_atd && !o->accept_atd_in_pull)
		return rd_fail(&r, "activation delay in a pull");
	if (out->sa.has_gap && out->sa.gap.has_sid_request)
		return rd_fail(&r, "sender id request from a key server");
	return true;
}

bool gdoi_pull3_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull3 *out, struct rd_err *err)
{
	const struct isakmp_pl *gap = isakmp_chain_find(&m->chain, GDOI_PL_GAP, 0);
	struct rd r = rd_of(m->covered, err);

	*out = (struct gdoi_pull3){ .has_gap = gap != NULL };
	if (gap && !gdoi_gap_decode(o, gap->body, &out->gap, err))
		return false;
	if (out->gap.has_atd || out->gap.has_dtd)
		return rd_fail(&r, "delays from a member");
	return rd_ok(&r);
}

bool gdoi_pull4_decode(const struct gdoi_wire_opts *o, const struct isakmp_hashed *m,
		       struct gdoi_pull4 *out, struct rd_err *err)
{
	const struct isakmp_pl *seq = isakmp_chain_find(&m->chain, GDOI_PL_SEQ, 0);

	out->has_seq = seq != NULL;
	out->seq = 0;
	if (seq && !gdoi_seq_decode(seq->body, &out->seq, err))
		return false;
	return gdoi_kd_decode(o, pull_body(m, GDOI_PL_KD), &out->kd, err);
}
