#include "common/wire/gdoi_kd.h"

enum {
	LKH_VERSION = 1,
	LKH_KEY_HDR_LEN = 16,
};

static void key_once(struct rd *r, const struct isakmp_attr *a, struct bytes *out)
{
	if (a->basic || a->value.len == 0)
		rd_fail(r, "key attribute of impossible length");
	if (out->len != 0)
		rd_fail(r, "attribute given twice");
	*out = a->value;
}

// ---- TEK, RFC 6407 5.6.1 ----

static void tek_attr(struct rd *r, const struct isakmp_attr *a, struct gdoi_kd_tek *out)
{
	switch (a->type) {
	case GDOI_TEK_ALGORITHM_KEY:
		key_once(r, a, &out->alg_key);
		break;
	case GDOI_TEK_INTEGRITY_KEY:
		key_once(r, a, &out->integrity_key);
		break;
	case GDOI_TEK_SOURCE_AUTH_KEY:
		key_once(r, a, &out->source_auth_key);
		break;
	default:
		rd_fail(r, "unknown key attribute");
	}
}

static void tek_decode(struct rd *r, uint8_t spi_size, struct gdoi_kd *out)
{
	struct isakmp_attr a;
	struct gdoi_kd_tek tek = { 0 };

	if (spi_size != GDOI_TEK_SPI_LEN)
		rd_fail(r, "tek spi not 4 octets");
	tek.spi = rd_u32(r);
	if (rd_ok(r) && tek.spi == 0)
		rd_fail(r, "tek spi zero");
	if (rd_ok(r) && gdoi_kd_find_tek(out, tek.spi))
		rd_fail(r, "two key packets for one tek");
	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		tek_attr(r, &a, &tek);
	if (out->n_tek == GDOI_MAX_TEK)
		rd_fail(r, "too many key packets");
	else
		out->tek[out->n_tek++] = tek;
}

// ---- KEK, RFC 6407 5.6.2 ----

static void kek_spi_decode(struct rd *r, uint8_t spi_size, uint8_t out[GDOI_KEK_SPI_LEN])
{
	if (spi_size != GDOI_KEK_SPI_LEN)
		rd_fail(r, "kek spi not 16 octets");
	rd_copy(r, out, GDOI_KEK_SPI_LEN);
}

static void kek_decode(struct rd *r, uint8_t spi_size, struct gdoi_kd *out)
{
	struct gdoi_kd_kek *kek = &out->kek;
	struct isakmp_attr a;

	if (out->has_kek)
		rd_fail(r, "two kek key packets");
	out->has_kek = true;
	*kek = (struct gdoi_kd_kek){ 0 };
	kek_spi_decode(r, spi_size, kek->spi);
	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a)) {
		if (a.type == GDOI_KEK_ALGORITHM_KEY)
			key_once(r, &a, &kek->alg_key);
		else if (a.type == GDOI_SIG_ALGORITHM_KEY)
			key_once(r, &a, &kek->sig_key);
		else
			rd_fail(r, "unknown key attribute");
	}
	if (rd_ok(r) && kek->alg_key.len == 0)
		rd_fail(r, "kek key missing");
}

// ---- LKH, RFC 6407 5.6.3 ----

static bool lkh_data_len_ok(const struct gdoi_wire_opts *o, uint8_t type, size_t len)
{
	switch (type) {
	case GDOI_KEK_DES:
		return len == 8 + 8;
	case GDOI_KEK_3DES:
		return len == 8 + 24;
	case GDOI_KEK_AES:
		return len == 16 + 16 || len == 16 + 32 || (len == 16 + 24 && o->accept_lkh_aes192);
	}
	return false;
}

// LKH ID (2) | key type (1) | RESERVED (1) | creation (4) | expiration (4) | handle (4) | key data
static void lkh_key_decode(const struct gdoi_wire_opts *o, struct rd *r, size_t data_len,
			   struct gdoi_lkh_key *out)
{
	out->id = rd_u16(r);
	out->type = rd_u8(r);
	rd_zero(r, 1, "reserved octet of an lkh key not zero");
	out->created = rd_u32(r);
	out->expires = rd_u32(r);
	out->handle = rd_u32(r);
	out->data = rd_bytes(r, data_len);
	if (rd_ok(r) && !lkh_data_len_ok(o, out->type, data_len))
		rd_fail(r, "lkh key length does not suit its type");
}

