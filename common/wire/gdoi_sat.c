#include "common/wire/gdoi_sat.h"

// What the attributes of one SA have said so far.
struct attr_reader {
	bool lenient;	    // what we do not know is ignored
	uint32_t seen;	    // bits by attribute type, so that none comes twice
	uint16_t life_type; // of the duration to come, 0 none
};

static void attr_once(struct attr_reader *t, struct rd *r, uint16_t type)
{
	if (t->seen & 1u << type)
		rd_fail(r, "attribute given twice");
	t->seen |= 1u << type;
}

// A basic attribute whose value 0 is reserved: 0 is how the struct says "absent".
static void attr_keep(struct attr_reader *t, struct rd *r, const struct isakmp_attr *a,
		      uint16_t *out)
{
	attr_once(t, r, a->type);
	*out = isakmp_attr_u16(r, a);
	if (rd_ok(r) && *out == 0)
		rd_fail(r, "attribute value zero");
}

static void life_type_keep(struct attr_reader *t, struct rd *r, const struct isakmp_attr *a)
{
	if (t->life_type != 0)
		rd_fail(r, "life type without duration");
	t->life_type = isakmp_attr_u16(r, a);
	if (rd_ok(r) && !isakmp_life_known(t->life_type))
		rd_fail(r, "unknown life type");
}

static void life_keep(struct attr_reader *t, struct rd *r, const struct isakmp_attr *a,
		      struct gdoi_sat *out)
{
	uint32_t n = isakmp_attr_u32(r, a);
	uint32_t *life = t->life_type == ISAKMP_LIFE_SECONDS ? &out->life_s : &out->life_kb;

	if (t->life_type == 0)
		rd_fail(r, "life duration without type");
	if (*life != 0)
		rd_fail(r, "attribute given twice");
	if (rd_ok(r) && n == 0)
		rd_fail(r, "life duration zero");
	*life = n;
	t->life_type = 0;
}

// Ours: mode (1) | 0 (1) | window (2)
static void replay_read(struct rd *r, const struct isakmp_attr *a, struct replay *out)
{
	struct rd v = rd_of(a->value, r->err);

	if (out->mode != REPLAY_NONE)
		rd_fail(r, "attribute given twice");
	if (a->basic || a->value.len != 4)
		rd_fail(r, "anti-replay of a wrong length");
	out->mode = rd_u8(&v);
	rd_zero(&v, 1, "reserved octet of anti-replay not zero");
	out->window = rd_u16(&v);
	if (rd_ok(r) && !replay_ok(*out))
		rd_fail(r, "anti-replay out of range");
}

static void replay_encode(struct wr *w, struct replay replay)
{
	if (replay.mode == REPLAY_NONE)
		return;
	wr_u16(w, IPSEC_ATTR_REPLAY);
	wr_u16(w, 4);
	wr_u8(w, replay.mode);
	wr_u8(w, 0);
	wr_u16(w, replay.window);
}

static void sa_attr(struct attr_reader *t, struct rd *r, const struct isakmp_attr *a,
		    struct gdoi_sat *out)
{
	switch (a->type) {
	case IPSEC_ATTR_LIFE_TYPE:
		life_type_keep(t, r, a);
		break;
	case IPSEC_ATTR_LIFE_DURATION:
		life_keep(t, r, a, out);
		break;
	case IPSEC_ATTR_GROUP: // not to be sent, to be ignored (RFC 6407 5.5.1)
		break;
	case IPSEC_ATTR_ENCAP:
		attr_keep(t, r, a, &out->encap);
		break;
	case IPSEC_ATTR_AUTH:
		attr_keep(t, r, a, &out->auth);
		break;
	case IPSEC_ATTR_KEY_LENGTH:
		attr_keep(t, r, a, &out->key_bits);
		break;
	case IPSEC_ATTR_ESN:
		attr_keep(t, r, a, &out->esn);
		break;
	case IPSEC_ATTR_ADDR_PRESERVE:
		attr_keep(t, r, a, &out->preserve);
		break;
	case IPSEC_ATTR_DIRECTION:
		attr_keep(t, r, a, &out->direction);
		break;
	case IPSEC_ATTR_REPLAY:
		replay_read(r, a, &out->replay);
		break;
	default:
		if (!t->lenient)
			rd_fail(r, "unknown tek attribute");
	}
}

