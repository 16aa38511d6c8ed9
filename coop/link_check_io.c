// Is the peer whom it should be: the name in its certificate, and whether that was revoked.
#include <time.h>

#include "common/pki/fetch_io.h"
#include "coop/link_int.h"

#define LOOKUP_ROUNDS (2 * TRUST_MAX_PATH)

// A CRL or OCSP answer that is being fetched. c NULL: nobody waits any more.
struct lookup {
	struct lookup *next;
	struct link_io *l;
	struct conn *c;
	struct trust *trust;
	struct trust_need *need;
	unsigned rounds;
};

static bool names_peer(const struct conn *c)
{
	const struct link_peer_conf *p = &c->peer->conf;
	const struct cert *cert = tls_peer(c->tls);

	if (!cert) // the key is the peer's, its name is in it
		return true;
	if (p->n_names == 0)
		return cert_has_id(cert, p->addr.family == 4 ? CERT_ID_IPV4 : CERT_ID_IPV6,
				   BYTES(p->addr.b, addr_len(&p->addr)));
	for (size_t i = 0; i < p->n_names; i++) {
		if (id_pattern_match_cert(&p->name[i], cert))
			return true;
	}
	return false;
}

static void on_fetched(void *arg, int status, struct bytes body);

static void lookup_free(struct lookup *k)
{
	struct lookup **at = &k->l->lookups;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	trust_need_free(k->need);
	trust_free(k->trust);
	free(k);
}

void lookups_free(struct link_io *l)
{
	while (l->lookups)
		lookup_free(l->lookups);
}

static bool lookup_start(struct conn *c, struct trust_need *need, unsigned rounds)
{
	const struct fetch_ask ask = { .url = need->url,
				       .post = BYTES(need->body, need->body_len),
				       .type = "application/ocsp-request" };
	struct lookup *k = rounds < LOOKUP_ROUNDS ? calloc(1, sizeof(*k)) : NULL;

	if (!k) {
		trust_need_free(need);
		return false;
	}
	*k = (struct lookup){ c->l->lookups, c->l, c, trust_get(tls_trust(c->tls)), need, rounds };
	c->l->lookups = k;
	if (fetch_start(c->l->fetcher, &ask, on_fetched, k)) {
		lookup_free(k);
		return false;
	}
	c->lookup = k;
	return true;
}

static void revoked(struct conn *c, const char *why)
{
	if (!c->peer->conn || c->peer->conn == c) // else it has shown a better one
		link_keys_fini(&c->peer->keys);
	conn_refuse(c, &c->peer->stats.revoked, "certificate refused", why);
}

static void look(struct conn *c, unsigned rounds)
{
	struct trust_need *need;
	enum cert_reason why = tls_status(c->tls, time(NULL), &need);
	bool stands = c->state == CONN_UP;

	if (why == CERT_R_STATUS_WANTED && lookup_start(c, need, rounds))
		return;
	if (why == CERT_R_REVOKED || why == CERT_R_EXPIRED)
		revoked(c, cert_reason_name(why));
	else if (!stands && why != CERT_R_OK)
		conn_refuse(c, &c->peer->stats.revoked, "certificate refused",
			    cert_reason_name(why));
	else if (!stands)
		conn_believe(c);
}

static void on_fetched(void *arg, int status, struct bytes body)
{
	struct lookup *k = arg;
	struct conn *c = k->c;
	unsigned rounds = k->rounds;
	enum cert_reason why = trust_answer(k->trust, time(NULL), k->need, body);

	log_info(COOP, NULL, "fetched url=%s status=%d octets=%zu: %s", k->need->url, status,
		 body.len, cert_reason_name(why));
	lookup_free(k);
	if (c) {
		c->lookup = NULL;
		look(c, rounds + 1);
	}
}

void conn_check(struct conn *c)
{
	if (!names_peer(c))
		conn_refuse(c, &c->peer->stats.unauthorised, "not authorised",
			    "its certificate does not name this key server");
	else if (!c->lookup)
		look(c, 0);
}

void conn_check_stop(struct conn *c)
{
	if (c->lookup)
		c->lookup->c = NULL;
	c->lookup = NULL;
}
