#include "common/wire/isakmp.h"

enum { HDR_NEXT_AT = 16 };

// RFC 2408 3.1
//   initiator cookie (8) | responder cookie (8)
//   next payload (1) | version (1) | exchange (1) | flags (1) | message id (4) | length (4)
bool isakmp_hdr_decode(struct rd *r, struct isakmp_hdr *out)
{
	size_t datagram = rd_left(r);

	rd_copy(r, out->cky_i, ISAKMP_COOKIE_LEN);
	rd_copy(r, out->cky_r, ISAKMP_COOKIE_LEN);
	out->next = rd_u8(r);
	if (rd_u8(r) != ISAKMP_VERSION)
		return rd_fail(r, "isakmp version not 1.0");
	out->exchange = rd_u8(r);
	out->flags = rd_u8(r);
	out->msgid = rd_u32(r);
	out->len = rd_u32(r);
	if (rd_ok(r) && out->len != datagram)
		return rd_fail(r, "header length differs from datagram");
	return rd_ok(r);
}

void isakmp_hdr_encode(struct wr *w, const struct isakmp_hdr *h)
{
	wr_put(w, h->cky_i, ISAKMP_COOKIE_LEN);
	wr_put(w, h->cky_r, ISAKMP_COOKIE_LEN);
	wr_u8(w, h->next);
	wr_u8(w, ISAKMP_VERSION);
	wr_u8(w, h->exchange);
	wr_u8(w, h->flags);
	wr_u32(w, h->msgid);
	wr_u32(w, h->len);
}

void isakmp_hdr_len_set(uint8_t *msg, uint32_t len)
{
	struct wr w = { msg, ISAKMP_HDR_LEN, ISAKMP_HDR_LEN, false };

	wr_patch32(&w, ISAKMP_HDR_LEN_AT, len);
}

enum natt_kind natt_classify(struct bytes datagram, struct bytes *isakmp)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(datagram, &err);

	*isakmp = (struct bytes){ NULL, 0 };
	if (datagram.len == 1 && datagram.p[0] == NATT_KEEPALIVE_OCTET)
		return NATT_KEEPALIVE;
	if (rd_u32(&r) != 0 || !rd_ok(&r))
		return NATT_ESP;
	*isakmp = rd_rest(&r);
	return NATT_ISAKMP;
}

// RFC 2408 3.2: next payload (1) | RESERVED (1) | length (2, this header included) | body
bool isakmp_chain_decode(struct bytes payloads, uint8_t first, size_t pad, struct isakmp_chain *out,
			 struct rd_err *err)
{
	struct rd r = rd_of(payloads, err);
	const uint8_t *start = r.p;
	uint8_t next = first;

	for (out->n = 0; next != ISAKMP_PL_NONE && rd_ok(&r); out->n++) {
		struct isakmp_pl *pl = &out->pl[out->n];
		const uint8_t *from = r.p;
		struct rd body;

		if (out->n == ISAKMP_MAX_PL)
			return rd_fail(&r, "too many payloads");
		pl->type = next;
		next = rd_u8(&r);
		rd_zero(&r, 1, "reserved octet of a payload not zero");
		body = rd_sub(&r, rd_u16(&r), ISAKMP_PL_HDR_LEN);
		pl->body = rd_rest(&body);
		pl->whole = rd_since(&r, from);
	}
	out->all = rd_since(&r, start);
	return rd_end(&r, pad);
}

const struct isakmp_pl *isakmp_chain_find(const struct isakmp_chain *c, uint8_t type, size_t nth)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->pl[i].type == type && nth-- == 0)
			return &c->pl[i];
	}
	return NULL;
}

bool isakmp_chain_judge(const struct isakmp_chain *c, const struct isakmp_form *form,
			struct rd_err *err)
{
	struct rd r = rd_of((struct bytes){ NULL, 0 }, err);
	uint32_t seen = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t bit = c->pl[i].type < 32 ? PL_BIT(c->pl[i].type) : 0;

		if (!(bit & (form->required | form->optional | form->repeat)))
			return rd_fail(&r, "payload has no place in this message");
		if (bit & seen & ~form->repeat)
			return rd_fail(&r, "payload given twice");
		seen |= bit;
	}
	if (form->required & ~seen)
		return rd_fail(&r, "payload missing");
	return rd_ok(&r);
}

bool isakmp_hashed_decode(struct bytes payloads, uint8_t first, size_t pad,
			  struct isakmp_hashed *out, struct rd_err *err)
{
	struct rd r = rd_of(payloads, err);

