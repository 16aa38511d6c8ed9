// dataplane/stats.h - counters of one thread; the control thread adds them up.
// Always: one writer per struct stats, plain increments.   Never: a shared cache line.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "dataplane/drop.h"

#define STATS_MAX_WORKERS 8

struct stats {
	uint64_t drop[DROP_COUNT];
	uint64_t path[PATH_COUNT];
} __attribute__((aligned(64)));

#define STATS_NAMES (DROP_COUNT + PATH_COUNT)

const char *stats_name(size_t i); // 0 <= i < STATS_NAMES
uint64_t stats_sum(const struct stats *const *s, size_t n, size_t i);