static void sa_attrs_decode(const struct gdoi_wire_opts *o, struct rd *r, struct gdoi_sat *out)
{
	struct attr_reader t = { .lenient = o->ignore_unknown_attributes };
	struct isakmp_attr a;

	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		sa_attr(&t, r, &a, out);
	if (t.life_type != 0)
		rd_fail(r, "life type without duration");
}

static uint32_t spi_decode(struct rd *r)
{
	uint32_t spi = rd_u32(r);

	if (rd_ok(r) && spi == 0)
		rd_fail(r, "tek spi zero");
	return spi;
}

// RFC 6407 5.5.1, ESP and AH (a bypass line ends after the identities):
//   protocol (1) | src: type (1) port (2) length (1) data | [protocol (1)] dst: the same
//   transform (1) | SPI (4) | attributes
static void selectors_and_sa_decode(const struct gdoi_wire_opts *o, struct rd *r,
				    struct gdoi_id_form form, struct gdoi_sat *out)
{
	out->ip_proto = rd_u8(r);
	gdoi_id_pair_decode(r, form, &out->src, &out->dst);
	if (out->proto == GDOI_PROTO_BYPASS)
		return;
	out->transform = rd_u8(r);
	if (out->proto == GDOI_PROTO_ESP ? !esp_transform_known(out->transform)
					 : !ah_transform_known(out->transform))
		rd_fail(r, "unknown transform");
	out->spi = spi_decode(r);
	sa_attrs_decode(o, r, out);
}

static void iec_attr(struct attr_reader *t, struct rd *r, const struct isakmp_attr *a,
		     struct gdoi_iec61850 *out)
{
	switch (a->type) {
	case GDOI_IEC_ATTR_ATD:
		attr_once(t, r, a->type);
		out->has_atd = true;
		out->atd_s = isakmp_attr_u32(r, a);
		break;
	case GDOI_IEC_ATTR_KDA:
		attr_once(t, r, a->type);
		out->has_kda = true;
		out->kda = isakmp_attr_u16(r, a);
		if (out->kda > 100)
			rd_fail(r, "key delivery assurance over 100 percent");
		break;
	default:
		rd_fail(r, "unknown tek attribute");
	}
}

// RFC 8052 2.2:
//   OID length (1) | OID | specific length (2) | specific | SPI (4) | auth (2) | enc (2)
//   remaining lifetime (4) | attributes
static void iec_decode(struct rd *r, struct gdoi_sat *out)
{
	struct attr_reader t = { 0 };
	struct isakmp_attr a;

	out->iec.oid = rd_bytes(r, rd_u8(r));
	out->iec.specific = rd_bytes(r, rd_u16(r));
	out->spi = spi_decode(r);
	out->iec.auth = rd_u16(r);
	out->iec.enc = rd_u16(r);
	if (!gdoi_iec_auth_known(out->iec.auth) || !gdoi_iec_enc_known(out->iec.enc))
		rd_fail(r, "unknown transform");
	out->iec.life_s = rd_u32(r);
	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		iec_attr(&t, r, &a, &out->iec);
}

static bool sat_read(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_id_form form,
		     struct gdoi_sat *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	*out = (struct gdoi_sat){ .proto = rd_u8(&r) };
	switch (out->proto) {
	case GDOI_PROTO_ESP:
	case GDOI_PROTO_AH:
	case GDOI_PROTO_BYPASS:
		selectors_and_sa_decode(o, &r, form, out);
		break;
	case GDOI_PROTO_IEC61850:
		iec_decode(&r, out);
		break;
	default:
		rd_fail(&r, "unknown tek protocol");
	}
	return rd_end(&r, 0);
}

static struct gdoi_id_form form_of(const struct gdoi_wire_opts *o)
{
	return (struct gdoi_id_form){
		.len_octets = (uint8_t)o->sat_id_len,
		.empty_src = o->accept_empty_src,
		.dst_prot = o->dst_id_prot,
		.any_src = (enum gdoi_any_src)o->any_src,
	};
}