	if (!isakmp_chain_decode(payloads, first, pad, &out->chain, err))
		return false;
	if (out->chain.n == 0 || out->chain.pl[0].type != ISAKMP_PL_HASH)
		return rd_fail(&r, "hash is not the first payload");
	if (out->chain.pl[0].body.len == 0 || out->chain.pl[0].body.len > ISAKMP_MAX_HASH)
		return rd_fail(&r, "hash of impossible length");
	out->hash = out->chain.pl[0].body;
	r = rd_of(out->chain.all, err);
	rd_skip(&r, out->chain.pl[0].whole.len);
	out->covered = rd_rest(&r);
	return rd_ok(&r);
}

struct wr_chain isakmp_msg_begin(struct wr *w, const struct isakmp_hdr *h)
{
	size_t at = w->len;

	isakmp_hdr_encode(w, h);
	wr_patch8(w, at + HDR_NEXT_AT, ISAKMP_PL_NONE);
	return (struct wr_chain){ w, at + HDR_NEXT_AT };
}

bool isakmp_msg_end(struct wr *w, size_t at)
{
	wr_patch32(w, at + ISAKMP_HDR_LEN_AT, (uint32_t)(w->len - at));
	return wr_ok(w);
}

size_t wr_pl_begin(struct wr_chain *c, uint8_t type)
{
	size_t at = c->w->len;

	wr_patch8(c->w, c->next_at, type);
	wr_zero(c->w, ISAKMP_PL_HDR_LEN);
	c->next_at = at;
	return at;
}

void wr_pl_end(struct wr_chain *c, size_t at)
{
	wr_len16(c->w, at + 2, at);
}

void wr_pl(struct wr_chain *c, uint8_t type, struct bytes body)
{
	size_t at = wr_pl_begin(c, type);

	wr_bytes(c->w, body);
	wr_pl_end(c, at);
}

void wr_hash_begin(struct wr_chain *c, size_t hash_len, struct wr_hash *h)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_HASH);

	*h = (struct wr_hash){ .hash_at = c->w->len, .hash_len = hash_len };
	wr_zero(c->w, hash_len);
	wr_pl_end(c, at);
	h->covered_at = c->w->len;
}

void wr_hash_end(struct wr_chain *c, struct wr_hash *h)
{
	h->covered_len = c->w->len - h->covered_at;
}

// RFC 2408 3.3: AF (1 bit) | type (15) | AF = 1: value (2); AF = 0: length (2), value
bool isakmp_attr_decode(struct rd *r, struct isakmp_attr *out)
{
	uint16_t type = rd_u16(r);

	out->basic = type & 0x8000;
	out->type = type & 0x7fff;
	out->value = rd_bytes(r, out->basic ? 2 : rd_u16(r));
	return rd_ok(r);
}

uint16_t isakmp_attr_u16(struct rd *r, const struct isakmp_attr *a)
{
	struct rd v = rd_of(a->value, r->err);

	if (!a->basic)
		rd_fail(r, "basic attribute sent as variable");
	return rd_u16(&v);
}

uint32_t isakmp_attr_u32(struct rd *r, const struct isakmp_attr *a)
{
	struct rd v = rd_of(a->value, r->err);
	uint64_t n = 0;

	if (a->value.len == 0 || a->value.len > 8)
		rd_fail(r, "number attribute of impossible length");
	while (rd_left(&v) > 0)
		n = n << 8 | rd_u8(&v);
	if (n > UINT32_MAX)
		rd_fail(r, "number attribute over 32 bits");
	return rd_ok(r) ? (uint32_t)n : 0;
}

void wr_attr_u16(struct wr *w, uint16_t type, uint16_t value)
{
	wr_u16(w, type | 0x8000);
	wr_u16(w, value);
}

void wr_attr_u32(struct wr *w, uint16_t type, uint32_t value)
{
	wr_u16(w, type);
	wr_u16(w, 4);
	wr_u32(w, value);
}

void wr_attr_num(struct wr *w, uint16_t type, uint32_t value)
{
	if (value <= UINT16_MAX)
		wr_attr_u16(w, type, (uint16_t)value);
	else
		wr_attr_u32(w, type, value);
}

void wr_attr_bytes(struct wr *w, uint16_t type, struct bytes value)
{
	wr_u16(w, type);
	wr_count16(w, value.len);
	wr_bytes(w, value);
}
