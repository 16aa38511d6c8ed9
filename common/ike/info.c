#include "common/ike/info.h"

#define SPI_LEN (2 * ISAKMP_COOKIE_LEN)

static void pair_of(const struct ike_sa *sa, uint8_t spi[SPI_LEN])
{
	memcpy(spi, sa->cky_i, ISAKMP_COOKIE_LEN);
	memcpy(spi + ISAKMP_COOKIE_LEN, sa->cky_r, ISAKMP_COOKIE_LEN);
}

static uint32_t own_doi(const struct ike_sa *sa)
{
	return sa->doi == ISAKMP_DOI_IPSEC ? ISAKMP_DOI_IPSEC
					   : ike_wire(sa->conf, &sa->peer.addr)->notify_doi;
}

static bool doi_judge(const struct ike_sa *sa, uint32_t doi, struct rd_err *err)
{
	if (ike_wire(sa->conf, &sa->peer.addr)->accept_other_notify_doi || doi == own_doi(sa))
		return true;
	err->why = "doi not supported";
	return false;
}

static bool seen_before(const struct ike_sa *sa, uint32_t msgid)
{
	for (size_t i = 0; i < IKE_INFO_SEEN; i++) {
		if (sa->info_seen[i] == msgid)
			return true;
	}
	return false;
}

static bool names_sa(const struct ike_sa *sa, const struct isakmp_delete *d)
{
	uint8_t spi[SPI_LEN];

	pair_of(sa, spi);
	if (d->proto == GDOI_PROTO_KEK)
		return true; // how some members refuse what was offered under it
	for (size_t i = 0; d->proto == IPSEC_PROTO_ISAKMP && i < d->n; i++) {
		if (bytes_eq(isakmp_delete_spi(d, i), BYTES_OF(spi)))
			return true;
	}
	return false;
}

static enum ike_reason keep(const struct ike_sa *sa, const struct isakmp_pl *pl,
			    struct ike_info *out, const char **detail)
{
	struct rd_err err = { NULL };
	bool ok = true;

	if (pl->type == ISAKMP_PL_NOTIFY && out->n_notify < IKE_INFO_MAX) {
		ok = isakmp_notify_decode(pl->body, &out->notify[out->n_notify], &err) &&
		     doi_judge(sa, out->notify[out->n_notify].doi, &err);
		out->n_notify++;
	} else if (pl->type == ISAKMP_PL_DELETE && out->n_delete < IKE_INFO_MAX) {
		ok = isakmp_delete_decode(pl->body, &out->del[out->n_delete], &err) &&
		     doi_judge(sa, out->del[out->n_delete].doi, &err);
		if (ok)
			out->deletes_sa |= names_sa(sa, &out->del[out->n_delete]);
		out->n_delete++;
	} else if (pl->type != ISAKMP_PL_VID) {
		return IKE_R_UNEXPECTED_PAYLOAD;
	}
	if (!ok)
		*detail = err.why;
	return ok ? IKE_R_OK : IKE_R_MALFORMED;
}

enum ike_reason ike_info_open(struct ike_sa *sa, const struct isakmp_hdr *hdr,
			      struct bytes datagram, uint8_t plain[IKE_DGRAM_MAX],
			      struct ike_info *out, const char **detail)
{
	static const struct ike_nonces none;
	struct isakmp_hashed m;
	struct ike_exch x;
	enum ike_reason why;

	*out = (struct ike_info){ 0 };
	if (hdr->msgid == 0 || ike_exch_init(&x, sa, ISAKMP_XCH_INFO, hdr->msgid))
		return IKE_R_UNEXPECTED_MESSAGE;
	if (seen_before(sa, hdr->msgid))
		return IKE_R_REPLAY;
	why = ike_exch_open(&x, hdr, datagram, &none, plain, IKE_DGRAM_MAX, &m, detail);
	if (why != IKE_R_OK)
		return why;
	sa->info_seen[sa->info_at++ % IKE_INFO_SEEN] = hdr->msgid;
	for (size_t i = 1; i < m.chain.n && why == IKE_R_OK; i++)
		why = keep(sa, &m.chain.pl[i], out, detail);
	return why;
}