bool gdoi_sat_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_sat *out,
		     struct rd_err *err)
{
	struct gdoi_id_form form = form_of(o);
	struct rd_err first = { NULL }, second = { NULL };

	if (err->why)
		return false;
	if (sat_read(o, body, form, out, &first))
		return true;
	form.len_octets = (uint8_t)(3 - form.len_octets);
	if (o->accept_other_id_len && sat_read(o, body, form, out, &second))
		return true;
	*err = first;
	return false;
}

static void attr_unless_zero(struct wr *w, uint16_t type, uint16_t value)
{
	if (value != 0)
		wr_attr_u16(w, type, value);
}

static void life_encode(struct wr *w, uint16_t type, uint32_t duration)
{
	if (duration == 0)
		return;
	wr_attr_u16(w, IPSEC_ATTR_LIFE_TYPE, type);
	wr_attr_num(w, IPSEC_ATTR_LIFE_DURATION, duration);
}

static void sa_attrs_encode(struct wr *w, const struct gdoi_sat *sat)
{
	attr_unless_zero(w, IPSEC_ATTR_ENCAP, sat->encap);
	attr_unless_zero(w, IPSEC_ATTR_AUTH, sat->auth);
	attr_unless_zero(w, IPSEC_ATTR_KEY_LENGTH, sat->key_bits);
	life_encode(w, ISAKMP_LIFE_SECONDS, sat->life_s);
	life_encode(w, ISAKMP_LIFE_KILOBYTES, sat->life_kb);
	attr_unless_zero(w, IPSEC_ATTR_ESN, sat->esn);
	attr_unless_zero(w, IPSEC_ATTR_ADDR_PRESERVE, sat->preserve);
	attr_unless_zero(w, IPSEC_ATTR_DIRECTION, sat->direction);
	replay_encode(w, sat->replay);
}

static void iec_encode(struct wr *w, const struct gdoi_sat *sat)
{
	wr_count8(w, sat->iec.oid.len);
	wr_bytes(w, sat->iec.oid);
	wr_count16(w, sat->iec.specific.len);
	wr_bytes(w, sat->iec.specific);
	wr_u32(w, sat->spi);
	wr_u16(w, sat->iec.auth);
	wr_u16(w, sat->iec.enc);
	wr_u32(w, sat->iec.life_s);
	if (sat->iec.has_atd)
		wr_attr_num(w, GDOI_IEC_ATTR_ATD, sat->iec.atd_s);
	if (sat->iec.has_kda)
		wr_attr_u16(w, GDOI_IEC_ATTR_KDA, sat->iec.kda);
}

void gdoi_sat_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_sat *sat)
{
	size_t at = wr_pl_begin(c, GDOI_PL_SAT);

	wr_u8(c->w, sat->proto);
	if (sat->proto == GDOI_PROTO_IEC61850) {
		iec_encode(c->w, sat);
	} else {
		wr_u8(c->w, sat->ip_proto);
		gdoi_id_pair_encode(c->w, form_of(o), sat->ip_proto, &sat->src, &sat->dst);
	}
	if (sat->proto == GDOI_PROTO_ESP || sat->proto == GDOI_PROTO_AH) {
		wr_u8(c->w, sat->transform);
		wr_u32(c->w, sat->spi);
		sa_attrs_encode(c->w, sat);
	}
	wr_pl_end(c, at);
}

bool gdoi_sat_to_flow(const struct gdoi_sat *sat, struct flow *out)
{
	uint8_t family = gdoi_id_family(&sat->dst);

	*out = (struct flow){ .proto = sat->ip_proto };
	if (sat->proto == GDOI_PROTO_IEC61850 || family == 0)
		return false;
	return gdoi_id_to_side(&sat->src, family, &out->src) &&
	       gdoi_id_to_side(&sat->dst, family, &out->dst);
}

bool gdoi_sat_set_flow(struct gdoi_sat *sat, const struct flow *flow)
{
	sat->ip_proto = flow->proto;
	return gdoi_id_from_side(&flow->src, &sat->src) && gdoi_id_from_side(&flow->dst, &sat->dst);
}
