#include "common/pki/renew.h"

#define DAY INT64_C(86400)

int64_t renew_at(int64_t from, int64_t until, unsigned percent, struct rng *rng)
{
	int64_t life = until - from, spread, at;

	if (life <= 0)
		return from;
	spread = life / 50;
	at = from + life / 100 * percent + life % 100 * percent / 100;
	at += spread > 0 ? (int64_t)(rng_u64(rng) % (uint64_t)spread) : 0;
	return at < until ? at : until;
}

int64_t renew_retry_s(unsigned failures, struct rng *rng)
{
	int64_t s = RENEW_RETRY_FIRST_S;

	for (unsigned i = 1; i < failures && s < RENEW_RETRY_MAX_S; i++)
		s *= 2;
	s = s < RENEW_RETRY_MAX_S ? s : RENEW_RETRY_MAX_S;
	return s - s / 4 + (int64_t)(rng_u64(rng) % (uint64_t)(s / 2));
}

enum renew_stage renew_stage(int64_t from, int64_t until, int64_t now)
{
	int64_t left = until - now;

	if (left < 0)
		return RENEW_EXPIRED;
	if (left > (until - from) / 3)
		return RENEW_FINE;
	return left <= DAY	  ? RENEW_1_DAY
	       : left <= 7 * DAY  ? RENEW_7_DAYS
	       : left <= 30 * DAY ? RENEW_30_DAYS
				  : RENEW_FINE;
}