// version (1) = 1 | number of keys (2) | RESERVED (1)
// update arrays: LKH ID (2) | RESERVED2 (2) | key handle (4) of the key that encrypts the first
// keys; they are of one type, so that what is left divides evenly among them.
static void lkh_array_decode(const struct gdoi_wire_opts *o, struct rd *r, bool update,
			     struct gdoi_kd_lkh *lkh, struct gdoi_lkh_array *out)
{
	size_t each;

	*out = (struct gdoi_lkh_array){ .first = lkh->n_keys };
	if (rd_u8(r) != LKH_VERSION)
		rd_fail(r, "lkh version not 1");
	out->n = rd_u16(r);
	rd_zero(r, 1, "reserved octet of an lkh array not zero");
	if (update) {
		out->id = rd_u16(r);
		rd_zero(r, 2, "reserved field of an lkh array not zero");
		out->handle = rd_u32(r);
	}
	if (out->n == 0) {
		rd_fail(r, "lkh array without keys");
		return;
	}
	if (out->n > GDOI_MAX_LKH_KEYS - lkh->n_keys)
		rd_fail(r, "too many lkh keys");
	if (!rd_ok(r))
		return;
	each = rd_left(r) / out->n;
	if (rd_left(r) % out->n != 0 || each <= LKH_KEY_HDR_LEN) {
		rd_fail(r, "lkh keys do not fill their array");
		return;
	}
	for (size_t i = 0; i < out->n; i++)
		lkh_key_decode(o, r, each - LKH_KEY_HDR_LEN, &lkh->key[lkh->n_keys++]);
	rd_end(r, 0);
}

static void lkh_attr(const struct gdoi_wire_opts *o, struct rd *r, const struct isakmp_attr *a,
		     struct gdoi_kd_lkh *out)
{
	struct rd v = rd_of(a->value, r->err);

	switch (a->type) {
	case GDOI_LKH_DOWNLOAD_ARRAY:
		if (out->has_download)
			rd_fail(r, "two lkh download arrays");
		out->has_download = true;
		lkh_array_decode(o, &v, false, out, &out->download);
		break;
	case GDOI_LKH_UPDATE_ARRAY:
		if (out->n_update == GDOI_MAX_LKH_ARRAYS)
			rd_fail(r, "too many lkh arrays");
		else
			lkh_array_decode(o, &v, true, out, &out->update[out->n_update++]);
		break;
	case GDOI_LKH_SIG_ALGORITHM_KEY:
		key_once(r, a, &out->sig_key);
		break;
	default:
		rd_fail(r, "unknown key attribute");
	}
}

static void lkh_decode(const struct gdoi_wire_opts *o, struct rd *r, uint8_t spi_size,
		       struct gdoi_kd *out)
{
	struct gdoi_kd_lkh *lkh = &out->lkh;
	struct isakmp_attr a;

	if (out->has_lkh)
		rd_fail(r, "two lkh key packets");
	out->has_lkh = true;
	lkh->has_download = false;
	lkh->n_update = lkh->n_keys = 0;
	lkh->sig_key = (struct bytes){ NULL, 0 };
	kek_spi_decode(r, spi_size, lkh->spi);
	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		lkh_attr(o, r, &a, lkh);
	if (rd_ok(r) && !lkh->has_download && lkh->n_update == 0)
		rd_fail(r, "lkh packet without keys");
}

// ---- sender ids, RFC 6407 5.6.4 ----

static void sid_attr(struct rd *r, const struct isakmp_attr *a, struct gdoi_kd_sid *out)
{
	switch (a->type) {
	case GDOI_SID_NUMBER_OF_BITS:
		if (out->bits != 0)
			rd_fail(r, "attribute given twice");
		out->bits = isakmp_attr_u16(r, a);
		if (out->bits == 0 || out->bits > 32)
			rd_fail(r, "sender id bits not 1 to 32");
		break;
	case GDOI_SID_VALUE:
		if (out->n == GDOI_MAX_SID)
			rd_fail(r, "too many sender ids");
		else
			out->sid[out->n++] = isakmp_attr_u32(r, a);
		break;
	default:
		rd_fail(r, "unknown key attribute");
	}
}

