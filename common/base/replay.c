#include "common/base/replay.h"

#include <stdio.h>

bool replay_ok(struct replay r)
{
	if (r.mode == REPLAY_COUNTER)
		return r.window >= 64 && r.window <= 1024 && (r.window & (r.window - 1)) == 0;
	return r.mode == REPLAY_TIME && r.window >= 1 && r.window <= REPLAY_TIME_MAX_S;
}

bool replay_eq(struct replay a, struct replay b)
{
	return a.mode == b.mode && a.window == b.window;
}

const char *replay_mode_name(uint8_t mode)
{
	return mode == REPLAY_COUNTER ? "counter" : mode == REPLAY_TIME ? "time" : "none";
}

const char *replay_str(struct replay r, char buf[REPLAY_STRLEN])
{
	snprintf(buf, REPLAY_STRLEN, "%s, %u%s", replay_mode_name(r.mode), r.window,
		 r.mode == REPLAY_TIME ? " s" : "");
	return buf;
}
