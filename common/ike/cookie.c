#include "common/ike/cookie.h"

#include "common/crypto/prf.h"

#define ROTATE_S   60
#define SECRET_LEN 32

static void fresh(struct ike_cookie_jar *j, struct secret *s)
{
	rng_fill(j->rng, s->b, SECRET_LEN);
	s->len = SECRET_LEN;
}

void ike_cookie_init(struct ike_cookie_jar *j, struct rng *rng, mono_t now)
{
	*j = (struct ike_cookie_jar){ .rng = rng, .rotate = mono_add_s(now, ROTATE_S) };
	fresh(j, &j->now);
	fresh(j, &j->before);
}

void ike_cookie_fini(struct ike_cookie_jar *j)
{
	secret_fini(&j->now);
	secret_fini(&j->before);
}

static void rotate(struct ike_cookie_jar *j, mono_t now)
{
	if (!mono_due(j->rotate, now))
		return;
	j->before = j->now;
	fresh(j, &j->now);
	j->rotate = mono_add_s(now, ROTATE_S);
}

static int cookie(const struct secret *s, const struct endpoint *peer, const uint8_t cky_i[8],
		  uint8_t out[8])
{
	const uint8_t port[2] = { (uint8_t)(peer->port >> 8), (uint8_t)peer->port };
	const struct bytes parts[] = { BYTES(&peer->addr.family, 1), BYTES_OF(peer->addr.b),
				       BYTES_OF(port), BYTES(cky_i, 8) };
	uint8_t full[HASH_MAX];
	int err = prf_parts(HASH_ALG_SHA256, BYTES(s->b, s->len), parts, N_ELEMS(parts), full);

	if (err == 0)
		memcpy(out, full, 8);
	return err;
}

int ike_cookie_make(struct ike_cookie_jar *j, mono_t now, const struct endpoint *peer,
		    const uint8_t cky_i[8], uint8_t cky_r[8])
{
	rotate(j, now);
	return cookie(&j->now, peer, cky_i, cky_r);
}

bool ike_cookie_check(struct ike_cookie_jar *j, mono_t now, const struct endpoint *peer,
		      const uint8_t cky_i[8], const uint8_t cky_r[8])
{
	uint8_t want[8];

	rotate(j, now);
	if (cookie(&j->now, peer, cky_i, want) == 0 && bytes_eq_ct(want, cky_r, 8))
		return true;
	return cookie(&j->before, peer, cky_i, want) == 0 && bytes_eq_ct(want, cky_r, 8);
}
