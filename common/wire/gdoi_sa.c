#include "common/wire/gdoi_sa.h"

static void attr_once(uint32_t *seen, struct rd *r, uint16_t type)
{
	if (*seen & 1u << type)
		rd_fail(r, "attribute given twice");
	*seen |= 1u << type;
}

static uint16_t attr_u16_not_zero(struct rd *r, const struct isakmp_attr *a)
{
	uint16_t v = isakmp_attr_u16(r, a);

	if (rd_ok(r) && v == 0)
		rd_fail(r, "attribute value zero");
	return v;
}

static uint32_t attr_u32_not_zero(struct rd *r, const struct isakmp_attr *a)
{
	uint32_t v = isakmp_attr_u32(r, a);

	if (rd_ok(r) && v == 0)
		rd_fail(r, "attribute value zero");
	return v;
}

static void kek_attr(const struct gdoi_wire_opts *o, uint32_t *seen, struct rd *r,
		     const struct isakmp_attr *a, struct gdoi_sak *out)
{
	if (!gdoi_kek_attr_known(a->type)) {
		if (!o->ignore_unknown_attributes)
			rd_fail(r, "unknown kek attribute");
		return;
	}
	attr_once(seen, r, a->type);
	switch (a->type) {
	case GDOI_KEK_ATTR_MANAGEMENT:
		out->management = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_ALGORITHM:
		out->alg = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_KEY_LENGTH:
		out->key_bits = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_KEY_LIFETIME:
		out->life_s = attr_u32_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_SIG_HASH:
		out->sig_hash = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_SIG_ALGORITHM:
		out->sig_alg = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_SIG_KEY_LENGTH:
		out->sig_key_bits = attr_u16_not_zero(r, a);
		break;
	case GDOI_KEK_ATTR_ACK:
		out->ack = attr_u16_not_zero(r, a);
		break;
	}
}

static void kek_attrs_decode(const struct gdoi_wire_opts *o, struct rd *r, struct gdoi_sak *out)
{
	struct isakmp_attr a;
	uint32_t seen = 0;

	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		kek_attr(o, &seen, r, &a, out);
	if (!rd_ok(r))
		return;
	if (out->alg == 0)
		rd_fail(r, "kek algorithm missing");
	if (out->sig_alg == 0)
		rd_fail(r, "signature algorithm missing");
}

// RFC 6407 5.3:
//   protocol (1) | src: type (1) port (2) length (1) data | [protocol (1)] dst: the same
//   SPI (16) | RESERVED2 (4) | attributes
static bool sak_read(const struct gdoi_wire_opts *o, struct bytes body, uint8_t len_octets,
		     struct gdoi_sak *out, struct rd_err *err)
{
	struct gdoi_id_form form = { .len_octets = len_octets, .dst_prot = o->dst_id_prot };
	struct rd r = rd_of(body, err);

	*out = (struct gdoi_sak){ .ip_proto = rd_u8(&r) };
	gdoi_id_pair_decode(&r, form, &out->src, &out->dst);
	rd_copy(&r, out->spi, GDOI_KEK_SPI_LEN);
	if (bytes_are_zero(BYTES_OF(out->spi)))
		rd_fail(&r, "kek spi zero");
	if (o->accept_sak_pop_fields)
		rd_skip(&r, 4);
	else
		rd_zero(&r, 4, "reserved field of a sak not zero");
	kek_attrs_decode(o, &r, out);
	return rd_end(&r, 0);
}

bool gdoi_sak_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sak *out,
		     struct rd_err *err)
{
	struct rd_err first = { NULL }, second = { NULL };

	if (err->why)
		return false;
	if (sak_read(o, body, (uint8_t)o->sak_id_len, out, &first))
		return true;
	if (o->accept_other_id_len && sak_read(o, body, (uint8_t)(3 - o->sak_id_len), out, &second))
		return true;
	*err = first;
	return false;
}

static void attr_unless_zero(struct wr *w, uint16_t type, uint16_t value)
{
	if (value != 0)
		wr_attr_u16(w, type, value);
}

