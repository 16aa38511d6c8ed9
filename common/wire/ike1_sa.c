#include "common/wire/ike1_sa.h"

// Each attribute once, except that seconds and kilobytes have a life type and duration each.
struct transform_reader {
	uint32_t seen;	    // bits by attribute type
	uint16_t life_type; // of the duration to come
};

static void attr_keep(struct transform_reader *t, struct rd *r, const struct isakmp_attr *a,
		      struct ike1_transform *out, uint16_t *field)
{
	if (t->seen & 1u << a->type)
		out->unknown = true;
	t->seen |= 1u << a->type;
	*field = isakmp_attr_u16(r, a);
}

static void life_keep(struct transform_reader *t, struct rd *r, const struct isakmp_attr *a,
		      struct ike1_transform *out)
{
	uint32_t n = isakmp_attr_u32(r, a);

	if (t->life_type == ISAKMP_LIFE_SECONDS && out->life_s == 0)
		out->life_s = n;
	else if (t->life_type == ISAKMP_LIFE_KILOBYTES && out->life_kb == 0)
		out->life_kb = n;
	else
		out->unknown = true;
	t->life_type = 0;
}

static void transform_attr(struct transform_reader *t, struct rd *r, const struct isakmp_attr *a,
			   struct ike1_transform *out)
{
	switch (a->type) {
	case IKE1_ATTR_ENC:
		attr_keep(t, r, a, out, &out->enc);
		break;
	case IKE1_ATTR_HASH:
		attr_keep(t, r, a, out, &out->hash);
		break;
	case IKE1_ATTR_AUTH:
		attr_keep(t, r, a, out, &out->auth);
		break;
	case IKE1_ATTR_GROUP:
		attr_keep(t, r, a, out, &out->group);
		break;
	case IKE1_ATTR_KEY_LENGTH:
		attr_keep(t, r, a, out, &out->key_bits);
		break;
	case IKE1_ATTR_LIFE_TYPE:
		t->life_type = isakmp_attr_u16(r, a);
		break;
	case IKE1_ATTR_LIFE_DURATION:
		life_keep(t, r, a, out);
		break;
	default:
		out->unknown = true;
	}
}

// RFC 2408 3.6: number (1) | transform id (1) | RESERVED2 (2) | attributes
static void transform_decode(struct rd *r, struct ike1_transform *out)
{
	struct transform_reader t = { 0 };
	struct isakmp_attr a;
	struct rd attrs;

	*out = (struct ike1_transform){ .num = rd_u8(r) };
	out->unknown = rd_u8(r) != ISAKMP_KEY_IKE;
	rd_zero(r, 2, "reserved field of a transform not zero");
	out->attrs = rd_rest(r);
	attrs = rd_of(out->attrs, r->err);
	while (rd_left(&attrs) > 0 && isakmp_attr_decode(&attrs, &a))
		transform_attr(&t, &attrs, &a, out);
}

static void transforms_decode(struct rd *r, uint8_t announced, struct ike1_sa *out)
{
	uint8_t next = ISAKMP_PL_TRANSFORM;

	for (out->n = 0; next == ISAKMP_PL_TRANSFORM && rd_ok(r); out->n++) {
		struct rd body;

		if (out->n == IKE1_MAX_TRANSFORMS) {
			rd_fail(r, "too many transforms");
			return;
		}
		next = rd_u8(r);
		rd_zero(r, 1, "reserved octet of a payload not zero");
		body = rd_sub(r, rd_u16(r), 4);
		transform_decode(&body, &out->t[out->n]);
	}
	if (next != ISAKMP_PL_NONE)
		rd_fail(r, "transform chain broken");
	if (out->n != announced)
		rd_fail(r, "transform count wrong");
}

