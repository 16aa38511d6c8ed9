// common/base/replay.h - anti-replay of a group's SAs: how, how wide, and by which clock.
//
//	counter   a window of so many sequence numbers
//	time      a window of so many seconds of the group's pseudotime
//
// Pseudotime is the group's own clock: milliseconds that the key server counts, the same for all
// members whatever their wall clocks say. It never goes back within an epoch; an epoch ends only
// with everything else the group had.
// From:   ks (configuration, policy), gm, common/wire.
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum replay_mode { REPLAY_NONE, REPLAY_COUNTER, REPLAY_TIME }; // numbers as on the wire

struct replay {
	uint8_t mode;	 // enum replay_mode
	uint16_t window; // packets, or seconds
};

#define REPLAY_DEFAULT	  ((struct replay){ REPLAY_COUNTER, 64 })
#define REPLAY_TIME_MAX_S 100

#define REPLAY_STRLEN 40

// Counter windows are 64, 128, 256, 512 or 1024 packets, time windows 1 to 100 seconds.
bool replay_ok(struct replay r);
bool replay_eq(struct replay a, struct replay b);
const char *replay_mode_name(uint8_t mode);			  // "counter", "time", "none"
const char *replay_str(struct replay r, char buf[REPLAY_STRLEN]); // "time, 20 s"

#define PSEUDOTIME_MAX_MS (INT64_C(1) << 60) // leaves room for every sum

struct pseudotime {
	uint32_t epoch; // never 0
	int64_t ms;
};
