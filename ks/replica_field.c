#include "ks/replica_int.h"

void rep_put_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

uint64_t rep_get_u64(struct rd *r)
{
	uint64_t hi = rd_u32(r);

	return hi << 32 | rd_u32(r);
}

void rep_put_time(struct wr *w, mono_t t, int64_t base_ms)
{
	rep_put_u64(w, (uint64_t)(mono_is_never(t) ? INT64_MAX : t.ms + base_ms));
}

#define TIME_MAX_MS (INT64_MAX / 4) // leaves room for every sum

mono_t rep_get_time(struct rd *r, int64_t base_ms)
{
	int64_t t = (int64_t)rep_get_u64(r);

	if (t == INT64_MAX)
		return MONO_NEVER;
	if (t > TIME_MAX_MS || t < -TIME_MAX_MS) {
		rd_fail(r, "time out of range");
		return MONO_NEVER;
	}
	return (mono_t){ t - base_ms };
}

void rep_put_bool(struct wr *w, bool b)
{
	wr_u8(w, b ? 1 : 0);
}

bool rep_get_bool(struct rd *r)
{
	uint8_t b = rd_u8(r);

	if (b > 1)
		rd_fail(r, "neither yes nor no");
	return b == 1;
}

void rep_put_str(struct wr *w, const char *s)
{
	size_t n = strlen(s);

	wr_count8(w, n);
	wr_put(w, s, n);
}

void rep_get_str(struct rd *r, char *out, size_t size)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	out[0] = '\0';
	if (b.len >= size || (b.len > 0 && memchr(b.p, 0, b.len)))
		rd_fail(r, "text too long");
	else if (b.len > 0)
		snprintf(out, size, "%.*s", (int)b.len, (const char *)b.p);
}

void rep_put_secret(struct wr *w, const struct secret *s)
{
	wr_count8(w, s->len);
	wr_put(w, s->b, s->len);
}

// len: what it has to be.
void rep_get_secret(struct rd *r, size_t len, struct secret *s)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (b.len != len)
		rd_fail(r, "key of a wrong length");
	else if (secret_set(s, b.p, b.len))
		rd_fail(r, "key too long");
}

void rep_put_addr(struct wr *w, const struct addr *a)
{
	wr_u8(w, a->family);
	wr_put(w, a->b, addr_len(a));
}

void rep_get_addr(struct rd *r, struct addr *a)
{
	uint8_t family = rd_u8(r);
	size_t len = family == 4 ? 4 : family == 6 ? 16 : 0;
	struct bytes b = rd_bytes(r, len);

	if (len == 0)
		rd_fail(r, "no such family of addresses");
	*a = b.len ? addr_from_bytes(b.p, b.len) : (struct addr){ 0 };
}

void rep_put_endpoint(struct wr *w, const struct endpoint *e)
{
	rep_put_addr(w, &e->addr);
	wr_u16(w, e->port);
}

void rep_get_endpoint(struct rd *r, struct endpoint *e)
{
	rep_get_addr(r, &e->addr);
	e->port = rd_u16(r);
}

// A group address and its TTL; without one, family 0.
void rep_put_group(struct wr *w, const struct endpoint *e, uint8_t ttl)
{
	rep_put_bool(w, e->addr.family);
	if (e->addr.family)
		rep_put_endpoint(w, e);
	wr_u8(w, ttl);
}

void rep_get_group(struct rd *r, struct endpoint *e, uint8_t *ttl)
{
	if (rep_get_bool(r)) {
		rep_get_endpoint(r, e);
		if (!addr_is_multicast(&e->addr))
			rd_fail(r, "no group address");
	}
	*ttl = rd_u8(r);
}
