#include "dataplane/windows.h"

#include <stdlib.h>

#include "dataplane/ip4.h"

#define BLOCK 64u // numbers

struct sender {
	uint64_t name; // and 1; 0: free
	uint64_t top;  // highest number seen
};

struct windows {
	unsigned shift;		  // of the IV, down to the sender
	uint32_t numbers, blocks; // blocks: a power of two, at least one more than the window has
	uint32_t mask, max, n;
	uint64_t *seen; // blocks of each place, a bit for each number
	struct sender sender[];
};

struct windows *windows_new(unsigned sid_bits, uint32_t numbers, uint32_t senders)
{
	uint32_t places = 16, blocks = 2;
	struct windows *w;

	if (sid_bits == 0 || sid_bits + WINDOWS_WORKER_BITS > 48 || numbers == 0)
		return NULL;
	while (places < 2 * senders)
		places *= 2;
	while (blocks < numbers / BLOCK + 1)
		blocks *= 2;
	// Untouched pages of zeroes cost nothing.
	w = calloc(1, sizeof(*w) + places * sizeof(w->sender[0]));
	if (!w)
		return NULL;
	w->seen = calloc((size_t)places * blocks, sizeof(w->seen[0]));
	if (!w->seen) {
		free(w);
		return NULL;
	}
	w->shift = 64 - sid_bits - WINDOWS_WORKER_BITS;
	w->numbers = numbers;
	w->blocks = blocks;
	w->mask = places - 1;
	w->max = senders;
	return w;
}

void windows_free(struct windows *w)
{
	if (!w)
		return;
	free(w->seen);
	free(w);
}

size_t windows_senders(const struct windows *w)
{
	return __atomic_load_n(&w->n, __ATOMIC_RELAXED);
}

// Its place, or a free one.
static uint32_t place_of(const struct windows *w, uint64_t name)
{
	uint32_t i = (uint32_t)(name * 0x9e3779b97f4a7c15u >> 32) & w->mask;

	while (w->sender[i].name != 0 && w->sender[i].name != name)
		i = (i + 1) & w->mask;
	return i;
}

static void move_up(const struct windows *w, struct sender *s, uint64_t *seen, uint64_t number)
{
	uint64_t from = s->top / BLOCK, to = number / BLOCK;

	if (to - from > w->blocks)
		from = to - w->blocks;
	while (from != to)
		seen[++from & (w->blocks - 1)] = 0;
	s->top = number;
}

enum windows_verdict windows_check(struct windows *w, const uint8_t iv[8])
{
	const uint64_t v = (uint64_t)be32_get(iv) << 32 | be32_get(iv + 4);
	const uint64_t name = (v >> w->shift) + 1, number = v & (((uint64_t)1 << w->shift) - 1);
	const uint64_t bit = (uint64_t)1 << number % BLOCK;
	const uint32_t at = place_of(w, name);
	uint64_t *seen = w->seen + (size_t)at * w->blocks, *block;
	struct sender *s = &w->sender[at];

	if (s->name == 0) {
		if (w->n >= w->max)
			return WINDOWS_UNCHECKED;
		__atomic_store_n(&w->n, w->n + 1, __ATOMIC_RELAXED);
		*s = (struct sender){ name, number };
	} else if (number > s->top) {
		move_up(w, s, seen, number);
	} else if (s->top - number >= w->numbers) {
		return WINDOWS_OLD;
	}
	block = &seen[number / BLOCK & (w->blocks - 1)];
	if (*block & bit)
		return WINDOWS_REPEATED;
	*block |= bit;
	return WINDOWS_FRESH;
}