static void sid_decode(struct rd *r, uint8_t spi_size, struct gdoi_kd *out)
{
	struct gdoi_kd_sid *sid = &out->sid;
	struct isakmp_attr a;

	if (out->has_sid)
		rd_fail(r, "two sender id packets");
	if (spi_size != 0)
		rd_fail(r, "sender id packet with an spi");
	out->has_sid = true;
	sid->bits = 0;
	sid->n = 0;
	while (rd_left(r) > 0 && isakmp_attr_decode(r, &a))
		sid_attr(r, &a, sid);
	if (rd_ok(r) && (sid->bits == 0 || sid->n == 0))
		rd_fail(r, "sender id packet without bits or value");
	for (size_t i = 0; i < sid->n; i++) {
		if (rd_ok(r) && (uint64_t)sid->sid[i] >> sid->bits != 0)
			rd_fail(r, "sender id wider than its bits");
	}
}

// ---- the payload ----

// RFC 6407 5.6: KD type (1) | RESERVED (1) | length (2) | SPI size (1) | SPI | attributes
static void packet_decode(const struct gdoi_wire_opts *o, struct rd *r, struct gdoi_kd *out)
{
	uint8_t type = rd_u8(r), spi_size;
	struct rd body;

	rd_zero(r, 1, "reserved octet of a key packet not zero");
	body = rd_sub(r, rd_u16(r), 4);
	spi_size = rd_u8(&body);
	if (!rd_ok(r))
		return;
	switch (type) {
	case GDOI_KD_TEK:
		tek_decode(&body, spi_size, out);
		break;
	case GDOI_KD_KEK:
		kek_decode(&body, spi_size, out);
		break;
	case GDOI_KD_LKH:
		lkh_decode(o, &body, spi_size, out);
		break;
	case GDOI_KD_SID:
		sid_decode(&body, spi_size, out);
		break;
	default:
		rd_fail(r, "unknown key packet type");
	}
	rd_end(&body, 0);
}

// number of key packets (2) | RESERVED2 (2) | key packets
bool gdoi_kd_decode(const struct gdoi_wire_opts *o, struct bytes body, struct gdoi_kd *out,
		    struct rd_err *err)
{
	struct rd r = rd_of(body, err);
	uint16_t n = rd_u16(&r);

	out->has_kek = out->has_lkh = out->has_sid = false;
	out->n_tek = 0;
	rd_zero(&r, 2, "reserved field of a kd not zero");
	for (uint16_t i = 0; i < n && rd_ok(&r); i++)
		packet_decode(o, &r, out);
	return rd_end(&r, 0);
}

static size_t packet_begin(struct wr *w, uint8_t type, const uint8_t *spi, uint8_t spi_size)
{
	size_t at = w->len;

	wr_u8(w, type);
	wr_zero(w, 3);
	wr_u8(w, spi_size);
	wr_put(w, spi, spi_size);
	return at;
}

static void packet_end(struct wr *w, size_t at)
{
	wr_len16(w, at + 2, at);
}

static void key_unless_empty(struct wr *w, uint16_t type, struct bytes key)
{
	if (key.len > 0)
		wr_attr_bytes(w, type, key);
}

static void tek_encode(struct wr *w, const struct gdoi_kd_tek *tek)
{
	size_t at = packet_begin(w, GDOI_KD_TEK, NULL, 0);

	wr_patch8(w, at + 4, GDOI_TEK_SPI_LEN);
	wr_u32(w, tek->spi);
	key_unless_empty(w, GDOI_TEK_ALGORITHM_KEY, tek->alg_key);
	key_unless_empty(w, GDOI_TEK_INTEGRITY_KEY, tek->integrity_key);
	key_unless_empty(w, GDOI_TEK_SOURCE_AUTH_KEY, tek->source_auth_key);
	packet_end(w, at);
}

static void kek_encode(struct wr *w, const struct gdoi_kd_kek *kek)
{
	size_t at = packet_begin(w, GDOI_KD_KEK, kek->spi, GDOI_KEK_SPI_LEN);

	key_unless_empty(w, GDOI_KEK_ALGORITHM_KEY, kek->alg_key);
	key_unless_empty(w, GDOI_SIG_ALGORITHM_KEY, kek->sig_key);
	packet_end(w, at);
}