// HDR*, HASH(1), N or D. One of the two is NULL.
static int info_write(const struct ike_sa *sa, const struct isakmp_notify *n,
		      const struct isakmp_delete *d, uint8_t *buf, size_t cap, struct bytes *msg)
{
	static const struct ike_nonces none;
	struct ike_exch x;
	struct ike_seal s;
	int err = ike_exch_init(&x, sa, ISAKMP_XCH_INFO, ike_msgid_new(sa->conf->rng));

	if (err)
		return err;
	ike_seal_begin(&s, &x, buf, cap);
	if (n)
		isakmp_notify_encode(&s.chain, n);
	else
		isakmp_delete_encode(&s.chain, d);
	return ike_seal_end(&s, &x, &none, msg);
}

int ike_info_notify(const struct ike_sa *sa, uint16_t type, struct bytes data, uint8_t *buf,
		    size_t cap, struct bytes *msg)
{
	uint8_t spi[SPI_LEN];
	const struct isakmp_notify n = {
		.doi = own_doi(sa),
		.proto = IPSEC_PROTO_ISAKMP,
		.type = type,
		.spi = BYTES_OF(spi),
		.data = data,
	};

	pair_of(sa, spi);
	return info_write(sa, &n, NULL, buf, cap, msg);
}

static int delete_one(const struct ike_sa *sa, uint8_t proto, const uint8_t spi[SPI_LEN],
		      uint8_t *buf, size_t cap, struct bytes *msg)
{
	const struct isakmp_delete d = {
		.doi = own_doi(sa),
		.proto = proto,
		.spi_size = SPI_LEN,
		.n = 1,
		.spis = BYTES(spi, SPI_LEN),
	};

	return info_write(sa, NULL, &d, buf, cap, msg);
}

int ike_info_delete_sa(const struct ike_sa *sa, uint8_t *buf, size_t cap, struct bytes *msg)
{
	uint8_t spi[SPI_LEN];

	pair_of(sa, spi);
	return delete_one(sa, IPSEC_PROTO_ISAKMP, spi, buf, cap, msg);
}

int ike_info_delete_kek(const struct ike_sa *sa, const uint8_t *kek_spi, uint8_t *buf, size_t cap,
			struct bytes *msg)
{
	return delete_one(sa, GDOI_PROTO_KEK, kek_spi, buf, cap, msg);
}

size_t ike_info_clear(const uint8_t *cky_i, const uint8_t *cky_r, uint32_t doi, uint16_t type,
		      struct rng *rng, uint8_t *buf, size_t cap)
{
	const struct isakmp_notify n = { .doi = doi, .proto = IPSEC_PROTO_ISAKMP, .type = type };
	struct isakmp_hdr hdr = { .exchange = ISAKMP_XCH_INFO, .msgid = ike_msgid_new(rng) };
	struct wr w;
	struct wr_chain c;

	memcpy(hdr.cky_i, cky_i, sizeof(hdr.cky_i));
	memcpy(hdr.cky_r, cky_r, sizeof(hdr.cky_r));
	wr_init(&w, buf, cap);
	c = isakmp_msg_begin(&w, &hdr);
	isakmp_notify_encode(&c, &n);
	return isakmp_msg_end(&w, 0) ? w.len : 0;
}

uint16_t ike_info_clear_type(const struct isakmp_hdr *hdr, struct bytes datagram)
{
	const struct isakmp_pl *pl;
	struct isakmp_chain chain;
	struct isakmp_notify n;
	struct rd_err err = { NULL };

	if (hdr->exchange != ISAKMP_XCH_INFO || hdr->flags != 0 || datagram.len < ISAKMP_HDR_LEN ||
	    !isakmp_chain_decode(BYTES(datagram.p + ISAKMP_HDR_LEN, datagram.len - ISAKMP_HDR_LEN),
				 hdr->next, 0, &chain, &err))
		return 0;
	pl = isakmp_chain_find(&chain, ISAKMP_PL_NOTIFY, 0);
	return pl && isakmp_notify_decode(pl->body, &n, &err) ? n.type : 0;
}
