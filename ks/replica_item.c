#include "ks/replica_int.h"

#define VERSION 1

// ---- rows: an item with all that coop needs of it; what it keeps besides ----

static struct ks_blob blob_of(struct wr *w)
{
	BUG_ON(!wr_ok(w));
	return (struct ks_blob){ w->p, w->len };
}

static void room_for(struct wr *w, size_t n)
{
	uint8_t *p = malloc(n);

	BUG_ON(!p);
	wr_init(w, p, n);
}

void ks_shared_pack_item(const struct coop_item *i, int64_t base_ms, struct ks_blob *out)
{
	struct wr w;

	room_for(&w, i->len + 64 + COOP_KEY_MAX);
	wr_u8(&w, VERSION);
	wr_u8(&w, i->kind);
	wr_u8(&w, i->flags);
	wr_u8(&w, i->by);
	wr_u8(&w, i->origin);
	wr_count8(&w, i->key_len);
	wr_put(&w, i->key, i->key_len);
	rep_put_u64(&w, i->ver);
	rep_put_u64(&w, i->count);
	rep_put_time(&w, i->dies, base_ms);
	rep_put_time(&w, i->active, base_ms);
	wr_u32(&w, (uint32_t)i->len);
	if (i->len > 0)
		wr_put(&w, i->body, i->len);
	*out = blob_of(&w);
}

bool ks_shared_unpack_item(struct bytes in, int64_t base_ms, struct coop_item *i,
			   struct rd_err *why)
{
	struct rd r = rd_of(in, why);
	struct bytes key, body;

	*i = (struct coop_item){ 0 };
	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "written by another version");
	i->kind = rd_u8(&r);
	i->flags = rd_u8(&r);
	i->by = rd_u8(&r);
	i->origin = rd_u8(&r);
	key = rd_bytes(&r, rd_u8(&r));
	if (key.len > sizeof(i->key) || i->by >= COOP_IDS || i->origin >= COOP_IDS)
		return rd_fail(&r, "no item");
	i->key_len = (uint8_t)key.len;
	if (key.len > 0)
		memcpy(i->key, key.p, key.len);
	i->ver = rep_get_u64(&r);
	i->count = rep_get_u64(&r);
	i->dies = rep_get_time(&r, base_ms);
	i->active = rep_get_time(&r, base_ms);
	body = rd_bytes(&r, rd_u32(&r));
	i->body = (uint8_t *)(uintptr_t)body.p; // coop copies it
	i->len = body.len;
	return rd_end(&r, 0);
}

void ks_shared_pack_meta(const struct ks_shared *s, int64_t base_ms, struct ks_blob *out)
{
	struct wr w;

	room_for(&w, 64 + sizeof(s->meta));
	wr_u8(&w, VERSION);
	wr_u8(&w, s->coop.conf.id);
	rep_put_time(&w, s->meta_at, base_ms);
	rep_put_u64(&w, s->meta.term);
	rep_put_u64(&w, s->meta.count);
	rep_put_u64(&w, s->meta.vouched);
	rep_put_u64(&w, s->meta.pseudotime);
	for (size_t i = 0; i < COOP_IDS; i++)
		rep_put_u64(&w, s->meta.vector[i]);
	*out = blob_of(&w);
}

bool ks_shared_unpack_meta(struct bytes in, int64_t base_ms, struct ks_shared_saved *out,
			   struct rd_err *why)
{
	struct rd r = rd_of(in, why);

	if (rd_u8(&r) != VERSION)
		return rd_fail(&r, "written by another version");
	out->id = rd_u8(&r);
	out->at = rep_get_time(&r, base_ms);
	out->meta.term = rep_get_u64(&r);
	out->meta.count = rep_get_u64(&r);
	out->meta.vouched = rep_get_u64(&r);
	out->meta.pseudotime = rep_get_u64(&r);
	for (size_t i = 0; i < COOP_IDS; i++)
		out->meta.vector[i] = rep_get_u64(&r);
	return rd_end(&r, 0);
}
