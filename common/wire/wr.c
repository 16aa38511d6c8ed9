#include "common/wire/wr.h"

void wr_init(struct wr *w, void *buf, size_t cap)
{
	*w = (struct wr){ .p = buf, .cap = cap };
}

static uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *at = w->p + w->len;

	if (w->overflow || n > w->cap - w->len) {
		w->overflow = true;
		return NULL;
	}
	w->len += n;
	return at;
}

void wr_u8(struct wr *w, uint8_t v)
{
	wr_put(w, &v, 1);
}

void wr_u16(struct wr *w, uint16_t v)
{
	wr_put(w, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

void wr_u32(struct wr *w, uint32_t v)
{
	wr_u16(w, (uint16_t)(v >> 16));
	wr_u16(w, (uint16_t)v);
}

void wr_u64(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

void wr_count8(struct wr *w, size_t n)
{
	if (n > UINT8_MAX)
		w->overflow = true;
	wr_u8(w, (uint8_t)n);
}

void wr_count16(struct wr *w, size_t n)
{
	if (n > UINT16_MAX)
		w->overflow = true;
	wr_u16(w, (uint16_t)n);
}

void wr_put(struct wr *w, const void *p, size_t n)
{
	uint8_t *at = wr_room(w, n);

	if (at && n > 0)
		memcpy(at, p, n);
}

void wr_bytes(struct wr *w, struct bytes b)
{
	wr_put(w, b.p, b.len);
}

void wr_zero(struct wr *w, size_t n)
{
	uint8_t *at = wr_room(w, n);

	if (at)
		memset(at, 0, n);
}

void wr_patch8(struct wr *w, size_t at, uint8_t v)
{
	if (wr_ok(w) && at < w->len)
		w->p[at] = v;
}

void wr_patch16(struct wr *w, size_t at, uint16_t v)
{
	wr_patch8(w, at, (uint8_t)(v >> 8));
	wr_patch8(w, at + 1, (uint8_t)v);
}

void wr_patch32(struct wr *w, size_t at, uint32_t v)
{
	wr_patch16(w, at, (uint16_t)(v >> 16));
	wr_patch16(w, at + 2, (uint16_t)v);
}

void wr_len16(struct wr *w, size_t at, size_t from)
{
	size_t len = w->len - from;

	if (len > UINT16_MAX)
		w->overflow = true;
	wr_patch16(w, at, (uint16_t)len);
}

struct bytes wr_view(const struct wr *w, size_t from, size_t to)
{
	if (w->overflow || from > to || to > w->len)
		return (struct bytes){ w->p, 0 };
	return (struct bytes){ w->p + from, to - from };
}
