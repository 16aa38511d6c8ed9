#include "common/ike/natt.h"

#include "common/crypto/prf.h"

int natt_hash(enum hash_alg h, const uint8_t cky_i[ISAKMP_COOKIE_LEN],
	      const uint8_t cky_r[ISAKMP_COOKIE_LEN], const struct endpoint *at,
	      uint8_t out[HASH_MAX])
{
	const uint8_t port[2] = { (uint8_t)(at->port >> 8), (uint8_t)at->port };
	const struct bytes part[] = { BYTES(cky_i, ISAKMP_COOKIE_LEN),
				      BYTES(cky_r, ISAKMP_COOKIE_LEN),
				      BYTES(at->addr.b, addr_len(&at->addr)), BYTES_OF(port) };

	return hash_parts(h, part, N_ELEMS(part), out);
}

static bool spoken(const struct ike_sa *sa)
{
	return sa->conf->natt_port && sa->peer_natt;
}

int natt_write(const struct ike_sa *sa, struct wr_chain *c)
{
	const struct endpoint *view[] = { &sa->peer, &sa->local };
	uint8_t hash[HASH_MAX];

	for (size_t i = 0; spoken(sa) && i < N_ELEMS(view); i++) {
		int err = natt_hash(sa->suite.hash, sa->cky_i, sa->cky_r, view[i], hash);

		if (err)
			return err;
		wr_pl(c, ISAKMP_PL_NAT_D, BYTES(hash, hash_len(sa->suite.hash)));
	}
	return 0;
}

int natt_keep(struct ike_sa *sa, const struct isakmp_chain *c)
{
	size_t len = hash_len(sa->suite.hash);
	uint8_t us[HASH_MAX], peer[HASH_MAX];
	const struct isakmp_pl *pl;
	bool us_seen = false, peer_seen = false;
	size_t n;
	int err;

	sa->behind_nat = sa->peer_behind_nat = false;
	if (!spoken(sa) || !isakmp_chain_find(c, ISAKMP_PL_NAT_D, 0))
		return 0;
	err = natt_hash(sa->suite.hash, sa->cky_i, sa->cky_r, &sa->local, us);
	if (!err)
		err = natt_hash(sa->suite.hash, sa->cky_i, sa->cky_r, &sa->peer, peer);
	if (err)
		return err;
	for (n = 0; (pl = isakmp_chain_find(c, ISAKMP_PL_NAT_D, n)); n++) {
		const uint8_t *want = n == 0 ? us : peer;
		bool fits = pl->body.len == len && memcmp(pl->body.p, want, len) == 0;

		if (n == 0)
			us_seen = fits;
		else
			peer_seen = peer_seen || fits;
	}
	sa->behind_nat = !us_seen;
	sa->peer_behind_nat = n > 1 && !peer_seen;
	return 0;
}

const char *natt_side(const struct ike_sa *sa)
{
	if (!natt_seen(sa))
		return "no";
	return !sa->behind_nat ? "peer" : sa->peer_behind_nat ? "both" : "here";
}

void natt_move(struct ike_sa *sa)
{
	if (!natt_seen(sa))
		return;
	sa->local.port = sa->conf->natt_port;
	sa->peer.port = sa->conf->natt_port;
}

bool natt_may_follow(const struct ike_sa *sa, const struct endpoint *from,
		     const struct endpoint *to)
{
	return spoken(sa) && sa->role == IKE_RESPONDER && to->port == sa->conf->natt_port &&
	       addr_eq(&from->addr, &sa->peer.addr);
}
