#include "common/wire/ike1_pl.h"

#include <stdio.h>

// RFC 2407 4.6.2: type (1) | protocol (1) | port (2) | identification data
bool isakmp_id_decode(struct bytes body, struct isakmp_id *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	out->type = rd_u8(&r);
	out->proto = rd_u8(&r);
	out->port = rd_u16(&r);
	out->data = rd_rest(&r);
	return rd_ok(&r);
}

void isakmp_id_encode(struct wr_chain *c, const struct isakmp_id *id)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_ID);

	wr_u8(c->w, id->type);
	wr_u8(c->w, id->proto);
	wr_u16(c->w, id->port);
	wr_bytes(c->w, id->data);
	wr_pl_end(c, at);
}

bool isakmp_id_port_ok(const struct isakmp_id *id)
{
	if (id->proto == 0)
		return id->port == 0;
	return id->proto == 17 && (id->port == 0 || id->port == 500 || id->port == GDOI_PORT ||
				   id->port == GDOI_NATT_PORT);
}

struct isakmp_id isakmp_id_of_addr(const struct addr *addr)
{
	return (struct isakmp_id){
		.type = addr->family == 4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR,
		.data = BYTES(addr->b, addr_len(addr)),
	};
}

bool isakmp_id_to_addr(const struct isakmp_id *id, struct addr *out)
{
	size_t want = id->type == ISAKMP_ID_IPV4_ADDR	? 4
		      : id->type == ISAKMP_ID_IPV6_ADDR ? 16
							: 0;

	*out = (struct addr){ 0 };
	if (want == 0 || id->data.len != want)
		return false;
	*out = addr_from_bytes(id->data.p, id->data.len);
	return true;
}

static uint32_t group_order(const struct gdoi_wire_opts *o, uint32_t group)
{
	return o->group_id_little_endian ? __builtin_bswap32(group) : group;
}

struct isakmp_id isakmp_id_of_group(const struct gdoi_wire_opts *o, uint32_t group, uint8_t buf[4])
{
	struct wr w;

	wr_init(&w, buf, 4);
	wr_u32(&w, group_order(o, group));
	return (struct isakmp_id){ .type = ISAKMP_ID_KEY_ID, .data = wr_view(&w, 0, w.len) };
}

bool isakmp_id_to_group(const struct gdoi_wire_opts *o, const struct isakmp_id *id, uint32_t *out)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(id->data, &err);

	*out = group_order(o, rd_u32(&r));
	return id->type == ISAKMP_ID_KEY_ID && rd_end(&r, 0);
}

bool isakmp_id_eq(const struct isakmp_id *a, const struct isakmp_id *b)
{
	return a->type == b->type && bytes_eq(a->data, b->data);
}

static const char *text_str(struct bytes text, char buf[ISAKMP_ID_STRLEN])
{
	size_t n = MIN_OF(text.len, ISAKMP_ID_STRLEN - 1u);

	for (size_t i = 0; i < n; i++)
		buf[i] = text.p[i] > ' ' && text.p[i] < 0x7f ? (char)text.p[i] : '?';
	buf[n] = '\0';
	return buf;
}

static const char *hex_str(const struct isakmp_id *id, char buf[ISAKMP_ID_STRLEN])
{
	size_t at = (size_t)snprintf(buf, ISAKMP_ID_STRLEN, "%s:", isakmp_id_type_name(id->type));

	for (size_t i = 0; i < id->data.len && at + 3 <= ISAKMP_ID_STRLEN; i++)
		at += (size_t)snprintf(buf + at, ISAKMP_ID_STRLEN - at, "%02x", id->data.p[i]);
	return buf;
}

const char *isakmp_id_str(const struct isakmp_id *id, char buf[ISAKMP_ID_STRLEN])
{
	static const struct gdoi_wire_opts big_endian;
	struct addr addr;
	uint32_t group;

	if (isakmp_id_to_addr(id, &addr))
		return addr_str(&addr, buf);
	if (isakmp_id_to_group(&big_endian, id, &group)) {
		snprintf(buf, ISAKMP_ID_STRLEN, "%u", group);
		return buf;
	}
	if (id->type == ISAKMP_ID_FQDN || id->type == ISAKMP_ID_USER_FQDN)
		return text_str(id->data, buf);
	return hex_str(id, buf);
}