void gdoi_sak_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_sak *sak)
{
	const struct gdoi_id_form form = { .len_octets = (uint8_t)o->sak_id_len,
					   .dst_prot = o->dst_id_prot };
	size_t at = wr_pl_begin(c, GDOI_PL_SAK);

	wr_u8(c->w, sak->ip_proto);
	gdoi_id_pair_encode(c->w, form, sak->ip_proto, &sak->src, &sak->dst);
	wr_put(c->w, sak->spi, GDOI_KEK_SPI_LEN);
	wr_zero(c->w, 4);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_MANAGEMENT, sak->management);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_ALGORITHM, sak->alg);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_KEY_LENGTH, sak->key_bits);
	if (sak->life_s != 0)
		wr_attr_u32(c->w, GDOI_KEK_ATTR_KEY_LIFETIME, sak->life_s);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_SIG_HASH, sak->sig_hash);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_SIG_ALGORITHM, sak->sig_alg);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_SIG_KEY_LENGTH, sak->sig_key_bits);
	attr_unless_zero(c->w, GDOI_KEK_ATTR_ACK, sak->ack);
	wr_pl_end(c, at);
}

// Ours: epoch (4) | milliseconds (8)
static void pseudotime_read(struct rd *r, const struct isakmp_attr *a, struct gdoi_gap *out)
{
	struct rd v = rd_of(a->value, r->err);
	uint64_t hi;

	if (out->has_pseudotime)
		rd_fail(r, "attribute given twice");
	if (a->basic || a->value.len != 12)
		rd_fail(r, "pseudotime of a wrong length");
	out->has_pseudotime = true;
	out->pseudotime.epoch = rd_u32(&v);
	hi = rd_u32(&v);
	out->pseudotime.ms = (int64_t)(hi << 32 | rd_u32(&v));
	if (rd_ok(r) && (out->pseudotime.epoch == 0 || out->pseudotime.ms < 0 ||
			 out->pseudotime.ms > PSEUDOTIME_MAX_MS))
		rd_fail(r, "pseudotime out of range");
}

static void pseudotime_encode(struct wr *w, const struct pseudotime *t)
{
	wr_u16(w, GDOI_GAP_ATTR_PSEUDOTIME);
	wr_u16(w, 12);
	wr_u32(w, t->epoch);
	wr_u32(w, (uint32_t)((uint64_t)t->ms >> 32));
	wr_u32(w, (uint32_t)t->ms);
}

static void gap_attr(const struct gdoi_wire_opts *o, uint32_t *seen, struct rd *r,
		     const struct isakmp_attr *a, struct gdoi_gap *out)
{
	if (!gdoi_gap_attr_known(a->type)) {
		if (!o->ignore_unknown_attributes)
			rd_fail(r, "unknown gap attribute");
		return;
	}
	if (a->type == GDOI_GAP_ATTR_PSEUDOTIME) {
		pseudotime_read(r, a, out);
		return;
	}
	attr_once(seen, r, a->type);
	switch (a->type) {
	case GDOI_GAP_ATTR_ATD:
		out->has_atd = true;
		out->atd_s = isakmp_attr_u16(r, a);
		break;
	case GDOI_GAP_ATTR_DTD:
		out->has_dtd = true;
		out->dtd_s = isakmp_attr_u16(r, a);
		break;
	case GDOI_GAP_ATTR_SENDER_ID_REQUEST:
		out->has_sid_request = true;
		out->sid_request = isakmp_attr_u16(r, a);
		break;
	}
}

// RFC 6407 5.4: attributes only.
bool gdoi_gap_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_gap *out,
		     struct rd_err *err)
{
	struct rd r = rd_of(body, err);
	struct isakmp_attr a;
	uint32_t seen = 0;

	*out = (struct gdoi_gap){ 0 };
	while (rd_left(&r) > 0 && isakmp_attr_decode(&r, &a))
		gap_attr(o, &seen, &r, &a, out);
	return rd_end(&r, 0);
}