static void lkh_array_encode(struct wr *w, bool update, const struct gdoi_kd_lkh *lkh,
			     const struct gdoi_lkh_array *array)
{
	size_t at = w->len;

	wr_u16(w, update ? GDOI_LKH_UPDATE_ARRAY : GDOI_LKH_DOWNLOAD_ARRAY);
	wr_zero(w, 2); // length
	wr_u8(w, LKH_VERSION);
	wr_count16(w, array->n);
	wr_zero(w, 1);
	if (update) {
		wr_u16(w, array->id);
		wr_zero(w, 2);
		wr_u32(w, array->handle);
	}
	for (size_t i = 0; i < array->n; i++) {
		const struct gdoi_lkh_key *k = &lkh->key[array->first + i];

		wr_u16(w, k->id);
		wr_u8(w, k->type);
		wr_zero(w, 1);
		wr_u32(w, k->created);
		wr_u32(w, k->expires);
		wr_u32(w, k->handle);
		wr_bytes(w, k->data);
	}
	wr_len16(w, at + 2, at + 4);
}

static void lkh_encode(struct wr *w, const struct gdoi_kd_lkh *lkh)
{
	size_t at = packet_begin(w, GDOI_KD_LKH, lkh->spi, GDOI_KEK_SPI_LEN);

	if (lkh->has_download)
		lkh_array_encode(w, false, lkh, &lkh->download);
	for (size_t i = 0; i < lkh->n_update; i++)
		lkh_array_encode(w, true, lkh, &lkh->update[i]);
	key_unless_empty(w, GDOI_LKH_SIG_ALGORITHM_KEY, lkh->sig_key);
	packet_end(w, at);
}

static void sid_encode(struct wr *w, uint16_t wanted_len, const struct gdoi_kd_sid *sid)
{
	size_t at = packet_begin(w, GDOI_KD_SID, NULL, 0);
	uint16_t value_len = MAX_OF(wanted_len, (uint16_t)((sid->bits + 7) / 8));

	wr_attr_u16(w, GDOI_SID_NUMBER_OF_BITS, sid->bits);
	for (size_t i = 0; i < sid->n; i++) {
		wr_u16(w, GDOI_SID_VALUE);
		wr_u16(w, value_len);
		for (unsigned left = value_len; left-- > 0;)
			wr_u8(w, left < 4 ? (uint8_t)(sid->sid[i] >> (8 * left)) : 0);
	}
	packet_end(w, at);
}

void gdoi_kd_encode(const struct gdoi_wire_opts *o, struct wr_chain *c, const struct gdoi_kd *kd)
{
	size_t at = wr_pl_begin(c, GDOI_PL_KD);

	wr_count16(c->w, kd->has_kek + kd->has_lkh + kd->n_tek + kd->has_sid);
	wr_zero(c->w, 2);
	if (kd->has_kek)
		kek_encode(c->w, &kd->kek);
	if (kd->has_lkh)
		lkh_encode(c->w, &kd->lkh);
	for (size_t i = 0; i < kd->n_tek; i++)
		tek_encode(c->w, &kd->tek[i]);
	if (kd->has_sid)
		sid_encode(c->w, o->sid_value_len, &kd->sid);
	wr_pl_end(c, at);
}

const struct gdoi_kd_tek *gdoi_kd_find_tek(const struct gdoi_kd *kd, uint32_t spi)
{
	for (size_t i = 0; i < kd->n_tek; i++) {
		if (kd->tek[i].spi == spi)
			return &kd->tek[i];
	}
	return NULL;
}

bool gdoi_seq_decode(struct bytes body, uint32_t *out, struct rd_err *err)
{
	struct rd r = rd_of(body, err);

	*out = rd_u32(&r);
	return rd_end(&r, 0);
}

void gdoi_seq_encode(struct wr_chain *c, uint32_t seq)
{
	size_t at = wr_pl_begin(c, GDOI_PL_SEQ);

	wr_u32(c->w, seq);
	wr_pl_end(c, at);
}
