// tests/unit/coop/samples.h - one frame of every type, filled from a seed.
#pragma once
#include "common/base/rng.h"
#include "coop/wire.h"

#define COOP_SAMPLE_MAX (COOP_FRAME_LEN + COOP_BODY_MAX)

// Into buf, as coop_encode writes it.
struct bytes coop_sample(struct rng *rng, uint8_t type, uint8_t buf[COOP_SAMPLE_MAX]);