void gdoi_gap_encode(struct wr_chain *c, const struct gdoi_gap *gap)
{
	size_t at = wr_pl_begin(c, GDOI_PL_GAP);

	if (gap->has_atd)
		wr_attr_u16(c->w, GDOI_GAP_ATTR_ATD, gap->atd_s);
	if (gap->has_dtd)
		wr_attr_u16(c->w, GDOI_GAP_ATTR_DTD, gap->dtd_s);
	if (gap->has_sid_request)
		wr_attr_u16(c->w, GDOI_GAP_ATTR_SENDER_ID_REQUEST, gap->sid_request);
	if (gap->has_pseudotime)
		pseudotime_encode(c->w, &gap->pseudotime);
	wr_pl_end(c, at);
}

// One of the payloads inside the SA. The order SAK, GAP, SAT… is the order of the checks.
static bool sa_item_decode(const struct gdoi_wire_opts *o, uint8_t type, struct rd *body,
			   struct gdoi_sa *out)
{
	struct bytes b = rd_rest(body);

	switch (type) {
	case GDOI_PL_SAK:
		if (out->has_sak || out->has_gap || out->n_sat > 0)
			return rd_fail(body, "sak out of order");
		out->has_sak = true;
		return gdoi_sak_decode(o, b, &out->sak, body->err);
	case GDOI_PL_GAP:
		if (out->has_gap || out->n_sat > 0)
			return rd_fail(body, "gap out of order");
		out->has_gap = true;
		return gdoi_gap_decode(o, b, &out->gap, body->err);
	case GDOI_PL_SAT:
		if (out->n_sat == GDOI_MAX_SAT)
			return rd_fail(body, "too many sats");
		return gdoi_sat_decode(o, b, &out->sat[out->n_sat++], body->err);
	}
	return rd_fail(body, "payload has no place in an sa");
}

// RFC 6407 5.2:
//   DOI (4) | situation (4) | SA attribute next payload (2) | RESERVED2 (2) | SAK, GAP, SATs
bool gdoi_sa_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sa *out,
		    struct rd_err *err)
{
	struct rd r = rd_of(body, err);
	uint16_t next;

	out->has_sak = out->has_gap = false;
	out->n_sat = 0;
	if (rd_u32(&r) != ISAKMP_DOI_GDOI)
		rd_fail(&r, "doi not supported");
	if (rd_u32(&r) != GDOI_SITUATION)
		rd_fail(&r, "situation not supported");
	next = rd_u16(&r);
	rd_zero(&r, 2, "reserved field of an sa not zero");
	if (rd_ok(&r) && next != GDOI_PL_SAK && next != GDOI_PL_GAP && next != GDOI_PL_SAT)
		return rd_fail(&r, "sa attribute next payload not 15, 16 or 22");
	while (next != ISAKMP_PL_NONE && rd_ok(&r)) {
		uint8_t type = (uint8_t)next;
		struct rd item;

		next = rd_u8(&r);
		rd_zero(&r, 1, "reserved octet of a payload not zero");
		item = rd_sub(&r, rd_u16(&r), 4);
		sa_item_decode(o, type, &item, out);
	}
	if (rd_ok(&r) && !out->has_sak && out->n_sat == 0)
		return rd_fail(&r, "sa without sak and sat");
	return rd_end(&r, 0);
}

void gdoi_sa_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_sa *sa)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_SA);
	struct wr_chain items = { c->w, 0 };

	wr_u32(c->w, ISAKMP_DOI_GDOI);
	wr_u32(c->w, GDOI_SITUATION);
	items.next_at = c->w->len + 1;
	wr_zero(c->w, 4); // SA attribute next payload, RESERVED2
	if (sa->has_sak)
		gdoi_sak_encode(o, &items, &sa->sak);
	if (sa->has_gap)
		gdoi_gap_encode(&items, &sa->gap);
	for (size_t i = 0; i < sa->n_sat; i++)
		gdoi_sat_encode(o, &items, &sa->sat[i]);
	wr_pl_end(c, at);
}
