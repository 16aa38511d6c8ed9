// common/wire/wr.h - the writer over a fixed buffer.
// An overflow is remembered; later writes do nothing, so an encoder checks once, at the end.
// Lengths and next-payload octets are reserved first and patched when they are known.
// Owns:   nothing; the caller's buffer outlives the writer.
// Never:  writes past cap.
#pragma once
#include "common/base/bytes.h"

struct wr {
	uint8_t *p;
	size_t len, cap;
	bool overflow;
};

void wr_init(struct wr *w, void *buf, size_t cap);
static inline bool wr_ok(const struct wr *w)
{
	return !w->overflow;
}

void wr_u8(struct wr *w, uint8_t v);
void wr_u16(struct wr *w, uint16_t v);
void wr_u32(struct wr *w, uint32_t v);
void wr_u64(struct wr *w, uint64_t v);
// A count or length in a field of that width; one that does not fit counts as an overflow.
void wr_count8(struct wr *w, size_t n);
void wr_count16(struct wr *w, size_t n);
void wr_put(struct wr *w, const void *p, size_t n);
void wr_bytes(struct wr *w, struct bytes b);
void wr_zero(struct wr *w, size_t n);

// Overwrite what was written at `at` before. Outside of what was written: nothing happens.
void wr_patch8(struct wr *w, size_t at, uint8_t v);
void wr_patch16(struct wr *w, size_t at, uint16_t v);
void wr_patch32(struct wr *w, size_t at, uint32_t v);
// 16 bit length field at `at` := octets written since `from`. Over 65535 counts as an overflow.
void wr_len16(struct wr *w, size_t at, size_t from);

// [from, to) of what was written; empty after an overflow.
struct bytes wr_view(const struct wr *w, size_t from, size_t to);
