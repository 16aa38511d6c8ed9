#include "common/wire/gdoi_push.h"

// ---- deletes, RFC 6407 5.9 ----

// Octets of an SPI under a protocol of GDOI; 0 for one that cannot be deleted.
static size_t delete_spi_len(uint8_t proto)
{
	switch (proto) {
	case GDOI_PROTO_KEK:
		return GDOI_KEK_SPI_LEN;
	case GDOI_PROTO_ESP:
	case GDOI_PROTO_AH:
	case GDOI_PROTO_IEC61850:
		return GDOI_TEK_SPI_LEN;
	}
	return 0;
}

static bool delete_judge(const struct gdoi_wire_opts *o, const struct isakmp_delete *d,
			 struct rd *r)
{
	size_t want = delete_spi_len(d->proto);

	if (d->doi != ISAKMP_DOI_GDOI)
		return rd_fail(r, "doi not supported");
	if (want == 0)
		return rd_fail(r, "unknown delete protocol");
	if (d->spi_size == want)
		return true;
	if (!o->accept_any_zero_spi || !bytes_are_zero(d->spis))
		return rd_fail(r, "delete spi of wrong size");
	return true;
}

struct gdoi_delete_item gdoi_delete_spi(const struct isakmp_delete *d, size_t i)
{
	struct bytes spi = isakmp_delete_spi(d, i);
	struct gdoi_delete_item item = { .proto = d->proto };
	bool kek = d->proto == GDOI_PROTO_KEK, all = bytes_are_zero(spi);
	struct rd_err err = { NULL };
	struct rd r = rd_of(spi, &err);

	if (all) {
		item.kind = kek ? GDOI_DELETE_ALL_KEK : GDOI_DELETE_ALL_TEK;
	} else if (kek) {
		item.kind = GDOI_DELETE_KEK;
		rd_copy(&r, item.kek_spi, GDOI_KEK_SPI_LEN);
	} else {
		item.kind = GDOI_DELETE_TEK;
		item.tek_spi = rd_u32(&r);
	}
	return item;
}

struct isakmp_delete gdoi_delete_teks(uint8_t proto, const uint32_t *spi, size_t n, uint8_t *buf)
{
	struct isakmp_delete d = { .doi = ISAKMP_DOI_GDOI,
				   .proto = proto,
				   .spi_size = GDOI_TEK_SPI_LEN,
				   .n = MAX_OF(n, 1u) };
	struct wr w;

	wr_init(&w, buf, d.n * GDOI_TEK_SPI_LEN);
	if (n == 0)
		wr_u32(&w, 0);
	for (size_t i = 0; i < n; i++)
		wr_u32(&w, spi[i]);
	d.spis = wr_view(&w, 0, w.len);
	return d;
}

struct isakmp_delete gdoi_delete_kek(const uint8_t *spi)
{
	static const uint8_t all[GDOI_KEK_SPI_LEN];

	return (struct isakmp_delete){ .doi = ISAKMP_DOI_GDOI,
				       .proto = GDOI_PROTO_KEK,
				       .spi_size = GDOI_KEK_SPI_LEN,
				       .n = 1,
				       .spis = BYTES(spi ? spi : all, GDOI_KEK_SPI_LEN) };
}

// ---- sending ----

static struct isakmp_hdr hdr_of(const uint8_t spi[GDOI_KEK_SPI_LEN], uint8_t exchange,
				uint8_t flags)
{
	struct isakmp_hdr h = { .exchange = exchange, .flags = flags };
	struct rd_err err = { NULL };
	struct rd r = rd_of(BYTES(spi, GDOI_KEK_SPI_LEN), &err);

	rd_copy(&r, h.cky_i, ISAKMP_COOKIE_LEN);
	rd_copy(&r, h.cky_r, ISAKMP_COOKIE_LEN);
	return h;
}

// "All" is a zero SPI of the protocol's length, or of the one that is asked for.
static void delete_encode(const struct gdoi_wire_opts *o, struct wr_chain *c,
			  const struct isakmp_delete *d)
{
	static const uint8_t zero[GDOI_KEK_SPI_LEN];
	struct isakmp_delete all = *d;

	if (o->zero_spi_len > 0 && d->n == 1 && bytes_are_zero(d->spis)) {
		all.spi_size = (uint8_t)o->zero_spi_len;
		all.spis = BYTES(zero, all.spi_size);
	}
	isakmp_delete_encode(c, &all);
}

void gdoi_push_hdr_as_signed(const struct gdoi_wire_opts *o, size_t len_sent,
			     uint8_t hdr[ISAKMP_HDR_LEN])
{
	if (o->sign_hdr_without_e)
		hdr[ISAKMP_HDR_FLAGS_AT] = 0;
	if (o->sign_hdr_padded_len)
		isakmp_hdr_len_set(hdr, (uint32_t)len_sent);
}