// RFC 2408 3.5: generic header | number (1) | protocol (1) | SPI size (1) | transforms (1) | SPI
static bool proposal_decode(struct rd *r, struct ike1_sa *out)
{
	uint8_t spi_size, announced;
	struct rd body;

	if (rd_u8(r) != ISAKMP_PL_NONE)
		return rd_fail(r, "more than one proposal");
	rd_zero(r, 1, "reserved octet of a payload not zero");
	body = rd_sub(r, rd_u16(r), 4);
	out->proposal = rd_u8(&body);
	if (rd_u8(&body) != IPSEC_PROTO_ISAKMP)
		rd_fail(&body, "proposal is not for isakmp");
	spi_size = rd_u8(&body);
	announced = rd_u8(&body);
	if (spi_size > 16)
		rd_fail(&body, "spi over 16 octets");
	out->spi = rd_bytes(&body, spi_size);
	transforms_decode(&body, announced, out);
	rd_end(&body, 0);
	return rd_end(r, 0);
}

static bool situation_ok(const struct gdoi_wire_opts *o, const struct ike1_sa *sa, struct rd *r)
{
	if (!rd_ok(r))
		return false;
	if (sa->doi == ISAKMP_DOI_GDOI)
		return sa->situation == GDOI_SITUATION || rd_fail(r, "situation not supported");
	if (sa->doi == ISAKMP_DOI_IPSEC && o->phase1_accept_doi1)
		return sa->situation == IPSEC_SIT_IDENTITY_ONLY ||
		       rd_fail(r, "situation not supported");
	return rd_fail(r, "doi not supported");
}

// RFC 2408 3.4: DOI (4) | situation (4) | proposal
bool ike1_sa_decode(const struct gdoi_wire_opts *o, struct bytes body, struct ike1_sa *out,
		    struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	out->doi = rd_u32(&r);
	out->situation = rd_u32(&r);
	return situation_ok(o, out, &r) && proposal_decode(&r, out);
}

static void life_encode(struct wr *w, uint16_t type, uint32_t duration)
{
	if (duration == 0)
		return;
	wr_attr_u16(w, IKE1_ATTR_LIFE_TYPE, type);
	wr_attr_num(w, IKE1_ATTR_LIFE_DURATION, duration);
}

static void transform_encode(struct wr_chain *c, const struct ike1_transform *t)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_TRANSFORM);

	wr_u8(c->w, t->num);
	wr_u8(c->w, ISAKMP_KEY_IKE);
	wr_zero(c->w, 2);
	if (t->attrs.len > 0) {
		wr_bytes(c->w, t->attrs);
	} else {
		wr_attr_u16(c->w, IKE1_ATTR_ENC, t->enc);
		if (t->key_bits)
			wr_attr_u16(c->w, IKE1_ATTR_KEY_LENGTH, t->key_bits);
		wr_attr_u16(c->w, IKE1_ATTR_HASH, t->hash);
		wr_attr_u16(c->w, IKE1_ATTR_AUTH, t->auth);
		wr_attr_u16(c->w, IKE1_ATTR_GROUP, t->group);
		life_encode(c->w, ISAKMP_LIFE_SECONDS, t->life_s);
		life_encode(c->w, ISAKMP_LIFE_KILOBYTES, t->life_kb);
	}
	wr_pl_end(c, at);
}

void ike1_sa_encode(struct wr_chain *c, const struct ike1_sa *sa)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_SA), proposal_at = c->w->len + 8;
	struct wr_chain transforms = { c->w, SIZE_MAX };

	wr_u32(c->w, sa->doi);
	wr_u32(c->w, sa->situation);
	wr_zero(c->w, 4); // proposal: none follows; its length comes last
	wr_u8(c->w, sa->proposal);
	wr_u8(c->w, IPSEC_PROTO_ISAKMP);
	wr_count8(c->w, sa->spi.len);
	wr_count8(c->w, sa->n);
	wr_bytes(c->w, sa->spi);
	for (size_t i = 0; i < sa->n; i++)
		transform_encode(&transforms, &sa->t[i]);
	wr_len16(c->w, proposal_at + 2, proposal_at);
	wr_pl_end(c, at);
}
