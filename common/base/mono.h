// common/base/mono.h - monotonic time as a type of its own.
// Unit: milliseconds since an arbitrary start. Wall clock never mixes in: pure code is handed
// `now` and never asks. A deadline of MONO_NEVER does not fire.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct mono {
	int64_t ms;
} mono_t;

#define MONO_NEVER ((mono_t){ INT64_MAX })

static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	// Times before the machine started are negative.
	return t.ms == INT64_MAX || (t.ms > 0 && ms > INT64_MAX - t.ms) ? MONO_NEVER
									: (mono_t){ t.ms + ms };
}

static inline mono_t mono_add_s(mono_t t, int64_t s)
{
	return s > INT64_MAX / 1000 ? MONO_NEVER : mono_add_ms(t, s * 1000);
}

// a has come at time now.
static inline bool mono_due(mono_t a, mono_t now)
{
	return a.ms <= now.ms;
}

static inline bool mono_before(mono_t a, mono_t b)
{
	return a.ms < b.ms;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.ms < b.ms ? a : b;
}

static inline mono_t mono_max(mono_t a, mono_t b)
{
	return a.ms < b.ms ? b : a;
}

static inline bool mono_is_never(mono_t a)
{
	return a.ms == INT64_MAX;
}

// Milliseconds from now until t, never negative.
static inline int64_t mono_left_ms(mono_t t, mono_t now)
{
	return t.ms > now.ms ? t.ms - now.ms : 0;
}

// Whole seconds from now until t, rounded up, never negative; at most UINT32_MAX.
static inline uint32_t mono_left_s(mono_t t, mono_t now)
{
	int64_t ms = mono_left_ms(t, now);
	int64_t s = ms / 1000 + (ms % 1000 != 0);

	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

// The clock itself (CLOCK_BOOTTIME, so that a suspended box sees its keys age). For *_io.c and
// main.c only.
mono_t mono_now(void);
