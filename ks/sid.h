// ks/sid.h - sender ids for counter-mode suites.
// RFC 6407 3.5: one counter per group, from zero, never going back while a TEK lives under which
// an id was given out. One length for all ids of a group.
// From:   pull.c takes; keys.c resets when the group is renewed.
// Spec:   RFC 6407 3.5, RFC 6054 4.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sid_pool {
	uint8_t bits;  // 8 to 32
	uint64_t next; // 0 to 2^bits
};

void sid_pool_reset(struct sid_pool *p, uint8_t bits);
uint64_t sid_pool_left(const struct sid_pool *p);
// n fresh ids, or false and none taken when fewer are left.
bool sid_take(struct sid_pool *p, size_t n, uint32_t *out);