bool isakmp_nonce_check(struct bytes body, size_t max, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	if (body.len < ISAKMP_NONCE_MIN || body.len > max)
		return rd_fail(&r, "nonce of wrong length");
	return rd_ok(&r);
}

bool isakmp_cert_decode(struct bytes body, struct isakmp_cert *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	out->encoding = rd_u8(&r);
	out->data = rd_rest(&r);
	return rd_ok(&r);
}

void isakmp_cert_encode(struct wr_chain *c, uint8_t payload_type, const struct isakmp_cert *cert)
{
	size_t at = wr_pl_begin(c, payload_type);

	wr_u8(c->w, cert->encoding);
	wr_bytes(c->w, cert->data);
	wr_pl_end(c, at);
}

static uint32_t doi_decode(struct rd *r)
{
	uint32_t doi = rd_u32(r);

	if (doi > ISAKMP_DOI_GDOI)
		rd_fail(r, "doi not supported");
	return doi;
}

// RFC 2408 3.14: DOI (4) | protocol (1) | SPI size (1) | type (2) | SPI | data
bool isakmp_notify_decode(struct bytes body, struct isakmp_notify *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);
	uint8_t spi_size;

	out->doi = doi_decode(&r);
	out->proto = rd_u8(&r);
	spi_size = rd_u8(&r);
	out->type = rd_u16(&r);
	out->spi = rd_bytes(&r, spi_size);
	out->data = rd_rest(&r);
	return rd_ok(&r);
}

void isakmp_notify_encode(struct wr_chain *c, const struct isakmp_notify *n)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_NOTIFY);

	wr_u32(c->w, n->doi);
	wr_u8(c->w, n->proto);
	wr_count8(c->w, n->spi.len);
	wr_u16(c->w, n->type);
	wr_bytes(c->w, n->spi);
	wr_bytes(c->w, n->data);
	wr_pl_end(c, at);
}

// RFC 2408 3.15: DOI (4) | protocol (1) | SPI size (1) | number of SPIs (2) | SPIs
bool isakmp_delete_decode(struct bytes body, struct isakmp_delete *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	out->doi = doi_decode(&r);
	out->proto = rd_u8(&r);
	out->spi_size = rd_u8(&r);
	out->n = rd_u16(&r);
	if (out->spi_size == 0 || out->spi_size > 16)
		rd_fail(&r, "spi size of a delete not 1 to 16");
	if (out->n == 0)
		rd_fail(&r, "delete of nothing");
	out->spis = rd_bytes(&r, out->n * out->spi_size);
	return rd_end(&r, 0);
}

void isakmp_delete_encode(struct wr_chain *c, const struct isakmp_delete *d)
{
	size_t at = wr_pl_begin(c, ISAKMP_PL_DELETE);

	wr_u32(c->w, d->doi);
	wr_u8(c->w, d->proto);
	wr_u8(c->w, d->spi_size);
	wr_count16(c->w, d->n);
	wr_bytes(c->w, d->spis);
	wr_pl_end(c, at);
}

struct bytes isakmp_delete_spi(const struct isakmp_delete *d, size_t i)
{
	struct rd_err err = { NULL };
	struct rd r = rd_of(d->spis, &err);

	rd_skip(&r, i * d->spi_size);
	return rd_bytes(&r, d->spi_size);
}

bool isakmp_vid_conclave(const struct isakmp_chain *c, uint16_t *features)
{
	const struct isakmp_pl *pl;

	*features = 0;
	for (size_t i = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_VID, i)); i++) {
		struct rd_err err = { NULL };
		struct rd r = rd_of(pl->body, &err);
		uint16_t bits;

		if (!bytes_eq(rd_bytes(&r, VID_CONCLAVE_PREFIX_LEN),
			      BYTES(vid_conclave, VID_CONCLAVE_PREFIX_LEN)))
			continue;
		rd_skip(&r, 2); // major, minor
		bits = rd_u16(&r);
		if (rd_end(&r, 0)) {
			*features = bits;
			return true;
		}
	}
	return false;
}

bool isakmp_vid_has(const struct isakmp_chain *c, const uint8_t vid[GDOI_VID_LEN])
{
	const struct isakmp_pl *pl;

	for (size_t i = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_VID, i)); i++) {
		if (bytes_eq(pl->body, BYTES(vid, GDOI_VID_LEN)))
			return true;
	}
	return false;
}