bool gdoi_push_begin(const struct gdoi_wire_opts *o, struct wr *w,
		     const uint8_t spi[GDOI_KEK_SPI_LEN], const struct gdoi_push *m, size_t sig_len,
		     struct bytes *signed_span)
{
	struct isakmp_hdr h = hdr_of(spi, GDOI_XCH_PUSH, ISAKMP_FLAG_E);
	struct wr_chain c = isakmp_msg_begin(w, &h);

	gdoi_seq_encode(&c, m->seq);
	for (size_t i = 0; i < m->n_del; i++)
		delete_encode(o, &c, &m->del[i]);
	if (m->has_sa) {
		gdoi_sa_encode(o, &c, &m->sa);
		gdoi_kd_encode(o, &c, &m->kd);
	}
	wr_patch8(w, c.next_at, ISAKMP_PL_SIG);
	*signed_span = wr_view(w, 0, w->len);
	if (!wr_ok(w))
		return false;
	isakmp_hdr_len_set(w->p, (uint32_t)(w->len + ISAKMP_PL_HDR_LEN + sig_len));
	return true;
}

bool gdoi_push_end(struct wr *w, struct bytes sig)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(wr_view(w, 0, w->len), &err);
	struct wr_chain c = { w, SIZE_MAX };
	uint32_t announced;

	rd_skip(&r, ISAKMP_HDR_LEN_AT);
	announced = rd_u32(&r);
	wr_pl(&c, ISAKMP_PL_SIG, sig);
	return wr_ok(w) && rd_ok(&r) && w->len == announced;
}

// ---- receiving ----

// SEQ, then Deletes, then SA and KD, SIG last: each rank may follow a lower one only.
static int push_rank(uint8_t type)
{
	switch (type) {
	case GDOI_PL_SEQ:
		return 1;
	case ISAKMP_PL_DELETE:
		return 2;
	case ISAKMP_PL_SA:
		return 3;
	case GDOI_PL_KD:
		return 4;
	case ISAKMP_PL_SIG:
		return 5;
	}
	return 0;
}

static bool push_judge(const struct isakmp_chain *c, struct rd *r)
{
	static const struct isakmp_form form = {
		.required = PL_BIT(GDOI_PL_SEQ) | PL_BIT(ISAKMP_PL_SIG),
		.optional = PL_BIT(ISAKMP_PL_SA) | PL_BIT(GDOI_PL_KD),
		.repeat = PL_BIT(ISAKMP_PL_DELETE),
	};
	bool sa, kd;

	if (!isakmp_chain_judge(c, &form, r->err))
		return false;
	for (size_t i = 1; i < c->n; i++) {
		if (push_rank(c->pl[i].type) < push_rank(c->pl[i - 1].type))
			return rd_fail(r, "payloads of a push out of order");
	}
	sa = isakmp_chain_find(c, ISAKMP_PL_SA, 0) != NULL;
	kd = isakmp_chain_find(c, GDOI_PL_KD, 0) != NULL;
	if (sa != kd)
		return rd_fail(r, "sa and kd not together");
	if (!sa && !isakmp_chain_find(c, ISAKMP_PL_DELETE, 0))
		return rd_fail(r, "push of nothing");
	return true;
}

// The header as it was when signed: E set, Length up to the end of SIG, without padding.
static void signed_hdr_rebuild(const struct isakmp_hdr *h, size_t payloads_len, uint8_t *out)
{
	struct isakmp_hdr was = *h;
	struct wr w;

	was.len = (uint32_t)(ISAKMP_HDR_LEN + payloads_len);
	wr_init(&w, out, ISAKMP_HDR_LEN);
	isakmp_hdr_encode(&w, &was);
}

bool gdoi_push_hdr_judge(const struct isakmp_hdr *h, struct rd_err *err)
{
	struct rd r = rd_of(BYTES(NULL, 0), err);

	if (h->exchange != GDOI_XCH_PUSH)
		return rd_fail(&r, "not a push");
	if (h->flags != ISAKMP_FLAG_E)
		return rd_fail(&r, "flags of a push not encryption only");
	if (h->msgid != 0)
		return rd_fail(&r, "message id of a push not zero");
	return rd_ok(&r);
}

bool gdoi_push_open(const struct isakmp_hdr *h, struct bytes payloads, size_t pad,
		    struct gdoi_push_form *out, struct rd_err *err)
{
	struct rd r = rd_of(payloads, err);
	const struct isakmp_pl *sig;

	if (!gdoi_push_hdr_judge(h, err) ||
	    !isakmp_chain_decode(payloads, h->next, pad, &out->chain, err) ||
	    !push_judge(&out->chain, &r))
		return false;
	sig = &out->chain.pl[out->chain.n - 1];
	signed_hdr_rebuild(h, out->chain.all.len, out->signed_hdr);
	out->signed_payloads = rd_bytes(&r, out->chain.all.len - sig->whole.len);
	out->sig = sig->body;
	return gdoi_seq_decode(out->chain.pl[0].body, &out->seq, err);
}

