#include "common/ike/frag.h"

#include <stdlib.h>

#include "common/wire/rd.h"
#include "common/wire/wr.h"

#define FLAG_LAST 1

bool frag_is(struct bytes d)
{
	return d.len > ISAKMP_HDR_LEN && d.p[16] == ISAKMP_PL_FRAGMENT;
}

bool frag_decode(struct bytes datagram, struct ike_fragment *out, struct rd_err *err)
{
	struct rd r = rd_of(datagram, err), body;
	struct isakmp_hdr hdr;
	uint8_t flags;

	if (!isakmp_hdr_decode(&r, &hdr))
		return false;
	if (hdr.next != ISAKMP_PL_FRAGMENT || (hdr.flags & ISAKMP_FLAG_E))
		return rd_fail(&r, "not a fragment");
	if (rd_u8(&r) != ISAKMP_PL_NONE)
		rd_fail(&r, "something behind a fragment");
	rd_skip(&r, 1);
	body = rd_sub(&r, rd_u16(&r), 4);
	out->id = rd_u16(&body);
	out->number = rd_u8(&body);
	flags = rd_u8(&body);
	out->last = flags & FLAG_LAST;
	out->data = rd_rest(&body);
	if (out->number == 0 || out->number > FRAG_MAX || out->data.len == 0)
		rd_fail(&r, "fragment number or size");
	return rd_end(&r, 0);
}

void frag_fini(struct ike_frag *f)
{
	for (size_t i = 0; i < FRAG_MAX; i++)
		free(f->part[i]);
	*f = (struct ike_frag){ 0 };
}

static int join(struct ike_frag *f, uint8_t **msg, size_t *len)
{
	size_t at = 0;

	*msg = malloc(f->total);
	if (!*msg)
		return -ENOMEM;
	for (size_t i = 0; i < f->last; i++) {
		memcpy(*msg + at, f->part[i], f->len[i]);
		at += f->len[i];
	}
	*len = at;
	frag_fini(f);
	return 1;
}

static int put(struct ike_frag *f, const struct ike_fragment *p)
{
	size_t at = p->number - 1u;

	if (f->part[at]) // sent again: must be the same
		return f->len[at] == p->data.len && memcmp(f->part[at], p->data.p, p->data.len) == 0
			       ? 0
			       : -EBADMSG;
	if ((f->last && (p->number > f->last || p->last)) || f->total + p->data.len > FRAG_MAX_MSG)
		return -EBADMSG;
	for (size_t i = at + 1; p->last && i < FRAG_MAX; i++) {
		if (f->part[i])
			return -EBADMSG; // there was one behind the last
	}
	f->part[at] = malloc(p->data.len);
	if (!f->part[at])
		return -ENOMEM;
	memcpy(f->part[at], p->data.p, p->data.len);
	f->len[at] = p->data.len;
	f->total += p->data.len;
	f->n_parts++;
	if (p->last)
		f->last = p->number;
	return 0;
}

int frag_add(struct ike_frag *f, const struct ike_fragment *p, uint8_t **msg, size_t *len)
{
	int err;

	*msg = NULL;
	if (f->n_parts > 0 && f->id != p->id) // the peer has begun another message
		frag_fini(f);
	f->id = p->id;
	err = put(f, p);
	if (err == 0 && f->last && f->n_parts == f->last)
		err = join(f, msg, len);
	if (err < 0)
		frag_fini(f);
	return err;
}

size_t frag_cut(struct bytes msg, bool peer_reassembles, size_t n, const uint8_t **datagram,
		uint8_t out[FRAG_SIZE])
{
	const size_t each = FRAG_SIZE - FRAG_HDR_LEN;
	size_t at = n * each, len;
	struct wr w;

	if (msg.len <= FRAG_SIZE || !peer_reassembles || msg.len > each * FRAG_MAX) {
		*datagram = msg.p;
		return n == 0 ? msg.len : 0;
	}
	if (at >= msg.len)
		return 0;
	len = MIN_OF(each, msg.len - at);
	wr_init(&w, out, FRAG_SIZE);
	wr_put(&w, msg.p, 16); // cookies
	wr_u8(&w, ISAKMP_PL_FRAGMENT);
	wr_put(&w, msg.p + 17, 2); // version, exchange
	wr_zero(&w, 1 + 4);	   // flags, message id
	wr_u32(&w, (uint32_t)(FRAG_HDR_LEN + len));
	wr_u8(&w, ISAKMP_PL_NONE);
	wr_zero(&w, 1);
	wr_u16(&w, (uint16_t)(8 + len));
	wr_u16(&w, 1); // one id will do: phase 1 sends one long message each way
	wr_u8(&w, (uint8_t)(n + 1));
	wr_u8(&w, at + len == msg.len ? FLAG_LAST : 0);
	wr_put(&w, msg.p + at, len);
	*datagram = out;
	return w.len;
}
