#include "ks/replica_int.h"

#include "ks/push.h"

static void put_part_of(struct wr *w, const struct ks_part *part)
{
	size_t n = 0;

	for (size_t v = 0; v < KS_V_COUNT; v++)
		n += part->dgram[v] != NULL;
	wr_u32(w, part->seq);
	wr_count8(w, n);
	for (size_t v = 0; v < KS_V_COUNT; v++) {
		if (!part->dgram[v])
			continue;
		wr_u8(w, (uint8_t)v);
		wr_u32(w, (uint32_t)part->len[v]);
		wr_put(w, part->dgram[v], part->len[v]);
	}
}

void rep_put_push(struct wr *w, const struct ks_group *g, int64_t base_ms)
{
	const struct ks_push *p = &g->push;

	rep_put_bool(w, p->live);
	rep_put_bool(w, p->have);
	rep_put_bool(w, p->has_sak);
	rep_put_bool(w, p->clears);
	rep_put_bool(w, p->tree);
	rep_put_bool(w, p->ack_lkh);
	rep_put_endpoint(w, &p->from);
	wr_u16(w, p->port);
	rep_put_group(w, &p->group, p->ttl);
	wr_put(w, p->spi, sizeof(p->spi));
	wr_u32(w, p->seq);
	rep_put_secret(w, &p->ack_key[0]);
	rep_put_secret(w, &p->ack_key[1]);
	wr_count16(w, p->n_parts);
	for (size_t i = 0; i < p->n_parts; i++)
		put_part_of(w, &p->part[i]);
	rep_put_time(w, p->started, base_ms);
	rep_put_time(w, p->ended, base_ms);
}

static void get_dgram(struct rd *r, uint8_t **p, size_t *len)
{
	struct bytes b = rd_bytes(r, rd_u32(r));

	if (b.len > KS_DGRAM_MAX)
		rd_fail(r, "datagram too long");
	if (!rd_ok(r) || b.len == 0)
		return;
	*p = malloc(b.len);
	BUG_ON(!*p);
	memcpy(*p, b.p, b.len);
	*len = b.len;
}

static void get_part(struct rd *r, struct ks_part *part)
{
	size_t n;

	part->seq = rd_u32(r);
	n = rd_u8(r);
	for (size_t i = 0; i < n && rd_ok(r); i++) {
		size_t v = rd_u8(r);

		if (v >= KS_V_COUNT || part->dgram[v])
			rd_fail(r, "no such variant, or one that comes twice");
		else
			get_dgram(r, &part->dgram[v], &part->len[v]);
	}
}

static void get_ack_key(struct rd *r, struct secret *s)
{
	struct bytes b = rd_bytes(r, rd_u8(r));

	if (secret_set(s, b.p, b.len))
		rd_fail(r, "key too long");
}

static void get_push_parts(struct rd *r, struct ks_push *p)
{
	size_t n = rd_u16(r);

	if (rd_left(r) / (4 + 1) < n) {
		rd_fail(r, "more messages than octets");
		return;
	}
	p->part = calloc(n ? n : 1, sizeof(*p->part));
	BUG_ON(!p->part);
	for (; p->n_parts < n && rd_ok(r); p->n_parts++)
		get_part(r, &p->part[p->n_parts]);
}

void rep_get_push(struct rd *r, struct ks_group *g, int64_t base_ms)
{
	struct ks_push *p = &g->push;

	p->live = rep_get_bool(r);
	p->have = rep_get_bool(r);
	p->has_sak = rep_get_bool(r);
	p->clears = rep_get_bool(r);
	p->tree = rep_get_bool(r);
	p->ack_lkh = rep_get_bool(r);
	rep_get_endpoint(r, &p->from);
	p->port = rd_u16(r);
	rep_get_group(r, &p->group, &p->ttl);
	rd_copy(r, p->spi, sizeof(p->spi));
	p->seq = rd_u32(r);
	get_ack_key(r, &p->ack_key[0]);
	get_ack_key(r, &p->ack_key[1]);
	get_push_parts(r, p);
	p->started = rep_get_time(r, base_ms);
	p->ended = rep_get_time(r, base_ms);
	p->before = p->seq - (uint32_t)p->n_parts;
	if (p->n_parts == 0 || !p->have)
		rd_fail(r, "rekey without messages");
	if (!rd_end(r, 0))
		ks_push_fini(p);
}