static bool push_deletes_decode(const struct gdoi_wire_opts *o, const struct isakmp_chain *c,
				struct gdoi_push *out, struct rd_err *err)
{
	const struct isakmp_pl *pl;

	for (out->n_del = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_DELETE, out->n_del));
	     out->n_del++) {
		struct rd r = rd_of(pl->body, err);

		if (out->n_del == GDOI_PUSH_MAX_DELETE)
			return rd_fail(&r, "too many deletes");
		if (!isakmp_delete_decode(pl->body, &out->del[out->n_del], err) ||
		    !delete_judge(o, &out->del[out->n_del], &r))
			return false;
	}
	return true;
}

// What a message to the whole group cannot carry, and whether it may come without TEKs.
static bool push_sa_judge(const struct gdoi_wire_opts *o, const struct gdoi_push *m, struct rd *r)
{
	if (m->kd.has_sid)
		return rd_fail(r, "sender ids in a push");
	if (m->sa.has_gap && m->sa.gap.has_sid_request)
		return rd_fail(r, "sender id request from a key server");
	if (m->kd.n_tek == 0 && !o->accept_kek_only_push)
		return rd_fail(r, "push without tek");
	return true;
}

bool gdoi_push_decode(const struct gdoi_wire_opts *o, const struct gdoi_push_form *m,
		      struct gdoi_push *out, struct rd_err *err)
{
	const struct isakmp_pl *sa = isakmp_chain_find(&m->chain, ISAKMP_PL_SA, 0);
	const struct isakmp_pl *kd = isakmp_chain_find(&m->chain, GDOI_PL_KD, 0);
	struct rd r = rd_of(m->signed_payloads, err);

	out->seq = m->seq;
	out->has_sa = sa && kd;
	if (!push_deletes_decode(o, &m->chain, out, err))
		return false;
	if (!sa || !kd)
		return rd_ok(&r);
	return gdoi_sa_decode(o, sa->body, &out->sa, err) &&
	       gdoi_kd_decode(o, kd->body, &out->kd, err) && push_sa_judge(o, out, &r);
}

// ---- acknowledgement ----

bool gdoi_ack_encode(struct wr *w, const struct gdoi_ack_msg *m, size_t hash_len, struct wr_hash *h)
{
	struct isakmp_hdr hdr = hdr_of(m->spi, GDOI_XCH_PUSH_ACK, 0);
	struct wr_chain c = isakmp_msg_begin(w, &hdr);

	wr_hash_begin(&c, hash_len, h);
	gdoi_seq_encode(&c, m->seq);
	isakmp_id_encode(&c, &m->id);
	wr_hash_end(&c, h);
	return isakmp_msg_end(w, 0);
}

static bool ack_hdr_decode(struct rd *r, struct isakmp_hdr *h)
{
	if (!isakmp_hdr_decode(r, h))
		return false;
	if (h->exchange != GDOI_XCH_PUSH_ACK)
		return rd_fail(r, "not an acknowledgement");
	if (h->flags != 0)
		return rd_fail(r, "flags of an acknowledgement not zero");
	if (h->msgid != 0)
		return rd_fail(r, "message id of an acknowledgement not zero");
	return true;
}

static bool ack_id_judge(const struct isakmp_id *id, struct rd *r)
{
	struct addr addr;

	if (id->proto != 0 || id->port != 0)
		return rd_fail(r, "protocol and port of an acknowledgement not zero");
	if (id->type == ISAKMP_ID_OID && id->data.len > 0)
		return true;
	if (!isakmp_id_to_addr(id, &addr))
		return rd_fail(r, "identity of an acknowledgement not an address or oid");
	return true;
}

bool gdoi_ack_decode(struct bytes datagram, struct gdoi_ack_msg *out, struct rd_err *err)
{
	struct rd r = rd_of(datagram, err);
	struct isakmp_hashed m;
	struct isakmp_hdr h;
	struct wr spi;

	if (!ack_hdr_decode(&r, &h) || !isakmp_hashed_decode(rd_rest(&r), h.next, 0, &m, err))
		return false;
	if (m.chain.n != 3 || m.chain.pl[1].type != GDOI_PL_SEQ ||
	    m.chain.pl[2].type != ISAKMP_PL_ID)
		return rd_fail(&r, "acknowledgement is not hash, seq, id");
	wr_init(&spi, out->spi, sizeof(out->spi));
	wr_put(&spi, h.cky_i, sizeof(h.cky_i));
	wr_put(&spi, h.cky_r, sizeof(h.cky_r));
	out->hash = m.hash;
	out->covered = m.covered;
	return gdoi_seq_decode(m.chain.pl[1].body, &out->seq, err) &&
	       isakmp_id_decode(m.chain.pl[2].body, &out->id, err) && ack_id_judge(&out->id, &r);
}
