// common/wire/rd.h - the window through which strangers' bytes are read.
// A window remembers its first failure; from then on every getter returns zero and nothing moves,
// so a decoder checks once, at the end. A length inside the message becomes a child window; what
// is left over in a window is an error unless the caller names it (cipher padding).
// Owns:   nothing: views into the datagram. One struct rd_err per datagram, shared by all windows.
// Always: the only pointer arithmetic of this folder is here.
// Never:  allocates, logs, reads past end.
#pragma once
#include "common/base/bytes.h"

static inline bool bytes_are_zero(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		if (b.p[i] != 0)
			return false;
	}
	return true;
}

// why: a stable, short, lower-case reason; daemons count and log by it. NULL while all is well.
struct rd_err {
	const char *why;
};

struct rd {
	const uint8_t *p, *end;
	struct rd_err *err;
};

static inline struct rd rd_of(struct bytes b, struct rd_err *err)
{
	if (b.len == 0)
		return (struct rd){ (const uint8_t *)"", (const uint8_t *)"", err };
	return (struct rd){ b.p, b.p + b.len, err };
}

static inline bool rd_ok(const struct rd *r)
{
	return r->err->why == NULL;
}

// Always false, so that a decoder can `return rd_fail(r, "…")`. Only the first reason stays.
static inline bool rd_fail(struct rd *r, const char *why)
{
	if (r->err->why == NULL)
		r->err->why = why;
	return false;
}

static inline size_t rd_left(const struct rd *r)
{
	return rd_ok(r) ? (size_t)(r->end - r->p) : 0;
}

// The next n octets, or NULL (and a failure) when there are fewer.
static inline const uint8_t *rd_take(struct rd *r, size_t n)
{
	const uint8_t *b = r->p;

	if (!rd_ok(r))
		return NULL;
	if (n > (size_t)(r->end - r->p)) {
		rd_fail(r, "truncated");
		return NULL;
	}
	r->p += n;
	return b;
}

static inline void rd_skip(struct rd *r, size_t n)
{
	(void)rd_take(r, n);
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *b = rd_take(r, 1);

	return b ? b[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
	const uint8_t *b = rd_take(r, 2);

	return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
	const uint8_t *b = rd_take(r, 4);

	return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
	uint64_t high = rd_u32(r);

	return high << 32 | rd_u32(r);
}

static inline struct bytes rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *b = rd_take(r, n);

	return b ? (struct bytes){ b, n } : (struct bytes){ NULL, 0 };
}

static inline struct bytes rd_rest(struct rd *r)
{
	return rd_bytes(r, rd_left(r));
}

// Copies n octets to out; zeroes out on failure.
static inline void rd_copy(struct rd *r, void *out, size_t n)
{
	const uint8_t *b = rd_take(r, n);

	if (b)
		memcpy(out, b, n);
	else
		memset(out, 0, n);
}

// n octets that have to be zero (RESERVED fields).
static inline void rd_zero(struct rd *r, size_t n, const char *why)
{
	struct bytes b = rd_bytes(r, n);

	if (!bytes_are_zero(b))
		rd_fail(r, why);
}

// A structure claims len octets of which `had` were read already: the rest becomes a window of its
// own and r moves past it. A length below `had` fails, so a loop over structures always advances.
static inline struct rd rd_sub(struct rd *r, size_t len, size_t had)
{
	struct rd sub = { r->p, r->p, r->err };
	const uint8_t *b;

	if (len < had) {
		rd_fail(r, "length below its own header");
		return sub;
	}
	b = rd_take(r, len - had);
	if (b) {
		sub.p = b;
		sub.end = b + (len - had);
	}
	return sub;
}

// The end of a window: at most `pad` octets may be left. True when everything so far was right.
static inline bool rd_end(struct rd *r, size_t pad)
{
	if (rd_left(r) > pad)
		return rd_fail(r, "trailing octets");
	return rd_ok(r);
}

// What a window has handed out so far, seen from a position remembered before.
static inline struct bytes rd_since(const struct rd *r, const uint8_t *from)
{
	return (struct bytes){ from, (size_t)(r->p - from) };
}
