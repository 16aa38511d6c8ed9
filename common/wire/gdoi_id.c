#include "common/wire/gdoi_id.h"

// Octets of identification data, 0 for a type that has no place here.
static size_t id_data_len(uint8_t type)
{
	switch (type) {
	case ISAKMP_ID_IPV4_ADDR:
		return 4;
	case ISAKMP_ID_IPV4_SUBNET:
	case ISAKMP_ID_IPV4_RANGE:
		return 8;
	case ISAKMP_ID_IPV6_ADDR:
		return 16;
	case ISAKMP_ID_IPV6_SUBNET:
	case ISAKMP_ID_IPV6_RANGE:
		return 32;
	}
	return 0;
}

static bool id_is_any(const struct gdoi_id *id)
{
	return id->len == 0 || (id->len == 3 && bytes_are_zero(BYTES(id->data, 3)));
}

uint8_t gdoi_id_family(const struct gdoi_id *id)
{
	switch (id_data_len(id->type)) {
	case 0:
		return 0;
	case 4:
	case 8:
		return 4;
	}
	return 6;
}

// RFC 6407 5.3, 5.5.1: type (1) | port (2) | data length (1; 2 by option) | data
static void id_decode(struct rd *r, uint8_t len_octets, bool may_be_empty, struct gdoi_id *out)
{
	size_t want, len;

	*out = (struct gdoi_id){ .type = rd_u8(r) };
	out->port = rd_u16(r);
	len = len_octets == 2 ? rd_u16(r) : rd_u8(r);
	want = id_data_len(out->type);
	if (want == 0)
		rd_fail(r, "identity type not usable in policy");
	if (len > GDOI_ID_DATA_MAX) {
		rd_fail(r, "identity length does not suit its type");
		return;
	}
	rd_copy(r, out->data, len);
	out->len = (uint8_t)len;
	if (len != want && !(may_be_empty && id_is_any(out)))
		rd_fail(r, "identity length does not suit its type");
}

void gdoi_id_pair_decode(struct rd *r, struct gdoi_id_form form, struct gdoi_id *src,
			 struct gdoi_id *dst)
{
	id_decode(r, form.len_octets, form.empty_src, src);
	if (form.dst_prot)
		rd_skip(r, 1);
	id_decode(r, form.len_octets, false, dst);
}

static void id_encode(struct wr *w, uint8_t len_octets, const struct gdoi_id *id)
{
	wr_u8(w, id->type);
	wr_u16(w, id->port);
	if (len_octets == 2)
		wr_u16(w, id->len);
	else
		wr_u8(w, id->len);
	wr_put(w, id->data, id->len);
}

// 0.0.0.0/0 or ::/0 in the form that is asked for.
static struct gdoi_id any_in_form(const struct gdoi_id *id, enum gdoi_any_src form)
{
	struct gdoi_id out = *id;
	bool subnet = id->type == ISAKMP_ID_IPV4_SUBNET || id->type == ISAKMP_ID_IPV6_SUBNET;

	if (subnet && form != GDOI_ANY_SUBNET && bytes_are_zero(BYTES(id->data, id->len)))
		out.len = form == GDOI_ANY_ZEROS ? 3 : 0;
	return out;
}

void gdoi_id_pair_encode(struct wr *w, struct gdoi_id_form form, uint8_t proto,
			 const struct gdoi_id *src, const struct gdoi_id *dst)
{
	struct gdoi_id from = any_in_form(src, form.any_src);

	id_encode(w, form.len_octets, &from);
	if (form.dst_prot)
		wr_u8(w, proto);
	id_encode(w, form.len_octets, dst);
}

static void id_put(struct gdoi_id *id, const struct addr *a)
{
	size_t n = addr_len(a);

	memcpy(id->data + id->len, a->b, n);
	id->len = (uint8_t)(id->len + n);
}

bool gdoi_id_from_side(const struct flow_side *side, struct gdoi_id *out)
{
	bool v4 = side->lo.family == 4,
	     any_port = side->port_lo == 0 && side->port_hi == UINT16_MAX;
	struct prefix p;
	struct addr mask;

	*out = (struct gdoi_id){ .port = any_port ? 0 : side->port_lo };
	if (!any_port && (side->port_lo != side->port_hi || side->port_lo == 0))
		return false;
	id_put(out, &side->lo);
	if (addr_eq(&side->lo, &side->hi)) {
		out->type = v4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR;
	} else if (prefix_from_range(&side->lo, &side->hi, &p)) {
		out->type = v4 ? ISAKMP_ID_IPV4_SUBNET : ISAKMP_ID_IPV6_SUBNET;
		mask = prefix_mask(&p);
		id_put(out, &mask);
	} else {
		out->type = v4 ? ISAKMP_ID_IPV4_RANGE : ISAKMP_ID_IPV6_RANGE;
		id_put(out, &side->hi);
	}
	return true;
}

// Ones, then zeros.
static bool mask_is_contiguous(const uint8_t *mask, size_t n)
{
	bool ended = false;

	for (size_t bit = 0; bit < n * 8; bit++) {
		bool one = mask[bit / 8] >> (7 - bit % 8) & 1;

		if (one && ended)
			return false;
		ended |= !one;
	}
	return true;
}

static bool subnet_to_side(const struct gdoi_id *id, size_t n, struct flow_side *out)
{
	const uint8_t *mask = id->data + n;

	if (!mask_is_contiguous(mask, n))
		return false;
	out->lo = out->hi = addr_from_bytes(id->data, n);
	for (size_t i = 0; i < n; i++) {
		out->lo.b[i] &= mask[i];
		out->hi.b[i] |= (uint8_t)~mask[i];
	}
	return true;
}

bool gdoi_id_to_side(const struct gdoi_id *id, uint8_t family, struct flow_side *out)
{
	size_t n = family == 4 ? 4 : 16;

	flow_side_any(out, family);
	if (id->port != 0)
		out->port_lo = out->port_hi = id->port;
	if (id_is_any(id))
		return true;
	if (gdoi_id_family(id) != family || id->len != id_data_len(id->type))
		return false;
	switch (id->type) {
	case ISAKMP_ID_IPV4_ADDR:
	case ISAKMP_ID_IPV6_ADDR:
		out->lo = out->hi = addr_from_bytes(id->data, n);
		return true;
	case ISAKMP_ID_IPV4_SUBNET:
	case ISAKMP_ID_IPV6_SUBNET:
		return subnet_to_side(id, n, out);
	}
	out->lo = addr_from_bytes(id->data, n);
	out->hi = addr_from_bytes(id->data + n, n);
	return addr_cmp(&out->lo, &out->hi) <= 0;
}

struct gdoi_id gdoi_id_of_endpoint(const struct endpoint *e)
{
	struct gdoi_id id = {
		.type = e->addr.family == 4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR,
		.port = e->port,
	};

	id_put(&id, &e->addr);
	return id;
}

bool gdoi_id_to_endpoint(const struct gdoi_id *id, struct endpoint *out)
{
	*out = (struct endpoint){ .port = id->port };
	if (id->type != ISAKMP_ID_IPV4_ADDR && id->type != ISAKMP_ID_IPV6_ADDR)
		return false;
	out->addr = addr_from_bytes(id->data, id->len);
	return out->addr.family != 0;
}
