// common/pki/renew.h - when certificates of ours are asked for again, and when their end is told.
// Pure: wall clock in seconds since 1970 comes as a parameter.
#pragma once
#include "common/base/rng.h"

#define RENEW_RETRY_FIRST_S 10
#define RENEW_RETRY_MAX_S   3600

// After percent of the lifetime, and up to two percent later: boxes that were installed together
// do not come together. Never later than the end.
int64_t renew_at(int64_t from, int64_t until, unsigned percent, struct rng *rng);
// How long to wait after so many failures in a row (from 1): doubling, give or take a quarter.
int64_t renew_retry_s(unsigned failures, struct rng *rng);

// How near the end is. A stage later than the last one told is worth a line.
enum renew_stage { RENEW_FINE, RENEW_30_DAYS, RENEW_7_DAYS, RENEW_1_DAY, RENEW_EXPIRED };
// Only the last third of a lifetime is near its end: a certificate of ten days is not late at once.
enum renew_stage renew_stage(int64_t from, int64_t until, int64_t now);
