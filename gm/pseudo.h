// gm/pseudo.h - the group's pseudotime, as a member keeps it.
// Between two words of the key server it goes by the boot-time clock.
// Owns:   nothing: struct gm_pseudo lies in its group.
// From:   pull.c and rekey.c with what came authenticated; show.c.
// Always: an answer to a PULL sets it; a PUSH, which may have been kept or sent late, only moves it
//         forward. Another epoch sets it in either.
#pragma once
#include "common/base/mono.h"
#include "common/base/replay.h"
#include "gm/teks.h"

struct gm_pseudo {
	struct pseudotime told; // epoch 0: nothing yet
	mono_t at;		// when it was so
	uint32_t n_jumps;	// of more than half a window
};

struct pseudotime gm_pseudo_at(const struct gm_pseudo *p, mono_t now);
// By how many milliseconds it moved; 0 for the first and for another epoch.
int64_t gm_pseudo_pull(struct gm_pseudo *p, const struct pseudotime *told, mono_t at);
int64_t gm_pseudo_push(struct gm_pseudo *p, const struct pseudotime *told, mono_t at);
// The narrowest window of time among the keys, seconds; 0: none goes by time.
uint16_t gm_pseudo_window(const struct gm_teks *t);
// Is a move of that many milliseconds more than half of the window? Counts it then.
bool gm_pseudo_jumped(struct gm_pseudo *p, int64_t moved_ms, uint16_t window_s);
